"""What always holds of accounts."""

from abci_app.runtime.context import Ctx
from abci_app.wire.address import encode_address, module_address
from abci_app.x.auth.keeper import STORE, Keeper
from abci_app.x.auth.keys import ACCOUNT_PREFIX, account_key
from abci_app.wire.pb.cosmos.auth.v1beta1.auth_pb2 import BaseAccount


def check_numbers(ctx: Ctx, keeper: Keeper) -> str | None:
    """Account numbers are 0, 1, 2, … without gap or repetition, and the next one follows."""
    numbers = sorted(account.account_number for account in keeper.iter_accounts(ctx))
    if numbers != list(range(keeper.next_account_number(ctx))):
        return f"{len(numbers)} accounts, but the next account number is {keeper.next_account_number(ctx)}"
    return None


def check_addresses(ctx: Ctx, keeper: Keeper) -> str | None:
    """Every account stands under its own address."""
    for key, record in ctx.state.store(STORE).iter(ACCOUNT_PREFIX):
        address = BaseAccount.FromString(record).address
        if account_key(key[1:]) != key or encode_address(key[1:]) != address:
            return f"account {address} stands under {key.hex()}"
    return None


def check_modules(ctx: Ctx, keeper: Keeper) -> str | None:
    """The accounts of modules exist and have never signed."""
    for name in sorted(keeper.module_accounts):
        account = keeper.find_account(ctx, module_address(name))
        if account is None or account.sequence or account.HasField("pub_key"):
            return f"module account {name} is missing or has signed"
    return None
