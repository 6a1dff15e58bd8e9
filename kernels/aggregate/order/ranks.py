"""Sums of the sorted ranks of every coordinate: median, trimmed mean.

Source: README.md of the folder above.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from kernels import arrays, threads
from kernels.aggregate.order.networks import find_size
from kernels.aggregate.order.pieces import (
    LIST_BYTES, SCRATCH_BYTES, sort_rows, store_between, store_inner, store_middles,
)
from kernels.aggregate.order.sums import is_streamed, sum_chosen
from kernels.aggregate.order.vectors import BLOCK, LANES, LINE, finish_stores, prefetch
from kernels.aggregate.types import Stack
from kernels.jit import Scalar, entry, types

_AHEAD_BYTES = 2**16  # of what is fetched: a few blocks of 64 rows
_BURST_LINES = 32  # at a time: of more at once the processor drops some, of fewer it does not see that they follow
_MIDDLES, _INNER, _BETWEEN = 0, 1, 2


@entry(types.void, *[types.int64] * 11)
def sum_span(
    values: int, rows: int, begin: int, end: int, way: int, low: int, high: int, size: int, scratch: int, out: int,
    streams: int
) -> None:
    """The sums of blocks begin..end-1.  values, scratch and out: addresses; size: of the networks."""
    a_rows = (rows + 1) // 2
    b_rows = rows - a_rows
    b = scratch + LIST_BYTES
    absent = b + LIST_BYTES
    ahead: Scalar = values + begin * rows * BLOCK + _AHEAD_BYTES
    due: Scalar = 0
    for block in range(begin, end):
        for column in range(0, BLOCK, LANES):
            source = values + block * rows * BLOCK + column
            target = out + 2 * (block * BLOCK + column)
            for part in range(2):
                count = b_rows if part else a_rows
                due += count * LANES
                while due >= _BURST_LINES * LINE:
                    prefetch((ahead, _BURST_LINES))
                    ahead += _BURST_LINES * LINE
                    due -= _BURST_LINES * LINE
                sort_rows((size, source + part * a_rows * BLOCK, count, absent, scratch + part * LIST_BYTES))
            if way == _MIDDLES:
                store_middles((scratch, b, low, high - low - 1, target, streams))
            elif way == _INNER:
                store_inner((scratch, b, a_rows, b_rows, low, rows - high, target, streams))
            else:
                store_between((scratch, b, a_rows, b_rows, low, high, target, streams))
    if streams != 0:
        finish_stores(())


def sum_ranks(stack: Stack, low: int, high: int) -> NDArray[np.int16]:
    """Sum of the values of ranks low..high-1 of each coordinate, the lowest value having rank 0: int16 [W]."""
    values = stack.values
    blocks, rows, _ = values.shape
    if low == 0 and high == rows:
        return sum_chosen(stack, list(range(rows)))
    out = arrays.new_array(blocks * BLOCK, np.int16)
    way = _choose_way(rows, low, high)
    size = find_size((rows + 1) // 2)

    def work(begin: int, end: int) -> None:
        scratch = arrays.new_array(SCRATCH_BYTES + LINE, np.int8)
        scratch.fill(127)
        place = (scratch.ctypes.data + LINE - 1) // LINE * LINE
        sum_span(values.ctypes.data, rows, begin, end, way, low, high, size, place, out.ctypes.data,
                 is_streamed(out))

    threads.run_spans(blocks, 1, values.nbytes, work)
    return out


def _choose_way(rows: int, low: int, high: int) -> int:
    if (low, high) == ((rows - 1) // 2, rows // 2 + 1):
        return _MIDDLES
    return _INNER if low + rows - high <= rows // 2 else _BETWEEN
