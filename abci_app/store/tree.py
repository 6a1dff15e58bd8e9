"""The authenticated tree of one store: a leaf-only AVL tree with RFC-6962 hashes, immutable and path-copying.

Only leaves carry entries, in key order; nodes are the records of `node.py`.
A batch of changes is applied in one sweep: the batch is split at each separator, the halves are updated and joined
again (Blelloch, Ferizovic, Sun: Just Join for Parallel Ordered Sets, 2016), and each new node is hashed once.
The shape, and so the root, is a function of the sequence of applied batches alone. It can be rebuilt from the leaves
in order and their depths, because separators and balance follow from those.
Invariants: key order; depths of siblings differ by at most 1; the sentinel leaf is the first leaf of every tree.
Source: `abci_app/wire/proof.py` for the hashes; Knuth, TAOCP 3, 6.2.3 for the balance.
"""

from bisect import bisect_left
from hashlib import sha256
from typing import Any, Callable, Iterator, NamedTuple, Sequence

from abci_app.store.kv import SENTINEL_KEY, SENTINEL_VALUE
from abci_app.store.node import (
    HEIGHT_BYTES,
    INNER_TAG,
    KEY,
    LEFT_DEPTH,
    LEFT_HASH,
    LEFT_ID,
    NUMBER_BYTES,
    RIGHT_DEPTH,
    RIGHT_HASH,
    RIGHT_ID,
    SENTINEL_ID,
    encode_leaf,
    split_leaf,
)
from abci_app.wire.proof import Absence, Existence, Step, inner_hash, leaf_hash

Change = tuple[bytes, bytes | None]  # key and new value, None for a deletion
Load = Callable[[bytes], bytes]  # id -> node

Sub = tuple[Any, bytes, int, bytes]
"""A subtree while a batch is applied: (content, hash, depth, first key). Plain tuples for speed.

With a hash it is an old subtree and its content is an id. With an empty hash it is new, and its content is its two
halves, or (key, value) at depth 0.
"""


class Root(NamedTuple):
    """A committed tree: the id of its top node, its hash (32 bytes) and its depth (0 for a single leaf)."""

    id: bytes
    hash: bytes
    depth: int


EMPTY_ROOT = Root(SENTINEL_ID, leaf_hash(SENTINEL_KEY, SENTINEL_VALUE), 0)


def find_value(load: Load, root: Root, key: bytes) -> bytes | None:
    """The value at `key`, None when absent."""
    node = load(root.id)
    while node[0] == INNER_TAG:
        node = load(node[LEFT_ID] if key < node[KEY] else node[RIGHT_ID])
    found, value = split_leaf(node)
    return value if found == key else None


def iter_range(
    load: Load, root: Root, low: bytes, high: bytes | None, reverse: bool = False
) -> Iterator[tuple[bytes, bytes]]:
    """(key, value) for low <= key < high in key order, or from the last to the first."""
    pending = [root.id]
    while pending:
        node = load(pending.pop())
        while node[0] == INNER_TAG:
            separator = node[KEY]
            in_left = low < separator
            in_right = high is None or separator < high
            if in_left and in_right:
                pending.append(node[LEFT_ID] if reverse else node[RIGHT_ID])
                in_left = not reverse
            node = load(node[LEFT_ID] if in_left else node[RIGHT_ID])
        key, value = split_leaf(node)
        if low <= key and (high is None or key < high):
            yield key, value


def prove_entry(load: Load, root: Root, key: bytes) -> Existence | Absence:
    """The proof of the value at `key`, or of its absence by the two neighbours (the left one alone at the end)."""
    path: list[tuple[bytes, bool]] = []
    here = _descend(load, root.id, path, lambda separator: key >= separator)
    if here.key == key:
        return here
    is_below = here.key < key
    beside = _prove_neighbour(load, path, is_below)
    return Absence(key, here, beside) if is_below else Absence(key, beside, here)


def _prove_neighbour(load: Load, path: list[tuple[bytes, bool]], after: bool) -> Existence | None:
    """The leaf just after (or before) the one at the end of `path`; None at the edge of the tree."""
    path = list(path)
    while path:
        node, is_right = path.pop()
        if is_right != after:
            path.append((node, after))
            return _descend(load, node[RIGHT_ID] if after else node[LEFT_ID], path, lambda _: not after)
    return None


def _descend(
    load: Load, top: bytes, path: list[tuple[bytes, bool]], turn_right: Callable[[bytes], bool]
) -> Existence:
    """Walk to a leaf, appending (inner node, went right) to the path from the root; returns the leaf's proof."""
    node = load(top)
    while node[0] == INNER_TAG:
        is_right = turn_right(node[KEY])
        path.append((node, is_right))
        node = load(node[RIGHT_ID] if is_right else node[LEFT_ID])
    steps = (Step(right, above[LEFT_HASH] if right else above[RIGHT_HASH]) for above, right in reversed(path))
    return Existence(*split_leaf(node), tuple(steps))


class Draft:
    """A tree with one batch of changes applied, not hashed yet: `orphans` are the ids it no longer uses."""

    __slots__ = ("orphans", "_top", "_load", "_keys", "_values")

    def __init__(self, load: Load, root: Root, changes: Sequence[Change]) -> None:
        """`changes` have ascending keys, none of them the sentinel's. Loads what it needs and alters nothing."""
        self.orphans: list[bytes] = []
        self._load = load
        self._keys = [key for key, _ in changes]
        self._values = [value for _, value in changes]
        top: Sub | None = (root.id, root.hash, root.depth, SENTINEL_KEY)
        if changes:
            top = self._update((root.id, root.hash, root.depth, SENTINEL_KEY), 0, len(changes))
        if top is None:
            raise ValueError("the sentinel leaf was deleted")
        self._top = top

    def seal(self, height: int, nodes: list[tuple[bytes, bytes]]) -> Root:
        """Hash the new nodes and append (id, node) of each to `nodes`, children first; returns the root.

        `nodes` holds all new nodes of `height` so far, of other stores too: a node's number is its place there.
        """
        made_at = height.to_bytes(HEIGHT_BYTES, "big")

        def visit(sub: Sub) -> tuple[bytes, bytes]:
            """(id, hash) of a new subtree."""
            left, right = sub[0]
            if sub[2] == 0:
                digest = leaf_hash(left, right)
                node = encode_leaf(left, right)
            else:
                left_id, left_hash = (left[0], left[1]) if left[1] else visit(left)
                right_id, right_hash = (right[0], right[1]) if right[1] else visit(right)
                digest = sha256(b"\x01" + left_hash + right_hash).digest()
                depths = bytes((left[2], right[2]))
                node = b"\x01" + left_id + right_id + left_hash + right_hash + depths + right[3]
            node_id = made_at + len(nodes).to_bytes(NUMBER_BYTES, "big")
            nodes.append((node_id, node))
            return node_id, digest

        top = self._top
        node_id, digest = (top[0], top[1]) if top[1] else visit(top)
        return Root(node_id, digest, top[2])

    def _update(self, sub: Sub, begin: int, end: int) -> Sub | None:
        """An old subtree with the changes begin..end; `sub` itself if they change nothing, None if no leaf remains."""
        node = self._load(sub[0])
        if node[0] != INNER_TAG:
            return self._update_leaf(sub, node, begin, end)
        separator = node[KEY]
        keys = self._keys
        if keys[begin] >= separator:
            middle = begin
        elif keys[end - 1] < separator:
            middle = end
        else:
            middle = bisect_left(keys, separator, begin, end)
        old_left = (node[LEFT_ID], node[LEFT_HASH], node[LEFT_DEPTH], sub[3])
        old_right = (node[RIGHT_ID], node[RIGHT_HASH], node[RIGHT_DEPTH], separator)
        left = self._update(old_left, begin, middle) if begin < middle else old_left
        right = self._update(old_right, middle, end) if middle < end else old_right
        if left is old_left and right is old_right:
            return sub
        self.orphans.append(sub[0])
        if left is None or right is None:
            return left or right
        return self._join(left, right)

    def _update_leaf(self, sub: Sub, node: bytes, begin: int, end: int) -> Sub | None:
        """The changes meet one old leaf: a balanced tree of the new leaves and of the old one, if it stays."""
        old_key, old_value = split_leaf(node)
        row: list[Sub] = []
        is_placed = False  # whether the old leaf's place in the row is behind us
        for index in range(begin, end):
            key, value = self._keys[index], self._values[index]
            if not is_placed and old_key <= key:
                is_placed = True
                if old_key < key or value == old_value:
                    row.append(sub)
                else:
                    self.orphans.append(sub[0])
                if old_key == key and value == old_value:
                    continue
            if value is not None:
                row.append(((key, value), b"", 0, key))
        if not is_placed:
            row.append(sub)
        return _balanced(row, 0, len(row)) if row else None

    def _open(self, sub: Sub) -> tuple[Sub, Sub]:
        """The two halves of an inner subtree that is about to be replaced."""
        content, digest, _, low = sub
        if not digest:
            left, right = content
            return left, right
        self.orphans.append(content)
        node = self._load(content)
        return (
            (node[LEFT_ID], node[LEFT_HASH], node[LEFT_DEPTH], low),
            (node[RIGHT_ID], node[RIGHT_HASH], node[RIGHT_DEPTH], node[KEY]),
        )

    def _join(self, left: Sub, right: Sub) -> Sub:
        """One balanced tree of two, all keys of `left` below those of `right`; at most one level deeper."""
        lean = left[2] - right[2]
        if -1 <= lean <= 1:
            return _fork(left, right)
        if lean > 1:
            outer, inner = self._open(left)
            return self._rebalance(outer, self._join(inner, right))
        inner, outer = self._open(right)
        return self._rebalance(self._join(left, inner), outer)

    def _rebalance(self, left: Sub, right: Sub) -> Sub:
        """One balanced tree of two whose depths differ by at most 2, by a single or double rotation."""
        lean = left[2] - right[2]
        if lean > 1:
            outer, inner = self._open(left)
            if inner[2] > outer[2]:
                middle, inner = self._open(inner)
                return _fork(_fork(outer, middle), _fork(inner, right))
            return _fork(outer, _fork(inner, right))
        if lean < -1:
            inner, outer = self._open(right)
            if inner[2] > outer[2]:
                inner, middle = self._open(inner)
                return _fork(_fork(left, inner), _fork(middle, outer))
            return _fork(_fork(left, inner), outer)
        return _fork(left, right)


def _fork(left: Sub, right: Sub) -> Sub:
    """The new parent of two subtrees."""
    left_depth, right_depth = left[2], right[2]
    return (left, right), b"", (left_depth if left_depth > right_depth else right_depth) + 1, left[3]


def _balanced(row: list[Sub], begin: int, end: int) -> Sub:
    """The tree over row[begin:end], split in half at every level."""
    if end - begin == 1:
        return row[begin]
    middle = (begin + end) // 2  # rounded down, both are non-negative
    return _fork(_balanced(row, begin, middle), _balanced(row, middle, end))


def compute_app_hash(stores: Sequence[tuple[str, bytes]]) -> bytes:
    """The root over (store name, store root) in name order: the RFC-6962 tree, split at powers of two."""
    return _list_root([leaf_hash(name.encode(), root) for name, root in stores])


def prove_store(stores: Sequence[tuple[str, bytes]], name: str) -> Existence:
    """The proof of one store's root under the app hash; ValueError if no store has this name."""
    names = [known for known, _ in stores]
    index = names.index(name)
    hashes = [leaf_hash(known.encode(), root) for known, root in stores]
    steps = []
    while len(hashes) > 1:
        split = 1 << (len(hashes) - 1).bit_length() - 1
        is_right = index >= split
        steps.append(Step(is_right, _list_root(hashes[:split] if is_right else hashes[split:])))
        hashes = hashes[split:] if is_right else hashes[:split]
        index -= split if is_right else 0
    return Existence(name.encode(), stores[names.index(name)][1], tuple(reversed(steps)))


def _list_root(hashes: list[bytes]) -> bytes:
    if len(hashes) == 1:
        return hashes[0]
    split = 1 << (len(hashes) - 1).bit_length() - 1
    return inner_hash(_list_root(hashes[:split]), _list_root(hashes[split:]))
