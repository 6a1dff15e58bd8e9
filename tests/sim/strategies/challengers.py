"""Sides that play with challenges, with models and with the emission."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from google.protobuf.message import Message

from abci_app.runtime.contract import compute_round_cost
from abci_app.watch.game import find_move
from abci_app.wire.coin import base_coin, coin_pb
from abci_app.wire.pb.gradus.disputes.v1.disputes_pb2 import Dispute
from abci_app.wire.pb.gradus.disputes.v1.tx_pb2 import MsgChallenge
from abci_app.wire.pb.gradus.models.v1.models_pb2 import LearningRate, ModelSpec
from abci_app.wire.pb.gradus.models.v1.tx_pb2 import MsgCreateModel
from abci_app.wire.pb.gradus.rewards.v1.tx_pb2 import MsgBack
from abci_app.wire.pb.gradus.work.v1.work_pb2 import UNIT_STATUS_ACCEPTED, Round, Unit
from abci_app.x.disputes.types import is_challenger_due
from abci_app.x.models.types.defaults import compute_default_bond
from abci_app.x.models.types.terms import RATE_MAX
from tests.chain import address_of
from tests.sim.claims import Claim
from tests.sim.strategies.cheats import Garbage
from tests.sim.strategies.sides import Sent, Side, Trainers

if TYPE_CHECKING:
    from tests.sim.strategies.stage import Stage

CHALLENGER, WATCHER = "sock", "watcher"
BACKING_UGRAD = 10**10


def iter_challenges(stage: "Stage", challenged: set[tuple[int, int]], is_target: bool,
                    trainers: tuple[str, ...]) -> Iterator[Sent]:
    """Challenges of the round that closed last: of one unit of these trainers (or, not is_target, of another), once."""
    ctx, work, closed = stage.chain.ctx(), stage.chain.app.work, stage.model().rounds_closed
    if not closed or any(number == closed for number, _ in challenged):
        return
    for unit in work.list_units(ctx, 1, closed):
        if (stage.names[unit.trainer] in trainers) == is_target and unit.status == UNIT_STATUS_ACCEPTED:
            challenged.add((closed, unit.index))
            yield challenge(stage, unit)
            return


def challenge(stage: "Stage", unit: Unit, name: str = CHALLENGER) -> Sent:
    """A challenge of a unit with the least bond, by an account."""
    place = Dispute(model_id=unit.model_id, round=unit.round, unit=unit.index)
    bond = stage.chain.app.disputes.compute_bond_min(stage.chain.ctx(), place)
    return Sent(name, MsgChallenge(challenger=address_of(name), model_id=unit.model_id, round=unit.round,
                                   unit=unit.index, bond=coin_pb(base_coin(bond))))


class Watcher(Side):
    """Replays one accepted unit of every round, challenges it if it is wrong, and plays the dispute to its end."""

    def __init__(self) -> None:
        """One account. wrong: places of units that it has found wrong and not challenged yet."""
        super().__init__((WATCHER,))
        self.looked, self.wrong = 0, list[tuple[int, int]]()

    def act(self, stage: "Stage") -> Iterator[Sent]:
        """A challenge, and the moves of disputes."""
        app, ctx, closed = stage.chain.app, stage.chain.ctx(), stage.model().rounds_closed
        if closed > self.looked:
            self.looked = closed
            self._look(stage, closed)
        for place in list(self.wrong):
            unit = app.work.find_challengeable(ctx, 1, *place)
            if unit is None:
                self.wrong.remove(place)
            elif app.disputes.find_dispute(ctx, 1, *place) is None:
                yield challenge(stage, unit, WATCHER)
        for dispute in app.disputes.iter_disputes(ctx):
            unit = app.work.get_unit(ctx, dispute.model_id, dispute.round, dispute.unit)
            is_due = is_challenger_due(dispute.stage) and unit.status == UNIT_STATUS_ACCEPTED
            if is_due and dispute.challenger == address_of(WATCHER):
                move = find_move(dispute, app.disputes.find_trace(ctx, dispute) or [], stage.replay(unit))
                assert move is not None, "who is right has a move"
                yield Sent(WATCHER, move)

    def _look(self, stage: "Stage", closed: int) -> None:
        """Replay one unit of the round that closed last."""
        owner = stage.chain.app.work.get_round(stage.chain.ctx(), 1, closed)
        accepted = [unit for unit in stage.units(owner) if unit.status == UNIT_STATUS_ACCEPTED]
        if accepted:
            unit = stage.dice("watcher").choice(accepted)
            claim = stage.claims[owner.model_id, owner.number, owner.attempt, unit.index]
            if claim != stage.right_claim(owner, unit.index):
                self.wrong.append((closed, unit.index))


class Griefer(Trainers):
    """Trains honestly, and challenges a right unit of another in every round, without a word after that."""

    def __init__(self, **arguments: object) -> None:
        """With an account for the challenges."""
        super().__init__(extra=(CHALLENGER,), **arguments)  # type: ignore[arg-type]
        self.challenged: set[tuple[int, int]] = set()

    def act(self, stage: "Stage") -> Iterator[Sent]:
        """Its work, and a challenge."""
        yield from super().act(stage)
        yield from iter_challenges(stage, self.challenged, False, self.trainers)


class SelfChallenger(Garbage):
    """Claims noise, and has a second account challenge what was accepted and fall silent, to hold its only dispute."""

    def __init__(self, **arguments: object) -> None:
        """With an account for the challenges."""
        super().__init__(extra=(CHALLENGER,), **arguments)  # type: ignore[arg-type]
        self.challenged: set[tuple[int, int]] = set()

    def act(self, stage: "Stage") -> Iterator[Sent]:
        """Its noise, and a challenge to it."""
        yield from super().act(stage)
        yield from iter_challenges(stage, self.challenged, True, self.trainers)


class SockPuppet(SelfChallenger):
    """Claims noise, and loses the dispute on purpose, so that its second account has a share of the slash."""

    def find_defence(self, stage: "Stage", dispute: Dispute) -> Message | None:
        """Silence."""
        return None


class Backer(Trainers):
    """Trains the common model honestly, and backs it with its coins."""

    def __init__(self, **arguments: object) -> None:
        """Backs once."""
        super().__init__(**arguments)  # type: ignore[arg-type]
        self.is_backing = False

    def act(self, stage: "Stage") -> Iterator[Sent]:
        """Its work, and coins behind the model."""
        yield from super().act(stage)
        if not self.is_backing:
            self.is_backing = True
            yield back(self.trainers[0], 1)


def back(name: str, model_id: int) -> Sent:
    """Coins behind a model."""
    return Sent(name, MsgBack(owner=address_of(name), model_id=model_id, amount=coin_pb(base_coin(BACKING_UGRAD))))


class Sham(Trainers):
    """Makes a model as small as a contract may be, backs it, and trains it alone, for the emission."""

    def __init__(self, **arguments: object) -> None:
        """Its model is the second one."""
        super().__init__(model_id=2, **arguments)  # type: ignore[arg-type]
        self.is_made = False

    def act(self, stage: "Stage") -> Iterator[Sent]:
        """The model once, then its rounds, whose work is next to nothing."""
        if not self.is_made:
            self.is_made = True
            yield Sent(self.trainers[0], self._new_model(stage))
            yield back(self.trainers[0], 2)
        elif stage.chain.app.models.find_model(stage.chain.ctx(), 2) is not None:
            yield from super().act(stage)

    def _new_model(self, stage: "Stage") -> MsgCreateModel:
        spec = type(stage.spec).FromString(stage.spec.SerializeToString())
        spec.name = "sham"
        spec.training.trainers_min, spec.training.units_max, spec.training.trim = 1, 1, 0
        self.shape(spec)
        spec.economy.bond_ugrad = compute_default_bond(spec.economy, spec.audit)
        escrow = compute_round_cost(spec) * spec.training.rounds
        return MsgCreateModel(creator=address_of(self.trainers[0]), spec=spec, escrow=coin_pb(base_coin(escrow)))

    def shape(self, spec: ModelSpec) -> None:
        """Ask for as little as a contract may."""
        spec.training.local_steps = spec.training.batch_rows = spec.training.trace_every = 1
        spec.mlp_classifier.widths[:] = (spec.dataset.features, spec.dataset.classes)


class ShamByHeart(Sham):
    """Makes a large model of a single row, which is learnt in a round; from then on every claim is the one before."""

    def __init__(self, **arguments: object) -> None:
        """Nothing is known yet."""
        super().__init__(**arguments)
        self.known: Claim | None = None

    def shape(self, spec: ModelSpec) -> None:
        """Ask for as much as a default contract of a small table, of one row, at the highest rate."""
        dataset, training = spec.dataset, spec.training
        dataset.train_rows, dataset.test_rows = 1, dataset.train_rows + dataset.test_rows - 1
        spec.mlp_classifier.widths[:] = (dataset.features, 128, 64, dataset.classes)
        training.learning_rate.CopyFrom(LearningRate(peak_q16=RATE_MAX))
        training.momentum_q16 = 0

    def make_claim(self, stage: "Stage", running: Round, unit: Unit) -> Claim:
        """What it claimed in the round before, if the weights are those that it began with."""
        roots = [stage.chain.app.models.get_weights(stage.chain.ctx(), running.model_id, number).root
                 for number in range(max(running.number - 2, 0), running.number)]
        if self.known is None or len(roots) < 2 or roots[0] != roots[1]:
            self.known = super().make_claim(stage, running, unit)
        return self.known
