"""One session of the simulation: what user and host know of it, each of whom may lie, or vanish at any moment."""

import hashlib
from dataclasses import dataclass, field

from abci_app.client.keys import Key
from abci_app.wire.merkle import MerkleAppender, MerkleTree
from abci_app.wire.pb.gradus.inference.v1.inference_pb2 import Question
from abci_app.wire.pb.gradus.sessions.v1.sessions_pb2 import Entry, Receipt
from abci_app.wire.question import answer_hash, entry_leaf, has_coin, question_hash, receipt_digest, statement_digest
from tests.chain import new_test_key


@dataclass
class Talk:
    """Books of both sides. wanted: answers that the user wants. states, statements: after each answer that was given.

    is_right: of each answer. paid_count: answers for which the host has a receipt. is_over: of an answer that the user
    has found wrong, or of a side that went away, nothing more is asked.
    """

    user: str
    user_kind: str
    host: str
    host_kind: str
    key: Key
    wanted: int
    chain_id: str
    session_id: int = 0
    entries: list[Entry] = field(default_factory=list)
    questions: list[Question] = field(default_factory=list)
    is_right: list[bool] = field(default_factory=list)
    states: list[Receipt] = field(default_factory=list)
    statements: list[bytes] = field(default_factory=list)
    paid_count: int = 0
    user_left: bool = False
    host_left: bool = False
    wrong_number: int = 0
    idle_blocks: int = 0
    tries: int = 0
    appender: MerkleAppender = field(default_factory=MerkleAppender)

    @property
    def given(self) -> int:
        """Answers that the user has, with a statement of each."""
        return len(self.entries)

    @property
    def is_over(self) -> bool:
        """Whether nothing more will be asked."""
        return self.user_left or self.host_left or self.wrong_number > 0 or self.given >= self.wanted

    def owed(self, count: int) -> int:
        """Fees of the first answers."""
        return sum(entry.fee_ugrad for entry in self.entries[:count])

    def give(self, question: Question, answer: bytes, is_right: bool, fee_ugrad: int) -> None:
        """The host answers, and states the state after it."""
        entry = Entry(number=self.given + 1, question_hash=question_hash(question), answer_hash=answer_hash(answer),
                      fee_ugrad=fee_ugrad, total_ugrad=self.owed(self.given) + fee_ugrad)
        self.appender.append(entry_leaf(entry))
        self.entries.append(entry)
        self.questions.append(question)
        self.is_right.append(is_right)
        state = Receipt(session_id=self.session_id, count=self.given, total_ugrad=self.owed(self.given),
                        root=self.appender.root)
        self.states.append(state)
        statements = new_test_key(f"{self.host}/statements")
        self.statements.append(statements.sign(statement_digest(self.chain_id, state)))

    def find_number(self, coin_ugrad: int) -> int:
        """Of the entry that a coin is of."""
        return next(entry.number for entry in self.entries if has_coin(entry, coin_ugrad))

    def sign(self, count: int) -> Receipt:
        """The user's receipt for the first answers."""
        return self.forge(self.states[count - 1], self.key)

    def forge(self, state: Receipt, key: Key) -> Receipt:
        """A state with a signature of some key."""
        receipt = Receipt()
        receipt.CopyFrom(state)
        receipt.signature = key.sign(receipt_digest(self.chain_id, state))
        return receipt

    def invent(self) -> Receipt:
        """A state that nobody has stated, signed by the user: a million answers, for all of the deposit."""
        return self.forge(Receipt(session_id=self.session_id, count=10**6, total_ugrad=1 + self.owed(self.given),
                                  root=hashlib.sha256(self.user.encode()).digest()), self.key)

    def prove(self, number: int, count: int) -> list[bytes]:
        """Of an entry under the root over the first `count`."""
        return MerkleTree([entry_leaf(entry) for entry in self.entries[:count]]).prove([number - 1])
