"""One batch of changes to a tree, compiled: the algorithm of the store's plain `Draft`, on arrays.

An arena holds the subtrees that the batch meets, as numbers into arrays, and one byte array with all their bytes:
keys, values, pages read, hashes. Steps: `locate` walks the changed paths and names the pages that are missing;
`update` applies the changes and joins; `measure` finds what has to be written; `encode.py` encodes it.
No function calls itself, because numba's cache does not take such. None allocates, and all have explicit types: the
compiler's time goes into what is generated for memory and for callers from Python.
A step that meets a page which is not there names it among the wants; then it is repeated. Nothing old is altered.
"""

from typing import Any, NamedTuple

import numpy as np

from kernels.jit import Scalar, entry, typed, types

ID_BYTES, HASH_BYTES = 12, 32
CHILD_BYTES = ID_BYTES + HASH_BYTES + 1
LINKS, LINK_BYTES, CHILD = 2, 5, 0x80
PAGE_TAG = 1
PAGE_DEPTHS = 4
PAGE_SHIFT = 2  # log2 of it
MAX_INNER = (1 << PAGE_DEPTHS) - 1
INNER_BYTES = 1 + 2 * HASH_BYTES
NONE = -1

# counters, at the beginning of `room`
NODES, BYTES, ORPHANS, WANTS, IS_FULL, IS_BAD, RECORDS, OUT_BYTES, FRESH = range(9)
# scratch, behind them: so much each, which the depth bounds
STACK, STACK_NODES, STACK_PLACES, PATH, SIDES, NUMBERS, INNER, CHILDREN, LINK_SIDES, ROW = range(
    16, 16 + 10 * 2048, 2048
)  # from ROW on 7 numbers for each change, and for the old leaf that the changes meet

# columns of `nodes`
COLUMNS = 16
LEFT, RIGHT = 0, 1  # the halves of an opened inner node, NONE before; LEFT of a new leaf is the change's number
DEPTH = 2
FIRST_AT, FIRST_SIZE = 3, 4  # the first key of the subtree
ID_AT = 5  # the id of its record; NONE inside a page and for what is new
HASH_AT = 6  # NONE before it is hashed
BEGIN, END = 7, 8  # of a node on a changed path: the changes below it
RESULT = 9  # what became of such a node
ORPHAN, WANT, ORDER, FRESH_NODE = 10, 11, 12, 13  # lists, which have nothing to do with the node of the line

# columns of `changes`
KEY_AT, KEY_SIZE, VALUE_AT, VALUE_SIZE, LEAF_HASH_AT = range(5)  # VALUE_SIZE is NONE for a deletion


class Arena(NamedTuple):
    """The arrays."""

    data: Any  # uint8: all bytes
    nodes: Any  # int32 [nodes, 16]: a node, its columns as above, in one line of the machine's cache
    changes: Any  # int32 [changes, 5]
    room: Any  # int64: counters and scratch


INT, NOTHING = types.int64, types.void
INTS, BYTE_ARRAY, TABLE = types.int64[::1], types.uint8[::1], types.int32[:, ::1]
ARENA = types.NamedTuple((BYTE_ARRAY, TABLE, TABLE, INTS), Arena)


@typed(INT, ARENA, INT, INT, INT, INT)
def _compare(arena: Arena, at: Scalar, size: Scalar, other_at: Scalar, other_size: Scalar) -> Scalar:
    """Below 0, 0 or above 0 as the first byte string is smaller, equal or larger."""
    data = arena.data
    shorter = size if size < other_size else other_size
    for place in range(shorter):
        if data[at + place] != data[other_at + place]:
            return np.int64(data[at + place]) - np.int64(data[other_at + place])
    return size - other_size


@typed(INT, ARENA, INT, INT, INT)
def _new_node(arena: Arena, depth: Scalar, first_at: Scalar, first_size: Scalar) -> Scalar:
    """The number of a new node without halves, id and hash."""
    room, nodes = arena.room, arena.nodes
    node = room[NODES]
    if node + 1 >= len(nodes):
        room[IS_FULL] = 1
        return node
    room[NODES] = node + 1
    nodes[node, LEFT] = NONE
    nodes[node, RIGHT] = NONE
    nodes[node, DEPTH] = depth
    nodes[node, FIRST_AT] = first_at
    nodes[node, FIRST_SIZE] = first_size
    nodes[node, ID_AT] = NONE
    nodes[node, HASH_AT] = NONE
    return node


@typed(INT, INT)
def _get_band(depth: Scalar) -> Scalar:
    return (depth + PAGE_DEPTHS - 1) >> PAGE_SHIFT


@typed(NOTHING, ARENA, INT, INT)
def _parse_page(arena: Arena, node: Scalar, page: Scalar) -> None:
    """Open `node` with its page, which begins at `page` in the data and is well-formed.

    What is there may still be another record than it should be; then IS_BAD is set.
    """
    data, nodes, room = arena.data, arena.nodes, arena.room
    if data[page] != PAGE_TAG or np.int64(data[page + LINKS + 2]) != nodes[node, DEPTH]:
        room[IS_BAD] = 1
        return
    inner = np.int64(data[page + 1])
    hashes = page + LINKS + LINK_BYTES * inner
    children = hashes + HASH_BYTES * (inner - 1)
    separators = children + CHILD_BYTES * (inner + 1)
    room[NUMBERS] = node
    for this in range(inner):
        top = room[NUMBERS + this]
        link = page + LINKS + LINK_BYTES * this
        begin = np.int64(0)
        if this:
            begin = np.int64(data[link - 2]) << 8 | np.int64(data[link - 1])
        size = (np.int64(data[link + 3]) << 8 | np.int64(data[link + 4])) - begin
        for turn in range(2):
            side = np.int64(data[link + turn])
            first_at, first_size = separators + begin, size
            if turn == 0:
                first_at, first_size = np.int64(nodes[top, FIRST_AT]), np.int64(nodes[top, FIRST_SIZE])
            is_inside = side < CHILD
            at = children + CHILD_BYTES * (side - CHILD)
            depth_at = page + LINKS + LINK_BYTES * side + 2 if is_inside else at + CHILD_BYTES - 1
            half = _new_node(arena, np.int64(data[depth_at]), first_at, first_size)
            if is_inside:
                room[NUMBERS + side] = half
                nodes[half, HASH_AT] = hashes + HASH_BYTES * (side - 1)
            else:
                nodes[half, ID_AT] = at
                nodes[half, HASH_AT] = at + ID_BYTES
            nodes[top, LEFT + turn] = half


@typed(INT, ARENA, INT, INT, INT)
def _find_middle(arena: Arena, node: Scalar, begin: Scalar, end: Scalar) -> Scalar:
    """The first of the changes begin..end whose key is not below the first key of `node`."""
    changes = arena.changes
    first_at, first_size = arena.nodes[node, FIRST_AT], arena.nodes[node, FIRST_SIZE]
    while begin < end:
        middle = (begin + end) >> 1
        if _compare(arena, changes[middle, KEY_AT], changes[middle, KEY_SIZE], first_at, first_size) < 0:
            begin = middle + 1
        else:
            end = middle
    return begin


@typed(NOTHING, ARENA, INT)
def _want(arena: Arena, node: Scalar) -> None:
    room = arena.room
    if room[WANTS] < len(arena.nodes):
        arena.nodes[room[WANTS], WANT] = node
        room[WANTS] += 1


@entry(NOTHING, ARENA, INTS)
def locate(arena: Arena, starts: np.ndarray) -> None:
    """Walk from every node of `starts` along its changes; the nodes whose pages are needed next are the wants."""
    nodes, room = arena.nodes, arena.room
    for index in range(len(starts)):
        room[STACK] = starts[index]
        used = 1
        while used:
            used -= 1
            node = room[STACK + used]
            if nodes[node, DEPTH] == 0:
                continue
            if nodes[node, LEFT] == NONE:
                _want(arena, node)
                continue
            begin, end = nodes[node, BEGIN], nodes[node, END]
            left, right = nodes[node, LEFT], nodes[node, RIGHT]
            middle = _find_middle(arena, right, begin, end)
            nodes[left, BEGIN], nodes[left, END] = begin, middle
            nodes[right, BEGIN], nodes[right, END] = middle, end
            if middle < end:
                room[STACK + used] = right
                used += 1
            if begin < middle:
                room[STACK + used] = left
                used += 1


@typed(NOTHING, ARENA, INT)
def _orphan(arena: Arena, node: Scalar) -> None:
    room, nodes = arena.room, arena.nodes
    if room[ORPHANS] >= len(nodes):
        room[IS_FULL] = 1
        return
    nodes[room[ORPHANS], ORPHAN] = nodes[node, ID_AT]
    room[ORPHANS] += 1


@typed(INT, ARENA, INT, INT)
def _fork(arena: Arena, left: Scalar, right: Scalar) -> Scalar:
    """The new parent of two subtrees."""
    nodes = arena.nodes
    depth, other = nodes[left, DEPTH], nodes[right, DEPTH]
    node = _new_node(
        arena, (depth if depth > other else other) + 1, nodes[left, FIRST_AT], nodes[left, FIRST_SIZE]
    )
    nodes[node, LEFT] = left
    nodes[node, RIGHT] = right
    return node


@typed(INT, ARENA, INT)
def _open(arena: Arena, node: Scalar) -> Scalar:
    """1 when an inner subtree that is about to be replaced has its halves; else 0, and its page is wanted."""
    nodes = arena.nodes
    if nodes[node, LEFT] == NONE:
        _want(arena, node)
        return 0
    if nodes[node, ID_AT] != NONE:
        _orphan(arena, node)
    return 1


@typed(INT, ARENA, INT, INT)
def _rebalance(arena: Arena, left: Scalar, right: Scalar) -> Scalar:
    """One balanced tree of two whose depths differ by at most 2, by a single or double rotation."""
    nodes = arena.nodes
    lean = nodes[left, DEPTH] - nodes[right, DEPTH]
    is_left = lean > 1
    deep = left if is_left else right
    if -1 <= lean <= 1 or not _open(arena, deep):
        return _fork(arena, left, right)
    outer, inner = np.int64(nodes[deep, LEFT]), np.int64(nodes[deep, RIGHT])
    if not is_left:
        outer, inner = inner, outer
    low, high = np.int64(NONE), np.int64(NONE)  # the halves of `inner`, when it is parted
    if nodes[inner, DEPTH] > nodes[outer, DEPTH] and _open(arena, inner):
        low, high = np.int64(nodes[inner, LEFT]), np.int64(nodes[inner, RIGHT])
    if is_left:
        first = _fork(arena, outer, low) if low != NONE else outer
        return _fork(arena, first, _fork(arena, high if low != NONE else inner, right))
    first = _fork(arena, left, low if low != NONE else inner)
    return _fork(arena, first, _fork(arena, high, outer) if low != NONE else outer)


@typed(INT, ARENA, INT, INT)
def _join(arena: Arena, left: Scalar, right: Scalar) -> Scalar:
    """One balanced tree of two, all keys of `left` below those of `right`: descend the deeper one, then climb."""
    nodes, room = arena.nodes, arena.room
    used = 0
    while room[IS_FULL] == 0:
        lean = nodes[left, DEPTH] - nodes[right, DEPTH]
        if -1 <= lean <= 1 or not _open(arena, left if lean > 1 else right):
            break
        if lean > 1:
            room[PATH + used], room[SIDES + used] = nodes[left, LEFT], 1
            left = np.int64(nodes[left, RIGHT])
        else:
            room[PATH + used], room[SIDES + used] = nodes[right, RIGHT], 0
            right = np.int64(nodes[right, LEFT])
        used += 1
    joined = _fork(arena, left, right)
    while used:
        used -= 1
        other, is_left = room[PATH + used], room[SIDES + used]
        joined = _rebalance(arena, other if is_left else joined, joined if is_left else other)
    return joined


@typed(INT, ARENA, INT, INT)
def _balanced(arena: Arena, row: Scalar, total: Scalar) -> Scalar:
    """The tree over the `total` nodes from `row` on in the room, split in half at every level."""
    room = arena.room
    begins, ends, lefts = row + total, row + 3 * total, row + 5 * total
    # lefts: the part that is the left half, the right one is the next; later the tree
    room[begins], room[ends] = 0, total
    used, part = np.int64(1), np.int64(0)
    while part < used:
        begin, end = room[begins + part], room[ends + part]
        if end - begin > 1:
            middle = (begin + end) >> 1
            room[begins + used], room[ends + used] = begin, middle
            room[begins + used + 1], room[ends + used + 1] = middle, end
            room[lefts + part] = used
            used += 2
        part += 1
    while part:
        part -= 1
        if room[ends + part] - room[begins + part] == 1:
            room[lefts + part] = room[row + room[begins + part]]
        else:
            left = room[lefts + part]
            room[lefts + part] = _fork(arena, room[lefts + left], room[lefts + left + 1])
    return room[lefts]


@typed(INT, ARENA, INT, INT)
def _is_same(arena: Arena, at: Scalar, other: Scalar) -> Scalar:
    for place in range(HASH_BYTES):
        if arena.data[at + place] != arena.data[other + place]:
            return 0
    return 1


@typed(INT, ARENA, INT, INT, INT)
def _update_leaf(arena: Arena, node: Scalar, begin: Scalar, end: Scalar) -> Scalar:
    """The changes meet one old leaf: a balanced tree of the new leaves and of the old one, if it stays; or NONE."""
    nodes, changes, room = arena.nodes, arena.changes, arena.room
    used = 0
    is_placed = False
    for change in range(begin, end):
        order = np.int64(1)
        if not is_placed:
            first_at, first_size = nodes[node, FIRST_AT], nodes[node, FIRST_SIZE]
            order = _compare(arena, first_at, first_size, changes[change, KEY_AT], changes[change, KEY_SIZE])
        is_live = changes[change, VALUE_SIZE] != NONE
        if order <= 0:
            is_placed = True
            is_kept = order == 0 and is_live
            if is_kept:
                is_kept = _is_same(arena, changes[change, LEAF_HASH_AT], nodes[node, HASH_AT]) == 1
            if order < 0 or is_kept:
                room[ROW + used] = node
                used += 1
            else:
                _orphan(arena, node)
            if is_kept:
                continue
        if is_live:
            leaf = _new_node(arena, 0, changes[change, KEY_AT], changes[change, KEY_SIZE])
            nodes[leaf, HASH_AT] = changes[change, LEAF_HASH_AT]
            nodes[leaf, LEFT] = change
            room[ROW + used] = leaf
            used += 1
    if not is_placed:
        room[ROW + used] = node
        used += 1
    return _balanced(arena, ROW, used) if used else np.int64(NONE)


@entry(INT, ARENA)
def update(arena: Arena) -> Scalar:
    """The tree with all changes; its old top if they change nothing, NONE if no leaf remains."""
    nodes, room = arena.nodes, arena.room
    total = 0
    room[STACK] = 0
    used = 1
    while used:  # the changed paths, parents first
        used -= 1
        node = room[STACK + used]
        nodes[total, ORDER] = node
        total += 1
        if nodes[node, DEPTH] == 0:
            continue
        for turn in range(2):
            half = nodes[node, LEFT + turn]
            nodes[half, RESULT] = half
            if nodes[half, BEGIN] < nodes[half, END]:
                room[STACK + used] = half
                used += 1
    while total:  # the same, children first
        total -= 1
        node = np.int64(nodes[total, ORDER])
        if nodes[node, DEPTH] == 0:
            nodes[node, RESULT] = _update_leaf(arena, node, nodes[node, BEGIN], nodes[node, END])
            continue
        old_left, old_right = nodes[node, LEFT], nodes[node, RIGHT]
        left, right = nodes[old_left, RESULT], nodes[old_right, RESULT]
        if left == old_left and right == old_right:
            nodes[node, RESULT] = node
            continue
        if nodes[node, ID_AT] != NONE:
            _orphan(arena, node)
        if left == NONE or right == NONE:
            nodes[node, RESULT] = right if left == NONE else left
        else:
            nodes[node, RESULT] = _join(arena, left, right)
    return np.int64(nodes[0, RESULT])


@typed(INT, ARENA, INT)
def gather(arena: Arena, top: Scalar) -> Scalar:
    """Put the inner nodes of the page of `top` in preorder, its children in key order, and the links into the room.

    Returns how many inner nodes there are.
    """
    nodes, room = arena.nodes, arena.room
    band = _get_band(nodes[top, DEPTH])
    room[STACK_NODES], room[STACK_PLACES] = top, NONE  # places: where the link to this one stands; NONE for the top
    used, inners, leaves = 1, 0, 0
    while used:
        used -= 1
        node, place = room[STACK_NODES + used], room[STACK_PLACES + used]
        is_inside = _get_band(nodes[node, DEPTH]) == band
        if not is_inside or nodes[node, LEFT] == NONE:
            if is_inside:
                _want(arena, node)
            room[CHILDREN + leaves] = node
            if place != NONE:
                room[LINK_SIDES + place] = CHILD + leaves
            leaves += 1
            continue
        if place != NONE:
            room[LINK_SIDES + place] = inners
        room[INNER + inners] = node
        room[STACK_NODES + used], room[STACK_PLACES + used] = nodes[node, RIGHT], 2 * inners + 1
        room[STACK_NODES + used + 1], room[STACK_PLACES + used + 1] = nodes[node, LEFT], 2 * inners
        used += 2
        inners += 1
    return inners


@entry(NOTHING, ARENA, INT)
def measure(arena: Arena, top: Scalar) -> None:
    """Find the leaves and pages that have to be written, and count their bytes; list inner nodes to be hashed.

    The column ORDER gets the tops of what is written, which RECORDS counts: read backwards, children come first, from
    left to right. FRESH_NODE gets the inner nodes that have no hash, which FRESH counts. Pages taken into one above
    are orphans.
    """
    nodes, changes, room = arena.nodes, arena.changes, arena.room
    room[STACK] = top
    used = 1
    while used:
        used -= 1
        node = room[STACK + used]
        if nodes[node, ID_AT] != NONE:
            continue
        nodes[room[RECORDS], ORDER] = node
        room[RECORDS] += 1
        if nodes[node, DEPTH] == 0:
            change = nodes[node, LEFT]
            room[OUT_BYTES] += 3 + changes[change, KEY_SIZE] + changes[change, VALUE_SIZE]
            continue
        inners = gather(arena, node)
        room[OUT_BYTES] += LINKS + LINK_BYTES * inners + HASH_BYTES * (inners - 1) + CHILD_BYTES * (inners + 1)
        for index in range(inners):
            this = room[INNER + index]
            room[OUT_BYTES] += nodes[nodes[this, RIGHT], FIRST_SIZE]
            if nodes[this, ID_AT] != NONE:
                _orphan(arena, this)
            if nodes[this, HASH_AT] == NONE:
                nodes[room[FRESH], FRESH_NODE] = this
                room[FRESH] += 1
        for index in range(inners + 1):
            room[STACK + used] = room[CHILDREN + index]
            used += 1


@entry(NOTHING, ARENA, INTS, INTS)
def parse_pages(arena: Arena, wanted: np.ndarray, pages: np.ndarray) -> None:
    """Open every one of the nodes with the page that begins at its place of `pages`."""
    for index in range(len(wanted)):
        _parse_page(arena, wanted[index], pages[index])
