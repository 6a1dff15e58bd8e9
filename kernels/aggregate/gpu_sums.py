"""Sums over the rows of a stack on the gpu back end, and the numbers of the delta.

A program takes whole blocks of 256 coordinates and goes through the rows. Source: kernels/aggregate/README.md.
"""

from __future__ import annotations

import numpy as np
import triton.language as tl
from numpy.typing import NDArray

from kernels import device
from kernels.aggregate.types import Stack
from kernels.device import Array, constexpr, jit, jit_changing, launch
from kernels.payload.types import BLOCK_VALUES

VALUES = constexpr(BLOCK_VALUES)
WORDS = constexpr(BLOCK_VALUES // 4)
ROWS_AT_ONCE = constexpr(8)
SIGNS = constexpr(-0x7F7F7F80)  # the highest bit of every byte
ONES = constexpr(0x01010101)
REST = constexpr(0x7F7F7F7F)
EVEN_BYTES = constexpr(0x00FF00FF)
HALF_BITS = constexpr(32)
HALF_MASK = constexpr(0xFFFFFFFF)
BLOCKS_ON_DEVICE, BLOCKS_INTERPRETED = 8, 64
ROWS_ON_DEVICE, ROWS_INTERPRETED = 32, 512


@jit_changing("rows", "count")
def sum_rows(
    values: tl.tensor, chosen: tl.tensor, weights: tl.tensor, sums: tl.tensor, blocks: tl.tensor, rows: tl.tensor,
    count: tl.tensor, is_weighted: tl.constexpr, block: tl.constexpr,
) -> None:
    """Sums over `count` chosen rows of some blocks, each row times its weight."""
    first = tl.program_id(0).to(tl.int64) * block + tl.arange(0, block)
    column = tl.arange(0, VALUES)[None, :]
    inside = (first < blocks)[:, None] & (column >= 0)
    total = tl.zeros((block, VALUES), tl.int32)
    for start in range(0, count, ROWS_AT_ONCE):
        for step in tl.static_range(ROWS_AT_ONCE):
            is_there = start + step < count
            row = tl.load(chosen + start + step, mask=is_there, other=0)
            at = (first * rows + row)[:, None] * VALUES + column
            read = tl.load(values + at, mask=inside & (tl.zeros_like(at) + start + step < count), other=0).to(tl.int32)
            if is_weighted:
                read = read * tl.load(weights + start + step, mask=is_there, other=0)
            total += read
    place = first[:, None] * VALUES + column
    tl.store(sums + place, total.to(sums.dtype.element_ty), mask=inside)


@jit
def count_signs(
    words: tl.tensor, sums: tl.tensor, blocks: tl.tensor, rows: tl.tensor, block: tl.constexpr
) -> None:
    """Rows above zero less rows below it, 4 coordinates in a word; no value is -128."""
    first = tl.program_id(0).to(tl.int64) * block + tl.arange(0, block)
    column = tl.arange(0, WORDS)[None, :]
    inside = (first < blocks)[:, None] & (column >= 0)
    above = tl.zeros((block, WORDS), tl.int32)
    below = tl.zeros((block, WORDS), tl.int32)
    start = first[:, None] * rows * WORDS + column
    for row in range(rows):
        word = tl.load(words + start + row * WORDS, mask=inside, other=0)
        is_below = (word >> 7) & ONES
        is_other = ((((word & REST) + REST) | word) >> 7) & ONES
        above += is_other & ~is_below
        below += is_below
    tl.store(sums + first[:, None] * WORDS + column, ((above | SIGNS) - below) ^ SIGNS, mask=inside)


@jit
def sum_sizes(words: tl.tensor, sums: tl.tensor, count: tl.tensor, block: tl.constexpr) -> None:
    """Sum of |value| of each of `count` rows of blocks, 4 values in a word: bytes below zero are turned over."""
    row = tl.program_id(0).to(tl.int64) * block + tl.arange(0, block)
    is_row = row < count
    column = tl.arange(0, WORDS)[None, :]
    word = tl.load(words + row[:, None] * WORDS + column, mask=is_row[:, None] & (column >= 0), other=0)
    is_below = (word >> 7) & ONES
    size = (word ^ (is_below * 255)) + is_below
    pairs = tl.sum((size & EVEN_BYTES) + ((size >> 8) & EVEN_BYTES), 1)
    tl.store(sums + row, (pairs & 0xFFFF) + (pairs >> 16), mask=is_row)


@jit
def multiply_high(a: tl.tensor, b: tl.tensor) -> tl.tensor:
    """floor(a * b / 2**64) of int64 a and b, both in 0..2**62."""
    low_a, high_a, low_b, high_b = a & HALF_MASK, a >> HALF_BITS, b & HALF_MASK, b >> HALF_BITS
    lowest = ((low_a.to(tl.uint64) * low_b.to(tl.uint64)) >> HALF_BITS).to(tl.int64)
    middle = high_a * low_b + lowest
    other = low_a * high_b + (middle & HALF_MASK)
    return high_a * high_b + (middle >> HALF_BITS) + (other >> HALF_BITS)


@jit_changing("divisor", "factor", "shift")
def divide_sums(
    sums: tl.tensor, exponents: tl.tensor, result: tl.tensor, count: tl.tensor, divisor: tl.tensor,
    factor: tl.tensor, shift: tl.tensor, block: tl.constexpr,
) -> None:
    """(sum << exponent) / divisor, rounded half away from zero; the quotient by a product with a rounded reciprocal."""
    index = tl.program_id(0).to(tl.int64) * block + tl.arange(0, block)
    inside = index < count
    value = tl.load(sums + index, mask=inside, other=0).to(tl.int64)
    by = tl.load(exponents + index // VALUES, mask=inside, other=0).to(tl.int64)
    doubled = (tl.abs(value) << (by + 1)) + divisor
    size = multiply_high(doubled + doubled, factor + tl.zeros_like(doubled)) >> shift.to(tl.int64)
    tl.store(result + index, tl.where(value < 0, -size, size), mask=inside)


@jit
def scale_votes(
    votes: tl.tensor, scales: tl.tensor, exponents: tl.tensor, result: tl.tensor, count: tl.tensor,
    block: tl.constexpr,
) -> None:
    """The sign of each vote times the scale of its block."""
    index = tl.program_id(0).to(tl.int64) * block + tl.arange(0, block)
    inside = index < count
    vote = tl.load(votes + index, mask=inside, other=0)
    by = tl.load(exponents + index // VALUES, mask=inside, other=0).to(tl.int64)
    size = tl.load(scales + index // VALUES, mask=inside, other=0).to(tl.int64) << by
    tl.store(result + index, tl.where(vote > 0, size, tl.where(vote < 0, -size, 0)), mask=inside)


def sum_chosen(stack: Stack, chosen: list[int]) -> Array:
    """Sum of the chosen rows, each named once: int16 [W]."""
    return _sum_rows(stack, chosen, [], np.int16)


def sum_weighted(stack: Stack, weights: list[int]) -> Array:
    """Sum of weights[row] * value, each weight in 0..2**14: int32 [W]."""
    chosen = [row for row, weight in enumerate(weights) if weight]
    return _sum_rows(stack, chosen, [weights[row] for row in chosen], np.int32)


def _sum_rows(stack: Stack, chosen: list[int], weights: list[int], dtype: type) -> Array:
    values = device.hold(stack.values)
    blocks, rows = values.shape[:2]
    sums, block = device.new_array(blocks * BLOCK_VALUES, dtype), find_blocks(blocks)
    held = device.to_device(np.array(chosen or [0], dtype=np.int32))
    factors = device.to_device(np.array(weights, dtype=np.int32)) if weights else held
    launch(sum_rows, (device.count_programs(blocks, block),), values, held, factors, sums, blocks, rows, len(chosen),
           is_weighted=bool(weights), block=block)
    return sums


def sum_signs(stack: Stack) -> Array:
    """Rows above zero less rows below it, of each coordinate: int8 [W]."""
    values = device.hold(stack.values)
    blocks, rows = values.shape[:2]
    sums, block = device.new_array(blocks * BLOCK_VALUES, np.int8), find_blocks(blocks)
    launch(count_signs, (device.count_programs(blocks, block),), device.view(values, np.int32),
           device.view(sums, np.int32), blocks, rows, block=block)
    return sums


def sum_magnitudes(stack: Stack) -> Array:
    """Sum of |value| of each block and row: int32 [blocks, n]."""
    values = device.hold(stack.values)
    blocks, rows = values.shape[:2]
    sums, count = device.new_array((blocks, rows), np.int32), blocks * rows
    block = min(ROWS_INTERPRETED, device.find_power(count)) if device.IS_INTERPRETED else ROWS_ON_DEVICE
    launch(sum_sizes, (device.count_programs(count, block),), device.view(values, np.int32), sums, count, block=block)
    return sums


def expand(sums: Array, divisor: int, exponents: NDArray[np.uint8], count: int) -> Array:
    """(sums << exponent of their block) / divisor, rounded half away from zero; divisor in 1..2**20: int64 [count]."""
    result = device.new_array(count, np.int64)
    block, bits = device.find_elements(count), (2 * divisor).bit_length()
    factor = (2**(61 + bits) + 2 * divisor - 1) // (2 * divisor)
    launch(divide_sums, (device.count_programs(count, block),), device.hold(sums), device.to_device(exponents), result,
           count, divisor, factor, bits - 2, block=block)
    return result


def expand_votes(signs: Array, scales: Array, exponents: NDArray[np.uint8], count: int) -> Array:
    """Sign of each vote times (scale << exponent) of its block: int64 [count]."""
    result, block = device.new_array(count, np.int64), device.find_elements(count)
    launch(scale_votes, (device.count_programs(count, block),), device.hold(signs), device.hold(scales),
           device.to_device(exponents), result, count, block=block)
    return result


def find_blocks(blocks: int) -> int:
    """How many blocks of 256 coordinates a program takes."""
    return min(BLOCKS_INTERPRETED, device.find_power(blocks)) if device.IS_INTERPRETED else BLOCKS_ON_DEVICE
