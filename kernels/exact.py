"""The elementary integer rules on int64 arrays, as the specification words them.

Reads/Writes: nothing. Used by every ref.py; each cpu.py has its own and must agree.
Source: kernels/README.md, sections 3 and 4.
"""

from __future__ import annotations

from math import isqrt

import numpy as np
from numpy.typing import NDArray

from kernels import gin1

Ints = NDArray[np.int64]
_MASK32 = np.int64(0xFFFFFFFF)


def round_shift(values: Ints, shift: int) -> Ints:
    """values * 2**-shift, rounded half up. shift >= 0; |values| + 2**(shift-1) must fit int64."""
    if shift == 0:
        return values
    return (values + np.int64(1 << (shift - 1))) >> np.int64(shift)


def scale(values: Ints, shift: int) -> Ints:
    """values * 2**-shift: rounded half up for shift >= 0, saturating at +-2**40 for shift < 0."""
    if shift >= 0:
        return round_shift(values, shift)
    left = min(-shift, gin1.SCALE_BITS)
    limit = gin1.SCALE_MAX >> left
    return clip(values, limit) << np.int64(left)


def clip(values: Ints, limit: int) -> Ints:
    """values, bounded to [-limit, limit]."""
    return np.minimum(np.maximum(values, np.int64(-limit)), np.int64(limit))


def round_divide(values: Ints, divisor: int) -> Ints:
    """values / divisor, rounded half away from zero; divisor > 0, 2 * |values| + divisor must fit int64."""
    quotient: Ints = (2 * np.abs(values) + np.int64(divisor)) // np.int64(2 * divisor)
    return np.sign(values) * quotient


def square_root(values: Ints) -> Ints:
    """The floor of the square roots; values >= 0."""
    return np.array([isqrt(value) for value in values.reshape(-1).tolist()], dtype=np.int64).reshape(values.shape)


def magnitude(values: Ints) -> int:
    """The largest absolute value."""
    return int(np.abs(values).max())


def random_words(count: int, keys: tuple[int, int], first: int = 0) -> Ints:
    """The uint32 words first..first+count-1 of the generator, as int64."""
    return find_words(np.arange(first, first + count, dtype=np.int64), keys)


def find_words(index: Ints, keys: tuple[int, int]) -> Ints:
    """The uint32 words of these numbers, as int64."""
    return mix32(mix32(index ^ np.int64(keys[0])) ^ np.int64(keys[1]))


def mix32(words: Ints) -> Ints:
    """A bijection of uint32 (lowbias32), on int64 that hold uint32."""
    words = words ^ (words >> np.int64(16))
    words = (words * np.int64(0x7FEB352D)) & _MASK32
    words = words ^ (words >> np.int64(15))
    # The product exceeds int64; its low 32 bits are right because int64 wraps modulo 2**64.
    words = (words.astype(np.uint64) * np.uint64(0x846CA68B)).astype(np.int64) & _MASK32
    return words ^ (words >> np.int64(16))


def splitmix64(start: int, count: int) -> NDArray[np.uint64]:
    """Outputs 0..count-1 of splitmix64 with initial state `start`."""
    step = np.uint64(0x9E3779B97F4A7C15)
    state = np.uint64(start) + (np.arange(1, count + 1, dtype=np.uint64) * step)
    state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return state ^ (state >> np.uint64(31))
