"""Reference of the optimisers in numpy int64: the truth.  Source: kernels/README.md section 7.3."""

from __future__ import annotations

from math import isqrt

import numpy as np
from numpy.typing import NDArray

from kernels import checks, exact, gin1
from kernels.exact import Ints
from kernels.optimiser import RATIO_MAX, SQUARE_MAX, Adam, Factors, Lion, Optimiser, Sgd, State, has_variance
from kernels.tensor import Tensor


def new_state(optimiser: Optimiser, weights: NDArray[np.int32]) -> State:
    """The state before a unit's first step: a copy of the weights, and zeros."""
    momentum = np.zeros(weights.size, dtype=np.int64)
    return State(weights.astype(np.int64), momentum, np.zeros_like(momentum) if has_variance(optimiser) else None)


def step(optimiser: Optimiser, factors: Factors, state: State, gradient: Tensor) -> None:
    """In place: one step of the parameters of `state`, which `gradient` has in the same order."""
    slope = exact.scale(gradient.values.reshape(-1), gradient.exponent - gin1.WEIGHT_EXPONENT)
    if isinstance(optimiser, Sgd):
        moved = compute_sgd_move(optimiser, factors, state.momentum, slope)
    elif isinstance(optimiser, Adam):
        moved = compute_adam_move(optimiser, factors, state.momentum, state.variance, slope)
    else:
        moved = compute_lion_move(optimiser, factors, state.momentum, slope)
    state.weights[:] = exact.clip(state.weights - moved, gin1.WEIGHT_MAX)


def compute_sgd_move(optimiser: Sgd, factors: Factors, momentum: Ints, slope: Ints) -> Ints:
    """What the weights lose; momentum is updated."""
    rate, shift = factors
    decayed = exact.round_shift(momentum * np.int64(optimiser.momentum_q16), 16)
    momentum[:] = exact.clip(decayed + slope, gin1.MOMENTUM_MAX)
    return exact.round_shift(momentum * np.int64(rate), shift)


def compute_adam_move(optimiser: Adam, factors: Factors, momentum: Ints, variance: Ints, slope: Ints) -> Ints:
    """What the weights lose; momentum and variance are updated."""
    rate, correction = factors
    average(momentum, slope, optimiser.beta1_q16)
    short = exact.clip(exact.round_shift(slope, 8), SQUARE_MAX)
    variance[:] = variance + exact.round_shift(short * short - variance, optimiser.beta2_shift)
    root = np.array([isqrt(int(value)) + 1 for value in variance], dtype=np.int64)
    ratio = np.sign(momentum) * np.minimum((np.abs(momentum) << np.int64(8)) // root, RATIO_MAX)
    return exact.round_shift(exact.round_shift(ratio * np.int64(correction), 16) * np.int64(rate), 16)


def compute_lion_move(optimiser: Lion, factors: Factors, momentum: Ints, slope: Ints) -> Ints:
    """What the weights lose; momentum is updated."""
    beta1 = np.int64(optimiser.beta1_q16)
    ahead = momentum * beta1 + slope * (np.int64(65536) - beta1)
    average(momentum, slope, optimiser.beta2_q16)
    return np.sign(ahead) * np.int64(factors[0])


def average(momentum: Ints, slope: Ints, decay_q16: int) -> None:
    """In place: momentum moves to the slope by a share of 65536 - decay_q16."""
    drawn = exact.round_shift((slope - momentum) * np.int64(65536 - decay_q16), 16)
    momentum[:] = exact.clip(momentum + drawn, gin1.MOMENTUM_MAX)


def read_weights(state: State) -> NDArray[np.int32]:
    """The weights as they stand."""
    weights: NDArray[np.int32] = state.weights.astype(np.int32)
    return weights


def dump(state: State) -> list[memoryview]:
    """The bytes of the whole state: weights int32, m int64, v int64 if there is one, little-endian."""
    rest = [state.momentum] if state.variance is None else [state.momentum, state.variance]
    return [checks.view_bytes(part) for part in (read_weights(state), *rest)]
