"""The bank's state: balances and supplies, ASCII decimals under the keys of the Cosmos SDK's bank.

Reads and writes the whole of store "bank". A balance, once there, stays as "0" when it is spent: a stock light client
proves what is there and cannot prove absence, and the account's sequence stays in the state anyway.
Every record written costs WRITE_GAS. Amounts are 0..2^128-1, checked at every write.
Invariant: a denom's supply is the sum of its balances.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from abci_app.runtime.context import Ctx
from abci_app.runtime.gas import WRITE_GAS
from abci_app.wire.address import FEE_COLLECTOR, encode_address, module_address
from abci_app.wire.coin import BASE_DENOM, Coin
from abci_app.wire.errors import InsufficientFunds, InvariantBroken
from abci_app.wire.ints import U128_MAX
from abci_app.x.bank.events import new_burn, new_coin_received, new_coin_spent, new_coinbase, new_transfer
from abci_app.x.bank.keys import (
    BALANCE_PREFIX, SUPPLY_PREFIX, balance_key, split_balance_key, supply_key,
)
from abci_app.x.bank.needs import Accounts
from abci_app.x.bank.types import BURNER, MINTER, sum_coins

STORE = "bank"


@dataclass(frozen=True, kw_only=True)
class Keeper:
    """Coins of accounts and modules."""

    accounts: Accounts

    def balance(self, ctx: Ctx, address: bytes, denom: str = BASE_DENOM) -> int:
        """The amount of a denom at an address; 0 for an unknown address."""
        return self._read(ctx, balance_key(address, denom))

    def supply(self, ctx: Ctx, denom: str = BASE_DENOM) -> int:
        """All coins of a denom; 0 for an unknown denom."""
        return self._read(ctx, supply_key(denom))

    def iter_balances(self, ctx: Ctx) -> Iterator[tuple[bytes, Coin]]:
        """(address, coin) of every balance, zeros too, by address and denom."""
        for key, value in ctx.state.store(STORE).iter(BALANCE_PREFIX):
            address, denom = split_balance_key(key)
            yield address, Coin(denom, int(value))

    def iter_supplies(self, ctx: Ctx) -> Iterator[Coin]:
        """The supply of every denom, by denom."""
        for key, value in ctx.state.store(STORE).iter(SUPPLY_PREFIX):
            yield Coin(key[len(SUPPLY_PREFIX):].decode(), int(value))

    def send(self, ctx: Ctx, sender: bytes, recipient: bytes, coins: tuple[Coin, ...]) -> None:
        """Move coins; nothing happens for none. Makes the recipient's account when it has none.

        Raises InsufficientFunds (sdk/5) before any write. Emits coin_spent, coin_received, transfer.
        """
        coins = sum_coins(coins)
        if not coins:
            return
        self._subtract(ctx, sender, coins)
        ctx.emit(new_coin_spent(sender, coins))
        self._add(ctx, recipient, coins)
        ctx.emit(new_coin_received(recipient, coins))
        ctx.emit(new_transfer(sender, recipient, coins))

    def find_module_name(self, address: bytes) -> str | None:
        """The module whose account this is, None for an account of somebody who signs."""
        return self.accounts.find_module_name(address)

    def send_to_module(self, ctx: Ctx, sender: bytes, module: str, coins: tuple[Coin, ...]) -> None:
        """Move coins from an account into a module account. See `send`."""
        self.send(ctx, sender, self._module_address(module), coins)

    def send_from_module(self, ctx: Ctx, module: str, recipient: bytes, coins: tuple[Coin, ...]) -> None:
        """Move coins from a module account to an account. See `send`."""
        self.send(ctx, self._module_address(module), recipient, coins)

    def send_between_modules(self, ctx: Ctx, from_module: str, to_module: str, coins: tuple[Coin, ...]) -> None:
        """Move coins from one module account to another. See `send`."""
        self.send(ctx, self._module_address(from_module), self._module_address(to_module), coins)

    def collect_fee(self, ctx: Ctx, payer: bytes, fee: tuple[Coin, ...]) -> None:
        """Move a transaction's fee into the fee collector. See `send`."""
        self.send_to_module(ctx, payer, FEE_COLLECTOR, fee)

    def check_holds(self, address: bytes, held: int, coin: Coin) -> None:
        """Raises InsufficientFunds (sdk/5) unless the amount that an address holds covers a coin."""
        if held < coin.amount:
            raise InsufficientFunds(f"{encode_address(address)} has {held}{coin.denom}, {coin} needed")

    def mint(self, ctx: Ctx, module: str, coins: tuple[Coin, ...]) -> None:
        """Make coins in the account of a module that may mint; the caller keeps supplies below 2^128.

        Emits coin_received, coinbase.
        """
        address, coins = self._module_address(module), sum_coins(coins)
        if MINTER not in self.accounts.module_accounts[module]:
            raise ValueError(f"module {module} is no {MINTER}")
        if not coins:
            return
        for coin in coins:
            self._write(ctx, supply_key(coin.denom), self.supply(ctx, coin.denom) + coin.amount)
        self._add(ctx, address, coins)
        ctx.emit(new_coin_received(address, coins))
        ctx.emit(new_coinbase(address, coins))

    def burn(self, ctx: Ctx, module: str, coins: tuple[Coin, ...]) -> None:
        """Destroy coins in the account of a module that may burn.

        Raises InsufficientFunds (sdk/5) before any write. Emits coin_spent, burn.
        """
        address, coins = self._module_address(module), sum_coins(coins)
        if BURNER not in self.accounts.module_accounts[module]:
            raise ValueError(f"module {module} is no {BURNER}")
        if not coins:
            return
        self._subtract(ctx, address, coins)
        ctx.emit(new_coin_spent(address, coins))
        for coin in coins:
            self._write(ctx, supply_key(coin.denom), self.supply(ctx, coin.denom) - coin.amount)
        ctx.emit(new_burn(address, coins))

    def put_genesis_balance(self, ctx: Ctx, address: bytes, coin: Coin) -> None:
        """Write a balance as genesis has it; the caller writes the supply."""
        self.accounts.ensure_account(ctx, address)
        self._write(ctx, balance_key(address, coin.denom), coin.amount)

    def put_genesis_supply(self, ctx: Ctx, coin: Coin) -> None:
        """Write a supply as genesis has it."""
        self._write(ctx, supply_key(coin.denom), coin.amount)

    def _subtract(self, ctx: Ctx, address: bytes, coins: tuple[Coin, ...]) -> None:
        balances = [self.balance(ctx, address, coin.denom) for coin in coins]
        for coin, held in zip(coins, balances):
            self.check_holds(address, held, coin)
        for coin, held in zip(coins, balances):
            self._write(ctx, balance_key(address, coin.denom), held - coin.amount)

    def _add(self, ctx: Ctx, address: bytes, coins: tuple[Coin, ...]) -> None:
        if not self.accounts.has_account(ctx, address):
            self.accounts.ensure_account(ctx, address)
        for coin in coins:
            self._write(ctx, balance_key(address, coin.denom), self.balance(ctx, address, coin.denom) + coin.amount)

    def _module_address(self, module: str) -> bytes:
        if module not in self.accounts.module_accounts:
            raise ValueError(f"no module account {module}")
        return module_address(module)

    def _read(self, ctx: Ctx, key: bytes) -> int:
        record = ctx.state.store(STORE).get(key)
        return 0 if record is None else int(record)

    def _write(self, ctx: Ctx, key: bytes, amount: int) -> None:
        if not 0 <= amount <= U128_MAX:
            raise InvariantBroken(f"an amount of {amount} at bank/{key.hex()}")
        ctx.gas.use(WRITE_GAS, "write of an amount")
        ctx.state.store(STORE).set(key, str(amount).encode())
