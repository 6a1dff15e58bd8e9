"""What this room needs of others."""

from collections.abc import Iterator
from typing import Protocol

from abci_app.runtime.context import Ctx
from abci_app.wire.coin import Coin
from abci_app.wire.pb.gradus.models.v1.models_pb2 import Model


class Bank(Protocol):
    """The slice of the bank that pay, emission and backing need."""

    def balance(self, ctx: Ctx, address: bytes, denom: str = ...) -> int: ...

    def supply(self, ctx: Ctx, denom: str = ...) -> int: ...

    def send_to_module(self, ctx: Ctx, sender: bytes, module: str, coins: tuple[Coin, ...]) -> None: ...

    def send_from_module(self, ctx: Ctx, module: str, recipient: bytes, coins: tuple[Coin, ...]) -> None: ...

    def send_between_modules(self, ctx: Ctx, from_module: str, to_module: str, coins: tuple[Coin, ...]) -> None: ...

    def mint(self, ctx: Ctx, module: str, coins: tuple[Coin, ...]) -> None: ...

    def burn(self, ctx: Ctx, module: str, coins: tuple[Coin, ...]) -> None: ...


class Auditors(Protocol):
    """The slice of the audits room that the pay of blocks needs."""

    def is_excluded(self, ctx: Ctx, validator: bytes) -> bool: ...


class Models(Protocol):
    """The slice of the models room that rewards need."""

    def get_model(self, ctx: Ctx, model_id: int) -> Model: ...

    def find_model(self, ctx: Ctx, model_id: int) -> Model | None: ...

    def iter_models(self, ctx: Ctx) -> Iterator[Model]: ...

    def draw_escrow(self, ctx: Ctx, model_id: int, recipient: bytes, amount_ugrad: int) -> Model: ...

    def return_escrow(self, ctx: Ctx, model_id: int, sender: bytes, amount_ugrad: int) -> Model: ...
