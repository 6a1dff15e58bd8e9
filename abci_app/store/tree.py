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
from typing import Callable, Iterator, NamedTuple, Sequence

from abci_app.store.kv import SENTINEL_KEY, SENTINEL_VALUE
from abci_app.store.node import (
    CHILD,
    CHILD_BYTES,
    HASH_BYTES,
    HEIGHT_BYTES,
    ID_BYTES,
    LINK_BYTES,
    LINKS,
    NUMBER_BYTES,
    PAGE_TAG,
    SENTINEL_ID,
    Sub,
    check_page,
    compute_band,
    encode_leaf,
    get_child_id,
    get_separator,
    get_side_hash,
    open_page,
    split_leaf,
    split_page,
)
from abci_app.wire.proof import Absence, Existence, Step, inner_hash, leaf_hash

Change = tuple[bytes, bytes | None]  # key and new value, None for a deletion
Load = Callable[[bytes], bytes]  # id -> node


class Root(NamedTuple):
    """A committed tree: the id of its top node, its hash (32 bytes) and its depth (0 for a single leaf)."""

    id: bytes
    hash: bytes
    depth: int


Turn = tuple[bytes, int, bool]
"""One inner node on a path: (its page, its number there, whether the path goes right)."""

EMPTY_ROOT = Root(SENTINEL_ID, leaf_hash(SENTINEL_KEY, SENTINEL_VALUE), 0)


def find_value(load: Load, root: Root, key: bytes) -> bytes | None:
    """The value at `key`, None when absent."""
    node = load(root.id)
    while node[0] == PAGE_TAG:
        inner = node[1]
        children = LINKS + LINK_BYTES * inner + HASH_BYTES * (inner - 1)
        separators = children + CHILD_BYTES * (inner + 1)
        side = 0
        while side < CHILD:
            at = LINKS + LINK_BYTES * side
            begin = (node[at - 2] << 8 | node[at - 1]) if side else 0
            separator = node[separators + begin : separators + (node[at + 3] << 8 | node[at + 4])]
            side = node[at] if key < separator else node[at + 1]
        at = children + CHILD_BYTES * (side - CHILD)
        node = load(node[at : at + ID_BYTES])
    found, value = split_leaf(node)
    return value if found == key else None


def iter_range(
    load: Load, root: Root, low: bytes, high: bytes | None, reverse: bool = False
) -> Iterator[tuple[bytes, bytes]]:
    """(key, value) for low <= key < high in key order, or from the last to the first."""
    pending: list[tuple[bytes, int]] = []  # (page, side) still to be walked, the next one last
    node, side = load(root.id), 0
    while True:
        if node[0] == PAGE_TAG and side < CHILD:
            separator = get_separator(node, split_page(node)[2], side)
            left, right = node[LINKS + LINK_BYTES * side], node[LINKS + LINK_BYTES * side + 1]
            in_left = low < separator
            if in_left and (high is None or separator < high):
                pending.append((node, left if reverse else right))
                in_left = not reverse
            side = left if in_left else right
            continue
        if node[0] == PAGE_TAG:
            node, side = load(get_child_id(node, side)), 0
            continue
        key, value = split_leaf(node)
        if low <= key and (high is None or key < high):
            yield key, value
        if not pending:
            return
        node, side = pending.pop()


def prove_entry(load: Load, root: Root, key: bytes) -> Existence | Absence:
    """The proof of the value at `key`, or of its absence by the two neighbours (the left one alone at the end)."""
    path: list[Turn] = []
    here = _descend(load, load(root.id), 0, path, lambda separator: key >= separator)
    if here.key == key:
        return here
    is_below = here.key < key
    beside = _prove_neighbour(load, path, is_below)
    return Absence(key, here, beside) if is_below else Absence(key, beside, here)


def _prove_neighbour(load: Load, path: list[Turn], after: bool) -> Existence | None:
    """The leaf just after (or before) the one at the end of `path`; None at the edge of the tree."""
    path = list(path)
    while path:
        page, inner, is_right = path.pop()
        if is_right != after:
            path.append((page, inner, after))
            return _descend(load, page, page[LINKS + LINK_BYTES * inner + after], path, lambda _: not after)
    return None


def _descend(
    load: Load, node: bytes, side: int, path: list[Turn], turn_right: Callable[[bytes], bool]
) -> Existence:
    """Walk to a leaf, appending every turn to the path from the root; returns the leaf's proof."""
    while node[0] == PAGE_TAG:
        while side < CHILD:
            is_right = turn_right(get_separator(node, split_page(node)[2], side))
            path.append((node, side, is_right))
            side = node[LINKS + LINK_BYTES * side + is_right]
        node, side = load(get_child_id(node, side)), 0
    steps = (Step(right, get_side_hash(page, page[LINKS + LINK_BYTES * at + (not right)])) for page, at, right in path)
    return Existence(*split_leaf(node), tuple(steps)[::-1])


class Draft:
    """A tree with one batch of changes applied, not hashed yet: `orphans` are the ids it no longer uses.

    `orphans` is complete after `seal`.
    """

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
        """Hash what is new and append (id, record) of each new leaf and page to `nodes`, children first.

        `nodes` holds all new records of `height` so far, of other stores too: a record's number is its place there.
        """
        made_at = height.to_bytes(HEIGHT_BYTES, "big")

        def put(record: bytes) -> bytes:
            node_id = made_at + len(nodes).to_bytes(NUMBER_BYTES, "big")
            nodes.append((node_id, record))
            return node_id

        top = self._top
        return Root(*Pager(put, self._open).place(top), top[2])

    def _update(self, sub: Sub, begin: int, end: int) -> Sub | None:
        """An old subtree with the changes begin..end; `sub` itself if they change nothing, None if no leaf remains."""
        content, _, depth, first = sub
        if depth == 0:
            return self._update_leaf(sub, begin, end)
        old_left, old_right = content if type(content) is tuple else self._open_stored(content, depth, first)
        middle = bisect_left(self._keys, old_right[3], begin, end)
        left = self._update(old_left, begin, middle) if begin < middle else old_left
        right = self._update(old_right, middle, end) if middle < end else old_right
        if left is old_left and right is old_right:
            return sub
        if type(content) is bytes:
            self.orphans.append(content)
        if left is None or right is None:
            return left or right
        return self._join(left, right)

    def _update_leaf(self, sub: Sub, begin: int, end: int) -> Sub | None:
        """The changes meet one old leaf: a balanced tree of the new leaves and of the old one, if it stays.

        The leaf's key is the first key of its subtree, and its hash tells whether its value changes: no need to read.
        """
        old_key = sub[3]
        row: list[Sub] = []
        is_placed = False  # whether the old leaf's place in the row is behind us
        for index in range(begin, end):
            key, value = self._keys[index], self._values[index]
            digest = leaf_hash(key, value) if value is not None else b""
            if not is_placed and old_key <= key:
                is_placed = True
                if old_key < key or digest == sub[1]:
                    row.append(sub)
                else:
                    self.orphans.append(sub[0])
                if old_key == key and digest == sub[1]:
                    continue
            if value is not None:
                row.append(((key, value), digest, 0, key))
        if not is_placed:
            row.append(sub)
        return _balanced(row, 0, len(row)) if row else None

    def _open(self, sub: Sub) -> tuple[Sub, Sub]:
        """The two halves of an inner subtree that is about to be replaced."""
        content, _, depth, first = sub
        if type(content) is bytes:
            self.orphans.append(content)
            return self._open_stored(content, depth, first)
        left, right = content
        return left, right

    def _open_stored(self, page_id: bytes, depth: int, first: bytes) -> tuple[Sub, Sub]:
        page = self._load(page_id)
        check_page(page, depth)
        return open_page(page, first)

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


class Pager:
    """Hashes and encodes what is new in a tree: which nodes share a page follows from the shape alone."""

    __slots__ = ("_put", "_open")

    def __init__(self, put: Callable[[bytes], bytes], open_stored: Callable[[Sub], tuple[Sub, Sub]]) -> None:
        """put: takes each new record, children first, and answers its id; open_stored: the halves of a stored page,
        called for a page that becomes part of the one above."""
        self._put = put
        self._open = open_stored

    def place(self, sub: Sub) -> tuple[bytes, bytes]:
        """(id, hash) of a subtree whose top is a leaf or the top of a page."""
        content, digest, depth, _ = sub
        if type(content) is bytes:
            return content, digest
        if depth == 0:
            return self._put(encode_leaf(*content)), digest or leaf_hash(*content)
        page = _PageWriter(compute_band(depth))
        _, digest = self._add(page, sub)
        return self._put(page.encode()), digest

    def _add(self, page: "_PageWriter", sub: Sub) -> tuple[int, bytes]:
        """(side, hash) of an inner node of the page, with all below it."""
        halves = self._open(sub) if type(sub[0]) is bytes else sub[0]
        number = page.open(sub[2], halves[1][3])
        sides, hashes = [], []
        for half in halves:
            if compute_band(half[2]) == page.band:
                side, digest = self._add(page, half)
            else:
                node_id, digest = self.place(half)
                side = page.add_child(node_id, digest, half[2])
            sides.append(side)
            hashes.append(digest)
        digest = sub[1] or inner_hash(*hashes)
        page.close(number, sides, digest)
        return number, digest


class _PageWriter:
    """A page being written. Inner nodes are opened in preorder, and closed when both their sides are known."""

    __slots__ = ("band", "_links", "_hashes", "_children", "_separators", "_end")

    def __init__(self, band: int) -> None:
        self.band = band
        self._links: list[bytes] = []
        self._hashes: list[bytes] = []
        self._children: list[bytes] = []
        self._separators: list[bytes] = []
        self._end = 0

    def open(self, depth: int, separator: bytes) -> int:
        """The number of the next inner node."""
        self._separators.append(separator)
        self._end += len(separator)
        self._links.append(bytes((depth, self._end >> 8, self._end & 0xFF)))
        self._hashes.append(b"")
        return len(self._links) - 1

    def close(self, number: int, sides: list[int], digest: bytes) -> None:
        """Complete an inner node."""
        self._links[number] = bytes(sides) + self._links[number]
        self._hashes[number] = digest

    def add_child(self, node_id: bytes, digest: bytes, depth: int) -> int:
        """The side that leads to the next child."""
        self._children.append(node_id + digest + bytes((depth,)))
        return CHILD + len(self._children) - 1

    def encode(self) -> bytes:
        """The record; the hash of the top is left out, since its parent has it."""
        head = bytes((PAGE_TAG, len(self._links)))
        return b"".join((head, *self._links, *self._hashes[1:], *self._children, *self._separators))


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
