"""Sessions on a whole chain: users and hosts with their books, each of which may lie or vanish, and real answers.

    desk = Desk(folder)
    deal = desk.open()                 # una's session with hal
    deal.answer()                      # hal answers, una checks and signs
    desk.send(deal.close_msg("una"))   # in a block of its own, and taken
"""

import random
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from google.protobuf.message import Message

from abci_app.answers.network import compute_answer, compute_audit_answer
from abci_app.runtime.deliver import TxResult
from abci_app.runtime.events import Event
from abci_app.runtime.fee import compute_fee
from abci_app.runtime.question import compute_ask, compute_work
from abci_app.wire.audit import STATEMENT, decode_subject
from abci_app.wire.coin import base_coin, coin_pb
from abci_app.wire.merkle import MerkleTree
from abci_app.wire.pb.gradus.audits.v1.audits_pb2 import Audit
from abci_app.wire.pb.gradus.inference.v1.inference_pb2 import Host, Question
from abci_app.wire.pb.gradus.inference.v1.tx_pb2 import MsgRegisterHost
from abci_app.wire.pb.gradus.models.v1.models_pb2 import InferencePolicy
from abci_app.wire.pb.gradus.models.v1.tx_pb2 import MsgCreateModel
from abci_app.wire.pb.gradus.sessions.v1.sessions_pb2 import SESSION_STATUS_SHOWING, Entry, Receipt, Session
from abci_app.wire.pb.gradus.sessions.v1.tx_pb2 import (
    MsgChallengeAnswer, MsgCloseSession, MsgOpenSession, MsgShowEntry, MsgTopUpSession,
)
from abci_app.wire.question import (
    answer_hash, entry_leaf, entry_seed, has_coin, question_hash, receipt_digest, statement_digest,
)
from tests.auditors import Auditors
from tests.chain import Chain, address_of, new_test_key
from tests.unit.work.market import new_table, small_spec

USER, HOST, OTHER = "una", "hal", "eve"
FUNDS_UGRAD = 10**12
FEATURES = 4
BOND_UGRAD = 10**9
DEPOSIT_UGRAD = 10_000
PRICE_UGRAD = 2_345_678  # for 10^9 multiply-adds: some 100 for an answer
CHALLENGE_BOND_UGRAD = 1_003
CLOSE_BLOCKS, SHOW_BLOCKS, KEPT_BLOCKS, SESSION_BLOCKS_MAX = 6, 5, 4, 200
RECEIPT_KEY, STATEMENT_KEY = new_test_key("una's receipts"), new_test_key("hal's statements")
POLICY = InferencePolicy(
    hosts_ppm=700_000, trainers_ppm=150_000, creator_ppm=50_000, auditors_ppm=70_000, burn_ppm=30_000,
    audit_ppm=500_000, host_bond_ugrad=1_000, wrong_slash_ppm=100_000, withhold_slash_ppm=500_000,
    burn_slash_ppm=500_000, replicas_max=4, audit_blocks=10)


class Desk:
    """Blocks, a model with a host that takes sessions, and auditors who compute; invariants hold after every block."""

    def __init__(self, folder: Path, users: tuple[str, ...] = (USER, OTHER), hosts: tuple[str, ...] = (HOST,),
                 params: dict[str, int] | None = None, price_ugrad: int = PRICE_UGRAD, checks: bool = True,
                 app_state: dict[str, Any] | None = None, **policy: Any) -> None:
        """params: of the room. policy: other values than POLICY's. app_state: goes on with an exported chain."""
        self.names = {address_of(name): name for name in ("boss", *users, *hosts)}
        self.table, self.results = new_table(), list[TxResult]()
        if app_state is None:
            app_state = self._new_state(folder, params or {})
            self.chain = Chain(folder / "chain", app_state=app_state, checks=checks)
            self.auditors = Auditors(self.chain, self.find_answer)
            self._create(policy)
            self.send(*(self.register_msg(name, price_ugrad) for name in hosts))
        else:
            self.chain = Chain(folder / "chain", app_state=app_state, checks=checks)
            self.auditors = Auditors(self.chain, self.find_answer)

    def _new_state(self, folder: Path, params: dict[str, int]) -> dict[str, Any]:
        with Chain(folder / "first") as first:
            state = first.new_app_state({name: FUNDS_UGRAD for name in self.names.values()})
        chosen = {"close_blocks": CLOSE_BLOCKS, "show_blocks": SHOW_BLOCKS, "kept_blocks": KEPT_BLOCKS,
                  "session_blocks_max": SESSION_BLOCKS_MAX} | params
        return state | {"sessions": {"params": {name: str(blocks) for name, blocks in chosen.items()}}}

    def _create(self, policy: dict[str, Any]) -> None:
        spec = small_spec(self.table, challenge_bond_ugrad=CHALLENGE_BOND_UGRAD)
        spec.inference.CopyFrom(POLICY)
        for name, value in policy.items():
            setattr(spec.inference, name, value)
        self.spec = spec
        self.send(MsgCreateModel(creator=address_of("boss"), spec=spec, escrow=coin_pb(base_coin(10**8))))

    def block(self, *messages: Message, votes: bool = True) -> list[Event]:
        """One block with a transaction for each message; returns all its events. votes: auditors have voted."""
        txs, sent = self.auditors.propose() if votes else [], dict[str, int]()
        head = len(txs)
        for message in messages:
            name = self.names[self._signer(message)]
            txs.append(self.chain.sign(name, message, ahead=sent.get(name, 0)))
            sent[name] = sent.get(name, 0) + 1
        self.results = self.chain.block(txs)
        events = [event for result in self.results for event in result.events] + list(self.chain.events)
        self.results = self.results[head:]
        return events

    def send(self, *messages: Message, votes: bool = True) -> list[Event]:
        """A block with these messages, all of which must be taken."""
        events = self.block(*messages, votes=votes)
        assert all(result.code == 0 for result in self.results), [result.log for result in self.results]
        return events

    def refusal(self, message: Message) -> tuple[str, int]:
        """(codespace, code) of a message in a block of its own."""
        self.block(message)
        return self.results[-1].codespace, self.results[-1].code

    def wait_for(self, height: int, votes: bool = True) -> list[Event]:
        """Empty blocks up to a height; all their events."""
        events = []
        while self.chain.height < height:
            events += self.block(votes=votes)
        return events

    def _signer(self, message: Message) -> str:
        route = next(route for route in self.chain.app.router.msgs.values() if isinstance(message, route.request))
        return str(getattr(message, route.signer))

    def register_msg(self, name: str, price_ugrad: int = PRICE_UGRAD, capacity: int = 8,
                     endpoint: str = "http://127.0.0.1:9") -> MsgRegisterHost:
        """A host by name."""
        return MsgRegisterHost(host=address_of(name), model_id=1, price_ugrad_per_gma=price_ugrad, capacity=capacity,
                               bond=coin_pb(base_coin(BOND_UGRAD)), endpoint=endpoint,
                               statement_key=STATEMENT_KEY.public if endpoint else b"")

    def open_msg(self, **changes: Any) -> MsgOpenSession:
        """una's session with hal; changes: of the message."""
        terms = {"user": address_of(USER), "model_id": 1, "host": address_of(HOST), "blocks": 50,
                 "price_max_ugrad_per_gma": PRICE_UGRAD, "deposit": coin_pb(base_coin(DEPOSIT_UGRAD)),
                 "receipt_key": RECEIPT_KEY.public} | changes
        return MsgOpenSession(**terms)

    def open(self, deposit_ugrad: int = DEPOSIT_UGRAD, **changes: Any) -> "Deal":
        """Open a session, and both sides' books of it."""
        session_id = self.chain.app.sessions.next_id(self.chain.ctx())
        self.send(self.open_msg(deposit=coin_pb(base_coin(deposit_ugrad)), **changes))
        return Deal(self, session_id)

    def session(self, session_id: int) -> Session:
        """The record."""
        return self.chain.app.sessions.get_session(self.chain.ctx(), session_id)

    def host(self, name: str = HOST) -> Host:
        """The record of a host."""
        return self.chain.app.inference.get_host(self.chain.ctx(), 1, new_test_key(name).address)

    def weights(self, number: int = 0) -> bytes:
        """The model's after so many rounds."""
        return self.chain.app.models.load_weights(self.chain.ctx(), 1, number)

    def find_answer(self, audit: Audit) -> bytes | None:
        """What an honest auditor says."""
        subject = decode_subject(audit.subject)
        if subject.kind != STATEMENT:
            return None
        session = self.session(subject.number)
        seed = entry_seed(session.seed, subject.entry_number)
        return compute_audit_answer(self.spec, self.weights(session.round), session.question, seed, audit.seed)

    def supply(self) -> int:
        """All ugrad that there are."""
        return self.chain.app.bank.supply(self.chain.ctx())


class Deal:
    """One session with the books of both sides: what was asked and answered, and what each has signed."""

    def __init__(self, desk: Desk, session_id: int) -> None:
        self.desk, self.id = desk, session_id
        self.questions, self.entries = list[Question](), list[Entry]()

    @property
    def record(self) -> Session:
        """What the chain says."""
        return self.desk.session(self.id)

    @property
    def status(self) -> int:
        """What the chain says."""
        return self.record.status

    def new_question(self) -> Question:
        """The next question: another row than the last."""
        draw = random.Random(len(self.questions))
        return Question(rows=1, features=bytes(draw.randrange(0, 100) for _ in range(FEATURES)))

    def compute_fee(self, question: Question) -> int:
        """What the question costs."""
        work = compute_work(self.desk.spec, question)
        return compute_fee(self.desk.spec.inference, compute_ask(work, self.record.price_ugrad_per_gma))

    def answer(self, count: int = 1, lie: bool = False, question: Question | None = None, **wrong: Any) -> None:
        """The host answers `count` questions more. lie: wrongly. wrong: fields of the entries that it spoils.

        question: one that has no answer, of which the host makes one up.
        """
        if question is not None:
            self._add(question, bytes(12), {"fee_ugrad": 1})
            return
        session = self.record
        for _ in range(count):
            asked, number = self.new_question(), len(self.entries) + 1
            answer = compute_answer(self.desk.spec, self.desk.weights(session.round), asked,
                                    entry_seed(session.seed, number))
            if lie:
                answer = bytes([answer[0] ^ 1]) + answer[1:]
            self._add(asked, answer, {"fee_ugrad": self.compute_fee(asked)} | wrong)

    def _add(self, question: Question, answer: bytes, fields: dict[str, Any]) -> None:
        before_ugrad = sum(entry.fee_ugrad for entry in self.entries)
        self.questions.append(question)
        self.entries.append(Entry(**{"number": len(self.entries) + 1, "question_hash": question_hash(question),
                                     "answer_hash": answer_hash(answer),
                                     "total_ugrad": before_ugrad + fields["fee_ugrad"]} | fields))

    @property
    def drawn(self) -> int:
        """The number of the entry that the drawn coin is of."""
        return next(entry.number for entry in self.entries if has_coin(entry, self.record.drawn_ugrad))

    def tree(self, count: int) -> MerkleTree:
        """Over the first `count` entries."""
        return MerkleTree(entry_leaf(entry) for entry in self.entries[:count])

    def state(self, count: int | None = None, **changes: Any) -> Receipt:
        """The state after so many answers, all when left out; nobody has signed it."""
        count = len(self.entries) if count is None else count
        fields = {"session_id": self.id, "count": count, "root": self.tree(count).root,
                  "total_ugrad": sum(entry.fee_ugrad for entry in self.entries[:count])} | changes
        return Receipt(**fields)

    def receipt(self, count: int | None = None, **changes: Any) -> Receipt:
        """The state, signed by the user's receipt key."""
        state = self.state(count, **changes)
        state.signature = RECEIPT_KEY.sign(receipt_digest(self.desk.chain.chain_id, state))
        return state

    def statement(self, state: Receipt) -> bytes:
        """The host's signature of a state."""
        return STATEMENT_KEY.sign(statement_digest(self.desk.chain.chain_id, state))

    def close_msg(self, name: str, count: int | None = None, signed: bool = True, **changes: Any) -> MsgCloseSession:
        """A close by a party; count: of its receipt, 0 for none, all answers when left out.

        changes: of the receipt. signed: by the host too, where the user shows it.
        """
        message = MsgCloseSession(sender=address_of(name), session_id=self.id)
        if count != 0 and self.entries:
            message.receipt.CopyFrom(self.receipt(count, **changes))
            if name != HOST:
                message.statement = self.statement(message.receipt if signed else self.state(count))
        return message

    def top_up_msg(self, amount_ugrad: int, name: str = USER) -> MsgTopUpSession:
        """More deposit."""
        return MsgTopUpSession(user=address_of(name), session_id=self.id, amount=coin_pb(base_coin(amount_ugrad)))

    def show_msg(self, name: str = HOST, number: int | None = None, **changes: Any) -> MsgShowEntry:
        """The entry that was drawn, or another."""
        number, record = self.drawn if number is None else number, self.record
        fields = {"sender": address_of(name), "session_id": self.id, "entry": self.entries[number - 1],
                  "proof": self.tree(max(record.receipt.count, number)).prove([number - 1]),
                  "question": self.questions[number - 1]} | changes
        return MsgShowEntry(**fields)

    def challenge_msg(self, number: int, count: int | None = None, name: str = USER,
                      **changes: Any) -> MsgChallengeAnswer:
        """A challenge of an entry by the host's statement after `count` answers."""
        state = self.state(count)
        fields = {"user": address_of(name), "session_id": self.id, "entry": self.entries[number - 1],
                  "receipt": state, "proof": self.tree(state.count).prove([number - 1]),
                  "statement": self.statement(state), "question": self.questions[number - 1]} | changes
        return MsgChallengeAnswer(**fields)

    def settle(self, shows: bool = True) -> Session:
        """Blocks until the session is settled; shows: what is drawn is shown by the host. The record then."""
        while self.record.closed_height == 0:
            is_due = self.status == SESSION_STATUS_SHOWING
            self.desk.block(*((self.show_msg(),) if shows and is_due else ()))
        return self.record


def find(events: Iterable[Event], type: str) -> dict[str, str]:
    """The attributes of the one event of a type."""
    (event,) = [event for event in events if event.type == f"sessions.{type}"]
    return dict(event.attributes)
