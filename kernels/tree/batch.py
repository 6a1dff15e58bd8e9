"""A batch of changes to one tree, worked on by compiled code; the same results as the store's plain `Draft`.

Bytes and numbers go in and out. Nothing is kept between batches.
"""

from collections.abc import Callable, Sequence

import numpy as np

from kernels.tree import BatchTooLarge, WrongRecord, cpu, encode
from kernels.tree.cpu import HASH_BYTES, ID_BYTES, INNER_BYTES, MAX_INNER, NONE, Arena
from kernels.tree.sha import hash_many

Change = tuple[bytes, bytes | None]
MAX_BYTES = 1 << 30  # of one batch: places in the bytes are int32
MAX_CHANGES = 200_000
MAX_SPARE_BYTES = 256 << 20  # larger arenas are not kept
MAX_PAGE_NODES = 2 * MAX_INNER + 1

_spares: list[tuple[np.ndarray, np.ndarray]] = []  # memory of the last batch, for the next one


def _take_spare(changes: int, used: int) -> tuple[np.ndarray, np.ndarray]:
    """Room for bytes and nodes: fresh memory costs more than all that is done in it."""
    try:
        data, nodes = _spares.pop()
    except IndexError:
        data, nodes = np.empty(0, np.uint8), np.empty((0, cpu.COLUMNS), np.int32)
    if len(data) < used:
        data = np.empty(2 * used + (changes << 12), np.uint8)
    if len(nodes) < 1024 + 64 * changes:
        nodes = np.empty((1024 + 64 * changes, cpu.COLUMNS), np.int32)
    return data, nodes


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
        above `first`. Errors of `load` pass through; its records are well-formed.
        Raises BatchTooLarge, WrongRecord.
        """
        self._load = load
        self._data = bytearray(first + root[0] + root[1])
        self._arena = self._new_arena(changes)
        arena, room = self._arena, self._arena.room
        arena.nodes[0] = NONE
        arena.nodes[0, cpu.DEPTH] = root[2]
        arena.nodes[0, cpu.FIRST_AT], arena.nodes[0, cpu.FIRST_SIZE] = 0, len(first)
        arena.nodes[0, cpu.ID_AT] = len(first)
        arena.nodes[0, cpu.HASH_AT] = len(first) + ID_BYTES
        room[cpu.NODES] = 1
        arena.nodes[0, cpu.BEGIN], arena.nodes[0, cpu.END] = 0, len(changes)
        starts = np.zeros(1, np.int64)
        while True:
            room[cpu.WANTS] = 0
            cpu.locate(self._arena, starts)
            if not room[cpu.WANTS]:
                break
            starts = self._list_column(cpu.WANT, cpu.WANTS)
            self._read_wanted(starts)
        self._hash_leaves()
        self._top = self._apply(len(changes))
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
        encode.write(arena, arena.data[out:], ends, ids, height, number)
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
            _spares.append((arena.data, arena.nodes))
        del self._arena
        return root, made

    def _measure_room(self) -> tuple[int, int, int, int]:
        """How many bytes are used, and will be for the hashes, ids and records to come."""
        room = self._arena.room
        id_bytes, hash_bytes = int(room[cpu.RECORDS]) * ID_BYTES, int(room[cpu.FRESH]) * HASH_BYTES
        return int(room[cpu.BYTES]), hash_bytes, id_bytes, int(room[cpu.OUT_BYTES])

    def _list_column(self, column: int, count: int) -> np.ndarray:
        """The list of numbers that stands in a column of the nodes."""
        return np.array(self._arena.nodes[: self._arena.room[count], column], np.int64)

    def _list_orphans(self) -> list[bytes]:
        data = self._arena.data
        places = self._list_column(cpu.ORPHAN, cpu.ORPHANS).tolist()
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
        data, nodes = _take_spare(total, used)
        data[:hashes] = np.frombuffer(joined, np.uint8)
        table = np.empty((total, 5), np.int32)
        table[:, cpu.KEY_AT], table[:, cpu.KEY_SIZE] = key_at, key_size
        table[:, cpu.VALUE_AT], table[:, cpu.VALUE_SIZE] = value_at, value_size
        table[[value is None for _, value in changes], cpu.VALUE_SIZE] = NONE
        table[:, cpu.LEAF_HASH_AT] = hashes + HASH_BYTES * np.arange(total, dtype=np.int64)
        room = np.empty(cpu.ROW + 7 * (total + 1), np.int64)
        room[: cpu.STACK] = 0
        room[cpu.BYTES] = used
        return Arena(data=data, nodes=nodes, changes=table, room=room)

    def _hash_leaves(self) -> None:
        """The leaf hash of every change, into its place."""
        arena = self._arena
        changes = arena.changes.astype(np.int64)
        live = np.flatnonzero(changes[:, cpu.VALUE_SIZE] != NONE)
        changes = changes[live]
        columns = [np.ascontiguousarray(changes[:, column]) for column in range(5)]
        places = np.arange(len(live), dtype=np.int64) * HASH_BYTES
        digests = np.empty(len(live) * HASH_BYTES, np.uint8)
        hash_many(arena.data, columns[cpu.VALUE_AT], columns[cpu.VALUE_SIZE], digests, places)
        messages = np.empty(int(columns[cpu.KEY_SIZE].sum()) + len(live) * (HASH_BYTES + 4), np.uint8)
        at, size = np.empty(len(live), np.int64), np.empty(len(live), np.int64)
        encode.encode_leaves(arena, live, digests, messages, at, size)
        hash_many(messages, at, size, arena.data, columns[cpu.LEAF_HASH_AT])

    def _hash_inner(self, out: int) -> None:
        """Hash the new inner nodes, level by level, into the data from `out` on."""
        fresh = self._list_column(cpu.FRESH_NODE, cpu.FRESH)
        depths = self._arena.nodes[fresh, cpu.DEPTH]
        order = fresh[np.argsort(depths, kind="stable")]
        begins = [0, *np.cumsum(np.bincount(depths, minlength=1)).tolist()]
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

    def _apply(self, total: int) -> int:
        """The new top. Reads what rotations need besides the changed paths."""
        room = self._arena.room
        base = int(room[cpu.NODES])
        while True:
            self._reserve_nodes(base + 8 * total + 1024)
            room[cpu.NODES] = base
            room[[cpu.ORPHANS, cpu.WANTS, cpu.IS_FULL, cpu.RECORDS, cpu.OUT_BYTES, cpu.FRESH]] = 0
            top = int(cpu.update(self._arena))
            if not (room[cpu.IS_FULL] or room[cpu.WANTS] or top == NONE):
                cpu.measure(self._arena, top)
            if room[cpu.IS_FULL]:
                self._reserve_nodes(2 * len(self._arena.nodes))
            elif room[cpu.WANTS]:
                room[cpu.NODES] = base
                self._read_wanted(np.unique(self._list_column(cpu.WANT, cpu.WANTS)))
                base = int(room[cpu.NODES])
            else:
                return top

    def _read_wanted(self, nodes: np.ndarray) -> None:
        """Load the pages of these nodes and open them."""
        data, room = self._arena.data, self._arena.room
        places = self._arena.nodes[nodes, cpu.ID_AT].tolist()
        pages = [self._load(data[at : at + ID_BYTES].tobytes()) for at in places]
        joined = b"".join(pages)
        begin = int(room[cpu.BYTES])
        self._reserve_bytes(begin + len(joined))
        self._arena.data[begin : begin + len(joined)] = np.frombuffer(joined, np.uint8)
        room[cpu.BYTES] = begin + len(joined)
        self._reserve_nodes(int(room[cpu.NODES]) + MAX_PAGE_NODES * len(pages) + 2)
        sizes = np.fromiter(map(len, pages), np.int64, len(pages))
        cpu.parse_pages(self._arena, nodes, begin + np.cumsum(sizes) - sizes)
        if room[cpu.IS_BAD]:
            raise WrongRecord

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
        self._arena = self._arena._replace(nodes=nodes)
