"""Receipts of a user, and the journal that keeps them."""

import sqlite3
from pathlib import Path

import pytest

from abci_app.client.keys import new_key
from abci_app.sdk.errors import HostUnreachable, JournalDamaged, SessionBusy
from abci_app.sdk.host_client import HostClient
from abci_app.sdk.journal import Kept, SessionJournal, list_receipt_keys
from abci_app.sdk.paid import _probe
from abci_app.sdk.receipts import ReceiptBook
from abci_app.wire.merkle import merkle_root
from abci_app.wire.pb.gradus.inference.v1.inference_pb2 import Host, Question
from abci_app.wire.pb.gradus.sessions.v1.sessions_pb2 import Entry, Receipt, Session
from abci_app.wire.question import entry_leaf, receipt_digest
from abci_app.wire.signature import is_valid_signature

CHAIN_ID = "gradus-test-1"


def new_entry(number: int, fee_ugrad: int = 7, total_ugrad: int = 0) -> Entry:
    """total_ugrad: that of `number` such fees when left out."""
    return Entry(number=number, question_hash=bytes([number]) * 32, answer_hash=bytes(32), fee_ugrad=fee_ugrad,
                 total_ugrad=total_ugrad or number * fee_ugrad)


def new_kept(number: int) -> Kept:
    return Kept(Question(rows=number), b"answer", new_entry(number), bytes(64), Receipt(session_id=3, count=number))


def test_a_receipt_is_over_all_entries_and_signed_by_the_receipt_key() -> None:
    key, entries = new_key(), [new_entry(number, 10 * number, 5 * number * (number + 1)) for number in range(1, 6)]
    book = ReceiptBook(CHAIN_ID, 3, key)
    for entry in entries:
        state = book.preview(entry)
        book.append(entry)
    receipt = book.sign()
    assert state == Receipt(session_id=3, count=5, total_ugrad=150, root=receipt.root)
    assert (receipt.session_id, receipt.count, receipt.total_ugrad) == (3, 5, 150)
    assert receipt.root == merkle_root(entry_leaf(entry) for entry in entries)
    assert is_valid_signature(key.public, receipt_digest(CHAIN_ID, receipt), receipt.signature)
    assert book.sign() == receipt


@pytest.mark.parametrize("entry", [
    new_entry(1), new_entry(3), new_entry(2, 0, 7), new_entry(2, 7, 13), new_entry(2, 7, 15), new_entry(2, 7, 7)])
def test_an_entry_that_does_not_follow_is_not_added(entry: Entry) -> None:
    book = ReceiptBook(CHAIN_ID, 3, new_key())
    book.append(new_entry(1))
    with pytest.raises(ValueError):
        book.append(entry)
    assert (book.count, book.total_ugrad) == (1, 7)


def test_a_journal_that_is_opened_again_has_the_key_the_answers_and_the_question_without_one(tmp_path: Path) -> None:
    with SessionJournal.create(tmp_path) as journal:
        key, record = journal.key, Session(id=3, receipt_key=journal.key.public)
        journal.put_session(record)
        for number in (1, 2):
            journal.put_question(number, Question(rows=number))
            journal.put_answer(new_kept(number))
        journal.put_question(3, Question(rows=9))
    assert list_receipt_keys(tmp_path) == [key.public]
    with SessionJournal.find(tmp_path, key.public) as journal:
        assert journal.key == key and journal.find_session() == record
        assert list(journal.iter_answers()) == [new_kept(1), new_kept(2)]
        assert journal.find_answer(2) == new_kept(2) and journal.find_answer(3) is None
        assert journal.find_pending() == (3, Question(rows=9))
        journal.drop_question(3)
        assert journal.find_pending() is None
        journal.drop()
    assert list_receipt_keys(tmp_path) == []


def test_a_journal_is_private_and_held_by_one_at_a_time(tmp_path: Path) -> None:
    with SessionJournal.create(tmp_path) as journal:
        assert journal.path.stat().st_mode & 0o777 == 0o600
        journal.put_session(Session(id=1))
        with pytest.raises(SessionBusy):
            SessionJournal(journal.path)


def test_what_is_no_journal_is_damaged_rather_than_new(tmp_path: Path) -> None:
    with pytest.raises(JournalDamaged):
        SessionJournal.find(tmp_path, new_key().public)
    path = tmp_path / (new_key().public.hex() + ".db")
    path.write_bytes(b"not a database, but long enough to be taken for the head of one" * 4)
    with pytest.raises(JournalDamaged):
        SessionJournal(path)


@pytest.mark.parametrize("endpoint", ["http://h:99999", "http://[", "http://h:x", "http://a..b", "http://" + "a" * 64])
def test_an_endpoint_that_is_no_address_is_a_host_that_cannot_be_reached(endpoint: str) -> None:
    with pytest.raises(HostUnreachable):
        HostClient(endpoint, 1.0).status()
    assert _probe(Host(endpoint=endpoint)).startswith("does not answer")


def test_what_is_written_after_a_write_that_failed_is_synced_again(tmp_path: Path) -> None:
    with SessionJournal.create(tmp_path) as journal:
        journal._rows.execute("drop table answers")
        with pytest.raises(sqlite3.OperationalError):
            journal.put_answer(new_kept(1))
        assert journal._rows.execute("pragma synchronous").fetchone() == (2,)
