"""Aggregation in Triton.  Same functions as ref.py.

A stack's values are an array of the device, int8 [blocks, n, 256], or numpy's, which are then copied there; or their
bit planes, int32 [blocks, n, 8, 8], which `sum_ranks` alone reads.
"""

from __future__ import annotations

import numpy as np

from kernels import device
from kernels.aggregate import gpu_planes, gpu_ranks
from kernels.aggregate.gpu_gram import gram, mix, squares
from kernels.aggregate.gpu_sums import expand, expand_votes, sum_chosen, sum_magnitudes, sum_signs, sum_weighted
from kernels.aggregate.types import Stack
from kernels.device import Array
from kernels.payload.types import BLOCK_VALUES

SCRATCH_BYTES = 2**30
PLANAR_AXES = 4
__all__ = (
    "expand", "expand_votes", "gram", "mix", "squares", "sum_chosen", "sum_magnitudes", "sum_ranks", "sum_signs",
    "sum_weighted",
)


def sum_ranks(stack: Stack, low: int, high: int) -> Array:
    """Sum of the values of ranks low..high-1 of each coordinate, the lowest value having rank 0: int16 [W].

    Planes of bytes are made of some blocks at a time: they take as much memory as the bytes.
    """
    values = device.hold(stack.values)
    blocks, rows = values.shape[:2]
    sums = device.new_array(blocks * BLOCK_VALUES, np.int16)
    if len(values.shape) == PLANAR_AXES:
        gpu_ranks.sum_ranks(values, low, high, sums)
        return sums
    step = max(1, SCRATCH_BYTES // (rows * BLOCK_VALUES))
    for begin in range(0, blocks, step):
        planes = gpu_planes.to_planes(values[begin:begin + step])
        gpu_ranks.sum_ranks(planes, low, high, sums[begin * BLOCK_VALUES:(begin + step) * BLOCK_VALUES])
    return sums
