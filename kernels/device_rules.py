"""The elementary rules inside Triton kernels; each must agree with exact.py.

Every rule takes int64 blocks or scalars unless it says otherwise: a shift that comes from the device is a scalar.
In Triton `//` and `%` truncate, so they divide non-negative values alone; sums keep the type of their terms, so terms
are widened first; a shift by the width of a type or more means nothing, so shifts are bounded.
A constant of a module stands on the right of an operator: on the left, Python would ask it first, and the interpreter
would take the result for a constant.  Source: kernels/README.md sections 3 and 4.
"""

from __future__ import annotations

import triton.language as tl

from kernels import gin1
from kernels.device import constexpr, jit

OPERAND_MAX = constexpr(gin1.OPERAND_MAX)
OPERAND_EXPONENT_MAX = constexpr(gin1.OPERAND_EXPONENT_MAX)
WEIGHT_MAX = constexpr(gin1.WEIGHT_MAX)
SCALE_BITS = constexpr(gin1.SCALE_BITS)
SCALE_MAX = constexpr(gin1.SCALE_MAX)
SHIFT_MAX = constexpr(62)


@jit
def clip(x: tl.tensor, limit: tl.tensor) -> tl.tensor:
    """x, bounded to [-limit, limit]."""
    return tl.minimum(tl.maximum(x, -limit), limit)


@jit
def round_shift(x: tl.tensor, shift: tl.tensor) -> tl.tensor:
    """x * 2**-shift, rounded half up; 0 <= shift <= 62 of type int64 or constexpr, |x| < 2**62."""
    one = tl.full((), 1, tl.int64)
    half = (one << shift) >> 1
    return (x + half) >> shift


@jit
def scale(x: tl.tensor, shift: tl.tensor) -> tl.tensor:
    """x * 2**-shift: rounded half up for shift >= 0, saturating at +-2**40 for shift < 0.

    |x| < 2**61; a shift above 62 gives what 62 gives, which is 0.
    """
    shift = shift.to(tl.int64)
    right = tl.minimum(tl.maximum(shift, 0), SHIFT_MAX)
    left = tl.minimum(tl.maximum(-shift, 0), SCALE_BITS)
    rounded = round_shift(x, right)
    limit = tl.full((), SCALE_MAX, tl.int64) >> left
    return tl.where(shift >= 0, rounded, clip(rounded, limit) << left)


@jit
def count_bits(x: tl.tensor) -> tl.tensor:
    """The length in binary of x >= 0, int64 as x is; 0 for 0."""
    length = x * 0
    for step in tl.static_range(5, -1, -1):
        is_longer = (x >> (1 << step)) > 0
        length += tl.where(is_longer, 1 << step, 0)
        x = tl.where(is_longer, x >> (1 << step), x)
    return length + tl.where(x > 0, 1, 0)


@jit
def compute_shift(magnitude: tl.tensor, exponent: tl.tensor, bits: tl.constexpr, lowest: tl.constexpr) -> tl.tensor:
    """The shift that brings integers up to `magnitude` at `exponent` into operands of `bits` bits; int64.

    lowest: the least exponent of the operands, or None, as in gin1.compute_operand_shift.
    """
    shift = tl.maximum(tl.maximum(count_bits(magnitude) - bits, exponent - OPERAND_EXPONENT_MAX), 0)
    if lowest is not None:
        shift = tl.minimum(shift, exponent - lowest)
    return shift


@jit
def mix32(word: tl.tensor) -> tl.tensor:
    """A bijection of uint32."""
    word = word ^ (word >> 16)
    word = word * 0x7FEB352D
    word = word ^ (word >> 15)
    word = word * 0x846CA68B
    return word ^ (word >> 16)


@jit
def random_word(index: tl.tensor, key0: tl.tensor, key1: tl.tensor) -> tl.tensor:
    """Word `index` of the generator as int64, in 0..2**32 - 1. The keys are the bits of uint32 in any int type."""
    inner = mix32(index.to(tl.uint32) ^ key0.to(tl.uint32))
    return mix32(inner ^ key1.to(tl.uint32)).to(tl.int64)


@jit
def draw(
    x: tl.tensor, index: tl.tensor, shift: tl.tensor, key0: tl.tensor, key1: tl.tensor, limit: tl.constexpr
) -> tl.tensor:
    """Stochastic rounding of x by `shift` with the words at `index`, bounded to +-limit; shift <= 31."""
    mask = (tl.full((), 1, tl.int64) << shift) - 1
    return clip((x + (random_word(index, key0, key1) & mask)) >> shift, limit)


@jit
def round_shift_narrow(x: tl.tensor, shift: tl.tensor) -> tl.tensor:
    """round_shift of int32 x by an int32 scalar in 0..31, in int32: the floor and the highest bit shifted off."""
    highest = (x >> tl.maximum(shift - 1, 0)) & 1
    return tl.where(shift > 0, (x >> shift) + highest, x)


@jit
def draw_narrow(
    x: tl.tensor, index: tl.tensor, shift: tl.tensor, key0: tl.tensor, key1: tl.tensor, limit: tl.constexpr
) -> tl.tensor:
    """draw of int32 x by an int32 scalar in 0..31, in 32 bits.

    What is shifted off and the noise are both below 2**shift: their sum fits uint32, and its bit `shift` is the carry.
    """
    inner = mix32(index.to(tl.uint32) ^ key0.to(tl.uint32))
    word = mix32(inner ^ key1.to(tl.uint32))
    by = shift.to(tl.uint32)
    mask = (tl.full((), 1, tl.uint32) << by) - 1
    carry = ((x.to(tl.uint32) & mask) + (word & mask)) >> by
    return clip((x >> shift) + carry.to(tl.int32), limit)


@jit
def isqrt(x: tl.tensor) -> tl.tensor:
    """floor(sqrt(x)) for 0 <= x < 2**62.

    A float64 square root is within one of it, as both the conversion and the root have relative errors of 2**-53;
    integers decide.
    """
    root = tl.sqrt(x.to(tl.float64)).to(tl.int64)
    root = tl.where(root * root > x, root - 1, root)
    root = tl.where(root * root > x, root - 1, root)
    root = tl.where((root + 1) * (root + 1) <= x, root + 1, root)
    return tl.where((root + 1) * (root + 1) <= x, root + 1, root)


@jit
def divide_nearest(x: tl.tensor, divisor: tl.tensor) -> tl.tensor:
    """x / divisor, rounded half away from zero, for divisor > 0 and |x| < 2**61."""
    size = (2 * tl.abs(x) + divisor) // (2 * divisor)
    return tl.where(x < 0, -size, size)


@jit
def raise_magnitude(target: tl.tensor, x: tl.tensor) -> tl.tensor:
    """target[0] = max(target[0], largest |x|); masked-out elements of x must be zero. tl.tensor int block of x."""
    tl.atomic_max(target, tl.max(tl.abs(x.to(tl.int64)), None), sem="relaxed")
