"""The last steps of a compiled batch: what is hashed, in order, and the records that are written.

Source: the layout in `abci_app/store/node.py`.
"""

import numpy as np

from kernels.jit import Scalar, entry, typed
from kernels.tree.cpu import (
    ARENA,
    BYTE_ARRAY,
    CHILDREN,
    DEPTH,
    FIRST_AT,
    FIRST_SIZE,
    HASH_AT,
    HASH_BYTES,
    ID_AT,
    ID_BYTES,
    INNER,
    INNER_BYTES,
    INT,
    INTS,
    KEY_AT,
    KEY_SIZE,
    LEFT,
    LINK_BYTES,
    LINK_SIDES,
    LINKS,
    NOTHING,
    ORDER,
    RECORDS,
    RIGHT,
    VALUE_AT,
    VALUE_SIZE,
    Arena,
    gather,
)


@typed(INT, BYTE_ARRAY, INT, BYTE_ARRAY, INT, INT)
def _copy(out: np.ndarray, to: Scalar, data: np.ndarray, at: Scalar, size: Scalar) -> Scalar:
    """Copy bytes; returns the place after them."""
    for place in range(size):
        out[to + place] = data[at + place]
    return to + size


@entry(NOTHING, ARENA, INTS, BYTE_ARRAY, BYTE_ARRAY, INTS, INTS)
def encode_leaves(
    arena: Arena, live: np.ndarray, digests: np.ndarray, messages: np.ndarray, at: np.ndarray, size: np.ndarray
) -> None:
    """What is hashed for the leaves of the changes `live`: 00 | uvarint(key size) | key | 20 | hash of the value.

    Key sizes are below 2**14. `at` and `size` say where in `messages` each one is.
    """
    used = np.int64(0)
    for index in range(len(live)):
        change = live[index]
        at[index] = used
        key_at, key_size = np.int64(arena.changes[change, KEY_AT]), np.int64(arena.changes[change, KEY_SIZE])
        messages[used] = 0
        messages[used + 1] = np.uint8(key_size & 0x7F)
        used += 2
        if key_size >= 0x80:
            messages[used - 1] = np.uint8(key_size & 0x7F | 0x80)
            messages[used] = np.uint8(key_size >> 7)
            used += 1
        used = _copy(messages, used, arena.data, key_at, key_size)
        messages[used] = HASH_BYTES
        used = _copy(messages, used + 1, digests, index * HASH_BYTES, HASH_BYTES)
        size[index] = used - at[index]


@entry(NOTHING, ARENA, INTS, INT, BYTE_ARRAY)
def encode_inner(arena: Arena, order: np.ndarray, out: Scalar, messages: np.ndarray) -> None:
    """What is hashed for inner nodes, 65 bytes each; their hashes will be in the data from `out` on."""
    nodes = arena.nodes
    for index in range(len(order)):
        node = order[index]
        at = index * INNER_BYTES
        messages[at] = 1
        for turn in range(2):
            half = nodes[node, LEFT + turn]
            _copy(messages, at + 1 + turn * HASH_BYTES, arena.data, nodes[half, HASH_AT], HASH_BYTES)
        nodes[node, HASH_AT] = out + index * HASH_BYTES


@typed(NOTHING, BYTE_ARRAY, INT, INT, INT)
def _put_number(out: np.ndarray, at: Scalar, size: Scalar, number: Scalar) -> None:
    """A big-endian number of `size` bytes."""
    for place in range(size):
        out[at + size - 1 - place] = np.uint8(number & 0xFF)
        number >>= 8


@typed(INT, ARENA, INT, BYTE_ARRAY, INT)
def _put_leaf(arena: Arena, node: Scalar, out: np.ndarray, at: Scalar) -> Scalar:
    change = arena.nodes[node, LEFT]
    size = arena.changes[change, KEY_SIZE]
    out[at] = 0
    _put_number(out, at + 1, 2, size)
    at = _copy(out, at + 3, arena.data, arena.changes[change, KEY_AT], size)
    return _copy(out, at, arena.data, arena.changes[change, VALUE_AT], arena.changes[change, VALUE_SIZE])


@typed(INT, ARENA, INT, BYTE_ARRAY, INT)
def _put_page(arena: Arena, inners: Scalar, out: np.ndarray, at: Scalar) -> Scalar:
    """The page of the nodes that `gather` has put into the room."""
    data, nodes, room = arena.data, arena.nodes, arena.room
    out[at], out[at + 1] = 1, np.uint8(inners)
    hashes = at + LINKS + LINK_BYTES * inners
    end = np.int64(0)
    for index in range(inners):
        node = room[INNER + index]
        end += nodes[nodes[node, RIGHT], FIRST_SIZE]
        link = at + LINKS + LINK_BYTES * index
        out[link], out[link + 1] = np.uint8(room[LINK_SIDES + 2 * index]), np.uint8(room[LINK_SIDES + 2 * index + 1])
        out[link + 2] = np.uint8(nodes[node, DEPTH])
        _put_number(out, link + 3, 2, end)
        if index:
            hashes = _copy(out, hashes, data, nodes[node, HASH_AT], HASH_BYTES)
    at = hashes
    for index in range(inners + 1):
        child = room[CHILDREN + index]
        at = _copy(out, at, data, nodes[child, ID_AT], ID_BYTES)
        at = _copy(out, at, data, nodes[child, HASH_AT], HASH_BYTES)
        out[at] = np.uint8(nodes[child, DEPTH])
        at += 1
    for index in range(inners):
        right = nodes[room[INNER + index], RIGHT]
        at = _copy(out, at, data, nodes[right, FIRST_AT], nodes[right, FIRST_SIZE])
    return at


@entry(NOTHING, ARENA, BYTE_ARRAY, INTS, INT, INT, INT)
def write(arena: Arena, out: np.ndarray, ends: np.ndarray, ids: Scalar, height: Scalar, number: Scalar) -> None:
    """Encode what `measure` found, last first; the ids go into the data from `ids` on, the ends into `ends`."""
    nodes = arena.nodes
    at = np.int64(0)
    total = arena.room[RECORDS]
    for record in range(total):
        node = np.int64(nodes[total - 1 - record, ORDER])
        if nodes[node, DEPTH] == 0:
            at = _put_leaf(arena, node, out, at)
        else:
            at = _put_page(arena, gather(arena, node), out, at)
        _put_number(arena.data, ids + record * ID_BYTES, 8, height)
        _put_number(arena.data, ids + record * ID_BYTES + 8, 4, number + record)
        nodes[node, ID_AT] = ids + record * ID_BYTES
        ends[record] = at
