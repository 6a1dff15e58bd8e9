"""What this room needs of others."""

from typing import Protocol

from abci_app.runtime.context import Ctx
from abci_app.wire.coin import Coin


class Bank(Protocol):
    """The slice of the bank that escrow needs."""

    def balance(self, ctx: Ctx, address: bytes, denom: str = ...) -> int: ...

    def send_to_module(self, ctx: Ctx, sender: bytes, module: str, coins: tuple[Coin, ...]) -> None: ...

    def send_from_module(self, ctx: Ctx, module: str, recipient: bytes, coins: tuple[Coin, ...]) -> None: ...
