"""Squared ReLU on the gpu back end: a pass for the largest sum, a pass for the rest.

Source: kernels/decoder/README.md section 18.
"""

from __future__ import annotations

from math import prod

import numpy as np
import triton.language as tl

from kernels import activation, device, gin1
from kernels.device import constexpr, jit, launch
from kernels.device_rules import clip, compute_shift, raise_magnitude, round_shift
from kernels.quantise.gpu import find_magnitude
from kernels.tensor import Tensor

FINE_BITS = constexpr(activation.FINE_BITS)
FINE_MAX = constexpr(activation.FINE_MAX)
SQUARE_BITS = constexpr(activation.SQUARE_BITS)
OPERAND_MAX = constexpr(gin1.OPERAND_MAX)


@jit
def load_flat(source: tl.tensor, count: tl.tensor, block: tl.constexpr) -> tuple[tl.tensor, tl.tensor, tl.tensor]:
    """This program's elements as int64, zeros outside; their indices and mask."""
    index = tl.program_id(0).to(tl.int64) * block + tl.arange(0, block)
    is_inside = index < count
    return tl.load(source + index, mask=is_inside, other=0).to(tl.int64), index, is_inside


@jit
def measure_rectified(sums: tl.tensor, magnitude: tl.tensor, count: tl.tensor, block: tl.constexpr) -> None:
    """The largest positive sum."""
    values, index, is_inside = load_flat(sums, count, block)
    raise_magnitude(magnitude, tl.maximum(values, 0))


@jit
def square(
    sums: tl.tensor, exponent: tl.tensor, magnitude: tl.tensor, fine: tl.tensor, fine_exponent: tl.tensor,
    squared: tl.tensor, squared_exponent: tl.tensor, count: tl.tensor, block: tl.constexpr,
) -> None:
    """u and a with their exponents; the largest u follows from the largest sum, as rounding keeps order."""
    at = tl.load(exponent).to(tl.int64)
    largest = tl.load(magnitude)
    shift = compute_shift(largest, at, FINE_BITS, None)
    largest = tl.minimum(round_shift(largest, shift), FINE_MAX)
    at -= shift
    second = compute_shift(largest * largest, 2 * at, SQUARE_BITS, None)
    tl.store(fine_exponent, at.to(tl.int32))
    tl.store(squared_exponent, (2 * at - second).to(tl.int32))
    values, index, is_inside = load_flat(sums, count, block)
    values = tl.minimum(round_shift(tl.maximum(values, 0), shift), FINE_MAX)
    tl.store(fine + index, values.to(tl.int16), mask=is_inside)
    operands = tl.minimum(round_shift(values * values, second), OPERAND_MAX)
    tl.store(squared + index, operands.to(tl.int8), mask=is_inside)


@jit
def multiply_fine(
    sums: tl.tensor, exponent: tl.tensor, sums_magnitude: tl.tensor, fine: tl.tensor, fine_exponent: tl.tensor,
    result: tl.tensor, result_exponent: tl.tensor, magnitude: tl.tensor, count: tl.tensor, block: tl.constexpr,
) -> None:
    """w * u with its exponent and largest absolute value."""
    at = tl.load(exponent).to(tl.int64)
    shift = compute_shift(tl.load(sums_magnitude), at, FINE_BITS, None)
    tl.store(result_exponent, (at - shift + tl.load(fine_exponent) - 1).to(tl.int32))
    values, index, is_inside = load_flat(sums, count, block)
    values = clip(round_shift(values, shift), FINE_MAX)
    values *= tl.load(fine + index, mask=is_inside, other=0)
    tl.store(result + index, values.to(tl.int32), mask=is_inside)
    raise_magnitude(magnitude, values)


def forward(x: Tensor) -> tuple[Tensor, Tensor]:
    """(a int8, u int16: the positive sums of 15 bits) of sums int32."""
    count = prod(x.values.shape)
    shape = tuple(x.values.shape)
    block = device.find_elements(count)
    grid = (device.count_programs(count, block),)
    magnitude = device.new_magnitude()
    launch(measure_rectified, grid, x.values, magnitude, count, block=block)
    saved = Tensor(device.new_array(shape, np.int16), device.new_scalar())
    result = Tensor(device.new_array(shape, np.int8), device.new_scalar())
    launch(square, grid, x.values, device.hold_exponent(x.exponent), magnitude, *saved[:2], *result[:2], count,
           block=block)
    return result, saved


def backward(x: Tensor, saved: Tensor) -> Tensor:
    """The slope of the input, int32, from the slope x of the output."""
    count = prod(x.values.shape)
    block = device.find_elements(count)
    grid = (device.count_programs(count, block),)
    result = Tensor(device.new_array(tuple(x.values.shape), np.int32), device.new_scalar(), device.new_magnitude())
    launch(multiply_fine, grid, x.values, device.hold_exponent(x.exponent), find_magnitude(x), *saved[:2], *result,
           count, block=block)
    return result
