"""Layers of writes above a committed version: transaction -> block -> committed.

A branch reads through its parents and keeps its own writes to itself. `write` hands them to the parent; dropping
the branch drops them. What is finally staged are the net writes in key order, so the root does not depend on how
the writes were spread over branches. One thread at a time may use a branch and its parents.
Source: the block and transaction layers of ethereum/execution-specs and of cosmos-sdk's cachekv.
"""

from bisect import bisect_left, insort
from itertools import islice
from typing import Callable, Iterator, Protocol

from abci_app.store.errors import StoreError, UnknownStore
from abci_app.store.kv import BLOBS_STORE, KV, Reader, check_blob, check_entry, compute_bounds
from abci_app.store.tree import Change


class Base(Protocol):
    """What a branch stands on: a committed version."""

    @property
    def store_names(self) -> tuple[str, ...]:
        """The names of the stores, sorted."""

    @property
    def blobs(self) -> Reader:
        """The key-value space of large values."""

    def store(self, name: str) -> Reader:
        """The store of this name."""


class Overlay:
    """One key-value space with writes above its parent. Implements KV."""

    __slots__ = ("_parent", "_check", "_writes", "_order")

    def __init__(self, parent: "Reader | Overlay", check: Callable[[bytes, bytes | None], None]) -> None:
        self._parent = parent
        self._check = check
        self._writes: dict[bytes, bytes | None] = {}  # None: deleted
        self._order: list[bytes] | None = None  # the keys of _writes in order, kept from the first iteration on

    def get(self, key: bytes) -> bytes | None:
        """See Reader.get."""
        if key in self._writes:
            return self._writes[key]
        return self._parent.get(key)

    def has(self, key: bytes) -> bool:
        """See Reader.has."""
        return self.get(key) is not None

    def set(self, key: bytes, value: bytes) -> None:
        """See KV.set."""
        self._check(key, value)
        self._put(key, value)

    def delete(self, key: bytes) -> None:
        """See KV.delete."""
        self._check(key, None)
        self._put(key, None)

    def iter(
        self, prefix: bytes, start: bytes | None = None, reverse: bool = False, limit: int | None = None
    ) -> Iterator[tuple[bytes, bytes]]:
        """See Reader.iter. Costs a copy of the written keys in range, in all layers, besides what is read."""
        low, high = compute_bounds(prefix, start, reverse)
        layers: list[Overlay] = []
        below: Reader | Overlay = self
        while isinstance(below, Overlay):
            layers.append(below)
            below = below._parent
        written: dict[bytes, bytes | None] = {}
        for layer in reversed(layers):
            layer._copy_range(low, high, written)
        merged = _merge(below.iter(prefix, start, reverse), sorted(written.items(), reverse=reverse), reverse)
        return islice(merged, limit)

    def changes(self) -> list[Change]:
        """This layer's own writes, in key order."""
        return sorted(self._writes.items())

    def write(self) -> None:
        """Move the writes into the parent, which must be an Overlay."""
        if not isinstance(self._parent, Overlay):
            raise StoreError("a branch of a committed version has no parent to write into", "stage it instead")
        for key, value in self._writes.items():  # det: last write per key wins, so the order has no effect
            self._parent._put(key, value)
        self._writes = {}
        self._order = None

    def _put(self, key: bytes, value: bytes | None) -> None:
        if self._order is not None and key not in self._writes:
            insort(self._order, key)
        self._writes[key] = value

    def _copy_range(self, low: bytes, high: bytes | None, into: dict[bytes, bytes | None]) -> None:
        if self._order is None:
            self._order = sorted(self._writes)
        begin = bisect_left(self._order, low)
        end = len(self._order) if high is None else bisect_left(self._order, high)
        for key in self._order[begin:end]:
            into[key] = self._writes[key]


def _merge(
    base: Iterator[tuple[bytes, bytes]], written: list[Change], reverse: bool
) -> Iterator[tuple[bytes, bytes]]:
    """The base's pairs with the written ones in their places; both in the same direction."""
    pair = next(base, None)
    for key, value in written:
        while pair is not None and (pair[0] > key if reverse else pair[0] < key):
            yield pair
            pair = next(base, None)
        if pair is not None and pair[0] == key:
            pair = next(base, None)
        if value is not None:
            yield key, value
    while pair is not None:
        yield pair
        pair = next(base, None)


class Branch:
    """Writes over all stores and the blobs, above a version or another branch."""

    __slots__ = ("_parent", "_stores", "_blobs")

    def __init__(self, parent: "Base | Branch") -> None:
        self._parent = parent
        self._stores: dict[str, Overlay] = {}
        self._blobs: Overlay | None = None

    @property
    def store_names(self) -> tuple[str, ...]:
        """The names of the stores, sorted."""
        return self._parent.store_names

    def store(self, name: str) -> KV:
        """The store of this name, with this branch's writes; raises UnknownStore, also for the blobs' hashes."""
        return self._stores.get(name) or self._store(name)

    def _store(self, name: str) -> Overlay:
        overlay = self._stores.get(name)
        if overlay is None:
            if name not in self.store_names:
                raise UnknownStore(f"there is no store {name!r}", f"known: {', '.join(self.store_names)}")
            if name == BLOBS_STORE:
                raise UnknownStore(f"the store {name!r} is kept by the database", "write blobs; it follows them")
            parent = self._parent
            above = parent._store(name) if isinstance(parent, Branch) else parent.store(name)
            overlay = self._stores[name] = Overlay(above, check_entry)
        return overlay

    @property
    def blobs(self) -> KV:
        """The key-value space of large values: committed with the state, under the root by their hashes.

        Values may be empty.
        """
        return self._blob_space()

    def _blob_space(self) -> Overlay:
        if self._blobs is None:
            parent = self._parent
            above = parent._blob_space() if isinstance(parent, Branch) else parent.blobs
            self._blobs = Overlay(above, check_blob)
        return self._blobs

    def branch(self) -> "Branch":
        """A child whose writes stay its own until its `write`."""
        return Branch(self)

    def write(self) -> None:
        """Merge the writes into the parent branch and be empty again; StoreError if the parent is a version."""
        if not isinstance(self._parent, Branch):
            raise StoreError("a branch of a committed version has no parent to write into", "stage it instead")
        for name in sorted(self._stores):
            self._stores[name].write()
        if self._blobs is not None:
            self._blobs.write()

    def changes(self) -> list[tuple[str, bytes, bytes | None]]:
        """This branch's own writes to the stores: (store, key, value or None for deleted), sorted."""
        return [(name, *change) for name in sorted(self._stores) for change in self._stores[name].changes()]

    def blob_changes(self) -> list[Change]:
        """This branch's own writes to the blobs, in key order."""
        return self._blobs.changes() if self._blobs is not None else []

    def flatten(self) -> tuple[Base, dict[str, list[Change]], list[Change]]:
        """The version below, and the net writes of this branch and its parents: per store, and to the blobs.

        Every list is in key order; stores without writes are absent.
        """
        layers: list[Branch] = []
        below: Base | Branch = self
        while isinstance(below, Branch):
            layers.append(below)
            below = below._parent
        stores: dict[str, dict[bytes, bytes | None]] = {}
        blobs: dict[bytes, bytes | None] = {}
        for layer in reversed(layers):
            for name in sorted(layer._stores):
                stores.setdefault(name, {}).update(layer._stores[name]._writes)
            if layer._blobs is not None:
                blobs.update(layer._blobs._writes)
        return below, {name: sorted(stores[name].items()) for name in sorted(stores)}, sorted(blobs.items())
