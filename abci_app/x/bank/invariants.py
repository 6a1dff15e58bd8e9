"""What always holds of coins."""

from abci_app.runtime.context import Ctx
from abci_app.wire.address import ADDRESS_BYTES
from abci_app.wire.coin import DENOMS_MAX
from abci_app.wire.ints import U128_MAX
from abci_app.x.bank.keeper import STORE, Keeper
from abci_app.x.bank.keys import split_balance_key


def check_supply(ctx: Ctx, keeper: Keeper) -> str | None:
    """Every denom's supply is the sum of its balances."""
    totals: dict[str, int] = {}
    for _, coin in keeper.iter_balances(ctx):
        totals[coin.denom] = totals.get(coin.denom, 0) + coin.amount
    supplies = {coin.denom: coin.amount for coin in keeper.iter_supplies(ctx)}
    for denom in sorted(totals | supplies):
        if totals.get(denom, 0) != supplies.get(denom):
            return f"the balances of {denom} add up to {totals.get(denom, 0)}, its supply is {supplies.get(denom)}"
    return f"{len(supplies)} denoms" if len(supplies) > DENOMS_MAX else None


def check_amounts(ctx: Ctx, keeper: Keeper) -> str | None:
    """Every record is a canonical amount 0..2^128-1 under an address of 20 bytes."""
    for key, value in ctx.state.store(STORE).iter(b""):
        amount = int(value) if value.isdigit() else -1
        if str(amount).encode() != value or not 0 <= amount <= U128_MAX:
            return f"{value!r} at {key.hex()} is no amount"
        if key[0] == 2 and len(split_balance_key(key)[0]) != ADDRESS_BYTES:
            return f"{key.hex()} is no balance's key"
    return None


def check_holders(ctx: Ctx, keeper: Keeper) -> str | None:
    """Whoever has a balance has an account."""
    for address, _ in keeper.iter_balances(ctx):
        if not keeper.accounts.has_account(ctx, address):
            return f"{address.hex()} has coins and no account"
    return None
