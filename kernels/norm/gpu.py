"""RMSNorm on the gpu back end: one pass each way.  Source: kernels/decoder/README.md section 16."""

from __future__ import annotations

import numpy as np
import triton.language as tl

from kernels import device, gin1, norm
from kernels.device import Array, constexpr, jit, launch
from kernels.device_rules import clip, divide_nearest, isqrt, raise_magnitude, round_shift, scale
from kernels.tensor import Tensor

OPERAND_MAX = constexpr(gin1.OPERAND_MAX)
SLOPE_MAX = constexpr(norm.SLOPE_MAX)
SLOPE_EXPONENT = constexpr(norm.SLOPE_EXPONENT)
EPSILON = constexpr(norm.EPSILON)
INVERSE_BITS = constexpr(norm.INVERSE_BITS)
FINE_SHIFT = constexpr(norm.FINE_SHIFT)
FINE_EXPONENT = constexpr(norm.FINE_EXPONENT)
COARSE_SHIFT = constexpr(norm.FINE_EXPONENT - norm.OPERAND_EXPONENT)
STREAM_EXPONENT = constexpr(norm.STREAM_EXPONENT)


@jit
def load_columns(
    source: tl.tensor, rows: tl.tensor, count: tl.tensor, first: tl.tensor, width: tl.tensor,
    column_block: tl.constexpr,
) -> tuple[tl.tensor, tl.tensor, tl.tensor]:
    """Columns from `first` of `rows` as int64 [rows, column_block], zeros outside; their offsets and mask."""
    columns = first + tl.arange(0, column_block)
    place = rows.to(tl.int64)[:, None] * width + columns[None, :]
    is_inside = (rows[:, None] < count) & (columns[None, :] < width)
    return tl.load(source + place, mask=is_inside, other=0).to(tl.int64), place, is_inside


@jit
def normalise(
    stream: tl.tensor, inverse: tl.tensor, operands: tl.tensor, count: tl.tensor, width: tl.tensor,
    row_block: tl.constexpr, column_block: tl.constexpr,
) -> None:
    """y int8 at exponent 5, and r of each row."""
    rows = tl.program_id(0) * row_block + tl.arange(0, row_block)
    total = tl.zeros([row_block], tl.int64)
    for first in range(0, width, column_block):
        values, place, is_inside = load_columns(stream, rows, count, first, width, column_block)
        total += tl.sum(values * values, axis=1)
    scaled = (tl.full((), 1, tl.int64) << INVERSE_BITS) // isqrt(total // width + EPSILON)
    tl.store(inverse + rows, scaled.to(tl.int32), mask=rows < count)
    for first in range(0, width, column_block):
        values, place, is_inside = load_columns(stream, rows, count, first, width, column_block)
        fine = round_shift(values * scaled[:, None], FINE_SHIFT)
        coarse = clip(round_shift(fine, COARSE_SHIFT), OPERAND_MAX)
        tl.store(operands + place, coarse.to(tl.int8), mask=is_inside)


@jit
def load_fine(
    sums: tl.tensor, shift: tl.tensor, stream: tl.tensor, scaled: tl.tensor, rows: tl.tensor, count: tl.tensor,
    first: tl.tensor, width: tl.tensor, column_block: tl.constexpr,
) -> tuple[tl.tensor, tl.tensor, tl.tensor, tl.tensor]:
    """The incoming slope at exponent 20 and the normalised rows at 12, both int64; their offsets and mask."""
    incoming, place, is_inside = load_columns(sums, rows, count, first, width, column_block)
    values = tl.load(stream + place, mask=is_inside, other=0).to(tl.int64)
    return clip(scale(incoming, shift), SLOPE_MAX), round_shift(values * scaled, FINE_SHIFT), place, is_inside


@jit
def add_slope(
    sums: tl.tensor, exponent: tl.tensor, stream: tl.tensor, inverse: tl.tensor, slope: tl.tensor, result: tl.tensor,
    magnitude: tl.tensor, count: tl.tensor, width: tl.tensor, has_slope: tl.constexpr, row_block: tl.constexpr,
    column_block: tl.constexpr,
) -> None:
    """The slope through the norm, added to the slope stream."""
    rows = tl.program_id(0) * row_block + tl.arange(0, row_block)
    shift = tl.load(exponent) - SLOPE_EXPONENT
    scaled = tl.load(inverse + rows, mask=rows < count, other=0).to(tl.int64)[:, None]
    total = tl.zeros([row_block], tl.int64)
    for first in range(0, width, column_block):
        incoming, fine, place, is_inside = load_fine(
            sums, shift, stream, scaled, rows, count, first, width, column_block)
        total += tl.sum(incoming * fine, axis=1)
    along = round_shift(divide_nearest(total, width), FINE_EXPONENT)[:, None]
    largest = tl.zeros([row_block], tl.int64)
    for first in range(0, width, column_block):
        incoming, fine, place, is_inside = load_fine(
            sums, shift, stream, scaled, rows, count, first, width, column_block)
        across = round_shift((incoming - round_shift(along * fine, FINE_EXPONENT)) * scaled, STREAM_EXPONENT)
        if has_slope:
            across += tl.load(slope + place, mask=is_inside, other=0)
        across = clip(across, SLOPE_MAX)
        tl.store(result + place, across.to(tl.int32), mask=is_inside)
        largest = tl.maximum(largest, tl.max(tl.abs(across), axis=1))
    raise_magnitude(magnitude, largest)


def forward(h: Array) -> tuple[Tensor, Array]:
    """(y int8 [N, d] at exponent 5, r int32 [N]) of a residual stream int32 [N, d]."""
    count, width = h.shape
    operands = device.new_array((count, width), np.int8)
    inverse = device.new_array(count, np.int32)
    grid, settings = plan(count, width)
    launch(normalise, grid, h, inverse, operands, count, width, **settings)
    return Tensor(operands, device.constant(norm.OPERAND_EXPONENT)), inverse


def backward(x: Tensor, h: Array, r: Array, dh: Tensor | None) -> Tensor:
    """The slope stream int32 [N, d] at exponent 20: dh (zero if None) plus the slope x through the norm of h."""
    count, width = h.shape
    result = Tensor(device.new_array((count, width), np.int32), device.constant(norm.SLOPE_EXPONENT),
                    device.new_magnitude())
    grid, settings = plan(count, width)
    launch(add_slope, grid, x.values, device.hold_exponent(x.exponent), h, r, h if dh is None else dh.values,
           result.values, result.magnitude, count, width, has_slope=dh is not None, **settings)
    return result


def plan(count: int, width: int) -> tuple[tuple[int], dict[str, int]]:
    """Grid and block: whole rows in a program, which goes over them twice in blocks of columns."""
    elements = device.find_elements(count * device.find_power(width))
    columns = min(device.find_power(width), elements)
    rows = min(device.find_power(count), elements // columns)
    return (device.count_programs(count, rows),), {"row_block": rows, "column_block": columns}
