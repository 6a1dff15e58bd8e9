"""Reference of the losses in numpy int64: the truth.  Source: kernels/README.md section 7.2."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from kernels import exact, gin1
from kernels.loss import SLOPE_MAX, TARGET_EXPONENT
from kernels.tensor import Tensor


def cross_entropy(x: Tensor, targets: NDArray[np.uint16]) -> Tensor:
    """Softmax minus one-hot at exponent 20, for logits x [N, classes] and targets [N]."""
    table = np.array(gin1.power_table(), dtype=np.int64)
    below = (x.values.max(axis=1, keepdims=True) - x.values) * np.int64(gin1.LOG2_E_Q14)
    shift = x.exponent + 14 - gin1.POWER_FRACTION_BITS
    power = np.minimum(exact.scale(below, shift), gin1.POWER_MAX)
    grown = table[power & 1023] >> (power >> np.int64(10))
    inverse = np.int64(1 << 40) // grown.sum(axis=1, keepdims=True)
    slope = exact.round_shift(grown * inverse, 20)
    slope[np.arange(len(targets)), targets] -= np.int64(1 << gin1.LOSS_EXPONENT)
    return Tensor(slope, gin1.LOSS_EXPONENT)


def squared_error(x: Tensor, targets: NDArray[Any]) -> Tensor:
    """Output minus target at exponent 20, for outputs x [N, outputs] and int32 targets of that shape at 16."""
    wanted = targets.astype(np.int64) << np.int64(gin1.LOSS_EXPONENT - TARGET_EXPONENT)
    difference = exact.scale(x.values, x.exponent - gin1.LOSS_EXPONENT) - wanted
    return Tensor(exact.clip(difference, SLOPE_MAX), gin1.LOSS_EXPONENT)
