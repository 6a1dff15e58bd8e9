"""What this room needs of others."""

from collections.abc import Iterator
from typing import Protocol

from abci_app.runtime.context import Ctx
from abci_app.wire.pb.gradus.validators.v1.validators_pb2 import Validator


class Validators(Protocol):
    """The slice of the validators room that committees are drawn from."""

    def find_validator(self, ctx: Ctx, address: bytes) -> Validator | None: ...

    def iter_validators(self, ctx: Ctx) -> Iterator[Validator]: ...


class Operators(Protocol):
    """Which account (20 bytes) earns for a validator, None when nobody does."""

    def find_operator(self, ctx: Ctx, consensus_address: bytes) -> bytes | None: ...
