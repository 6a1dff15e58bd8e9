"""A Merkle tree over fixed-size chunks of any bytes, hashed with BLAKE3; the root commits to the length.

Hashing has one implementation (the blake3 library): there is no back end to choose.
Source: kernels/README.md section 11; RFC 6962 for the shape of the tree.
"""

from __future__ import annotations

from collections.abc import Sequence

from kernels import checks, merkle
from kernels.errors import KernelInputError

CHUNK_BYTES = 65536
CHUNK_BYTES_MAX = 2**24
LENGTH_MAX = 2**40
HEADER_BYTES = 12


def chunk_count(length: int, chunk_bytes: int = CHUNK_BYTES) -> int:
    """Number of chunks of `length` bytes; no bytes are one empty chunk."""
    checks.check_int("length", length, 0, LENGTH_MAX)
    _check_chunk_bytes(chunk_bytes)
    return max(1, (length + chunk_bytes - 1) // chunk_bytes)


def split(data: bytes, chunk_bytes: int = CHUNK_BYTES) -> list[bytes]:
    """The chunks of `data` in order; all but the last have `chunk_bytes` bytes."""
    checks.check_bytes("data", data)
    count = chunk_count(len(data), chunk_bytes)
    return [data[index * chunk_bytes:(index + 1) * chunk_bytes] for index in range(count)]


def chunk_root(data: bytes, chunk_bytes: int = CHUNK_BYTES) -> bytes:
    """The 32-byte commitment to `data`, its length and its chunk size."""
    tree = merkle.compute_root(_blake3, _hash_leaves(data, chunk_bytes))
    return _seal(_header(len(data), chunk_bytes), tree)


def join_root(parts: Sequence[memoryview]) -> bytes:
    """chunk_root of the joined parts, which are bytes in one dimension, with chunks of CHUNK_BYTES; joins nothing."""
    room = bytearray(1 + CHUNK_BYTES)
    leaf = memoryview(room)
    leaves, filled = [], 1
    for part in parts:
        start = 0
        while start < len(part):
            taken = min(len(leaf) - filled, len(part) - start)
            leaf[filled:filled + taken] = part[start:start + taken]
            start, filled = start + taken, filled + taken
            if filled == len(leaf):
                leaves.append(_blake3(leaf))
                filled = 1
    if filled > 1 or not leaves:
        leaves.append(_blake3(leaf[:filled]))
    length = sum(len(part) for part in parts)
    return _seal(_header(length, CHUNK_BYTES), merkle.compute_root(_blake3, leaves))


def chunk_proof(data: bytes, index: int, chunk_bytes: int = CHUNK_BYTES) -> list[bytes]:
    """Proof of chunk `index`: the 12-byte header (length, chunk size), then 32-byte siblings upwards."""
    leaves = _hash_leaves(data, chunk_bytes)
    checks.check_int("index", index, 0, len(leaves) - 1)
    return [_header(len(data), chunk_bytes)] + merkle.compute_path(_blake3, leaves, index)


def verify_chunk(root: bytes, chunk: bytes, index: int, count: int, proof: list[bytes]) -> bool:
    """Whether `chunk` is chunk `index` of `count` under `root`. False for any malformed argument."""
    if not isinstance(proof, list) or not proof or not _are_bytes([root, chunk, *proof]):
        return False
    header, path = proof[0], proof[1:]
    if len(root) != merkle.HASH_BYTES or len(header) != HEADER_BYTES:
        return False
    if any(len(sibling) != merkle.HASH_BYTES for sibling in path):
        return False
    length = int.from_bytes(header[:8], "little")
    chunk_bytes = int.from_bytes(header[8:], "little")
    try:
        _check_chunk_bytes(chunk_bytes)
        checks.check_int("count", count, chunk_count(length, chunk_bytes), chunk_count(length, chunk_bytes))
        checks.check_int("index", index, 0, count - 1)
    except KernelInputError:
        return False
    if len(chunk) != min(chunk_bytes, length - index * chunk_bytes):
        return False
    tree = merkle.find_root_of_path(_blake3, merkle.compute_leaf(_blake3, chunk), index, count, path)
    return tree is not None and _seal(header, tree) == root


def _check_chunk_bytes(chunk_bytes: int) -> None:
    checks.check_int("chunk_bytes", chunk_bytes, 1, CHUNK_BYTES_MAX)


def _are_bytes(values: list[bytes]) -> bool:
    return all(isinstance(value, bytes) for value in values)


def _hash_leaves(data: bytes, chunk_bytes: int) -> list[bytes]:
    return [merkle.compute_leaf(_blake3, chunk) for chunk in split(data, chunk_bytes)]


def _header(length: int, chunk_bytes: int) -> bytes:
    return length.to_bytes(8, "little") + chunk_bytes.to_bytes(4, "little")


def _seal(header: bytes, tree: bytes) -> bytes:
    return _blake3(b"\x02" + header + tree)


def _blake3(data: bytes | memoryview) -> bytes:
    from blake3 import blake3

    return blake3(data).digest()
