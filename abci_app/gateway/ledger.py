"""The gateway's API keys and what was spent by each: HOME/gateway/ledger.db, which its owner alone may read.

A key is 32 random bytes, shown once; what is kept is its SHA-256, enough for a secret that cannot be guessed. The
commands that create and revoke keys write to the same file while a gateway runs: every request looks its key up anew.
"""

import hashlib
import os
import secrets
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from abci_app.client.errors import ClientError
from abci_app.gateway.errors import new_over_limit, new_unauthorized

FILE = "ledger.db"
PREFIX = "gk-"
SECRET_BYTES = 32
SHOWN_CHARS = 8
WAIT_S = 10.0
SCHEMA = """
create table if not exists keys (id integer primary key, name text not null unique, hash blob not null unique,
    shown text not null, limit_ugrad integer, spent_ugrad integer not null default 0,
    answers integer not null default 0, created_s integer not null, revoked_s integer);
"""


class KeyNameTaken(ClientError):
    """There is a key of this name, perhaps a revoked one."""


class ApiKeyMissing(ClientError):
    """There is no key of this name."""


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key without its secret. shown: how it begins. limit_ugrad: None for none of its own. created_s, revoked_s: Unix
    time; revoked_s: None for one that is in force."""

    id: int
    name: str
    shown: str
    limit_ugrad: int | None
    spent_ugrad: int
    answers: int
    created_s: int
    revoked_s: int | None


class Ledger:
    """Keys and what they have spent. Safe to use from several threads, and from several processes."""

    def __init__(self, folder: Path, limit_ugrad: int | None = None) -> None:
        """limit_ugrad: what all keys together may spend, of what was ever spent; None: no limit of all."""
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        path = folder / FILE
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
        self.limit_ugrad = limit_ugrad
        self._lock = threading.Lock()
        self._held: dict[int, int] = {}
        self._rows = sqlite3.connect(path, timeout=WAIT_S, isolation_level=None, check_same_thread=False)
        self._rows.execute("pragma journal_mode = wal")
        self._rows.executescript(SCHEMA)

    def close(self) -> None:
        """Let go of the file."""
        self._rows.close()

    def create(self, name: str, limit_ugrad: int | None = None) -> str:
        """A new key; it is never shown again. Raises KeyNameTaken."""
        secret = PREFIX + secrets.token_urlsafe(SECRET_BYTES)
        try:
            with self._lock:
                self._rows.execute(
                    "insert into keys (name, hash, shown, limit_ugrad, created_s) values (?, ?, ?, ?, ?)",
                    (name, hash_key(secret), secret[:SHOWN_CHARS], limit_ugrad, int(time.time())))
        except sqlite3.IntegrityError:
            raise KeyNameTaken(f"there is a key {name!r} already", "`gradus gateway keys list` shows them") from None
        return secret

    def revoke(self, name: str) -> None:
        """Take a key out of force, at once. Raises ApiKeyMissing."""
        with self._lock:
            done = self._rows.execute("update keys set revoked_s = ? where name = ? and revoked_s is null",
                                      (int(time.time()), name))
        if not done.rowcount:
            raise ApiKeyMissing(f"there is no key {name!r} in force", "`gradus gateway keys list` shows them")

    def list_keys(self) -> list[ApiKey]:
        """All keys, the earliest first."""
        return self._select("order by id")

    def find(self, secret: str) -> ApiKey | None:
        """The key in force with this secret."""
        found = self._select("where hash = ? and revoked_s is null", hash_key(secret))
        return found[0] if found else None

    @property
    def spent_ugrad(self) -> int:
        """What all keys have spent."""
        with self._lock:
            return self._sum_spent()

    @property
    def left_ugrad(self) -> int | None:
        """What all keys may still spend, without what is reserved; None: no limit."""
        with self._lock:
            if self.limit_ugrad is None:
                return None
            return max(self.limit_ugrad - self._sum_spent() - sum(self._held.values()), 0)

    @contextmanager
    def reserve(self, key: ApiKey, fee_ugrad: int) -> Iterator["Reservation"]:
        """Hold back what an answer costs while it is written. Raises ApiError where a limit does not cover it, and
        for a key that was revoked meanwhile."""
        with self._lock:
            found = self._rows.execute("select spent_ugrad from keys where id = ? and revoked_s is null",
                                       (key.id,)).fetchone()
            if found is None:
                raise new_unauthorized()
            spent = found[0]
            held = self._held.get(key.id, 0)
            if key.limit_ugrad is not None and spent + held + fee_ugrad > key.limit_ugrad:
                raise new_over_limit("this API key")
            if self.limit_ugrad is not None and \
                    self._sum_spent() + sum(self._held.values()) + fee_ugrad > self.limit_ugrad:
                raise new_over_limit("the gateway")
            self._held[key.id] = held + fee_ugrad
        reservation = Reservation()
        try:
            yield reservation
        finally:
            with self._lock:
                self._held[key.id] -= fee_ugrad
                if reservation.cost_ugrad:
                    self._rows.execute("update keys set spent_ugrad = spent_ugrad + ?, answers = answers + 1 "
                                       "where id = ?", (reservation.cost_ugrad, key.id))

    def _sum_spent(self) -> int:
        return int(self._rows.execute("select coalesce(sum(spent_ugrad), 0) from keys").fetchone()[0])

    def _select(self, where: str, *values: object) -> list[ApiKey]:
        with self._lock:
            rows = self._rows.execute("select id, name, shown, limit_ugrad, spent_ugrad, answers, created_s, revoked_s "
                                      f"from keys {where}", values).fetchall()
        return [ApiKey(*row) for row in rows]


@dataclass(slots=True)
class Reservation:
    """What is held back for an answer; cost_ugrad: what it has cost, once a receipt pays it."""

    cost_ugrad: int = 0


def hash_key(secret: str) -> bytes:
    """What is kept of a key."""
    return hashlib.sha256(secret.encode(errors="replace")).digest()
