"""A Merkle tree over fixed-size chunks of any bytes, hashed with BLAKE3; the root commits to the length.

Bytes of the host are hashed by the blake3 library on several threads (kernels/threads.py), on every back end; what
lies on a device already can be hashed there (gpu.py). The hashes do not depend on either.
Source: kernels/README.md section 11; RFC 6962 for the shape of the tree.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from kernels import checks, merkle
from kernels.errors import KernelInputError

CHUNK_BYTES = 65536
CHUNK_BYTES_MAX = 2**24
LENGTH_MAX = 2**40
HEADER_BYTES = 12
HASH_COST = 4  # of a byte for kernels/threads.py: hashing one takes the time of moving so many
THREADED_CHUNK_BYTES = 2**14  # smaller ones are hashed by one thread: most of it is Python's work, under its lock


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
    checks.check_bytes("data", data)
    return join_root([memoryview(data)], chunk_bytes)


def join_root(parts: Sequence[memoryview], chunk_bytes: int = CHUNK_BYTES) -> bytes:
    """chunk_root of the joined parts, which are bytes in one dimension; joins nothing."""
    length = sum(len(part) for part in parts)
    return seal_leaves(_hash_leaves(parts, chunk_bytes), length, chunk_bytes)


def seal_leaves(leaves: Sequence[bytes], length: int, chunk_bytes: int) -> bytes:
    """The root over the hashes of all chunks of `length` bytes."""
    return _seal(_header(length, chunk_bytes), merkle.compute_root(hash_bytes, leaves))


def chunk_proof(data: bytes, index: int, chunk_bytes: int = CHUNK_BYTES) -> list[bytes]:
    """Proof of chunk `index`: the 12-byte header (length, chunk size), then 32-byte siblings upwards."""
    checks.check_bytes("data", data)
    leaves = _hash_leaves([memoryview(data)], chunk_bytes)
    checks.check_int("index", index, 0, len(leaves) - 1)
    return [_header(len(data), chunk_bytes)] + merkle.compute_path(hash_bytes, leaves, index)


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
    tree = merkle.find_root_of_path(hash_bytes, merkle.compute_leaf(hash_bytes, chunk), index, count, path)
    return tree is not None and _seal(header, tree) == root


def hash_bytes(data: bytes | memoryview) -> bytes:
    """BLAKE3 of `data`, 32 bytes."""
    from blake3 import blake3

    return blake3(data).digest()


def _check_chunk_bytes(chunk_bytes: int) -> None:
    checks.check_int("chunk_bytes", chunk_bytes, 1, CHUNK_BYTES_MAX)


def _are_bytes(values: list[bytes]) -> bool:
    return all(isinstance(value, bytes) for value in values)


def _hash_leaves(parts: Sequence[memoryview], chunk_bytes: int) -> list[bytes]:
    """The leaves of the joined parts, in order. Each thread copies its chunks behind the prefix, into one buffer."""
    length = sum(len(part) for part in parts)
    leaves = [b""] * chunk_count(length, chunk_bytes)

    def hash_span(begin: int, end: int) -> None:
        buffer = memoryview(bytearray(1 + min(chunk_bytes, length)))
        filled, index = 1, begin
        for piece in _iter_pieces(parts, begin * chunk_bytes, min(end * chunk_bytes, length), chunk_bytes):
            buffer[filled:filled + len(piece)] = piece
            filled += len(piece)
            if filled == len(buffer):
                leaves[index] = hash_bytes(buffer)
                filled, index = 1, index + 1
        if index < end:
            leaves[index] = hash_bytes(buffer[:filled])

    from kernels import threads  # it brings numpy, which programs that only verify do without

    threads.run_spans(len(leaves), 1, HASH_COST * length if chunk_bytes >= THREADED_CHUNK_BYTES else 0, hash_span)
    return leaves


def _iter_pieces(parts: Sequence[memoryview], begin: int, end: int, chunk_bytes: int) -> Iterator[memoryview]:
    """Bytes begin..end-1 of the joined parts, cut where a part or a chunk ends; begin is where a chunk begins."""
    place = 0  # of the part's first byte
    for part in parts:
        start = max(begin, place)
        stop = min(end, place + len(part))
        while start < stop:
            cut = min(stop, (start // chunk_bytes + 1) * chunk_bytes)
            yield part[start - place:cut - place]
            start = cut
        place += len(part)


def _header(length: int, chunk_bytes: int) -> bytes:
    return length.to_bytes(8, "little") + chunk_bytes.to_bytes(4, "little")


def _seal(header: bytes, tree: bytes) -> bytes:
    return hash_bytes(b"\x02" + header + tree)
