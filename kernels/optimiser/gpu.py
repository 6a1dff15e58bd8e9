"""The optimisers in Triton: one pass over a tensor's parameters.  Same functions as ref.py.

A gradient comes as sums of products with their exponent on the device and is brought to exponent 24 inside the pass.
"""

from __future__ import annotations

import numpy as np
import triton.language as tl
from numpy.typing import NDArray

from kernels import checks, device, gin1
from kernels import device_rules as rules
from kernels.device import constexpr, jit, jit_changing, launch
from kernels.optimiser import RATIO_MAX, SQUARE_MAX, Adam, Factors, Optimiser, Sgd, State, has_variance
from kernels.tensor import Tensor

WEIGHT_EXPONENT = constexpr(gin1.WEIGHT_EXPONENT)
WEIGHT_MAX = constexpr(gin1.WEIGHT_MAX)
MOMENTUM_MAX = constexpr(gin1.MOMENTUM_MAX)
RATIO = constexpr(RATIO_MAX)
SQUARE = constexpr(SQUARE_MAX)
ONE = constexpr(gin1.RATE_ONE)
ONE_BITS = constexpr(16)
SHORT_BITS = constexpr(8)


@jit
def read_slope(sums: tl.tensor, exponent: tl.tensor, index: tl.tensor, mask: tl.tensor) -> tl.tensor:
    """The gradient at exponent 24."""
    shift = tl.load(exponent).to(tl.int64) - WEIGHT_EXPONENT
    return rules.scale(tl.load(sums + index, mask=mask, other=0).to(tl.int64), shift)


@jit
def average(momentum: tl.tensor, slope: tl.tensor, share: tl.tensor) -> tl.tensor:
    """Momentum, moved to the slope by share / 65536."""
    return rules.clip(momentum + rules.round_shift((slope - momentum) * share, ONE_BITS), MOMENTUM_MAX)


@jit
def move(weights: tl.tensor, index: tl.tensor, mask: tl.tensor, moved: tl.tensor) -> None:
    """weights -= moved, bounded."""
    before = tl.load(weights + index, mask=mask, other=0).to(tl.int64)
    tl.store(weights + index, rules.clip(before - moved, WEIGHT_MAX).to(tl.int32), mask=mask)


@jit_changing("decay", "rate", "rate_shift")
def step_sgd(
    weights: tl.tensor, momentum: tl.tensor, sums: tl.tensor, exponent: tl.tensor, count: tl.tensor,
    decay: tl.tensor, rate: tl.tensor, rate_shift: tl.tensor, block: tl.constexpr,
) -> None:
    """In place: one momentum step."""
    index = tl.program_id(0).to(tl.int64) * block + tl.arange(0, block)
    mask = index < count
    held = tl.load(momentum + index, mask=mask, other=0)
    decayed = rules.round_shift(held * decay, ONE_BITS)
    moved = rules.clip(decayed + read_slope(sums, exponent, index, mask), MOMENTUM_MAX)
    tl.store(momentum + index, moved, mask=mask)
    move(weights, index, mask, rules.round_shift(moved * rate, rate_shift.to(tl.int64)))


@jit_changing("share", "beta2_shift", "rate", "correction")
def step_adam(
    weights: tl.tensor, momentum: tl.tensor, variance: tl.tensor, sums: tl.tensor, exponent: tl.tensor,
    count: tl.tensor, share: tl.tensor, beta2_shift: tl.tensor, rate: tl.tensor, correction: tl.tensor,
    block: tl.constexpr,
) -> None:
    """In place: one step of Adam."""
    index = tl.program_id(0).to(tl.int64) * block + tl.arange(0, block)
    mask = index < count
    slope = read_slope(sums, exponent, index, mask)
    mean = average(tl.load(momentum + index, mask=mask, other=0), slope, share)
    tl.store(momentum + index, mean, mask=mask)
    short = rules.clip(rules.round_shift(slope, SHORT_BITS), SQUARE)
    square = tl.load(variance + index, mask=mask, other=0)
    square += rules.round_shift(short * short - square, beta2_shift.to(tl.int64))
    tl.store(variance + index, square, mask=mask)
    ratio = tl.minimum((tl.abs(mean) << SHORT_BITS) // (rules.isqrt(square) + 1), RATIO)
    ratio = tl.where(mean < 0, -ratio, ratio)
    moved = rules.round_shift(rules.round_shift(ratio * correction, ONE_BITS) * rate, ONE_BITS)
    move(weights, index, mask, moved)


@jit_changing("beta1", "share", "rate")
def step_lion(
    weights: tl.tensor, momentum: tl.tensor, sums: tl.tensor, exponent: tl.tensor, count: tl.tensor,
    beta1: tl.tensor, share: tl.tensor, rate: tl.tensor, block: tl.constexpr,
) -> None:
    """In place: one step of Lion."""
    index = tl.program_id(0).to(tl.int64) * block + tl.arange(0, block)
    mask = index < count
    slope = read_slope(sums, exponent, index, mask)
    held = tl.load(momentum + index, mask=mask, other=0)
    ahead = held * beta1 + slope * (-beta1 + ONE)
    tl.store(momentum + index, average(held, slope, share), mask=mask)
    move(weights, index, mask, tl.where(ahead > 0, rate, tl.where(ahead < 0, -rate, 0)).to(tl.int64))


def new_state(optimiser: Optimiser, weights: NDArray[np.int32]) -> State:
    """The state before a unit's first step: a copy of the host's weights, and zeros."""
    variance = device.new_zeros(weights.size, np.int64) if has_variance(optimiser) else None
    return State(device.to_device(weights), device.new_zeros(weights.size, np.int64), variance)


def step(optimiser: Optimiser, factors: Factors, state: State, gradient: Tensor) -> None:
    """In place: one step of the parameters of `state`, which `gradient`, int32 or int64, has in the same order."""
    weights, momentum, variance = state
    count = device.count_elements(weights)
    block = device.find_elements(count)
    grid, exponent = (device.count_programs(count, block),), device.hold_exponent(gradient.exponent)
    if isinstance(optimiser, Sgd):
        launch(step_sgd, grid, weights, momentum, gradient.values, exponent, count, optimiser.momentum_q16, *factors,
               block=block)
    elif isinstance(optimiser, Adam):
        share = gin1.RATE_ONE - optimiser.beta1_q16
        launch(step_adam, grid, weights, momentum, variance, gradient.values, exponent, count, share,
               optimiser.beta2_shift, *factors, block=block)
    else:
        share = gin1.RATE_ONE - optimiser.beta2_q16
        launch(step_lion, grid, weights, momentum, gradient.values, exponent, count, optimiser.beta1_q16, share,
               *factors, block=block)


def read_weights(state: State) -> NDArray[np.int32]:
    """The weights as they stand, on the host."""
    weights: NDArray[np.int32] = device.to_host(state.weights)
    return weights


def dump(state: State) -> list[memoryview]:
    """The bytes of the whole state on the host: weights int32, m int64, v int64 if there is one, little-endian."""
    return [checks.view_bytes(device.to_host(part)) for part in state if part is not None]
