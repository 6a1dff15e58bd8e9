"""A batch of changes to one tree, worked on by compiled code; the same results as the store's plain `Draft`.

Bytes and numbers go in and out. Nothing is kept between batches.
"""

from collections.abc import Callable, Sequence

import numpy as np

from kernels.tree import BatchTooLarge, cpu, encode
from kernels.tree.cpu import HASH_BYTES, ID_BYTES, INNER_BYTES, MAX_INNER, NONE, Arena
from kernels.tree.sha import hash_many

Change = tuple[bytes, bytes | None]
MAX_BYTES = 1 << 30  # of one batch: places in the bytes are int32
MAX_CHANGES = 200_000
MAX_SPARE_BYTES = 256 << 20  # larger arenas are not kept
MAX_PAGE_NODES = 2 * MAX_INNER + 1

_spares: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []  # memory of the last batch, for the next one


def _take_spare(changes: int, used: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Room for bytes, nodes and orphans: fresh memory costs more than all that is done in it."""
    try:
        data, nodes, orphans = _spares.pop()
    except IndexError:
        data = nodes = orphans = np.empty(0, np.uint8)
    if len(data) < used:
        data = np.empty(2 * used + (changes << 12), np.uint8)
    if len(nodes) < 1024 + 64 * changes:
        nodes = np.empty((1024 + 64 * changes, cpu.COLUMNS), np.int32)
        orphans = np.empty(len(nodes), np.int32)
    return data, nodes, orphans


class Batch:
    """A tree with one batch of changes applied."""

    def __init__(
        self,
        load: Callable[[bytes], bytes],
        root: tuple[bytes, bytes, int],
        first: bytes,
        changes: Sequence[Change],
    ) -> None:
        """load: the record of an id; root: id, hash, depth of the tree; first: its first key.

        `changes` are (key, new value or None for a deletion), at least one, in ascending order of the keys, all
        above `first`. Errors of `load` pass through. Raises BatchTooLarge.
        """
        self._load = load
        self._data = bytearray(first + root[0] + root[1])
        self._arena = self._new_arena(changes)
        arena, count = self._arena, self._arena.count
        cpu._new_node(arena, root[2], 0, len(first))
        arena.nodes[0, cpu.ID_AT] = len(first)
        arena.nodes[0, cpu.HASH_AT] = len(first) + ID_BYTES
        arena.nodes[0, cpu.BEGIN], arena.nodes[0, cpu.END] = 0, len(changes)
        starts = np.zeros(1, np.int32)
        while True:
            count[cpu.WANTS] = 0
            cpu.locate(self._arena, starts)
            if not count[cpu.WANTS]:
                break
            starts = self._arena.wants[: count[cpu.WANTS]].copy()
            self._read_wanted(starts)
        self._hash_leaves()
        self._top, self._order, self._fresh = self._apply(len(changes))
        self.orphans = self._list_orphans()
        self._reserve_bytes(sum(self._measure_room()))

    @property
    def is_empty(self) -> bool:
        """Whether no leaf remains."""
        return self._top == NONE

    def seal(self, height: int, number: int) -> tuple[tuple[bytes, bytes, int], list[bytes]]:
        """((id, hash, depth) of the new tree, its new records, children first); ids go on from `number`. Once only."""
        hashes, hash_bytes, id_bytes, out_bytes = self._measure_room()
        ids = hashes + hash_bytes
        out = ids + id_bytes
        arena, top = self._arena, self._top
        self._hash_inner(hashes)
        ends = np.empty(id_bytes // ID_BYTES, np.int64)
        encode.write(arena, self._order, arena.data[out:], ends, ids, height, number)
        encoded = arena.data[out : out + out_bytes].tobytes()
        begin = 0
        made = []
        for end in ends.tolist():
            made.append(encoded[begin:end])
            begin = end
        id_at, hash_at = int(arena.nodes[top, cpu.ID_AT]), int(arena.nodes[top, cpu.HASH_AT])
        root = (
            arena.data[id_at : id_at + ID_BYTES].tobytes(),
            arena.data[hash_at : hash_at + HASH_BYTES].tobytes(),
            int(arena.nodes[top, cpu.DEPTH]),
        )
        if arena.data.nbytes + arena.nodes.nbytes <= MAX_SPARE_BYTES and not _spares:
            _spares.append((arena.data, arena.nodes, arena.orphans))
        del self._arena
        return root, made

    def _measure_room(self) -> tuple[int, int, int, int]:
        """How many bytes are used, and will be for the hashes, ids and records to come."""
        count = self._arena.count
        id_bytes = int(count[cpu.RECORDS]) * ID_BYTES
        return int(count[cpu.BYTES]), len(self._fresh) * HASH_BYTES, id_bytes, int(count[cpu.OUT_BYTES])

    def _list_orphans(self) -> list[bytes]:
        data = self._arena.data
        places = self._arena.orphans[: self._arena.count[cpu.ORPHANS]].tolist()
        return [data[at : at + ID_BYTES].tobytes() for at in places]

    def _new_arena(self, changes: Sequence[Change]) -> Arena:
        total = len(changes)
        head = len(self._data)
        keys = [key for key, _ in changes]
        values = [value or b"" for _, value in changes]
        key_size = np.fromiter(map(len, keys), np.int64, total)
        value_size = np.fromiter(map(len, values), np.int64, total)
        key_at = head + np.cumsum(key_size) - key_size
        value_at = head + key_size.sum() + np.cumsum(value_size) - value_size
        if head + int(key_size.sum() + value_size.sum()) + total * HASH_BYTES > MAX_BYTES or total > MAX_CHANGES:
            raise BatchTooLarge
        joined = b"".join((bytes(self._data), *keys, *values))
        hashes = len(joined)
        used = hashes + total * HASH_BYTES
        data, nodes, orphans = _take_spare(total, used)
        data[:hashes] = np.frombuffer(joined, np.uint8)
        count = np.zeros(8, np.int64)
        count[cpu.BYTES] = used
        value_size[[value is None for _, value in changes]] = NONE
        return Arena(
            data=data,
            nodes=nodes,
            orphans=orphans,
            wants=np.empty(total + 64, np.int32),
            key_at=key_at,
            key_size=key_size,
            value_at=value_at,
            value_size=value_size,
            leaf_hash_at=hashes + HASH_BYTES * np.arange(total, dtype=np.int64),
            count=count,
        )

    def _hash_leaves(self) -> None:
        """The leaf hash of every change, into its place."""
        arena = self._arena
        live = np.flatnonzero(arena.value_size != NONE)
        room = np.arange(len(live), dtype=np.int64) * HASH_BYTES
        digests = np.empty(len(live) * HASH_BYTES, np.uint8)
        hash_many(arena.data, arena.value_at[live], arena.value_size[live], digests, room)
        messages = np.empty(int(arena.key_size[live].sum()) + len(live) * (HASH_BYTES + 4), np.uint8)
        at, size = np.empty(len(live), np.int64), np.empty(len(live), np.int64)
        encode.encode_leaves(arena, live, digests, messages, at, size)
        hash_many(messages, at, size, arena.data, arena.leaf_hash_at[live])

    def _hash_inner(self, out: int) -> None:
        """Hash the new inner nodes, level by level, into the data from `out` on."""
        order = np.empty(len(self._fresh), np.int32)
        begins = encode.sort_by_depth(self._arena, self._fresh, order).tolist()
        most = max(end - begin for begin, end in zip(begins, begins[1:]))
        messages = np.empty(most * INNER_BYTES, np.uint8)
        at = np.arange(most, dtype=np.int64) * INNER_BYTES
        size = np.full(most, INNER_BYTES, np.int64)
        for begin, end in zip(begins, begins[1:]):
            count = end - begin
            if count:
                encode.encode_inner(self._arena, order[begin:end], out, messages)
                out_at = out + HASH_BYTES * np.arange(count, dtype=np.int64)
                hash_many(messages, at[:count], size[:count], self._arena.data, out_at)
                out += count * HASH_BYTES

    def _apply(self, total: int) -> tuple[int, np.ndarray, np.ndarray]:
        """(the new top, the tops of what is written, the inner nodes to be hashed).

        Reads what rotations need besides the changed paths.
        """
        count = self._arena.count
        base = int(count[cpu.NODES])
        while True:
            self._reserve_nodes(base + 8 * total + 1024)
            order, fresh = (np.empty(len(self._arena.nodes), np.int32) for _ in range(2))
            count[cpu.NODES] = base
            count[[cpu.ORPHANS, cpu.WANTS, cpu.IS_FULL, cpu.RECORDS, cpu.OUT_BYTES, cpu.FRESH]] = 0
            top = int(cpu.update(self._arena, order))
            if not (count[cpu.IS_FULL] or count[cpu.WANTS] or top == NONE):
                cpu.measure(self._arena, top, order, fresh)
            if count[cpu.IS_FULL]:
                self._reserve_nodes(2 * len(self._arena.nodes))
            elif count[cpu.WANTS]:
                count[cpu.NODES] = base
                self._read_wanted(np.unique(self._arena.wants[: count[cpu.WANTS]]))
                base = int(count[cpu.NODES])
            else:
                return top, order[: count[cpu.RECORDS]].copy(), fresh[: count[cpu.FRESH]].copy()

    def _read_wanted(self, nodes: np.ndarray) -> None:
        """Load the pages of these nodes and open them."""
        data, count = self._arena.data, self._arena.count
        places = self._arena.nodes[nodes, cpu.ID_AT].tolist()
        pages = [self._load(data[at : at + ID_BYTES].tobytes()) for at in places]
        joined = b"".join(pages)
        begin = int(count[cpu.BYTES])
        self._reserve_bytes(begin + len(joined))
        self._arena.data[begin : begin + len(joined)] = np.frombuffer(joined, np.uint8)
        count[cpu.BYTES] = begin + len(joined)
        self._reserve_nodes(int(count[cpu.NODES]) + MAX_PAGE_NODES * len(pages) + 2)
        sizes = np.fromiter(map(len, pages), np.int64, len(pages))
        cpu.parse_pages(self._arena, nodes, begin + np.cumsum(sizes) - sizes)

    def _reserve_bytes(self, needed: int) -> None:
        data = self._arena.data
        if needed > MAX_BYTES:
            raise BatchTooLarge
        if needed > len(data):
            grown = np.empty(2 * needed, np.uint8)
            grown[: len(data)] = data
            self._arena = self._arena._replace(data=grown)

    def _reserve_nodes(self, needed: int) -> None:
        old = len(self._arena.nodes)
        if needed <= old:
            return
        nodes = np.empty((2 * needed, cpu.COLUMNS), np.int32)
        nodes[:old] = self._arena.nodes
        orphans = np.empty(2 * needed, np.int32)
        orphans[: len(self._arena.orphans)] = self._arena.orphans
        self._arena = self._arena._replace(nodes=nodes, orphans=orphans)
