"""Causal attention of several heads, with or without rotary positions, and its slope.

An op of the array level: `dispatch.implementation("attention")` gives forward and backward on the back end in use.
Source: kernels/decoder/README.md section 17.

    forward(x, shape, rotary) -> (o, saved)
        x: Tensor int32 [batch * length, 3 * heads * head_dim], |x| < 2**28: queries, keys, values of all heads.
        o: Tensor int8 [batch * length, heads * head_dim]. saved: for backward; each back end has its own.
    backward(x, saved, keys) -> slope
        x: Tensor int32, or int64 with wide gradients, of o's shape, |x| < 2**36: the slope of o.
        slope: Tensor int32 of the shape of forward's x, at exponent 24, |slope| <= 2**30 - 1, with its magnitude
        where that is known.
"""

from __future__ import annotations

from typing import NamedTuple

HEAD_DIMS = (8, 16, 32, 64, 128, 256)
# round(2**14 * log2(e) / sqrt(head_dim)): of exponents of two in the softmax; and round(2**14 / sqrt(head_dim)).
POWER_SCALES = {8: 8357, 16: 5909, 32: 4178, 64: 2955, 128: 2089, 256: 1477}
SLOPE_SCALES = {8: 5793, 16: 4096, 32: 2896, 64: 2048, 128: 1448, 256: 1024}
SCALE_EXPONENT = 14
POWER_MAX = 2**14 - 1
WEIGHT_MAX = 127
INVERSE_BITS = 30
MEAN_SHIFT = 22
MEAN_EXPONENT = 8
PROBABILITY_BITS = 15
FINE_BITS = 20
SCORE_SHIFT = 8
SLOPE_EXPONENT = 24
SLOPE_MAX = 2**30 - 1


class Shape(NamedTuple):
    """batch rows of `length` tokens each; heads of head_dim columns (one of HEAD_DIMS)."""

    batch: int
    length: int
    heads: int
    head_dim: int


class Keys(NamedTuple):
    """The keys of the three stochastic roundings of the slope."""

    value: tuple[int, int]
    probability: tuple[int, int]
    score: tuple[int, int]
