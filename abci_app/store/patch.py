"""New values of keys that are there: the tree keeps its shape, so pages are patched instead of built.

This is what most small blocks are. The results are those of `Draft`, to the byte.
"""

from hashlib import sha256
from typing import Any, Callable, Sequence

from abci_app.store.kv import SENTINEL_KEY
from abci_app.store.node import (
    CHILD,
    CHILD_BYTES,
    HASH_BYTES,
    HEIGHT_BYTES,
    ID_BYTES,
    LINK_BYTES,
    LINKS,
    NUMBER_BYTES,
    check_page,
    encode_leaf,
    split_page,
)
from abci_app.store.tree import Change, Load, Root
from abci_app.wire.proof import leaf_hash

DEPTH_AT = ID_BYTES + HASH_BYTES  # in a page's entry for a child

Plan = tuple[bytes, list[Any], list[int]]
"""A page to be patched: (page, hits, inner nodes to be hashed). A hit is (place of the child's entry, its plan, b"") or
(place, (key, value), leaf hash)."""


class ShapeChanges(Exception):
    """A key is new, or goes: not a case for a patch."""


class Patch:
    """What `Draft` is, for new values only."""

    __slots__ = ("orphans", "_load", "_changes", "_root", "_plan")

    def __init__(self, load: Load, root: Root, changes: Sequence[Change]) -> None:
        """As Draft. Raises ShapeChanges."""
        if root.depth == 0:
            raise ShapeChanges
        self.orphans: list[bytes] = []
        self._load = load
        self._changes = changes
        self._root = root
        self._plan = self._visit(root.id, root.depth, SENTINEL_KEY, 0, len(changes))

    def seal(self, height: int, nodes: list[tuple[bytes, bytes]]) -> Root:
        """See Draft."""
        if not self._plan[1]:
            return self._root
        made_at = height.to_bytes(HEIGHT_BYTES, "big")

        def put(record: bytes) -> bytes:
            node_id = made_at + len(nodes).to_bytes(NUMBER_BYTES, "big")
            nodes.append((node_id, record))
            return node_id

        return Root(*_write(self._plan, put), self._root.depth)

    def _visit(self, page_id: bytes, depth: int, first: bytes, begin: int, end: int) -> Plan:
        """The plan of a page whose first key is `first`, for the changes begin..end."""
        page, changes = self._load(page_id), self._changes
        check_page(page, depth)
        _, children, separators = split_page(page)
        hits: list[Any] = []
        touched: dict[int, None] = {}
        while begin < end:
            key, value = changes[begin]
            low, high = first, b""  # of the child; b"": as high as the page reaches
            side, path = 0, []
            while side < CHILD:
                path.append(side)
                at = LINKS + LINK_BYTES * side
                start = (page[at - 2] << 8 | page[at - 1]) if side else 0
                separator = page[separators + start : separators + (page[at + 3] << 8 | page[at + 4])]
                if key < separator:
                    side, high = page[at], separator
                else:
                    side, low = page[at + 1], separator
            stop = begin + 1
            while stop < end and (not high or changes[stop][0] < high):
                stop += 1
            slot = children + CHILD_BYTES * (side - CHILD)
            hit: tuple[int, Any, bytes] | None = None
            if page[slot + DEPTH_AT]:
                plan = self._visit(page[slot : slot + ID_BYTES], page[slot + DEPTH_AT], low, begin, stop)
                hit = (slot, plan, b"") if plan[1] else None
            else:
                if key != low or value is None or stop - begin > 1:
                    raise ShapeChanges
                digest = leaf_hash(key, value)
                if digest != page[slot + ID_BYTES : slot + DEPTH_AT]:
                    hit = (slot, (key, value), digest)
                    self.orphans.append(page[slot : slot + ID_BYTES])
            if hit is not None:
                hits.append(hit)
                touched.update(dict.fromkeys(path))
            begin = stop
        if hits:
            self.orphans.append(page_id)
        return page, hits, sorted(touched, reverse=True)


def _write(plan: Plan, put: Callable[[bytes], bytes]) -> tuple[bytes, bytes]:
    """(id, hash) of a patched page, with all below it."""
    page, hits, touched = plan
    patched = bytearray(page)
    hashes, children, _ = split_page(page)
    for slot, content, digest in hits:
        if digest:
            node_id = put(encode_leaf(*content))
        else:
            node_id, digest = _write(content, put)
        patched[slot : slot + DEPTH_AT] = node_id + digest
    digest = b""
    for number in touched:  # the inner nodes below have higher numbers
        at = LINKS + LINK_BYTES * number
        message = b"\x01"
        for side in patched[at : at + 2]:
            place = hashes + HASH_BYTES * (side - 1)
            if side >= CHILD:
                place = children + CHILD_BYTES * (side - CHILD) + ID_BYTES
            message += patched[place : place + HASH_BYTES]
        digest = sha256(message).digest()
        if number:
            patched[hashes + HASH_BYTES * (number - 1) : hashes + HASH_BYTES * number] = digest
    return put(bytes(patched)), digest
