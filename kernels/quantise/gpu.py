"""The quantisers in Triton.  Same functions as ref.py; values int32 or int64 in, operands int8 and int16 out.

The magnitude comes from the producer or from a pass of its own; every program derives the shift from it, so the host
never learns either.
"""

from __future__ import annotations

import numpy as np
import triton.language as tl

from kernels import device, gin1
from kernels import device_rules as rules
from kernels.device import Array, constexpr, jit, jit_changing, launch
from kernels.tensor import Tensor

WEIGHT_MAX = constexpr(gin1.WEIGHT_MAX)


@jit
def measure(x: tl.tensor, magnitude: tl.tensor, count: tl.tensor, block: tl.constexpr) -> None:
    """Raise magnitude[0] to the largest |x|, at most 2**31 - 1 for int32."""
    index = tl.program_id(0).to(tl.int64) * block + tl.arange(0, block)
    value = tl.load(x + index, mask=index < count, other=0).to(tl.int64)
    largest = tl.max(tl.abs(value), 0)
    if x.dtype.element_ty == tl.int32:
        largest = tl.minimum(largest, WEIGHT_MAX)
    tl.atomic_max(magnitude, largest, sem="relaxed")


@jit
def round_operands(
    x: tl.tensor, exponent: tl.tensor, magnitude: tl.tensor, out: tl.tensor, out_exponent: tl.tensor, count: tl.tensor,
    bits: tl.constexpr, lowest: tl.constexpr, block: tl.constexpr,
) -> None:
    """out = clip(rs(x, s), 2**bits - 1), x first bounded to +-(2**31 - 1) where it is int32."""
    held = tl.load(exponent).to(tl.int64)
    shift = rules.compute_shift(tl.load(magnitude), held, bits, lowest)
    index = tl.program_id(0).to(tl.int64) * block + tl.arange(0, block)
    mask = index < count
    value = tl.load(x + index, mask=mask, other=0)
    if x.dtype.element_ty == tl.int32:
        value = tl.maximum(value, -WEIGHT_MAX)
        rounded = rules.round_shift_narrow(value, shift.to(tl.int32))
    else:
        rounded = rules.round_shift(value, shift)
    tl.store(out + index, rules.clip(rounded, 2**bits - 1), mask=mask)
    if tl.program_id(0) == 0:
        tl.store(out_exponent, (held - shift).to(tl.int32))


@jit_changing("key0", "key1")
def draw_operands(
    x: tl.tensor, exponent: tl.tensor, magnitude: tl.tensor, out: tl.tensor, out_exponent: tl.tensor, count: tl.tensor,
    key0: tl.tensor, key1: tl.tensor, bits: tl.constexpr, clip_bits: tl.constexpr, lowest: tl.constexpr,
    block: tl.constexpr,
) -> None:
    """out = clip((x + noise) >> s, 2**bits - 1); element i uses random word i."""
    held = tl.load(exponent).to(tl.int64)
    shift = rules.compute_shift(tl.load(magnitude), held, bits + clip_bits, lowest)
    index = tl.program_id(0).to(tl.int64) * block + tl.arange(0, block)
    mask = index < count
    value = tl.load(x + index, mask=mask, other=0)
    if x.dtype.element_ty == tl.int32:
        drawn = rules.draw_narrow(value, index, shift.to(tl.int32), key0, key1, 2**bits - 1)
    else:
        drawn = rules.draw(value, index, shift, key0, key1, 2**bits - 1)
    tl.store(out + index, drawn, mask=mask)
    if tl.program_id(0) == 0:
        tl.store(out_exponent, (held - shift).to(tl.int32))


def view(weights: Array) -> Tensor:
    """The int8 view of int32 weights at exponent 24, clipped to +-(2**31 - 1), over the whole tensor."""
    return nearest(Tensor(weights, gin1.WEIGHT_EXPONENT))


def nearest(x: Tensor, bits: int = gin1.OPERAND_BITS, lowest: int | None = None) -> Tensor:
    """int8 (bits 7) or int16 (bits 15) operands by rounding half up; values int32, contiguous."""
    out, exponent = _new_operands(x, bits), device.new_scalar()
    count, block = _count(x.values)
    launch(
        round_operands, (device.count_programs(count, block),), x.values, device.hold_exponent(x.exponent),
        find_magnitude(x), out, exponent, count, bits=bits, lowest=lowest, block=block,
    )
    return Tensor(out, exponent)


def draw(
    x: Tensor, keys: tuple[int, int], bits: int = gin1.OPERAND_BITS, lowest: int | None = None, clip_bits: int = 0
) -> Tensor:
    """int8 (bits 7) or int16 (bits 15) operands by stochastic rounding; values int32 or int64, contiguous."""
    out, exponent = _new_operands(x, bits), device.new_scalar()
    count, block = _count(x.values)
    launch(
        draw_operands, (device.count_programs(count, block),), x.values, device.hold_exponent(x.exponent),
        find_magnitude(x), out, exponent, count, *device.to_signed(keys), bits=bits,
        clip_bits=clip_bits, lowest=lowest, block=block,
    )
    return Tensor(out, exponent)


def find_magnitude(x: Tensor) -> Array:
    """The largest |value| as int64 [1]: the producer's, or by a pass over the values."""
    if x.magnitude is not None:
        return device.hold_magnitude(x.magnitude)
    magnitude = device.new_magnitude()
    count, block = _count(x.values)
    launch(measure, (device.count_programs(count, block),), x.values, magnitude, count, block=block)
    return magnitude


def _count(values: Array) -> tuple[int, int]:
    count = device.count_elements(values)
    return count, device.find_elements(count)


def _new_operands(x: Tensor, bits: int) -> Array:
    return device.new_array(tuple(x.values.shape), np.int8 if bits == gin1.OPERAND_BITS else np.int16)
