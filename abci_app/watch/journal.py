"""The journal: which claims a watcher has replayed and what it found, so that a restart replays none of them again.

FOLDER/<chain id>/<key's address, or "reading">/replayed has a line for each: model, round, attempt, unit, payload root,
trace root, right or wrong.
A line that is torn by a crash is passed over, and its unit replayed again.
"""

import fcntl
import os
import re
from collections.abc import Iterable
from pathlib import Path

from abci_app.wire.pb.gradus.work.v1.work_pb2 import Round, Unit

RIGHT, WRONG = "right", "wrong"
FILE = "replayed"
READING, PROVED = "reading", "-proved"
_LINE = re.compile(rf"(([0-9]+) ([0-9]+) [0-9]+ [0-9]+ [0-9a-f]{{64}} [0-9a-f]{{64}}) ({RIGHT}|{WRONG})")


class JournalBusy(Exception):
    """Another watcher holds the journal."""


class Journal:
    """What was replayed on one chain. Use in a `with`: it is locked against other processes.

    Watchers without a key share theirs: the first one writes, the others read what it has found by then.
    """

    def __init__(self, folder: Path, chain_id: str, address: str = "", is_proved: bool = False) -> None:
        """address: of the key; empty for none. is_proved: apart from what was found on a node's word."""
        name = (address or READING) + (PROVED if is_proved else "")
        self.folder = folder / re.sub(r"[^A-Za-z0-9._-]", "_", chain_id) / name
        self._is_shared = not address
        self._found: dict[str, bool] = {}
        self._lock = -1

    def __enter__(self) -> "Journal":
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._lock = os.open(self.folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(self._lock)
            self._lock = -1
            if self._is_shared:
                self._found = self._read()
                return self
            raise JournalBusy(f"another watcher works here: {self.folder} is locked") from None
        self._found = self._read()
        self._write()
        return self

    def __exit__(self, *_: object) -> None:
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    def find(self, owner: Round, unit: Unit) -> bool | None:
        """Whether the claim was right; None when it has not been replayed."""
        return self._found.get(_name(owner, unit))

    def put(self, owner: Round, unit: Unit, is_right: bool) -> None:
        """Note what a replay has found. OSError when it cannot be written; it is remembered nevertheless."""
        name = _name(owner, unit)
        self._found[name] = is_right
        if self._lock < 0:
            return
        with (self.folder / FILE).open("a") as file:
            file.write(f"{name} {RIGHT if is_right else WRONG}\n")

    def drop_before(self, model_id: int, number: int) -> None:
        """Forget a model's rounds below `number`: nobody can challenge their units any more."""
        kept = {name: is_right for name, is_right in self._found.items()
                if tuple(map(int, name.split()[:2])) >= (model_id, number) or int(name.split()[0]) != model_id}
        if len(kept) < len(self._found):
            self._found = kept
            self._write()

    def _read(self) -> dict[str, bool]:
        try:
            lines: Iterable[str] = (self.folder / FILE).read_text(errors="replace").splitlines()
        except FileNotFoundError:
            return {}
        matches = [_LINE.fullmatch(line) for line in lines]
        return {match[1]: match[4] == RIGHT for match in matches if match}

    def _write(self) -> None:
        """Have the file hold exactly what is known, so that what is added stands on a line of its own."""
        if self._lock < 0:
            return
        writing = self.folder / f"{FILE}.writing"
        writing.write_text("".join(f"{name} {RIGHT if found else WRONG}\n" for name, found in self._found.items()))
        writing.rename(self.folder / FILE)


def _name(owner: Round, unit: Unit) -> str:
    return (f"{owner.model_id} {owner.number} {owner.attempt} {unit.index} {unit.payload_root.hex()} "
            f"{unit.trace_root.hex()}")
