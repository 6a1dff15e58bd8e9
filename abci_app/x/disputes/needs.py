"""What this room needs of others."""

from collections.abc import Iterator
from typing import Protocol

from abci_app.runtime.context import Ctx
from abci_app.runtime.contract import UnitTerms
from abci_app.wire.coin import Coin
from abci_app.wire.pb.gradus.models.v1.models_pb2 import ModelSpec
from abci_app.wire.pb.gradus.work.v1.work_pb2 import Round, Unit


class Bank(Protocol):
    """The slice of the bank that challengers' bonds need."""

    def balance(self, ctx: Ctx, address: bytes, denom: str = ...) -> int: ...

    def send_to_module(self, ctx: Ctx, sender: bytes, module: str, coins: tuple[Coin, ...]) -> None: ...

    def send_from_module(self, ctx: Ctx, module: str, recipient: bytes, coins: tuple[Coin, ...]) -> None: ...

    def burn(self, ctx: Ctx, module: str, coins: tuple[Coin, ...]) -> None: ...


class Work(Protocol):
    """The slice of the work room that disputes are about."""

    def find_unit(self, ctx: Ctx, model_id: int, number: int, index: int) -> Unit | None:
        """A unit, None when there is none or it is no longer kept."""

    def get_unit(self, ctx: Ctx, model_id: int, number: int, index: int) -> Unit:
        """A unit. Raises the room's error where there is none."""

    def find_round(self, ctx: Ctx, model_id: int, number: int) -> Round | None:
        """A round, None when there is none or it is no longer kept."""

    def get_round(self, ctx: Ctx, model_id: int, number: int) -> Round:
        """A round. Raises the room's error where there is none."""

    def iter_rounds(self, ctx: Ctx) -> Iterator[Round]:
        """Every kept round, in the order of models and numbers."""

    def spec_of(self, ctx: Ctx, owner: Round) -> ModelSpec:
        """The contract's terms in the version of a round."""

    def find_challengeable(self, ctx: Ctx, model_id: int, number: int, index: int) -> Unit | None:
        """The unit, if it is accepted, its window is open and no dispute of it is."""

    def mark_disputed(self, ctx: Ctx, unit: Unit, disputed: bool) -> None:
        """A dispute of an accepted unit has begun, which holds up its settlement, or its claimant has won it.

        Whoever has won stays challengeable for a while, so that a dispute with oneself shuts nobody out.
        """

    def lose_dispute(self, ctx: Ctx, model_id: int, number: int, index: int, challenger: bytes) -> int:
        """Reject a disputed unit and slash its trainer. Returns the ugrad that the challenger (20 bytes) got."""

    def compute_terms(self, ctx: Ctx, model_id: int, number: int, index: int) -> UnitTerms:
        """All that a unit is computed from."""
