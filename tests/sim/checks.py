"""What must be true of every block, told from its events and from the states before and after it.

The invariants of the rooms hold after every block (tests/chain.py checks them); these are the rest: verdicts are the
truth, only cheats are slashed, coins are conserved, accepted units are booked, and paid once when nobody can challenge
them any more, what was proved wrong late is paid never, weights move as they should, and whoever is right wins its
disputes.
"""

from collections import Counter
from dataclasses import dataclass, field

from abci_app.replay.draw import compare_draw, read_draw
from abci_app.replay.rounds import Outcome
from abci_app.runtime.context import Ctx
from abci_app.runtime.contract import GMA, compute_unit_work
from abci_app.runtime.events import Event
from abci_app.wire.audit import confirmation_of, unit_subject
from abci_app.wire.pb.gradus.models.v1.models_pb2 import Model, ModelSpec
from abci_app.wire.pb.gradus.rewards.v1.rewards_pb2 import Vesting
from abci_app.wire.pb.gradus.work.v1.work_pb2 import (
    ROUND_PHASE_AUDIT, ROUND_PHASE_CLOSED, UNIT_STATUS_ACCEPTED, Round, Unit,
)
from kernels import mlp
from kernels.aggregate import aggregate
from kernels.outer import outer_step
from tests.sim.duels import WATCHER, Duels
from tests.sim.market import Markets, place_of
from tests.sim.validators import Validators

Fields = dict[str, str]


@dataclass(frozen=True)
class View:
    """A round that is audited before a block, and what it stands on: the blobs of the past are not kept."""

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

    behaviours: of trainers, by address. trustworthy: addresses of those who never cheat.
    """

    markets: Markets
    validators: Validators
    duels: Duels
    behaviours: dict[str, str]
    trustworthy: frozenset[str]
    supply: int
    seen: Counter[str] = field(default_factory=Counter)
    accepted: Counter[tuple[int, str]] = field(default_factory=Counter)
    paid: Counter[tuple[int, int, int]] = field(default_factory=Counter)

    def look(self, before: Ctx) -> Before:
        """The rounds that are audited, by model, the right claims of which are computed now, and what vests."""
        models, work, views = self.markets.app.models, self.markets.app.work, {}
        for model in self.markets.models(before):
            running = work.find_round(before, model.id, model.rounds_closed + 1)
            if running is None or running.phase != ROUND_PHASE_AUDIT:
                continue
            units = work.list_units(before, model.id, running.number)
            for unit in units:
                if place_of(running, unit.index) in self.markets.made:
                    self.markets.right_claim(before, running, unit.index)
            views[model.id] = View(model, work.spec_of(before, running), running, units,
                                   models.load_weights(before, model.id, model.rounds_closed),
                                   models.load_momentum(before, model.id))
        vestings = {(one.model_id, one.round): one for one in self.markets.app.rewards.iter_vestings(before)}
        return Before(before, views, vestings)

    def check_block(self, before: Before, after: Ctx, events: list[Event]) -> None:
        """Raises AssertionError. before: the state before the block that had these events. after: the state then."""
        for event in events:
            fields = dict(event.attributes)
            self.seen[event.type] += 1
            check = self.CHECKS.get(event.type)
            if check is not None:
                check(self, before, fields)
            if event.type == "work.round_closed":
                self._check_weights(before.views[int(fields["model_id"])], after, events)
        for event in events:
            self._forget(before, event)
        assert self.markets.app.bank.supply(after) == self.supply, "coins were made or lost"
        self._check_contributions(after)

    def _forget(self, before: Before, event: Event) -> None:
        """What nobody will ask for again."""
        fields = dict(event.attributes)
        if event.type == "work.round_settled":
            self.markets.forget(int(fields["model_id"]), int(fields["round"]))
        elif event.type == "work.round_failed":
            self.markets.forget(int(fields["model_id"]), int(fields["round"]), int(fields["attempt"]))
        elif event.type == "disputes.dispute_ended":
            self.duels.forget(int(fields["model_id"]), int(fields["round"]), int(fields["unit"]))

    def _count_accepted(self, before: Before, fields: Fields) -> None:
        self.accepted[int(fields["model_id"]), fields["trainer"]] += 1
        right = self.markets.is_right(self._round_of(before, fields), int(fields["unit"]))
        self.seen[f"accepted {'right' if right else 'wrong'} of {self.behaviours[fields['trainer']]}"] += 1

    def _count_revoked(self, before: Before, fields: Fields) -> None:
        self.accepted[int(fields["model_id"]), fields["trainer"]] -= 1
        self.supply -= int(fields["burnt_ugrad"])

    def _count_emitted(self, before: Before, fields: Fields) -> None:
        self.supply += int(fields["stakers_ugrad"]) + int(fields["community_ugrad"])

    def _count_minted(self, before: Before, fields: Fields) -> None:
        """No unit has more minted than its multiply-adds are worth."""
        spec, params = before.views[int(fields["model_id"])].spec, self.markets.app.rewards.params(before.ctx)
        assert int(fields["minted_ugrad"]) * GMA <= compute_unit_work(spec) * params.mint_price_ugrad_per_gma
        self.seen["rounds with emission"] += int(fields["minted_ugrad"]) > 0
        self.supply += int(fields["units"]) * int(fields["minted_ugrad"])

    def _check_excluded(self, before: Before, fields: Fields) -> None:
        """Who recomputes at once is never taken for wrong, nor for lazy while it may vote: a double vote removes it."""
        address = bytes.fromhex(fields["validator"])
        behaviour = self.validators.behaviours[address]
        self.seen[f"{behaviour} auditor excluded for {fields['reason']}"] += 1
        is_silenced = fields["reason"] == "missed" and not \
            self.markets.app.validators.find_validator(before.ctx, address).power
        assert behaviour != "honest" or is_silenced, f"an honest auditor was excluded: {fields}"

    def _check_verdict(self, before: Before, fields: Fields) -> None:
        """A verdict is the truth, whoever made the claim and however late it comes, unless accomplices are the quorum.

        Nobody can have a right claim called wrong.
        """
        owner = self._round_of(before, fields)
        is_late = owner.phase == ROUND_PHASE_CLOSED
        self.seen[f"{'late ' if is_late else ''}verdict {fields['verdict']}"] += 1
        if fields["verdict"] == "expired":
            return
        right = self.markets.is_right(owner, int(fields["unit"]))
        if fields["verdict"] == "match" and not right:
            subject = unit_subject(owner.model_id, owner.number, owner.attempt, int(fields["unit"]))
            audit = self.markets.app.audits.find_audit(before.ctx, confirmation_of(subject)) \
                or self.markets.app.audits.get_audit(before.ctx, subject)
            assert self.validators.is_vouched(audit), f"verdict {fields}, but the claim is wrong"
            self.seen["verdict match of accomplices"] += 1
        else:
            assert (fields["verdict"] == "match") == right, f"verdict {fields}, but the claim is right: {right}"

    def _check_slash(self, before: Before, fields: Fields) -> None:
        """Only who cheated or fell silent is slashed; what is burnt leaves the supply."""
        behaviour = self.behaviours[fields["trainer"]]
        self.seen[f"slashed for {fields['reason']}"] += 1
        self.seen[f"{behaviour} slashed for {fields['reason']}"] += 1
        assert fields["trainer"] not in self.trustworthy, f"an honest trainer was slashed: {fields}"
        if fields["reason"] == "mismatch":
            assert not self.markets.is_right(self._round_of(before, fields), int(fields["unit"]))
        burnt, amount = int(fields["burnt_ugrad"]), int(fields["amount_ugrad"])
        assert 0 <= burnt <= amount
        self.supply -= burnt

    def _check_dispute(self, before: Before, fields: Fields) -> None:
        """Whoever is right and moves has won; an executed operation says who was right."""
        place = int(fields["model_id"]), int(fields["round"]), int(fields["unit"])
        dispute = self.markets.app.disputes.get_dispute(before.ctx, *place)
        challenger = self.duels.names[dispute.challenger]
        winner, reason = fields["winner"], fields["reason"]
        self.seen[f"dispute of {challenger}: {winner}, {reason}"] += 1
        self.supply -= int(fields["burnt_ugrad"])
        if winner == "claimant":
            assert challenger != WATCHER, f"a challenger who was right has lost: {fields}"
        elif winner == "challenger":
            assert dispute.claimant not in self.trustworthy, f"an honest claimant has lost: {fields}"
        if reason == "executed" and winner == "challenger":
            assert not self.markets.is_right(self._round_of(before, fields), place[2]), f"a right claim lost: {fields}"

    def _check_pay(self, before: Before, fields: Fields) -> None:
        """A unit is paid what was booked for it, once, while it is accepted, and when its window is over."""
        model_id, number, index = int(fields["model_id"]), int(fields["round"]), int(fields["unit"])
        owner = self._round_of(before, fields)
        assert 0 < owner.settle_height <= before.ctx.height + 1, "paid while it can be challenged"
        vesting = before.vestings[model_id, number]
        unit = self.markets.app.work.get_unit(before.ctx, model_id, number, index)
        assert unit.status == UNIT_STATUS_ACCEPTED and unit.trainer == fields["trainer"], f"paid, but {unit}"
        assert int(fields["amount_ugrad"]) == vesting.escrow_ugrad + vesting.minted_ugrad
        self.paid[model_id, number, index] += 1
        assert self.paid[model_id, number, index] == 1, f"paid twice: {fields}"
        right = self.markets.is_right(owner, index)
        self.seen[f"paid {'right' if right else 'wrong'} of {self.behaviours[fields['trainer']]}"] += 1

    def _check_weights(self, view: View, after: Ctx, events: list[Event]) -> None:
        """The weights are the outer step over the payloads of the accepted units, and of no others."""
        model, running, training = view.model, view.running, view.spec.training
        self._check_draw(view, after)
        taken = [dict(event.attributes) for event in events if event.type == "work.unit_accepted"]
        units = [int(one["unit"]) for one in taken if int(one["model_id"]) == model.id]
        payloads = [self.markets.kept_claim(running, view.units[unit]).payload for unit in units]
        mean = aggregate(training.aggregation, payloads, mlp.param_count(tuple(view.spec.mlp_classifier.widths)),
                         training.trim, training.codec)
        models = self.markets.app.models
        weights, momentum = outer_step(view.weights, view.momentum, mean, training.outer_learning_rate_q16,
                                       training.outer_momentum_q16)
        assert models.load_weights(after, model.id, model.rounds_closed + 1) == weights
        assert models.load_momentum(after, model.id) == momentum
        assert models.get_model(after, model.id).rounds_closed == model.rounds_closed + 1

    def _check_draw(self, view: View, after: Ctx) -> None:
        """The units that were audited are those that the revealed salts name; unless all in this very block."""
        draw = read_draw(view.running, view.units)
        if draw is not None:
            outcome = compare_draw(draw, after.chain_id, view.model.id, view.spec.audit.rate_ppm)
            assert outcome is Outcome.EQUAL, f"not the draw of round {draw.number} of model {view.model.id}: {draw}"
            self.seen["rounds audited whole for a withheld reveal" if draw.withheld_count else "rounds audited"] += 1

    def _check_contributions(self, after: Ctx) -> None:
        """Every accepted unit that was not proved wrong since is booked once."""
        booked = {(one.model_id, one.trainer): one.units for one in self.markets.app.rewards.iter_contributions(after)
                  if one.units}
        assert booked == +self.accepted

    def _round_of(self, before: Before, fields: Fields) -> Round:
        return self.markets.app.work.get_round(before.ctx, int(fields["model_id"]), int(fields["round"]))

    CHECKS = {
        "work.unit_audited": _check_verdict, "work.trainer_slashed": _check_slash,
        "work.unit_accepted": _count_accepted,
        "rewards.trainer_paid": _check_pay, "rewards.unit_revoked": _count_revoked,
        "rewards.block_rewarded": _count_emitted, "rewards.round_booked": _count_minted,
        "audits.auditor_excluded": _check_excluded, "disputes.dispute_ended": _check_dispute,
    }
