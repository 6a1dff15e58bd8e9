"""Settling: when pay is released, how disputes hold it up, and what a lost one costs; as the disputes room does it."""

from collections.abc import Callable

import pytest

from abci_app.runtime.context import Ctx
from abci_app.wire.errors import InvariantBroken
from abci_app.wire.pb.gradus.work.v1.work_pb2 import (
    SLASH_REASON_DISPUTE, TRAINER_STATUS_SLASHED, UNIT_STATUS_ACCEPTED, UNIT_STATUS_REJECTED,
)
from abci_app.x.work import block
from abci_app.x.work.types import DISPUTE_GRACE_BLOCKS
from tests.chain import new_test_key
from tests.unit.work.market import BOND_UGRAD, Market, kinds

NewMarket = Callable[..., Market]


@pytest.fixture
def closed(new_market: NewMarket) -> Market:
    """A market whose first round is closed, at a height at which its units can be challenged."""
    market = new_market(rate_ppm=1_000_000, audit_fee_ppm=1, burn_ppm=400_000, mismatch_slash_ppm=500_000)
    market.run_round()
    return market


def layer_at(market: Market, height: int) -> Ctx:
    """A block of that height over the last state, for what the disputes room and the block's end do in it."""
    return market.chain.ctx(height)


def test_pay_and_bonds_are_released_with_the_last_block_of_the_window(closed: Market) -> None:
    last, before = closed.round(1).settle_height, closed.chain.balance("ann")
    events = closed.wait_for(last - 1)
    assert "round_settled" not in kinds(events) and closed.chain.balance("ann") == before
    assert closed.trainer("ann").open_units == 2
    assert "round_settled" in kinds(closed.block())
    share = closed.model().spec.economy.round_reward_ugrad // 4
    assert closed.chain.balance("ann") == before + share
    assert (closed.trainer("ann").open_units, closed.round(1).settled_height) == (1, last)


def test_unit_can_be_challenged_once_at_a_time_up_to_the_end_of_its_window(closed: Market) -> None:
    keeper, last = closed.chain.app.work, closed.round(1).settle_height
    assert keeper.find_challengeable(layer_at(closed, last), 1, 1, 0) == closed.units(1)[0]
    assert keeper.find_challengeable(layer_at(closed, last + 1), 1, 1, 0) is None
    assert keeper.find_challengeable(layer_at(closed, last), 1, 2, 0) is None, "its round still runs"
    assert keeper.find_challengeable(layer_at(closed, last), 1, 1, 9) is None
    ctx = layer_at(closed, last)
    keeper.mark_disputed(ctx, closed.units(1)[0], True)
    assert keeper.find_challengeable(ctx, 1, 1, 0) is None
    assert keeper.find_challengeable(ctx, 1, 1, 1) is not None


def test_dispute_holds_its_round_up_and_leaves_time_for_others_when_it_is_over(closed: Market) -> None:
    keeper, last = closed.chain.app.work, closed.round(1).settle_height
    ctx = layer_at(closed, last + 50)
    for unit in closed.units(1)[:2]:
        keeper.mark_disputed(ctx, unit, True)
        keeper.mark_disputed(ctx, unit, True)
    block.end_block(ctx, keeper)
    assert (keeper.get_round(ctx, 1, 1).settled_height, keeper.get_round(ctx, 1, 1).disputed_count) == (0, 2)
    keeper.mark_disputed(ctx, closed.units(1)[0], False)
    assert keeper.list_settling(layer_at(closed, 10**6), 9) == [(1, 1)], "of the last state; this block's differs"
    keeper.mark_disputed(ctx, closed.units(1)[1], False)
    found = keeper.get_round(ctx, 1, 1)
    assert (found.disputed_count, found.settle_height) == (0, last + 50 + DISPUTE_GRACE_BLOCKS)
    assert keeper.find_challengeable(ctx, 1, 1, 0) is not None
    assert closed.chain.app.check_invariants(ctx) == []


def test_lost_dispute_pays_the_challenger_half_of_what_is_not_burnt_and_takes_the_pay_back(closed: Market) -> None:
    keeper, bank, ctx = closed.chain.app.work, closed.chain.app.bank, layer_at(closed, closed.chain.height + 1)
    unit, eve = closed.units(1)[0], new_test_key("eve").address
    held, supply, escrow = bank.balance(ctx, eve), bank.supply(ctx), closed.model().escrow_ugrad
    keeper.mark_disputed(ctx, unit, True)
    lost = BOND_UGRAD // 2
    part = (lost - lost * 4 // 10) // 2
    assert keeper.lose_dispute(ctx, 1, 1, 0, eve) == part
    assert (bank.balance(ctx, eve), bank.supply(ctx)) == (held + part, supply - (lost - part))
    trainer = keeper.get_trainer(ctx, 1, new_test_key(closed.names[unit.trainer]).address)
    assert (trainer.status, trainer.bond_ugrad, trainer.units_accepted) == (
        TRAINER_STATUS_SLASHED, BOND_UGRAD - lost, 0)
    assert [slash.reason for slash in keeper.iter_slashes(ctx)] == [SLASH_REASON_DISPUTE]
    rejected = keeper.get_unit(ctx, 1, 1, 0)
    assert (rejected.status, rejected.disputed, rejected.aggregated) == (UNIT_STATUS_REJECTED, False, True)
    share = closed.model().spec.economy.round_reward_ugrad // 4
    assert closed.chain.app.models.get_model(ctx, 1).escrow_ugrad == escrow + share
    assert [one.status for one in keeper.list_units(ctx, 1, 1)][1:] == [UNIT_STATUS_ACCEPTED] * 3
    assert closed.chain.app.check_invariants(ctx) == []


def test_unit_that_nobody_disputes_cannot_lose(closed: Market) -> None:
    with pytest.raises(InvariantBroken, match="without a dispute"):
        closed.chain.app.work.lose_dispute(layer_at(closed, closed.chain.height + 1), 1, 1, 0, bytes(20))
