"""What this room needs of others."""

from typing import Protocol

from abci_app.runtime.context import Ctx
from abci_app.wire.coin import Coin
from abci_app.wire.pb.gradus.models.v1.models_pb2 import LearningRate, Model, ModelSpec


class Bank(Protocol):
    """The slice of the bank that bonds need."""

    def balance(self, ctx: Ctx, address: bytes, denom: str = ...) -> int: ...

    def send_to_module(self, ctx: Ctx, sender: bytes, module: str, coins: tuple[Coin, ...]) -> None: ...

    def send_from_module(self, ctx: Ctx, module: str, recipient: bytes, coins: tuple[Coin, ...]) -> None: ...

    def burn(self, ctx: Ctx, module: str, coins: tuple[Coin, ...]) -> None: ...


class Models(Protocol):
    """The slice of the models room that rounds need."""

    def find_model(self, ctx: Ctx, model_id: int) -> Model | None: ...

    def get_model(self, ctx: Ctx, model_id: int) -> Model: ...

    def load_weights(self, ctx: Ctx, model_id: int, round_number: int) -> bytes: ...

    def load_momentum(self, ctx: Ctx, model_id: int) -> bytes: ...

    def start_training(self, ctx: Ctx, model: Model) -> Model: ...

    def close_round(self, ctx: Ctx, model: Model, weights: bytes, momentum: bytes) -> Model: ...


class Schedule(Protocol):
    """The learning rate (65536 is one) of a round, numbered from 1."""

    def __call__(self, policy: LearningRate, round_number: int, /) -> int: ...


class Rewards(Protocol):
    """The slice of the rewards room that rounds and slashes pay through."""

    def open_round(self, ctx: Ctx, model_id: int) -> None: ...

    def pay_round(self, ctx: Ctx, model_id: int, spec: ModelSpec, number: int, accepted: list[tuple[int, bytes]],
                  dealt: int) -> int: ...

    def release_round(self, ctx: Ctx, model_id: int, number: int) -> int: ...

    def pay_slash_to_fees(self, ctx: Ctx, amount_ugrad: int) -> None: ...
