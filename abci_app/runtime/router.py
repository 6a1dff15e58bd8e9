"""Which route serves a message, an injected transaction or a query; and that every type is served exactly once."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeVar

from google.protobuf.any_pb2 import Any
from google.protobuf.message import Message

from abci_app.runtime.module import InjectedRoute, Module, MsgRoute, QueryRoute
from abci_app.wire.errors import TxDecodeError, UnknownRequest, shown
from abci_app.wire.tx import parse_strict

Route = TypeVar("Route", MsgRoute, InjectedRoute, QueryRoute)


@dataclass(frozen=True)
class Router:
    """Routes by type URL or query path."""

    msgs: dict[str, MsgRoute]
    injected: dict[str, InjectedRoute]
    queries: dict[str, QueryRoute]

    def decode_msg(self, packed: Any) -> tuple[MsgRoute, Message]:
        """The route and the message of an Any. Raises UnknownRequest (sdk/6), TxDecodeError (sdk/2)."""
        route = self.msgs.get(packed.type_url)
        if route is None:
            raise UnknownRequest(f"no message {shown(packed.type_url)} on this chain")
        return route, parse_strict(route.request, packed.value, packed.type_url)

    def decode_injected(self, packed: Any) -> tuple[InjectedRoute, Message]:
        """The route and the message of an injected Any, which nobody signed: one message has one form of bytes.

        Raises UnknownRequest (sdk/6), TxDecodeError (sdk/2).
        """
        route = self.injected.get(packed.type_url)
        if route is None:
            raise UnknownRequest(f"no injected transaction {shown(packed.type_url)} on this chain")
        message = parse_strict(route.request, packed.value, packed.type_url)
        if message.SerializeToString(deterministic=True) != packed.value:
            raise TxDecodeError(f"{packed.type_url} is not in canonical form")
        return route, message


def new_router(modules: Iterable[Module]) -> Router:
    """The routes of all modules. A type or path served twice is a programming error: ValueError."""
    router = Router({}, {}, {})
    for module in modules:
        for msg in module.msgs:
            _add(router.msgs, msg.type_url, msg)
        for injected in module.injected:
            _add(router.injected, injected.type_url, injected)
        for query in module.queries:
            _add(router.queries, query.path, query)
    return router


def _add(routes: dict[str, Route], name: str, route: Route) -> None:
    if name in routes:
        raise ValueError(f"{name} is served by two modules")
    routes[name] = route
