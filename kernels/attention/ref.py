"""Reference of causal attention in numpy int64: the truth.  Source: kernels/decoder/README.md section 17."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from kernels import attention, circle, exact, gin1
from kernels.attention import Keys, Shape
from kernels.exact import Ints
from kernels.quantise import ref as quantise
from kernels.tensor import Tensor


class Saved(NamedTuple):
    """Operands q, k, v [batch * heads, length, head_dim], weights e [.., length, length], inverses r [.., length]."""

    shape: Shape
    rotary: bool
    q: Tensor
    k: Tensor
    v: Tensor
    e: Ints
    r: Ints


def forward(x: Tensor, shape: Shape, rotary: bool) -> tuple[Tensor, Saved]:
    """(o, saved): every token's mean of the values up to it, weighted by the softmax of its scores."""
    parts = [split_heads(part, shape) for part in np.split(x.values, 3, axis=1)]
    if rotary:
        parts[:2] = [rotate(part, 1) for part in parts[:2]]
    q, k, v = (quantise.nearest(Tensor(part, x.exponent)) for part in parts)
    scores = Tensor(q.values @ k.values.transpose(0, 2, 1), q.exponent + k.exponent)
    e = compute_weights(scores, shape.head_dim)
    r = np.int64(1 << attention.INVERSE_BITS) // e.sum(axis=2)
    mean = exact.round_shift((e @ v.values) * r[:, :, None], attention.MEAN_SHIFT)
    o = quantise.nearest(Tensor(join_heads(mean, shape), v.exponent + attention.MEAN_EXPONENT))
    return o, Saved(shape, rotary, q, k, v, e, r)


def compute_weights(scores: Tensor, head_dim: int) -> Ints:
    """7-bit weights relative to the largest of each row, 0 for later tokens."""
    causal = np.tril(np.ones(scores.values.shape[1:], dtype=bool))
    lowest = np.iinfo(np.int64).min
    largest = np.where(causal, scores.values, lowest).max(axis=2, keepdims=True)
    below = np.where(causal, largest - scores.values, 0) * np.int64(attention.POWER_SCALES[head_dim])
    shift = scores.exponent + attention.SCALE_EXPONENT - gin1.POWER_FRACTION_BITS
    power = np.minimum(exact.scale(below, shift), np.int64(attention.POWER_MAX))
    fraction = power & np.int64(1023)
    grown = (65536 - ((fraction * (43008 - 10 * fraction)) >> np.int64(10))) >> (power >> np.int64(10))
    weights = np.minimum(exact.round_shift(grown, 9), np.int64(attention.WEIGHT_MAX))
    return np.where(causal, weights, 0)


def backward(x: Tensor, saved: Saved, keys: Keys) -> Tensor:
    """The slopes of queries, keys and values, side by side."""
    shape, q, k, v = saved.shape, saved.q, saved.k, saved.v
    factor = np.int64(attention.SLOPE_SCALES[shape.head_dim])
    shift = gin1.compute_operand_shift(exact.magnitude(x.values), x.exponent, attention.FINE_BITS)
    limit = 2**attention.FINE_BITS - 1
    w = Tensor(split_heads(exact.clip(exact.round_shift(x.values, shift), limit), shape), x.exponent - shift)
    weighted = exact.round_shift(w.values * saved.r[:, :, None], attention.PROBABILITY_BITS)
    g1, values = draw_each(Tensor(weighted, w.exponent + attention.PROBABILITY_BITS), keys.value)
    dv = bring(saved.e.transpose(0, 2, 1) @ g1, values)
    g2 = quantise.draw(w, keys.probability)
    dp = Tensor(g2.values @ v.values.transpose(0, 2, 1), g2.exponent + v.exponent)
    g3, scores = draw_each(compute_score_slope(dp, saved), keys.score)
    dq = bring(g3 @ k.values * factor, [score + k.exponent + attention.SCALE_EXPONENT for score in scores])
    dk = bring(g3.transpose(0, 2, 1) @ q.values * factor,
               [score + q.exponent + attention.SCALE_EXPONENT for score in scores])
    parts = [dq, dk]
    if saved.rotary:
        parts = [exact.clip(rotate(part, -1), attention.SLOPE_MAX) for part in parts]
    joined = [join_heads(part, shape) for part in (*parts, dv)]
    return Tensor(np.concatenate(joined, axis=1), attention.SLOPE_EXPONENT)


def compute_score_slope(dp: Tensor, saved: Saved) -> Tensor:
    """The slope of the scores by the slope dp of the softmax: each against the weighted mean of its row."""
    p = exact.round_shift(saved.e * saved.r[:, :, None], attention.PROBABILITY_BITS)
    mean = exact.round_shift((p * dp.values).sum(axis=2, keepdims=True), attention.PROBABILITY_BITS)
    slope = exact.round_shift(p * (dp.values - mean), attention.SCORE_SHIFT)
    return Tensor(slope, dp.exponent + attention.PROBABILITY_BITS - attention.SCORE_SHIFT)


def draw_each(x: Tensor, keys: tuple[int, int]) -> tuple[Ints, list[int]]:
    """(operands, their exponents): each matrix of a stack by stochastic rounding with its own exponent.

    The element of index i in the whole stack uses random word i.
    """
    words = exact.random_words(x.values.size, keys).reshape(x.values.shape)
    operands, exponents = np.empty_like(x.values), []
    for index, matrix in enumerate(x.values):
        shift = gin1.compute_operand_shift(exact.magnitude(matrix), x.exponent, gin1.OPERAND_BITS)
        noise = words[index] & np.int64((1 << shift) - 1)
        operands[index] = exact.clip((matrix + noise) >> np.int64(shift), gin1.OPERAND_MAX)
        exponents.append(x.exponent - shift)
    return operands, exponents


def bring(stack: Ints, exponents: list[int]) -> Ints:
    """Each matrix of a stack from its own exponent to 24, bounded."""
    brought = [exact.scale(matrix, of - attention.SLOPE_EXPONENT) for matrix, of in zip(stack, exponents)]
    return exact.clip(np.stack(brought), attention.SLOPE_MAX)


def rotate(part: Ints, direction: int) -> Ints:
    """Pairs (j, j + head_dim / 2) of [batch * heads, length, head_dim], turned by their position; -1 turns back."""
    length, half = part.shape[1], part.shape[2] // 2
    frequencies = np.array(circle.rotary_frequencies(2 * half), dtype=np.int64)
    phases = (np.arange(length, dtype=np.int64)[:, None] * frequencies) & np.int64(2**circle.PHASE_BITS - 1)
    index = phases >> np.int64(circle.PHASE_BITS - circle.TURN_BITS)
    table = np.array(circle.cosine_table(), dtype=np.int64)
    cosine = table[index]
    sine = table[(index - circle.TURN // 4) & (circle.TURN - 1)] * np.int64(direction)
    first, second = part[:, :, :half], part[:, :, half:]
    turned = (first * cosine - second * sine, first * sine + second * cosine)
    return np.concatenate([exact.round_shift(side, circle.COSINE_BITS) for side in turned], axis=2)


def split_heads(rows: Ints, shape: Shape) -> Ints:
    """[batch * length, heads * head_dim] to [batch * heads, length, head_dim]."""
    batch, length, heads, head_dim = shape
    apart = rows.reshape(batch, length, heads, head_dim).transpose(0, 2, 1, 3)
    return np.ascontiguousarray(apart).reshape(batch * heads, length, head_dim)


def join_heads(parts: Ints, shape: Shape) -> Ints:
    """[batch * heads, length, head_dim] to [batch * length, heads * head_dim]."""
    batch, length, heads, head_dim = shape
    together = parts.reshape(batch, heads, length, head_dim).transpose(0, 2, 1, 3)
    return np.ascontiguousarray(together).reshape(batch * length, heads * head_dim)
