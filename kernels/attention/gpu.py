"""Attention on the gpu back end: rotary positions and quantisers by head, and the fused passes of gpu_scores.py.

Source: kernels/decoder/README.md section 17.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import triton.language as tl

from kernels import attention, circle, device, gin1
from kernels.attention import Keys, Shape, gpu_scores
from kernels.device import Array, constexpr, jit, jit_changing, launch
from kernels.device_rules import clip, compute_shift, draw, raise_magnitude, round_shift, scale
from kernels.quantise.gpu import find_magnitude, nearest
from kernels.tensor import Tensor

OPERAND_BITS = constexpr(gin1.OPERAND_BITS)
OPERAND_MAX = constexpr(gin1.OPERAND_MAX)
SLOPE_MAX = constexpr(attention.SLOPE_MAX)
SLOPE_EXPONENT = constexpr(attention.SLOPE_EXPONENT)
SCALE_EXPONENT = constexpr(attention.SCALE_EXPONENT)
FINE_BITS = constexpr(attention.FINE_BITS)
FINE_MAX = constexpr(2**attention.FINE_BITS - 1)
PROBABILITY_BITS = constexpr(attention.PROBABILITY_BITS)
COSINE_BITS = constexpr(circle.COSINE_BITS)
TURN = constexpr(circle.TURN)
PHASE_SHIFT = constexpr(circle.PHASE_BITS - circle.TURN_BITS)
DOT_INNER_MIN = 32  # of int8 operands on a device


class Saved(NamedTuple):
    """What the backward pass needs: int8 operands by head [B * heads, T, dh], their exponents int32 [3], and of each
    row [B * heads, T] the largest score and the inverse of its sum of weights, int32."""

    query: Array
    key: Array
    value: Array
    exponents: Array
    largest: Array
    inverse: Array
    shape: Shape
    rotary: bool


@jit
def turn(
    low: tl.tensor, high: tl.tensor, rows: tl.tensor, angles: tl.tensor, cosines: tl.tensor, direction: tl.constexpr,
    half: tl.constexpr,
) -> tuple[tl.tensor, tl.tensor]:
    """Rotate the pairs (low, high) [rows, half] by the angles of their positions; direction -1 turns back."""
    lanes = tl.arange(0, half)
    phase = (rows.to(tl.uint32)[:, None] * tl.load(angles + lanes)[None, :]) >> PHASE_SHIFT
    cosine = tl.load(cosines + phase)
    sine = tl.load(cosines + ((phase + 3 * (TURN // 4)) & (TURN - 1))) * direction
    first = round_shift(low * cosine - high * sine, COSINE_BITS)
    return first, round_shift(low * sine + high * cosine, COSINE_BITS)


@jit
def load_pair(
    source: tl.tensor, width: tl.tensor, head: tl.tensor, heads: tl.tensor, length: tl.tensor, part: tl.tensor,
    rows: tl.tensor, dim: tl.constexpr,
) -> tuple[tl.tensor, tl.tensor]:
    """The two halves [rows, dim / 2] of a head of part 0, 1, .. of a matrix [lines, width]; zeros below it."""
    half: tl.constexpr = dim // 2
    line = (head // heads).to(tl.int64) * length + rows
    place = line[:, None] * width + (part * heads + head % heads) * dim + tl.arange(0, half)[None, :]
    is_row = (rows < length)[:, None]
    low = tl.load(source + place, mask=is_row, other=0).to(tl.int64)
    return low, tl.load(source + place + half, mask=is_row, other=0).to(tl.int64)


@jit
def measure_parts(
    sums: tl.tensor, angles: tl.tensor, cosines: tl.tensor, magnitudes: tl.tensor, heads: tl.tensor,
    length: tl.tensor, dim: tl.constexpr, is_rotary: tl.constexpr, row_block: tl.constexpr,
) -> None:
    """Largest absolute values of the three parts of `sums` [N, 3 * width], the first two rotated."""
    head = tl.program_id(0)
    rows = tl.program_id(1) * row_block + tl.arange(0, row_block)
    for part in tl.static_range(3):
        low, high = load_pair(sums, 3 * heads * dim, head, heads, length, part, rows, dim)
        if is_rotary and part < 2:
            low, high = turn(low, high, rows, angles, cosines, 1, dim // 2)
        raise_magnitude(magnitudes + part, tl.maximum(tl.abs(low), tl.abs(high)))


@jit
def split_parts(
    sums: tl.tensor, exponent: tl.tensor, angles: tl.tensor, cosines: tl.tensor, magnitudes: tl.tensor,
    query: tl.tensor, key: tl.tensor, value: tl.tensor, exponents: tl.tensor, heads: tl.tensor, length: tl.tensor,
    dim: tl.constexpr, is_rotary: tl.constexpr, row_block: tl.constexpr,
) -> None:
    """The three parts as int8 operands by head, and their exponents."""
    head = tl.program_id(0)
    rows = tl.program_id(1) * row_block + tl.arange(0, row_block)
    at = tl.load(exponent).to(tl.int64)
    for part in tl.static_range(3):
        low, high = load_pair(sums, 3 * heads * dim, head, heads, length, part, rows, dim)
        if is_rotary and part < 2:
            low, high = turn(low, high, rows, angles, cosines, 1, dim // 2)
        shift = compute_shift(tl.load(magnitudes + part), at, OPERAND_BITS, None)
        tl.store(exponents + part, (at - shift).to(tl.int32))
        target = query if part == 0 else (key if part == 1 else value)
        store_pair(target, clip(round_shift(low, shift), OPERAND_MAX), clip(round_shift(high, shift), OPERAND_MAX),
                   head, length, rows, dim)


@jit
def store_pair(
    target: tl.tensor, low: tl.tensor, high: tl.tensor, head: tl.tensor, length: tl.tensor, rows: tl.tensor,
    dim: tl.constexpr,
) -> None:
    """int8 halves to an array by head [B * heads, T, dim]."""
    half: tl.constexpr = dim // 2
    place = target + (head.to(tl.int64) * length + rows)[:, None] * dim + tl.arange(0, half)[None, :]
    is_row = (rows < length)[:, None]
    tl.store(place, low.to(tl.int8), mask=is_row)
    tl.store(place + half, high.to(tl.int8), mask=is_row)


@jit
def load_slope(
    slope: tl.tensor, inverse: tl.tensor, shift: tl.tensor, head: tl.tensor, heads: tl.tensor, length: tl.tensor,
    rows: tl.tensor, dim: tl.constexpr,
) -> tuple[tl.tensor, tl.tensor]:
    """w and o1 of a block [rows, dim] of one head, int64: the slope of 21 bits, alone and times R."""
    lanes = tl.arange(0, dim)
    line = (head // heads).to(tl.int64) * length + rows
    place = line[:, None] * (heads * dim) + (head % heads) * dim + lanes[None, :]
    is_row = rows < length
    sums = tl.load(slope + place, mask=is_row[:, None], other=0).to(tl.int64)
    scaled = tl.load(inverse + head.to(tl.int64) * length + rows, mask=is_row, other=0).to(tl.int64)
    probability = clip(round_shift(sums, shift), FINE_MAX)
    return probability, round_shift(probability * scaled[:, None], PROBABILITY_BITS)


@jit
def compute_slope_shift(exponent: tl.tensor, magnitude: tl.tensor) -> tuple[tl.tensor, tl.tensor]:
    """The shift of an output slope to 21 bits, int64."""
    at = tl.load(exponent).to(tl.int64)
    return at, compute_shift(tl.load(magnitude), at, FINE_BITS, None)


@jit
def measure_slope(
    slope: tl.tensor, exponent: tl.tensor, slope_magnitude: tl.tensor, inverse: tl.tensor,
    value_magnitudes: tl.tensor, probability_magnitude: tl.tensor, heads: tl.tensor, length: tl.tensor,
    dim: tl.constexpr, row_block: tl.constexpr,
) -> None:
    """Largest |o1| of each head and largest |w|."""
    head = tl.program_id(0)
    rows = tl.program_id(1) * row_block + tl.arange(0, row_block)
    at, shift = compute_slope_shift(exponent, slope_magnitude)
    probability, weighted = load_slope(slope, inverse, shift, head, heads, length, rows, dim)
    raise_magnitude(value_magnitudes + head, weighted)
    raise_magnitude(probability_magnitude, probability)


@jit_changing("key0", "key1", "key2", "key3")
def draw_slope(
    slope: tl.tensor, exponent: tl.tensor, slope_magnitude: tl.tensor, inverse: tl.tensor,
    value_magnitudes: tl.tensor, probability_magnitude: tl.tensor, drawn_value: tl.tensor,
    drawn_probability: tl.tensor, value_exponents: tl.tensor, probability_exponent: tl.tensor, key0: tl.tensor,
    key1: tl.tensor, key2: tl.tensor, key3: tl.tensor, heads: tl.tensor, length: tl.tensor, dim: tl.constexpr,
    row_block: tl.constexpr,
) -> None:
    """g1 and g2, int8 by head, with the exponents of g1 by head and that of g2."""
    head = tl.program_id(0)
    rows = tl.program_id(1) * row_block + tl.arange(0, row_block)
    at, shift = compute_slope_shift(exponent, slope_magnitude)
    probability, weighted = load_slope(slope, inverse, shift, head, heads, length, rows, dim)
    at -= shift
    index = (head.to(tl.int64) * length + rows)[:, None] * dim + tl.arange(0, dim)[None, :]
    is_row = (rows < length)[:, None]
    shift = compute_shift(tl.load(value_magnitudes + head), at + PROBABILITY_BITS, OPERAND_BITS, None)
    tl.store(value_exponents + head, (at + PROBABILITY_BITS - shift).to(tl.int32))
    drawn = draw(weighted, index, shift, key0, key1, OPERAND_MAX)
    tl.store(drawn_value + index, drawn.to(tl.int8), mask=is_row)
    shift = compute_shift(tl.load(probability_magnitude), at, OPERAND_BITS, None)
    tl.store(probability_exponent, (at - shift).to(tl.int32))
    drawn = draw(probability, index, shift, key2, key3, OPERAND_MAX)
    tl.store(drawn_probability + index, drawn.to(tl.int8), mask=is_row)


@jit
def join_parts(
    query_slope: tl.tensor, key_slope: tl.tensor, value_slope: tl.tensor, exponents: tl.tensor,
    value_exponents: tl.tensor, score_exponents: tl.tensor, angles: tl.tensor, cosines: tl.tensor, joined: tl.tensor,
    magnitude: tl.tensor, heads: tl.tensor, length: tl.tensor, factor: tl.constexpr, dim: tl.constexpr,
    is_rotary: tl.constexpr, row_block: tl.constexpr,
) -> None:
    """The slopes of the three parts at exponent 24, side by side in int32 [N, 3 * width], and the largest."""
    half: tl.constexpr = dim // 2
    head = tl.program_id(0)
    rows = tl.program_id(1) * row_block + tl.arange(0, row_block)
    is_row = (rows < length)[:, None]
    line = (head // heads).to(tl.int64) * length + rows
    place = joined + line[:, None] * (3 * heads * dim) + (head % heads) * dim + tl.arange(0, half)[None, :]
    source = (head.to(tl.int64) * length + rows)[:, None] * dim + tl.arange(0, half)[None, :]
    for part in tl.static_range(3):
        slopes = query_slope if part == 0 else (key_slope if part == 1 else value_slope)
        low = tl.load(slopes + source, mask=is_row, other=0).to(tl.int64)
        high = tl.load(slopes + source + half, mask=is_row, other=0).to(tl.int64)
        if part == 2:
            shift = tl.load(value_exponents + head) - SLOPE_EXPONENT
        else:
            shift = tl.load(score_exponents + head) + tl.load(exponents + 1 - part)
            shift += SCALE_EXPONENT - SLOPE_EXPONENT
            low *= factor
            high *= factor
        low = clip(scale(low, shift), SLOPE_MAX)
        high = clip(scale(high, shift), SLOPE_MAX)
        if is_rotary and part < 2:
            low, high = turn(low, high, rows, angles, cosines, -1, half)
            low = clip(low, SLOPE_MAX)
            high = clip(high, SLOPE_MAX)
        tl.store(place + part * heads * dim, low.to(tl.int32), mask=is_row)
        tl.store(place + part * heads * dim + half, high.to(tl.int32), mask=is_row)
        raise_magnitude(magnitude, tl.maximum(tl.abs(low), tl.abs(high)))


def forward(x: Tensor, shape: Shape, rotary: bool) -> tuple[Tensor, Saved]:
    """(o int8 [N, d], what backward needs) of the sums x int32 [N, 3 * d]; see the package."""
    batch, length, heads, dim = shape
    by_head = (batch * heads, length, dim)
    q, k, v = operands = [device.new_array(by_head, np.int8) for _ in range(3)]
    largest, inverse = rows = [device.new_array(by_head[:2], np.int32) for _ in range(2)]
    saved = Saved(q, k, v, device.new_array(3, np.int32), largest, inverse, shape, rotary)
    magnitudes = device.new_zeros(3, np.int64)
    grid, settings = plan_split(shape)
    launch(measure_parts, grid, x.values, *find_tables(dim), magnitudes, heads, length, is_rotary=rotary, **settings)
    launch(split_parts, grid, x.values, device.hold_exponent(x.exponent), *find_tables(dim), magnitudes, *operands,
           saved.exponents, heads, length, is_rotary=rotary, **settings)
    mixed = Tensor(device.new_array((batch * length, heads * dim), np.int32), device.new_scalar(),
                   device.new_magnitude())
    grid, settings = plan_scores(shape, False)
    launch(gpu_scores.attend, grid, *operands, saved.exponents, *rows, *mixed, length, heads, **settings)
    return nearest(mixed), saved


def backward(x: Tensor, saved: Saved, keys: Keys) -> Tensor:
    """The slope int32 [N, 3 * d] at exponent 24 of forward's input, from the slope x int32 [N, d] of its o."""
    batch, length, heads, dim = saved.shape
    operands, rows = (saved.query, saved.key, saved.value), (saved.largest, saved.inverse)
    by_head = (batch * heads, length, dim)
    value_most, score_most = (device.new_zeros(by_head[0], np.int64) for _ in range(2))
    value_at, score_at = (device.new_array(by_head[0], np.int32) for _ in range(2))
    most, at = device.new_magnitude(), device.new_scalar()
    drawn = [device.new_array(by_head, np.int8) for _ in range(2)]
    grid, settings = plan_split(saved.shape)
    slope = (x.values, device.hold_exponent(x.exponent), find_magnitude(x))
    launch(measure_slope, grid, *slope, saved.inverse, value_most, most, heads, length, **settings)
    launch(draw_slope, grid, *slope, saved.inverse, value_most, most, *drawn, value_at, at,
           *device.to_signed(keys.value), *device.to_signed(keys.probability), heads, length, **settings)
    means = device.new_array(by_head[:2], np.int32)
    grid, scores = plan_scores(saved.shape, False)
    launch(gpu_scores.measure_scores, grid, *operands, drawn[1], saved.exponents, *rows, means, score_most,
           length, **scores)
    slopes = [device.new_zeros(by_head, np.int32)] + [device.new_array(by_head, np.int32) for _ in range(2)]
    grid, scores = plan_scores(saved.shape, True)
    launch(gpu_scores.spread_slopes, grid, *operands, *drawn, saved.exponents, at, *rows, means, score_most,
           score_at, *slopes, *device.to_signed(keys.score), length, **scores)
    return join(slopes, saved, value_at, score_at)


def join(slopes: list[Array], saved: Saved, value_exponents: Array, score_exponents: Array) -> Tensor:
    """The slope of forward's input from those of q, k and v by head; exponents are those of g1 and g3 by head."""
    batch, length, heads, dim = saved.shape
    result = Tensor(device.new_array((batch * length, 3 * heads * dim), np.int32),
                    device.constant(attention.SLOPE_EXPONENT), device.new_magnitude())
    grid, settings = plan_split(saved.shape)
    launch(join_parts, grid, *slopes, saved.exponents, value_exponents, score_exponents, *find_tables(dim),
           result.values, result.magnitude, heads, length, factor=attention.SLOPE_SCALES[dim],
           is_rotary=saved.rotary, **settings)
    return result


@device.kept(8)
def find_tables(dim: int) -> tuple[Array, Array]:
    """The turns per position of a head's pairs, uint32 [dh / 2], and the cosines, int32 [4096]."""
    angles = np.array(circle.rotary_frequencies(dim), dtype=np.uint32)
    return device.to_device(angles), device.to_device(np.array(circle.cosine_table(), dtype=np.int32))


def plan_split(shape: Shape) -> tuple[tuple[int, int], dict[str, int]]:
    """Grid and block of the passes that split and join heads."""
    batch, length, heads, dim = shape
    rows = min(device.find_power(length), max(8, device.find_elements(length * dim) // dim))
    return (batch * heads, device.count_programs(length, rows)), {"dim": dim, "row_block": rows}


def plan_scores(shape: Shape, is_by_column: bool) -> tuple[tuple[int, int], dict[str, int]]:
    """Grid and block of the fused passes: of the forward kind, by rows, or of the last one backward, by columns.

    A tensor core takes 64 of the side that a program keeps; the rest is what fits in registers.
    """
    batch, length, heads, dim = shape
    settings = {"factor": attention.POWER_SCALES[dim], "dim": dim, "padded": max(dim, DOT_INNER_MIN), "num_stages": 2}
    kept = 32 if is_by_column and dim > 128 else 64
    settings |= {"row_block": 32, "column_block": kept} if is_by_column else {"row_block": kept, "column_block": 32}
    settings["num_warps"] = 8 if dim > 64 else 4
    return (batch * heads, device.count_programs(length, kept)), settings
