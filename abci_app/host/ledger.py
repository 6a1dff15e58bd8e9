"""A session as its host keeps it: what was answered, what was paid, and which question is in turn.

Post-paid: question k is answered when the user's receipt for the k - 1 answers before it is here. So what is not paid
is one answer at most. Numbers are answered once: the same question again gets the same answer, another one is refused.
"""

import asyncio
from dataclasses import dataclass

from coincurve import PrivateKey

from abci_app.client.host_api import CLOSED, CONFLICT, INVALID, QUESTION, SPENT, UNPAID, asking_digest
from abci_app.host.errors import Refusal
from abci_app.host.journal import Given, Journal
from abci_app.runtime.fee import compute_fee
from abci_app.runtime.question import QuestionInvalid, check_question, compute_ask, compute_work
from abci_app.wire.merkle import MerkleAppender
from abci_app.wire.pb.gradus.inference.v1.inference_pb2 import Question
from abci_app.wire.pb.gradus.models.v1.models_pb2 import ModelSpec
from abci_app.wire.pb.gradus.sessions.v1.sessions_pb2 import SESSION_STATUS_OPEN, Entry, Receipt, Session
from abci_app.wire.question import (
    answer_hash, entry_leaf, entry_seed, question_hash, receipt_digest, statement_digest,
)
from abci_app.wire.signature import is_valid_signature


@dataclass(frozen=True, slots=True)
class Asked:
    """A question as it came. receipt: for the answers before it; signature: by the receipt key."""

    number: int
    question: Question
    receipt: Receipt | None
    signature: bytes


@dataclass(frozen=True, slots=True)
class Due:
    """A question that may be answered now. work: in multiply-adds; seed: by which a decoder samples."""

    number: int
    question: Question
    question_hash: bytes
    work: int
    fee_ugrad: int
    seed: bytes


class Ledger:
    """One session. For the server's thread; `lock` is held over a question from check to answer."""

    def __init__(self, chain_id: str, record: Session, spec: ModelSpec, statement_key: PrivateKey,
                 journal: Journal) -> None:
        """record: as the chain has it. spec: the contract's terms of its version."""
        self.chain_id, self.record, self.spec, self.journal = chain_id, record, spec, journal
        self.lock = asyncio.Lock()
        self.total_ugrad = 0
        self._statement_key = statement_key
        self._tree = MerkleAppender()
        self._paid = journal.find_receipt(record.id)
        for entry in journal.list_entries(record.id):
            self._tree.append(entry_leaf(entry))
            self.total_ugrad += entry.fee_ugrad

    @property
    def count(self) -> int:
        """Answers so far."""
        return self._tree.count

    @property
    def is_paid(self) -> bool:
        """Whether the receipt for all answers so far is here."""
        return self.count == (0 if self._paid is None else self._paid.count)

    def check(self, asked: Asked) -> Given | Due:
        """The answer that was given before, or what is to be computed. Raises Refusal."""
        hash_of_question = question_hash(asked.question)
        digest = asking_digest(self.chain_id, self.record.id, asked.number, hash_of_question)
        if not is_valid_signature(self.record.receipt_key, digest, asked.signature):
            raise Refusal(403, INVALID, "the question is not signed by the session's receipt key",
                          "sign client/host_api.asking_digest with the key that the session was opened with")
        if asked.number != self.count + 1:
            return self._find_given(asked.number, hash_of_question)
        if self.record.status != SESSION_STATUS_OPEN:
            raise Refusal(410, CLOSED, f"session {self.record.id} is not open", "open another one")
        self.take_receipt(asked.receipt, is_synced=False)
        return self._check_question(asked.number, asked.question, hash_of_question)

    def take_receipt(self, receipt: Receipt | None, is_synced: bool = True) -> None:
        """Accept the receipt for all answers so far; None only where there are none, or it is here. Raises Refusal.

        is_synced: False where an answer is written behind it before anybody hears of either.
        """
        if receipt is None:
            if not self.is_paid:
                raise Refusal(402, UNPAID, f"the receipt for {self.count} answers is missing",
                              "send it with the question")
            return
        if self.is_paid and receipt == self._paid:
            return
        root = self._tree.root if self.count else b""
        if (receipt.session_id, receipt.count, receipt.total_ugrad, receipt.root) != (
                self.record.id, self.count, self.total_ugrad, root):
            raise Refusal(402, UNPAID, f"the receipt says {receipt.total_ugrad} ugrad for {receipt.count} answers; "
                          f"{self.total_ugrad} ugrad are owed for {self.count}, under a root of their entries",
                          "sign the state that the last answer's statement is of")
        if not is_valid_signature(self.record.receipt_key, receipt_digest(self.chain_id, receipt), receipt.signature):
            raise Refusal(402, UNPAID, "the receipt is not signed by the session's receipt key")
        self.journal.put_receipt(receipt, is_synced)
        self._paid = receipt

    def give(self, due: Due, answer: bytes) -> Given:
        """Count an answer, state it, and write both down before anybody hears of it."""
        total_ugrad = self.total_ugrad + due.fee_ugrad
        entry = Entry(number=due.number, question_hash=due.question_hash, answer_hash=answer_hash(answer),
                      fee_ugrad=due.fee_ugrad, total_ugrad=total_ugrad)
        leaf = entry_leaf(entry)
        state = Receipt(session_id=self.record.id, count=due.number, total_ugrad=total_ugrad,
                        root=self._tree.root_with(leaf))
        statement = self._statement_key.sign_recoverable(statement_digest(self.chain_id, state))[:64]
        given = Given(due.question, answer, entry, statement)
        self.journal.put_given(self.record.id, given)
        self._tree.append(leaf)
        self.total_ugrad = total_ugrad
        return given

    def _find_given(self, number: int, hash_of_question: bytes) -> Given:
        given = self.journal.find_given(self.record.id, number)
        if given is None or given.entry.question_hash != hash_of_question:
            what = "has been answered for another question" if given is not None else "is not in turn"
            raise Refusal(409, CONFLICT, f"number {number} of session {self.record.id} {what}",
                          f"the next question has the number {self.count + 1}")
        return given

    def _check_question(self, number: int, question: Question, hash_of_question: bytes) -> Due:
        try:
            check_question(self.spec, question)
        except QuestionInvalid as error:
            raise Refusal(422, QUESTION, str(error)) from None
        work = compute_work(self.spec, question)
        fee_ugrad = compute_fee(self.spec.inference, compute_ask(work, self.record.price_ugrad_per_gma))
        left_ugrad = self.record.deposit_ugrad - self.total_ugrad
        if fee_ugrad > left_ugrad:
            raise Refusal(402, SPENT, f"the question costs {fee_ugrad} ugrad, {left_ugrad} are left of the deposit",
                          "top the session up, or close it")
        return Due(number, question, hash_of_question, work, fee_ugrad, entry_seed(self.record.seed, number))
