"""Sums of squares of the rows of a stack on the CPU.  Same function as ref.py.

Every exponent has int32 lanes of its own, so blocks are taken as they lie. Source: README.md of the folder above.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from kernels import threads
from kernels.aggregate.gram.exponents import join_exponents, number_exponents
from kernels.aggregate.gram.tiles import ROW_BYTES, add_squares
from kernels.jit import Scalar, entry, types

if TYPE_CHECKING:
    from kernels.aggregate.types import Stack

LANES = 16
BLOCKS_MAX = 4096  # whose sums of a lane fit int32: 4096 * 16 * 128**2 = 2**30


@entry(
    types.void, types.Array(types.int8, 3, "C", readonly=True), types.Array(types.uint8, 1, "C", readonly=True),
    types.Array(types.int32, 3, "C"), types.Array(types.int64, 2, "C"),
)
def run(
    values: NDArray[np.int8], numbers: NDArray[np.uint8], lines: NDArray[np.int32], totals: NDArray[np.int64]
) -> None:
    """totals[numbers[b], i] += the sum of the squares of row i of block b.

    lines: [len(totals), rows, LANES], zero, and zero afterwards.
    """
    blocks, rows, _ = values.shape
    for first in range(0, blocks, BLOCKS_MAX):
        for block in range(first, min(first + BLOCKS_MAX, blocks)):
            place: Scalar = np.int64(values.ctypes.data) + block * rows * ROW_BYTES
            line: Scalar = np.int64(lines.ctypes.data) + np.int64(numbers[block]) * rows * 4 * LANES
            for row in range(rows):
                add_squares(place + ROW_BYTES * row, line + 4 * LANES * row)
        for number in range(totals.shape[0]):
            for row in range(rows):
                total: Scalar = np.int64(0)
                for lane in range(LANES):
                    total += np.int64(lines[number, row, lane])
                    lines[number, row, lane] = 0
                totals[number, row] += total


def squares(stack: Stack) -> list[int]:
    """The exact squared length of every row: the sum over blocks of 4**exponent times the sum of squares."""
    values = stack.values
    blocks, rows, _ = values.shape
    numbers, kinds, counts = number_exponents(stack.exponents)
    parts: list[NDArray[np.int64]] = []

    def work(begin: int, end: int) -> None:
        totals = np.zeros((len(kinds), rows), np.int64)
        run(values[begin:end], numbers[begin:end], np.zeros((len(kinds), rows, LANES), np.int32), totals)
        parts.append(totals)

    threads.run_spans(blocks, 1, values.nbytes, work)
    limbs = join_exponents(kinds, counts, sum(parts[1:], start=parts[0]))
    return [sum(row) for row in zip(*([value << shift for value in totals.tolist()] for shift, totals in limbs))]
