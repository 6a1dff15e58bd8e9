"""What the bank needs of other rooms."""

from collections.abc import Mapping
from typing import Protocol

from abci_app.runtime.context import Ctx
from abci_app.wire.pb.cosmos.auth.v1beta1.auth_pb2 import BaseAccount


class Accounts(Protocol):
    """The auth room: whoever receives coins gets an account, and modules have accounts of their own."""

    @property
    def module_accounts(self) -> Mapping[str, tuple[str, ...]]:
        """The module accounts' names, each with what it may do with coins: "burner", "minter"."""

    def ensure_account(self, ctx: Ctx, address: bytes) -> BaseAccount:
        """The account at an address, made when there is none."""

    def find_module_name(self, address: bytes) -> str | None:
        """The module account's name at an address."""

    def has_account(self, ctx: Ctx, address: bytes) -> bool:
        """Whether an address has an account."""
