"""The elementary rules of exact.py for the cpu back end, element by element.

Reads/Writes: nothing. lanes.py has the same in 32 bits. Source: kernels/README.md section 3.
"""

from __future__ import annotations

import numpy as np

from kernels import gin1
from kernels.jit import Scalar, inlined

_SCALE_BITS = gin1.SCALE_BITS
_SCALE_MAX = gin1.SCALE_MAX


@inlined
def round_shift(value: Scalar, shift: Scalar) -> Scalar:
    """value * 2**-shift, rounded half up; shift >= 0."""
    if shift == 0:
        return value
    return (value + (np.int64(1) << (shift - 1))) >> shift


@inlined
def bound(value: Scalar, limit: Scalar) -> Scalar:
    """value, bounded to [-limit, limit]."""
    return min(max(value, -limit), limit)


@inlined
def scale(value: Scalar, shift: Scalar) -> Scalar:
    """value * 2**-shift: rounded half up for shift >= 0, saturating at +-2**40 for shift < 0."""
    if shift >= 0:
        return round_shift(value, shift)
    left = min(-shift, _SCALE_BITS)
    return bound(value, _SCALE_MAX >> left) << left
