"""End of block: fees and stakers' reward to the proposer, the rest of the emission, and backing that comes back."""

from abci_app.runtime.context import Ctx
from abci_app.wire.address import FEE_COLLECTOR, decode_address, module_address
from abci_app.wire.coin import base_coin
from abci_app.wire.ints import ppm_floor
from abci_app.wire.pb.gradus.rewards.v1.rewards_pb2 import Payout
from abci_app.x.rewards import events
from abci_app.x.rewards.keeper import Keeper
from abci_app.x.rewards.needs import Auditors
from abci_app.x.rewards.types import COMMUNITY, STORE, UNBACKINGS_PER_BLOCK, compute_accrued_q64, compute_block_reward


def end_block(ctx: Ctx, keeper: Keeper, auditors: Auditors) -> None:
    """Pay the fees, emit the block's reward, return what was unbacked long enough ago."""
    payout = find_earner(ctx, keeper, auditors)
    pay_fees(ctx, keeper, payout)
    emit_reward(ctx, keeper, payout)
    return_backing(ctx, keeper)


def find_earner(ctx: Ctx, keeper: Keeper, auditors: Auditors) -> Payout | None:
    """To whom the block's proposer earns; None without a registered account, and while it is excluded as an auditor."""
    if auditors.is_excluded(ctx, ctx.proposer_address):
        return None
    return keeper.find_payout(ctx, ctx.proposer_address)


def pay_fees(ctx: Ctx, keeper: Keeper, payout: Payout | None) -> None:
    """Pay the whole of the collected fees to who earns by the block (`find_earner`).

    Where that is nobody they stay, and go to the next who does. Emits rewards.fees_paid.
    """
    if payout is None:
        return
    amount_ugrad = keeper.bank.balance(ctx, module_address(FEE_COLLECTOR))
    if amount_ugrad == 0:
        return
    keeper.bank.send_from_module(ctx, FEE_COLLECTOR, decode_address(payout.account), (base_coin(amount_ugrad),))
    ctx.emit(events.fees_paid(ctx.proposer_address, payout.account, amount_ugrad))


def emit_reward(ctx: Ctx, keeper: Keeper, payout: Payout | None) -> None:
    """Mint the parts of the block's reward that are earned now, and have the backed models accrue theirs.

    The stakers' part is of who earns by the block (`find_earner`), or nobody's; the hosts' part is nobody's yet.
    What is nobody's is not minted. Emits rewards.block_rewarded.
    """
    params = keeper.params(ctx)
    reward_ugrad = compute_block_reward(params, ctx.height)
    if reward_ugrad == 0:
        return
    emission = keeper.emission(ctx)
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
