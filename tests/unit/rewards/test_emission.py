"""Emission: nothing is minted that was not earned, never more than the schedule, and models accrue by their backing."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from abci_app.wire.address import decode_address
from abci_app.wire.coin import base_coin, coin_pb
from abci_app.wire.errors import InsufficientFunds, InvalidAddress, InvalidCoins, InvalidRequest, NotFound, OutOfGas
from abci_app.wire.ints import U64_MAX
from abci_app.wire.pb.cosmos.base.query.v1beta1.pagination_pb2 import PageRequest
from abci_app.wire.pb.gradus.models.v1.tx_pb2 import MsgCloseModel
from abci_app.wire.pb.gradus.rewards.v1 import query_pb2
from abci_app.wire.pb.gradus.rewards.v1.rewards_pb2 import Backing, Params, Unbacking
from abci_app.wire.pb.gradus.rewards.v1.tx_pb2 import MsgBack
from abci_app.x.models.errors import ModelNotFound
from abci_app.x.rewards import block, errors, types
from abci_app.x.rewards.types import (
    check_params, compute_block_reward, compute_bond_max, compute_parts, compute_schedule,
    compute_total, compute_work_max, default_params,
)
from tests.unit.models.rooms import (
    ALICE, ALICE_TEXT, BOB, BOB_TEXT, CAROL, CAROL_TEXT, FUNDS_UGRAD, PROPOSER, Rooms,
)
from tests.unit.rewards.emitting import (
    COMMUNITY, REWARDS, back, end_block, generous_spec, new_rooms, pay, unback,
)

PATH = "/gradus.rewards.v1.Query/"

PARAMS = st.builds(
    lambda initial, halving: Params(initial_block_reward_ugrad=initial, halving_blocks=halving, work_ppm=10**6,
                                    unback_blocks=1), st.integers(0, 2**20), st.integers(1, 60))


@given(params=PARAMS, height=st.integers(0, 500))
def test_schedule_is_the_sum_of_the_rewards_of_all_blocks(params: Params, height: int) -> None:
    rewards = [compute_block_reward(params, one) for one in range(1, height + 1)]
    assert compute_schedule(params, height) == sum(rewards)
    assert all(before >= after for before, after in zip(rewards, rewards[1:]))


@given(params=PARAMS)
def test_schedule_comes_to_an_end(params: Params) -> None:
    end = types.HALVINGS_MAX * params.halving_blocks
    assert compute_total(params) == compute_schedule(params, end) == compute_schedule(params, end + 10**9)
    assert compute_block_reward(params, end) == 0
    assert compute_total(params) < 2 * params.initial_block_reward_ugrad * params.halving_blocks or not compute_total(
        params)


def test_reward_halves_at_the_height_where_it_should() -> None:
    params = Params(initial_block_reward_ugrad=1_001, halving_blocks=10)
    rewards = [compute_block_reward(params, height) for height in (1, 9, 10, 19, 20, 99, 100, 2**63 - 1)]
    assert rewards == [1_001, 1_001, 500, 500, 250, 1, 0, 0]


@pytest.mark.parametrize(("changes", "problem"), [
    ({"stakers_ppm": 300_001}, "1000001"), ({"hosts_ppm": 0}, "900000"), ({"unback_blocks": 0}, "unback_blocks"),
    ({"unback_blocks": 10_000_001}, "unback_blocks"), ({"halving_blocks": 0}, "halving_blocks"),
    ({"initial_block_reward_ugrad": U64_MAX}, "the most is"), ({"halving_blocks": U64_MAX}, "the most is")])
def test_parameters_out_of_range_are_refused(changes: dict[str, int], problem: str) -> None:
    params = default_params(1_000_000)
    check_params(params)
    for name in changes:
        setattr(params, name, changes[name])
    with pytest.raises(errors.ParamsInvalid, match=problem):
        check_params(params)


@given(amount=st.integers(0, 2**64), entries=st.lists(st.sampled_from([ALICE, BOB, CAROL]), max_size=9))
def test_parts_are_equal_and_never_more_than_the_amount(amount: int, entries: list[bytes]) -> None:
    parts = compute_parts(amount, entries)
    assert [account for account, _ in parts] == (sorted(dict.fromkeys(entries)) if parts else [])
    share = amount // len(entries) if entries else 0
    assert all(part == share * entries.count(account) > 0 for account, part in parts)
    assert bool(parts) == (share > 0) and sum(part for _, part in parts) <= amount


def test_block_reward_goes_to_the_proposer_and_the_community_and_nobody_else() -> None:
    rooms = new_rooms()
    supply = rooms.bank.supply(rooms.ctx)
    end_block(rooms)
    assert rooms.bank.balance(rooms.ctx, CAROL) == 300
    assert rooms.bank.balance(rooms.ctx, COMMUNITY) == 100
    assert rooms.bank.balance(rooms.ctx, REWARDS) == 0
    assert rooms.bank.supply(rooms.ctx) == supply + 400
    emission = rooms.rewards.emission(rooms.ctx)
    assert (emission.scheduled_ugrad, emission.stakers_ugrad, emission.community_ugrad) == (1_000, 300, 100)
    assert rooms.events("rewards.block_rewarded")[0].attributes == (
        ("proposer", PROPOSER.hex().upper()), ("stakers_ugrad", "300"), ("community_ugrad", "100"),
        ("work_ugrad", "0"))
    assert rooms.broken() == []


@pytest.mark.parametrize("proposer", [b"", bytes(20)])
def test_stakers_part_is_not_minted_without_an_account_to_pay(proposer: bytes) -> None:
    rooms = new_rooms()
    rooms.ctx = replace(rooms.ctx, proposer_address=proposer)
    supply = rooms.bank.supply(rooms.ctx)
    end_block(rooms)
    assert rooms.bank.supply(rooms.ctx) == supply + 100
    assert rooms.rewards.emission(rooms.ctx).stakers_ugrad == 0 and rooms.broken() == []


def test_part_of_a_block_that_is_less_than_one_ugrad_is_not_minted() -> None:
    rooms = new_rooms(initial_block_reward_ugrad=3)
    supply = rooms.bank.supply(rooms.ctx)
    end_block(rooms)
    assert rooms.bank.supply(rooms.ctx) == supply and rooms.rewards.emission(rooms.ctx).scheduled_ugrad == 3
    assert rooms.broken() == []


def test_after_the_last_halving_blocks_write_nothing() -> None:
    rooms = new_rooms(halving_blocks=1)
    rooms.ctx = replace(rooms.ctx, height=10)
    before = rooms.state()
    end_block(rooms)
    assert rooms.state() == before and rooms.events("rewards.block_rewarded") == []


def test_backed_model_has_the_work_part_of_the_blocks_of_its_round_minted() -> None:
    rooms = new_rooms()
    model = rooms.create(generous_spec(round_reward_ugrad=10))
    back(rooms, BOB_TEXT, 700)
    end_block(rooms, 3)  # nobody works for these
    rooms.rewards.open_round(rooms.ctx, model.id)
    end_block(rooms, 4)
    supply = rooms.bank.supply(rooms.ctx)
    assert pay(rooms, model, 1, [ALICE, BOB], dealt=2) == 5 + 999  # one of 2000 is lost to rounding down
    assert rooms.bank.supply(rooms.ctx) == supply + 2 * 999
    assert rooms.broken() == []
    assert rooms.rewards.release_round(rooms.ctx, model.id, 1) == 2 * (5 + 999)
    booked = rooms.rewards.find_contribution(rooms.ctx, model.id, ALICE)
    assert booked is not None and (booked.earned_ugrad, booked.minted_ugrad) == (5, 999)
    assert rooms.rewards.emission(rooms.ctx).work_ugrad == 2 * 999
    assert rooms.broken() == []


def test_what_missing_units_would_have_earned_is_not_minted() -> None:
    rooms = new_rooms()
    model = rooms.create(generous_spec())
    back(rooms, BOB_TEXT, 1 << 32)
    rooms.rewards.open_round(rooms.ctx, model.id)
    end_block(rooms, 2)
    supply = rooms.bank.supply(rooms.ctx)
    assert pay(rooms, model, 1, [ALICE], dealt=4) == 1_000_000 + 250
    assert rooms.bank.supply(rooms.ctx) == supply + 250
    rooms.rewards.open_round(rooms.ctx, model.id)
    assert pay(rooms, model, 2, [ALICE], dealt=1) == 1_000_000  # the rest is forgotten
    assert rooms.broken() == []


def test_round_follows_round_without_losing_a_block() -> None:
    rooms = new_rooms()
    model = rooms.create(generous_spec(round_reward_ugrad=0))
    back(rooms, BOB_TEXT, 1 << 32)
    rooms.rewards.open_round(rooms.ctx, model.id)
    for number in range(1, 6):
        end_block(rooms, number)
        assert pay(rooms, model, number, [ALICE], dealt=1) == 500 * number
        rooms.rewards.open_round(rooms.ctx, model.id)
    assert rooms.rewards.emission(rooms.ctx).work_ugrad == 500 * 15 and rooms.broken() == []


def test_models_share_the_work_part_by_their_backing() -> None:
    rooms = new_rooms()
    first, second, idle = (rooms.create(generous_spec(round_reward_ugrad=0)) for _ in range(3))
    back(rooms, BOB_TEXT, 1 << 32, first.id)
    back(rooms, ALICE_TEXT, 1 << 33, second.id)
    back(rooms, BOB_TEXT, 1 << 32, idle.id)
    for model in (first, second):
        rooms.rewards.open_round(rooms.ctx, model.id)
    end_block(rooms, 8)
    assert pay(rooms, first, 1, [ALICE], dealt=1) == 1_000
    assert pay(rooms, second, 1, [ALICE], dealt=1) == 2_000
    assert rooms.broken() == []


def test_backing_counts_for_the_blocks_that_it_stood() -> None:
    rooms = new_rooms()
    model, other = (rooms.create(generous_spec(round_reward_ugrad=0)) for _ in range(2))
    back(rooms, BOB_TEXT, 1 << 32, model.id)
    rooms.rewards.open_round(rooms.ctx, model.id)
    rooms.rewards.open_round(rooms.ctx, other.id)
    end_block(rooms)                       # 500 for the first
    back(rooms, BOB_TEXT, 1 << 32, other.id)
    end_block(rooms)                       # 250 for each
    unback(rooms, BOB_TEXT, 1 << 32, model.id)
    end_block(rooms)                       # all for the other
    assert pay(rooms, model, 1, [ALICE], dealt=1) == 750
    assert pay(rooms, other, 1, [ALICE], dealt=1) == 750
    assert rooms.broken() == []


def test_what_was_minted_for_a_wrong_unit_is_burnt() -> None:
    rooms = new_rooms()
    model = rooms.create(generous_spec())
    back(rooms, BOB_TEXT, 1 << 32)
    rooms.rewards.open_round(rooms.ctx, model.id)
    end_block(rooms)
    supply = rooms.bank.supply(rooms.ctx)
    pay(rooms, model, 1, [ALICE, BOB], dealt=2)
    assert rooms.rewards.revoke(rooms.ctx, model.id, 1, 1) == 500_000 + 250
    assert rooms.bank.supply(rooms.ctx) == supply + 250
    emission = rooms.rewards.emission(rooms.ctx)
    assert (emission.work_ugrad, emission.revoked_ugrad) == (500, 250)
    assert rooms.broken() == []
    assert dict(rooms.events("rewards.unit_revoked")[0].attributes)["burnt_ugrad"] == "250"


def test_coins_come_back_at_the_end_of_the_block_where_they_are_due() -> None:
    rooms = new_rooms()
    rooms.create()
    back(rooms, BOB_TEXT, 100)
    due = unback(rooms, BOB_TEXT, 40).due_height
    assert due == rooms.ctx.height + 5 and rooms.bank.balance(rooms.ctx, BOB) == FUNDS_UGRAD - 100
    assert unback(rooms, BOB_TEXT, 1).due_height == due  # the same record
    assert rooms.broken() == []
    end_block(rooms, 5)
    assert rooms.bank.balance(rooms.ctx, BOB) == FUNDS_UGRAD - 100
    end_block(rooms)
    assert rooms.bank.balance(rooms.ctx, BOB) == FUNDS_UGRAD - 100 + 41
    assert rooms.rewards.find_backing(rooms.ctx, 1, BOB) == Backing(model_id=1, owner=BOB_TEXT, amount_ugrad=59)
    assert rooms.events("rewards.backing_returned")[0].attributes == (
        ("model_id", "1"), ("owner", BOB_TEXT), ("amount_ugrad", "41"))
    assert rooms.broken() == []


def test_block_returns_a_bounded_number_and_the_next_one_the_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(block, "UNBACKINGS_PER_BLOCK", 2)
    rooms = new_rooms(unback_blocks=1)
    for _ in range(3):
        back(rooms, BOB_TEXT, 10, rooms.create().id)
    for model_id in (1, 2, 3):
        unback(rooms, BOB_TEXT, 10, model_id)
    end_block(rooms)
    assert rooms.bank.balance(rooms.ctx, BOB) == FUNDS_UGRAD - 30
    end_block(rooms)
    assert rooms.bank.balance(rooms.ctx, BOB) == FUNDS_UGRAD - 10
    end_block(rooms)
    assert rooms.bank.balance(rooms.ctx, BOB) == FUNDS_UGRAD and rooms.broken() == []


def test_backing_that_is_all_taken_away_leaves_no_record() -> None:
    rooms = new_rooms()
    rooms.create()
    back(rooms, BOB_TEXT, 100)
    unback(rooms, BOB_TEXT, 100)
    assert rooms.rewards.find_backing(rooms.ctx, 1, BOB) is None and rooms.broken() == []


def test_backing_of_a_closed_model_can_be_taken_away_and_not_added_to() -> None:
    rooms = new_rooms()
    rooms.create()
    back(rooms, BOB_TEXT, 100)
    rooms.deliver(MsgCloseModel(admin=ALICE_TEXT, model_id=1))
    with pytest.raises(errors.ModelRetired):
        back(rooms, BOB_TEXT, 100)
    unback(rooms, BOB_TEXT, 100)
    end_block(rooms, 6)
    assert rooms.bank.balance(rooms.ctx, BOB) == FUNDS_UGRAD and rooms.broken() == []


def test_refused_backing_changes_nothing() -> None:
    rooms = new_rooms()
    rooms.create()
    back(rooms, BOB_TEXT, 5)
    rooms.bank.put_genesis_balance(rooms.ctx, ALICE, base_coin(U64_MAX))
    before = rooms.state()
    for refusal, use in (
            (ModelNotFound, lambda: back(rooms, BOB_TEXT, 1, 2)),
            (errors.BackingTooLarge, lambda: back(rooms, ALICE_TEXT, U64_MAX - 4)),
            (InsufficientFunds, lambda: back(rooms, BOB_TEXT, FUNDS_UGRAD)),
            (InvalidCoins, lambda: back(rooms, BOB_TEXT, 0)),
            (InvalidAddress, lambda: back(rooms, "bob", 1)),
            (errors.BackingTooSmall, lambda: unback(rooms, BOB_TEXT, 6)),
            (errors.BackingTooSmall, lambda: unback(rooms, BOB_TEXT, 1, 2)),
            (errors.BackingTooSmall, lambda: unback(rooms, ALICE_TEXT, 1)),
            (InvalidCoins, lambda: unback(rooms, BOB_TEXT, 0)),
            (InvalidAddress, lambda: unback(rooms, "bob", 1)),
            (OutOfGas, lambda: rooms.deliver(
                MsgBack(owner=BOB_TEXT, model_id=1, amount=coin_pb(base_coin(1))), gas_limit=9_999))):
        with pytest.raises(refusal):
            use()
        assert rooms.state() == before


def test_what_comes_back_at_one_height_fits_its_record() -> None:
    rooms = new_rooms()
    rooms.create()
    rooms.bank.mint(rooms.ctx, "rewards", (base_coin(2**65),))
    rooms.bank.send_from_module(rooms.ctx, "rewards", BOB, (base_coin(2**65),))
    back(rooms, BOB_TEXT, U64_MAX)
    unback(rooms, BOB_TEXT, U64_MAX)
    back(rooms, BOB_TEXT, 2)
    before = rooms.state()
    with pytest.raises(errors.UnbackingTooLarge):
        unback(rooms, BOB_TEXT, 1)
    assert rooms.state() == before and rooms.broken() == []
    end_block(rooms)
    unback(rooms, BOB_TEXT, 1)
    assert rooms.broken() == []


def test_parameters_and_rewards_of_blocks_are_answered() -> None:
    rooms = new_rooms()
    told = rooms.query(PATH + "Params", query_pb2.QueryParamsRequest()).params
    assert (told.unback_blocks, told.mint_price_ugrad_per_gma) == (5, 10**15)
    end_block(rooms)
    answer = rooms.query(PATH + "Emission", query_pb2.QueryEmissionRequest())
    assert (answer.height, answer.block_reward_ugrad, answer.stakers_ugrad, answer.work_ugrad, answer.hosts_ugrad,
            answer.community_ugrad) == (rooms.ctx.height + 1, 1_000, 300, 500, 100, 100)
    assert answer.so_far.stakers_ugrad == 300
    later = rooms.query(PATH + "Emission", query_pb2.QueryEmissionRequest(height=3_000))
    assert (later.height, later.block_reward_ugrad) == (3_000, 125)
    with pytest.raises(InvalidRequest):
        rooms.query(PATH + "Emission", query_pb2.QueryEmissionRequest(height=-1))


def test_backing_is_answered_by_model_and_by_owner() -> None:
    rooms = new_rooms()
    model = rooms.create(generous_spec())
    back(rooms, BOB_TEXT, 300)
    back(rooms, ALICE_TEXT, 100)
    due = unback(rooms, BOB_TEXT, 50).due_height
    one = rooms.query(PATH + "Backing", query_pb2.QueryBackingRequest(model_id=1, owner=BOB_TEXT))
    assert one.backing.amount_ugrad == 250
    every = rooms.query(PATH + "Backings", query_pb2.QueryBackingsRequest(model_id=1))
    assert [(each.owner, each.amount_ugrad) for each in every.backings] == [(ALICE_TEXT, 100), (BOB_TEXT, 250)]
    coming = rooms.query(PATH + "Unbackings", query_pb2.QueryUnbackingsRequest(owner=BOB_TEXT))
    assert list(coming.unbackings) == [Unbacking(owner=BOB_TEXT, due_height=due, model_id=1, amount_ugrad=50)]
    assert not rooms.query(PATH + "Unbackings", query_pb2.QueryUnbackingsRequest(owner=ALICE_TEXT)).unbackings
    rooms.rewards.open_round(rooms.ctx, model.id)
    end_block(rooms, 2)
    ledger = rooms.query(PATH + "Ledger", query_pb2.QueryLedgerRequest(model_id=1))
    assert (ledger.ledger.backing_ugrad, ledger.accrued_ugrad) == (350, 999)
    assert (ledger.bond_max_ugrad, ledger.work_max_ugrad) == (
        compute_bond_max(model.spec), compute_work_max(model.spec, rooms.rewards.params(rooms.ctx)))
    assert ledger.unit_max_ugrad == min(ledger.bond_max_ugrad, ledger.work_max_ugrad) > 0
    for path, request in (("Backing", query_pb2.QueryBackingRequest(model_id=1, owner=CAROL_TEXT)),
                          ("Backing", query_pb2.QueryBackingRequest(model_id=0, owner=BOB_TEXT)),
                          ("Ledger", query_pb2.QueryLedgerRequest(model_id=2))):
        with pytest.raises(NotFound):
            rooms.query(PATH + path, request)
    for path, request in (("Backing", query_pb2.QueryBackingRequest(model_id=1, owner="bob")),
                          ("Unbackings", query_pb2.QueryUnbackingsRequest(owner="bob")),
                          ("Vestings", query_pb2.QueryVestingsRequest(model_id=1, trainer="bob"))):
        with pytest.raises(InvalidAddress):
            rooms.query(PATH + path, request)


def test_shares_and_vesting_are_answered() -> None:
    rooms = new_rooms()
    model = rooms.create()
    pay(rooms, model, 1, [ALICE, BOB], dealt=2)
    pay(rooms, model, 2, [BOB], dealt=1)
    answer = rooms.query(PATH + "Shares", query_pb2.QuerySharesRequest(model_id=1))
    assert answer.units == 3 and [(one.trainer, one.units, one.share_ppm) for one in answer.shares] == [
        (ALICE_TEXT, 1, 333_333), (BOB_TEXT, 2, 666_666)]
    assert [one.earned_ugrad for one in answer.shares] == [500_000, 1_500_000]
    request = query_pb2.QueryVestingsRequest(model_id=1)
    every = rooms.query(PATH + "Vestings", request).vestings
    assert [(one.round, one.escrow_ugrad, len(one.units)) for one in every] == [(1, 500_000, 2), (2, 1_000_000, 1)]
    request.trainer = ALICE_TEXT
    (mine,) = rooms.query(PATH + "Vestings", request).vestings
    assert (mine.round, [(one.unit, one.trainer) for one in mine.units]) == (1, [(0, ALICE_TEXT)])
    request.pagination.CopyFrom(PageRequest(limit=1))
    first = rooms.query(PATH + "Vestings", request)
    request.pagination.key = first.pagination.next_key
    second = rooms.query(PATH + "Vestings", request)
    assert [len(first.vestings), len(second.vestings), second.pagination.next_key] == [1, 0, b""]
    assert not rooms.query(PATH + "Shares", query_pb2.QuerySharesRequest(model_id=9)).shares


def test_operator_is_the_account_of_the_payout() -> None:
    rooms = new_rooms()
    assert rooms.rewards.find_operator(rooms.ctx, PROPOSER) == decode_address(CAROL_TEXT)
    assert rooms.rewards.find_operator(rooms.ctx, bytes(20)) is None


def test_export_starts_the_same_money_again() -> None:
    rooms = new_rooms()
    model = rooms.create(generous_spec())
    back(rooms, BOB_TEXT, 300)
    unback(rooms, BOB_TEXT, 50)
    rooms.rewards.open_round(rooms.ctx, model.id)
    end_block(rooms, 2)
    pay(rooms, rooms.close(rooms.models.start_training(rooms.ctx, model), 1), 1, [ALICE, BOB], dealt=3)
    end_block(rooms)
    exported = rooms.export()
    again = Rooms(exported)
    assert again.export() == exported and again.broken() == []
    assert list(again.ctx.state.store("rewards").iter(b"")) == list(rooms.ctx.state.store("rewards").iter(b""))


def broken_after(rooms: Rooms, record: Any, put: Any, **changes: Any) -> list[str]:
    """What is broken when a record has other values."""
    for name in changes:
        setattr(record, name, changes[name])
    layer = rooms.ctx.branch()
    put(layer, record)
    found = []
    for module in rooms.modules:
        found += [invariant.name for invariant in module.invariants if invariant.check(layer) is not None]
    return found


def test_broken_books_are_noticed() -> None:
    rooms = new_rooms()
    model = rooms.create(generous_spec())
    back(rooms, BOB_TEXT, 300)
    unback(rooms, BOB_TEXT, 50)
    rooms.rewards.open_round(rooms.ctx, model.id)
    end_block(rooms, 2)
    pay(rooms, model, 1, [ALICE, BOB], dealt=3)
    ctx, keeper = rooms.ctx, rooms.rewards
    assert rooms.broken() == []
    for name, change in (("stakers_ugrad", 2_000), ("work_ugrad", 0), ("revoked_ugrad", 1),
                         ("accrued_q64", b"\xff" * 16), ("accrued_q64", bytes(16)), ("scheduled_ugrad", 700)):
        assert broken_after(rooms, keeper.emission(ctx), keeper.put_emission, **{name: change}) == ["rewards/emission"]
    assert broken_after(rooms, keeper.emission(ctx), keeper.put_emission, community_ugrad=199) == ["rewards/account"]
    for name, number, broken in (("backing_ugrad", 249, "rewards/backing"), ("units", 1, "rewards/earnings"),
                                 ("audit_fees_ugrad", 1, "rewards/earnings"),
                                 ("booked_round", 0, "rewards/vesting"), ("accrued_ugrad", 10**6, "rewards/emission")):
        assert broken_after(rooms, keeper.ledger(ctx, 1), keeper.put_ledger, **{name: number}) == [broken]
    backing = keeper.find_backing(ctx, 1, BOB)
    assert broken_after(rooms, backing, keeper.put_backing, amount_ugrad=1) == ["rewards/account", "rewards/backing"]
    unbacking = next(keeper.iter_unbackings(ctx))
    assert broken_after(rooms, unbacking, keeper.put_unbacking, amount_ugrad=51) == ["rewards/account"]
    layer = ctx.branch()
    rooms.bank.mint(layer, "rewards", (base_coin(1),))
    rooms.bank.send_between_modules(layer, "rewards", "community", (base_coin(1),))
    assert [one.name for module in rooms.modules for one in module.invariants if one.check(layer)] == [
        "rewards/account"]
    layer = ctx.branch()
    layer.state.store("rewards").set(b"\x08" + bytes(36), b"\x01")
    assert [one.name for module in rooms.modules for one in module.invariants if one.check(layer)] == [
        "rewards/backing"]
    vesting = keeper.find_vesting(ctx, 1, 1)
    assert broken_after(rooms, vesting, keeper.put_vesting, minted_ugrad=10**6) == [
        "rewards/account", "rewards/vesting"]
    vesting = keeper.find_vesting(ctx, 1, 1)
    assert vesting is not None
    vesting.units[0].unit = 1
    assert broken_after(rooms, vesting, keeper.put_vesting) == ["rewards/vesting"]
