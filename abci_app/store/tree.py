"""The authenticated tree of one store: a leaf-only AVL tree with RFC-6962 hashes, immutable and path-copying.

Only leaves carry entries, in key order. An inner node has the smallest key of its right half as separator, the ids,
hashes and depths of both children, and no hash of its own (its parent, or the version record, has it): one descent
therefore yields a whole proof, and a changed path is rehashed without reading its siblings.
A batch of changes is applied in one sweep: the batch is split at each separator, the halves are updated and joined
again (Blelloch, Ferizovic, Sun: Just Join for Parallel Ordered Sets, 2016), and each new node is hashed once.
The shape, and so the root, is a function of the sequence of applied batches alone. It is rebuilt from the leaves in
order and their depths, because separators and balance follow from those.
Invariants: key order; depths of siblings differ by at most 1; the sentinel leaf is the first leaf of every tree.
Source: `abci_app/wire/proof.py` for the hashes; Knuth, TAOCP 3, 6.2.3 for the balance.
"""

from bisect import bisect_left
from hashlib import sha256
from typing import Any, Callable, Iterator, NamedTuple, Sequence, final

from abci_app.store.kv import SENTINEL_KEY, SENTINEL_VALUE
from abci_app.wire.proof import Absence, Existence, Step, inner_hash, leaf_hash

Change = tuple[bytes, bytes | None]  # key and new value, None for a deletion
Link = Any  # the id (int) of a sealed node, or a Leaf or Inner that is not sealed yet


@final
class Leaf:
    """One entry."""

    __slots__ = ("key", "value")

    def __init__(self, key: bytes, value: bytes) -> None:
        self.key = key
        self.value = value


@final
class Inner:
    """A fork: keys below `key` are in `left`, the others in `right`; children are ids, or nodes not sealed yet."""

    __slots__ = ("key", "left", "right", "left_hash", "right_hash", "left_depth", "right_depth")

    def __init__(
        self,
        key: bytes,
        left: Link,
        right: Link,
        left_hash: bytes,
        right_hash: bytes,
        left_depth: int,
        right_depth: int,
    ) -> None:
        self.key = key
        self.left = left
        self.right = right
        self.left_hash = left_hash
        self.right_hash = right_hash
        self.left_depth = left_depth
        self.right_depth = right_depth


Node = Leaf | Inner
Load = Callable[[int], Node]
Sub = tuple[Link, bytes, int, bytes]
"""A subtree under construction: node or id, hash (empty while it is new), depth, first key. Plain for speed."""


class Root(NamedTuple):
    """A committed tree: the id of its top node, its hash (32 bytes) and its depth (0 for a single leaf)."""

    id: int
    hash: bytes
    depth: int


SENTINEL_ID = 0
SENTINEL = Leaf(SENTINEL_KEY, SENTINEL_VALUE)
EMPTY_ROOT = Root(SENTINEL_ID, leaf_hash(SENTINEL_KEY, SENTINEL_VALUE), 0)


def find_value(load: Load, root: Root, key: bytes) -> bytes | None:
    """The value at `key`, None when absent."""
    node = load(root.id)
    while type(node) is Inner:
        node = load(node.left if key < node.key else node.right)
    return node.value if node.key == key else None


def iter_range(
    load: Load, root: Root, low: bytes, high: bytes | None, reverse: bool = False
) -> Iterator[tuple[bytes, bytes]]:
    """(key, value) for low <= key < high in key order, or from the last to the first."""
    pending: list[Link] = [root.id]
    while pending:
        node = load(pending.pop())
        while type(node) is Inner:
            if reverse and (high is None or node.key < high):
                if low < node.key:
                    pending.append(node.left)
                node = load(node.right)
            elif reverse or low < node.key:
                if not reverse and (high is None or node.key < high):
                    pending.append(node.right)
                node = load(node.left)
            else:
                node = load(node.right)
        if low <= node.key and (high is None or node.key < high):
            yield node.key, node.value


def prove_entry(load: Load, root: Root, key: bytes) -> Existence | Absence:
    """The proof of the value at `key`, or of its absence by the two neighbours (the left one alone at the end)."""
    path: list[tuple[Inner, bool]] = []
    leaf = _descend(load, root.id, path, lambda node: key >= node.key)
    here = Existence(leaf.key, leaf.value, _steps(path))
    if leaf.key == key:
        return here
    is_below = leaf.key < key
    beside = _prove_neighbour(load, path, is_below)
    return Absence(key, here, beside) if is_below else Absence(key, beside, here)


def _prove_neighbour(load: Load, path: list[tuple[Inner, bool]], after: bool) -> Existence | None:
    """The leaf just after (or before) the one at the end of `path`; None at the edge of the tree."""
    path = list(path)
    while path:
        node, is_right = path.pop()
        if is_right != after:
            path.append((node, after))
            link = node.right if after else node.left
            leaf = _descend(load, link, path, lambda _: not after)
            return Existence(leaf.key, leaf.value, _steps(path))
    return None


def _descend(load: Load, link: int, path: list[tuple[Inner, bool]], turn_right: Callable[[Inner], bool]) -> Leaf:
    """Walk to a leaf, appending (inner node, went right) for every fork."""
    node = load(link)
    while isinstance(node, Inner):
        is_right = turn_right(node)
        path.append((node, is_right))
        node = load(node.right if is_right else node.left)
    return node


def _steps(path: list[tuple[Inner, bool]]) -> tuple[Step, ...]:
    return tuple(Step(right, node.left_hash if right else node.right_hash) for node, right in reversed(path))


class Draft:
    """A tree with one batch of changes applied, not sealed yet: `orphans` are the ids it no longer uses."""

    __slots__ = ("orphans", "_top", "_load", "_keys", "_values")

    def __init__(self, load: Load, root: Root, changes: Sequence[Change]) -> None:
        """`changes` have ascending keys, none of them the sentinel's. Loads what it needs and alters nothing."""
        self.orphans: list[int] = []
        self._load = load
        self._keys = [key for key, _ in changes]
        self._values = [value for _, value in changes]
        top: Sub = (root.id, root.hash, root.depth, SENTINEL_KEY)
        changed = self._update(top, 0, len(changes)) if changes else top
        if changed is None:
            raise ValueError("the sentinel leaf was deleted")
        self._top = changed

    def seal(self, first_id: int) -> tuple[Root, list[Node]]:
        """Hash and number the new nodes, children first, from `first_id` upward. To be called once.

        Returns the root and the new nodes in the order of their ids.
        """
        nodes: list[Node] = []

        def visit(node: Node) -> tuple[int, bytes]:
            if type(node) is Leaf:
                digest = leaf_hash(node.key, node.value)
            else:
                if type(node.left) is not int:
                    node.left, node.left_hash = visit(node.left)
                if type(node.right) is not int:
                    node.right, node.right_hash = visit(node.right)
                digest = sha256(b"\x01" + node.left_hash + node.right_hash).digest()
            nodes.append(node)
            return first_id + len(nodes) - 1, digest

        link, digest, depth, _ = self._top
        if type(link) is not int:
            link, digest = visit(link)
        return Root(link, digest, depth), nodes

    def _update(self, sub: Sub, begin: int, end: int) -> Sub | None:
        """`sub` with the changes begin..end; `sub` itself if they change nothing, None if no leaf remains."""
        node = self._load(sub[0])
        if type(node) is Leaf:
            return self._update_leaf(sub, node, begin, end)
        key = node.key
        keys = self._keys
        if keys[begin] >= key:
            middle = begin
        elif keys[end - 1] < key:
            middle = end
        else:
            middle = bisect_left(keys, key, begin, end)
        left: Sub | None
        right: Sub | None
        left = old_left = (node.left, node.left_hash, node.left_depth, sub[3])
        right = old_right = (node.right, node.right_hash, node.right_depth, key)
        if begin < middle:
            left = self._update(old_left, begin, middle)
        if middle < end:
            right = self._update(old_right, middle, end)
        if left is old_left and right is old_right:
            return sub
        self.orphans.append(sub[0])
        if left is None or right is None:
            return left or right
        return self._join(left, right)

    def _update_leaf(self, sub: Sub, leaf: Leaf, begin: int, end: int) -> Sub | None:
        """The changes meet one old leaf: a balanced tree of what remains of it and of the new leaves."""
        row: list[Sub] = []
        kept = True  # whether the old leaf still stands
        placed = False  # whether it stands in the row already, or never will
        for index in range(begin, end):
            key, value = self._keys[index], self._values[index]
            if not placed and leaf.key <= key:
                placed = True
                kept = leaf.key < key or value == leaf.value
                if kept:
                    row.append(sub)
                if leaf.key == key and kept:
                    continue
            if value is not None:
                row.append((Leaf(key, value), b"", 0, key))
        if not placed:
            row.append(sub)
        if not kept:
            self.orphans.append(sub[0])
        return _balanced(row, 0, len(row)) if row else None

    def _open(self, sub: Sub) -> tuple[Sub, Sub]:
        """The two halves of an inner subtree that is about to be replaced."""
        node = sub[0]
        if type(node) is int:
            self.orphans.append(node)
            node = self._load(node)
        return (
            (node.left, node.left_hash, node.left_depth, sub[3]),
            (node.right, node.right_hash, node.right_depth, node.key),
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
    """The parent of two subtrees."""
    left_depth, right_depth = left[2], right[2]
    node = Inner(right[3], left[0], right[0], left[1], right[1], left_depth, right_depth)
    return (node, b"", (left_depth if left_depth > right_depth else right_depth) + 1, left[3])


def _balanced(row: list[Sub], begin: int, end: int) -> Sub:
    """The tree over row[begin:end], split in half at every level."""
    if end - begin == 1:
        return row[begin]
    middle = (begin + end) // 2
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
