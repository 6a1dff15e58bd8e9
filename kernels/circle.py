"""Integer tables of the circle: cosines, and the angles by which rotary positions turn.

Reads/Writes: nothing. Needs neither numpy nor numba; made of integer square roots alone, so equal everywhere.
Source: kernels/decoder/README.md section 14.
"""

from __future__ import annotations

from functools import lru_cache
from math import isqrt

TURN_BITS = 12
TURN = 1 << TURN_BITS
COSINE_BITS = 14
PHASE_BITS = 32
ROTARY_BASE = 10000

_GUARD_BITS = 128
_ONE = 1 << _GUARD_BITS
_PER_RADIAN_Q64 = 0x28BE60DB9391054A  # round(2**64 / (2 * pi))


@lru_cache(maxsize=1)
def cosine_table() -> tuple[int, ...]:
    """round(2**14 * cos(2 * pi * i / 4096)) for i in 0..4095."""
    quarter = TURN // 4
    rising = [_find_cosine(index) for index in range(quarter + 1)]
    half = rising + [-value for value in reversed(rising[:-1])]
    return tuple(half + half[-2:0:-1])


@lru_cache(maxsize=1)
def _half_angles() -> tuple[tuple[int, int], ...]:
    """(cos, sin) * 2**128 of 2 * pi * 2**k / 4096 for k in 0..10, by halving a quarter of a turn."""
    cosine, sine = 0, _ONE
    pairs = [(cosine, sine)]
    for _ in range(TURN_BITS - 2):
        cosine, sine = isqrt((_ONE + cosine) * (_ONE // 2)), isqrt((_ONE - cosine) * (_ONE // 2))
        pairs.append((cosine, sine))
    return tuple(reversed(pairs))


def _find_cosine(index: int) -> int:
    """One entry of the first quarter: the angles of the bits of `index`, added, then rounded half up."""
    cosine, sine = _ONE, 0
    for bit, (c, s) in enumerate(_half_angles()):
        if index >> bit & 1:
            cosine, sine = (cosine * c - sine * s) >> _GUARD_BITS, (cosine * s + sine * c) >> _GUARD_BITS
    drop = _GUARD_BITS - COSINE_BITS
    return (cosine + (1 << (drop - 1))) >> drop


@lru_cache(maxsize=8)
def rotary_frequencies(head_dim: int) -> tuple[int, ...]:
    """How far pair j of a head turns per position, in 2**-32 turns, for j below head_dim / 2.

    round(2**32 / (2 * pi) * 10000 ** (-2 * j / head_dim)), from integer roots. head_dim: a power of two.
    """
    frequencies = []
    for pair in range(head_dim // 2):
        root = (1 << (64 * head_dim)) // ROTARY_BASE ** (2 * pair)
        for _ in range(head_dim.bit_length() - 1):
            root = isqrt(root)
        frequencies.append((root * _PER_RADIAN_Q64 + (1 << 95)) >> 96)
    return tuple(frequencies)
