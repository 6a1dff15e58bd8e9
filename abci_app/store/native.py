"""Chooses who applies a batch to a tree: the plain `Draft`, or compiled code with the same results.

Compiled code serves large batches, the plain one small batches and machines where the other is not to be had.
"""

from typing import TYPE_CHECKING, Sequence

from abci_app.store.kv import SENTINEL_KEY
from abci_app.store.node import HEIGHT_BYTES, NUMBER_BYTES
from abci_app.store.tree import Change, Draft, Load, Root
from kernels.tree import BatchTooLarge, find_batch

if TYPE_CHECKING:
    from kernels.tree.batch import Batch

MIN_CHANGES = 100  # below, the plain code costs little and nothing has to be compiled


class NativeDraft:
    """What `Draft` is, computed by `kernels.tree`."""

    __slots__ = ("_batch",)

    def __init__(self, new_batch: "type[Batch]", load: Load, root: Root, changes: Sequence[Change]) -> None:
        self._batch = new_batch(load, (root.id, root.hash, root.depth), SENTINEL_KEY, changes)

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


def new_draft(load: Load, root: Root, changes: Sequence[Change]) -> Draft | NativeDraft:
    """The tree of `root` with the changes applied; arguments and errors are those of `Draft`."""
    if len(changes) >= MIN_CHANGES:
        new_batch = find_batch()
        if new_batch is not None:
            try:
                return NativeDraft(new_batch, load, root, changes)
            except BatchTooLarge:
                return Draft(load, root, changes)
    return Draft(load, root, changes)
