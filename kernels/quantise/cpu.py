"""The quantisers on the CPU: compiled loops.  Same functions as ref.py; operands are int8 and int16."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from kernels import arrays, elementwise, gin1
from kernels.elementwise import bound, random_word, round_shift
from kernels.jit import Scalar, compiled
from kernels.tensor import Tensor

_WEIGHT_MAX = gin1.WEIGHT_MAX


@compiled("void(int32[::1], int64, int64, int8[::1])")
def round_int8(values: NDArray[np.int32], shift: int, limit: Scalar, out: NDArray[np.int8]) -> None:
    """out = clip(rs(values, shift), limit); values are first bounded to +-(2**31 - 1)."""
    for index in range(values.size):
        out[index] = bound(round_shift(bound(np.int64(values[index]), _WEIGHT_MAX), shift), limit)


@compiled("void(int32[::1], int64, int64, int16[::1])")
def round_int16(values: NDArray[np.int32], shift: int, limit: Scalar, out: NDArray[np.int16]) -> None:
    """As round_int8, to int16."""
    for index in range(values.size):
        out[index] = bound(round_shift(bound(np.int64(values[index]), _WEIGHT_MAX), shift), limit)


@compiled("void(int32[::1], int64, int64, int64, int64, int8[::1])")
def draw_int8(
    values: NDArray[np.int32], shift: int, key0: int, key1: int, limit: Scalar, out: NDArray[np.int8]
) -> None:
    """out = clip((values + noise) >> shift, limit); element i uses random word i."""
    mask = (np.int64(1) << shift) - 1
    for index in range(values.size):
        noise = random_word(index, key0, key1) & mask
        out[index] = bound((np.int64(values[index]) + noise) >> shift, limit)


@compiled("void(int32[::1], int64, int64, int64, int64, int16[::1])")
def draw_int16(
    values: NDArray[np.int32], shift: int, key0: int, key1: int, limit: Scalar, out: NDArray[np.int16]
) -> None:
    """As draw_int8, to int16."""
    mask = (np.int64(1) << shift) - 1
    for index in range(values.size):
        noise = random_word(index, key0, key1) & mask
        out[index] = bound((np.int64(values[index]) + noise) >> shift, limit)


def view(weights: NDArray[np.int32]) -> Tensor:
    """The int8 view of weights at exponent 24, clipped to +-(2**31 - 1), over the whole tensor."""
    largest = min(int(elementwise.magnitude(weights.reshape(-1))), gin1.WEIGHT_MAX)
    return nearest(Tensor(weights, gin1.WEIGHT_EXPONENT, largest))


def nearest(x: Tensor, bits: int = gin1.OPERAND_BITS, lowest: int | None = None) -> Tensor:
    """int8 (bits 7) or int16 (bits 15) operands by rounding half up; values int32, contiguous."""
    flat, shift = x.values.reshape(-1), find_shift(x, bits, lowest)
    out = _new_operands(x.values.shape, bits)
    (round_int8 if bits == gin1.OPERAND_BITS else round_int16)(flat, shift, 2**bits - 1, out.reshape(-1))
    return Tensor(out, x.exponent - shift)


def draw(
    x: Tensor, keys: tuple[int, int], bits: int = gin1.OPERAND_BITS, lowest: int | None = None, clip_bits: int = 0
) -> Tensor:
    """int8 (bits 7) or int16 (bits 15) operands by stochastic rounding; values int32, contiguous."""
    flat, shift = x.values.reshape(-1), find_shift(x, bits + clip_bits, lowest)
    out = _new_operands(x.values.shape, bits)
    function = draw_int8 if bits == gin1.OPERAND_BITS else draw_int16
    function(flat, shift, *keys, 2**bits - 1, out.reshape(-1))
    return Tensor(out, x.exponent - shift)


def find_shift(x: Tensor, bits: int, lowest: int | None) -> int:
    """The right shift for the tensor, from the producer's magnitude or a pass over the values."""
    largest = x.magnitude if x.magnitude is not None else int(elementwise.magnitude(x.values.reshape(-1)))
    return gin1.compute_operand_shift(largest, x.exponent, bits, lowest)


def _new_operands(shape: tuple[int, ...], bits: int) -> NDArray[Any]:
    return arrays.new_array(shape, np.int8 if bits == gin1.OPERAND_BITS else np.int16)
