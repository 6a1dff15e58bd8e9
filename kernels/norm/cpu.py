"""The norm on the CPU: one compiled pass per direction.  Same functions as ref.py; y is int8, h, r and dh are int32."""

from __future__ import annotations

from math import sqrt

import numpy as np
from numpy.typing import NDArray

from kernels import arrays, gin1, norm
from kernels.jit import Scalar, compiled, inlined
from kernels.lanes import bound32, bring_to, round32, split_shift
from kernels.tensor import Tensor

_SLOPE_MAX = norm.SLOPE_MAX
_EPSILON = norm.EPSILON
_INVERSE_ONE = 1 << norm.INVERSE_BITS
_FINE_SHIFT = norm.FINE_SHIFT
_FINE_HALF = 1 << (_FINE_SHIFT - 1)
_FINE_EXPONENT = norm.FINE_EXPONENT
_MEAN_HALF = 1 << (_FINE_EXPONENT - 1)
_OPERAND_SHIFT = norm.FINE_EXPONENT - norm.OPERAND_EXPONENT
_STREAM_EXPONENT = norm.STREAM_EXPONENT
_STREAM_HALF = 1 << (_STREAM_EXPONENT - 1)
_OPERAND_MAX = gin1.OPERAND_MAX


@inlined
def root64(value: Scalar) -> Scalar:
    """floor(sqrt(value)) for 0 <= value < 2**52.

    Such a value is a float64, and a correctly rounded root cannot reach the next integer: the two lowest integers
    whose roots differ by less than half a unit of float64 are larger. The steps hold whatever the root was.
    """
    root = np.int64(sqrt(np.float64(value)))
    while root * root > value:
        root -= 1
    while (root + 1) * (root + 1) <= value:
        root += 1
    return root


@compiled("void(int32[:, ::1], int8[:, ::1], int32[::1])")
def normalise(h: NDArray[np.int32], y: NDArray[np.int8], r: NDArray[np.int32]) -> None:
    """Operands y of the normalised rows of h [rows, width], and each row's inverse r."""
    rows, width = h.shape
    first, last = split_shift(_OPERAND_SHIFT)
    for row in range(rows):
        total = np.int64(0)
        for column in range(width):
            total += np.int64(h[row, column]) * np.int64(h[row, column])
        inverse = _INVERSE_ONE // root64(total // width + _EPSILON)
        r[row] = inverse
        for column in range(width):
            fine = np.int32((np.int64(h[row, column]) * inverse + _FINE_HALF) >> _FINE_SHIFT)
            y[row, column] = bound32(round32(fine, first, last), _OPERAND_MAX)


@compiled("int64(int32[:, ::1], int64, int32[:, ::1], int32[::1], int32[:, ::1], boolean, int32[:, ::1])")
def unnormalise(
    z: NDArray[np.int32], shift: int, h: NDArray[np.int32], r: NDArray[np.int32], dh: NDArray[np.int32],
    is_added: bool, out: NDArray[np.int32],
) -> Scalar:
    """out = clip(dh + the slope of the rows h by slopes rs(z, shift) of y, 2**30 - 1); returns its magnitude.

    Nothing leaves 63 bits: |fine| <= 128 * 2**12 and the sum of a row's |fine| is at most width * 2**12, so |along| is
    below 2**30, `across` below 2**38, and r below 2**25.
    """
    rows, width = h.shape
    first, last = split_shift(shift)
    most = np.int64(_SLOPE_MAX)
    slopes, fines = np.empty(width, np.int32), np.empty(width, np.int32)
    low, high = np.int32(0), np.int32(0)
    for row in range(rows):
        inverse = np.int64(r[row])
        total = np.int64(0)
        for column in range(width):
            slope = bound32(round32(z[row, column], first, last), _SLOPE_MAX)
            fine = np.int32((np.int64(h[row, column]) * inverse + _FINE_HALF) >> _FINE_SHIFT)
            slopes[column], fines[column] = slope, fine
            total += np.int64(slope) * np.int64(fine)
        along = (2 * abs(total) + width) // (2 * width)
        along = ((along if total >= 0 else -along) + _MEAN_HALF) >> _FINE_EXPONENT
        for column in range(width):
            across = np.int64(slopes[column]) - ((along * np.int64(fines[column]) + _MEAN_HALF) >> _FINE_EXPONENT)
            wide = (across * inverse + _STREAM_HALF) >> _STREAM_EXPONENT
            if is_added:
                wide += np.int64(dh[row, column])
            value = np.int32(min(max(wide, -most), most))
            out[row, column] = value
            low, high = min(low, value), max(high, value)
    return max(-np.int64(low), np.int64(high))


def forward(h: NDArray[np.int32]) -> tuple[Tensor, NDArray[np.int32]]:
    """(y, r): operands of the normalised rows of h [rows, width], and each row's inverse."""
    y, r = arrays.new_array(h.shape, np.int8), arrays.new_array(len(h), np.int32)
    normalise(h, y, r)
    return Tensor(y, norm.OPERAND_EXPONENT), r


def backward(x: Tensor, h: NDArray[np.int32], r: NDArray[np.int32], dh: Tensor | None) -> Tensor:
    """The slope stream with the slope of h added that follows from x, the slope of y."""
    values, shift = bring_to(x, x.exponent - norm.SLOPE_EXPONENT, _SLOPE_MAX)
    out = arrays.new_array(h.shape, np.int32)
    magnitude = unnormalise(values, shift, h, r, h if dh is None else dh.values, dh is not None, out)
    return Tensor(out, norm.SLOPE_EXPONENT, int(magnitude))
