"""A whole state as bytes: one stream, the same on every node at the same height, cut into chunks; and its metadata.

    stream    for each store in name order: its leaves in key order (level 1 | key length 2 | value length 3 | key |
              value), then FF 00 00 00 00 00; then for each leaf of the store `blobs` in key order but the reserved
              one: length 4 | blob
    chunks    the stream in pieces of CHUNK_BYTES, the last one shorter or as long
    metadata  format 4 | height 8 | stores 1 | for each: name length 1 | name | root 32 | chunks 4 | for each: SHA-256
Numbers are big-endian. Nothing is compressed, because the bytes would depend on a library's version. The roots give
the app hash, so metadata is checked before the first chunk, each chunk as it arrives, each store at its end, and each
blob alone. Levels are in `shape.py`. Pure; written to disk elsewhere.
Source: CometBFT v0.38 spec/p2p/legacy-docs/messages/state-sync.md (at most 4 MB of metadata, 16 MB a chunk).
"""

from collections.abc import Iterable, Iterator
from hashlib import sha256
from typing import NamedTuple

from abci_app.store.errors import SnapshotInvalid
from abci_app.store.kv import BLOBS_STORE
from abci_app.store.shape import Leaf
from abci_app.store.tree import compute_app_hash
from abci_app.store.version import Version

FORMAT = 1
CHUNK_BYTES = 8 << 20
MAX_CHUNKS = 100_000  # 3.2 MB of metadata, 838 GB of state
MAX_HEIGHT = (1 << 63) - 1
HASH_BYTES = 32
LEAF_HEAD_BYTES = 6
BLOB_HEAD_BYTES = 4
STORE_END = b"\xff" + bytes(LEAF_HEAD_BYTES - 1)
PIECE_BYTES = 1 << 16  # small records are gathered up to this size


class Metadata(NamedTuple):
    """What a snapshot is of: the root of every store in name order, and the SHA-256 of every chunk."""

    height: int
    roots: tuple[tuple[str, bytes], ...]
    chunk_hashes: tuple[bytes, ...]

    @property
    def app_hash(self) -> bytes:
        """The app hash of a state with these roots."""
        return compute_app_hash(self.roots)


def iter_stream(version: Version) -> Iterator[bytes]:
    """The stream of a version, in pieces of any size. Holds one blob in memory at most.

    Raises HeightUnavailable when the version is pruned or its blobs change meanwhile, DatabaseDamaged.
    """
    gathered = bytearray()
    for name in version.store_names:
        for leaf in version.iter_leaves(name):
            gathered += encode_leaf_head(leaf)
            gathered += leaf.key
            gathered += leaf.value
            if len(gathered) >= PIECE_BYTES:
                yield bytes(gathered)
                gathered.clear()
        gathered += STORE_END
    for _, blob in version.blobs.iter(b""):
        gathered += len(blob).to_bytes(BLOB_HEAD_BYTES, "big")
        if len(gathered) + len(blob) >= PIECE_BYTES:
            yield bytes(gathered)
            gathered.clear()
            yield blob
        else:
            gathered += blob
    yield bytes(gathered)


def cut(pieces: Iterable[bytes], chunk_bytes: int = CHUNK_BYTES) -> Iterator[list[bytes]]:
    """The same bytes as chunks: each a list of pieces that together have `chunk_bytes`, the last one maybe fewer."""
    chunk: list[bytes] = []
    room = chunk_bytes
    for piece in pieces:
        begin = 0
        while len(piece) - begin >= room:
            chunk.append(piece[begin : begin + room])
            yield chunk
            begin, chunk, room = begin + room, [], chunk_bytes
        if begin < len(piece):
            chunk.append(piece[begin:])
            room -= len(piece) - begin
    if chunk:
        yield chunk


def encode_leaf_head(leaf: Leaf) -> bytes:
    """Level and lengths of a leaf."""
    level, key, value = leaf
    return (level << 40 | len(key) << 24 | len(value)).to_bytes(LEAF_HEAD_BYTES, "big")


def split_leaf_head(head: bytes) -> tuple[int, int, int]:
    """(level, key length, value length)."""
    return head[0], head[1] << 8 | head[2], head[3] << 16 | head[4] << 8 | head[5]


def encode_metadata(metadata: Metadata) -> bytes:
    """Raises SnapshotInvalid for a state with too many chunks."""
    if not 0 < len(metadata.chunk_hashes) <= MAX_CHUNKS:
        raise SnapshotInvalid(f"a snapshot of {len(metadata.chunk_hashes)} chunks; the most is {MAX_CHUNKS}")
    parts = [FORMAT.to_bytes(4, "big"), metadata.height.to_bytes(8, "big"), bytes((len(metadata.roots),))]
    for name, root in metadata.roots:
        parts += [bytes((len(name),)), name.encode(), root]
    return b"".join((*parts, len(metadata.chunk_hashes).to_bytes(4, "big"), *metadata.chunk_hashes))


def decode_metadata(data: bytes) -> Metadata:
    """The metadata that these bytes are, and no others. Raises SnapshotInvalid."""
    roots = []
    at = 13
    for _ in range(data[12] if len(data) > 12 else 0):
        begin = at + 1 + (data[at] if at < len(data) else 0)
        roots.append((data[at + 1 : begin].decode("ascii", "replace"), data[begin : begin + HASH_BYTES]))
        at = begin + HASH_BYTES
    hashes = tuple(data[begin : begin + HASH_BYTES] for begin in range(at + 4, len(data), HASH_BYTES))
    metadata = Metadata(int.from_bytes(data[4:12], "big"), tuple(roots), hashes)
    names = [name for name, _ in roots]
    is_sorted = all(left < right for left, right in zip(names, names[1:]))
    is_whole = all(len(one) == HASH_BYTES for one in (*hashes, *(root for _, root in roots)))
    is_named = is_sorted and BLOBS_STORE in names and 0 < metadata.height <= MAX_HEIGHT
    if not (is_named and is_whole and encode_metadata(metadata) == data):
        raise SnapshotInvalid("malformed metadata of a snapshot")
    return metadata


def compute_hash(metadata: bytes) -> bytes:
    """What names a snapshot: the SHA-256 of its metadata."""
    return sha256(metadata).digest()
