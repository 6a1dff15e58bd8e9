"""How many machine instructions the hot kernels of the gpu back end may take, and launches that show their variants.

Reads/Writes: nothing. kernels.cubins counts the instructions of what it compiled and compares.

An H200 issues about 16.7e12 integer instructions a second (132 multiprocessors, 64 lanes of integers, 1.98 GHz) and
moves about 4.3e12 bytes: 3.9 instructions a byte is where a kernel that streams stops waiting for memory alone. Both
are figures of its maker and of others' measurements. The counts are of the text of a kernel, from the shortest way
through it to all of it, every branch taken; budgets are for all of it. None of it is a run.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

INSTRUCTIONS_PER_BYTE = 3.9
REGISTERS_MAX = 168
WARP_LANES = 32
WARPS = 4  # where a launch names no number
VALUES = 2**18
BLOCKS = 1000  # that one program of a Gram matrix takes, one after the other


class Budget(NamedTuple):
    """Of one lane: `units` of work, `trips` through its longest loop, and the most instructions for each unit.

    moved: bytes that one unit reads and writes in memory.
    """

    unit: str
    units: float
    trips: int
    moved: float
    most: float


Constants = dict[str, Any]


def _count_lanes(constants: Constants) -> int:
    return WARP_LANES * int(constants.get("num_warps", WARPS))


def _ingest(constants: Constants) -> Budget:
    units, most = constants["rows"] * 256 / _count_lanes(constants), 24 if constants["is_whole"] else 40
    return Budget("coordinate", units, 1, 1 + constants["bits"] / 8, most)


def _ranks(most: float) -> Callable[[Constants], Budget]:
    def compute(constants: Constants) -> Budget:
        units = 32 * constants["block"] / _count_lanes(constants)
        return Budget("coordinate", units, 8, constants["padded"] + 2, most * constants["padded"] + 12)
    return compute


def _blocks(most: float) -> Callable[[Constants], Budget]:
    def compute(constants: Constants) -> Budget:
        return Budget("value", BLOCKS * constants["padded"] * 256 / _count_lanes(constants), BLOCKS, 1, most)
    return compute


def _flat(moved: float, most: float) -> Callable[[Constants], Budget]:
    return lambda constants: Budget("coordinate", constants["block"] / _count_lanes(constants), 1, moved, most)


def _sparse(moved: float, most: float) -> Callable[[Constants], Budget]:
    return lambda constants: Budget("coordinate", constants["rows"] * 4096 / _count_lanes(constants), 1, moved, most)


BUDGETS: dict[str, Callable[[Constants], Budget]] = {
    "chunks.gpu.hash_pieces": lambda constants: Budget(
        "byte", 1024 * constants["lanes"] / _count_lanes(constants), 16, 1, 14 if constants["is_aligned"] else 20
    ),
    "payload.gpu_dense.ingest": _ingest,
    "payload.gpu_sparse.ingest": _sparse(1.03, 5),
    "payload.gpu_sparse.add_entries": lambda constants: Budget(
        "entry", 8 * constants["rows"] * 64 / _count_lanes(constants), 8, 9.8, 120
    ),
    "payload.gpu_encode.encode_blocks": lambda constants: Budget(
        "coordinate", constants["rows"] * 256 / _count_lanes(constants), 1, 8 + 1, 120
    ),
    "payload.gpu_encode.decode_values": _flat(9, 30),
    "outer.gpu.step_all": _flat(32, 60),
    "aggregate.gpu_ranks.select_one": _ranks(2.6),
    "aggregate.gpu_ranks.select_two": _ranks(4.5),
    "aggregate.gpu_ranks.sum_between": _ranks(7),
    "aggregate.gpu_planes.make_planes": lambda constants: Budget(
        "coordinate", 32 * constants["block"] / _count_lanes(constants), 1, 2, 12
    ),
    "aggregate.gpu_gram.multiply_rows": _blocks(3),
    "aggregate.gpu_gram.square_rows": _blocks(5),
    "aggregate.gpu_sums.sum_rows": lambda constants: Budget(
        "value", 32 * 256 * constants["block"] / _count_lanes(constants), 4, 1, 5
    ),
    "aggregate.gpu_sums.sum_sizes": lambda constants: Budget(
        "value", 256 * constants["block"] / _count_lanes(constants), 1, 1, 5
    ),
}


def compute_cost(budget: Budget, instructions: int, loop: int) -> float:
    """Instructions for each unit of work, of a kernel with so many in all, `loop` of them in its longest loop."""
    return (instructions + (budget.trips - 1) * loop) / budget.units


def compute_ratio(budget: Budget, cost: float) -> float:
    """The time of issuing over that of moving the bytes, on an H200, by arithmetic."""
    return cost / (INSTRUCTIONS_PER_BYTE * budget.moved)


def launch_payloads() -> None:
    """Ingest of every codec, sums of sparse payloads, and the outer step."""
    from kernels import dispatch
    from kernels.payload.types import FORMATS, compute_bytes

    ops = dispatch.implementation("payload")
    grid, values = np.zeros(VALUES // 256, np.uint8), np.zeros((VALUES // 256, 8, 256), np.int8)
    for codec, form in FORMATS.items():
        data = np.zeros(compute_bytes(VALUES, form), np.uint8)
        ops.fill_row(data, VALUES, codec, grid, values, 0)
        if form.is_sparse:
            ops.accumulate([data] * 8, VALUES, grid, [1] * 8)
    wide = np.zeros(VALUES, np.int64)
    dispatch.implementation("outer").step(np.zeros(VALUES, np.int32), wide, wide, 65536, 32768)


def launch_hash() -> None:
    """Leaves of 64 KiB."""
    from kernels.chunks import gpu

    gpu.hash_leaves(np.zeros(2**21, np.uint8), 2**21, 2**16)


def launch_ranks(workers: int, low: int, high: int) -> None:
    """Sums of ranks of a stack, and its bit planes."""
    from kernels import dispatch
    from kernels.aggregate.types import Stack

    stack = Stack(np.zeros((2**10, workers, 256), np.int8), np.zeros(2**10, np.uint8), 2**18)
    dispatch.implementation("aggregate").sum_ranks(stack, low, high)


def launch_sums(workers: int) -> None:
    """The Gram matrix of a stack, its norms, and sums of its rows."""
    from kernels import dispatch
    from kernels.aggregate.types import Stack

    ops = dispatch.implementation("aggregate")
    stack = Stack(np.zeros((2**10, workers, 256), np.int8), np.zeros(2**10, np.uint8), 2**18)
    ops.gram(stack)
    ops.squares(stack)
    ops.sum_chosen(stack, list(range(workers)))
    ops.sum_magnitudes(stack)
