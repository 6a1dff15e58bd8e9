"""The journal of a host: what it has said, on the disk before anybody hears of it.

FOLDER/<chain id>/<model>-<address>.db is a SQLite database (write-ahead), private to its owner. One process at a time
holds it. An answer is in it, synced, before its commitment or its statement is sent, so that after a crash at any
moment the same answer goes out again, and never another one. A receipt that comes with a question is synced with its
answer.
"""

import os
import re
import sqlite3
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from abci_app.host.errors import HostStopped, JournalBusy
from abci_app.wire.pb.gradus.inference.v1.inference_pb2 import Question
from abci_app.wire.pb.gradus.sessions.v1.sessions_pb2 import Entry, Receipt

SCHEMA = """
create table if not exists dealt (request integer primary key, seed blob not null, answer blob not null,
                                  salt blob not null, height integer not null,
                                  is_revealed integer not null default 0);
create table if not exists entries (session integer, number integer, question blob not null, answer blob not null,
                                    entry blob not null, statement blob not null, primary key (session, number));
create table if not exists receipts (session integer primary key, receipt blob not null);
create table if not exists closing (session integer primary key);
"""


@dataclass(frozen=True, slots=True)
class Dealt:
    """An answer to a request on the chain, and the salt that hides it until it is revealed."""

    seed: bytes
    answer: bytes
    salt: bytes
    is_revealed: bool = False


@dataclass(frozen=True, slots=True)
class Given:
    """An answer in a session. statement: this host's signature of the state after it."""

    question: Question
    answer: bytes
    entry: Entry
    statement: bytes


class Journal:
    """What a host has said for one model. Use in a `with`. For several threads at once."""

    def __init__(self, folder: Path, chain_id: str, model_id: int, address: str) -> None:
        safe_chain = re.sub(r"[^A-Za-z0-9._-]", "_", chain_id)
        self.path = folder / safe_chain / f"{model_id}-{address}.db"
        self._lock = threading.RLock()

    def __enter__(self) -> "Journal":
        """Raises JournalBusy, HostStopped for one that is damaged."""
        self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        os.close(os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600))
        self._rows = sqlite3.connect(self.path, timeout=0.0, isolation_level=None, check_same_thread=False)
        try:
            for pragma in ("locking_mode = exclusive", "journal_mode = wal", "synchronous = full"):
                self._rows.execute(f"pragma {pragma}")
            self._rows.executescript("begin immediate; commit;" + SCHEMA)
        except sqlite3.OperationalError as error:
            self._rows.close()
            raise JournalBusy(f"another host works for this key and model: {self.path} is held ({error})") from None
        except sqlite3.DatabaseError as error:
            self._rows.close()
            raise HostStopped(f"the journal {self.path} cannot be read: {error}",
                              "put its copy back; without it what is committed cannot be revealed") from None
        return self

    def __exit__(self, *_: object) -> None:
        self._rows.close()

    def put_dealt(self, request_id: int, dealt: Dealt, height: int) -> None:
        """Write down the answer to a request. ValueError for a second, different one: that would be two answers."""
        held = self.find_dealt(request_id)
        if held is not None and (held.seed, held.answer, held.salt) != (dealt.seed, dealt.answer, dealt.salt):
            raise ValueError(f"request {request_id} has another answer already")
        self._run("insert or ignore into dealt values (?, ?, ?, ?, ?, 0)", request_id, dealt.seed, dealt.answer,
                  dealt.salt, height)

    def find_dealt(self, request_id: int) -> Dealt | None:
        """The answer to a request; None where there is none."""
        rows = self._run("select seed, answer, salt, is_revealed from dealt where request = ?", request_id)
        return next((Dealt(seed, answer, salt, bool(is_revealed)) for seed, answer, salt, is_revealed in rows), None)

    def put_revealed(self, request_id: int) -> None:
        """That an answer is no secret any more."""
        self._run("update dealt set is_revealed = 1 where request = ?", request_id)

    def drop_dealt_before(self, height: int) -> None:
        """Forget the answers that were committed before a height."""
        self._run("delete from dealt where height < ?", height)

    def put_given(self, session_id: int, given: Given) -> None:
        """Write down an answer of a session, whose number must be new."""
        self._run("insert into entries values (?, ?, ?, ?, ?, ?)", session_id, given.entry.number,
                  given.question.SerializeToString(deterministic=True), given.answer,
                  given.entry.SerializeToString(deterministic=True), given.statement)

    def put_receipt(self, receipt: Receipt, is_synced: bool = True) -> None:
        """Write down a session's receipt, which is later than the one that is there. is_synced: False leaves that to
        the next write."""
        with self._lock:
            self._run(f"pragma synchronous = {'full' if is_synced else 'normal'}")
            try:
                self._run("insert or replace into receipts values (?, ?)", receipt.session_id,
                          receipt.SerializeToString(deterministic=True))
            finally:
                self._run("pragma synchronous = full")

    def find_given(self, session_id: int, number: int) -> Given | None:
        """An answer of a session by its number, from 1."""
        rows = self._run("select question, answer, entry, statement from entries where session = ? and number = ?",
                         session_id, number)
        return next((Given(Question.FromString(question), answer, Entry.FromString(entry), statement)
                     for question, answer, entry, statement in rows), None)

    def list_entries(self, session_id: int, count: int = -1) -> list[Entry]:
        """The entries of a session, numbers rising: the first `count`, or all."""
        rows = self._run("select entry from entries where session = ? order by number limit ?", session_id, count)
        return [Entry.FromString(row[0]) for row in rows]

    def find_receipt(self, session_id: int) -> Receipt | None:
        """The latest receipt of a session."""
        rows = self._run("select receipt from receipts where session = ?", session_id)
        return Receipt.FromString(rows[0][0]) if rows else None

    def put_closing(self, session_id: int) -> None:
        """That a session's user wants it to be closed."""
        self._run("insert or ignore into closing values (?)", session_id)

    def is_closing(self, session_id: int) -> bool:
        """Whether a session's user wants it to be closed."""
        return bool(self._run("select 1 from closing where session = ?", session_id))

    def list_sessions(self) -> list[int]:
        """The sessions of which anything is known, rising."""
        return [row[0] for row in self._run("select distinct session from entries union select session from receipts "
                                            "union select session from closing order by 1")]

    def drop_session(self, session_id: int) -> None:
        """Forget a session that is settled."""
        for table in ("entries", "receipts", "closing"):
            self._run(f"delete from {table} where session = ?", session_id)

    def _run(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        with self._lock:
            return self._rows.execute(statement, values).fetchall()
