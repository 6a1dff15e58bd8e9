"""The pure rules: dealing, drawing, slashing, parts of payloads, terms; and that broken states are noticed."""

from collections.abc import Callable
from math import comb
from typing import TypeVar

from hypothesis import given
from hypothesis import strategies as st

from abci_app.runtime.context import Ctx
from abci_app.runtime.contract import compute_drawn_count
from abci_app.wire.audit import unit_subject
from abci_app.wire.ints import PPM, U64_MAX
from abci_app.wire.pb.gradus.models.v1.models_pb2 import (
    MODEL_STATUS_OPEN, MODEL_STATUS_TRAINING, AuditPolicy, TrainingPolicy,
)
from abci_app.wire.pb.gradus.work.v1.work_pb2 import (
    AUDIT_VERDICT_MATCH, AUDIT_VERDICT_UNSPECIFIED, ROUND_PHASE_REVEAL, SLASH_REASON_DISPUTE,
    SLASH_REASON_MISMATCH, SLASH_REASON_WITHHELD, TRAINER_STATUS_STOOD_DOWN, UNIT_STATUS_ACCEPTED, UNIT_STATUS_MISSED,
    Round, Trainer, Unit,
)
from abci_app.wire.row import CLASSES, RowForm
from abci_app.x.work import keys, types
from kernels.payload import CODECS, payload_bytes, region_bytes
from tests.unit.work.market import Market, small_spec

NewMarket = Callable[..., Market]
Record = TypeVar("Record", Trainer, Unit, Round)
SEEDS = st.binary(min_size=32, max_size=32)


@given(SEEDS, st.integers(0, 70), st.integers(1, 64))
def test_dealing_gives_one_unit_each_up_to_the_most(seed: bytes, count: int, units_max: int) -> None:
    addresses = [index.to_bytes(20, "big") for index in range(count)]
    dealt = types.deal_units(seed, addresses, units_max)
    assert len(dealt) == min(count, units_max)
    assert len(dict.fromkeys(dealt)) == len(dealt)
    assert all(address in addresses for address in dealt)


def test_after_the_first_round_as_many_trainers_are_needed_as_the_rule_needs_payloads() -> None:
    """So who is slashed below trainers_min does not stop the training, while the rule still withstands its trim."""
    training = TrainingPolicy(trainers_min=12)
    for rule, trim, needed in (("mean", 0, 1), ("trimmed_mean", 2, 5), ("nnm+median", 2, 5), ("krum", 2, 7),
                               ("nnm+multi_krum", 0, 3)):
        training.aggregation, training.trim = rule, trim
        assert types.compute_trainers_needed(MODEL_STATUS_OPEN, training) == 12
        assert types.compute_trainers_needed(MODEL_STATUS_TRAINING, training) == needed
        assert types.compute_payloads_needed(training) == needed


@given(SEEDS, st.lists(st.integers(0, 63), min_size=1, max_size=64, unique=True), st.integers(0, PPM),
       st.integers(0, 2))
def test_drawing_takes_the_rate_rounded_up_and_at_least_one_and_all_where_one_was_withheld(
        seed: bytes, revealed: list[int], rate_ppm: int, withheld_count: int) -> None:
    drawn = types.draw_units(seed, sorted(revealed), rate_ppm, withheld_count)
    exact = -(-len(revealed) * rate_ppm // PPM)
    assert len(drawn) == (len(revealed) if withheld_count else max(exact, 1))
    assert drawn == sorted(dict.fromkeys(drawn))
    assert all(index in revealed for index in drawn)


@given(units=st.integers(1, 64), part=st.integers(1, 64), rate_ppm=st.integers(1, PPM - 1), lost=st.integers(0, 10**9))
def test_hand_of_any_number_of_wrong_claims_gains_nothing_by_what_it_withholds(
        units: int, part: int, rate_ppm: int, lost: int) -> None:
    """It reveals all, knowing the draw, or loses as much with each as if all were drawn; exact means, by the terms that
    deter a single claim."""
    own, drawn = min(part, units), compute_drawn_count(units, rate_ppm)
    gained = lost * rate_ppm // (PPM - rate_ppm)  # what a unit may earn at most
    ways = sum(comb(own, seen) * comb(units - own, drawn - seen)
               * max(gained * (own - seen) - lost * seen, -lost * own) for seen in range(min(own, drawn) + 1))
    assert ways <= 0


@given(st.integers(0, U64_MAX), st.integers(0, PPM), st.integers(0, PPM))
def test_slash_never_takes_more_than_there_is_and_burns_its_part(bond_ugrad: int, slash_ppm: int,
                                                                 burn_ppm: int) -> None:
    policy = AuditPolicy(mismatch_slash_ppm=slash_ppm, withhold_slash_ppm=slash_ppm, burn_ppm=burn_ppm)
    amount, offered = types.compute_slash(bond_ugrad, policy, SLASH_REASON_MISMATCH)
    assert amount == bond_ugrad * slash_ppm // PPM
    assert amount - offered == amount * burn_ppm // PPM
    assert types.compute_slash(bond_ugrad, policy, SLASH_REASON_DISPUTE) == (amount, offered // 2)
    assert types.compute_slash(bond_ugrad, policy, SLASH_REASON_WITHHELD) == (amount, 0)


def test_parts_of_a_payload_are_whole_regions_and_their_sizes_add_up() -> None:
    spec = small_spec()
    for hidden in (1, 300, 10_000, 65_536):
        spec.mlp_classifier.widths[1] = hidden
        count = 4 * hidden + hidden + hidden * 3 + 3
        for spec.training.codec in CODECS:
            sizes = types.compute_part_sizes(spec)
            assert sum(sizes) == payload_bytes(count, spec.training.codec)
            assert all(0 < size <= types.PART_BYTES for size in sizes)
            assert all(size % region_bytes(spec.training.codec) == 0 for size in sizes[:-1])
            assert all(2 * size > types.PART_BYTES for size in sizes[:-1])
    spec.training.codec = "int8/256"
    assert len(types.compute_part_sizes(spec)) == 2


def test_terms_of_a_unit_say_all_that_a_replay_needs() -> None:
    spec = small_spec(local_steps=5, batch_rows=7, trace_every=1)
    owner = Round(seed=bytes(range(32)), learning_rate_q16=77, weights_root=b"w" * 32, attempt=3)
    unit = Unit(index=6, trainer="gradus1x", payload_root=b"p" * 32, trace_root=b"t" * 32)
    terms = types.new_unit_terms(spec, owner, unit)
    rows = terms.list_rows()
    assert (len(rows), max(rows) < 32, terms.row_count) == (35, True, 40)
    assert rows == types.draw_unit_rows(spec, owner, 6) == [terms.find_row(place) for place in range(35)]
    assert (terms.policy.local_steps, terms.policy.optimiser.learning_rate_q16) == (5, 77)
    assert (terms.form, terms.rows_root) == (RowForm(CLASSES, 4, 3), spec.dataset.rows_root)
    assert (terms.weights_root, terms.payload_root, terms.trace_root) == (b"w" * 32, b"p" * 32, b"t" * 32)
    assert (terms.claimant, terms.attempt, terms.first_step) == ("gradus1x", 3, 0)


def test_only_accepted_units_in_their_window_can_be_challenged() -> None:
    unit, owner = Unit(status=UNIT_STATUS_ACCEPTED), Round(settle_height=9)
    assert [types.is_challengeable(unit, owner, height) for height in (1, 9, 10)] == [True, True, False]
    assert not types.is_challengeable(Unit(status=UNIT_STATUS_ACCEPTED, disputed=True), owner, 5)
    assert not types.is_challengeable(Unit(status=UNIT_STATUS_MISSED), owner, 5)
    assert not types.is_challengeable(unit, Round(settle_height=9, settled_height=9), 9)
    assert not types.is_challengeable(unit, Round(), 1)


Change = Callable[[Ctx], object]


class Broken:
    """A market in the audits of its second round, and the names of the invariants that a change of its state breaks."""

    def __init__(self, market: Market) -> None:
        market.run_round()
        market.reach_audit()
        self.app, self.ctx, self.keeper = market.chain.app, market.chain.ctx(), market.chain.app.work
        self.unit, self.trainer = market.units()[0], market.trainer("ann")
        self.closed, self.running = market.round(1), market.round()

    def noticed(self, change: Change) -> list[str]:
        layer = self.ctx.branch()
        change(layer)
        return [line.partition(":")[0] for line in self.app.check_invariants(layer)]

    def with_trainer(self, **fields: object) -> list[str]:
        return self.noticed(lambda layer: self.keeper.put_trainer(layer, changed(self.trainer, fields)))

    def with_unit(self, **fields: object) -> list[str]:
        return self.noticed(lambda layer: self.keeper.put_unit(layer, changed(self.unit, fields)))

    def with_running(self, **fields: object) -> list[str]:
        return self.noticed(lambda layer: self.keeper.put_round(layer, changed(self.running, fields)))

    def with_closed(self, **fields: object) -> list[str]:
        return self.noticed(lambda layer: self.keeper.put_round(layer, changed(self.closed, fields)))


def changed(record: Record, fields: dict[str, object]) -> Record:
    copy = type(record)()
    copy.CopyFrom(record)
    for name in fields:
        setattr(copy, name, fields[name])
    return copy


def test_invariants_notice_broken_trainers_and_units(new_market: NewMarket) -> None:
    broken = Broken(new_market(rate_ppm=1_000_000, challenge_blocks=6))
    keeper, trainer, unit = broken.keeper, broken.trainer, broken.unit
    assert broken.noticed(lambda layer: None) == []
    assert broken.with_trainer(bond_ugrad=trainer.bond_ugrad + 1) == ["work/bonds"]
    assert broken.with_trainer(bond_ugrad=0) == ["work/bonds"]
    assert broken.with_trainer(open_units=3) == ["work/open_units"]
    assert broken.with_trainer(status=TRAINER_STATUS_STOOD_DOWN) == []
    assert broken.noticed(lambda layer: keeper.drop_trainer(layer, trainer)) == ["work/bonds", "work/open_units"]
    assert broken.noticed(lambda layer: keeper._mark_active(layer, 1, bytes(20), True)) == ["work/active"]
    assert broken.with_unit(status=UNIT_STATUS_MISSED) == ["work/open_units", "work/rounds", "work/payloads"]
    assert broken.with_unit(status=UNIT_STATUS_ACCEPTED) == ["work/rounds"]
    assert broken.with_unit(aggregated=True) == ["work/rounds"]
    assert broken.with_unit(verdict=AUDIT_VERDICT_MATCH) == ["work/rounds"]
    assert broken.with_unit(verdict=AUDIT_VERDICT_UNSPECIFIED) == ["work/rounds", "work/audits"]
    assert broken.with_unit(payload_root=bytes(32)) == ["work/payloads"]
    assert broken.with_unit(parts=2) == ["work/payloads"]
    assert broken.with_unit(salt=b"") == broken.with_unit(salt=bytes(31)) == ["work/rounds"]
    assert broken.with_unit(disputed=True) == ["work/settling"]
    assert broken.noticed(lambda layer: keeper.drop_payload(layer, unit)) == ["work/payloads"]
    assert broken.noticed(lambda layer: keeper.drop_units(layer, 1, 2))[:1] == ["work/open_units"]


def test_invariants_notice_broken_rounds_and_marks(new_market: NewMarket) -> None:
    broken = Broken(new_market(rate_ppm=1_000_000, challenge_blocks=6))
    keeper, running, closed = broken.keeper, broken.running, broken.closed
    assert broken.with_running(waiting_count=1) == ["work/rounds"]
    assert broken.with_running(withheld_count=1) == ["work/rounds"]
    mark = changed(running, {"model_id": 2})
    assert broken.noticed(lambda layer: keeper.mark_committed(layer, mark)) == ["work/audits"]
    assert broken.with_running(accepted_count=1) == ["work/rounds"]
    assert broken.with_running(phase=ROUND_PHASE_REVEAL) == ["work/rounds"]
    assert broken.with_running(number=4) == ["work/rounds", "work/due"]
    assert broken.with_running(audit_seed=b"") == ["work/audits", "work/due"]
    assert broken.with_running(deadline_height=99) == ["work/due"]
    assert broken.with_running(due_height=running.due_height - 1) == ["work/due"]
    assert broken.with_running(settle_height=99) == ["work/settling"]
    assert broken.with_closed(settled_height=5) == ["work/open_units", "work/settling", "work/pay"]
    assert broken.with_closed(settle_height=99) == ["work/settling"]
    assert broken.with_closed(disputed_count=1) == ["work/settling", "disputes/units"]
    assert broken.with_closed(accepted_count=3) == ["work/rounds"]
    assert broken.noticed(lambda layer: keeper.drop_settling(layer, closed)) == ["work/settling"]
    vesting = broken.app.rewards.find_vesting(broken.ctx, 1, 1)
    assert vesting is not None
    vesting.units[0].trainer, vesting.units[1].trainer = vesting.units[1].trainer, vesting.units[0].trainer
    assert broken.noticed(lambda layer: broken.app.rewards.put_vesting(layer, vesting)) == ["work/pay"]
    assert broken.noticed(lambda layer: keeper.move_due(layer, running, 0)) == ["work/due"]
    assert broken.noticed(lambda layer: layer.state.store("work").set(keys.idle(1), b"\x01")) == ["work/due"]
    subject = keeper.subject_of(broken.ctx, broken.unit)
    assert broken.noticed(lambda layer: keeper.audits.close_audit(layer, subject)) == ["work/audits"]
    stray = unit_subject(1, running.number, running.attempt, running.unit_count)
    assert broken.noticed(lambda layer: keeper.audits.open_audits(layer, 1, [(stray, bytes(20), bytes(32))])) \
        == ["work/audits"]
