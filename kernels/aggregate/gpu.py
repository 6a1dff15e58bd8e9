"""Aggregation in Triton.  Same functions as ref.py.

A stack's values are an array of the device, int8 [blocks, n, 256], or numpy's, which are then copied there; or their
bit planes, int32 [blocks, n, 8, 8], which `sum_ranks` alone reads.
"""

from __future__ import annotations

from kernels import device
from kernels.aggregate import gpu_planes, gpu_ranks
from kernels.aggregate.gpu_gram import gram, mix, squares
from kernels.aggregate.gpu_sums import expand, expand_votes, sum_chosen, sum_magnitudes, sum_signs, sum_weighted
from kernels.aggregate.types import Stack
from kernels.device import Array

__all__ = (
    "expand", "expand_votes", "gram", "mix", "squares", "sum_chosen", "sum_magnitudes", "sum_ranks", "sum_signs",
    "sum_weighted",
)


def sum_ranks(stack: Stack, low: int, high: int) -> Array:
    """Sum of the values of ranks low..high-1 of each coordinate, the lowest value having rank 0: int16 [W]."""
    values = device.hold(stack.values)
    planes = values if len(values.shape) == 4 else gpu_planes.to_planes(values)
    return gpu_ranks.sum_ranks(planes, low, high)
