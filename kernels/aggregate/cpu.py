"""Aggregation in compiled loops: an insertion sort per coordinate.  Same functions as ref.py."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from kernels import arrays
from kernels.jit import compiled
from kernels.payload.types import BLOCK_VALUES


@compiled("void(uint8[:, ::1], int8[:, ::1], int64, int64[::1])")
def reduce_columns(
    exponents: NDArray[np.uint8], operands: NDArray[np.int8], dropped: int, out: NDArray[np.int64]
) -> None:
    """Trimmed mean of each column, rounded half away from zero."""
    workers, columns = operands.shape
    kept = workers - 2 * dropped
    ranked = np.zeros(workers, dtype=np.int64)
    for column in range(columns):
        block = column // BLOCK_VALUES
        total = np.int64(0)
        for worker in range(workers):
            value = np.int64(operands[worker, column]) << np.int64(exponents[worker, block])
            total += value
            if dropped > 0:
                place = worker
                while place > 0 and ranked[place - 1] > value:
                    ranked[place] = ranked[place - 1]
                    place -= 1
                ranked[place] = value
        for rank in range(dropped):
            total -= ranked[rank] + ranked[workers - 1 - rank]
        size = (2 * abs(total) + kept) // (2 * kept)
        out[column] = -size if total < 0 else size


def trimmed_mean(
    exponents: NDArray[np.uint8], operands: NDArray[np.int8], dropped: int
) -> NDArray[np.int64]:
    """Mean of each coordinate without its `dropped` lowest and highest values; 2 * dropped < workers."""
    out = arrays.new_array(operands.shape[1], np.int64)
    reduce_columns(exponents, operands, dropped, out)
    return out
