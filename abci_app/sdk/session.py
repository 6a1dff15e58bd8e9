"""A session: questions to one host, each paid by a receipt when its answer has been verified.

Post-paid: question k goes out with the receipt for the k - 1 answers before it, so neither side can lose more than one
answer. An answer counts as one when its entry, its fee, its hash and the host's signature are right; whether it is the
model's is what audits, challenges (x/sessions) and the user's own recomputing are for.

Questions, answers and receipts are in the journal before anybody is sent anything that rests on them. A process that
dies at any moment opens the session again and goes on: a question that may have been sent is asked again under its
number, and answered by the host as before.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from abci_app.client.host_api import CLOSED, INVALID, QUESTION, SPENT, TOO_LARGE, asking_digest
from abci_app.runtime.fee import compute_fee
from abci_app.runtime.question import (
    ROOT_BYTES, TOKEN_BYTES, check_question, compute_answer_bytes_max, compute_ask, compute_work,
)
from abci_app.sdk.errors import DepositSpent, HostFaulty, HostRefused, JournalDamaged, SessionBusy
from abci_app.sdk.host_client import HostClient, HostStream, Reply
from abci_app.sdk.journal import Kept, SessionJournal
from abci_app.sdk.receipts import ReceiptBook
from abci_app.wire.pb.gradus.inference.v1.inference_pb2 import Question
from abci_app.wire.pb.gradus.models.v1.models_pb2 import ModelSpec
from abci_app.wire.pb.gradus.sessions.v1 import sessions_pb2
from abci_app.wire.pb.gradus.sessions.v1.sessions_pb2 import Entry, Receipt
from abci_app.wire.question import answer_hash, question_hash, statement_digest
from abci_app.wire.signature import is_valid_signature

_Result = TypeVar("_Result")
UNANSWERED = (INVALID, QUESTION, TOO_LARGE, SPENT, CLOSED)  # a question that is refused so gets no answer


class Session:
    """One open session. Calls from several threads wait for one another; each is one question at a time."""

    def __init__(self, chain_id: str, record: sessions_pb2.Session, spec: ModelSpec, host: HostClient,
                 journal: SessionJournal) -> None:
        """record: as the chain has it, OPEN. spec: the contract's terms of its version. journal: of its receipt key.

        JournalDamaged when the journal is another session's, or knows less than the chain.
        """
        if journal.key.public != record.receipt_key:
            raise JournalDamaged(f"the journal {journal.path} is not that of session {record.id}")
        self.chain_id, self.spec, self.host, self.journal = chain_id, spec, host, journal
        self.record = record
        self._lock = threading.Lock()
        self._book = ReceiptBook(chain_id, record.id, journal.key)
        self._receipt: Receipt | None = None
        self._fault: HostFaulty | None = None
        for kept in journal.iter_answers():
            self._book.append(kept.entry)
            self._receipt = kept.receipt
        if self._book.count < record.receipt.count:
            raise JournalDamaged(f"the chain has a receipt for {record.receipt.count} answers of session {record.id}, "
                                 f"the journal {journal.path} has {self._book.count}", "close the session")
        journal.put_session(record)

    @property
    def id(self) -> int:
        """The session's number on the chain."""
        return self.record.id

    @property
    def count(self) -> int:
        """Answers so far."""
        return self._book.count

    @property
    def total_ugrad(self) -> int:
        """What is owed for all answers so far."""
        return self._book.total_ugrad

    @property
    def left_ugrad(self) -> int:
        """What is left of the deposit."""
        return self.record.deposit_ugrad - self.total_ugrad

    @property
    def receipt(self) -> Receipt | None:
        """The last receipt, for MsgCloseSession; None before the first answer."""
        return self._receipt

    def compute_fee(self, question: Question) -> int:
        """What a question costs in this session, ugrad. Raises QuestionInvalid (abci_app/runtime/question.py)."""
        check_question(self.spec, question)
        ask = compute_ask(compute_work(self.spec, question), self.record.price_ugrad_per_gma)
        return compute_fee(self.spec.inference, ask)

    def update(self, record: sessions_pb2.Session) -> None:
        """Go on with what the chain says now, such as after a top-up."""
        self.record = record
        self.journal.put_session(record)

    def ask(self, question: Question) -> Kept:
        """The verified answer to a question.

        A question that an earlier call (or an earlier process) has sent and got no answer to is finished first; it is
        in the journal then, and paid; asked again, it is this call's answer. Raises QuestionInvalid, DepositSpent,
        SessionBusy, HostUnreachable, HostRefused, and HostFaulty, after which this session can only be closed.
        """
        with self._held():
            pending = self._finish_pending()
            if pending is not None and pending.question == question:
                return pending
            number = self._begin(question)
            return self._ask(number, question)

    def stream(self, question: Question) -> Iterator[list[int]]:
        """Tokens of a decoder's answer as they are drawn; when all have come, `last` is the verified answer.

        As ask. Who does not read to the end gives up what is left: the next call finishes the question.
        """
        with self._held():
            pending = self._finish_pending()
            if pending is not None and pending.question == question:
                yield _list_tokens(pending.answer)
                return
            number = self._begin(question)
            signature = self._sign(number, question)
            stream = self._call(number, lambda: self.host.stream(self.id, number, question, self._receipt, signature))
            yield from self._read(stream, number, question)

    @property
    def last(self) -> Kept | None:
        """The last answer; None before the first."""
        return self.journal.find_answer(self.count)

    def finish(self) -> Kept | None:
        """Have a question answered that was sent and has no answer here yet; None when there is none."""
        with self._held():
            return self._finish_pending()

    def hand_over(self, closes: bool = False) -> bool:
        """Give the host the last receipt; closes: and have it end the session on the chain. Whether it will: a
        session that has no receipt yet is ended by its user's own transaction."""
        with self._held():
            self.journal.sync()
            return self.host.put_receipt(self.id, self._receipt, closes)

    def close(self) -> None:
        """Let go of the connection and of the journal. Nothing is sent: see hand_over and MsgCloseSession."""
        self.host.close()
        self.journal.close()

    @contextmanager
    def _held(self) -> Iterator[None]:
        if not self._lock.acquire(timeout=self.host.timeout_s):
            raise SessionBusy(f"another question of session {self.id} has no answer yet", "open another session")
        try:
            yield
        finally:
            self._lock.release()

    def _begin(self, question: Question) -> int:
        """Write a question down under the next number."""
        fee_ugrad = self.compute_fee(question)
        if fee_ugrad > self.left_ugrad:
            raise DepositSpent(f"the question costs {fee_ugrad} ugrad; {self.left_ugrad} are left of the deposit of "
                               f"session {self.id}", "top the session up, or close it and open another")
        number = self.count + 1
        self.journal.put_question(number, question)
        return number

    def _finish_pending(self) -> Kept | None:
        if self._fault is not None:
            raise self._fault
        pending = self.journal.find_pending()
        try:
            return None if pending is None else self._ask(*pending)
        except HostRefused as error:
            if error.code in UNANSWERED:
                return None
            raise

    def _ask(self, number: int, question: Question) -> Kept:
        signature = self._sign(number, question)
        return self._take(number, question, self._call(
            number, lambda: self.host.ask(self.id, number, question, self._receipt, signature)))

    def _sign(self, number: int, question: Question) -> bytes:
        return self.journal.key.sign(asking_digest(self.chain_id, self.id, number, question_hash(question)))

    def _call(self, number: int, call: Callable[[], _Result]) -> _Result:
        """A call about a question; one that is refused for good is forgotten, so that another can take its number."""
        try:
            return call()
        except HostRefused as error:
            if error.code in UNANSWERED:
                self.journal.drop_question(number)
            raise

    def _read(self, stream: HostStream, number: int, question: Question) -> Iterator[list[int]]:
        told: list[int] = []
        try:
            for tokens in stream:
                told += tokens
                yield tokens
        finally:
            stream.close()
        assert stream.reply is not None
        if told != _list_tokens(stream.reply.answer):
            raise self._blame(f"the host streamed other tokens than answer {number} has")
        self._take(number, question, stream.reply)

    def _take(self, number: int, question: Question, reply: Reply) -> Kept:
        """Verify a reply, count it, sign the receipt that pays it, and write both down."""
        self._check(number, question, reply)
        self._book.append(reply.entry)
        kept = Kept(question, reply.answer, reply.entry, reply.statement, self._book.sign())
        self.journal.put_answer(kept)
        self._receipt = kept.receipt
        return kept

    def _check(self, number: int, question: Question, reply: Reply) -> None:
        fee_ugrad = self.compute_fee(question)
        wanted = Entry(number=number, question_hash=question_hash(question), answer_hash=answer_hash(reply.answer),
                       fee_ugrad=fee_ugrad, total_ugrad=self.total_ugrad + fee_ugrad)
        if reply.entry != wanted:
            raise self._blame(f"the entry of answer {number} is not right: it says {reply.entry.fee_ugrad} ugrad for "
                              f"number {reply.entry.number}, {reply.entry.total_ugrad} in all, or hashes of something "
                              f"else; the fee is {fee_ugrad}, {wanted.total_ugrad} in all")
        if not is_answer_sized(self.spec, question, reply.answer):
            raise self._blame(f"answer {number} has {len(reply.answer)} bytes, which no answer to the question has")
        digest = statement_digest(self.chain_id, self._book.preview(wanted))
        if not is_valid_signature(self.record.statement_key, digest, reply.statement):
            raise self._blame(f"the host's signature of the state after answer {number} is not valid")

    def _blame(self, text: str) -> HostFaulty:
        self._fault = HostFaulty(f"{self.host.url}: {text}", "nothing was signed for it: close the session")
        return self._fault


def is_answer_sized(spec: ModelSpec, question: Question, answer: bytes) -> bool:
    """Whether an answer has a length that an answer to a valid question can have."""
    most = compute_answer_bytes_max(spec, question)
    if not spec.HasField("decoder"):
        return len(answer) == most
    return ROOT_BYTES + TOKEN_BYTES <= len(answer) <= most and (len(answer) - ROOT_BYTES) % TOKEN_BYTES == 0


def _list_tokens(answer: bytes) -> list[int]:
    tokens = answer[:-ROOT_BYTES]
    return [int.from_bytes(tokens[at:at + TOKEN_BYTES], "little") for at in range(0, len(tokens), TOKEN_BYTES)]
