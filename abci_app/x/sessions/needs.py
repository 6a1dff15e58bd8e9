"""What this room needs of others."""

from collections.abc import Iterator
from typing import Protocol

from abci_app.runtime.context import Ctx
from abci_app.runtime.fee import FeeParts
from abci_app.wire.coin import Coin
from abci_app.wire.pb.gradus.audits.v1.audits_pb2 import Audit
from abci_app.wire.pb.gradus.inference.v1.inference_pb2 import Host, Request
from abci_app.wire.pb.gradus.models.v1.models_pb2 import Hold, InferencePolicy, Model, ModelSpec, Params, Weights


class Bank(Protocol):
    """The slice of the bank that deposits and bonds need."""

    def balance(self, ctx: Ctx, address: bytes, denom: str = ...) -> int: ...

    def send_to_module(self, ctx: Ctx, sender: bytes, module: str, coins: tuple[Coin, ...]) -> None: ...

    def send_from_module(self, ctx: Ctx, module: str, recipient: bytes, coins: tuple[Coin, ...]) -> None: ...

    def burn(self, ctx: Ctx, module: str, coins: tuple[Coin, ...]) -> None: ...


class Models(Protocol):
    """The slice of the models room that answers come from."""

    def params(self, ctx: Ctx) -> Params: ...

    def get_model(self, ctx: Ctx, model_id: int) -> Model: ...

    def get_spec(self, ctx: Ctx, model_id: int, version: int) -> ModelSpec: ...

    def get_weights(self, ctx: Ctx, model_id: int, round_number: int) -> Weights: ...

    def hold_weights(self, ctx: Ctx, model_id: int, round_number: int) -> None: ...

    def release_weights(self, ctx: Ctx, model_id: int, round_number: int) -> None: ...

    def iter_holds(self, ctx: Ctx) -> Iterator[Hold]: ...


class Rewards(Protocol):
    """The slice of the rewards room that fees go through."""

    def share_fee(self, ctx: Ctx, payer: str, model_id: int, policy: InferencePolicy, host: bytes, fee_ugrad: int,
                  ask_ugrad: int) -> FeeParts:
        """Move a fee out of the module account `payer`, burning the burnt part there."""

    def pay_answer_auditors(self, ctx: Ctx, model_id: int, amount_ugrad: int, accounts: list[bytes]) -> int:
        """Pay so much at most out of the model's pool, in equal parts; returns the ugrad paid."""


class Hosts(Protocol):
    """The slice of the inference room that sessions stake with. Hosts are of a model and an account (20 bytes)."""

    def get_host(self, ctx: Ctx, model_id: int, address: bytes) -> Host:
        """The host. Raises the room's error where there is none."""

    def iter_hosts(self, ctx: Ctx) -> Iterator[Host]:
        """Every host of every model."""

    def iter_requests(self, ctx: Ctx) -> Iterator[Request]:
        """Every request that is kept, whose hosts have staked as those of sessions have."""

    def open_stake(self, ctx: Ctx, model_id: int, address: bytes, stake_ugrad: int) -> Host:
        """Reserve a part of an active host's bond, and count a session. Raises the room's errors."""

    def add_stake(self, ctx: Ctx, model_id: int, address: bytes, stake_ugrad: int) -> Host:
        """Reserve more for a session that is open. Raises the room's errors."""

    def free_stake(self, ctx: Ctx, model_id: int, address: bytes, stake_ugrad: int, earned_ugrad: int) -> None:
        """A session is over: its stake is free, and what the host has earned is counted."""

    def slash_stake(self, ctx: Ctx, model_id: int, address: bytes, stake_ugrad: int, policy: InferencePolicy,
                    accounts: list[bytes]) -> int:
        """A session is over, and its host in the wrong: slash it. Returns the ugrad that it has lost."""


class Audits(Protocol):
    """The slice of the audits room by which answers are judged."""

    def has_room(self, ctx: Ctx, kind: int) -> bool: ...

    def ask_of_answer(self, ctx: Ctx, question: tuple[bytes, bytes, bytes], work: int) -> int: ...

    def iter_audits(self, ctx: Ctx) -> Iterator[Audit]: ...

    def list_decided(self, ctx: Ctx, *kinds: int) -> list[tuple[bytes, bytes]]: ...

    def take(self, ctx: Ctx, subject: bytes) -> None: ...

    def list_right(self, ctx: Ctx, subject: bytes) -> list[bytes]: ...

    def book_fee(self, ctx: Ctx, subject: bytes, fee_ugrad: int) -> None: ...

    def close_audit(self, ctx: Ctx, subject: bytes) -> None: ...
