"""End of block: the fees go to the proposer."""

from abci_app.runtime.context import Ctx
from abci_app.wire.address import FEE_COLLECTOR, decode_address, module_address
from abci_app.wire.coin import base_coin
from abci_app.x.rewards import events
from abci_app.x.rewards.keeper import Keeper


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
