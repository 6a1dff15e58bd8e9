"""Reference of the outer step in numpy int64: the truth.  Source: kernels/README.md section 10."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from kernels import exact, gin1
from kernels.exact import Ints


def step(
    weights: NDArray[np.int32], velocity: Ints, delta: Ints, rate: int, decay: int
) -> tuple[NDArray[np.int32], Ints]:
    """(weights, velocity) after one Nesterov step."""
    velocity = exact.clip(exact.round_shift(velocity * np.int64(decay), 16) + delta, gin1.MOMENTUM_MAX)
    ahead = exact.round_shift(velocity * np.int64(decay), 16) + delta
    moved = weights.astype(np.int64) + exact.round_shift(ahead * np.int64(rate), 16)
    return exact.clip(moved, gin1.WEIGHT_MAX).astype(np.int32), velocity
