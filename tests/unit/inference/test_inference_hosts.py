"""Hosts: their bonds, prices and places, and the stakes that other rooms bind."""

from collections.abc import Callable

import pytest

from abci_app.wire.pb.gradus.inference.v1.inference_pb2 import (
    HOST_STATUS_ACTIVE, HOST_STATUS_DRAINING, HOST_STATUS_SLASHED, HOST_STATUS_STOOD_DOWN,
)
from abci_app.wire.pb.gradus.models.v1.models_pb2 import ModelSpec
from abci_app.x.inference import block
from abci_app.x.inference.errors import (
    BondStaked, CapacityExhausted, HostBusy, HostNotActive, HostNotFound, HostRegistered, HostsFull,
)
from abci_app.x.inference.msgs import host as host_msgs
from tests.chain import new_test_key
from tests.unit.inference.desk import HOST_BOND_UGRAD, PRICE, Desk, attribute, find_event, new_policy
from tests.unit.work.market import small_spec

HAL = new_test_key("hal").address


def small_spec_of_hosts() -> ModelSpec:
    spec = small_spec()
    spec.inference.CopyFrom(new_policy())
    return spec


def code_of(error: type) -> tuple[str, int]:
    return error.codespace, error.code  # type: ignore[attr-defined,no-any-return]


def test_a_bond_is_put_up_and_comes_back_when_nothing_is_open(desk: Desk) -> None:
    before = desk.balance("eve")
    desk.block(desk.register_msg("eve", endpoint="https://eve.example:8000/gradus"))
    assert desk.host("eve").status == HOST_STATUS_ACTIVE and desk.host("eve").bond_ugrad == HOST_BOND_UGRAD
    assert before - desk.balance("eve") > HOST_BOND_UGRAD  # and gas
    assert desk.refusal(desk.register_msg("eve")) == code_of(HostRegistered)
    assert desk.refusal(desk.leave_msg("eve")) == ("", 0)
    assert before - desk.balance("eve") < HOST_BOND_UGRAD // 100
    assert desk.refusal(desk.leave_msg("eve")) == code_of(HostNotFound)


def test_who_drains_takes_nothing_new_and_comes_back_by_an_update(desk: Desk) -> None:
    desk.block(desk.drain_msg("hal"))
    assert desk.host("hal").status == HOST_STATUS_DRAINING
    assert desk.refusal(desk.drain_msg("hal")) == code_of(HostNotActive)
    assert desk.refusal(desk.request_msg(replicas=3)) == ("inference", 21)
    desk.block(desk.update_msg("hal"))
    assert desk.host("hal").status == HOST_STATUS_ACTIVE
    assert desk.refusal(desk.request_msg(replicas=3)) == ("", 0)


def test_an_update_of_the_price_takes_a_host_out_of_what_was_asked_in_its_block(desk: Desk) -> None:
    desk.block(desk.request_msg(replicas=2), desk.update_msg("hal", PRICE // 2), desk.update_msg("hex", capacity=9))
    desk.block()
    assert sorted(desk.seats()) == ["hex", "hob"]
    desk.ask(desk.request_msg(replicas=1))
    assert sorted(desk.seats(2)) == ["hal"]


def test_nobody_raises_its_price_for_a_request_that_waits(new_desk: Callable[..., Desk]) -> None:
    desk = new_desk(hosts=("hal",), capacity=1)
    first, second = desk.ask(*(desk.request_msg(replicas=1, deadline_blocks=60) for _ in range(2)))
    desk.block(desk.update_msg("hal", 9 * PRICE, capacity=2), desk.register_msg("eve", 9 * PRICE))
    desk.wait_for(desk.chain.height + 3)
    assert not desk.seats(second), "both were ready only after it was asked"
    desk.ask(desk.request_msg(replicas=1))
    assert len(desk.seats(3)) == 1 and not desk.seats(second)


def test_where_the_places_are_taken_the_dearest_gives_its_own_to_who_asks_less(
        new_desk: Callable[..., Desk], monkeypatch: pytest.MonkeyPatch) -> None:
    desk = new_desk(hosts=("hal", "hex"))
    monkeypatch.setattr(host_msgs, "HOSTS_MAX", 2)
    desk.block(desk.update_msg("hex", PRICE + 1))
    assert desk.refusal(desk.register_msg("eve", PRICE + 1)) == code_of(HostsFull)
    events = desk.block(desk.register_msg("eve", PRICE))
    assert attribute(find_event(events, "host_stood_down"), "reason") == "outbid"
    assert desk.host("hex").status == HOST_STATUS_STOOD_DOWN and desk.host("eve").status == HOST_STATUS_ACTIVE


def test_stakes_bind_a_bond_until_they_are_freed(desk: Desk) -> None:
    keeper, ctx = desk.chain.app.inference, desk.chain.ctx()
    keeper.open_stake(ctx, 1, HAL, HOST_BOND_UGRAD - 10)
    with pytest.raises(BondStaked):
        keeper.open_stake(ctx, 1, HAL, 11)
    keeper.add_stake(ctx, 1, HAL, 10)
    with pytest.raises(BondStaked):
        keeper.add_stake(ctx, 1, HAL, 1)
    for _ in range(3):
        keeper.open_stake(ctx, 1, HAL, 0)
    with pytest.raises(CapacityExhausted):
        keeper.open_stake(ctx, 1, HAL, 0)
    keeper.free_stake(ctx, 1, HAL, HOST_BOND_UGRAD, 77)
    host = keeper.get_host(ctx, 1, HAL)
    assert (host.open_count, host.staked_ugrad, host.answered, host.earned_ugrad) == (3, 0, 1, 77)
    with pytest.raises(HostNotFound):
        keeper.get_host(ctx, 2, HAL)


@pytest.mark.parametrize("stake_ugrad, elsewhere_ugrad, taken_ugrad", [
    (10, 0, HOST_BOND_UGRAD // 10),  # the contract's part of the bond
    (HOST_BOND_UGRAD // 2, 0, HOST_BOND_UGRAD // 2),  # what was staked
    (10, HOST_BOND_UGRAD - 60, 60),  # what is not staked elsewhere
])
def test_a_wrong_answer_takes_its_stake_or_more_but_nothing_that_is_staked_elsewhere(
        desk: Desk, stake_ugrad: int, elsewhere_ugrad: int, taken_ugrad: int) -> None:
    keeper, ctx, auditors = desk.chain.app.inference, desk.chain.ctx(), [bytes([9]) * 20, bytes([8]) * 20]
    keeper.open_stake(ctx, 1, HAL, stake_ugrad)
    keeper.open_stake(ctx, 1, HAL, elsewhere_ugrad)
    assert keeper.slash_stake(ctx, 1, HAL, stake_ugrad, new_policy(), auditors) == taken_ugrad
    host = keeper.get_host(ctx, 1, HAL)
    assert host.status == HOST_STATUS_SLASHED and host.wrong == 1 and host.open_count == 1
    assert (host.bond_ugrad, host.staked_ugrad) == (HOST_BOND_UGRAD - taken_ugrad, elsewhere_ugrad)
    assert [desk.chain.app.bank.balance(ctx, one) for one in auditors] == [taken_ugrad // 4] * 2  # half is burnt
    assert not [line for line in desk.chain.app.check_invariants(ctx) if not line.startswith("sessions/")]
    with pytest.raises(HostNotActive):
        keeper.open_stake(ctx, 1, HAL, 0)


def test_who_has_something_open_stays(desk: Desk) -> None:
    desk.ask()
    assert desk.refusal(desk.leave_msg("hal")) == code_of(HostBusy)


def test_offers_that_a_block_deals_are_the_cheapest(new_desk: Callable[..., Desk]) -> None:
    desk = new_desk(hosts=())
    prices = {"hal": PRICE + 2, "hex": PRICE, "hob": PRICE + 1}
    desk.block(*(desk.register_msg(name, price) for name, price in prices.items()))
    desk.ask(desk.request_msg(replicas=2))
    assert [desk.names[seat.host] for seat in desk.request().seats] == ["hex", "hob"]


def test_equal_prices_are_ordered_by_the_seed_of_the_request(new_desk: Callable[..., Desk]) -> None:
    desk, first = new_desk(capacity=16), set[str]()
    for _ in range(12):
        (request_id,) = desk.ask(desk.request_msg(replicas=1, deadline_blocks=10_000))
        first.update(desk.seats(request_id))
    assert first == {"hal", "hex", "hob"}


def test_requests_that_wait_for_full_hosts_do_not_delay_others(new_desk: Callable[..., Desk],
                                                               monkeypatch: pytest.MonkeyPatch) -> None:
    desk = new_desk(hosts=("hal", "hex"), capacity=1)
    desk.ask(desk.request_msg(replicas=2, deadline_blocks=60))
    desk.create(small_spec_of_hosts())
    desk.block(desk.register_msg("hob", model_id=2))
    monkeypatch.setattr(block, "LOOKED_PER_BLOCK", 3)
    *waiting, last = desk.ask(*(desk.request_msg(replicas=1, deadline_blocks=60) for _ in range(5)),
                              desk.request_msg(replicas=1, model_id=2))
    assert list(desk.seats(last)) == ["hob"] and not any(desk.seats(one) for one in waiting)


def test_bounds_of_a_block_are_named_and_kept(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(block, "TRIED_PER_BLOCK", 2)
    desk.ask(*(desk.request_msg(replicas=1, deadline_blocks=20) for _ in range(3)))
    assert [len(desk.request(one).seats) for one in (1, 2, 3)] == [1, 1, 0]
    desk.block()
    assert len(desk.request(3).seats) == 1
