"""The outer step in one compiled loop, on several threads.  Same functions as ref.py."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from kernels import arrays, gin1, threads
from kernels.elementwise import bound, round_shift
from kernels.jit import compiled

_MOMENTUM_MAX = gin1.MOMENTUM_MAX
_WEIGHT_MAX = gin1.WEIGHT_MAX
_STEP = 512
_PARAM_BYTES = 32  # of one parameter, read and written


@compiled("void(int32[::1], int64[::1], int64[::1], int64, int64, int32[::1], int64[::1])")
def step_all(
    weights: NDArray[np.int32],
    velocity: NDArray[np.int64],
    delta: NDArray[np.int64],
    rate: int,
    decay: int,
    new_weights: NDArray[np.int32],
    new_velocity: NDArray[np.int64],
) -> None:
    """One Nesterov step of every parameter."""
    for index in range(weights.size):
        moved = bound(round_shift(velocity[index] * decay, 16) + delta[index], _MOMENTUM_MAX)
        new_velocity[index] = moved
        ahead = round_shift(moved * decay, 16) + delta[index]
        new_weights[index] = bound(np.int64(weights[index]) + round_shift(ahead * rate, 16), _WEIGHT_MAX)


def step(
    weights: NDArray[np.int32], velocity: NDArray[np.int64], delta: NDArray[np.int64], rate: int, decay: int
) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """(weights, velocity) after one Nesterov step."""
    new_weights = arrays.new_array(weights.size, np.int32)
    new_velocity = arrays.new_array(velocity.size, np.int64)

    def work(begin: int, end: int) -> None:
        span = slice(begin, end)
        step_all(weights[span], velocity[span], delta[span], rate, decay, new_weights[span], new_velocity[span])

    threads.run_spans(weights.size, _STEP, _PARAM_BYTES * weights.size, work)
    return new_weights, new_velocity
