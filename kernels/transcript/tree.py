"""The tree over a list of operations: 16 children a node, so that few messages lead from the root to a leaf.

Leaves are 32-byte hashes, all equally deep; a node is SHA-256(0x02 + number of its children in a byte + the children).
A node is named by its path: the numbers of the children on the way from the root, () for the root itself.
Reads/Writes: nothing. Needs neither numpy nor numba. Source: README.md beside this file, section 22.5.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence

from kernels import checks
from kernels.errors import KernelInputError

ARITY = 16
DEPTH_MAX = 5
LEAVES_MAX = ARITY**DEPTH_MAX
HASH_BYTES = 32
_NODE = b"\x02"

Path = tuple[int, ...]


def find_depth(count: int) -> int:
    """The steps from the root to every leaf of a tree of `count` leaves, 1..5."""
    checks.check_int("count", count, 1, LEAVES_MAX)
    depth = 1
    while ARITY**depth < count:
        depth += 1
    return depth


def child_count(count: int, path: Path) -> int:
    """The children of the node at `path` in a tree of `count` leaves, 1..16.

    Raises: KernelInputError if the tree has no node there; leaves have no children.
    """
    height = find_depth(count) - len(_check_path(path))
    if height < 1:
        raise KernelInputError("path is longer than the tree is deep")
    held = _span_of(count, path, height)
    return min(ARITY, _divide_up(held, ARITY ** (height - 1)))


def find_leaf(count: int, path: Path) -> int:
    """The number of the leaf at `path`, which must be as long as the tree is deep."""
    height = find_depth(count) - len(_check_path(path))
    if height != 0:
        raise KernelInputError("path does not end at a leaf")
    _span_of(count, path, 0)
    return _first_of(path, 0)


def find_path(count: int, index: int) -> Path:
    """The path of leaf `index` in a tree of `count` leaves."""
    depth = find_depth(count)
    checks.check_int("index", index, 0, count - 1)
    return tuple(index // ARITY**height % ARITY for height in reversed(range(depth)))


def hash_children(children: Sequence[bytes]) -> bytes:
    """The node over 1..16 hashes."""
    checks.check_int("number of children", len(children), 1, ARITY)
    if not _are_hashes(children):
        raise KernelInputError(f"children must be hashes of {HASH_BYTES} bytes")
    return _hash_node(children)


def _hash_node(children: Sequence[bytes]) -> bytes:
    return hashlib.sha256(_NODE + bytes([len(children)]) + b"".join(children)).digest()


def compute_levels(leaves: Sequence[bytes]) -> list[list[bytes]]:
    """All hashes of the tree, level by level: the leaves first, the root alone last."""
    levels = [list(leaves)]
    for _ in range(find_depth(len(leaves))):
        below = levels[-1]
        levels.append([_hash_node(below[at:at + ARITY]) for at in range(0, len(below), ARITY)])
    return levels


def root(leaves: Sequence[bytes]) -> bytes:
    """The root over `leaves`, 1..2**20 of them."""
    return compute_levels(leaves)[-1][0]


def children(leaves: Sequence[bytes], path: Path) -> list[bytes]:
    """The hashes of the children of the node at `path`; those of the lowest nodes are leaves."""
    size = child_count(len(leaves), path)
    step = ARITY ** (find_depth(len(leaves)) - len(path) - 1)
    first = _first_of(path, find_depth(len(leaves)) - len(path))
    held = [leaves[first + at * step:first + (at + 1) * step] for at in range(size)]
    return [_find_node(part, step) for part in held]


def verify_children(parent: bytes, found: Sequence[bytes], count: int, path: Path) -> bool:
    """Whether `found` are the children of the node `parent` at `path` of a tree of `count` leaves."""
    if not _are_hashes(found) or len(found) != child_count(count, path):
        return False
    return _hash_node(found) == parent


def open_leaves(leaves: Sequence[bytes], indices: Sequence[int]) -> list[list[bytes]]:
    """A proof of the leaves at `indices`, all in one: the children of every node on the ways to them.

    Each node once, from the root downwards, and from left to right on one level.
    """
    levels = compute_levels(leaves)
    proof = []
    for height in reversed(range(1, len(levels))):
        for node in _list_nodes(indices, len(leaves), height):
            proof.append(levels[height - 1][node * ARITY:(node + 1) * ARITY])
    return proof


def verify_leaves(
    trusted: bytes, count: int, found: Mapping[int, bytes], proof: Sequence[Sequence[bytes]]
) -> bool:
    """Whether a tree of `count` leaves under the root `trusted` has the leaves `found`, {index: hash}, by `proof`.

    The proof must be open_leaves' own for these indices: a node that is missing, left over or of another number of
    children makes it False, as does anything malformed.
    """
    if not found or not 1 <= count <= LEAVES_MAX or any(not 0 <= index < count for index in found):
        return False
    depth, known, used = find_depth(count), {0: trusted}, 0
    for height in reversed(range(1, depth + 1)):
        below: dict[int, bytes] = {}
        for node in _list_nodes(list(found), count, height):
            if used == len(proof):
                return False
            hashes, used = proof[used], used + 1
            if not verify_children(known[node], hashes, count, _name_node(node, depth - height)):
                return False
            below.update({node * ARITY + at: child for at, child in enumerate(hashes)})
        known = below
    return used == len(proof) and all(known[index] == leaf for index, leaf in found.items())


def proof_bytes(count: int, indices: Sequence[int]) -> int:
    """Bytes of the hashes in open_leaves' proof of `indices`, by shape alone."""
    depth = find_depth(count)
    return HASH_BYTES * sum(
        child_count(count, _name_node(node, depth - height))
        for height in range(1, depth + 1) for node in _list_nodes(indices, count, height))


def _list_nodes(indices: Sequence[int], count: int, height: int) -> list[int]:
    """The nodes of a level that lead to leaves, rising."""
    return sorted({checks.check_int("index", index, 0, count - 1) // ARITY**height: None for index in indices})


def _name_node(node: int, length: int) -> Path:
    return tuple(node // ARITY**height % ARITY for height in reversed(range(length)))


def _check_path(path: object) -> Path:
    if not isinstance(path, tuple) or len(path) > DEPTH_MAX:
        raise KernelInputError(f"path must be a tuple of at most {DEPTH_MAX} numbers of children")
    for number in path:
        checks.check_int("number of a child", number, 0, ARITY - 1)
    return path


def _first_of(path: Path, height: int) -> int:
    """The first leaf below the node at `path`, which is `height` above the leaves."""
    first: int = 0
    for number in path:
        first = first * ARITY + number
    return first * _power(height)


def _span_of(count: int, path: Path, height: int) -> int:
    """How many leaves are below the node at `path`, and whatever is behind them."""
    held = count - _first_of(path, height)
    if held < 1:
        raise KernelInputError("the tree has no node at path")
    return min(held, _power(height))


def _find_node(leaves: Sequence[bytes], size: int) -> bytes:
    """The node over up to `size` leaves, a power of 16; a leaf itself where size is 1."""
    held = list(leaves)
    while size > 1:
        held = [_hash_node(held[at:at + ARITY]) for at in range(0, len(held), ARITY)]
        size //= ARITY
    return held[0]


def _power(height: int) -> int:
    """The leaves below a whole node of that height."""
    return 1 << 4 * height


def _divide_up(value: int, size: int) -> int:
    return (value + size - 1) // size


def _are_hashes(values: object) -> bool:
    if not isinstance(values, Sequence) or isinstance(values, bytes):
        return False
    return all(isinstance(value, bytes) and len(value) == HASH_BYTES for value in values)
