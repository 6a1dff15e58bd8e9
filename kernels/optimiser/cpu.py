"""The optimisers on the CPU: one compiled pass over a tensor's parameters.  Same functions as ref.py.

A gradient comes as sums of products with their exponent and is brought to exponent 24 inside the pass.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from kernels import checks, gin1
from kernels.elementwise import bound, round_shift, scale
from kernels.jit import Scalar, compiled, inlined
from kernels.optimiser import RATIO_MAX, SQUARE_MAX, Adam, Factors, Optimiser, Sgd, State, has_variance
from kernels.tensor import Tensor

_WEIGHT_EXPONENT = gin1.WEIGHT_EXPONENT
_WEIGHT_MAX = gin1.WEIGHT_MAX
_MOMENTUM_MAX = gin1.MOMENTUM_MAX
_RATIO_MAX = float(RATIO_MAX)
_SQUARE_MAX = SQUARE_MAX


@compiled([
    "void(int32[::1], int64[::1], int32[::1], int64, int64, int64, int64)",
    "void(int32[::1], int64[::1], int64[::1], int64, int64, int64, int64)",
])
def step_sgd(
    weights: NDArray[np.int32], momentum: NDArray[np.int64], sums: NDArray[np.int32], shift: int,
    decay: int, rate: int, rate_shift: int,
) -> None:
    """In place: one momentum step."""
    for index in range(weights.size):
        decayed = round_shift(momentum[index] * decay, 16)
        moved = bound(decayed + scale(np.int64(sums[index]), shift), _MOMENTUM_MAX)
        momentum[index] = moved
        weights[index] = bound(np.int64(weights[index]) - round_shift(moved * rate, rate_shift), _WEIGHT_MAX)


@inlined
def average(momentum: Scalar, slope: Scalar, share: Scalar) -> Scalar:
    """Momentum, moved to the slope by share / 65536."""
    return bound(momentum + round_shift((slope - momentum) * share, 16), _MOMENTUM_MAX)


@compiled([
    "void(int32[::1], int64[::1], int64[::1], int32[::1], int64, int64, int64, int64, int64)",
    "void(int32[::1], int64[::1], int64[::1], int64[::1], int64, int64, int64, int64, int64)",
])
def step_adam(
    weights: NDArray[np.int32], momentum: NDArray[np.int64], variance: NDArray[np.int64], sums: NDArray[np.int32],
    shift: int, share: int, beta2_shift: int, rate: int, correction: int,
) -> None:
    """In place: one step of Adam. Square root and quotient are float64's, made exact as README.md proves."""
    for index in range(weights.size):
        slope = scale(np.int64(sums[index]), shift)
        mean = average(momentum[index], slope, share)
        momentum[index] = mean
        short = bound(round_shift(slope, 8), _SQUARE_MAX)
        square = variance[index] + round_shift(short * short - variance[index], beta2_shift)
        variance[index] = square
        root = np.int64(math.sqrt(np.float64(square)))
        if root * root > square:
            root -= 1
        ratio: Scalar = np.float64(mean) * 256.0 / np.float64(root + 1)
        ratio = _RATIO_MAX if ratio > _RATIO_MAX else ratio
        ratio = -_RATIO_MAX if ratio < -_RATIO_MAX else ratio
        moved = round_shift(round_shift(np.int64(ratio) * correction, 16) * rate, 16)
        weights[index] = bound(np.int64(weights[index]) - moved, _WEIGHT_MAX)


@compiled([
    "void(int32[::1], int64[::1], int32[::1], int64, int64, int64, int64)",
    "void(int32[::1], int64[::1], int64[::1], int64, int64, int64, int64)",
])
def step_lion(
    weights: NDArray[np.int32], momentum: NDArray[np.int64], sums: NDArray[np.int32], shift: int,
    beta1: int, share: int, rate: int,
) -> None:
    """In place: one step of Lion."""
    for index in range(weights.size):
        slope = scale(np.int64(sums[index]), shift)
        ahead = momentum[index] * beta1 + slope * (65536 - beta1)
        momentum[index] = average(momentum[index], slope, share)
        moved: Scalar = np.int64(0)
        if ahead > 0:
            moved = rate
        elif ahead < 0:
            moved = -rate
        weights[index] = bound(np.int64(weights[index]) - moved, _WEIGHT_MAX)


def new_state(optimiser: Optimiser, weights: NDArray[np.int32]) -> State:
    """The state before a unit's first step: a copy of the weights, and zeros."""
    variance = np.zeros(weights.size, dtype=np.int64) if has_variance(optimiser) else None
    return State(weights.copy(), np.zeros(weights.size, dtype=np.int64), variance)


def step(optimiser: Optimiser, factors: Factors, state: State, gradient: Tensor) -> None:
    """In place: one step of the parameters of `state`, which `gradient`, int32 or int64, has in the same order."""
    weights, momentum, variance = state
    sums, shift = gradient.values.reshape(-1), gradient.exponent - _WEIGHT_EXPONENT
    if isinstance(optimiser, Sgd):
        step_sgd(weights, momentum, sums, shift, optimiser.momentum_q16, *factors)
    elif isinstance(optimiser, Adam):
        share = gin1.RATE_ONE - optimiser.beta1_q16
        step_adam(weights, momentum, variance, sums, shift, share, optimiser.beta2_shift, *factors)
    else:
        share = gin1.RATE_ONE - optimiser.beta2_q16
        step_lion(weights, momentum, sums, shift, optimiser.beta1_q16, share, *factors)


def read_weights(state: State) -> NDArray[np.int32]:
    """The weights as they stand; a view."""
    weights: NDArray[np.int32] = state.weights
    return weights


def dump(state: State) -> list[memoryview]:
    """The bytes of the whole state, as they stand: weights int32, m int64, v int64 if there is one, little-endian."""
    return [checks.view_bytes(part) for part in state if part is not None]
