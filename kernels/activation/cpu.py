"""relu2 on the CPU: compiled loops in int32 lanes.  Same functions as ref.py; u is int16, a is int8."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from kernels import activation, arrays, gin1
from kernels.jit import Scalar, compiled
from kernels.lanes import bound32, bring_to, find_extremes, find_magnitude, mul32, round32, split_shift
from kernels.tensor import Tensor

_FINE_MAX = activation.FINE_MAX
_OPERAND_MAX = gin1.OPERAND_MAX


@compiled("void(int32[::1], int64, int64, int16[::1], int8[::1])")
def square(
    z: NDArray[np.int32], shift: int, square_shift: int, u: NDArray[np.int16], a: NDArray[np.int8]
) -> None:
    """u = min(rs(max(z, 0), shift), 32767), a = min(rs(u * u, square_shift), 127)."""
    first, last = split_shift(shift)
    square_first, square_last = split_shift(square_shift)
    for index in range(z.size):
        value = min(round32(max(z[index], np.int32(0)), first, last), np.int32(_FINE_MAX))
        u[index] = value
        a[index] = min(round32(mul32(value, value), square_first, square_last), np.int32(_OPERAND_MAX))


@compiled("int64(int32[::1], int64, int16[::1], int32[::1])")
def unsquare(z: NDArray[np.int32], shift: int, u: NDArray[np.int16], out: NDArray[np.int32]) -> Scalar:
    """out = clip(rs(z, shift), 32767) * u, below 2**30; returns its magnitude."""
    first, last = split_shift(shift)
    low, high = np.int32(0), np.int32(0)
    for index in range(z.size):
        value = mul32(bound32(round32(z[index], first, last), np.int32(_FINE_MAX)), np.int32(u[index]))
        out[index] = value
        low, high = min(low, value), max(high, value)
    return max(-np.int64(low), np.int64(high))


def forward(x: Tensor) -> tuple[Tensor, Tensor]:
    """(a, u): int8 operands of the squares of u, the 15-bit positive parts of x."""
    _, highest = find_extremes(x.values)
    shift = gin1.compute_operand_shift(highest, x.exponent, activation.FINE_BITS)
    largest = min(_round_up(highest, shift), _FINE_MAX)
    square_shift = gin1.compute_operand_shift(largest**2, 2 * (x.exponent - shift), activation.SQUARE_BITS)
    u, a = arrays.new_array(x.values.shape, np.int16), arrays.new_array(x.values.shape, np.int8)
    square(x.values.reshape(-1), shift, square_shift, u.reshape(-1), a.reshape(-1))
    exponent = x.exponent - shift
    return Tensor(a, 2 * exponent - square_shift), Tensor(u, exponent, largest)


def backward(x: Tensor, saved: Tensor) -> Tensor:
    """The slope of the positive part: twice the 15-bit slope times u; the two is in the exponent."""
    shift = gin1.compute_operand_shift(find_magnitude(x), x.exponent, activation.FINE_BITS)
    values, left = bring_to(x, shift, _FINE_MAX)
    out = arrays.new_array(values.shape, np.int32)
    magnitude = unsquare(values.reshape(-1), left, saved.values.reshape(-1), out.reshape(-1))
    return Tensor(out, x.exponent - shift + saved.exponent - 1, int(magnitude))


def _round_up(value: int, shift: int) -> int:
    return (value + (1 << shift >> 1)) >> shift
