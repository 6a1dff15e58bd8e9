"""What a room offers the chain: messages, injected transactions, queries, block ends, genesis, invariants."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Protocol

from google.protobuf.message import Message

from abci_app.runtime.context import Ctx
from abci_app.runtime.validators import Founding, ValidatorUpdate
from abci_app.wire.tx import type_url


LastVotes = tuple[int, int, tuple[tuple[bytes, bytes, bytes], ...]]


class ProposerSource(Protocol):
    """What the node that proposes a block knows of its own. Only a proposer looks."""

    def votes(self) -> LastVotes:
        """(height, round, votes) of the last commit: (consensus address, extension, signature) where there is one."""

    def find_answers(self, subject: bytes) -> tuple[bytes, ...]:
        """Answers (96 bytes) to an audit that this node knows: of the auditor beside it, and of the last votes."""


@dataclass(frozen=True)
class MsgRoute:
    """A message that users sign. `signer` names the field with the signer's address."""

    request: type[Message]
    response: type[Message]
    signer: str
    check: Callable[[Any], None]
    run: Callable[[Ctx, Any], Message]

    @cached_property
    def type_url(self) -> str:
        return type_url(self.request)

    @cached_property
    def room(self) -> str:
        """The second word of the type URL, by which indexers know the room."""
        return self.type_url.removeprefix("/").split(".")[1]


@dataclass(frozen=True)
class InjectedRoute:
    """A transaction that proposers put at the head of a block.

    `check` is a function of the block and the state only: ProcessProposal refuses a block in which it fails.
    `propose` may look at what this node holds; `run` delivers.
    """

    request: type[Message]
    response: type[Message]
    check: Callable[[Ctx, Any], None]
    run: Callable[[Ctx, Any], Message]
    propose: Callable[[Ctx, ProposerSource], Iterable[Message]]

    @property
    def type_url(self) -> str:
        return type_url(self.request)


@dataclass(frozen=True)
class QueryRoute:
    """A read-only answer under its gRPC path, `/package.Query/Name`."""

    path: str
    request: type[Message]
    run: Callable[[Ctx, Any], Message]


@dataclass(frozen=True)
class Invariant:
    """A predicate over the state: None when it holds, else what is broken."""

    name: str
    check: Callable[[Ctx], str | None]


@dataclass(frozen=True)
class Module:
    """One room. Block ends are total and bounded: they never raise for anything a user wrote.

    init_validators: called after every room's init_genesis, with what the engine's genesis says of validators.
    validator_updates: called after every room's end of block; one room at most has it.
    """

    name: str
    init_genesis: Callable[[Ctx, dict[str, Any]], None]
    export_genesis: Callable[[Ctx], dict[str, Any]]
    msgs: tuple[MsgRoute, ...] = ()
    injected: tuple[InjectedRoute, ...] = ()
    queries: tuple[QueryRoute, ...] = ()
    begin_block: Callable[[Ctx], None] | None = None
    end_block: Callable[[Ctx], None] | None = None
    init_validators: Callable[[Ctx, Founding], None] | None = None
    validator_updates: Callable[[Ctx], tuple[ValidatorUpdate, ...]] | None = None
    invariants: tuple[Invariant, ...] = field(default=())


def bind(run: Callable[[Ctx, Any, Any], Message], keeper: Any) -> Callable[[Ctx, Any], Message]:
    """A room's `run(ctx, keeper, request)` as the `run(ctx, request)` of a route."""
    return lambda ctx, request: run(ctx, keeper, request)
