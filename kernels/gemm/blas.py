"""Exact products by float32 matrix products of at most 1024 inner elements at a time.

Reads/Writes: nothing. A sum of 1024 products of operands or limbs is at most 1024 * 128 * 127 < 2**24 in magnitude, so
float32 holds every partial sum exactly, in any order, fused or not, on any number of threads.
Source: kernels/README.md section 12.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

INNER_CHUNK = 1024
_HALF_LIMB = 128


def multiply(left: NDArray[Any], right: NDArray[Any]) -> NDArray[Any]:
    """left @ right of int8 matrices, or stacks of them, as int32; of an int16 and an int8 one as int64."""
    if left.dtype == np.int16:
        high, low = split_limbs(left)
        return _join_limbs(_multiply_floats(high, right), _multiply_floats(low, right))
    if right.dtype == np.int16:
        high, low = split_limbs(right)
        return _join_limbs(_multiply_floats(left, high), _multiply_floats(left, low))
    return _multiply_floats(left, right)


def split_limbs(values: NDArray[np.int16]) -> tuple[NDArray[np.int16], NDArray[np.int16]]:
    """(high, low) with values = 256 * high + low; high in -128..128, low in -128..127."""
    high = ((values.astype(np.int32) + _HALF_LIMB) >> 8).astype(np.int16)
    return high, values - (high << 8)


def _join_limbs(high: NDArray[np.int32], low: NDArray[np.int32]) -> NDArray[np.int64]:
    return high.astype(np.int64) * 256 + low


def _multiply_floats(left: NDArray[Any], right: NDArray[Any]) -> NDArray[np.int32]:
    total: NDArray[Any] | None = None
    for start in range(0, max(1, left.shape[-1]), INNER_CHUNK):
        chunk = slice(start, start + INNER_CHUNK)
        part = left[..., :, chunk].astype(np.float32) @ right[..., chunk, :].astype(np.float32)
        if total is None:
            total = part.astype(np.int32)
        else:
            total += part.astype(np.int32)
    assert total is not None
    return total
