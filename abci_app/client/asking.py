"""Asking: one question to a node's application, or page after page of one, with answers in their form."""

from collections.abc import Iterator
from typing import TypeVar

from google.protobuf.message import DecodeError, Message

from abci_app.client.errors import ProofInvalid, QueryRefused
from abci_app.client.node import Node
from abci_app.wire.errors import NotFound
from abci_app.wire.pb.cosmos.base.query.v1beta1.pagination_pb2 import PageRequest

PAGE_LIMIT = 500
PAGES_MAX = 10_000
_Answer = TypeVar("_Answer", bound=Message)


class Asking:
    """How typed clients ask a node (or several: node.Nodes)."""

    def __init__(self, node: Node) -> None:
        self.node = node

    def _ask(self, path: str, request: Message, kind: type[_Answer], height: int = 0) -> _Answer:
        answer = self.node.abci_query(path, request.SerializeToString(deterministic=True), height)
        if answer.code:
            raise QueryRefused(answer.codespace, answer.code, answer.log)
        try:
            return kind.FromString(answer.value)
        except DecodeError:
            raise ProofInvalid(f"the node's answer to {path} is no {kind.DESCRIPTOR.full_name}") from None

    def _find(self, path: str, request: Message, kind: type[_Answer]) -> _Answer | None:
        try:
            return self._ask(path, request, kind)
        except QueryRefused as error:
            if (error.codespace, error.code) == (NotFound.codespace, NotFound.code):
                return None
            raise

    def _pages(self, path: str, request: Message, kind: type[_Answer]) -> Iterator[_Answer]:
        """All pages of an answer, each of the latest state: records may come and go between two of them."""
        key = b""
        for _ in range(PAGES_MAX):
            request.pagination.CopyFrom(PageRequest(key=key, limit=PAGE_LIMIT))  # type: ignore[attr-defined]
            page = self._ask(path, request, kind)
            yield page
            following: bytes = page.pagination.next_key  # type: ignore[attr-defined]
            if not following:
                return
            if following <= key:
                raise ProofInvalid(f"the pages of {path} do not come to an end")
            key = following
        raise ProofInvalid(f"the pages of {path} do not come to an end")
