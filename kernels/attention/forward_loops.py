"""Compiled loops of attention, forward: rotation, operands, softmax, means.  Source: decoder/README.md section 17."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from kernels import attention, circle, gin1
from kernels.attention.packing import OPERANDS, SHORTS, STACK, WORDS, Scratch, pack_across, pack_along
from kernels.elementwise import scale
from kernels.jit import Scalar, compiled, inlined, types
from kernels.lanes import (
    add32,
    add_word,
    bound32,
    mul32,
    mul_word,
    round32,
    shr32,
    shr_word,
    split_shift,
    sub32,
)
from kernels.pairs import ROWS, multiply_rows

_TURN_SHIFT = circle.COSINE_BITS
_TURN_HALF = 1 << (_TURN_SHIFT - 1)
_MEAN_SHIFT = attention.MEAN_SHIFT
_MEAN_HALF = 1 << (_MEAN_SHIFT - 1)
_INVERSE_ONE = 1 << attention.INVERSE_BITS
_POWER_MAX = attention.POWER_MAX
_WEIGHT_MAX = attention.WEIGHT_MAX
_OPERAND_MAX = gin1.OPERAND_MAX


@compiled("void(int32[:, ::1], int32[:, ::1], int32[:, ::1], int64, int32[:, ::1])")
def rotate(
    z: NDArray[np.int32], cosines: NDArray[np.int32], sines: NDArray[np.int32], heads: int, out: NDArray[np.int32]
) -> None:
    """out = z with pairs (j, j + head_dim / 2) of the heads of q and k turned by the row's position."""
    length, half = cosines.shape
    for row in range(z.shape[0]):
        step = row % length
        for head in range(2 * heads):
            at = head * 2 * half
            firsts, seconds = z[row, at:at + half], z[row, at + half:at + 2 * half]
            turned, others = out[row, at:at + half], out[row, at + half:at + 2 * half]
            for index in range(half):
                first, second = np.int64(firsts[index]), np.int64(seconds[index])
                cosine, sine = np.int64(cosines[step, index]), np.int64(sines[step, index])
                turned[index] = (first * cosine - second * sine + _TURN_HALF) >> _TURN_SHIFT
                others[index] = (first * sine + second * cosine + _TURN_HALF) >> _TURN_SHIFT
        out[row, 4 * heads * half:] = z[row, 4 * heads * half:]


@inlined
def find_part_magnitude(z: NDArray[np.int32], start: Scalar, end: Scalar) -> Scalar:
    """The largest |value| of columns start..end - 1."""
    low, high = np.int32(0), np.int32(0)
    for row in range(z.shape[0]):
        line = z[row, start:end]
        for index in range(line.size):
            low, high = min(low, line[index]), max(high, line[index])
    return max(-np.int64(low), np.int64(high))


@compiled("UniTuple(int64, 3)(int32[:, ::1])")
def find_magnitudes(z: NDArray[np.int32]) -> Scalar:
    """The largest |value| of each third of the columns."""
    width = z.shape[1] // 3
    return (
        find_part_magnitude(z, 0, width),
        find_part_magnitude(z, width, 2 * width),
        find_part_magnitude(z, 2 * width, 3 * width),
    )


@inlined
def round_part(z: NDArray[np.int32], start: Scalar, end: Scalar, shift: Scalar, out: NDArray[np.int8]) -> None:
    """Operands of columns start..end - 1."""
    first, last = split_shift(shift)
    for row in range(z.shape[0]):
        line, rounded = z[row, start:end], out[row, start:end]
        for index in range(line.size):
            rounded[index] = bound32(round32(line[index], first, last), _OPERAND_MAX)


@compiled("void(int32[:, ::1], int64, int64, int64, int8[:, ::1])")
def round_parts(z: NDArray[np.int32], q: int, k: int, v: int, out: NDArray[np.int8]) -> None:
    """Operands by rounding each third of the columns with a shift of its own."""
    width = z.shape[1] // 3
    round_part(z, 0, width, q, out)
    round_part(z, width, 2 * width, k, out)
    round_part(z, 2 * width, 3 * width, v, out)


@compiled("void(int16[::1], int64, int8[::1])")
def round_means(mean: NDArray[np.int16], shift: int, out: NDArray[np.int8]) -> None:
    """out = clip(rs(mean, shift), 127)."""
    first, last = split_shift(shift)
    for index in range(mean.size):
        out[index] = bound32(round32(np.int32(mean[index]), first, last), _OPERAND_MAX)


@inlined
def find_weight(power: Scalar) -> Scalar:
    """2**(7 - power / 1024), at most 127, by a parabola; int32, power in 0..2**14 - 1."""
    fraction = power & np.int32(1023)
    curve = shr32(mul32(fraction, sub32(43008, mul32(10, fraction))), 10)
    grown = shr32(sub32(65536, curve), shr32(power, 10))
    return min(shr32(add32(grown, 256), 9), np.int32(_WEIGHT_MAX))


@inlined
def weigh_row(
    scores: NDArray[np.int32], count: Scalar, factor: Scalar, shift: Scalar, cap: Scalar, is_narrow: Scalar,
    out: NDArray[np.int16],
) -> Scalar:
    """out = 7-bit weights of `count` scores by the softmax with `factor` and `shift`; returns their sum."""
    largest = scores[0]
    for index in range(1, count):
        largest = max(largest, scores[index])
    total = np.int32(0)
    if is_narrow:
        first, last = np.uint32(max(shift - 1, 0)), np.uint32(min(shift, 1))
        most, times = np.uint32(cap), np.uint32(factor)
        for index in range(count):
            below = mul_word(min(np.uint32(sub32(largest, scores[index])), most), times)
            power = shr_word(add_word(shr_word(below, first), last), last)
            weight = find_weight(np.int32(min(power, np.uint32(_POWER_MAX))))
            out[index] = weight
            total = add32(total, weight)
        return total
    for index in range(count):
        below = np.int64(sub32(largest, scores[index])) * factor
        weight = find_weight(np.int32(min(scale(below, shift), np.int64(_POWER_MAX))))
        out[index] = weight
        total = add32(total, weight)
    return total


@inlined
def spread_row(operands: NDArray[np.int8], out: NDArray[np.int16]) -> None:
    """out = operands."""
    for index in range(operands.size):
        out[index] = operands[index]


@inlined
def store_row(line: NDArray[np.int16], out: NDArray[np.int8]) -> None:
    """out = the weights in line."""
    for index in range(out.size):
        out[index] = line[index]


@compiled(types.int64(
    OPERANDS, types.int64, types.int64, types.int64, types.int64, types.boolean,
    types.Tuple((SHORTS, WORDS, WORDS, WORDS, SHORTS, WORDS)), STACK, WORDS, SHORTS,
))
def attend(
    parts: NDArray[np.int8], heads: Scalar, factor: Scalar, shift: Scalar, cap: Scalar, is_narrow: Scalar,
    scratch: Scratch, weights: NDArray[np.int8], inverses: NDArray[np.int32], mean: NDArray[np.int16],
) -> Scalar:
    """Weights, their inverse sums and the means of the values, of operands `parts`; returns the means' magnitude.

    scratch: see new_forward_scratch.
    """
    query, keys, values, scores, line, sums = scratch
    length, width = inverses.shape[1], mean.shape[1]
    head_dim = width // heads
    low, high = np.int32(0), np.int32(0)
    for pair in range(inverses.shape[0]):
        base, column = (pair // heads) * length, (pair % heads) * head_dim
        pack_across(parts, base, length, width + column, head_dim, keys)
        pack_along(parts, base, length, 2 * width + column, head_dim, values)
        for start in range(0, length, ROWS):
            end = min(start + ROWS, length)
            for row in range(start, end):
                spread_row(parts[base + row, column:column + head_dim], query[row - start])
            multiply_rows(query.ctypes.data, 2 * head_dim, head_dim // 2, keys, start + ROWS, scores)
            for row in range(start, end):
                at = row - start
                total = weigh_row(scores[at], row + 1, factor, shift, cap, is_narrow, line[at])
                inverses[pair, row] = _INVERSE_ONE // total
                store_row(line[at], weights[pair, row, :row + 1])
                line[at, row + 1:start + ROWS] = 0
            multiply_rows(line.ctypes.data, 2 * line.shape[1], (start + ROWS) // 2, values, head_dim, sums)
            for row in range(start, end):
                inverse = np.int64(inverses[pair, row])
                added, means = sums[row - start], mean[base + row, column:column + head_dim]
                for index in range(means.size):
                    value = np.int32((np.int64(added[index]) * inverse + _MEAN_HALF) >> _MEAN_SHIFT)
                    means[index] = value
                    low, high = min(low, value), max(high, value)
    return max(-np.int64(low), np.int64(high))
