"""What must be true of every block, told from its events and from the states before and after it.

The invariants of the rooms hold after every block (tests/chain.py checks them); these are the rest: verdicts are the
truth, only cheats are slashed, coins are conserved, accepted units are booked, and paid once when nobody can challenge
them any more, what was proved wrong late is paid never, weights move as they should.
"""

from collections import Counter
from dataclasses import dataclass, field

from abci_app.runtime.context import Ctx
from abci_app.runtime.events import Event
from abci_app.wire.pb.gradus.models.v1.models_pb2 import Model, ModelSpec
from abci_app.wire.pb.gradus.rewards.v1.rewards_pb2 import Vesting
from abci_app.wire.pb.gradus.work.v1.work_pb2 import (
    ROUND_PHASE_AUDIT, ROUND_PHASE_CLOSED, UNIT_STATUS_ACCEPTED, Round, Unit,
)
from abci_app.x.bank.keeper import Keeper as BankKeeper
from abci_app.x.rewards.keeper import Keeper as RewardsKeeper
from kernels import mlp
from kernels.aggregate import aggregate
from kernels.outer import outer_step
from tests.sim.market import Markets

Fields = dict[str, str]


@dataclass(frozen=True)
class View:
    """A round that runs before a block, and what it stands on: the blobs of the past are not kept."""

    model: Model
    spec: ModelSpec
    running: Round
    units: list[Unit]
    weights: bytes
    momentum: bytes


@dataclass(frozen=True)
class Before:
    """The state before a block, as far as its checks need it. views: by model. vestings: by model and round."""

    ctx: Ctx
    views: dict[int, View]
    vestings: dict[tuple[int, int], Vesting]


@dataclass
class Checks:
    """Counts of everything so far, and the supply that is left.

    trustworthy: addresses of those who never cheat. honest: of validators, upper-case hex.
    """

    markets: Markets
    bank: BankKeeper
    rewards: RewardsKeeper
    trustworthy: frozenset[str]
    honest: frozenset[str]
    supply: int
    seen: Counter[str] = field(default_factory=Counter)
    accepted: Counter[tuple[int, str]] = field(default_factory=Counter)
    paid: Counter[tuple[int, int, int]] = field(default_factory=Counter)

    def look(self, before: Ctx) -> Before:
        """The running rounds by model. The right claims of those that are audited are computed now."""
        keeper, work, views = self.markets.model_keeper, self.markets.work, {}
        for model in self.markets.models(before):
            running = work.find_round(before, model.id, model.rounds_closed + 1)
            if running is None:
                continue
            units = work.list_units(before, model.id, running.number)
            if running.phase == ROUND_PHASE_AUDIT:
                for unit in units:
                    self.markets.right_claim(before, running, unit.index)
            views[model.id] = View(model, work.spec_of(before, running), running, units,
                                   keeper.load_weights(before, model.id, model.rounds_closed),
                                   keeper.load_momentum(before, model.id))
        vestings = {(one.model_id, one.round): one for one in self.rewards.iter_vestings(before)}
        return Before(before, views, vestings)

    def check_block(self, before: Before, after: Ctx, events: list[Event]) -> None:
        """Raises AssertionError. before: the state before the block that had these events. after: the state then."""
        for event in events:
            fields = dict(event.attributes)
            self.seen[event.type] += 1
            if event.type == "work.unit_audited":
                self._check_verdict(before, fields)
            elif event.type == "work.trainer_slashed":
                self._check_slash(before, fields)
            elif event.type == "work.unit_accepted":
                self.accepted[int(fields["model_id"]), fields["trainer"]] += 1
            elif event.type == "rewards.trainer_paid":
                self._check_pay(before, fields)
            elif event.type == "rewards.unit_revoked":
                self.accepted[int(fields["model_id"]), fields["trainer"]] -= 1
                self.supply -= int(fields["burnt_ugrad"])
            elif event.type == "rewards.block_rewarded":
                self.supply += int(fields["stakers_ugrad"]) + int(fields["community_ugrad"])
            elif event.type == "rewards.round_booked":
                self.supply += int(fields["units"]) * int(fields["minted_ugrad"])
            elif event.type == "audits.auditor_excluded":
                assert fields["validator"] not in self.honest, f"an honest auditor was excluded: {fields}"
            elif event.type == "work.round_closed":
                self._check_weights(before.views[int(fields["model_id"])], after, events)
        assert self.bank.supply(after) == self.supply, "coins were made or lost"
        self._check_contributions(after)

    def _check_verdict(self, before: Before, fields: Fields) -> None:
        """A verdict is the truth, whoever made the claim, and however late it comes."""
        owner = self._round_of(before, fields)
        is_late = owner.phase == ROUND_PHASE_CLOSED
        self.seen[f"{'late ' if is_late else ''}verdict {fields['verdict']}"] += 1
        if fields["verdict"] == "expired":
            return
        right = self.markets.is_right(owner, int(fields["unit"]))
        assert (fields["verdict"] == "match") == right, f"verdict {fields}, but the claim is right: {right}"

    def _check_slash(self, before: Before, fields: Fields) -> None:
        """Only who cheated is slashed; what is burnt leaves the supply."""
        self.seen[f"slashed for {fields['reason']}"] += 1
        assert fields["trainer"] not in self.trustworthy, f"an honest trainer was slashed: {fields}"
        if fields["reason"] == "mismatch":
            assert not self.markets.is_right(self._round_of(before, fields), int(fields["unit"]))
        burnt, amount = int(fields["burnt_ugrad"]), int(fields["amount_ugrad"])
        assert 0 <= burnt <= amount
        self.supply -= burnt

    def _check_pay(self, before: Before, fields: Fields) -> None:
        """A unit is paid what was booked for it, once, while it is accepted, and when its window is over."""
        model_id, number, index = int(fields["model_id"]), int(fields["round"]), int(fields["unit"])
        owner = self._round_of(before, fields)
        assert 0 < owner.settle_height <= before.ctx.height + 1, "paid while it can be challenged"
        vesting = before.vestings[model_id, number]
        unit = self.markets.work.get_unit(before.ctx, model_id, number, index)
        assert unit.status == UNIT_STATUS_ACCEPTED and unit.trainer == fields["trainer"], f"paid, but {unit}"
        assert int(fields["amount_ugrad"]) == vesting.escrow_ugrad + vesting.minted_ugrad
        self.paid[model_id, number, index] += 1
        assert self.paid[model_id, number, index] == 1, f"paid twice: {fields}"

    def _check_weights(self, view: View, after: Ctx, events: list[Event]) -> None:
        """The weights are the outer step over the payloads of the accepted units, and of no others."""
        model, running, training = view.model, view.running, view.spec.training
        assert running.phase == ROUND_PHASE_AUDIT
        taken = [dict(event.attributes) for event in events if event.type == "work.unit_accepted"]
        units = [int(one["unit"]) for one in taken if int(one["model_id"]) == model.id]
        payloads = [self.markets.kept_claim(running, view.units[unit]).payload for unit in units]
        mean = aggregate(training.aggregation, payloads, mlp.param_count(tuple(view.spec.mlp_classifier.widths)),
                         training.trim, training.codec)
        keeper = self.markets.model_keeper
        weights, momentum = outer_step(view.weights, view.momentum, mean, training.outer_learning_rate_q16,
                                       training.outer_momentum_q16)
        assert keeper.load_weights(after, model.id, model.rounds_closed + 1) == weights
        assert keeper.load_momentum(after, model.id) == momentum
        assert keeper.get_model(after, model.id).rounds_closed == model.rounds_closed + 1

    def _check_contributions(self, after: Ctx) -> None:
        """Every accepted unit that was not proved wrong since is booked once."""
        booked = {(one.model_id, one.trainer): one.units for one in self.rewards.iter_contributions(after)}
        assert booked == +self.accepted

    def _round_of(self, before: Before, fields: Fields) -> Round:
        return self.markets.work.get_round(before.ctx, int(fields["model_id"]), int(fields["round"]))
