"""Sums of products of the rows of blocks, for one thread and one exponent.

Reads/Writes: blocks at the addresses that it is given, and the caller's arrays. Tiles hold int32 sums of at most
BLOCKS_MAX blocks, then they are added to int64 totals. Only the upper triangle is computed. Where the rows are no
multiple of a tile's, the last tiles overlap those before them, and what comes twice is dropped; below four rows they
reach beyond the block, and what is not the block's is dropped.
Source: README.md of the folder above.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from kernels.aggregate.gram.tiles import (
    BLOCKS_MAX, COLUMNS, ROW_BYTES, add_row, add_tile, count_rows, fetch_row, find_bias,
)
from kernels.jit import Scalar, pasted, types

GROUP_BYTES, GROUP_MAX = 2**16, 16  # of blocks in one pass over the tiles: they stay in a second-level cache
LANES = 16
PLACES_MIN = 4  # rows that must be readable where a block begins
_PLACES = types.Array(types.int64, 1, "C", readonly=True)
_LINES = types.Array(types.int32, 2, "C")
RUN_SIGNATURE = (types.void, _PLACES, types.Array(types.int32, 1, "C"), _LINES, types.Array(types.int64, 2, "C"))


def count_sums(rows: int) -> int:
    """Sums of all tiles, of any size, at most."""
    return ((rows + COLUMNS - 1) // COLUMNS * COLUMNS) ** 2


@pasted
def add_group(marker: Scalar, places: Scalar, count: Scalar, rows: Scalar, sums: Scalar) -> None:
    """The tiles of the upper triangle, which follow each other at the address `sums`, of `count` blocks."""
    height, tile = count_rows(marker), sums
    for top in range(0, rows, height):
        upper = max(0, min(top, rows - height))
        for left in range(top // COLUMNS * COLUMNS, rows, COLUMNS):
            add_tile(marker, places, count, ROW_BYTES * upper, ROW_BYTES * max(0, min(left, rows - COLUMNS)), tile)
            tile += 4 * COLUMNS * height


@pasted
def flush(
    marker: Scalar, tiles: NDArray[np.int32], lines: NDArray[np.int32], rows: Scalar, totals: NDArray[np.int64]
) -> None:
    """Add the int32 sums to the totals and clear them."""
    height, place = count_rows(marker), 0
    for top in range(0, rows, height):
        upper = max(0, min(top, rows - height))
        for left in range(top // COLUMNS * COLUMNS, rows, COLUMNS):
            first = max(0, min(left, rows - COLUMNS))
            for row in range(upper, upper + height):
                for column in range(first, first + COLUMNS):
                    if top <= row < rows and left <= column < rows:
                        totals[row, column] += np.int64(tiles[place])
                    tiles[place] = 0
                    place += 1
    for column in range(rows):
        total = np.int64(0)
        for lane in range(LANES):
            total += np.int64(lines[column, lane])
            lines[column, lane] = 0
        for row in range(rows):
            totals[row, column] -= find_bias(marker) * total


@pasted
def run_blocks(
    marker: Scalar, places: NDArray[np.int64], tiles: NDArray[np.int32], lines: NDArray[np.int32],
    totals: NDArray[np.int64],
) -> None:
    """totals[i, j] += the sum over blocks of row i times row j, for i <= j < rows; below the diagonal anything.

    places: addresses of blocks, each followed by at least 4 - rows rows; totals: [rows, rows];
    tiles [count_sums(rows)], lines [rows, LANES]: zero, and zero afterwards.
    """
    rows = totals.shape[0]
    sums, ones = np.int64(tiles.ctypes.data), np.int64(lines.ctypes.data)
    group = min(max(GROUP_BYTES // (ROW_BYTES * rows), 1), GROUP_MAX)
    for first in range(0, places.size, BLOCKS_MAX):
        last = min(first + BLOCKS_MAX, places.size)
        for start in range(first, last, group):
            count = min(group, last - start)
            for index in range(start, start + count):
                following = places[min(index + group, places.size - 1)]
                for row in range(rows):
                    fetch_row(following + ROW_BYTES * row)
                    add_row(marker, places[index] + ROW_BYTES * row, ones + 4 * LANES * row)
            add_group(marker, np.int64(places.ctypes.data) + 8 * start, count, rows, sums)
        flush(marker, tiles, lines, rows, totals)
