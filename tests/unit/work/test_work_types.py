"""The pure rules: dealing, drawing, slashing, evidence rows, gas; and that broken states are noticed."""

from collections.abc import Callable

from hypothesis import given
from hypothesis import strategies as st

from abci_app.runtime.context import Ctx
from abci_app.runtime import contract
from abci_app.wire.ints import PPM, U64_MAX
from abci_app.wire.pb.gradus.models.v1.models_pb2 import MODEL_STATUS_OPEN, MODEL_STATUS_TRAINING, Model
from abci_app.wire.pb.gradus.work.v1.work_pb2 import (
    AUDIT_VERDICT_MATCH, ROUND_PHASE_REVEAL, TRAINER_STATUS_STOOD_DOWN, UNIT_STATUS_ACCEPTED, UNIT_STATUS_MISSED, Round,
)
from abci_app.wire.row import split_rows
from abci_app.x.work import types
from kernels.unit import unit_cost
from tests.sim.rows import MemoryRows, new_rows
from tests.unit.work.market import Market, small_spec

NewMarket = Callable[..., Market]
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
    model = Model(status=MODEL_STATUS_OPEN)
    model.spec.training.trainers_min = 12
    for rule, trim, needed in (("mean", 0, 1), ("trimmed_mean", 2, 5), ("nnm+median", 2, 5), ("krum", 2, 7),
                               ("nnm+multi_krum", 0, 3)):
        model.spec.training.aggregation, model.spec.training.trim = rule, trim
        model.status = MODEL_STATUS_OPEN
        assert types.compute_trainers_needed(model) == 12
        model.status = MODEL_STATUS_TRAINING
        assert types.compute_trainers_needed(model) == types.compute_payloads_needed(model.spec.training) == needed


@given(SEEDS, st.lists(st.integers(0, 63), min_size=1, max_size=64, unique=True), st.integers(0, PPM))
def test_drawing_takes_the_rate_rounded_up_and_at_least_one(seed: bytes, revealed: list[int], rate_ppm: int) -> None:
    drawn = types.draw_units(seed, sorted(revealed), rate_ppm)
    exact = -(-len(revealed) * rate_ppm // PPM)
    assert len(drawn) == max(exact, 1)
    assert drawn == sorted(dict.fromkeys(drawn))
    assert all(index in revealed for index in drawn)


@given(st.integers(0, U64_MAX), st.integers(0, PPM), st.integers(0, PPM))
def test_slash_never_takes_more_than_there_is(bond_ugrad: int, slash_ppm: int, burn_ppm: int) -> None:
    amount, burnt = types.compute_slash(bond_ugrad, slash_ppm, burn_ppm)
    assert 0 <= burnt <= amount <= bond_ugrad
    assert slash_ppm < PPM or amount == bond_ugrad
    assert burn_ppm < PPM or burnt == amount


@given(SEEDS, st.integers(0, 63))
def test_evidence_gives_back_the_drawn_rows_in_the_order_of_use(seed: bytes, index: int) -> None:
    table = new_rows("types", 20, 5, 4, 3)
    model = Model(id=1, spec=small_spec(local_steps=5, batch_rows=7, trace_every=1))
    model.spec.dataset.CopyFrom(table.terms)
    drawn = types.draw_unit_rows(model.spec, Round(seed=seed), index)
    distinct = types.distinct_rows(drawn)
    source = MemoryRows()
    source.add(table)
    found = source.find_rows(table.terms.rows_root, distinct)
    assert found is not None and len(drawn) == 35 and max(drawn) < 20
    features, labels = types.join_unit_rows(drawn, distinct, split_rows(found[0], 4), 4)
    assert features == b"".join(table.rows[row][:4] for row in drawn)
    assert labels == b"".join(table.rows[row][4:] for row in drawn)


def test_audit_gas_is_a_formula_of_the_shape() -> None:
    spec = small_spec()
    cost = unit_cost(contract.compute_unit_policy(spec, 1))
    assert contract.compute_audit_gas(spec) == 4 * 2_000 + -(-cost // 1_000) + 16 * 12 + 2  # 12 rows of 6 bytes


def test_invariants_notice_what_they_are_for(new_market: NewMarket) -> None:
    market = new_market(rate_ppm=1_000_000)
    market.commit_all()
    market.reveal_all()
    market.block()
    keeper, ctx = market.chain.app.work, market.chain.ctx()
    unit, trainer, running = market.units()[0], market.trainer("ann"), market.round()

    def noticed(change: Callable[[Ctx], object]) -> list[str]:
        layer = ctx.branch()
        change(layer)
        return [line.partition(":")[0] for line in market.chain.app.check_invariants(layer)]

    def with_trainer(**fields: object) -> Callable[[Ctx], object]:
        changed = type(trainer)()
        changed.CopyFrom(trainer)
        for name in fields:
            setattr(changed, name, fields[name])
        return lambda layer: keeper.put_trainer(layer, changed)

    def with_unit(**fields: object) -> Callable[[Ctx], object]:
        changed = type(unit)()
        changed.CopyFrom(unit)
        for name in fields:
            setattr(changed, name, fields[name])
        return lambda layer: keeper.put_unit(layer, changed)

    def with_round(**fields: object) -> Callable[[Ctx], object]:
        changed = Round()
        changed.CopyFrom(running)
        for name in fields:
            setattr(changed, name, fields[name])
        return lambda layer: keeper.put_round(layer, changed)

    assert noticed(lambda layer: None) == []
    assert noticed(with_trainer(bond_ugrad=trainer.bond_ugrad + 1)) == ["work/bonds"]
    assert noticed(with_trainer(bond_ugrad=0)) == ["work/bonds"]
    assert noticed(with_trainer(open_units=2)) == ["work/open_units"]
    assert noticed(lambda layer: keeper.drop_trainer(layer, trainer)) == ["work/bonds", "work/open_units"]
    assert noticed(lambda layer: keeper._mark_active(layer, 1, bytes(20), True)) == ["work/active"]
    assert noticed(with_trainer(status=TRAINER_STATUS_STOOD_DOWN)) == []
    assert noticed(with_unit(status=UNIT_STATUS_MISSED)) == ["work/open_units", "work/payloads"]
    assert noticed(with_unit(status=UNIT_STATUS_ACCEPTED)) == ["work/open_units", "work/rounds"]
    assert noticed(with_unit(verdict=AUDIT_VERDICT_MATCH)) == ["work/rounds", "work/audits"]
    assert noticed(with_unit(payload_root=bytes(32))) == ["work/payloads"]
    assert noticed(with_round(waiting_count=1)) == ["work/rounds"]
    assert noticed(with_round(accepted_count=1)) == ["work/rounds"]
    assert noticed(with_round(phase=ROUND_PHASE_REVEAL)) == ["work/rounds"]
    assert noticed(with_round(number=3)) == ["work/rounds", "work/due"]
    assert noticed(with_round(audit_seed=b"")) == ["work/audits", "work/due"]
    assert noticed(with_round(deadline_height=99)) == ["work/due"]
    assert noticed(with_round(due_height=running.due_height - 1)) == ["work/due"]
    assert noticed(lambda layer: keeper.drop_payload(layer, unit)) == ["work/payloads"]
    assert noticed(lambda layer: keeper.move_due(layer, running, 0)) == ["work/due"]
    assert noticed(lambda layer: keeper.mark_idle(layer, 1)) == ["work/due"]
    assert noticed(lambda layer: keeper.drop_pending(layer, unit)) == ["work/audits"]
    assert noticed(lambda layer: keeper.drop_units(layer, 1, 1))[:1] == ["work/open_units"]
