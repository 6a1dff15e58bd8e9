"""Sides of a play: what everything under one hand does. Honest here; cheats change a step or two of it."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from google.protobuf.message import Message

from abci_app.watch.game import Replay, find_move
from abci_app.wire.coin import base_coin, coin_pb
from abci_app.wire.pb.gradus.audits.v1.audits_pb2 import Audit
from abci_app.wire.pb.gradus.disputes.v1.disputes_pb2 import Dispute
from abci_app.wire.pb.gradus.models.v1.models_pb2 import MODEL_STATUS_OPEN, MODEL_STATUS_TRAINING
from abci_app.wire.pb.gradus.work.v1.tx_pb2 import MsgEnroll
from abci_app.wire.pb.gradus.work.v1.work_pb2 import (
    ROUND_PHASE_COMMIT, ROUND_PHASE_REVEAL, TRAINER_STATUS_ACTIVE, TRAINER_STATUS_SLASHED, UNIT_STATUS_ASSIGNED,
    UNIT_STATUS_COMMITTED, Round, Unit,
)
from abci_app.x.disputes.types import is_challenger_due
from tests.chain import address_of, new_test_key
from tests.sim.claims import Claim, new_commit, new_reveal

if TYPE_CHECKING:
    from tests.sim.strategies.stage import Stage


@dataclass(frozen=True)
class Sent:
    """A message of an account. memo: what else its transaction says, for who tries out hashes."""

    name: str
    message: Message
    memo: str = ""


class Side:
    """Accounts and validators under one hand, which do nothing but audit rightly.

    work: units computed so far: trained, or audited where `counts` says "seats". dealt: how many "units" were dealt to
    its trainers, or how many "seats" in committees its validators had.
    """

    counts = "units"

    def __init__(self, accounts: tuple[str, ...] = (), validators: tuple[int, ...] = ()) -> None:
        """The accounts of the validators' operators are the side's too."""
        self.accounts = (*accounts, *(f"operator{index}" for index in validators))
        self.validators = validators
        self.work = 0.0
        self.seen: set[tuple[int | bytes, ...]] = set()

    @property
    def dealt(self) -> int:
        """How much it was asked to do."""
        return len(self.seen)

    def act(self, stage: "Stage") -> Iterator[Sent]:
        """What it sends into the next block."""
        return iter(())

    def see(self, stage: "Stage") -> None:
        """Look at the block that was made."""
        for audit in stage.chain.app.audits.iter_audits(stage.chain.ctx()) if self.counts == "seats" else ():
            for member in audit.members:
                if stage.indices[member.consensus_address] in self.validators:
                    self.seen.add((audit.subject, member.consensus_address))

    def arrange(self, stage: "Stage", head: list[bytes], sent: list[Sent]) -> list[Sent]:
        """The block that its validator proposes, of what was sent; head: what stands before it."""
        return sent

    def answer(self, stage: "Stage", validator: int, audit: Audit) -> bytes | None:
        """What its validator (by index) says of an audit; None for nothing yet.

        The work counts where the side is about auditing; trainers' validators do theirs with and without cheating.
        """
        self.work += self.counts == "seats"
        return stage.find_answer(audit)


class Trainers(Side):
    """Trainers of a model, `seats` of them at a time; who was slashed or stood down is replaced by a new account."""

    def __init__(self, seats: int = 1, prefix: str = "cheat", spares: int = 0, validators: tuple[int, ...] = (),
                 extra: tuple[str, ...] = (), model_id: int = 1) -> None:
        """spares: accounts that may take the place of others. extra: accounts that do not train."""
        self.trainers = tuple(f"{prefix}{index}" for index in range(seats + spares))
        super().__init__((*self.trainers, *extra), validators)
        self.seated, self.spares, self.model_id = list(self.trainers[:seats]), list(self.trainers[seats:]), model_id

    def act(self, stage: "Stage") -> Iterator[Sent]:
        """Enrol, commit, reveal, and answer challenges."""
        yield from self.enroll(stage)
        yield from self.train(stage)
        yield from self.defend(stage)

    def enroll(self, stage: "Stage") -> Iterator[Sent]:
        """Have all seats taken by trainers who are dealt units."""
        model = stage.model(self.model_id)
        if model.status not in (MODEL_STATUS_OPEN, MODEL_STATUS_TRAINING):
            return
        for place, name in enumerate(self.seated):
            trainer = stage.chain.app.work.find_trainer(stage.chain.ctx(), self.model_id, new_test_key(name).address)
            if trainer is not None and trainer.status == TRAINER_STATUS_ACTIVE:
                continue
            if trainer is not None and self.is_spent(stage, name, trainer.status) and self.spares:
                self.seated[place] = name = self.spares.pop(0)
                trainer = None
            if trainer is None:
                yield Sent(name, MsgEnroll(trainer=address_of(name), model_id=self.model_id,
                                           bond=coin_pb(base_coin(model.spec.economy.bond_ugrad))))
            elif trainer.status != TRAINER_STATUS_SLASHED and trainer.return_height <= stage.chain.height + 1:
                missing = max(0, model.spec.economy.bond_ugrad - trainer.bond_ugrad)
                yield Sent(name, MsgEnroll(trainer=address_of(name), model_id=self.model_id,
                                           bond=coin_pb(base_coin(missing))))

    def is_spent(self, stage: "Stage", name: str, status: int) -> bool:
        """Whether a new account takes the place of a trainer that is not active."""
        return True

    def train(self, stage: "Stage") -> Iterator[Sent]:
        """Commitments and reveals of the running round."""
        running = stage.running(self.model_id)
        for unit in stage.units(running) if running is not None else ():
            name = stage.names[unit.trainer]
            if name not in self.trainers:
                continue
            place = self.model_id, unit.round, running.attempt, unit.index
            if self.counts == "units":
                self.seen.add(place)
            if running.phase == ROUND_PHASE_COMMIT and unit.status == UNIT_STATUS_ASSIGNED:
                if self.commits(stage, running, unit):
                    if place not in stage.claims:
                        stage.claims[place] = self.make_claim(stage, running, unit)
                    yield from self.commit(stage, running, unit, stage.claims[place])
            elif running.phase == ROUND_PHASE_REVEAL and unit.status == UNIT_STATUS_COMMITTED:
                if self.reveals(stage, running, unit):
                    yield from self.reveal(stage, running, unit, stage.claims[place])

    def commits(self, stage: "Stage", running: Round, unit: Unit) -> bool:
        """Whether it commits to a unit in the next block."""
        return True

    def reveals(self, stage: "Stage", running: Round, unit: Unit) -> bool:
        """Whether it reveals a unit in the next block."""
        return True

    def commit(self, stage: "Stage", running: Round, unit: Unit, claim: Claim) -> Iterator[Sent]:
        """What commits to a claim."""
        yield Sent(stage.names[unit.trainer], new_commit(unit, claim, running.attempt))

    def reveal(self, stage: "Stage", running: Round, unit: Unit, claim: Claim) -> Iterator[Sent]:
        """What reveals a claim."""
        yield Sent(stage.names[unit.trainer], new_reveal(unit, claim, running.attempt))

    def make_claim(self, stage: "Stage", running: Round, unit: Unit) -> Claim:
        """The claim, for which the work is done here."""
        self.work += 1
        return stage.right_claim(running, unit.index)

    def defend(self, stage: "Stage") -> Iterator[Sent]:
        """Moves in disputes about own units."""
        app, ctx = stage.chain.app, stage.chain.ctx()
        for dispute in app.disputes.iter_disputes(ctx):
            name = stage.names[dispute.claimant]
            if name in self.trainers and not is_challenger_due(dispute.stage):
                move = self.find_defence(stage, dispute)
                if move is not None:
                    yield Sent(name, move)

    def find_defence(self, stage: "Stage", dispute: Dispute) -> Message | None:
        """The move of an honest claimant; one unit of work for each dispute, whose transcript is computed once more."""
        app, ctx = stage.chain.app, stage.chain.ctx()
        unit = app.work.get_unit(ctx, dispute.model_id, dispute.round, dispute.unit)
        replay: Replay = stage.replay(unit)
        return find_move(dispute, app.disputes.find_trace(ctx, dispute) or [], replay)
