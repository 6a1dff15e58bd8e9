"""RowTree: the Merkle tree over a dataset's rows, held as packed hashes, about 64 bytes a row."""

from collections.abc import Iterable, Sequence
from typing import overload

from abci_app.data.table import Progress
from abci_app.wire.merkle import HASH_BYTES, MerkleTree, inner_hash, leaf_hash


class PackedHashes(Sequence[bytes]):
    """One level of a tree: a sequence of hashes in one bytes object."""

    __slots__ = ("_packed",)

    def __init__(self, packed: bytes) -> None:
        self._packed = packed

    def __len__(self) -> int:
        return len(self._packed) // HASH_BYTES

    @overload
    def __getitem__(self, index: int) -> bytes: ...

    @overload
    def __getitem__(self, index: slice) -> list[bytes]: ...

    def __getitem__(self, index: int | slice) -> bytes | list[bytes]:
        if isinstance(index, slice):
            return [self[at] for at in range(*index.indices(len(self)))]
        at = range(len(self))[index] * HASH_BYTES
        return self._packed[at:at + HASH_BYTES]


class RowTree(MerkleTree):
    """The tree of wire/merkle.py over rows of equal size that come in chunks of whole rows."""

    def __init__(self, chunks: Iterable[bytes], row_bytes: int, row_count: int, progress: Progress) -> None:
        packed, done = bytearray(), 0
        for chunk in chunks:
            for at in range(0, len(chunk), row_bytes):
                packed += leaf_hash(chunk[at:at + row_bytes])
            done += len(chunk) // row_bytes
            progress("hashing rows", done, row_count)
        if done != row_count or row_count < 1:
            raise ValueError(f"{done} rows instead of {row_count}")
        self.levels = [PackedHashes(bytes(packed))]
        while len(self.levels[-1]) > 1:
            self.levels.append(_raise_level(self.levels[-1]))

    def is_leaf(self, index: int, row: bytes) -> bool:
        """Whether `row` is the row at `index`."""
        return self.levels[0][index] == leaf_hash(row)


def _raise_level(level: Sequence[bytes]) -> PackedHashes:
    packed = bytearray()
    for at in range(0, len(level) - 1, 2):
        packed += inner_hash(level[at], level[at + 1])
    if len(level) % 2:
        packed += level[-1]
    return PackedHashes(bytes(packed))
