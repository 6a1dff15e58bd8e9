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
_TABLE = np.array(gin1.power_table(), dtype=np.uint32)


@compiled("void(int32[:, ::1], int64, uint16[::1], uint32[::1], int32[::1], int32[:, ::1])")
def compute_slope(
    sums: NDArray[np.int32], exponent: int, labels: NDArray[np.uint16], table: NDArray[np.uint32],
    powers: NDArray[np.int32], out: NDArray[np.int32],
) -> None:
    """Softmax minus one-hot at exponent 20, for logits `sums` [N, classes] at `exponent`.

    powers [classes]: room for a row. Every loop but the one over the table is of a kind that the compiler vectorises.
    """
    classes = sums.shape[1]
    shift = exponent + 4
    for row in range(sums.shape[0]):
        line, slope = sums[row], out[row]
        largest = line[0]
        for column in range(classes):
            largest = max(largest, line[column])
        for column in range(classes):
            below: Scalar = (np.int64(largest) - np.int64(line[column])) * _LOG2_E_Q14
            powers[column] = min(scale(below, shift), _POWER_MAX)
        total = np.int64(0)
        for column in range(classes):
            power = powers[column]
            grown = np.int32(table[power & 1023] >> np.uint32(power >> 10))
            powers[column] = grown
            total += np.int64(grown)
        inverse = (np.int64(1) << 40) // total
        for column in range(classes):
            slope[column] = round_shift(np.int64(powers[column]) * inverse, 20)
        slope[labels[row]] -= _LOSS_ONE


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
    powers = arrays.new_array(x.values.shape[1], np.int32)
    compute_slope(x.values, x.exponent, targets, _TABLE, powers, slope)
    return Tensor(slope, gin1.LOSS_EXPONENT)


def squared_error(x: Tensor, targets: NDArray[np.int32]) -> Tensor:
    """Output minus target at exponent 20, for int32 outputs x [N, outputs] and targets of that shape at 16."""
    slope = arrays.new_array(x.values.shape, np.int32)
    subtract_targets(x.values.reshape(-1), x.exponent, targets.reshape(-1), slope.reshape(-1))
    return Tensor(slope, gin1.LOSS_EXPONENT)
