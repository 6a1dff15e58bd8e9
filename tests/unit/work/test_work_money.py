"""Money of whole rounds: what a backed model's units have minted, and that every coin is accounted for."""

from collections.abc import Callable

from abci_app.runtime.contract import GMA, compute_unit_work
from abci_app.wire.coin import base_coin, coin_pb
from abci_app.wire.pb.gradus.rewards.v1.rewards_pb2 import Contribution
from abci_app.wire.pb.gradus.rewards.v1.tx_pb2 import MsgBack
from abci_app.x.rewards.types import MINT_PRICE_UGRAD_PER_GMA
from tests.auditors import NOTHING
from tests.chain import address_of, new_test_key
from tests.unit.work.market import Market
from tests.unit.work.test_work_audits import saying

NewMarket = Callable[..., Market]
BLOCK_REWARD_UGRAD = 80  # of which 40 are for work: 10 for each of four units and block
UNIT_UGRAD = 10


def back_msg(amount_ugrad: int) -> MsgBack:
    return MsgBack(owner=address_of("boss"), model_id=1, amount=coin_pb(base_coin(amount_ugrad)))


def contribution(market: Market, name: str) -> Contribution:
    found = market.chain.app.rewards.find_contribution(market.chain.ctx(), 1, new_test_key(name).address)
    assert found is not None
    return found


def test_units_of_a_backed_model_have_the_blocks_of_their_round_minted(new_market: NewMarket) -> None:
    market = new_market(rate_ppm=1_000_000, block_reward_ugrad=BLOCK_REWARD_UGRAD)
    opened = market.round(1).opened_height
    assert market.refusal(back_msg(1 << 32)) == ("", 0)
    backed = market.chain.height
    market.run_round()
    first, second = market.round(1), market.round(2)
    assert backed == opened + 1 and second.opened_height == first.closed_height
    market.run_round()
    second = market.round(2)
    blocks = second.closed_height - opened
    reward = market.model().spec.economy.round_reward_ugrad // 4
    for name in ("ann", "ben", "cat", "dan"):
        booked = contribution(market, name)
        assert (booked.units, booked.earned_ugrad, booked.minted_ugrad) == (2, 2 * reward, blocks * UNIT_UGRAD)
    before, vesting = market.chain.balance("ann"), list(market.chain.app.rewards.iter_vestings(market.chain.ctx()))
    market.wait_for(second.settle_height)
    assert market.chain.balance("ann") == before + sum(one.escrow_ugrad + one.minted_ugrad for one in vesting)
    assert vesting[-1].round == 2 and market.chain.app.rewards.find_vesting(market.chain.ctx(), 1, 2) is None


def test_units_have_no_more_minted_than_their_work_is_worth_however_much_is_emitted(new_market: NewMarket) -> None:
    market = new_market(rate_ppm=1_000_000, block_reward_ugrad=10**6 * BLOCK_REWARD_UGRAD)
    market.block(back_msg(1 << 32))
    market.run_round()
    worth = compute_unit_work(market.model().spec) * MINT_PRICE_UGRAD_PER_GMA // GMA
    assert [contribution(market, name).minted_ugrad for name in ("ann", "ben", "cat", "dan")] == 4 * [worth]
    assert 0 < worth < 1_000


def test_what_a_wrong_unit_had_minted_is_burnt_by_a_late_verdict(new_market: NewMarket) -> None:
    market = new_market(rate_ppm=1_000_000, audit_blocks=3, challenge_blocks=6, block_reward_ugrad=BLOCK_REWARD_UGRAD)
    market.block(back_msg(1 << 32))
    market.auditors.choose = saying(operator0=NOTHING, operator1=NOTHING)
    market.reach_audit({"ann": market.wrong_claim("ann")})
    for _ in range(3):
        market.block(votes=True)
    minted = contribution(market, "ann").minted_ugrad
    assert minted == (market.round(1).closed_height - market.round(1).opened_height) * UNIT_UGRAD
    supply, emission = market.chain.app.bank.supply(market.chain.ctx()), market.chain.app.rewards.emission
    before = emission(market.chain.ctx())
    market.auditors.choose = saying()
    market.block(votes=True)
    after, (slash,) = emission(market.chain.ctx()), market.slashes()
    assert after.revoked_ugrad == minted and before.revoked_ugrad == 0
    emitted = sum(getattr(after, part) - getattr(before, part)
                  for part in ("stakers_ugrad", "work_ugrad", "community_ugrad"))
    assert market.chain.app.bank.supply(market.chain.ctx()) == supply + emitted - minted - slash.burnt_ugrad


def test_round_that_fails_forgets_what_its_model_has_accrued(new_market: NewMarket) -> None:
    market = new_market(rate_ppm=1_000_000, block_reward_ugrad=BLOCK_REWARD_UGRAD)
    market.block(back_msg(1 << 32))
    opened = market.round(1).opened_height
    while market.round(1).attempt == 0:
        market.block()
    assert market.round(1).opened_height > opened
    market.run_round()
    closed = market.round(1)
    assert contribution(market, "ann").minted_ugrad == (closed.closed_height - closed.opened_height) * UNIT_UGRAD
