"""The quantisers on the CPU: compiled loops over int32.  Same functions as ref.py; operands are int8 and int16."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from kernels import arrays, gin1, lanes
from kernels.errors import KernelInputError
from kernels.jit import Scalar, compiled
from kernels.lanes import bound32, draw32, random32, round32, split_shift
from kernels.tensor import Tensor

_SHIFT_MAX = 31
_WEIGHT_MAX = gin1.WEIGHT_MAX
_OPERAND_MAX = gin1.OPERAND_MAX


@compiled([f"void(int32[::1], int64, int32, {kind}[::1])" for kind in ("int8", "int16")])
def round_operands(values: NDArray[np.int32], shift: int, limit: Scalar, out: NDArray[Any]) -> None:
    """out = clip(rs(values, shift), limit); -2**31 is not told from 1 - 2**31 where shift > 0, as `view` needs."""
    first, last = split_shift(shift)
    for index in range(values.size):
        out[index] = bound32(round32(values[index], first, last), limit)


@compiled("int64(int32[::1], int8[::1])")
def round_weights(values: NDArray[np.int32], out: NDArray[np.int8]) -> Scalar:
    """int8 operands of weights at exponent 24, which are clipped to +-(2**31 - 1); returns the shift."""
    low, high = np.int32(0), np.int32(0)
    for index in range(values.size):
        low, high = min(low, values[index]), max(high, values[index])
    largest: Scalar = min(max(-np.int64(low), np.int64(high)), _WEIGHT_MAX)
    shift: Scalar = np.int64(0)
    while (largest >> shift) > _OPERAND_MAX:
        shift += 1
    round_operands(values, shift, np.int32(_OPERAND_MAX), out)
    return shift


@compiled([f"void(int32[::1], int32, uint32, uint32, int32, {kind}[::1])" for kind in ("int8", "int16")])
def draw_operands(
    values: NDArray[np.int32], shift: Scalar, key0: Scalar, key1: Scalar, limit: Scalar, out: NDArray[Any]
) -> None:
    """out = clip((values + noise) >> shift, limit); element i uses random word i; shift in 0..31."""
    mask = np.int32((np.int64(1) << shift) - 1)
    for index in range(values.size):
        noise = random32(np.uint32(index), key0, key1)
        out[index] = bound32(draw32(values[index], noise, shift, mask), limit)


def view(weights: NDArray[np.int32]) -> Tensor:
    """The int8 view of weights at exponent 24, clipped to +-(2**31 - 1), over the whole tensor."""
    out = _new_operands(weights.shape, gin1.OPERAND_BITS)
    shift = round_weights(weights.reshape(-1), out.reshape(-1))
    return Tensor(out, gin1.WEIGHT_EXPONENT - int(shift))


def nearest(x: Tensor, bits: int = gin1.OPERAND_BITS, lowest: int | None = None) -> Tensor:
    """int8 (bits 7) or int16 (bits 15) operands by rounding half up; values int32, row-major."""
    shift = gin1.compute_operand_shift(lanes.find_magnitude(x), x.exponent, bits, lowest)
    out = _new_operands(x.values.shape, bits)
    if lowest is not None:  # then a shift may be too short for round32, which the largest int32 takes beyond 32 bits
        out[...] = lanes.narrow(x.values, shift, 2**bits - 1)
        return Tensor(out, x.exponent - shift)
    round_operands(x.values.reshape(-1), shift, 2**bits - 1, out.reshape(-1))
    return Tensor(out, x.exponent - shift)


def draw(
    x: Tensor, keys: tuple[int, int], bits: int = gin1.OPERAND_BITS, lowest: int | None = None, clip_bits: int = 0
) -> Tensor:
    """int8 (bits 7) or int16 (bits 15) operands by stochastic rounding; values int32, row-major.

    Raises: KernelInputError where the shift would exceed 31: there are 32 random bits for an element.
    """
    shift = gin1.compute_operand_shift(lanes.find_magnitude(x), x.exponent, bits + clip_bits, lowest)
    if shift > _SHIFT_MAX:
        raise KernelInputError(f"a shift of {shift} bits, more than {_SHIFT_MAX}: the exponent must be at most 55")
    out = _new_operands(x.values.shape, bits)
    draw_operands(x.values.reshape(-1), shift, *keys, 2**bits - 1, out.reshape(-1))
    return Tensor(out, x.exponent - shift)


def _new_operands(shape: tuple[int, ...], bits: int) -> NDArray[Any]:
    return arrays.new_array(shape, np.int8 if bits == gin1.OPERAND_BITS else np.int16)
