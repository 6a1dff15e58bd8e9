"""The elementary rules of exact.py for the cpu back end: compiled loops and an exact matrix product.

Arrays are contiguous. A float32 array here always holds integers of magnitude at most 127: operands of
`multiply`. Source: kernels/README.md sections 3, 4 and 12.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from kernels import arrays, gin1
from kernels.jit import Scalar, compiled, inlined

# A sum of 1024 products of int8 operands is below 2**24, so float32 holds each partial sum exactly,
# in whatever order and with or without fused multiply-add the product is computed.
INNER_CHUNK = 1024
_SCALE_BITS = gin1.SCALE_BITS
_SCALE_MAX = gin1.SCALE_MAX
_OPERAND_MAX = gin1.OPERAND_MAX
_WEIGHT_MAX = gin1.WEIGHT_MAX


@inlined
def mix32(word: Scalar) -> Scalar:
    """A bijection of uint32."""
    word = np.uint32(word ^ (word >> np.uint32(16)))
    word = np.uint32(word * np.uint32(0x7FEB352D))
    word = np.uint32(word ^ (word >> np.uint32(15)))
    word = np.uint32(word * np.uint32(0x846CA68B))
    return np.uint32(word ^ (word >> np.uint32(16)))


@inlined
def random_word(index: Scalar, key0: Scalar, key1: Scalar) -> Scalar:
    """Word `index` of the generator, as int64."""
    inner = mix32(np.uint32(index) ^ np.uint32(key0))
    return np.int64(mix32(inner ^ np.uint32(key1)))


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


@compiled("int64(int32[::1])")
def magnitude(values: NDArray[np.int32]) -> Scalar:
    """The largest absolute value."""
    largest = np.int64(0)
    for index in range(values.size):
        largest = max(largest, abs(np.int64(values[index])))
    return largest


@compiled("void(int32[::1], int64, float32[::1])")
def round_operands(values: NDArray[np.int32], shift: int, out: NDArray[np.float32]) -> None:
    """Operands by rounding half up; values are first bounded to +-(2**31 - 1)."""
    for index in range(values.size):
        value = bound(np.int64(values[index]), _WEIGHT_MAX)
        out[index] = bound(round_shift(value, shift), _OPERAND_MAX)


@compiled("void(int32[::1], int64, int64, int64, float32[::1])")
def draw_operands(
    values: NDArray[np.int32], shift: int, key0: int, key1: int, out: NDArray[np.float32]
) -> None:
    """Operands by stochastic rounding; element i uses random word i."""
    mask = (np.int64(1) << shift) - 1
    for index in range(values.size):
        noise = random_word(index, key0, key1) & mask
        out[index] = bound((np.int64(values[index]) + noise) >> shift, _OPERAND_MAX)


def quantise_weights(weights: NDArray[np.int32]) -> tuple[NDArray[np.float32], int]:
    """The operand view of a layer's weights, of the same shape, and its exponent."""
    flat = weights.reshape(-1)
    shift = gin1.compute_shift(min(magnitude(flat), gin1.WEIGHT_MAX), gin1.WEIGHT_EXPONENT)
    out = arrays.new_array(flat.size, np.float32)
    round_operands(flat, shift, out)
    return out.reshape(weights.shape), gin1.WEIGHT_EXPONENT - shift


def multiply(left: NDArray[np.float32], right: NDArray[np.float32]) -> NDArray[np.int32]:
    """left @ right of operands, exactly. The inner dimension is at most 65536, so sums fit int32."""
    inner = left.shape[1]
    total: NDArray[Any] = (left[:, :INNER_CHUNK] @ right[:INNER_CHUNK]).astype(np.int32)
    for start in range(INNER_CHUNK, inner, INNER_CHUNK):
        part = slice(start, start + INNER_CHUNK)
        total += (left[:, part] @ right[part]).astype(np.int32)
    return total
