"""Merkle trees of RFC 6962's shape over any hash: root, audit path, check of a path.

Reads/Writes: nothing. A leaf is H(0x00 + data), a node H(0x01 + left + right); the left subtree of n
leaves holds the largest power of two below n.  Source: RFC 6962 section 2.1.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence

Hash = Callable[[bytes], bytes]
HASH_BYTES = 32


def sha256(data: bytes) -> bytes:
    """SHA-256 of `data`."""
    return hashlib.sha256(data).digest()


def compute_leaf(hash_of: Hash, data: bytes) -> bytes:
    """The hash of a leaf that holds `data`."""
    return hash_of(b"\x00" + data)


def compute_root(hash_of: Hash, leaves: Sequence[bytes]) -> bytes:
    """The root over hashed leaves, of which there must be at least one."""
    if len(leaves) == 1:
        return leaves[0]
    split = _left_size(len(leaves))
    return _join(hash_of, compute_root(hash_of, leaves[:split]), compute_root(hash_of, leaves[split:]))


def compute_path(hash_of: Hash, leaves: Sequence[bytes], index: int) -> list[bytes]:
    """Siblings of leaf `index`, from the leaf upwards."""
    if len(leaves) == 1:
        return []
    split = _left_size(len(leaves))
    left, right = leaves[:split], leaves[split:]
    if index < split:
        return compute_path(hash_of, left, index) + [compute_root(hash_of, right)]
    return compute_path(hash_of, right, index - split) + [compute_root(hash_of, left)]


def find_root_of_path(
    hash_of: Hash, leaf: bytes, index: int, count: int, path: Sequence[bytes]
) -> bytes | None:
    """The root that `path` leads to from leaf `index` of `count`, or None if its length is wrong."""
    sides = []
    while count > 1:
        split = _left_size(count)
        sides.append(index < split)
        index, count = (index, split) if index < split else (index - split, count - split)
    if len(sides) != len(path):
        return None
    node = leaf
    for is_left, sibling in zip(reversed(sides), path):
        node = _join(hash_of, node, sibling) if is_left else _join(hash_of, sibling, node)
    return node


def _left_size(count: int) -> int:
    return 1 << ((count - 1).bit_length() - 1)


def _join(hash_of: Hash, left: bytes, right: bytes) -> bytes:
    return hash_of(b"\x01" + left + right)
