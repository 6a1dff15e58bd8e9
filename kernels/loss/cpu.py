"""The losses on the CPU: compiled loops.  Same functions as ref.py; slopes are int32."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from kernels import arrays, gin1
from kernels.elementwise import bound, round_shift, scale
from kernels.jit import Scalar, compiled
from kernels.loss import SLOPE_MAX, TARGET_EXPONENT
from kernels.tensor import Tensor

_LOG2_E_Q14 = gin1.LOG2_E_Q14
_POWER_MAX = gin1.POWER_MAX
_LOSS_EXPONENT = gin1.LOSS_EXPONENT
_LOSS_ONE = 1 << gin1.LOSS_EXPONENT
_TARGET_SHIFT = gin1.LOSS_EXPONENT - TARGET_EXPONENT
_SLOPE_MAX = SLOPE_MAX
_TABLE = np.array(gin1.power_table(), dtype=np.int64)


@compiled("void(int32[:, ::1], int64, uint16[::1], int64[::1], int32[:, ::1])")
def compute_slope(
    sums: NDArray[np.int32], exponent: int, labels: NDArray[np.uint16], table: NDArray[np.int64],
    out: NDArray[np.int32],
) -> None:
    """Softmax minus one-hot at exponent 20, for logits `sums` [N, classes] at `exponent`."""
    classes = sums.shape[1]
    shift = exponent + 4
    grown = np.zeros(classes, dtype=np.int64)
    for row in range(sums.shape[0]):
        largest = np.int64(sums[row, 0])
        for column in range(classes):
            largest = max(largest, np.int64(sums[row, column]))
        total = np.int64(0)
        for column in range(classes):
            below: Scalar = (largest - np.int64(sums[row, column])) * _LOG2_E_Q14
            power = min(scale(below, shift), _POWER_MAX)
            grown[column] = table[power & 1023] >> (power >> 10)
            total += grown[column]
        inverse = (np.int64(1) << 40) // total
        for column in range(classes):
            out[row, column] = round_shift(grown[column] * inverse, 20)
        out[row, labels[row]] -= _LOSS_ONE


@compiled("void(int32[::1], int64, int32[::1], int32[::1])")
def subtract_targets(
    sums: NDArray[np.int32], exponent: int, targets: NDArray[np.int32], out: NDArray[np.int32]
) -> None:
    """Output minus target at exponent 20."""
    for index in range(sums.size):
        value = scale(np.int64(sums[index]), exponent - _LOSS_EXPONENT)
        out[index] = bound(value - (np.int64(targets[index]) << _TARGET_SHIFT), _SLOPE_MAX)


def cross_entropy(x: Tensor, targets: NDArray[np.uint16]) -> Tensor:
    """Softmax minus one-hot at exponent 20, for int32 logits x [N, classes] and targets [N]."""
    slope = arrays.new_array(x.values.shape, np.int32)
    compute_slope(x.values, x.exponent, targets, _TABLE, slope)
    return Tensor(slope, gin1.LOSS_EXPONENT)


def squared_error(x: Tensor, targets: NDArray[np.int32]) -> Tensor:
    """Output minus target at exponent 20, for int32 outputs x [N, outputs] and targets of that shape at 16."""
    slope = arrays.new_array(x.values.shape, np.int32)
    subtract_targets(x.values.reshape(-1), x.exponent, targets.reshape(-1), slope.reshape(-1))
    return Tensor(slope, gin1.LOSS_EXPONENT)
