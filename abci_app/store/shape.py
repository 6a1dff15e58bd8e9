"""The shape of a tree as a row of leaves: read off a tree, and grown into a tree again.

A leaf's level is its distance from the root. The levels of all leaves, in key order, determine the shape of a binary
tree, so (level, key, value) in a row are a whole tree, whatever its root says. Growing holds a few subtrees for each
level in memory, never the tree, and refuses every row that no balanced tree has.
Source: Knuth, TAOCP 3, 6.2.3 for the balance; the decoding of a prefix code from its lengths.
"""

from typing import Callable, Iterator, NamedTuple

from abci_app.store.errors import InvalidEntry, SnapshotInvalid
from abci_app.store.kv import SENTINEL_KEY, SENTINEL_VALUE, check_entry
from abci_app.store.node import CHILD, LINK_BYTES, LINKS, PAGE_TAG, Sub, compute_band, get_child_id, split_leaf
from abci_app.store.tree import Load, Pager, Root
from abci_app.wire.proof import inner_hash, leaf_hash

MAX_LEVEL = 62  # what stock verifiers take; a balanced tree of 2^43 leaves is not deeper

Put = Callable[[bytes], bytes]  # a node's record -> its id


class Leaf(NamedTuple):
    """An entry of a tree, and its distance from the root."""

    level: int
    key: bytes
    value: bytes


def iter_leaves(load: Load, root: Root) -> Iterator[Leaf]:
    """Every leaf of a tree in key order, the reserved one too. Raises what `load` raises."""
    pending: list[tuple[bytes, int, int]] = []  # (page, side, level) still to be walked, the next one last
    node, side, level = load(root.id), 0, 0
    while True:
        while node[0] == PAGE_TAG:
            while side < CHILD:
                level += 1
                at = LINKS + LINK_BYTES * side
                pending.append((node, node[at + 1], level))
                side = node[at]
            node, side = load(get_child_id(node, side)), 0
        yield Leaf(level, *split_leaf(node))
        if not pending:
            return
        node, side, level = pending.pop()


class _Subtree(NamedTuple):
    """A grown subtree, hashed; its records are written but for the page of its top."""

    level: int
    sub: Sub


class Grower:
    """Grows one tree from its leaves in key order. Records go to `put`, children first, which answers their ids."""

    def __init__(self, put: Put) -> None:
        self._pager = Pager(put, lambda stored: stored[0])
        self._last: bytes | None = None
        self._stack: list[_Subtree] = []  # levels strictly rise from the bottom to the top

    def add(self, leaf: Leaf) -> None:
        """The next leaf. Raises SnapshotInvalid for one that cannot stand there."""
        level, key, value = leaf
        self._check(leaf)
        if not 0 <= level <= MAX_LEVEL:
            raise SnapshotInvalid(f"a leaf of level {level}")
        if self._stack and level < self._stack[-1].level or self._is_whole():
            raise SnapshotInvalid(f"no leaf of level {level} fits behind {self._last!r:.60}")
        self._last = key
        top = _Subtree(level, ((key, value), leaf_hash(key, value), 0, key))
        while self._stack and self._stack[-1].level == top.level:
            top = self._join(self._stack.pop(), top)
        self._stack.append(top)

    def finish(self) -> Root:
        """The tree. Raises SnapshotInvalid when leaves are missing."""
        if not self._is_whole():
            raise SnapshotInvalid("the row of leaves ends before the tree is whole")
        top = self._stack[0].sub
        return Root(*self._pager.place(top), top[2])

    def _is_whole(self) -> bool:
        return bool(self._stack) and self._stack[0].level == 0

    def _check(self, leaf: Leaf) -> None:
        """Keys rise, the reserved leaf is the first, and every other is an entry that a store takes."""
        if self._last is None:
            if (leaf.key, leaf.value) != (SENTINEL_KEY, SENTINEL_VALUE):
                raise SnapshotInvalid("the first leaf is not the reserved one")
            return
        if leaf.key <= self._last:
            raise SnapshotInvalid(f"key {leaf.key!r:.60} does not follow {self._last!r:.60}")
        try:
            check_entry(leaf.key, leaf.value)
        except InvalidEntry as error:
            raise SnapshotInvalid(str(error)) from error

    def _join(self, left: _Subtree, right: _Subtree) -> _Subtree:
        """The parent of two neighbours of one level."""
        depths = left.sub[2], right.sub[2]
        if not -1 <= depths[0] - depths[1] <= 1:
            raise SnapshotInvalid(f"the tree leans: {depths[0]} against {depths[1]} levels")
        depth = max(depths) + 1
        halves = tuple(self._place_outside(sub, compute_band(depth)) for sub in (left.sub, right.sub))
        digest = inner_hash(left.sub[1], right.sub[1])
        return _Subtree(left.level - 1, (halves, digest, depth, left.sub[3]))

    def _place_outside(self, sub: Sub, band: int) -> Sub:
        """A half of an inner node of `band`, written unless it shares its parent's page."""
        _, digest, depth, first = sub
        if compute_band(depth) == band:
            return sub
        return self._pager.place(sub)[0], digest, depth, first
