"""One batch of changes to a tree, compiled: the algorithm of the store's plain `Draft`, on arrays.

An arena holds the subtrees that the batch meets, as numbers into arrays, and one byte array with all their bytes:
keys, values, pages read, hashes. Steps: `locate` walks the changed paths and names the pages that are missing;
`update` applies the changes and joins; `measure` finds what has to be written; `encode.py` encodes it.
No function calls itself, because numba's cache does not take such.
A step that meets a page which is not there names it among the wants; then it is repeated. Nothing old is altered.
"""

from typing import Any, NamedTuple

import numpy as np

from kernels.jit import Scalar, inlined

ID_BYTES, HASH_BYTES = 12, 32
CHILD_BYTES = ID_BYTES + HASH_BYTES + 1
LINKS, LINK_BYTES, CHILD = 2, 5, 0x80
PAGE_DEPTHS = 4
MAX_INNER = (1 << PAGE_DEPTHS) - 1
MAX_DEPTH = 255
INNER_BYTES = 1 + 2 * HASH_BYTES

NODES, BYTES, ORPHANS, WANTS, IS_FULL, RECORDS, OUT_BYTES, FRESH = range(8)  # in `count`
NONE = -1
COLUMNS = 16
LEFT, RIGHT = 0, 1  # the halves of an opened inner node, NONE before; LEFT of a new leaf is the change's number
DEPTH = 2
FIRST_AT, FIRST_SIZE = 3, 4  # the first key of the subtree
ID_AT = 5  # the id of its record; NONE inside a page and for what is new
HASH_AT = 6  # NONE before it is hashed
BEGIN, END = 7, 8  # of a node on a changed path: the changes below it
RESULT = 9  # what became of such a node


class Arena(NamedTuple):
    """The arrays; `count` says how much of each is used."""

    data: Any  # uint8: all bytes
    nodes: Any  # int32 [nodes, 16]: the columns below, a node in one line of the machine's cache
    orphans: Any  # int32: places of ids
    wants: Any  # int32: nodes whose page is needed
    key_at: Any  # int64 [changes]
    key_size: Any
    value_at: Any
    value_size: Any  # NONE for a deletion
    leaf_hash_at: Any  # int64 [changes]
    count: Any  # int64 [8]


@inlined
def _compare(arena: Arena, at: Scalar, size: Scalar, other_at: Scalar, other_size: Scalar) -> Scalar:
    """Below 0, 0 or above 0 as the first byte string is smaller, equal or larger."""
    data = arena.data
    for place in range(min(size, other_size)):
        if data[at + place] != data[other_at + place]:
            return np.int64(data[at + place]) - np.int64(data[other_at + place])
    return np.int64(size) - np.int64(other_size)


@inlined
def _new_node(arena: Arena, depth: Scalar, first_at: Scalar, first_size: Scalar) -> Scalar:
    """The number of a new node without halves, id and hash."""
    count = arena.count
    node = count[NODES]
    if node + 1 >= len(arena.nodes):
        count[IS_FULL] = 1
        return node
    count[NODES] = node + 1
    arena.nodes[node, LEFT] = NONE
    arena.nodes[node, RIGHT] = NONE
    arena.nodes[node, DEPTH] = depth
    arena.nodes[node, FIRST_AT] = first_at
    arena.nodes[node, FIRST_SIZE] = first_size
    arena.nodes[node, ID_AT] = NONE
    arena.nodes[node, HASH_AT] = NONE
    return node


@inlined
def _get_band(depth: Scalar) -> Scalar:
    return (depth + PAGE_DEPTHS - 1) // PAGE_DEPTHS


@inlined
def parse_page(arena: Arena, node: Scalar, page: Scalar) -> None:
    """Open `node` with its page, which begins at `page` in the data."""
    data = arena.data
    inner = np.int64(data[page + 1])
    hashes = page + LINKS + LINK_BYTES * inner
    children = hashes + HASH_BYTES * (inner - 1)
    separators = children + CHILD_BYTES * (inner + 1)
    numbers = np.empty(MAX_INNER, np.int64)
    numbers[0] = node
    for this in range(inner):
        top = numbers[this]
        link = page + LINKS + LINK_BYTES * this
        begin = np.int64(0)
        if this:
            begin = np.int64(data[link - 2]) << 8 | np.int64(data[link - 1])
        size = (np.int64(data[link + 3]) << 8 | np.int64(data[link + 4])) - begin
        for turn in range(2):
            side = np.int64(data[link + turn])
            first_at, first_size = separators + begin, size
            if turn == 0:
                first_at, first_size = arena.nodes[top, FIRST_AT], np.int64(arena.nodes[top, FIRST_SIZE])
            if side >= CHILD:
                at = children + CHILD_BYTES * (side - CHILD)
                half = _new_node(arena, np.int64(data[at + CHILD_BYTES - 1]), first_at, first_size)
                arena.nodes[half, ID_AT] = at
                arena.nodes[half, HASH_AT] = at + ID_BYTES
            else:
                half = _new_node(arena, np.int64(data[page + LINKS + LINK_BYTES * side + 2]), first_at, first_size)
                arena.nodes[half, HASH_AT] = hashes + HASH_BYTES * (side - 1)
                numbers[side] = half
            if turn == 0:
                arena.nodes[top, LEFT] = half
            else:
                arena.nodes[top, RIGHT] = half


@inlined
def _find_middle(arena: Arena, node: Scalar, begin: Scalar, end: Scalar) -> Scalar:
    """The first of the changes begin..end whose key is not below the first key of `node`."""
    while begin < end:
        middle = (begin + end) // 2
        first_at, first_size = arena.nodes[node, FIRST_AT], arena.nodes[node, FIRST_SIZE]
        if _compare(arena, arena.key_at[middle], arena.key_size[middle], first_at, first_size) < 0:
            begin = middle + 1
        else:
            end = middle
    return begin


@inlined
def _want(arena: Arena, node: Scalar) -> None:
    count = arena.count
    if count[WANTS] < len(arena.wants):
        arena.wants[count[WANTS]] = node
        count[WANTS] += 1


@inlined
def locate(arena: Arena, starts: np.ndarray) -> None:
    """Walk from every node of `starts` along its changes; the nodes whose pages are needed next are the wants."""
    stack = np.empty(256, np.int64)
    for start in starts:
        stack[0] = start
        used = 1
        while used:
            used -= 1
            node = stack[used]
            if arena.nodes[node, DEPTH] == 0:
                continue
            if arena.nodes[node, LEFT] == NONE:
                _want(arena, node)
                continue
            begin, end = arena.nodes[node, BEGIN], arena.nodes[node, END]
            left, right = arena.nodes[node, LEFT], arena.nodes[node, RIGHT]
            middle = _find_middle(arena, right, begin, end)
            arena.nodes[left, BEGIN], arena.nodes[left, END] = begin, middle
            arena.nodes[right, BEGIN], arena.nodes[right, END] = middle, end
            if middle < end:
                stack[used] = right
                used += 1
            if begin < middle:
                stack[used] = left
                used += 1


@inlined
def _orphan(arena: Arena, node: Scalar) -> None:
    count = arena.count
    if count[ORPHANS] >= len(arena.orphans):
        count[IS_FULL] = 1
        return
    arena.orphans[count[ORPHANS]] = arena.nodes[node, ID_AT]
    count[ORPHANS] += 1


@inlined
def _fork(arena: Arena, left: Scalar, right: Scalar) -> Scalar:
    """The new parent of two subtrees."""
    depth = max(arena.nodes[left, DEPTH], arena.nodes[right, DEPTH]) + 1
    node = _new_node(arena, depth, arena.nodes[left, FIRST_AT], arena.nodes[left, FIRST_SIZE])
    arena.nodes[node, LEFT] = left
    arena.nodes[node, RIGHT] = right
    return node


@inlined
def _open(arena: Arena, node: Scalar) -> Scalar:
    """Whether an inner subtree that is about to be replaced has its halves; else its page is wanted."""
    if arena.nodes[node, LEFT] == NONE:
        _want(arena, node)
        return False
    if arena.nodes[node, ID_AT] != NONE:
        _orphan(arena, node)
    return True


@inlined
def _rebalance(arena: Arena, left: Scalar, right: Scalar) -> Scalar:
    """One balanced tree of two whose depths differ by at most 2, by a single or double rotation."""
    nodes = arena.nodes
    lean = nodes[left, DEPTH] - nodes[right, DEPTH]
    if lean > 1 and _open(arena, left):
        outer, inner = arena.nodes[left, LEFT], arena.nodes[left, RIGHT]
        if nodes[inner, DEPTH] > nodes[outer, DEPTH] and _open(arena, inner):
            low = _fork(arena, outer, arena.nodes[inner, LEFT])
            return _fork(arena, low, _fork(arena, arena.nodes[inner, RIGHT], right))
        return _fork(arena, outer, _fork(arena, inner, right))
    if lean < -1 and _open(arena, right):
        inner, outer = arena.nodes[right, LEFT], arena.nodes[right, RIGHT]
        if nodes[inner, DEPTH] > nodes[outer, DEPTH] and _open(arena, inner):
            low = _fork(arena, left, arena.nodes[inner, LEFT])
            return _fork(arena, low, _fork(arena, arena.nodes[inner, RIGHT], outer))
        return _fork(arena, _fork(arena, left, inner), outer)
    return _fork(arena, left, right)


@inlined
def _join(arena: Arena, left: Scalar, right: Scalar) -> Scalar:
    """One balanced tree of two, all keys of `left` below those of `right`: descend the deeper one, then climb."""
    path = np.empty(128, np.int64)
    sides = np.empty(128, np.bool_)
    used = 0
    while arena.count[IS_FULL] == 0:
        lean = arena.nodes[left, DEPTH] - arena.nodes[right, DEPTH]
        if lean > 1 and _open(arena, left):
            path[used], sides[used] = arena.nodes[left, LEFT], True
            left = arena.nodes[left, RIGHT]
        elif lean < -1 and _open(arena, right):
            path[used], sides[used] = arena.nodes[right, RIGHT], False
            right = arena.nodes[right, LEFT]
        else:
            break
        used += 1
    joined = _fork(arena, left, right)
    while used:
        used -= 1
        if sides[used]:
            joined = _rebalance(arena, path[used], joined)
        else:
            joined = _rebalance(arena, joined, path[used])
    return joined


@inlined
def _balanced(arena: Arena, row: np.ndarray, total: Scalar) -> Scalar:
    """The tree over row[:total], split in half at every level."""
    begins, ends = np.empty(2 * total, np.int64), np.empty(2 * total, np.int64)
    lefts = np.empty(2 * total, np.int64)  # the part that is the left half, the right one is the next; later the tree
    begins[0], ends[0] = 0, total
    used, part = 1, 0
    while part < used:
        begin, end = begins[part], ends[part]
        if end - begin > 1:
            middle = (begin + end) // 2
            begins[used], ends[used] = begin, middle
            begins[used + 1], ends[used + 1] = middle, end
            lefts[part] = used
            used += 2
        part += 1
    while part:
        part -= 1
        if ends[part] - begins[part] == 1:
            lefts[part] = row[begins[part]]
        else:
            lefts[part] = _fork(arena, lefts[lefts[part]], lefts[lefts[part] + 1])
    return lefts[0]


@inlined
def _is_same(arena: Arena, at: Scalar, other: Scalar) -> Scalar:
    for place in range(HASH_BYTES):
        if arena.data[at + place] != arena.data[other + place]:
            return False
    return True


@inlined
def _update_leaf(arena: Arena, node: Scalar, begin: Scalar, end: Scalar) -> Scalar:
    """The changes meet one old leaf: a balanced tree of the new leaves and of the old one, if it stays; or NONE."""
    row = np.empty(end - begin + 1, np.int64)
    used = 0
    is_placed = False
    for change in range(begin, end):
        order = np.int64(-1)
        if not is_placed:
            first_at, first_size = arena.nodes[node, FIRST_AT], arena.nodes[node, FIRST_SIZE]
            order = _compare(arena, first_at, first_size, arena.key_at[change], arena.key_size[change])
        if not is_placed and order <= 0:
            is_placed = True
            live = arena.value_size[change] != NONE
            is_kept = order == 0 and live and _is_same(arena, arena.leaf_hash_at[change], arena.nodes[node, HASH_AT])
            if order < 0 or is_kept:
                row[used] = node
                used += 1
            else:
                _orphan(arena, node)
            if is_kept:
                continue
        if arena.value_size[change] != NONE:
            leaf = _new_node(arena, 0, arena.key_at[change], arena.key_size[change])
            arena.nodes[leaf, HASH_AT] = arena.leaf_hash_at[change]
            arena.nodes[leaf, LEFT] = change
            row[used] = leaf
            used += 1
    if not is_placed:
        row[used] = node
        used += 1
    return _balanced(arena, row, used) if used else np.int64(NONE)


@inlined
def update(arena: Arena, order: np.ndarray) -> Scalar:
    """The tree with all changes; its old top if they change nothing, NONE if no leaf remains. `order` is room."""
    total = 0
    stack = np.empty(256, np.int64)
    stack[0] = 0
    used = 1
    while used:  # the changed paths, parents first
        used -= 1
        node = stack[used]
        order[total] = node
        total += 1
        if arena.nodes[node, DEPTH] == 0:
            continue
        for half in (arena.nodes[node, LEFT], arena.nodes[node, RIGHT]):
            arena.nodes[half, RESULT] = half
            if arena.nodes[half, BEGIN] < arena.nodes[half, END]:
                stack[used] = half
                used += 1
    while total:  # the same, children first
        total -= 1
        node = order[total]
        begin, end = arena.nodes[node, BEGIN], arena.nodes[node, END]
        if arena.nodes[node, DEPTH] == 0:
            arena.nodes[node, RESULT] = _update_leaf(arena, node, begin, end)
            continue
        old_left, old_right = arena.nodes[node, LEFT], arena.nodes[node, RIGHT]
        left, right = np.int64(arena.nodes[old_left, RESULT]), np.int64(arena.nodes[old_right, RESULT])
        if left == old_left and right == old_right:
            arena.nodes[node, RESULT] = node
            continue
        if arena.nodes[node, ID_AT] != NONE:
            _orphan(arena, node)
        if left == NONE or right == NONE:
            arena.nodes[node, RESULT] = right if left == NONE else left
        else:
            arena.nodes[node, RESULT] = _join(arena, left, right)
    return np.int64(arena.nodes[0, RESULT])


@inlined
def gather(arena: Arena, top: Scalar, inner: np.ndarray, children: np.ndarray, links: np.ndarray) -> Scalar:
    """The inner nodes of the page of `top` in preorder, its children in key order, and the links; returns how many."""
    band = _get_band(arena.nodes[top, DEPTH])
    stack = np.empty(2 * MAX_INNER + 4, np.int64)
    places = np.empty(2 * MAX_INNER + 4, np.int64)  # where the link to this one stands; NONE for the top
    stack[0], places[0] = top, NONE
    used, inners, leaves = 1, 0, 0
    while used:
        used -= 1
        node, place = stack[used], places[used]
        if _get_band(arena.nodes[node, DEPTH]) != band or arena.nodes[node, LEFT] == NONE:
            if _get_band(arena.nodes[node, DEPTH]) == band:
                _want(arena, node)
            children[leaves] = node
            links[place] = CHILD + leaves
            leaves += 1
            continue
        if place != NONE:
            links[place] = inners
        inner[inners] = node
        stack[used], places[used] = arena.nodes[node, RIGHT], 2 * inners + 1
        stack[used + 1], places[used + 1] = arena.nodes[node, LEFT], 2 * inners
        used += 2
        inners += 1
    return inners


@inlined
def measure(arena: Arena, top: Scalar, order: np.ndarray, fresh: np.ndarray) -> None:
    """Find the leaves and pages that have to be written, and count their bytes; list inner nodes to be hashed.

    `order` gets the tops of what is written, which RECORDS counts: read backwards, children come first, from left to
    right. `fresh` gets the inner nodes that have no hash, which FRESH counts. Pages taken into one above are orphans.
    """
    count = arena.count
    stack = np.empty(2048, np.int64)
    stack[0] = top
    used = 1
    inner = np.empty(MAX_INNER, np.int64)
    children = np.empty(MAX_INNER + 1, np.int64)
    links = np.empty(2 * MAX_INNER, np.int64)
    while used:
        used -= 1
        node = stack[used]
        if arena.nodes[node, ID_AT] != NONE:
            continue
        order[count[RECORDS]] = node
        count[RECORDS] += 1
        if arena.nodes[node, DEPTH] == 0:
            change = arena.nodes[node, LEFT]
            count[OUT_BYTES] += 3 + arena.key_size[change] + arena.value_size[change]
            continue
        inners = gather(arena, node, inner, children, links)
        count[OUT_BYTES] += LINKS + LINK_BYTES * inners + HASH_BYTES * (inners - 1) + CHILD_BYTES * (inners + 1)
        for index in range(inners):
            this = inner[index]
            count[OUT_BYTES] += arena.nodes[arena.nodes[this, RIGHT], FIRST_SIZE]
            if arena.nodes[this, ID_AT] != NONE:
                _orphan(arena, this)
            if arena.nodes[this, HASH_AT] == NONE:
                fresh[count[FRESH]] = this
                count[FRESH] += 1
        for index in range(inners + 1):
            stack[used] = children[index]
            used += 1


@inlined
def parse_pages(arena: Arena, nodes: np.ndarray, pages: np.ndarray) -> None:
    """Open every one of the nodes with the page that begins at its place of `pages`."""
    for index in range(len(nodes)):
        parse_page(arena, np.int64(nodes[index]), pages[index])
