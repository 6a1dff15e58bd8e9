"""Fused causal attention in Triton: scores, weights and their products, never a whole [T, T] in memory.

Scores are recomputed from int8 operands where they are needed; integers make that exact, and make atomic sums
independent of order. Source: kernels/decoder/README.md section 17, README.md beside this file.
"""

from __future__ import annotations

import triton.language as tl

from kernels import attention, gin1
from kernels.device import constexpr, jit, jit_changing
from kernels.device_rules import compute_shift, draw_narrow, raise_magnitude, round_shift

LOWEST = constexpr(-(2**31))
OPERAND_BITS = constexpr(gin1.OPERAND_BITS)
OPERAND_MAX = constexpr(gin1.OPERAND_MAX)
POWER_SHIFT = constexpr(attention.SCALE_EXPONENT - gin1.POWER_FRACTION_BITS)
POWER_MAX = constexpr(attention.POWER_MAX)
POWER_BITS = constexpr(attention.POWER_MAX.bit_length())
RIGHT_MAX = constexpr(36)
SPLIT_MAX = constexpr(10)
INT32_MAX = constexpr(2**31 - 1)
WEIGHT_MAX = constexpr(attention.WEIGHT_MAX)
INVERSE_ONE = constexpr(1 << attention.INVERSE_BITS)
MEAN_SHIFT = constexpr(attention.MEAN_SHIFT)
MEAN_EXPONENT = constexpr(attention.MEAN_EXPONENT)
PROBABILITY_BITS = constexpr(attention.PROBABILITY_BITS)
PROBABILITY_HALF = constexpr(1 << (attention.PROBABILITY_BITS - 1))
SCORE_SHIFT = constexpr(attention.SCORE_SHIFT)


@jit
def load_tile(
    start: tl.tensor, rows: tl.tensor, count: tl.tensor, dim: tl.constexpr, padded: tl.constexpr,
) -> tl.tensor:
    """int8 [rows, padded] of a contiguous [count, dim]; zeros outside."""
    columns = tl.arange(0, padded)
    is_inside = (rows[:, None] < count) & (columns[None, :] < dim)
    return tl.load(start + rows[:, None] * dim + columns[None, :], mask=is_inside, other=0)


@jit
def prepare_powers(exponents: tl.tensor, factor: tl.constexpr) -> tuple[tl.tensor, ...]:
    """Scalars int32 by which `weigh` scales with 32 bits what the text scales with 64; s is the text's shift.

    Differences of scores are below 2**24, and times `factor` below 2**34. From `limit` on the result saturates. A left
    shift is a larger factor, and beyond 14 bits the same as 14; a right shift beyond 36 bits gives 0, as 36 does. A
    right shift is done in two steps, of which the first, by `split` bits, takes the product in two parts.
    """
    shift = tl.load(exponents).to(tl.int64) + tl.load(exponents + 1) + POWER_SHIFT
    right = tl.minimum(tl.maximum(shift, 0), RIGHT_MAX)
    scaled = tl.full((), factor, tl.int64) << tl.minimum(tl.maximum(-shift, 0), POWER_BITS)
    limit = tl.minimum((tl.full((), POWER_MAX, tl.int64) << right) // scaled + 1, INT32_MAX)
    split = tl.minimum(tl.maximum(right - 1, 0), SPLIT_MAX)
    half = ((tl.full((), 1, tl.int64) << right) >> 1) >> split
    return (limit.to(tl.int32), scaled.to(tl.int32), split.to(tl.int32), half.to(tl.int32),
            (right - split).to(tl.int32))


@jit
def weigh(
    below: tl.tensor, limit: tl.tensor, scaled: tl.tensor, split: tl.tensor, half: tl.tensor, rest: tl.tensor,
) -> tl.tensor:
    """e, 0..127, of scores that are `below` >= 0 under the largest of their row, int32; scalars by prepare_powers."""
    below = tl.minimum(below, limit)
    low = ((below & ((tl.full((), 1, tl.int32) << split) - 1)) * scaled) >> split
    power = tl.minimum(((below >> split) * scaled + low + half) >> rest, POWER_MAX)
    fraction = power & 1023
    grown = (65536 - ((fraction * (43008 - 10 * fraction)) >> 10)) >> (power >> 10)
    return tl.minimum((grown + 256) >> 9, WEIGHT_MAX)


@jit
def attend(
    q: tl.tensor, k: tl.tensor, v: tl.tensor, exponents: tl.tensor, largest: tl.tensor, inverse: tl.tensor,
    mixed: tl.tensor, mixed_exponent: tl.tensor, mixed_magnitude: tl.tensor, length: tl.tensor, heads: tl.tensor,
    factor: tl.constexpr, dim: tl.constexpr, padded: tl.constexpr, row_block: tl.constexpr,
    column_block: tl.constexpr,
) -> None:
    """Forward: one block of rows of one head. Two sweeps: the rows' largest scores, then the weighted values."""
    head = tl.program_id(0)
    block = tl.num_programs(1) - 1 - tl.program_id(1)
    rows = block * row_block + tl.arange(0, row_block)
    start = head.to(tl.int64) * length * dim
    limit, scale, split, half, rest = prepare_powers(exponents, factor)
    left = load_tile(q + start, rows, length, dim, padded)
    top = tl.full([row_block], LOWEST, tl.int32)
    for first in range(0, (block + 1) * row_block, column_block):
        columns = first + tl.arange(0, column_block)
        right = load_tile(k + start, columns, length, dim, padded)
        scores = tl.dot(left, tl.trans(right), out_dtype=tl.int32)
        scores = tl.where(columns[None, :] <= rows[:, None], scores, LOWEST)
        top = tl.maximum(top, tl.max(scores, axis=1))
    total = tl.zeros([row_block], tl.int32)
    sums = tl.zeros([row_block, padded], tl.int32)
    for first in range(0, (block + 1) * row_block, column_block):
        columns = first + tl.arange(0, column_block)
        right = load_tile(k + start, columns, length, dim, padded)
        scores = tl.dot(left, tl.trans(right), out_dtype=tl.int32)
        is_causal = columns[None, :] <= rows[:, None]
        weights = weigh(tl.where(is_causal, top[:, None] - scores, 0), limit, scale, split, half, rest)
        weights = tl.where(is_causal, weights, 0)
        total += tl.sum(weights, axis=1)
        right = load_tile(v + start, columns, length, dim, padded)
        sums += tl.dot(weights.to(tl.int8), right, out_dtype=tl.int32)
    scaled = INVERSE_ONE // total
    is_row = rows < length
    tl.store(largest + head.to(tl.int64) * length + rows, top, mask=is_row)
    tl.store(inverse + head.to(tl.int64) * length + rows, scaled, mask=is_row)
    values = round_shift(sums.to(tl.int64) * scaled[:, None], MEAN_SHIFT).to(tl.int32)
    lanes = tl.arange(0, padded)
    is_inside = is_row[:, None] & (lanes[None, :] < dim)
    line = (head // heads).to(tl.int64) * length + rows
    place = line[:, None] * (heads * dim) + (head % heads) * dim + lanes[None, :]
    tl.store(mixed + place, values, mask=is_inside)
    raise_magnitude(mixed_magnitude, tl.where(is_inside, values, 0))
    tl.store(mixed_exponent, tl.load(exponents + 2) + MEAN_EXPONENT)


@jit
def slope_scores(
    weights: tl.tensor, inverse: tl.tensor, slopes: tl.tensor, means: tl.tensor, is_causal: tl.tensor,
) -> tl.tensor:
    """dS, int32: P * (dP - D) with P = rs(e * R, 15), rounded by 8 bits; 0 above the diagonal."""
    shares = (weights * inverse + PROBABILITY_HALF) >> PROBABILITY_BITS
    product = shares.to(tl.int64) * (slopes - means)
    return tl.where(is_causal, round_shift(product, SCORE_SHIFT).to(tl.int32), 0)


@jit
def measure_scores(
    q: tl.tensor, k: tl.tensor, v: tl.tensor, probability: tl.tensor, exponents: tl.tensor, largest: tl.tensor,
    inverse: tl.tensor, means: tl.tensor, magnitudes: tl.tensor, length: tl.tensor, factor: tl.constexpr,
    dim: tl.constexpr, padded: tl.constexpr, row_block: tl.constexpr, column_block: tl.constexpr,
) -> None:
    """Backward, first: D of a block of rows of one head, and the largest |dS| of the head, in two sweeps."""
    head = tl.program_id(0)
    block = tl.num_programs(1) - 1 - tl.program_id(1)
    rows = block * row_block + tl.arange(0, row_block)
    start = head.to(tl.int64) * length * dim
    line = head.to(tl.int64) * length + rows
    is_row = rows < length
    limit, scale, split, half, rest = prepare_powers(exponents, factor)
    left = load_tile(q + start, rows, length, dim, padded)
    drawn = load_tile(probability + start, rows, length, dim, padded)
    top = tl.load(largest + line, mask=is_row, other=0)
    scaled = tl.load(inverse + line, mask=is_row, other=0)
    total = tl.zeros([row_block], tl.int64)
    for first in range(0, (block + 1) * row_block, column_block):
        columns = first + tl.arange(0, column_block)
        is_causal = (columns[None, :] <= rows[:, None]) & is_row[:, None]
        scores = tl.dot(left, tl.trans(load_tile(k + start, columns, length, dim, padded)), out_dtype=tl.int32)
        weights = weigh(tl.where(is_causal, top[:, None] - scores, 0), limit, scale, split, half, rest)
        slopes = tl.dot(drawn, tl.trans(load_tile(v + start, columns, length, dim, padded)), out_dtype=tl.int32)
        shares = tl.where(is_causal, (weights * scaled[:, None] + PROBABILITY_HALF) >> PROBABILITY_BITS, 0)
        total += tl.sum(shares.to(tl.int64) * slopes, axis=1)
    mean = round_shift(total, PROBABILITY_BITS).to(tl.int32)
    tl.store(means + line, mean, mask=is_row)
    most = tl.zeros([row_block], tl.int32)
    for first in range(0, (block + 1) * row_block, column_block):
        columns = first + tl.arange(0, column_block)
        is_causal = (columns[None, :] <= rows[:, None]) & is_row[:, None]
        scores = tl.dot(left, tl.trans(load_tile(k + start, columns, length, dim, padded)), out_dtype=tl.int32)
        weights = weigh(tl.where(is_causal, top[:, None] - scores, 0), limit, scale, split, half, rest)
        slopes = tl.dot(drawn, tl.trans(load_tile(v + start, columns, length, dim, padded)), out_dtype=tl.int32)
        result = slope_scores(weights, scaled[:, None], slopes, mean[:, None], is_causal)
        most = tl.maximum(most, tl.max(tl.abs(result), axis=1))
    raise_magnitude(magnitudes + head, most)


@jit_changing("key0", "key1")
def spread_slopes(
    q: tl.tensor, k: tl.tensor, v: tl.tensor, drawn_value: tl.tensor, drawn_probability: tl.tensor,
    exponents: tl.tensor, probability_exponent: tl.tensor, largest: tl.tensor, inverse: tl.tensor, means: tl.tensor,
    magnitudes: tl.tensor, score_exponents: tl.tensor, query_slope: tl.tensor, key_slope: tl.tensor,
    value_slope: tl.tensor, key0: tl.tensor, key1: tl.tensor, length: tl.tensor, factor: tl.constexpr,
    dim: tl.constexpr, padded: tl.constexpr, row_block: tl.constexpr, column_block: tl.constexpr,
) -> None:
    """Backward, second: one block of columns of one head, with the tiles transposed: [columns, rows].

    dk and dv of the columns stay in registers; dq of the rows is added to memory, which in integers is the same
    in every order. Writes the exponent of the head's drawn scores.
    """
    head = tl.program_id(0)
    block = tl.program_id(1)
    columns = block * column_block + tl.arange(0, column_block)
    start = head.to(tl.int64) * length * dim
    limit, scale, split, half, rest = prepare_powers(exponents, factor)
    exponent = tl.load(probability_exponent) + tl.load(exponents + 2) + (PROBABILITY_BITS - SCORE_SHIFT)
    drawn_shift = compute_shift(tl.load(magnitudes + head), exponent, OPERAND_BITS, None)
    tl.store(score_exponents + head, (exponent - drawn_shift).to(tl.int32))
    keys = load_tile(k + start, columns, length, dim, padded)
    values = load_tile(v + start, columns, length, dim, padded)
    key_sums = tl.zeros([column_block, padded], tl.int32)
    value_sums = tl.zeros([column_block, padded], tl.int32)
    lanes = tl.arange(0, padded)
    for first in range(block * column_block // row_block * row_block, length, row_block):
        rows = first + tl.arange(0, row_block)
        line = head.to(tl.int64) * length + rows
        is_row = rows < length
        is_causal = (columns[:, None] <= rows[None, :]) & is_row[None, :]
        left = load_tile(q + start, rows, length, dim, padded)
        top = tl.load(largest + line, mask=is_row, other=0)
        scaled = tl.load(inverse + line, mask=is_row, other=0)
        mean = tl.load(means + line, mask=is_row, other=0)
        scores = tl.dot(keys, tl.trans(left), out_dtype=tl.int32)
        weights = weigh(tl.where(is_causal, top[None, :] - scores, 0), limit, scale, split, half, rest)
        weights = tl.where(is_causal, weights, 0)
        drawn = load_tile(drawn_value + start, rows, length, dim, padded)
        value_sums += tl.dot(weights.to(tl.int8), drawn, out_dtype=tl.int32)
        drawn = load_tile(drawn_probability + start, rows, length, dim, padded)
        slopes = tl.dot(values, tl.trans(drawn), out_dtype=tl.int32)
        result = slope_scores(weights, scaled[None, :], slopes, mean[None, :], is_causal)
        index = (line * length).to(tl.uint32)[None, :] + columns.to(tl.uint32)[:, None]
        operand = draw_narrow(result, index, drawn_shift.to(tl.int32), key0, key1, OPERAND_MAX).to(tl.int8)
        key_sums += tl.dot(operand, left, out_dtype=tl.int32)
        added = tl.dot(tl.trans(operand), keys, out_dtype=tl.int32)
        place = start + rows[:, None] * dim + lanes[None, :]
        tl.atomic_add(query_slope + place, added, mask=is_row[:, None] & (lanes[None, :] < dim), sem="relaxed")
    place = start + columns[:, None] * dim + lanes[None, :]
    is_inside = (columns[:, None] < length) & (lanes[None, :] < dim)
    tl.store(key_slope + place, key_sums, mask=is_inside)
    tl.store(value_slope + place, value_sums, mask=is_inside)
