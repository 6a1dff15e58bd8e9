"""The most that a unit may have minted: what its contract's bond deters, and what its multiply-adds are worth."""

from hypothesis import given
from hypothesis import strategies as st

from abci_app.runtime.contract import compute_unit_work
from abci_app.wire.ints import U64_MAX
from abci_app.wire.pb.gradus.rewards.v1.rewards_pb2 import Params
from abci_app.wire.pb.gradus.work.v1.work_pb2 import SLASH_REASON_MISMATCH, SLASH_REASON_WITHHELD
from abci_app.x.models.types.terms import UNIT_COST_MAX, check_unit, compute_burn_min
from abci_app.x.rewards.types import compute_bond_max, compute_minted_max, compute_work_max, default_params
from abci_app.x.work.types import compute_slash
from tests.unit.models.rooms import ALICE, BOB, BOB_TEXT, small_spec
from tests.unit.rewards.emitting import back, end_block, generous_spec, new_rooms, pay


@given(bond=st.integers(0, 2**64 - 1), reward=st.integers(0, 2**40), rate=st.integers(1, 10**6),
       slash=st.integers(1, 10**6), burn=st.integers(0, 10**6), withhold=st.integers(0, 10**6))
def test_emission_of_a_unit_never_makes_cheating_pay(
        bond: int, reward: int, rate: int, slash: int, burn: int, withhold: int) -> None:
    """What is burnt for a wrong or a withheld claim deters with the emission as without, and not with one ugrad more.
    """
    spec = generous_spec(round_reward_ugrad=reward)
    spec.economy.bond_ugrad = bond
    spec.audit.rate_ppm, spec.audit.mismatch_slash_ppm, spec.audit.burn_ppm = rate, slash, burn
    spec.audit.withhold_slash_ppm = withhold
    most = compute_bond_max(spec)
    taken, offered = compute_slash(bond, spec.audit, SLASH_REASON_MISMATCH)
    burnt = min(taken - offered, compute_slash(bond, spec.audit, SLASH_REASON_WITHHELD)[0])
    economy = type(spec.economy)()
    for minted, is_deterred in ((most, True), (most + 1, False)):
        if reward + minted > U64_MAX or most == U64_MAX:
            continue
        economy.round_reward_ugrad = reward + minted
        if most or is_deterred and burnt >= compute_burn_min(spec.economy, spec.audit):
            assert (burnt >= compute_burn_min(economy, spec.audit)) == is_deterred


def test_unit_has_no_more_minted_than_its_contracts_bond_deters() -> None:
    rooms = new_rooms()
    spec = small_spec()
    spec.economy.bond_ugrad = 6_000_300  # burnt: 1500075; at 40 %, 1000050 deterred, of which the reward is 1000000
    assert compute_bond_max(spec) == 50
    model = rooms.create(spec)
    back(rooms, BOB_TEXT, 1)
    rooms.rewards.open_round(rooms.ctx, model.id)
    end_block(rooms, 2)
    assert pay(rooms, model, 1, [ALICE, BOB], dealt=2) == 500_000 + 50
    assert rooms.rewards.emission(rooms.ctx).work_ugrad == 100 and rooms.broken() == []


def test_unit_has_no_more_minted_than_its_multiply_adds_are_worth() -> None:
    rooms = new_rooms(mint_price_ugrad_per_gma=1_000_000)
    model = rooms.create(generous_spec(round_reward_ugrad=0))
    assert compute_unit_work(model.spec) == 71_814  # times 10^6 / 10^9: 71.8
    back(rooms, BOB_TEXT, 1)
    rooms.rewards.open_round(rooms.ctx, model.id)
    end_block(rooms, 2)
    assert pay(rooms, model, 1, [ALICE, BOB], dealt=2) == 71
    assert rooms.rewards.emission(rooms.ctx).work_ugrad == 142 and rooms.broken() == []


def test_unit_with_less_accrued_than_its_work_is_worth_has_what_was_accrued() -> None:
    rooms = new_rooms(mint_price_ugrad_per_gma=10_000_000)  # 718 for a unit
    model = rooms.create(generous_spec(round_reward_ugrad=0))
    back(rooms, BOB_TEXT, 500)
    rooms.rewards.open_round(rooms.ctx, model.id)
    end_block(rooms)
    assert pay(rooms, model, 1, [ALICE], dealt=1) == 500 and rooms.broken() == []


def test_nothing_is_minted_for_work_at_a_price_of_0() -> None:
    rooms = new_rooms(mint_price_ugrad_per_gma=0)
    model = rooms.create(generous_spec(round_reward_ugrad=10))
    back(rooms, BOB_TEXT, 700)
    rooms.rewards.open_round(rooms.ctx, model.id)
    end_block(rooms, 2)
    supply = rooms.bank.supply(rooms.ctx)
    assert pay(rooms, model, 1, [ALICE], dealt=1) == 10
    assert rooms.bank.supply(rooms.ctx) == supply and rooms.rewards.emission(rooms.ctx).work_ugrad == 0
    assert rooms.broken() == []


def test_pay_is_by_the_price_that_the_round_closes_at_and_the_terms_that_it_had() -> None:
    rooms = new_rooms(mint_price_ugrad_per_gma=1_000_000)
    model = rooms.create(generous_spec(round_reward_ugrad=0))
    later = rooms.create(generous_spec(round_reward_ugrad=0)).spec
    later.training.local_steps = later.training.trace_every = 2
    back(rooms, BOB_TEXT, 1)
    rooms.rewards.open_round(rooms.ctx, model.id)
    end_block(rooms)
    assert rooms.rewards.pay_round(rooms.ctx, model.id, later, 1, [(0, ALICE)], 1) == (
        compute_unit_work(later) * 1_000_000 // 10**9) < 71
    assert rooms.broken() == []


@given(steps=st.integers(1, 64), rows=st.integers(1, 64), price=st.integers(0, 2**64 - 1))
def test_work_is_worth_its_multiply_adds_and_splitting_it_never_more(steps: int, rows: int, price: int) -> None:
    spec, params = small_spec(), Params(mint_price_ugrad_per_gma=price)
    training = spec.training
    training.local_steps, training.batch_rows, training.trace_every = steps, rows, 1
    whole = compute_work_max(spec, params)
    assert whole == min(compute_unit_work(spec) * price // 10**9, U64_MAX)
    training.local_steps = 1
    assert min(steps * compute_unit_work(spec) * price // 10**9, U64_MAX) >= whole
    spec.economy.bond_ugrad = U64_MAX
    assert compute_minted_max(spec, params) == min(compute_bond_max(spec), compute_work_max(spec, params))


def test_bounds_of_a_large_unit_at_the_largest_price_fit_the_record() -> None:
    assert compute_minted_max(generous_spec(), default_params()) == 71_814 * 4 // 100 == 2_872
    spec = generous_spec()
    spec.audit.rate_ppm = 10**6
    spec.mlp_classifier.widths[:] = (4, 128, 64, 3)
    spec.training.local_steps = 4_096
    check_unit(spec)
    assert 10**9 < compute_unit_work(spec) < UNIT_COST_MAX
    assert compute_bond_max(spec) == U64_MAX
    assert compute_work_max(spec, Params(mint_price_ugrad_per_gma=U64_MAX)) == U64_MAX
    assert compute_minted_max(spec, Params(mint_price_ugrad_per_gma=U64_MAX)) == U64_MAX
