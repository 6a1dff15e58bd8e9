"""The journal of one session, on the disk before anybody hears of it: the receipt key before the session is opened, a
question before it is sent, an answer and its receipt before the receipt is.

FOLDER/<receipt key in hex>.db is a SQLite database (write-ahead), private to its owner. One process at a time holds
it. Whatever is written survives the process; a question is synced before it is sent, and with it the answer before it
and the receipt, which goes out with the question. So what the machine's own end can take is an answer that was not
paid yet, whose question is asked again. It is named by the key, not by the session's number, because the key is there
first: a session whose number was lost in a crash is found on the chain by it.
"""

import os
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from google.protobuf.message import DecodeError

from abci_app.client.keys import Key, new_key
from abci_app.sdk.errors import JournalDamaged, SessionBusy
from abci_app.wire.pb.gradus.inference.v1.inference_pb2 import Question
from abci_app.wire.pb.gradus.sessions.v1.sessions_pb2 import Entry, Receipt, Session

SUFFIX = ".db"
SCHEMA = """
create table if not exists session (place integer primary key check (place = 1), key blob not null, record blob);
create table if not exists answers (number integer primary key, question blob not null, answer blob, entry blob,
                                    statement blob, receipt blob);
"""


@dataclass(frozen=True, slots=True)
class Kept:
    """An answer as the journal has it. receipt: what was signed for all answers up to this one; statement: the host's
    signature of the same state, with which the receipt can be shown on the chain."""

    question: Question
    answer: bytes
    entry: Entry
    statement: bytes
    receipt: Receipt


class SessionJournal:
    """One session's journal. Use in a `with`, or close() it. For one thread at a time."""

    def __init__(self, path: Path, key: Key | None = None) -> None:
        """Open a journal; key: of a new one. SessionBusy when another process holds it, JournalDamaged."""
        self.path = path
        if key is None and not path.exists():
            raise JournalDamaged(f"there is no journal {path}", "receipts of this session are kept where it was opened")
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
        self._rows = sqlite3.connect(path, timeout=0.0, isolation_level=None, check_same_thread=False)
        try:
            for pragma in ("locking_mode = exclusive", "journal_mode = wal", "synchronous = full"):
                self._rows.execute(f"pragma {pragma}")
            self._rows.executescript(SCHEMA)
            if key is not None:
                self._rows.execute("insert into session (place, key) values (1, ?)", (key.private,))
            found = self._rows.execute("select key from session").fetchone()
            self.key = Key(found[0])
            if self.key.public.hex() != path.stem:
                raise JournalDamaged(f"{path} holds another key than its name says")
        except sqlite3.OperationalError as error:
            self._rows.close()
            raise SessionBusy(f"the session's journal {path} is held by another process: {error}",
                              "end that one first, or open another session") from None
        except (sqlite3.DatabaseError, TypeError, ValueError) as error:
            self._rows.close()
            raise JournalDamaged(f"the session's journal {path} cannot be read: {error}") from None

    @classmethod
    def create(cls, folder: Path) -> "SessionJournal":
        """A journal with a new receipt key, for a session that is about to be opened."""
        key = new_key()
        return cls(folder / (key.public.hex() + SUFFIX), key)

    @classmethod
    def find(cls, folder: Path, receipt_key: bytes) -> "SessionJournal":
        """The journal of the session with this receipt key (33 bytes). JournalDamaged, SessionBusy."""
        return cls(folder / (receipt_key.hex() + SUFFIX))

    def __enter__(self) -> "SessionJournal":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let others have it."""
        self._rows.close()

    def drop(self) -> None:
        """Forget the session for good: when it is settled, or was never opened."""
        self._rows.close()
        for suffix in ("", "-wal", "-shm"):
            self.path.with_name(self.path.name + suffix).unlink(missing_ok=True)

    def put_session(self, record: Session) -> None:
        """What the chain says of the session."""
        self._rows.execute("update session set record = ?", (record.SerializeToString(deterministic=True),))

    def find_session(self) -> Session | None:
        """What the chain said of the session; None for one that was never known to be open."""
        found = self._rows.execute("select record from session").fetchone()[0]
        return None if found is None else Session.FromString(found)

    def put_question(self, number: int, question: Question) -> None:
        """What is about to be asked."""
        self._rows.execute("insert or replace into answers (number, question) values (?, ?)",
                           (number, question.SerializeToString(deterministic=True)))

    def drop_question(self, number: int) -> None:
        """Forget a question that the host has refused to answer."""
        self._rows.execute("delete from answers where number = ? and answer is null", (number,))

    def put_answer(self, kept: Kept) -> None:
        """An answer that was verified, and the receipt that pays it; synced with the next question."""
        self._rows.execute("pragma synchronous = normal")
        try:
            self._rows.execute("update answers set answer = ?, entry = ?, statement = ?, receipt = ? where number = ?",
                               (kept.answer, kept.entry.SerializeToString(deterministic=True), kept.statement,
                                kept.receipt.SerializeToString(deterministic=True), kept.entry.number))
        finally:
            self._rows.execute("pragma synchronous = full")

    def sync(self) -> None:
        """Have everything on the disk, such as before a receipt is sent without a question."""
        self._rows.execute("update session set place = 1")

    def find_pending(self) -> tuple[int, Question] | None:
        """The question that was sent, perhaps, and has no answer here; None when there is none."""
        row = self._rows.execute("select number, question from answers where answer is null").fetchone()
        return None if row is None else (row[0], Question.FromString(row[1]))

    def find_answer(self, number: int) -> Kept | None:
        """An answer by its number, from 1."""
        return next(iter(list(self._select("where number = ? and answer is not null", number))), None)

    def iter_answers(self) -> Iterator[Kept]:
        """All answers, numbers rising. JournalDamaged."""
        return self._select("where answer is not null order by number")

    def _select(self, where: str, *values: int) -> Iterator[Kept]:
        try:
            for question, answer, entry, statement, receipt in self._rows.execute(
                    f"select question, answer, entry, statement, receipt from answers {where}", values):
                yield Kept(Question.FromString(question), answer, Entry.FromString(entry), statement,
                           Receipt.FromString(receipt))
        except (sqlite3.DatabaseError, DecodeError) as error:
            raise JournalDamaged(f"the session's journal {self.path} cannot be read: {error}") from None


def list_receipt_keys(folder: Path) -> list[bytes]:
    """The receipt keys of the journals in a folder, rising."""
    return sorted(bytes.fromhex(path.stem) for path in folder.glob("*" + SUFFIX))
