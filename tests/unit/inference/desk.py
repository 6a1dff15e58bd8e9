"""A chain with one small model and a few hosts, and short words for asking it."""

import hashlib
from pathlib import Path
from typing import Any

from google.protobuf.message import Message

from abci_app.answers.network import Network, load_network
from abci_app.genesis import new_genesis
from abci_app.runtime.deliver import TxResult
from abci_app.runtime.events import Event
from abci_app.runtime.records import export_record
from abci_app.wire.audit import ANSWER, decode_subject
from abci_app.wire.coin import base_coin, coin_pb
from abci_app.wire.pb.gradus.audits.v1.audits_pb2 import Audit
from abci_app.wire.pb.gradus.inference.v1.inference_pb2 import Host, Params, Question, Request, Seat, SeatStatus
from abci_app.wire.pb.gradus.inference.v1.tx_pb2 import (
    MsgCommitAnswer, MsgDrainHost, MsgLeaveHost, MsgRegisterHost, MsgRequestInference, MsgRevealAnswer, MsgUpdateHost,
)
from abci_app.wire.pb.gradus.models.v1.models_pb2 import InferencePolicy, ModelSpec
from abci_app.wire.pb.gradus.models.v1.tx_pb2 import MsgCreateModel
from abci_app.wire.question import ANSWER_INLINE_BYTES_MAX, answer_commitment, answer_hash
from tests.auditors import Auditors, Choice, all_right
from tests.chain import CHAIN_ID, SIGNERS, Chain, address_of, new_test_key
from tests.unit.work.market import ESCROW_UGRAD, FUNDS_UGRAD, new_table, small_spec

HOSTS = ("hal", "hex", "hob")
USERS = ("una", "uwe")
HOST_BOND_UGRAD = 10**9
PRICE = 10**9  # ugrad for 10^9 multiply-adds: one for each
MAX_FEE_UGRAD = 1_000_000
KEY = bytes([2]) + bytes(31) + bytes([1])
FEATURES = 4


def new_policy(**changes: Any) -> InferencePolicy:
    """An inference policy by which answers on which all agree are hardly ever audited; `changes` replace fields."""
    terms: dict[str, Any] = dict(
        hosts_ppm=700_000, trainers_ppm=150_000, creator_ppm=50_000, auditors_ppm=50_000, burn_ppm=50_000,
        audit_ppm=1_000, host_bond_ugrad=HOST_BOND_UGRAD, wrong_slash_ppm=100_000, withhold_slash_ppm=500_000,
        burn_slash_ppm=500_000, replicas_max=5, audit_blocks=20)
    return InferencePolicy(**(terms | changes))


def new_question(rows: int = 1, first: int = 1) -> Question:
    """So many rows for the model of every desk."""
    return Question(rows=rows, features=bytes([first]) + bytes(rows * FEATURES - 1))


class Desk:
    """Blocks, hosts, requests and their audits on a whole chain; the invariants hold after every block."""

    def __init__(self, folder: Path, hosts: tuple[str, ...] = HOSTS, params: Params | None = None,
                 names: tuple[str, ...] = (), choose: Choice = all_right, checks: bool = True, validators: int = 4,
                 capacity: int = 4, **changes: Any) -> None:
        """Makes the model and registers the hosts at PRICE. names: of more accounts. changes: of the policy."""
        every = ("boss", "eve", *HOSTS, *USERS, *names)
        self.names = {address_of(name): name for name in every}
        self.chain = Chain(folder, app_state=self._new_app_state(params), checks=checks,
                           signers=SIGNERS[:validators])
        self.auditors = Auditors(self.chain, self.find_verdict, choose)
        self.results: list[TxResult] = []
        self._networks: dict[tuple[int, int], Network] = {}
        spec = small_spec(new_table())
        spec.inference.CopyFrom(new_policy(**changes))
        self.create(spec)
        if hosts:
            self.block(*(self.register_msg(name, capacity=capacity) for name in hosts))
            assert [result.code for result in self.results] == [0] * len(hosts), self.results[0].log
            self.block()

    def _new_app_state(self, params: Params | None) -> dict[str, Any]:
        operators = [{"consensus_address_hex": signer.address.hex(), "operator": address_of(f"operator{index}")}
                     for index, signer in enumerate(SIGNERS)]
        state = new_genesis(CHAIN_ID, operators, dict.fromkeys(sorted(self.names), FUNDS_UGRAD))
        if params is not None:
            state["inference"] = {"params": export_record(params)}
        return state

    def create(self, spec: ModelSpec) -> None:
        """Another model by boss."""
        self.block(MsgCreateModel(creator=address_of("boss"), spec=spec, escrow=coin_pb(base_coin(ESCROW_UGRAD))))
        assert self.results[0].code == 0, self.results[0].log

    def block(self, *messages: Message, votes: bool = False) -> list[Event]:
        """One block with a transaction for each message, by its own signer; returns all events of the block.

        votes: the validators have voted on open audits, and the proposer brings that.
        """
        head, sent, txs = self.auditors.propose() if votes else [], dict[str, int](), []
        for message in messages:
            name = self.names[self._signer(message)]
            txs.append(self.chain.sign(name, message, ahead=sent.get(name, 0)))
            sent[name] = sent.get(name, 0) + 1
        results = self.chain.block(head + txs)
        self.results = results[len(head):]
        return [event for result in results for event in result.events] + list(self.chain.events)

    def _signer(self, message: Message) -> str:
        route = next(route for route in self.chain.app.router.msgs.values() if isinstance(message, route.request))
        return str(getattr(message, route.signer))

    def refusal(self, *messages: Message) -> tuple[str, int]:
        """(codespace, code) of the last transaction of a block."""
        self.block(*messages)
        return self.results[-1].codespace, self.results[-1].code

    def wait_for(self, height: int) -> list[Event]:
        """Empty blocks up to `height`; their events."""
        events = []
        while self.chain.height < height:
            events += self.block()
        return events

    @staticmethod
    def register_msg(name: str, price: int = PRICE, bond_ugrad: int = HOST_BOND_UGRAD, capacity: int = 4,
                     endpoint: str = "", model_id: int = 1) -> MsgRegisterHost:
        """A registration by name."""
        return MsgRegisterHost(host=address_of(name), model_id=model_id, price_ugrad_per_gma=price, capacity=capacity,
                               bond=coin_pb(base_coin(bond_ugrad)), endpoint=endpoint,
                               statement_key=KEY if endpoint else b"")

    @staticmethod
    def update_msg(name: str, price: int = PRICE, added_ugrad: int = 0, capacity: int = 4,
                   endpoint: str = "") -> MsgUpdateHost:
        """New terms by name."""
        return MsgUpdateHost(host=address_of(name), model_id=1, price_ugrad_per_gma=price, capacity=capacity,
                             bond=coin_pb(base_coin(added_ugrad)), endpoint=endpoint,
                             statement_key=KEY if endpoint else b"")

    @staticmethod
    def drain_msg(name: str) -> MsgDrainHost:
        """Nothing new, by name."""
        return MsgDrainHost(host=address_of(name), model_id=1)

    @staticmethod
    def leave_msg(name: str) -> MsgLeaveHost:
        """A departure by name."""
        return MsgLeaveHost(host=address_of(name), model_id=1)

    @staticmethod
    def request_msg(user: str = "una", replicas: int = 3, max_fee_ugrad: int = MAX_FEE_UGRAD, rows: int = 1,
                    deadline_blocks: int = 10, **fields: Any) -> MsgRequestInference:
        """A question by name."""
        return MsgRequestInference(user=address_of(user), model_id=fields.pop("model_id", 1), replicas=replicas,
                                   question=fields.pop("question", None) or new_question(rows),
                                   max_fee=coin_pb(base_coin(max_fee_ugrad)), deadline_blocks=deadline_blocks, **fields)

    def ask(self, *messages: MsgRequestInference) -> list[int]:
        """A block with these requests (one by una if none), and the one that deals them; their ids."""
        first, asked = self.chain.app.inference.next_id(self.chain.ctx()), messages or (self.request_msg(),)
        self.block(*asked)
        assert [result.code for result in self.results] == [0] * len(asked), self.results[0].log
        self.block()
        return list(range(first, first + len(asked)))

    def host(self, name: str, model_id: int = 1) -> Host:
        """The record of a host."""
        return self.chain.app.inference.get_host(self.chain.ctx(), model_id, new_test_key(name).address)

    def request(self, request_id: int = 1) -> Request:
        """The record of a request, without its question."""
        return self.chain.app.inference.get_request(self.chain.ctx(), request_id)

    def seats(self, request_id: int = 1) -> dict[str, Seat]:
        """The seats of a request by the host's name."""
        return {self.names[seat.host]: seat for seat in self.request(request_id).seats}

    def statuses(self, request_id: int = 1) -> dict[str, str]:
        """What has become of each seat, in lower case, by the host's name."""
        seats = self.seats(request_id)
        return {name: SeatStatus.Name(seats[name].status).removeprefix("SEAT_STATUS_").lower()
                for name in sorted(seats)}

    def answer(self, request_id: int = 1, lie: str = "") -> bytes:
        """The right answer to a dealt request, or a wrong one of the same size: the same for the same `lie`."""
        request, question = self.request(request_id), self.question(request_id)
        right = self._network_of(request).answer(question, request.seed)
        return hashlib.shake_256(right + lie.encode()).digest(len(right)) if lie else right

    def question(self, request_id: int = 1) -> Question:
        """What a request asks."""
        return self.chain.app.inference.get_question(self.chain.ctx(), self.request(request_id))

    def _network_of(self, request: Request) -> Network:
        place = request.model_id, request.round
        if place not in self._networks:
            ctx = self.chain.ctx()
            self._networks[place] = load_network(self.chain.app.inference.spec_of(ctx, request),
                                                 self.chain.app.models.load_weights(ctx, *place))
        return self._networks[place]

    def commit_msg(self, name: str, request_id: int = 1, lie: str = "") -> MsgCommitAnswer:
        """What a host commits to."""
        commitment = answer_commitment(new_test_key(name).address, request_id,
                                       answer_hash(self.answer(request_id, lie)), salt_of(name))
        return MsgCommitAnswer(host=address_of(name), request_id=request_id, commitment=commitment)

    def reveal_msg(self, name: str, request_id: int = 1, lie: str = "", is_shown: bool = True) -> MsgRevealAnswer:
        """What a host reveals; with the answer, if it is short and to be shown."""
        answer = self.answer(request_id, lie)
        shown = answer if is_shown and len(answer) <= ANSWER_INLINE_BYTES_MAX else b""
        return MsgRevealAnswer(host=address_of(name), request_id=request_id, answer_hash=answer_hash(answer),
                               salt=salt_of(name), answer=shown)

    def answer_all(self, request_id: int = 1, lies: dict[str, str] | None = None, absent: tuple[str, ...] = (),
                   withheld: tuple[str, ...] = ()) -> list[Event]:
        """All hosts of a request commit and reveal; for the absent and those who withhold phases run to their ends."""
        lies, names = lies or {}, [name for name in self.seats(request_id) if name not in absent]
        self.block(*(self.commit_msg(name, request_id, lies.get(name, "")) for name in names))
        events = self.wait_for(self.request(request_id).due_height) if absent else []
        events += self.block(*(self.reveal_msg(name, request_id, lies.get(name, "")) for name in names
                               if name not in withheld))
        return events + (self.wait_for(self.request(request_id).due_height) if withheld else [])

    def find_verdict(self, audit: Audit) -> bytes | None:
        """What auditors who are right answer."""
        subject = decode_subject(audit.subject)
        if subject.kind != ANSWER:
            return None
        request = self.request(subject.number)
        return self._network_of(request).audit(self.question(request.id), request.seed, audit.seed)

    def balance(self, name: str) -> int:
        """ugrad of a name."""
        return self.chain.balance(name)


def salt_of(name: str) -> bytes:
    """The salt of a host."""
    return hashlib.sha256(b"salt " + name.encode()).digest()


def kinds(events: list[Event]) -> list[str]:
    """Types of the events of this room, in order."""
    return [event.type.removeprefix("inference.") for event in events if event.type.startswith("inference.")]


def attribute(event: Event, name: str) -> str:
    """One attribute of an event."""
    return dict(event.attributes)[name]


def find_event(events: list[Event], kind: str) -> Event:
    """The only event of a kind of this room."""
    found = [event for event in events if event.type == f"inference.{kind}"]
    assert len(found) == 1, (kind, kinds(events))
    return found[0]
