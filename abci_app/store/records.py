"""The bytes of every record in the database: pure, both ways.

    f             format number, store names
    l             latest height, oldest kept height, prune cursor (height, chunk)
    v height      app hash, and (id, hash, depth) of every store's root, in name order
    n id          a leaf or a page of inner nodes (node.py)
    o height n    ids of nodes that the version of `height` no longer uses, n-th chunk
    b key         a blob
    r             1 while a state is restored: what else is here is to be thrown away; 2 from then to the next commit:
                  another restored state may still take its place
Heights and numbers are fixed-width big-endian, so that key order is number order.
"""

from typing import NamedTuple

from abci_app.store.errors import DatabaseDamaged
from abci_app.store.node import ID_BYTES
from abci_app.store.tree import Root
from abci_app.wire.merkle import HASH_BYTES

FORMAT = 2
FORMAT_KEY = b"f"
LATEST_KEY = b"l"
RESTORE_KEY = b"r"
RESTORING, RESTORED = b"1", b"2"  # what it says
RESTORED_RANGES = ((b"b", b"c"), (b"n", b"o"))  # where a restoration writes before it is finished
BLOB_PREFIX = b"b"
ORPHANS_PER_CHUNK = 1 << 10

_ROOT_BYTES = ID_BYTES + HASH_BYTES + 1


class Meta(NamedTuple):
    """What the database holds: heights `oldest`..`latest`, and up to where orphans have been deleted."""

    latest: int
    oldest: int
    prune_height: int
    prune_chunk: int


def node_key(node_id: bytes) -> bytes:
    """The key of a node's record."""
    return b"n" + node_id


def version_key(height: int) -> bytes:
    """The key of a version's record."""
    return b"v" + height.to_bytes(8, "big")


def orphans_key(height: int, chunk: int) -> bytes:
    """The key of one chunk of orphans."""
    return b"o" + height.to_bytes(8, "big") + chunk.to_bytes(4, "big")


def encode_version(app_hash: bytes, roots: tuple[Root, ...]) -> bytes:
    """The roots in the order of the store names."""
    return app_hash + b"".join(root.id + root.hash + bytes((root.depth,)) for root in roots)


def decode_version(data: bytes) -> tuple[bytes, tuple[Root, ...]]:
    """(app hash, roots); raises DatabaseDamaged when the record is malformed."""
    if len(data) < HASH_BYTES or (len(data) - HASH_BYTES) % _ROOT_BYTES:
        raise DatabaseDamaged("malformed version record")
    roots = []
    for begin in range(HASH_BYTES, len(data), _ROOT_BYTES):
        root = data[begin : begin + _ROOT_BYTES]
        roots.append(Root(root[:ID_BYTES], root[ID_BYTES:-1], root[-1]))
    return data[:HASH_BYTES], tuple(roots)


def encode_meta(meta: Meta) -> bytes:
    """Four numbers of 8 bytes."""
    return b"".join(number.to_bytes(8, "big") for number in meta)


def decode_meta(data: bytes) -> Meta:
    """Raises DatabaseDamaged when the record is malformed."""
    if len(data) != 32:
        raise DatabaseDamaged("malformed record of the latest height")
    return Meta(*(int.from_bytes(data[begin : begin + 8], "big") for begin in range(0, 32, 8)))


def encode_orphans(orphans: list[bytes]) -> list[bytes]:
    """The chunks of one version's orphans, in id order; none when there are no orphans."""
    ids = sorted(orphans)
    return [b"".join(ids[begin : begin + ORPHANS_PER_CHUNK]) for begin in range(0, len(ids), ORPHANS_PER_CHUNK)]


def decode_orphans(data: bytes) -> list[bytes]:
    """The ids of one chunk."""
    return [data[begin : begin + ID_BYTES] for begin in range(0, len(data), ID_BYTES)]


def encode_format(store_names: tuple[str, ...]) -> bytes:
    """The format number and the store names, one per line."""
    return "\n".join((str(FORMAT), *store_names)).encode()
