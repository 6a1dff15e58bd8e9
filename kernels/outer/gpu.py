"""The outer step in Triton, element by element.  Same functions as ref.py; host arrays in and out."""

from __future__ import annotations

import numpy as np
import triton.language as tl
from numpy.typing import NDArray

from kernels import device, gin1
from kernels.device import Array, constexpr, jit_changing, launch
from kernels.device_rules import clip, round_shift

MOMENTUM_MAX, WEIGHT_MAX = constexpr(gin1.MOMENTUM_MAX), constexpr(gin1.WEIGHT_MAX)


@jit_changing("rate", "decay")
def step_all(
    weights: tl.tensor, velocity: tl.tensor, delta: tl.tensor, new_weights: tl.tensor, new_velocity: tl.tensor,
    count: tl.tensor, rate: tl.tensor, decay: tl.tensor, block: tl.constexpr,
) -> None:
    """One Nesterov step of every parameter."""
    index = tl.program_id(0).to(tl.int64) * block + tl.arange(0, block)
    is_inside = index < count
    change = tl.load(delta + index, mask=is_inside, other=0)
    held = tl.load(velocity + index, mask=is_inside, other=0)
    moved = clip(round_shift(held * decay, 16) + change, MOMENTUM_MAX)
    tl.store(new_velocity + index, moved, mask=is_inside)
    ahead = round_shift(moved * decay, 16) + change
    weight = tl.load(weights + index, mask=is_inside, other=0).to(tl.int64)
    weight = clip(weight + round_shift(ahead * rate, 16), WEIGHT_MAX)
    tl.store(new_weights + index, weight.to(tl.int32), mask=is_inside)


def step(
    weights: NDArray[np.int32], velocity: NDArray[np.int64], delta: NDArray[np.int64], rate: int, decay: int
) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """(weights, velocity) after one Nesterov step."""
    held = (device.to_device(weights), device.to_device(velocity), device.to_device(delta))
    stepped = step_arrays(*held, rate, decay)
    return device.to_host(stepped[0]), device.to_host(stepped[1])


def step_arrays(weights: Array, velocity: Array, delta: Array, rate: int, decay: int) -> tuple[Array, Array]:
    """`step` of what lies on the device already."""
    count = device.count_elements(weights)
    block = device.find_elements(count)
    new_weights, new_velocity = device.new_array(count, np.int32), device.new_array(count, np.int64)
    launch(step_all, (device.count_programs(count, block),), weights, velocity, delta, new_weights, new_velocity,
           count, rate, decay, block=block)
    return new_weights, new_velocity
