"""Sums of squares of the rows of blocks, for one thread and one exponent.

Source: README.md beside this file.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from kernels.aggregate.gram_loops import LANES
from kernels.aggregate.gram_tiles import ROW_BYTES, add_squares
from kernels.jit import Scalar, entry, types

BLOCKS_MAX = 4096  # whose sums of a lane fit int32: 4096 * 16 * 128**2 = 2**30


@entry(
    types.void, types.Array(types.int64, 1, "C", readonly=True), types.Array(types.int32, 2, "C"),
    types.Array(types.int64, 1, "C"),
)
def run(places: NDArray[np.int64], lines: NDArray[np.int32], totals: NDArray[np.int64]) -> None:
    """totals[i] += the sum over blocks, which are given by their addresses, of the squares of row i.

    lines: [rows, LANES], zero, and zero afterwards.
    """
    for first in range(0, places.size, BLOCKS_MAX):
        for index in range(first, min(first + BLOCKS_MAX, places.size)):
            for row in range(totals.size):
                add_squares(places[index] + ROW_BYTES * row, lines.ctypes.data + 4 * LANES * row)
        for row in range(totals.size):
            total: Scalar = np.int64(0)
            for lane in range(LANES):
                total += np.int64(lines[row, lane])
                lines[row, lane] = 0
            totals[row] += total


def sum_squares(places: NDArray[np.int64], totals: NDArray[np.int64]) -> None:
    """As run, with its working memory."""
    run(places, np.zeros((totals.size, LANES), np.int32), totals)
