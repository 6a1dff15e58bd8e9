"""The chain's price for audits: no contract has auditors work for less, and who makes one is told what is enough."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from abci_app.runtime.contract import GMA, compute_audit_fee, compute_audit_fee_min, compute_drawn_count
from abci_app.wire.coin import base_coin, coin_pb
from abci_app.wire.pb.gradus.models.v1.models_pb2 import ModelSpec, Params
from abci_app.wire.pb.gradus.models.v1.query_pb2 import QueryParamsRequest
from abci_app.wire.pb.gradus.models.v1.tx_pb2 import MsgAttachData, MsgCreateModel, MsgUpdateModel
from abci_app.x.models.errors import AuditFeeTooLow
from abci_app.x.models.types import check_spec, defaults, terms
from abci_app.x.models.types.terms import GOVERNANCE, PARAMS_DEFAULT
from kernels.unit import unit_cost
from tests.unit.models.rooms import ALICE_TEXT, Rooms, create_msg, small_spec

PRICE = 10_000_000  # at which the small contract's audits cost a few hundred thousand ugrad


def priced(price_ugrad_per_gma: int = PRICE) -> Rooms:
    rooms = Rooms()
    rooms.models.put_params(rooms.ctx, Params(audit_price_ugrad_per_gma=price_ugrad_per_gma))
    return rooms


def least_of(spec: ModelSpec, price_ugrad_per_gma: int = PRICE) -> int:
    """As README.md of the room says it."""
    cost = unit_cost(terms.compute_unit_policy(spec, spec.training.learning_rate.peak_q16))
    drawn = max(1, -(-spec.training.units_max * spec.audit.rate_ppm // 10**6))
    return -(-drawn * cost * spec.audit.committee_max * price_ugrad_per_gma // GMA)


def with_fee(spec: ModelSpec, fee_ppm: int) -> ModelSpec:
    spec.audit.audit_fee_ppm = fee_ppm
    return spec


def test_contract_whose_fee_does_not_pay_its_auditors_is_refused_with_the_least_that_does() -> None:
    rooms, before = priced(), priced().state()
    least = least_of(small_spec())
    assert 50_000 < least < 500_000
    with pytest.raises(AuditFeeTooLow, match=f"at least {least}, an audit_fee_ppm of {least} of the reward of 1000000"):
        rooms.deliver(create_msg(small_spec()))
    with pytest.raises(AuditFeeTooLow):
        rooms.deliver(create_msg(with_fee(small_spec(), least - 1)))
    assert rooms.state() == before
    assert rooms.create(with_fee(small_spec(), least)).id == 1 and rooms.broken() == []


def test_contract_whose_reward_is_too_small_for_any_fee_is_told_the_reward_that_is_enough() -> None:
    rooms = priced()
    spec = small_spec(round_reward_ugrad=1_000)
    reward = 2 * least_of(spec)
    with pytest.raises(AuditFeeTooLow, match=f"a reward of {reward} with an audit_fee_ppm of 500000"):
        rooms.deliver(create_msg(with_fee(spec, 500_000)))
    assert rooms.create(with_fee(small_spec(round_reward_ugrad=reward), 500_000)).id == 1


def test_free_contract_is_refused_at_the_default_price() -> None:
    rooms = Rooms()
    assert rooms.query("/gradus.models.v1.Query/Params", QueryParamsRequest()).params == PARAMS_DEFAULT
    with pytest.raises(AuditFeeTooLow, match="a reward of 2 with an audit_fee_ppm of 500000"):
        rooms.deliver(create_msg(small_spec(round_reward_ugrad=0)))
    with pytest.raises(AuditFeeTooLow):
        rooms.deliver(create_msg(with_fee(small_spec(), 0)))


@pytest.mark.parametrize("change", [
    {"audit": {"committee_max": 64}}, {"audit": {"rate_ppm": 1_000_000}}, {"training": {"units_max": 64}},
    {"training": {"local_steps": 64}}, {"economy": {"round_reward_ugrad": 100_000}}])
@pytest.mark.parametrize("authority", [ALICE_TEXT, GOVERNANCE])
def test_change_that_makes_audits_dearer_than_their_fee_is_refused_whoever_asks(
        authority: str, change: dict[str, dict[str, Any]]) -> None:
    rooms, spec = priced(), small_spec()
    for field in ("audit.committee_max", "audit.rate_ppm", "training.units_max", "training.local_steps",
                  "economy.round_reward_ugrad"):
        spec.limits.ranges.add(field=field, max=2**40)
    spec.limits.ranges.sort(key=lambda one: one.field)
    rooms.create(with_fee(spec, least_of(spec)))
    for policy, fields in change.items():
        for name, value in fields.items():
            setattr(getattr(spec, policy), name, value)
        message = MsgUpdateModel(authority=authority, model_id=1)
        getattr(message, policy).CopyFrom(getattr(spec, policy))
    with pytest.raises(AuditFeeTooLow):
        rooms.deliver(message)
    rooms.audit_for_nothing()
    assert rooms.deliver(message).spec_version == 2


def test_contract_of_a_genesis_below_the_price_stands_and_is_not_changed_without_a_fee_that_is_enough() -> None:
    rooms = Rooms()
    rooms.create()
    exported = rooms.export()
    assert exported["models"]["params"] == {"audit_price_ugrad_per_gma": "1"}
    exported["models"]["params"] = {"audit_price_ugrad_per_gma": str(PRICE)}
    again = Rooms(exported)
    assert again.export() == exported and again.broken() == []
    with pytest.raises(AuditFeeTooLow):
        again.deliver(MsgAttachData(admin=ALICE_TEXT, model_id=1, rounds_more=5))


def test_chain_without_a_price_is_exported_as_one() -> None:
    rooms = priced(0)
    assert rooms.export()["models"]["params"] == {}
    assert Rooms(rooms.export()).export() == rooms.export()


@settings(max_examples=40, deadline=None)
@given(rate_ppm=st.integers(1, 10**6), committee=st.integers(1, 64), units=st.integers(4, 64),
       price=st.integers(0, 10**9), reward=st.integers(0, 10**9))
def test_least_fee_is_what_the_check_takes_and_one_less_is_refused(
        rate_ppm: int, committee: int, units: int, price: int, reward: int) -> None:
    spec = small_spec(round_reward_ugrad=reward)
    spec.audit.rate_ppm, spec.audit.committee_max, spec.training.units_max = rate_ppm, committee, units
    assert compute_audit_fee_min(spec, price) == least_of(spec, price)
    assert 1 <= compute_drawn_count(units, rate_ppm) <= units
    least_ppm = terms.compute_audit_fee_ppm_min(spec, price)
    for fee_ppm in (0, 500_000) if least_ppm is None else (least_ppm, max(least_ppm - 1, 0)):
        spec.audit.audit_fee_ppm = fee_ppm
        if compute_audit_fee(spec) >= least_of(spec, price):
            terms.check_audit_fee(spec, price)
            assert least_ppm is not None and fee_ppm >= least_ppm
        else:
            with pytest.raises(AuditFeeTooLow):
                terms.check_audit_fee(spec, price)
    assert defaults.choose_audit_fee_ppm(spec, price) == (500_000 if least_ppm is None else max(50_000, least_ppm))


def test_default_terms_cover_the_price_that_they_are_told() -> None:
    spec = small_spec(audit_price_ugrad_per_gma=PRICE)
    check_spec(spec)
    assert spec.audit.audit_fee_ppm == least_of(spec)
    rooms = priced()
    escrow = coin_pb(base_coin(5_000_000))
    rooms.deliver(MsgCreateModel(creator=ALICE_TEXT, spec=spec, escrow=escrow))
    assert rooms.broken() == []
