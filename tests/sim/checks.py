"""What must be true of every block, told from its events and from the states before and after it.

The invariants of the rooms hold after every block (tests/chain.py checks them); these are the rest: verdicts are the
truth, only cheats are slashed, coins are conserved, accepted units are paid and booked, weights move as they should.
"""

from collections import Counter
from dataclasses import dataclass, field

from abci_app.runtime.context import Ctx
from abci_app.runtime.events import Event
from abci_app.wire.pb.gradus.models.v1.models_pb2 import Model
from abci_app.wire.pb.gradus.work.v1.work_pb2 import ROUND_PHASE_AUDIT, Round, Unit
from abci_app.x.bank.keeper import Keeper as BankKeeper
from abci_app.x.rewards.keeper import Keeper as RewardsKeeper
from kernels import mlp
from kernels.aggregate import aggregate
from kernels.outer import outer_step
from tests.sim.market import Markets


@dataclass(frozen=True)
class View:
    """A round that runs before a block, and what it stands on: the blobs of the past are not kept."""

    model: Model
    running: Round
    units: list[Unit]
    weights: bytes
    momentum: bytes


@dataclass
class Checks:
    """Counts of everything so far, and the supply that is left."""

    markets: Markets
    bank: BankKeeper
    rewards: RewardsKeeper
    trustworthy: frozenset[str]
    supply: int
    seen: Counter[str] = field(default_factory=Counter)
    accepted: Counter[tuple[int, str]] = field(default_factory=Counter)
    earned: Counter[tuple[int, str]] = field(default_factory=Counter)

    def look(self, before: Ctx) -> dict[int, View]:
        """The running rounds by model. The right claims of those that are audited are computed now."""
        keeper, work = self.markets.model_keeper, self.markets.work
        views = {}
        for model in self.markets.models(before):
            running = work.find_round(before, model.id, model.rounds_closed + 1)
            if running is None:
                continue
            units = work.list_units(before, model.id, running.number)
            if running.phase == ROUND_PHASE_AUDIT:
                for unit in units:
                    self.markets.right_claim(before, model, running, unit.index)
            views[model.id] = View(model, running, units, keeper.load_weights(before, model.id, model.rounds_closed),
                                   keeper.load_momentum(before, model.id))
        return views

    def check_block(self, views: dict[int, View], after: Ctx, events: list[Event]) -> None:
        """Raises AssertionError. views: of the state before the block that had these events. after: the state then."""
        for event in events:
            fields = dict(event.attributes)
            self.seen[event.type] += 1
            if event.type == "work.unit_audited":
                self._check_verdict(views[int(fields["model_id"])], fields)
            elif event.type == "work.trainer_slashed":
                self._check_slash(views[int(fields["model_id"])], fields)
            elif event.type == "work.unit_accepted":
                self.accepted[int(fields["model_id"]), fields["trainer"]] += 1
            elif event.type == "rewards.trainer_paid":
                self.earned[int(fields["model_id"]), fields["trainer"]] += int(fields["amount_ugrad"])
            elif event.type == "work.round_closed":
                self._check_weights(views[int(fields["model_id"])], after, events)
        expired = [_unit_of(event) for event in events if dict(event.attributes).get("verdict") == "expired"]
        accepted = [_unit_of(event) for event in events if event.type == "work.unit_accepted"]
        assert not [unit for unit in expired if unit in accepted], "a unit was accepted unseen"
        assert self.bank.supply(after) == self.supply, "coins were made or lost"
        self._check_contributions(after)

    def _check_verdict(self, view: View, fields: dict[str, str]) -> None:
        """A verdict is the truth, whoever made the claim."""
        self.seen[f"verdict {fields['verdict']}"] += 1
        if fields["verdict"] == "expired":
            return
        right = self.markets.is_right(view.running, int(fields["unit"]))
        assert (fields["verdict"] == "match") == right, f"verdict {fields}, but the claim is right: {right}"

    def _check_slash(self, view: View, fields: dict[str, str]) -> None:
        """Only who cheated is slashed; what is burnt leaves the supply."""
        self.seen[f"slashed for {fields['reason']}"] += 1
        assert fields["trainer"] not in self.trustworthy, f"an honest trainer was slashed: {fields}"
        if fields["reason"] == "mismatch":
            assert not self.markets.is_right(view.running, int(fields["unit"]))
        burnt, amount = int(fields["burnt_ugrad"]), int(fields["amount_ugrad"])
        assert 0 <= burnt <= amount
        self.supply -= burnt

    def _check_weights(self, view: View, after: Ctx, events: list[Event]) -> None:
        """The weights are the outer step over the payloads of the accepted units, and of no others."""
        model, running = view.model, view.running
        assert running.phase == ROUND_PHASE_AUDIT
        training = model.spec.training
        taken = [dict(event.attributes) for event in events if event.type == "work.unit_accepted"]
        units = [int(one["unit"]) for one in taken if int(one["model_id"]) == model.id]
        payloads = [self.markets.kept_claim(running, view.units[unit]).payload for unit in units]
        mean = aggregate(training.aggregation, payloads, mlp.param_count(tuple(model.spec.mlp_classifier.widths)),
                         training.trim, training.codec)
        keeper = self.markets.model_keeper
        weights, momentum = outer_step(view.weights, view.momentum, mean, training.outer_learning_rate_q16,
                                       training.outer_momentum_q16)
        assert keeper.load_weights(after, model.id, model.rounds_closed + 1) == weights
        assert keeper.load_momentum(after, model.id) == momentum
        assert keeper.get_model(after, model.id).rounds_closed == model.rounds_closed + 1

    def _check_contributions(self, after: Ctx) -> None:
        """Every accepted unit is booked once, and what was paid is what was booked."""
        booked = {(one.model_id, one.trainer): (one.units, one.earned_ugrad)
                  for one in self.rewards.iter_contributions(after)}
        counted = {owner: (self.accepted[owner], self.earned[owner]) for owner in self.accepted}
        assert booked == counted


def _unit_of(event: Event) -> tuple[str, str, str]:
    fields = dict(event.attributes)
    return fields["model_id"], fields["round"], fields["unit"]
