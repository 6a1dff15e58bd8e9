"""Which process of this home works with a key: a miner and a watcher of one key would take each other's sequences, and
make the same moves twice. Several miners of one key, each for a model of its own, may work side by side.

Writes: FOLDER/<chain>/<address>.lock, which names the process that holds it.
"""

import fcntl
import os
import re
from pathlib import Path

WORDS_MAX = 100


class KeyBusy(Exception):
    """Another process works with the key. hint: what to do."""

    def __init__(self, text: str, hint: str) -> None:
        super().__init__(f"{text} ({hint})")
        self.text, self.hint = text, hint


class KeyLock:
    """The right to work with a key on a chain. Use in a `with`: it goes with the process, however that ends."""

    def __init__(self, folder: Path, chain_id: str, address: str, what: str, is_shared: bool = False) -> None:
        """what: the command, for who comes second. is_shared: with others that share it; else alone."""
        self.path = folder / re.sub(r"[^A-Za-z0-9._-]", "_", chain_id) / f"{address}.lock"
        self.address, self.what, self.is_shared = address, what, is_shared
        self._lock = -1

    def __enter__(self) -> "KeyLock":
        self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._lock = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(self._lock, (fcntl.LOCK_SH if self.is_shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
        except OSError:
            holder = os.pread(self._lock, WORDS_MAX, 0).decode(errors="replace").strip() or "another process"
            self.__exit__()
            raise KeyBusy(f"the key {self.address} is at work already: {holder}",
                          "end that one first, or use another key; it plays the disputes of its key itself") from None
        os.ftruncate(self._lock, 0)
        os.pwrite(self._lock, f"{self.what}, process {os.getpid()}".encode()[:WORDS_MAX], 0)
        return self

    def __exit__(self, *_: object) -> None:
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1
