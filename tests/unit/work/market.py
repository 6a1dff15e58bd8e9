"""A chain with one small model and a few trainers, and short words for driving its rounds."""

from pathlib import Path
from typing import Any

from google.protobuf.message import Message

from abci_app.runtime.deliver import TxResult
from abci_app.runtime.events import Event
from abci_app.wire.audit import decode_subject
from abci_app.wire.coin import base_coin, coin_pb
from abci_app.wire.pb.gradus.audits.v1.audits_pb2 import Audit
from abci_app.wire.pb.gradus.models.v1.models_pb2 import Decoder, Model, ModelSpec
from abci_app.wire.pb.gradus.models.v1.tx_pb2 import MsgCreateModel
from abci_app.wire.pb.gradus.work.v1.tx_pb2 import MsgEnroll, MsgLeave
from abci_app.wire.pb.gradus.work.v1.work_pb2 import Round, Slash, Trainer, Unit
from abci_app.wire.tx import encode_injected
from abci_app.x.models.types import default_spec
from tests.auditors import Auditors
from tests.chain import SIGNERS, Chain, address_of, new_test_key
from tests.sim.claims import Claim, compute_answer, compute_claim, new_commit, new_reveal
from tests.sim.rows import RowsTable, new_rows
from tests.votes import Signer

TRAINERS = ("ann", "ben", "cat", "dan")
FUNDS_UGRAD = 10**12
BOND_UGRAD = 6_000_000
ESCROW_UGRAD = 100_000_000
DECODER = Decoder(width=16, heads=2, hidden=8, layers=1, positions="rotary", tied=True)


def new_table() -> RowsTable:
    """The dataset of every market: 32 rows to train on, 8 held out."""
    return new_rows("market", 32, 8, 4, 3)


def small_spec(table: RowsTable | None = None, architecture: str = "mlp_classifier", **changes: Any) -> ModelSpec:
    """A contract of one hidden layer over 40 rows; `changes` replace fields of training, audit or economy."""
    table = table or new_table()
    spec = default_spec("market", table.terms, bytes(range(32)), rounds=0, trainers_min=2, hidden=(5,),
                        architecture=architecture, decoder=DECODER)
    settings = {"local_steps": 3, "batch_rows": 4, "trace_every": 2, "commit_blocks": 4, "reveal_blocks": 4,
                "audit_blocks": 4, "kept_rounds": 3, "challenge_blocks": 3, "bond_ugrad": BOND_UGRAD} | changes
    for name in settings:
        part = next(part for part in (spec.training, spec.audit, spec.economy, spec)
                    if name in part.DESCRIPTOR.fields_by_name)
        if isinstance(settings[name], (list, tuple)):
            getattr(part, name)[:] = settings[name]
        elif isinstance(settings[name], Message):
            getattr(part, name).CopyFrom(settings[name])
        else:
            setattr(part, name, settings[name])
    return spec


class Market:
    """Blocks, claims and audits of one model on a whole chain; the invariants hold after every block."""

    def __init__(self, folder: Path, trainers: tuple[str, ...] = TRAINERS, escrow_ugrad: int = ESCROW_UGRAD,
                 block_reward_ugrad: int = 0, validators: int = len(SIGNERS), table: RowsTable | None = None,
                 **changes: Any) -> None:
        """Makes the model and enrols the trainers; the block after theirs deals the first round, if they are enough."""
        self.folder = folder
        names = ("boss", "eve", *trainers)
        self.chain = Chain(folder, accounts={name: FUNDS_UGRAD for name in names},
                           block_reward_ugrad=block_reward_ugrad,
                           signers=tuple(Signer(f"validator{index}") for index in range(validators)))
        self.names = {address_of(name): name for name in names}
        self.table = table or new_table()
        self.auditors = Auditors(self.chain, self.find_answer)
        self.results: list[TxResult] = []
        self.create(small_spec(self.table, **changes), escrow_ugrad)
        if trainers:
            self.block(*(self.enroll_msg(name) for name in trainers))
            self.block()

    def create(self, spec: ModelSpec, escrow_ugrad: int) -> None:
        """Another model by boss."""
        self.block(MsgCreateModel(creator=address_of("boss"), spec=spec, escrow=coin_pb(base_coin(escrow_ugrad))))
        assert self.results[0].code == 0, self.results[0].log

    def block(self, *messages: Message, injected: tuple[Message, ...] = (), votes: bool = False) -> list[Event]:
        """One block with a transaction for each message, by its own signer; returns all events of the block.

        injected: put at its head. votes: the validators have voted on open audits, and the proposer brings that.
        """
        head = [encode_injected(message) for message in injected]
        head += self.auditors.propose() if votes else []
        sent: dict[str, int] = {}
        txs = []
        for message in messages:
            name = self.names[self._signer(message)]
            txs.append(self.chain.sign(name, message, ahead=sent.get(name, 0)))
            sent[name] = sent.get(name, 0) + 1
        self.results = self.chain.block(head + txs)
        return [event for result in self.results for event in result.events] + list(self.chain.events)

    def _signer(self, message: Message) -> str:
        route = next(route for route in self.chain.app.router.msgs.values() if isinstance(message, route.request))
        return str(getattr(message, route.signer))

    def refusal(self, *messages: Message, **terms: Any) -> tuple[str, int]:
        """(codespace, code) of the last transaction of a block."""
        self.block(*messages, **terms)
        return self.results[-1].codespace, self.results[-1].code

    def enroll_msg(self, name: str, bond_ugrad: int = BOND_UGRAD, model_id: int = 1) -> MsgEnroll:
        """An enrolment by name."""
        return MsgEnroll(trainer=address_of(name), model_id=model_id, bond=coin_pb(base_coin(bond_ugrad)))

    def leave_msg(self, name: str, model_id: int = 1) -> MsgLeave:
        """A departure by name."""
        return MsgLeave(trainer=address_of(name), model_id=model_id)

    def model(self, model_id: int = 1) -> Model:
        """The model."""
        return self.chain.app.models.get_model(self.chain.ctx(), model_id)

    def round(self, number: int | None = None) -> Round:
        """The running round, or another."""
        return self.chain.app.work.get_round(self.chain.ctx(), 1, number or self.model().rounds_closed + 1)

    def units(self, number: int | None = None) -> list[Unit]:
        """Units of the running round, or of another."""
        return self.chain.app.work.list_units(self.chain.ctx(), 1, number or self.model().rounds_closed + 1)

    def unit_of(self, name: str) -> Unit:
        """The unit of the running round that was dealt to a name."""
        return next(unit for unit in self.units() if unit.trainer == address_of(name))

    def trainer(self, name: str) -> Trainer:
        """The record of a trainer."""
        return self.chain.app.work.get_trainer(self.chain.ctx(), 1, new_test_key(name).address)

    def slashes(self) -> list[Slash]:
        """All slashes."""
        return list(self.chain.app.work.iter_slashes(self.chain.ctx()))

    def claim(self, unit: Unit) -> Claim:
        """The right claim."""
        running = self.round(unit.round)
        weights = self.chain.app.models.load_weights(self.chain.ctx(), 1, unit.round - 1)
        return compute_claim(self.spec_of(running), running, unit.index, weights, self.table.rows)

    def find_answer(self, audit: Audit) -> bytes:
        """The right answer to an audit of a unit."""
        subject, ctx = decode_subject(audit.subject), self.chain.ctx()
        audited = self.chain.app.work.get_round(ctx, subject.model_id, subject.number)
        weights = self.chain.app.models.load_weights(ctx, subject.model_id, subject.number - 1)
        return compute_answer(self.spec_of(audited), audited, subject.index, weights, self.table.rows, audit)

    def spec_of(self, owner: Round) -> ModelSpec:
        """The terms of a round."""
        return self.chain.app.work.spec_of(self.chain.ctx(), owner)

    def commit_all(self, claims: dict[str, Claim] | None = None, absent: tuple[str, ...] = ()) -> list[Event]:
        """A block in which everybody commits; claims: wrong ones by name. For the absent the phase runs to its end."""
        running = self.round()
        events = self.block(*(new_commit(unit, self._claim_of(unit, claims), running.attempt)
                              for unit in self._present(absent)))
        return events + (self.wait_for(running.deadline_height) if absent else [])

    def reveal_all(self, claims: dict[str, Claim] | None = None, absent: tuple[str, ...] = ()) -> list[Event]:
        """A block in which everybody reveals; claims: as committed. For the absent the phase runs to its end."""
        running = self.round()
        events = self.block(*(new_reveal(unit, self._claim_of(unit, claims), running.attempt)
                              for unit in self._present(absent)))
        return events + (self.wait_for(running.deadline_height) if absent else [])

    def wait_for(self, height: int) -> list[Event]:
        """Empty blocks up to `height`; their events."""
        events = []
        while self.chain.height < height:
            events += self.block()
        return events

    def _present(self, absent: tuple[str, ...]) -> list[Unit]:
        return [unit for unit in self.units() if self.names[unit.trainer] not in absent]

    def _claim_of(self, unit: Unit, claims: dict[str, Claim] | None) -> Claim:
        return (claims or {}).get(self.names[unit.trainer]) or self.claim(unit)

    def wrong_claim(self, name: str) -> Claim:
        """The right claim of another unit: canonical, and not what was asked for."""
        own = self.unit_of(name)
        other = Unit(model_id=1, round=own.round, index=own.index + 100)
        return self.claim(other)

    def run_round(self, claims: dict[str, Claim] | None = None) -> list[Event]:
        """Commit, reveal, audit and close the running round in four blocks; returns the events of the last one."""
        self.reach_audit(claims)
        return self.block(votes=True)

    def reach_audit(self, claims: dict[str, Claim] | None = None) -> list[Event]:
        """Commit, reveal, and the block whose beginning draws the audits; returns its events."""
        self.commit_all(claims)
        self.reveal_all(claims)
        return self.block()

    def audit(self) -> list[Event]:
        """The block in which audits are drawn, and the one that brings the validators' digests and the answers."""
        return self.block() + self.block(votes=True)

    def wait_for_answers(self) -> list[Event]:
        """Blocks with votes until no audit is open: with a silent member 8, or the phase's; the last one's events."""
        events: list[Event] = []
        while self.auditors.list_open():
            events = self.block(votes=True)
        return events

    def settle(self, number: int) -> list[Event]:
        """Empty blocks until the window of challenges of a closed round is over; their events."""
        return self.wait_for(self.round(number).settle_height)


def kinds(events: list[Event]) -> list[str]:
    """Types of the events of this room, in order."""
    return [event.type.removeprefix("work.") for event in events if event.type.startswith("work.")]


def attribute(event: Event, name: str) -> str:
    """One attribute of an event."""
    return dict(event.attributes)[name]
