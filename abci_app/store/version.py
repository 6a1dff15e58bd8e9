"""A committed version: every store as it was at one height, readable and provable, from any thread.

Versions are immutable: they hold roots, and nodes are loaded as they are needed. A version that is pruned while
somebody still reads it answers HeightUnavailable, or what it remembers, never wrong data.
"""

from hashlib import sha256
from itertools import islice
from typing import Iterator, Protocol

from abci_app.store.errors import BlobUnavailable, DatabaseDamaged, InvalidEntry, UnknownStore
from abci_app.store.kv import BLOBS_STORE, SENTINEL_KEY, Reader, compute_bounds
from abci_app.store.shape import Leaf, iter_leaves
from abci_app.store.tree import Change, Root, compute_app_hash, find_value, iter_range, prove_entry, prove_store
from abci_app.wire.proof import Proof

FIRST_KEY = SENTINEL_KEY + b"\x00"  # the smallest key that rooms can have
MAX_KNOWN = 1 << 12  # answers that one store of one version remembers
MAX_KNOWN_VALUE_BYTES = 1 << 10


class NodeMissing(Exception):
    """A node record is not there: its version was pruned, or the database is damaged. Caught by the database."""


class Source(Protocol):
    """Where a version finds its nodes."""

    @property
    def blobs_height(self) -> int:
        """The height that the blobs on the disk are of, or may already be of while it is committed."""

    def read_blob(self, key: bytes) -> bytes | None:
        """The value of a blob on the disk, None when there is none."""

    def load(self, node_id: bytes) -> bytes:
        """The node of this id; NodeMissing when there is no record."""

    def explain_missing(self, height: int) -> Exception:
        """The error to raise when a node of the version of `height` is missing."""


class StoreReader:
    """One store at one height. Implements Reader. Remembers small answers: parameters and busy accounts."""

    __slots__ = ("_source", "_root", "_height", "_known")

    def __init__(self, source: Source, root: Root, height: int) -> None:
        self._source = source
        self._root = root
        self._height = height
        self._known: dict[bytes, bytes | None] = {SENTINEL_KEY: None}

    def inherit(self, before: "StoreReader", changes: list[Change]) -> None:
        """Begin with the answers of the version before, where the writes since then have not changed them.

        Of an answer that another thread is just adding there, this one knows or not: it is right in both cases.
        """
        known = before._known.copy()
        if len(known) + len(changes) > MAX_KNOWN:
            return
        for key, value in changes:
            if len(key) + len(value or b"") <= MAX_KNOWN_VALUE_BYTES:
                known[key] = value
            else:
                known.pop(key, None)
        self._known = known

    def get(self, key: bytes) -> bytes | None:
        """See Reader.get."""
        known = self._known
        if key in known:
            return known[key]
        try:
            value = find_value(self._source.load, self._root, key)
        except NodeMissing as error:
            raise self._source.explain_missing(self._height) from error
        if len(known) >= MAX_KNOWN:
            self._known = known = {SENTINEL_KEY: None}
        if len(key) + len(value or b"") <= MAX_KNOWN_VALUE_BYTES:
            known[key] = value
        return value

    def has(self, key: bytes) -> bool:
        """See Reader.has."""
        return self.get(key) is not None

    def iter(
        self, prefix: bytes, start: bytes | None = None, reverse: bool = False, limit: int | None = None
    ) -> Iterator[tuple[bytes, bytes]]:
        """See Reader.iter."""
        low, high = compute_bounds(prefix, start, reverse)
        return islice(self._iter_range(max(low, FIRST_KEY), high, reverse), limit)

    def _iter_range(self, low: bytes, high: bytes | None, reverse: bool) -> Iterator[tuple[bytes, bytes]]:
        try:
            yield from iter_range(self._source.load, self._root, low, high, reverse)
        except NodeMissing as error:
            raise self._source.explain_missing(self._height) from error


class BlobReader:
    """The blobs at one height: exact, or BlobUnavailable, because only the latest values are kept. Implements Reader.

    The store of their hashes has a history, so it says which blobs there were, and whether a value is still the one.
    """

    __slots__ = ("_source", "_hashes", "_height")

    def __init__(self, source: Source, hashes: Reader, height: int) -> None:
        self._source = source
        self._hashes = hashes
        self._height = height

    def get(self, key: bytes) -> bytes | None:
        """See Reader.get. Reads of older heights cost a hash of the value."""
        value = self._source.read_blob(key)
        if self._source.blobs_height <= self._height:  # asked after the read: a commit raises it before it writes
            return value
        digest = self._hashes.get(key)
        return None if digest is None else self._check(key, value, digest)

    def has(self, key: bytes) -> bool:
        """See Reader.has."""
        return self._hashes.has(key)

    def iter(
        self, prefix: bytes, start: bytes | None = None, reverse: bool = False, limit: int | None = None
    ) -> Iterator[tuple[bytes, bytes]]:
        """See Reader.iter."""
        for key, digest in self._hashes.iter(prefix, start, reverse, limit):
            yield key, self._check(key, self._source.read_blob(key), digest)

    def _check(self, key: bytes, value: bytes | None, digest: bytes) -> bytes:
        """The value, if it is the one that this height had; raises BlobUnavailable, or DatabaseDamaged."""
        if value is not None and sha256(value).digest() == digest:
            return value
        latest = self._source.blobs_height
        if latest <= self._height:
            raise DatabaseDamaged(f"blob {key!r:.60} is not that of its hash", "restore from a snapshot or resync")
        raise BlobUnavailable(key, self._height, latest)


class Version:
    """The committed state at `height`; height 0 is the empty state before the first commit."""

    __slots__ = ("height", "app_hash", "store_names", "roots", "blobs", "_source", "_readers")

    def __init__(self, source: Source, store_names: tuple[str, ...], height: int, roots: tuple[Root, ...]) -> None:
        """`roots` are in the order of `store_names`, which is sorted."""
        self._source = source
        self.store_names = store_names
        self.height = height
        self.roots = roots
        self.app_hash = compute_app_hash(self.store_roots())
        self._readers = {n: StoreReader(source, root, height) for n, root in zip(store_names, roots, strict=True)}
        self.blobs: Reader = BlobReader(source, self._readers[BLOBS_STORE], height)

    def inherit(self, before: "Version", changes: dict[str, list[Change]]) -> None:
        """Remember what the version before did. changes: all writes since then, by store. To be called before any read.
        """
        for name, reader in self._readers.items():  # det: each store's answers are its own
            reader.inherit(before._readers[name], changes.get(name, []))

    def store_roots(self) -> list[tuple[str, bytes]]:
        """(store name, root hash) in name order: what the app hash is made of, for comparing two nodes."""
        return [(name, root.hash) for name, root in zip(self.store_names, self.roots, strict=True)]

    def store(self, name: str) -> Reader:
        """The store of this name at this height; raises UnknownStore."""
        if name not in self._readers:
            raise UnknownStore(f"there is no store {name!r}", f"known: {', '.join(self.store_names)}")
        return self._readers[name]

    def iter_leaves(self, store_name: str) -> Iterator[Leaf]:
        """Every leaf of a store's tree with its level, in key order: for snapshots. Raises HeightUnavailable."""
        try:
            yield from iter_leaves(self._source.load, self.roots[self.store_names.index(store_name)])
        except NodeMissing as error:
            raise self._source.explain_missing(self.height) from error

    def prove(self, store_name: str, key: bytes) -> Proof:
        """The proof of the value at `key`, or of its absence, under the app hash.

        Raises UnknownStore, HeightUnavailable, and InvalidEntry for the empty and the reserved key.
        """
        if not key or key == SENTINEL_KEY:
            raise InvalidEntry("the empty key and the reserved key have no proof")
        if store_name not in self._readers:
            raise UnknownStore(f"there is no store {store_name!r}", f"known: {', '.join(self.store_names)}")
        root = self.roots[self.store_names.index(store_name)]
        try:
            entry = prove_entry(self._source.load, root, key)
        except NodeMissing as error:
            raise self._source.explain_missing(self.height) from error
        return Proof(self.height, self.app_hash, store_name, entry, prove_store(self.store_roots(), store_name))
