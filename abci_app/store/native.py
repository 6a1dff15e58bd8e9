"""Chooses who applies a batch to a tree: the plain `Draft`, or faster code with the same results.

New values for a few keys that are there are a case for `Patch`.
Compiled code serves large batches once it is loaded; the plain one serves small batches, and all where the other is
not to be had or still being compiled. Nothing waits for it.
"""

from typing import TYPE_CHECKING, Sequence

from abci_app.store.errors import DatabaseDamaged
from abci_app.store.kv import SENTINEL_KEY
from abci_app.store.node import HEIGHT_BYTES, NUMBER_BYTES
from abci_app.store.patch import Patch, ShapeChanges
from abci_app.store.tree import Change, Draft, Load, Root
from kernels.tree import BatchTooLarge, WrongRecord, get_ready

if TYPE_CHECKING:
    from kernels.tree.batch import Batch

MIN_CHANGES = 32  # from here on compiled code is as fast as a patch per change
MIN_SHAPE_CHANGES = 5  # and from here on faster than `Draft`, where a patch does not do


class NativeDraft:
    """What `Draft` is, computed by `kernels.tree`."""

    __slots__ = ("_batch",)

    def __init__(self, new_batch: "type[Batch]", load: Load, root: Root, changes: Sequence[Change]) -> None:
        try:
            self._batch = new_batch(load, (root.id, root.hash, root.depth), SENTINEL_KEY, changes)
        except WrongRecord as error:
            raise DatabaseDamaged("a node has the record of another", "restore from a snapshot or resync") from error

    @property
    def orphans(self) -> list[bytes]:
        """See Draft."""
        return self._batch.orphans

    def seal(self, height: int, nodes: list[tuple[bytes, bytes]]) -> Root:
        """See Draft."""
        begin = len(nodes)
        root, records = self._batch.seal(height, begin)
        made_at = height.to_bytes(HEIGHT_BYTES, "big")
        numbers = range(begin, begin + len(records))
        nodes += [
            (made_at + number.to_bytes(NUMBER_BYTES, "big"), record)
            for number, record in zip(numbers, records, strict=True)
        ]
        return Root(*root)


def new_draft(load: Load, root: Root, changes: Sequence[Change]) -> Draft | NativeDraft | Patch:
    """The tree of `root` with the changes applied; arguments and errors are those of `Draft`."""
    new_batch = get_ready()
    is_large = len(changes) >= MIN_CHANGES
    if new_batch is None or not is_large:
        try:
            return Patch(load, root, changes)
        except ShapeChanges:
            is_large = len(changes) >= MIN_SHAPE_CHANGES
    if new_batch is not None and is_large:
        try:
            return NativeDraft(new_batch, load, root, changes)
        except BatchTooLarge:
            return Draft(load, root, changes)
    return Draft(load, root, changes)
