"""Compiled loops of attention's slope: values, scores, queries and keys.  Source: decoder/README.md section 17."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from kernels import attention, circle, gin1
from kernels.attention.packing import OPERANDS, SHORTS, STACK, WORDS, Scratch, join_word, pack_across, pack_along
from kernels.elementwise import bound, scale
from kernels.jit import Scalar, compiled, inlined, types
from kernels.lanes import add32, and32, bound32, draw32, mul32, random32, round32, shr32, split_shift, sub32
from kernels.pairs import ROWS, multiply_columns, multiply_rows

KEYS = types.UniTuple(types.int64, 2)
_FINE_MAX = 2**attention.FINE_BITS - 1
_PROBABILITY_SHIFT = attention.PROBABILITY_BITS
_PROBABILITY_HALF = 1 << (_PROBABILITY_SHIFT - 1)
_SLOPE_MAX = attention.SLOPE_MAX
_TURN_SHIFT = circle.COSINE_BITS
_TURN_HALF = 1 << (_TURN_SHIFT - 1)
_OPERAND_MAX = gin1.OPERAND_MAX


@compiled("int64(int32[:, ::1], int64, int32[:, ::1], int64[::1])")
def find_slope_magnitudes(
    z: NDArray[np.int32], shift: int, inverses: NDArray[np.int32], weighted: NDArray[np.int64]
) -> Scalar:
    """The largest |w| of w = clip(rs(z, shift), 2**20 - 1); in `weighted`, of w by its row's inverse, of each matrix.

    `weighted` comes as zeros. Both grow with z, so the ends of each row of each head are enough.
    """
    length = inverses.shape[1]
    heads = inverses.shape[0] * length // z.shape[0]
    head_dim = z.shape[1] // heads
    first, last = split_shift(shift)
    fine = np.int64(0)
    for row in range(z.shape[0]):
        for head in range(heads):
            low, high = np.int32(0), np.int32(0)
            line = z[row, head * head_dim:(head + 1) * head_dim]
            for index in range(line.size):
                low, high = min(low, line[index]), max(high, line[index])
            pair = row // length * heads + head
            inverse = np.int64(inverses[pair, row % length])
            for end in (low, high):
                w = np.int64(bound32(round32(end, first, last), _FINE_MAX))
                fine = max(fine, abs(w))
                most = abs((w * inverse + _PROBABILITY_HALF) >> _PROBABILITY_SHIFT)
                weighted[pair] = max(weighted[pair], most)
    return fine


@inlined
def draw_row(
    values: NDArray[np.int32], count: Scalar, index: Scalar, shift: Scalar, keys: Scalar, out: NDArray[np.int16]
) -> None:
    """out = operands of `count` values by stochastic rounding, with the random words from `index` on."""
    mask = np.uint32((1 << shift) - 1)
    low = np.uint32(index)
    key0, key1, by = np.uint32(keys[0]), np.uint32(keys[1]), np.int32(shift)
    for at in range(count):
        word = random32(np.uint32(low + np.uint32(at)), key0, key1)
        out[at] = bound32(draw32(values[at], word, by, mask), _OPERAND_MAX)


@inlined
def write_row(sums: NDArray[np.int32], factor: Scalar, shift: Scalar, out: NDArray[np.int32]) -> None:
    """out = clip(scale(sums * factor, shift), 2**30 - 1)."""
    for index in range(out.size):
        out[index] = bound(scale(np.int64(sums[index]) * factor, shift), np.int64(_SLOPE_MAX))


@inlined
def slope_row(
    weights: NDArray[np.int8], inverse: Scalar, slopes: NDArray[np.int32], count: Scalar, out: NDArray[np.int32]
) -> Scalar:
    """out = the slopes of `count` scores of a row by the slopes of its softmax; returns their magnitude.

    P = rs(e * R, 15) <= 2**15. In rs(P * x, 8) with x = 256 * high + low, P * high < 2**31: |x| < 2**23.1.
    """
    total = np.int64(0)
    for index in range(count):
        share = shr32(add32(mul32(weights[index], inverse), _PROBABILITY_HALF), _PROBABILITY_SHIFT)
        total += np.int64(share) * np.int64(slopes[index])
    mean = np.int32((total + _PROBABILITY_HALF) >> _PROBABILITY_SHIFT)
    lowest, highest = np.int32(0), np.int32(0)
    for index in range(count):
        share = shr32(add32(mul32(weights[index], inverse), _PROBABILITY_HALF), _PROBABILITY_SHIFT)
        off = sub32(slopes[index], mean)
        below = shr32(add32(mul32(share, and32(off, 255)), 128), 8)
        slope = add32(mul32(share, shr32(off, 8)), below)
        out[index] = slope
        lowest, highest = min(lowest, slope), max(highest, slope)
    return max(-np.int64(lowest), np.int64(highest))


@inlined
def pack_weights(weights: NDArray[np.int8], length: Scalar, out: NDArray[np.int32]) -> None:
    """out[p, j] = weights of rows 2p and 2p + 1 in column j, and zeros up to the next multiple of 4 columns."""
    for word in range((length + 1) // 2):
        row = 2 * word
        is_whole = row + 1 < length
        for index in range(row + 1):
            out[word, index] = join_word(weights[row, index], weights[row + 1, index] if is_whole else np.int8(0))
        out[word, row + 1] = join_word(0, weights[row + 1, row + 1] if is_whole else np.int8(0))
        for index in range(row + 2, (row + 5) // 4 * 4):
            out[word, index] = 0


@compiled(types.void(
    WORDS, types.int64, OPERANDS, STACK, WORDS, types.int64[::1], KEYS, types.int64, KEYS, types.int64,
    types.Tuple((WORDS, SHORTS, WORDS, WORDS, WORDS, WORDS, SHORTS)), WORDS, types.int32[:, :, ::1],
    types.int64[::1],
))
def slope_values(
    z: NDArray[np.int32], shift: Scalar, parts: NDArray[np.int8], weights: NDArray[np.int8],
    inverses: NDArray[np.int32], value_shifts: NDArray[np.int64], value_keys: Scalar, probability_shift: Scalar,
    probability_keys: Scalar, out_shift: Scalar, scratch: Scratch, out: NDArray[np.int32],
    scores: NDArray[np.int32], magnitudes: NDArray[np.int64],
) -> None:
    """The slopes of the values, in the last third of `out`, and of the scores, with each matrix's magnitude.

    z [N, d]: slopes of the means before rs(z, shift). value_shifts: of each matrix; its sums then take out_shift less
    that. scratch: see new_value_scratch.
    """
    values, rows, pairs, shares, tile, fine, drawn = scratch
    length, width = inverses.shape[1], z.shape[1]
    heads = inverses.shape[0] * length // z.shape[0]
    head_dim = width // heads
    first, last = split_shift(shift)
    for pair in range(inverses.shape[0]):
        value_shift, largest = value_shifts[pair], np.int64(0)
        base, column = (pair // heads) * length, (pair % heads) * head_dim
        pack_across(parts, base, length, 2 * width + column, head_dim, values)
        for row in range(length + length % 2):
            line = row % 2
            if row < length:
                flat = (pair * length + row) * head_dim
                inverse = np.int64(inverses[pair, row])
                coarse = z[base + row, column:column + head_dim]
                for index in range(coarse.size):
                    w = bound32(round32(coarse[index], first, last), _FINE_MAX)
                    fine[0, index] = w
                    fine[1, index] = (np.int64(w) * inverse + _PROBABILITY_HALF) >> _PROBABILITY_SHIFT
                draw_row(fine[0], head_dim, flat, probability_shift, probability_keys, rows[row])
                draw_row(fine[1], head_dim, flat, value_shift, value_keys, drawn[line])
            else:
                drawn[line, :] = 0
            if line == 1:
                for index in range(head_dim):
                    pairs[row // 2, index] = join_word(drawn[0, index], drawn[1, index])
        pack_weights(weights[pair], length, shares)
        for start in range(0, length, ROWS):
            multiply_columns(shares, start, pairs, (length + 1) // 2, head_dim, tile)
            for row in range(start, min(start + ROWS, length)):
                write_row(tile[row - start], 1, out_shift - value_shift,
                          out[base + row, 2 * width + column:2 * width + column + head_dim])
        for start in range(0, length, ROWS):
            multiply_rows(
                rows.ctypes.data + 2 * start * head_dim, 2 * head_dim, head_dim // 2, values, start + ROWS, tile
            )
            for row in range(start, min(start + ROWS, length)):
                most = slope_row(weights[pair, row], inverses[pair, row], tile[row - start], row + 1,
                                 scores[pair, row])
                largest = max(largest, most)
        magnitudes[pair] = largest


@compiled(types.void(
    types.int32[:, :, ::1], OPERANDS, types.int64[::1], KEYS, types.int64, types.int64, types.int64,
    types.Tuple((WORDS, WORDS, SHORTS, WORDS, WORDS)), WORDS,
))
def slope_scores(
    scores: NDArray[np.int32], parts: NDArray[np.int8], shifts: NDArray[np.int64], score_keys: Scalar, factor: Scalar,
    query_shift: Scalar, key_shift: Scalar, scratch: Scratch, out: NDArray[np.int32],
) -> None:
    """The slopes of queries and keys, in the first two thirds of `out`, of the slopes of scores.

    shifts: of each matrix; its sums then take query_shift and key_shift less that. scratch: see new_score_scratch.
    """
    queries, keys, line, shares, tile = scratch
    length, width = scores.shape[1], out.shape[1] // 3
    heads = scores.shape[0] * length // out.shape[0]
    head_dim = width // heads
    for pair in range(scores.shape[0]):
        shift = shifts[pair]
        base, column = (pair // heads) * length, (pair % heads) * head_dim
        pack_along(parts, base, length, column, head_dim, queries)
        pack_along(parts, base, length, width + column, head_dim, keys)
        for start in range(0, length, ROWS):
            for row in range(start, start + ROWS):
                count = row + 1 if row < length else 0
                if row < length:
                    draw_row(scores[pair, row], count, (pair * length + row) * length, shift, score_keys,
                             line[row - start])
                line[row - start, count:start + ROWS] = 0
            multiply_rows(line.ctypes.data, 2 * line.shape[1], (start + ROWS) // 2, keys, head_dim, tile)
            for row in range(start, min(start + ROWS, length)):
                write_row(tile[row - start], factor, query_shift - shift, out[base + row, column:column + head_dim])
            for half in range(2):
                for index in range(start + ROWS):
                    shares[start // 2 + half, index] = join_word(line[2 * half, index], line[2 * half + 1, index])
        for start in range(0, length, ROWS):
            multiply_columns(shares, start, queries, (length + 1) // 2, head_dim, tile)
            for row in range(start, min(start + ROWS, length)):
                write_row(tile[row - start], factor, key_shift - shift,
                          out[base + row, width + column:width + column + head_dim])


@compiled("void(int32[:, ::1], int32[:, ::1], int32[:, ::1], int64)")
def turn_back(
    slopes: NDArray[np.int32], cosines: NDArray[np.int32], sines: NDArray[np.int32], heads: int
) -> None:
    """In place: the slopes of q and k before their rotation, bounded to 2**30 - 1."""
    length, half = cosines.shape
    limit = np.int64(_SLOPE_MAX)
    for row in range(slopes.shape[0]):
        step = row % length
        for head in range(2 * heads):
            at = head * 2 * half
            firsts, seconds = slopes[row, at:at + half], slopes[row, at + half:at + 2 * half]
            for index in range(half):
                first, second = np.int64(firsts[index]), np.int64(seconds[index])
                cosine, sine = np.int64(cosines[step, index]), np.int64(sines[step, index])
                firsts[index] = bound((first * cosine + second * sine + _TURN_HALF) >> _TURN_SHIFT, limit)
                seconds[index] = bound((second * cosine - first * sine + _TURN_HALF) >> _TURN_SHIFT, limit)
