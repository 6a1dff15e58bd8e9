"""What this room needs of others."""

from typing import Protocol

from abci_app.runtime.context import Ctx
from abci_app.wire.coin import Coin


class Rounds(Protocol):
    """The slice of the room that runs rounds which changes of a model need. That room is built later, of this one's
    keeper; only the routes, which are made when all keepers are there, know it.
    """

    def has_running_round(self, ctx: Ctx, model_id: int) -> bool: ...

    def mark_idle(self, ctx: Ctx, model_id: int) -> None:
        """Have a live model wait for a round; nothing while one runs, whose end deals the next."""


class Bank(Protocol):
    """The slice of the bank that escrow needs, and terms that name who is paid."""

    def find_module_name(self, address: bytes) -> str | None: ...

    def balance(self, ctx: Ctx, address: bytes, denom: str = ...) -> int: ...

    def send_to_module(self, ctx: Ctx, sender: bytes, module: str, coins: tuple[Coin, ...]) -> None: ...

    def send_from_module(self, ctx: Ctx, module: str, recipient: bytes, coins: tuple[Coin, ...]) -> None: ...
