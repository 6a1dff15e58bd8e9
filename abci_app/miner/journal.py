"""The journal: what a miner has committed to, on disk before the chain hears of it, so that a restart can reveal it.

FOLDER/<chain id>/<model>-<address>/<round>-<seed>-<unit>.claim holds SHA-256 of the rest, salt, trace root, payload
root, payload.
A round that is dealt again has another seed, and so another claim. One process at a time holds a journal.
"""

import fcntl
import hashlib
import logging
import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from abci_app.client.private import put_names
from abci_app.units.claim import Claim
from abci_app.wire.merkle import HASH_BYTES
from abci_app.wire.pb.gradus.work.v1.work_pb2 import Round

SALT_BYTES = 32
SEED_CHARS = 16
_HEAD_BYTES = SALT_BYTES + 2 * HASH_BYTES
_NAME = re.compile(r"([0-9]{10})-[0-9a-f]{16}-([0-9]{10})\.claim")
_log = logging.getLogger("gradus.miner")


class JournalBusy(Exception):
    """Another process holds the journal."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A claim and the salt that hides it until it is revealed."""

    claim: Claim
    salt: bytes


class Journal:
    """The entries of one key for one model. Use in a `with`: it is locked against other processes."""

    def __init__(self, folder: Path, chain_id: str, model_id: int, address: str) -> None:
        safe_chain = re.sub(r"[^A-Za-z0-9._-]", "_", chain_id)
        self.folder = folder / safe_chain / f"{model_id}-{address}"
        self._lock = -1

    def __enter__(self) -> "Journal":
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._lock = os.open(self.folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(self._lock)
            self._lock = -1
            raise JournalBusy(f"another miner works for this key and model: {self.folder} is locked") from None
        for left in self.folder.glob("*.writing"):
            left.unlink()
        return self

    def __exit__(self, *_: object) -> None:
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    def put(self, running: Round, unit: int, entry: Entry) -> None:
        """Write an entry and see it on the disk. ValueError for a second, different one: that would be two claims."""
        path = self._path(running, unit)
        held = self.find(running, unit)
        if held is not None and held != entry:
            raise ValueError(f"{path.name} holds another claim already")
        body = entry.salt + entry.claim.trace_root + entry.claim.payload_root + entry.claim.payload
        writing = path.with_suffix(".writing")
        with writing.open("wb") as file:
            file.write(hashlib.sha256(body).digest() + body)
            file.flush()
            os.fsync(file.fileno())
        writing.rename(path)
        put_names(self.folder)

    def find(self, running: Round, unit: int) -> Entry | None:
        """The entry of a unit of this dealing of the round; a damaged one is logged and passed over."""
        path = self._path(running, unit)
        try:
            data = path.read_bytes()
        except FileNotFoundError:
            return None
        body = data[HASH_BYTES:]
        salt, roots, payload = body[:SALT_BYTES], body[SALT_BYTES:_HEAD_BYTES], body[_HEAD_BYTES:]
        if hashlib.sha256(body).digest() != data[:HASH_BYTES] or len(roots) != 2 * HASH_BYTES:
            _log.error("journal entry %s is damaged and passed over", path)
            return None
        return Entry(Claim(payload, roots[HASH_BYTES:], roots[:HASH_BYTES]), salt)

    def find_or_put(self, running: Round, unit: int, make: Callable[[], Entry]) -> Entry:
        """The entry of a unit, made and written when there is none."""
        entry = self.find(running, unit)
        if entry is None:
            entry = make()
            self.put(running, unit, entry)
        return entry

    def drop_before(self, round_number: int) -> None:
        """Forget the entries of earlier rounds."""
        for path in self.folder.iterdir():
            match = _NAME.fullmatch(path.name)
            if match and int(match[1]) < round_number:
                path.unlink()

    def _path(self, running: Round, unit: int) -> Path:
        return self.folder / f"{running.number:010d}-{running.seed.hex()[:SEED_CHARS]}-{unit:010d}.claim"
