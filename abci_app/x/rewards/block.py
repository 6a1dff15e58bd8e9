"""End of block: fees and stakers' reward to the proposer, the rest of the emission, and backing that comes back."""

from abci_app.runtime.context import Ctx
from abci_app.wire.address import FEE_COLLECTOR, decode_address, module_address
from abci_app.wire.coin import base_coin
from abci_app.wire.ints import ppm_floor
from abci_app.x.rewards import events
from abci_app.x.rewards.keeper import Keeper
from abci_app.x.rewards.types import COMMUNITY, STORE, UNBACKINGS_PER_BLOCK, compute_accrued_q64, compute_block_reward


def end_block(ctx: Ctx, keeper: Keeper) -> None:
    """Pay the fees, emit the block's reward, return what was unbacked long enough ago."""
    pay_fees(ctx, keeper)
    emit_reward(ctx, keeper)
    return_backing(ctx, keeper)


def pay_fees(ctx: Ctx, keeper: Keeper) -> None:
    """Pay the whole of the collected fees to the account of the block's proposer.

    Without a registered account they stay, and go to the next proposer who has one. Emits rewards.fees_paid.
    """
    payout = keeper.find_payout(ctx, ctx.proposer_address)
    if payout is None:
        return
    amount_ugrad = keeper.bank.balance(ctx, module_address(FEE_COLLECTOR))
    if amount_ugrad == 0:
        return
    keeper.bank.send_from_module(ctx, FEE_COLLECTOR, decode_address(payout.account), (base_coin(amount_ugrad),))
    ctx.emit(events.fees_paid(ctx.proposer_address, payout.account, amount_ugrad))


def emit_reward(ctx: Ctx, keeper: Keeper) -> None:
    """Mint the parts of the block's reward that are earned now, and have the backed models accrue theirs.

    The stakers' part is the proposer's, and nobody's without a registered account; the hosts' part is nobody's yet.
    What is nobody's is not minted. Emits rewards.block_rewarded.
    """
    params = keeper.params(ctx)
    reward_ugrad = compute_block_reward(params, ctx.height)
    if reward_ugrad == 0:
        return
    emission, payout = keeper.emission(ctx), keeper.find_payout(ctx, ctx.proposer_address)
    stakers_ugrad = 0 if payout is None else ppm_floor(reward_ugrad, params.stakers_ppm)
    community_ugrad = ppm_floor(reward_ugrad, params.community_ppm)
    work_ugrad = ppm_floor(reward_ugrad, params.work_ppm) if emission.backing_ugrad else 0
    emission.scheduled_ugrad += reward_ugrad
    emission.stakers_ugrad += stakers_ugrad
    emission.community_ugrad += community_ugrad
    if work_ugrad:
        emission.accrued_q64 = compute_accrued_q64(emission.accrued_q64, work_ugrad, emission.backing_ugrad)
    keeper.put_emission(ctx, emission)
    if stakers_ugrad + community_ugrad:
        keeper.bank.mint(ctx, STORE, (base_coin(stakers_ugrad + community_ugrad),))
    if payout is not None and stakers_ugrad:
        keeper.bank.send_from_module(ctx, STORE, decode_address(payout.account), (base_coin(stakers_ugrad),))
    if community_ugrad:
        keeper.bank.send_between_modules(ctx, STORE, COMMUNITY, (base_coin(community_ugrad),))
    ctx.emit(events.block_rewarded(ctx.proposer_address, stakers_ugrad, community_ugrad, work_ugrad))


def return_backing(ctx: Ctx, keeper: Keeper) -> None:
    """Return unbacked coins that are due, the earliest first; what a block does not bear is due in the next one."""
    for unbacking in list(keeper.iter_unbackings(ctx, UNBACKINGS_PER_BLOCK)):
        if unbacking.due_height > ctx.height:
            break
        keeper.return_backing(ctx, unbacking)
