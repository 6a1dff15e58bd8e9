"""Causal attention on the CPU: one (batch, head) at a time, in cache.  Same functions as ref.py.

Operands are int8 outside and pairs of int16 inside (kernels/pairs.py). Of the weights only columns j <= i are computed,
stored and read.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from kernels import arrays, attention, circle, gin1
from kernels.attention import Keys, Shape, forward_loops, packing, slope_loops
from kernels.lanes import bring_to, find_magnitude
from kernels.tensor import Tensor

_BITS = gin1.OPERAND_BITS
_POWER_SHIFT = attention.SCALE_EXPONENT - gin1.POWER_FRACTION_BITS
_NARROW_SHIFT_MAX = 32
_WORD_MAX = 2**32 - 2


class Saved(NamedTuple):
    """What the slope needs of the forward pass.

    parts: int8 [N, 3d], the operands q, k and v; exponents: theirs. weights: int8 [batch * heads, length, length], of
    which only columns j <= i are written. inverses: int32 [batch * heads, length].
    """

    shape: Shape
    rotary: bool
    parts: NDArray[np.int8]
    exponents: tuple[int, int, int]
    weights: NDArray[np.int8]
    inverses: NDArray[np.int32]


def forward(x: Tensor, shape: Shape, rotary: bool) -> tuple[Tensor, Saved]:
    """(o, saved): every token's mean of the values up to it, weighted by the softmax of its scores."""
    batch, length, heads, head_dim = shape
    values = x.values
    if rotary:
        values = arrays.new_array(x.values.shape, np.int32)
        forward_loops.rotate(x.values, *_find_turns(length, head_dim), heads, values)
    shifts = [gin1.compute_operand_shift(most, x.exponent, _BITS) for most in forward_loops.find_magnitudes(values)]
    parts = arrays.new_array(values.shape, np.int8)
    forward_loops.round_parts(values, shifts[0], shifts[1], shifts[2], parts)
    q, k, v = (x.exponent - shift for shift in shifts)
    weights = arrays.new_array((batch * heads, length, length), np.int8)
    inverses = arrays.new_array((batch * heads, length), np.int32)
    mean = arrays.new_array((batch * length, heads * head_dim), np.int16)
    shift = q + k + _POWER_SHIFT
    cap, is_narrow = find_cap(head_dim, shift)
    largest = forward_loops.attend(
        parts, heads, attention.POWER_SCALES[head_dim], shift, cap, is_narrow,
        packing.new_forward_scratch(length, head_dim), weights, inverses, mean,
    )
    shift = gin1.compute_operand_shift(int(largest), v + attention.MEAN_EXPONENT, _BITS)
    o = arrays.new_array(mean.shape, np.int8)
    forward_loops.round_means(mean.reshape(-1), shift, o.reshape(-1))
    return Tensor(o, v + attention.MEAN_EXPONENT - shift), Saved(shape, rotary, parts, (q, k, v), weights, inverses)


def backward(x: Tensor, saved: Saved, keys: Keys) -> Tensor:
    """The slopes of queries, keys and values, side by side."""
    _, length, heads, head_dim = saved.shape
    out = arrays.new_array(saved.parts.shape, np.int32)
    scores, magnitudes = _slope_values(x, saved, keys, out)
    _slope_scores(scores, magnitudes, saved, keys, out)
    if saved.rotary:
        slope_loops.turn_back(out, *_find_turns(length, head_dim), heads)
    return Tensor(out, attention.SLOPE_EXPONENT)


def _slope_values(
    x: Tensor, saved: Saved, keys: Keys, out: NDArray[np.int32]
) -> tuple[Tensor, NDArray[np.int64]]:
    """The slopes of the values, written to out; those of the scores, of which only columns j <= i are written.

    Beside them the magnitude of each matrix of them.
    """
    _, length, heads, head_dim = saved.shape
    shift = gin1.compute_operand_shift(find_magnitude(x), x.exponent, attention.FINE_BITS)
    fine = x.exponent - shift
    z, shift = bring_to(x, shift, 2**attention.FINE_BITS - 1)
    weighted = np.zeros(len(saved.inverses), dtype=np.int64)
    most = slope_loops.find_slope_magnitudes(z, shift, saved.inverses, weighted)
    value_shifts = _find_shifts(weighted, fine + attention.PROBABILITY_BITS)
    probability_shift = gin1.compute_operand_shift(most, fine, _BITS)
    scores = arrays.new_array(saved.weights.shape, np.int32)
    magnitudes = np.zeros(len(saved.inverses), dtype=np.int64)
    slope_loops.slope_values(
        z, shift, saved.parts, saved.weights, saved.inverses, value_shifts, keys.value, probability_shift,
        keys.probability, fine + attention.PROBABILITY_BITS - attention.SLOPE_EXPONENT,
        packing.new_value_scratch(length, head_dim), out, scores, magnitudes,
    )
    exponent = fine - probability_shift + saved.exponents[2] + attention.PROBABILITY_BITS - attention.SCORE_SHIFT
    return Tensor(scores, exponent), magnitudes


def _slope_scores(
    scores: Tensor, magnitudes: NDArray[np.int64], saved: Saved, keys: Keys, out: NDArray[np.int32]
) -> None:
    """The slopes of queries and keys, written to out."""
    _, length, _, head_dim = saved.shape
    q, k, _ = saved.exponents
    shifts = _find_shifts(magnitudes, scores.exponent)
    rise = scores.exponent + attention.SCALE_EXPONENT - attention.SLOPE_EXPONENT
    slope_loops.slope_scores(
        scores.values, saved.parts, shifts, keys.score, attention.SLOPE_SCALES[head_dim], rise + k, rise + q,
        packing.new_score_scratch(length, head_dim), out,
    )


def _find_shifts(magnitudes: NDArray[np.int64], exponent: int) -> NDArray[np.int64]:
    """The operand shift of each matrix of a stack."""
    return np.array([gin1.compute_operand_shift(int(most), exponent, _BITS) for most in magnitudes], dtype=np.int64)


def find_cap(head_dim: int, shift: int) -> tuple[int, bool]:
    """(cap, whether uint32 holds the powers): a score `cap` below the largest, or more, has the largest power.

    |scores| <= head_dim * 127**2, so nothing is further below than twice that.
    """
    factor, furthest = attention.POWER_SCALES[head_dim], 2 * head_dim * gin1.OPERAND_MAX**2
    if not 0 <= shift <= _NARROW_SHIFT_MAX:
        return furthest, False
    enough = ((attention.POWER_MAX << shift) - (1 << shift >> 1) + factor - 1) // factor
    cap = min(furthest, enough)
    return cap, cap * factor <= _WORD_MAX


@lru_cache(maxsize=4)
def _find_turns(length: int, head_dim: int) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """(cosines, sines) int32 [length, head_dim / 2] of the rotation of every position and pair."""
    frequencies = np.array(circle.rotary_frequencies(head_dim), dtype=np.int64)
    phases = (np.arange(length, dtype=np.int64)[:, None] * frequencies) & np.int64(2**circle.PHASE_BITS - 1)
    index = phases >> np.int64(circle.PHASE_BITS - circle.TURN_BITS)
    table = np.array(circle.cosine_table(), dtype=np.int32)
    return table[index], table[(index - circle.TURN // 4) & (circle.TURN - 1)]
