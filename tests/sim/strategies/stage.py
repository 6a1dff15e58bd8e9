"""One contract at its default terms on a whole chain: blocks, audits and disputes, and what each side has in the end.

A *side* is everything under one hand: accounts, trainers, validators. Blocks are built as on a network: what the sides
send, ordered by the proposer's side; votes really signed; the application as it is.
"""

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from abci_app.runtime.contract import compute_round_cost
from abci_app.runtime.deliver import TxResult
from abci_app.runtime.events import Event
from abci_app.runtime.module import LastVotes
from abci_app.watch.replay import UnitReplay
from abci_app.wire.address import decode_address
from abci_app.wire.audit import DIGESTS_MAX, Entry, compute_digest, decode_subject, encode_extension
from abci_app.wire.coin import base_coin, coin_pb
from abci_app.wire.pb.gradus.audits.v1.audits_pb2 import AUDIT_STATUS_OPEN, Audit
from abci_app.wire.pb.gradus.models.v1.models_pb2 import MODEL_STATUS_RETIRED, Model, ModelSpec
from abci_app.wire.pb.gradus.models.v1.tx_pb2 import MsgCreateModel
from abci_app.wire.pb.gradus.work.v1.work_pb2 import Round, Unit
from abci_app.x.models.types import default_spec
from tests.chain import Chain, address_of, new_test_key
from tests.sim.claims import Claim, compute_answer, compute_claim
from tests.sim.rows import RowsTable, TableDataset, new_rows
from tests.sim.strategies.sides import Sent, Side
from tests.votes import Signer

FUNDS_UGRAD = 10**12
CREATOR = "creator"
WAIT_BLOCKS_MAX = 2_000
Place = tuple[int, int, int, int]


@dataclass(frozen=True)
class Setting:
    """What a play stands on. seed: decides everything. trainers: of the main model, those of the cheat among them."""

    seed: int
    rounds: int
    validators: int = 4
    trainers: int = 5
    block_reward_ugrad: int = 0


@dataclass
class Standing:
    """What a side has made of a play by a height: ugrad since the beginning, work in units, what it was asked to do."""

    height: int
    ugrad: int
    work: float
    dealt: int


def new_spec(table: RowsTable, rounds: int, trainers_min: int) -> ModelSpec:
    """The default contract over a small table and network; nothing that concerns money differs from the default."""
    return default_spec("strategies", table.terms, bytes(range(32)), rounds=rounds, trainers_min=trainers_min,
                        hidden=(2,))


@dataclass
class Stage:
    """A play. sides: that of the cheat first."""

    folder: Path
    setting: Setting
    sides: Sequence[Side]
    claims: dict[Place, Claim] = field(default_factory=dict)
    rights: dict[Place, Claim] = field(default_factory=dict)
    events: list[Event] = field(default_factory=list)
    results: list[TxResult] = field(default_factory=list)

    def __post_init__(self) -> None:
        seed, count = self.setting.seed, self.setting.validators
        self.table = new_rows(f"strategies/{seed}", 16, 4, 3, 2)
        self.spec = new_spec(self.table, self.setting.rounds, self.setting.trainers)
        accounts = {name: FUNDS_UGRAD for name in (CREATOR, *(name for side in self.sides for name in side.accounts))}
        signers = [Signer(f"validator{index}") for index in range(count)]
        self.chain = Chain(self.folder, accounts=accounts, chain_id=f"gradus-strategies-{seed}", checks=False,
                           signers=signers, block_reward_ugrad=self.setting.block_reward_ugrad)
        self.names = {address_of(name): name for name in accounts}
        self.owners = {index: side for side in self.sides for index in side.validators}
        self.indices = {signer.address: index for index, signer in enumerate(signers)}
        self._answers: dict[bytes, bytes] = {}
        self._said: dict[tuple[bytes, int], bytes] = {}
        self._begun = {id(side): self.compute_wealth(side) for side in self.sides}

    def dice(self, topic: str) -> random.Random:
        """Draws of a topic at the present height."""
        return random.Random(f"{self.setting.seed}/{self.chain.height}/{topic}")

    def play(self) -> list[Standing]:
        """The whole play; the standing of the first side before it, after each round of the main model, and in the end,
        when all rounds are settled."""
        self.create(CREATOR, self.spec)
        standings, closed = [self.stand(self.sides[0])], 0
        while self.model().rounds_closed < self.setting.rounds:
            self.step()
            if self.model().rounds_closed > closed:
                closed = self.model().rounds_closed
                standings.append(self.stand(self.sides[0]))
            assert self.chain.height < WAIT_BLOCKS_MAX + 60 * self.setting.rounds, "the rounds do not go on"
        while not self.is_settled():
            self.step()
            assert self.chain.height < 2 * WAIT_BLOCKS_MAX + 60 * self.setting.rounds, "the rounds are not settled"
        standings.append(self.stand(self.sides[0]))
        broken = self.chain.check_invariants()
        assert broken == [], broken
        return standings

    def create(self, name: str, spec: ModelSpec) -> None:
        """A model with the escrow of all its rounds."""
        escrow = coin_pb(base_coin(compute_round_cost(spec) * spec.training.rounds))
        self.send([Sent(name, MsgCreateModel(creator=address_of(name), spec=spec, escrow=escrow))])
        assert self.results[-1].code == 0, self.results[-1].log

    def step(self) -> None:
        """A block: what all sides send, as the proposer's side orders it, behind the votes and answers."""
        sent = [one for side in self.sides for one in side.act(self)]
        self.send(sent)

    def send(self, sent: list[Sent]) -> None:
        """A block with what was sent, as its proposer will have it."""
        proposer = self.owners.get((self.chain.height + 1) % self.setting.validators)
        head = self.chain.propose(votes=self._sign_votes(), told=self._list_told())
        arranged = proposer.arrange(self, head, sent) if proposer is not None else sent
        self.results = self.chain.block(head + self.sign(arranged))
        self.events = [event for result in self.results for event in result.events] + list(self.chain.events)
        for side in self.sides:
            side.see(self)

    def sign(self, sent: Iterable[Sent]) -> list[bytes]:
        """The transactions."""
        ahead: dict[str, int] = {}
        txs = []
        for one in sent:
            txs.append(self.chain.sign(one.name, one.message, ahead=ahead.get(one.name, 0), memo=one.memo))
            ahead[one.name] = ahead.get(one.name, 0) + 1
        return txs

    def model(self, model_id: int = 1) -> Model:
        """A model."""
        return self.chain.app.models.get_model(self.chain.ctx(), model_id)

    def running(self, model_id: int = 1) -> Round | None:
        """The running round."""
        model = self.model(model_id)
        return self.chain.app.work.find_round(self.chain.ctx(), model_id, model.rounds_closed + 1)

    def units(self, owner: Round) -> list[Unit]:
        """The units of a round."""
        return self.chain.app.work.list_units(self.chain.ctx(), owner.model_id, owner.number)

    def right_claim(self, owner: Round, unit: int) -> Claim:
        """What a unit gives."""
        place = place_of(owner, unit)
        if place not in self.rights:
            self.rights[place] = compute_claim(*self.inputs(owner, unit))
        return self.rights[place]

    def inputs(self, owner: Round, unit: int) -> tuple[ModelSpec, Round, int, bytes, list[bytes]]:
        """What a unit is computed from."""
        ctx, app = self.chain.ctx(), self.chain.app
        weights = app.models.load_weights(ctx, owner.model_id, owner.number - 1)
        return app.work.spec_of(ctx, owner), owner, unit, weights, self.table.rows

    def replay(self, unit: Unit) -> UnitReplay:
        """The truth about a unit."""
        ctx, app = self.chain.ctx(), self.chain.app
        weights = app.models.load_weights(ctx, unit.model_id, unit.round - 1)
        terms = app.work.compute_terms(ctx, unit.model_id, unit.round, unit.index)
        return UnitReplay(terms, lambda: weights, TableDataset(self.table))

    def find_answer(self, audit: Audit) -> bytes:
        """The right answer to an audit."""
        if audit.subject not in self._answers:
            named = decode_subject(audit.subject)
            owner = self.chain.app.work.get_round(self.chain.ctx(), named.model_id, named.number)
            self._answers[audit.subject] = compute_answer(*self.inputs(owner, named.index), audit)
        return self._answers[audit.subject]

    def find_claim(self, audit: Audit) -> Claim:
        """What was claimed of an audited unit."""
        named = decode_subject(audit.subject)
        return self.claims[named.model_id, named.number, named.attempt, named.index]

    def _sign_votes(self) -> LastVotes:
        """The precommits for the last block: what the sides of the open audits' members say."""
        digests: dict[bytes, list[Entry]] = {}
        for audit in self.chain.app.audits.iter_audits(self.chain.ctx()):
            for member in audit.members if audit.status == AUDIT_STATUS_OPEN else ():
                index = self.indices[member.consensus_address]
                answer = None if member.digest else self._find_said(audit, index)
                if answer is not None:
                    digest = compute_digest(member.consensus_address, audit.subject, answer)
                    digests.setdefault(member.consensus_address, []).append((audit.subject, digest))
        return self.chain.sign_votes({address: encode_extension(entries[:DIGESTS_MAX])
                                      for address, entries in digests.items()})

    def _find_said(self, audit: Audit, index: int) -> bytes | None:
        """What a validator answers, worked out once."""
        key = audit.subject, index
        if key not in self._said:
            answer = self.owners[index].answer(self, index, audit)
            if answer is None:
                return None
            self._said[key] = answer
        return self._said[key]

    def _list_told(self) -> dict[bytes, tuple[bytes, ...]]:
        """All answers that anybody has given, by subject: who proposes next may have been told any."""
        told: dict[bytes, tuple[bytes, ...]] = {}
        for (subject, _), answer in sorted(self._said.items()):
            if answer not in told.get(subject, ()):
                told[subject] = (*told.get(subject, ()), answer)
        return told

    def is_settled(self) -> bool:
        """Whether nothing of any closed round can change any more."""
        app, ctx = self.chain.app, self.chain.ctx()
        return (all(not owner.closed_height or owner.settled_height for owner in app.work.iter_rounds(ctx))
                and not list(app.rewards.iter_vestings(ctx)) and not list(app.disputes.iter_disputes(ctx)))

    def stand(self, side: Side) -> Standing:
        """How a side stands."""
        return Standing(self.chain.height, self.compute_wealth(side) - self._begun[id(side)], side.work, side.dealt)

    def compute_wealth(self, side: Side) -> int:
        """All ugrad that are a side's: balances, bonds, pay that vests, backing, and the escrow of its own models."""
        app, ctx = self.chain.app, self.chain.ctx()
        owned = {new_test_key(name).address for name in side.accounts}

        def is_owned(address: str) -> bool:
            return decode_address(address) in owned

        total = sum(app.bank.balance(ctx, address) for address in owned)
        total += sum(one.bond_ugrad for one in app.work.iter_trainers(ctx) if is_owned(one.address))
        for vesting in app.rewards.iter_vestings(ctx):
            units = sum(is_owned(unit.trainer) for unit in vesting.units)
            total += units * (vesting.escrow_ugrad + vesting.minted_ugrad)
        total += sum(one.amount_ugrad for one in app.rewards.iter_backings(ctx) if is_owned(one.owner))
        total += sum(one.amount_ugrad for one in app.rewards.iter_unbackings(ctx) if is_owned(one.owner))
        total += sum(one.bond_ugrad for one in app.disputes.iter_disputes(ctx) if is_owned(one.challenger))
        return total + sum(model.escrow_ugrad for model in app.models.iter_models(ctx)
                           if is_owned(model.admin) and model.status != MODEL_STATUS_RETIRED)


def place_of(owner: Round, unit: int) -> Place:
    """By what a unit is known."""
    return owner.model_id, owner.number, owner.attempt, unit
