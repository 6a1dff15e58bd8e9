"""The compiled loops of cpu.py. Rows are tokens; each has its own exponents.  Source: README.md beside this file.

Shapes: h [rows, width] int32, the residual stream; sums [rows, columns] int32, of a product.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from kernels import activation, attention, gin1, norm
from kernels.elementwise import bound, round_shift, scale
from kernels.generate import rules
from kernels.jit import Scalar, compiled, inlined
from kernels.norm.cpu import root64

_OPERAND_MAX = gin1.OPERAND_MAX
_LOG2_E = gin1.LOG2_E_Q14
_POWER_MAX = gin1.POWER_MAX
_STREAM_MAX = norm.STREAM_MAX
_CACHE_MAX = rules.CACHE_MAX
_LOGIT_MAX = rules.LOGIT_MAX
_EPSILON = norm.EPSILON
_SOFTMAX_POWER_MAX = attention.POWER_MAX
_BELOW_MAX = rules.BELOW_MAX
_FINE_BITS, _FINE_MAX, _SQUARE_BITS = activation.FINE_BITS, activation.FINE_MAX, activation.SQUARE_BITS
_LOSS_BITS = rules.LOSS_BITS
_INT32_TERMS = 256


@inlined
def find_shift(magnitude: Scalar, exponent: Scalar, bits: Scalar) -> Scalar:
    """Right shift to `bits` bits and an exponent of at most 24."""
    shift = max(np.int64(0), exponent - 24)
    while (magnitude >> shift) >> bits != 0:
        shift += 1
    return shift


@compiled("void(int32[:, ::1], int32[:, ::1], int64[::1], int64, boolean, int32[:, ::1])")
def embed(
    embeddings: NDArray[np.int32], positions: NDArray[np.int32], tokens: NDArray[np.int64], start: int,
    has_positions: bool, h: NDArray[np.int32],
) -> None:
    """The residual stream of tokens at positions start, start + 1, ..."""
    for row in range(tokens.size):
        for column in range(h.shape[1]):
            value = np.int64(embeddings[tokens[row], column])
            if has_positions:
                value += np.int64(positions[start + row, column])
            h[row, column] = bound(round_shift(value, np.int64(8)), _STREAM_MAX)


@compiled("void(int32[:, ::1], int8[:, ::1])")
def normalise(h: NDArray[np.int32], out: NDArray[np.int8]) -> None:
    """Operands of every row, divided by its root mean square, at exponent 5."""
    for row in range(h.shape[0]):
        total = np.int64(0)
        for column in range(h.shape[1]):
            total += np.int64(h[row, column]) * np.int64(h[row, column])
        rate = (np.int64(1) << 32) // root64(total // h.shape[1] + _EPSILON)
        for column in range(h.shape[1]):
            value = (np.int64(h[row, column]) * rate + (1 << 19)) >> 20
            out[row, column] = bound((value + 64) >> 7, _OPERAND_MAX)


@compiled("void(int16[:, ::1], int8[:, ::1], int32[:, ::1])")
def multiply_rows(operand: NDArray[np.int16], weights: NDArray[np.int8], out: NDArray[np.int32]) -> None:
    """operand @ transpose(weights); every row of weights is read once and serves all rows of the operand."""
    for column in range(weights.shape[0]):
        for row in range(operand.shape[0]):
            total = np.int32(0)
            for index in range(weights.shape[1]):
                total += np.int32(operand[row, index]) * np.int32(weights[column, index])
            out[row, column] = total


@compiled("void(int32[:, ::1], int64, int64, int16[:, ::1], int16[:, :, ::1], int16[:, :, ::1])")
def fill_cache(
    sums: NDArray[np.int32], shift: int, start: int, query: NDArray[np.int16], keys: NDArray[np.int16],
    values: NDArray[np.int16],
) -> None:
    """Queries, keys and values at exponent 8 from sums [rows, 3 * width] of tokens at start, start + 1, ..."""
    width, head_dim = query.shape[1], keys.shape[1]
    for row in range(sums.shape[0]):
        for column in range(width):
            head, index = column // head_dim, column % head_dim
            query[row, column] = bound(scale(np.int64(sums[row, column]), shift), _CACHE_MAX)
            keys[head, index, start + row] = bound(scale(np.int64(sums[row, width + column]), shift), _CACHE_MAX)
            values[head, start + row, index] = bound(scale(np.int64(sums[row, 2 * width + column]), shift), _CACHE_MAX)


@compiled("void(int32[:, ::1], int64, int64, int64[::1], int64[::1])")
def turn(
    sums: NDArray[np.int32], start: int, head_dim: int, frequencies: NDArray[np.int64], cosines: NDArray[np.int64]
) -> None:
    """In place: rotary positions of the queries and keys in sums [rows, 3 * width]."""
    half = head_dim // 2
    for row in range(sums.shape[0]):
        for index in range(half):
            phase = (((start + row) * frequencies[index]) & 0xFFFFFFFF) >> 20
            cosine, sine = cosines[phase], cosines[(phase - 1024) & 4095]
            for column in range(index, 2 * (sums.shape[1] // 3), head_dim):
                first, second = np.int64(sums[row, column]), np.int64(sums[row, column + half])
                sums[row, column] = (first * cosine - second * sine + (1 << 13)) >> 14
                sums[row, column + half] = (first * sine + second * cosine + (1 << 13)) >> 14


@inlined
def find_weight(power: Scalar) -> Scalar:
    """2**(7 - power / 1024) as an integer in 0..127, by a parabola; power in 0..16383."""
    fraction = power & 1023
    curve = 65536 - ((fraction * (43008 - 10 * fraction)) >> 10)
    return min(((curve >> (power >> 10)) + 256) >> 9, np.int64(_OPERAND_MAX))


@inlined
def rate_places(query: Scalar, keys: Scalar, head: Scalar, factor: Scalar, scores: Scalar) -> None:
    """scores[place] = the query's product with each key [head, index, place], as a power of two at exponent 10."""
    head_dim = keys.shape[1]
    scores[:] = 0
    for index in range(0, head_dim, 4):
        q0, q1 = np.int32(query[head * head_dim + index]), np.int32(query[head * head_dim + index + 1])
        q2, q3 = np.int32(query[head * head_dim + index + 2]), np.int32(query[head * head_dim + index + 3])
        k0, k1, k2, k3 = keys[head, index], keys[head, index + 1], keys[head, index + 2], keys[head, index + 3]
        for place in range(scores.size):
            # Two products of 15-bit integers fit int32.
            first = np.int64(q0 * np.int32(k0[place]) + q1 * np.int32(k1[place]))
            scores[place] += first + np.int64(q2 * np.int32(k2[place]) + q3 * np.int32(k3[place]))
    for place in range(scores.size):
        scores[place] = (scores[place] * factor + (1 << 19)) >> 20


@inlined
def weigh_places(scores: Scalar, weights: Scalar) -> Scalar:
    """The weight 0..127 of each place; returns their sum."""
    largest = scores[0]
    for place in range(scores.size):
        largest = max(largest, scores[place])
    total = np.int64(0)
    for place in range(scores.size):
        weight = find_weight(min(largest - scores[place], np.int64(_SOFTMAX_POWER_MAX)))
        weights[place] = weight
        total += weight
    return total


@inlined
def mix_places(weights: Scalar, values: Scalar, head: Scalar, part: Scalar, mixed: Scalar) -> None:
    """mixed = the weighted sum of the values [head, place, index]; part is scratch of the same size."""
    mixed[:] = 0
    for first in range(0, weights.size, _INT32_TERMS):
        part[:] = 0
        for place in range(first, min(first + _INT32_TERMS, weights.size)):
            weight, row = weights[place], values[head, place]
            for index in range(part.size):
                part[index] += weight * np.int32(row[index])
        for index in range(part.size):
            mixed[index] += part[index]


@compiled("void(int16[:, ::1], int16[:, :, ::1], int16[:, :, ::1], int64, int64, int32[:, ::1])")
def attend(
    query: NDArray[np.int16], keys: NDArray[np.int16], values: NDArray[np.int16], start: int, factor: int,
    out: NDArray[np.int32],
) -> None:
    """Causal attention of tokens at start, start + 1, ... to all up to their own; out at exponent 16."""
    heads, head_dim = keys.shape[0], keys.shape[1]
    scores, weights = np.empty(start + query.shape[0], np.int64), np.empty(start + query.shape[0], np.int32)
    part, mixed = np.empty(head_dim, np.int32), np.empty(head_dim, np.int64)
    for head in range(heads):
        for row in range(query.shape[0]):
            end = start + row + 1
            rate_places(query[row], keys, head, factor, scores[:end])
            inverse = (np.int64(1) << 30) // weigh_places(scores[:end], weights)
            mix_places(weights[:end], values, head, part, mixed)
            for index in range(head_dim):
                out[row, head * head_dim + index] = (mixed[index] * inverse + (1 << 21)) >> 22


@compiled("void(int32[:, ::1], int64, int8[:, ::1], int64[::1])")
def quantise(values: NDArray[np.int32], exponent: int, out: NDArray[np.int8], exponents: NDArray[np.int64]) -> None:
    """Operands of every row by rounding half up, and their exponents."""
    for row in range(values.shape[0]):
        largest = np.int64(0)
        for column in range(values.shape[1]):
            largest = max(largest, abs(np.int64(values[row, column])))
        shift = find_shift(largest, exponent, np.int64(7))
        exponents[row] = exponent - shift
        for column in range(values.shape[1]):
            out[row, column] = bound(round_shift(np.int64(values[row, column]), shift), _OPERAND_MAX)


@compiled("void(int32[:, ::1], int64, int8[:, ::1], int64[::1])")
def activate(sums: NDArray[np.int32], exponent: int, out: NDArray[np.int8], exponents: NDArray[np.int64]) -> None:
    """Squared ReLU of every row as operands, and their exponents."""
    for row in range(sums.shape[0]):
        largest = np.int64(0)
        for column in range(sums.shape[1]):
            largest = max(largest, np.int64(sums[row, column]))
        first = find_shift(largest, exponent, np.int64(_FINE_BITS))
        most = min(round_shift(largest, first), np.int64(_FINE_MAX))
        second = find_shift(most * most, 2 * (exponent - first), np.int64(_SQUARE_BITS))
        exponents[row] = 2 * (exponent - first) - second
        for column in range(sums.shape[1]):
            value = min(round_shift(max(np.int64(sums[row, column]), np.int64(0)), first), np.int64(_FINE_MAX))
            out[row, column] = min(round_shift(value * value, second), np.int64(_OPERAND_MAX))


@compiled("void(int32[:, ::1], int32[:, ::1], int64[::1], int64)")
def add(h: NDArray[np.int32], sums: NDArray[np.int32], exponents: NDArray[np.int64], rise: int) -> None:
    """In place: every row of h gains its row of sums, shifted right by exponents[row] + rise."""
    for row in range(h.shape[0]):
        shift = exponents[row] + rise
        for column in range(h.shape[1]):
            value = np.int64(h[row, column]) + scale(np.int64(sums[row, column]), shift)
            h[row, column] = bound(value, _STREAM_MAX)


@compiled("void(int32[:, ::1], int64, int32[:, ::1])")
def scale_logits(sums: NDArray[np.int32], shift: int, out: NDArray[np.int32]) -> None:
    """Logits at exponent 16."""
    for row in range(sums.shape[0]):
        for column in range(sums.shape[1]):
            out[row, column] = bound(scale(np.int64(sums[row, column]), shift), _LOGIT_MAX)


@inlined
def find_power(below: Scalar, table: Scalar, more_bits: Scalar) -> Scalar:
    """2**(16 + more_bits) * e**-x for x = below at exponent 16."""
    power = min((below * _LOG2_E + (1 << 19)) >> 20, np.int64(_POWER_MAX))
    return (table[power & 1023] << more_bits) >> (power >> 10)


@compiled("void(int32[::1], int64[::1], int64, uint64[::1])")
def weigh(logits: NDArray[np.int32], table: NDArray[np.int64], temperature: int, out: NDArray[np.uint64]) -> None:
    """The weight of every token at a temperature with 16 fraction bits."""
    largest = np.int64(logits[0])
    for index in range(logits.size):
        largest = max(largest, np.int64(logits[index]))
    for index in range(logits.size):
        below = ((largest - np.int64(logits[index])) << 16) // temperature
        out[index] = np.uint64(find_power(min(below, np.int64(_BELOW_MAX)), table, np.int64(0)))


@compiled("void(int32[::1], int64, int64, uint64[::1])")
def keep_largest(logits: NDArray[np.int32], last: int, count: int, weights: NDArray[np.uint64]) -> None:
    """Zero the weights of all but `count` tokens: those above `last`, and the first that equal it."""
    room = count
    for index in range(logits.size):
        if logits[index] > last:
            room -= 1
    for index in range(logits.size):
        if logits[index] == last and room > 0:
            room -= 1
        elif logits[index] <= last:
            weights[index] = np.uint64(0)


@compiled("void(int32[:, ::1], int64[::1], int64[::1], int64[::1], int64[::1])")
def measure(
    logits: NDArray[np.int32], targets: NDArray[np.int64], table: NDArray[np.int64], below: NDArray[np.int64],
    totals: NDArray[np.int64],
) -> None:
    """For every row how far its target is below the largest logit, and the sum of the weights."""
    for row in range(targets.size):
        largest = np.int64(logits[row, 0])
        for column in range(logits.shape[1]):
            largest = max(largest, np.int64(logits[row, column]))
        total = np.int64(0)
        for column in range(logits.shape[1]):
            total += find_power(largest - np.int64(logits[row, column]), table, np.int64(_LOSS_BITS))
        below[row], totals[row] = largest - np.int64(logits[row, targets[row]]), total
