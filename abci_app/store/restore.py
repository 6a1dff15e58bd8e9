"""Restores a state from a snapshot's chunks, in order, into an empty database.

What arrives is from strangers: each length is bounded before it is waited for, each record checked before it is
written, each store held against its root at its end and each blob against its hash. Memory: one chunk, one blob and
the nodes of one batch. Nothing is visible before `finish`; a crash leaves an empty state.
Writes: through `Database.put_restored` alone.
"""

from collections.abc import Generator
from hashlib import sha256
from typing import Protocol

from abci_app.store.errors import SnapshotInvalid
from abci_app.store.kv import BLOBS_STORE, MAX_BLOB_BYTES, MAX_KEY_BYTES, MAX_VALUE_BYTES
from abci_app.store.node import HEIGHT_BYTES, NUMBER_BYTES
from abci_app.store.shape import Grower, Leaf
from abci_app.store.snapshot import (
    BLOB_HEAD_BYTES,
    CHUNK_BYTES,
    LEAF_HEAD_BYTES,
    STORE_END,
    Metadata,
    split_leaf_head,
)
from abci_app.store.tree import Root
from abci_app.store.version import Version

BATCH_BYTES = 4 << 20


class Target(Protocol):
    """The database that is restored into."""

    def put_restored(self, nodes: list[tuple[bytes, bytes]], blobs: list[tuple[bytes, bytes]]) -> None:
        """Write (id, node) and (key, blob), to be seen only by versions that are handed out for it."""

    def restored_version(self, height: int, roots: tuple[Root, ...]) -> Version:
        """The version that `finish` would make visible."""

    def finish_restore(self, version: Version) -> None:
        """Make it the latest, at once and for good."""


class Restore:
    """One restoration. Raises SnapshotInvalid for anything that is not what the metadata promises."""

    def __init__(self, target: Target, metadata: Metadata, chunk_bytes: int = CHUNK_BYTES) -> None:
        self.metadata = metadata
        self.next_chunk = 0
        self._target = target
        self._chunk_bytes = chunk_bytes
        self._nodes: list[tuple[bytes, bytes]] = []
        self._blobs: list[tuple[bytes, bytes]] = []
        self._batch_bytes = 0
        self._node_count = 0
        self._roots: tuple[Root, ...] = ()
        self._buffer = bytearray()
        self._parser = self._parse()
        self._wanted = next(self._parser)

    def is_chunk(self, index: int, chunk: bytes) -> bool:
        """Whether these are the bytes of the chunk of this index, which the metadata has."""
        return sha256(chunk).digest() == self.metadata.chunk_hashes[index]

    def add_chunk(self, chunk: bytes) -> None:
        """Take the next chunk."""
        self.next_chunk += 1
        is_last = self.next_chunk == len(self.metadata.chunk_hashes)
        if not 0 < len(chunk) <= self._chunk_bytes or len(chunk) < self._chunk_bytes and not is_last:
            raise SnapshotInvalid(f"chunk {self.next_chunk - 1} has {len(chunk)} bytes")
        self._buffer += chunk
        self._consume()
        if is_last and (self._buffer or not self._is_complete()):
            raise SnapshotInvalid("the last chunk does not end where the state ends")

    def version(self) -> Version:
        """The restored version, not visible yet. Raises SnapshotInvalid when chunks are missing."""
        if not self._is_complete() or self._buffer:
            raise SnapshotInvalid(f"{self.next_chunk} of {len(self.metadata.chunk_hashes)} chunks are here")
        return self._target.restored_version(self.metadata.height, self._roots)

    def finish(self) -> Version:
        """Make the restored version the latest one."""
        version = self.version()
        self._target.finish_restore(version)
        return version

    def _is_complete(self) -> bool:
        return self._wanted == 0

    def _consume(self) -> None:
        """Hand the parser what it waits for, as long as it is there."""
        at = 0
        while self._wanted and at + self._wanted <= len(self._buffer):
            begin, at = at, at + self._wanted
            self._wanted = self._parser.send(bytes(memoryview(self._buffer)[begin:at]))
        del self._buffer[:at]

    def _parse(self) -> Generator[int, bytes, None]:
        """Reads the stream: yields how many bytes it needs, 0 when all is there."""
        roots = []
        for name, expected in self.metadata.roots:
            root = yield from self._parse_store(name)
            if root.hash != expected:
                raise SnapshotInvalid(f"the leaves of store {name!r} do not give its root")
            roots.append(root)
        self._flush()
        self._roots = tuple(roots)
        yield from self._parse_blobs(self._target.restored_version(self.metadata.height, self._roots))
        self._flush()
        yield 0

    def _parse_store(self, name: str) -> Generator[int, bytes, Root]:
        grower = Grower(self._put_node)
        while (head := (yield LEAF_HEAD_BYTES)) != STORE_END:
            level, key_bytes, value_bytes = split_leaf_head(head)
            if not 0 < key_bytes <= MAX_KEY_BYTES or not 0 < value_bytes <= MAX_VALUE_BYTES:
                raise SnapshotInvalid(f"store {name!r} has a key of {key_bytes} bytes with {value_bytes} of value")
            entry = yield key_bytes + value_bytes
            grower.add(Leaf(level, entry[:key_bytes], entry[key_bytes:]))
        return grower.finish()

    def _parse_blobs(self, version: Version) -> Generator[int, bytes, None]:
        for key, digest in version.store(BLOBS_STORE).iter(b""):
            size = int.from_bytes((yield BLOB_HEAD_BYTES), "big")
            if size > MAX_BLOB_BYTES:
                raise SnapshotInvalid(f"blob {key!r:.60} has {size} bytes")
            blob = (yield size) if size else b""
            if sha256(blob).digest() != digest:
                raise SnapshotInvalid(f"blob {key!r:.60} is not that of its hash")
            self._blobs.append((key, blob))
            self._count(len(blob))

    def _put_node(self, node: bytes) -> bytes:
        if self._node_count >> 8 * NUMBER_BYTES:
            raise SnapshotInvalid("more nodes than ids")
        number = self._node_count.to_bytes(NUMBER_BYTES, "big")
        self._node_count += 1
        node_id = self.metadata.height.to_bytes(HEIGHT_BYTES, "big") + number
        self._nodes.append((node_id, node))
        self._count(len(node))
        return node_id

    def _count(self, size: int) -> None:
        self._batch_bytes += size
        if self._batch_bytes >= BATCH_BYTES:
            self._flush()

    def _flush(self) -> None:
        self._target.put_restored(self._nodes, self._blobs)
        self._nodes, self._blobs, self._batch_bytes = [], [], 0
