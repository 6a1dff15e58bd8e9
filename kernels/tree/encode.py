"""The last steps of a compiled batch: what is hashed, in order, and the records that are written.

Source: the layout in `abci_app/store/node.py`.
"""

import numpy as np

from kernels.jit import Scalar, inlined
from kernels.tree.cpu import (
    DEPTH,
    FIRST_AT,
    FIRST_SIZE,
    HASH_AT,
    HASH_BYTES,
    ID_AT,
    ID_BYTES,
    INNER_BYTES,
    LEFT,
    LINK_BYTES,
    LINKS,
    MAX_DEPTH,
    MAX_INNER,
    RIGHT,
    Arena,
    gather,
)


@inlined
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
        key_at, key_size = arena.key_at[change], arena.key_size[change]
        messages[used] = 0
        messages[used + 1] = key_size & 0x7F
        used += 2
        if key_size >= 0x80:
            messages[used - 1] = key_size & 0x7F | 0x80
            messages[used] = key_size >> 7
            used += 1
        for place in range(key_size):
            messages[used + place] = arena.data[key_at + place]
        used += key_size
        messages[used] = HASH_BYTES
        used += 1
        for place in range(HASH_BYTES):
            messages[used + place] = digests[index * HASH_BYTES + place]
        used += HASH_BYTES
        size[index] = used - at[index]


@inlined
def sort_by_depth(arena: Arena, fresh: np.ndarray, order: np.ndarray) -> np.ndarray:
    """Put `fresh` into `order` by depth; the result says where each depth begins."""
    begins = np.zeros(MAX_DEPTH + 2, np.int64)
    for node in fresh:
        begins[arena.nodes[node, DEPTH] + 1] += 1
    for depth in range(MAX_DEPTH + 1):
        begins[depth + 1] += begins[depth]
    fill = begins.copy()
    for node in fresh:
        order[fill[arena.nodes[node, DEPTH]]] = node
        fill[arena.nodes[node, DEPTH]] += 1
    return begins


@inlined
def encode_inner(arena: Arena, nodes: np.ndarray, out: Scalar, messages: np.ndarray) -> None:
    """What is hashed for inner nodes, 65 bytes each; their hashes will be in the data from `out` on."""
    data = arena.data
    for index in range(len(nodes)):
        node = nodes[index]
        left, right = arena.nodes[arena.nodes[node, LEFT], HASH_AT], arena.nodes[arena.nodes[node, RIGHT], HASH_AT]
        at = index * INNER_BYTES
        messages[at] = 1
        for place in range(HASH_BYTES):
            messages[at + 1 + place] = data[left + place]
            messages[at + 1 + HASH_BYTES + place] = data[right + place]
        arena.nodes[node, HASH_AT] = out + index * HASH_BYTES


@inlined
def _put_id(out: np.ndarray, at: Scalar, height: Scalar, number: Scalar) -> None:
    for place in range(8):
        out[at + place] = np.uint8(height >> (56 - 8 * place) & 0xFF)
    for place in range(4):
        out[at + 8 + place] = np.uint8(number >> (24 - 8 * place) & 0xFF)


@inlined
def _copy(out: np.ndarray, to: Scalar, data: np.ndarray, at: Scalar, size: Scalar) -> Scalar:
    """Copy bytes; returns the place after them."""
    for place in range(size):
        out[to + place] = data[at + place]
    return to + size


@inlined
def _put_leaf(arena: Arena, node: Scalar, out: np.ndarray, at: Scalar) -> Scalar:
    change = arena.nodes[node, LEFT]
    size = arena.key_size[change]
    out[at], out[at + 1], out[at + 2] = 0, np.uint8(size >> 8), np.uint8(size & 0xFF)
    at = _copy(out, at + 3, arena.data, arena.key_at[change], size)
    return _copy(out, at, arena.data, arena.value_at[change], arena.value_size[change])


@inlined
def _put_page(
    arena: Arena, out: np.ndarray, at: Scalar, inner: np.ndarray, children: np.ndarray, links: np.ndarray
) -> Scalar:
    data, inners = arena.data, len(inner)
    out[at], out[at + 1] = 1, np.uint8(inners)
    at += LINKS
    end = np.int64(0)
    for index in range(inners):
        end += arena.nodes[arena.nodes[inner[index], RIGHT], FIRST_SIZE]
        out[at], out[at + 1] = np.uint8(links[2 * index]), np.uint8(links[2 * index + 1])
        out[at + 2] = np.uint8(arena.nodes[inner[index], DEPTH])
        out[at + 3], out[at + 4] = np.uint8(end >> 8), np.uint8(end & 0xFF)
        at += LINK_BYTES
    for index in range(1, inners):
        at = _copy(out, at, data, arena.nodes[inner[index], HASH_AT], HASH_BYTES)
    for child in children:
        at = _copy(out, at, data, arena.nodes[child, ID_AT], ID_BYTES)
        at = _copy(out, at, data, arena.nodes[child, HASH_AT], HASH_BYTES)
        out[at] = np.uint8(arena.nodes[child, DEPTH])
        at += 1
    for index in range(inners):
        right = arena.nodes[inner[index], RIGHT]
        at = _copy(out, at, data, arena.nodes[right, FIRST_AT], np.int64(arena.nodes[right, FIRST_SIZE]))
    return at


@inlined
def write(
    arena: Arena, order: np.ndarray, out: np.ndarray, ends: np.ndarray, ids: Scalar, height: Scalar, number: Scalar
) -> None:
    """Encode what `measure` found, last first; the ids go into the data from `ids` on, the ends into `ends`."""
    inner = np.empty(MAX_INNER, np.int64)
    children = np.empty(MAX_INNER + 1, np.int64)
    links = np.empty(2 * MAX_INNER, np.int64)
    at = np.int64(0)
    total = len(order)
    for record in range(total):
        node = order[total - 1 - record]
        if arena.nodes[node, DEPTH] == 0:
            at = _put_leaf(arena, node, out, at)
        else:
            inners = gather(arena, node, inner, children, links)
            at = _put_page(arena, out, at, inner[:inners], children[: inners + 1], links)
        _put_id(arena.data, ids + record * ID_BYTES, height, number + record)
        arena.nodes[node, ID_AT] = ids + record * ID_BYTES
        ends[record] = at
