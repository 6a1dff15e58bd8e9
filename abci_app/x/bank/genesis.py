"""Genesis of coins.

{"balances": [{"address": "gradus1…", "coins": [{"denom": "ugrad", "amount": "5"}]}], "supply": [{"denom", "amount"}]}
The supply may be left out; if it is there, it must be the sum of the balances.
"""

from typing import Any

from abci_app.runtime.context import Ctx
from abci_app.runtime.genesis import GenesisInvalid, Section
from abci_app.wire.address import encode_address
from abci_app.wire.coin import BASE_DENOM, DENOMS_MAX, Coin, check_denom
from abci_app.wire.errors import ChainError
from abci_app.wire.ints import U128_MAX
from abci_app.x.bank.keeper import Keeper

PATH = "app_state.bank"


def init_genesis(ctx: Ctx, keeper: Keeper, state: dict[str, Any]) -> None:
    """Write the genesis state. Raises GenesisInvalid."""
    section = Section(PATH, state).only("balances", "supply")
    totals = {BASE_DENOM: 0}
    seen: dict[bytes, str] = {}
    for item in section.sections("balances"):
        address = item.only("address", "coins").address("address")
        if address in seen:
            raise GenesisInvalid(f"{item.path}.address", f"stands in {seen[address]} already",
                                 "list all coins of an address together")
        seen[address] = item.path
        for coin in _read_coins(item, "coins"):
            keeper.put_genesis_balance(ctx, address, coin)
            totals[coin.denom] = totals.get(coin.denom, 0) + coin.amount
    supply = tuple(Coin(denom, totals[denom]) for denom in sorted(totals))
    _check_supply(section, supply)
    for coin in supply:
        keeper.put_genesis_supply(ctx, coin)


def _check_supply(section: Section, supply: tuple[Coin, ...]) -> None:
    path = f"{section.path}.supply"
    if len(supply) > DENOMS_MAX:
        raise GenesisInvalid(f"{section.path}.balances", f"{len(supply)} denoms", f"the most is {DENOMS_MAX}")
    for coin in supply:
        if coin.amount > U128_MAX:
            raise GenesisInvalid(path, f"the balances of {coin.denom} add up to 2^128 or more", "lower them")
    if "supply" in section.value and _read_coins(section, "supply") != supply:
        raise GenesisInvalid(path, "not the sum of the balances",
                             f"the balances add up to {', '.join(str(coin) for coin in supply)}; or leave it out")


def _read_coins(section: Section, name: str) -> tuple[Coin, ...]:
    """Coins sorted by denom, each denom once; zeros are allowed."""
    coins: list[Coin] = []
    for item in section.sections(name):
        item.only("denom", "amount")
        denom = item.text("denom")
        try:
            check_denom(denom)
        except ChainError as error:
            raise GenesisInvalid(f"{item.path}.denom", error.detail, f"the base denom is {BASE_DENOM}") from None
        if coins and coins[-1].denom >= denom:
            raise GenesisInvalid(f"{item.path}.denom", "denoms are not in order", "sort them, each denom once")
        coins.append(Coin(denom, item.uint("amount", U128_MAX)))
    return tuple(coins)


def export_genesis(ctx: Ctx, keeper: Keeper) -> dict[str, Any]:
    """The genesis state that gives this state again."""
    balances: list[dict[str, Any]] = []
    for address, coin in keeper.iter_balances(ctx):
        text = encode_address(address)
        if not balances or balances[-1]["address"] != text:
            balances.append({"address": text, "coins": []})
        balances[-1]["coins"].append(_export_coin(coin))
    return {"balances": balances, "supply": [_export_coin(coin) for coin in keeper.iter_supplies(ctx)]}


def _export_coin(coin: Coin) -> dict[str, str]:
    return {"denom": coin.denom, "amount": str(coin.amount)}
