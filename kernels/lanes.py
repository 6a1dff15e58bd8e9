"""int32 lanes for compiled loops: what numba would widen to int64, kept in 32 bits, so that vectors hold twice as many.

Reads/Writes: nothing. Each wraps modulo 2**32; a caller says why it does not, or that it may.
Source: kernels/README.md sections 3 and 4.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from kernels import arrays
from kernels.elementwise import bound, scale
from kernels.jit import Scalar, compiled, inlined, intrinsic, types
from kernels.tensor import Tensor

_INT = types.int32
_WORD = types.uint32


def _binary(method: str, lane: Any, doc: str) -> Callable[[Scalar, Scalar], Scalar]:
    def typing(context: Any, left: Any, right: Any) -> Any:
        def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            return getattr(builder, method)(*arguments)

        return lane(lane, lane), emit

    typing.__doc__ = doc
    return cast(Callable[[Scalar, Scalar], Scalar], intrinsic(typing))


add32 = _binary("add", _INT, "left + right")
sub32 = _binary("sub", _INT, "left - right")
mul32 = _binary("mul", _INT, "left * right")
or32 = _binary("or_", _INT, "left | right")
and32 = _binary("and_", _INT, "left & right")
shr32 = _binary("ashr", _INT, "left >> right, the floor; right in 0..31")
shl32 = _binary("shl", _INT, "left << right; right in 0..31")
add_word = _binary("add", _WORD, "left + right of uint32")
mul_word = _binary("mul", _WORD, "left * right of uint32")
xor_word = _binary("xor", _WORD, "left ^ right of uint32")
and_word = _binary("and_", _WORD, "left & right of uint32")
shr_word = _binary("lshr", _WORD, "left >> right of uint32; right in 0..31")


@inlined
def bound32(value: Scalar, limit: Scalar) -> Scalar:
    """value, bounded to [-limit, limit]; int32."""
    return min(max(value, sub32(0, limit)), limit)


@inlined
def split_shift(shift: Scalar) -> Scalar:
    """(first, last) for `round32`: int32; shift >= 0."""
    if shift == 0:
        return np.int32(0), np.int32(0)
    return np.int32(min(shift, 32) - 1), np.int32(1)


@inlined
def round32(value: Scalar, first: Scalar, last: Scalar) -> Scalar:
    """rs(value, shift) with (first, last) = split_shift(shift), for int32 below 2**31 - 1.

    ((value >> (shift - 1)) + 1) >> 1 has no sum that could leave 32 bits; beyond 32, every shift gives 0.
    """
    return shr32(add32(shr32(value, first), last), last)


@inlined
def random32(index: Scalar, key0: Scalar, key1: Scalar) -> Scalar:
    """Word `index` of the generator; all uint32."""
    return mix_word(xor_word(mix_word(xor_word(index, key0)), key1))


@inlined
def mix_word(word: Scalar) -> Scalar:
    """lowbias32."""
    word = mul_word(xor_word(word, shr_word(word, 16)), 0x7FEB352D)
    word = mul_word(xor_word(word, shr_word(word, 15)), 0x846CA68B)
    return xor_word(word, shr_word(word, 16))


@inlined
def draw32(value: Scalar, noise: Scalar, shift: Scalar, mask: Scalar) -> Scalar:
    """(value + (noise & mask)) >> shift of an int32 and a word; shift in 0..31, mask = 2**shift - 1.

    The kept bits and the carry out of the others are added apart, so that no sum needs a 33rd bit.
    """
    below = add_word(and_word(value, mask), and_word(noise, mask))
    return add32(shr32(value, shift), shr_word(below, shift))


@compiled("void(int32[::1], int64, int64, int32[::1])")
def narrow_int32(values: NDArray[np.int32], shift: int, limit: Scalar, out: NDArray[np.int32]) -> None:
    """out = clip(scale(values, shift), limit); limit < 2**31."""
    for index in range(values.size):
        out[index] = bound(scale(np.int64(values[index]), shift), limit)


@compiled("void(int64[::1], int64, int64, int32[::1])")
def narrow_int64(values: NDArray[np.int64], shift: int, limit: Scalar, out: NDArray[np.int32]) -> None:
    """As narrow_int32, of |values| < 2**62."""
    for index in range(values.size):
        out[index] = bound(scale(values[index], shift), limit)


@compiled("UniTuple(int64, 2)(int32[::1])")
def find_extremes_int32(values: NDArray[np.int32]) -> Scalar:
    """(lowest, highest) of the values and 0."""
    low, high = np.int32(0), np.int32(0)
    for index in range(values.size):
        low, high = min(low, values[index]), max(high, values[index])
    return np.int64(low), np.int64(high)


@compiled("UniTuple(int64, 2)(int64[::1])")
def find_extremes_int64(values: NDArray[np.int64]) -> Scalar:
    """(lowest, highest) of the values and 0."""
    low, high = np.int64(0), np.int64(0)
    for index in range(values.size):
        low, high = min(low, values[index]), max(high, values[index])
    return low, high


def narrow(values: NDArray[Any], shift: int, limit: int) -> NDArray[np.int32]:
    """clip(scale(values, shift), limit) as int32, of int32 or int64 of any shape: the general path."""
    out = arrays.new_array(values.shape, np.int32)
    function = narrow_int64 if values.dtype == np.int64 else narrow_int32
    function(values.reshape(-1), shift, limit, out.reshape(-1))
    return out


def find_extremes(values: NDArray[Any]) -> tuple[int, int]:
    """(lowest, highest) of int32 or int64 values of any shape, and 0."""
    function = find_extremes_int64 if values.dtype == np.int64 else find_extremes_int32
    low, high = function(values.reshape(-1))
    return int(low), int(high)


def find_magnitude(x: Tensor) -> int:
    """The largest |value|: the producer's, or by a pass over the values."""
    if x.magnitude is not None:
        return int(x.magnitude)
    low, high = find_extremes(x.values)
    return max(-low, high)


def bring_to(x: Tensor, shift: int, limit: int) -> tuple[NDArray[np.int32], int]:
    """(int32 values, shift left to do) such that clip(scale(x, shift), limit) = clip(rs(values, left), limit).

    int32 sums and a right shift stay as they are for a loop in int32 lanes to finish; all else is brought to
    `limit` and a shift of 0 here.
    """
    if x.values.dtype == np.int32 and shift >= 0:
        return x.values, shift
    return narrow(x.values, shift, limit), 0
