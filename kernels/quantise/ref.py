"""Reference of the quantisers in numpy int64: the truth.  Source: README.md beside this file."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from kernels import exact, gin1
from kernels.tensor import Tensor


def view(weights: NDArray[Any]) -> Tensor:
    """The operand view of weights at exponent 24, clipped to +-(2**31 - 1), over the whole tensor."""
    clipped = exact.clip(weights.astype(np.int64), gin1.WEIGHT_MAX)
    return nearest(Tensor(clipped, gin1.WEIGHT_EXPONENT))


def nearest(x: Tensor, bits: int = gin1.OPERAND_BITS, lowest: int | None = None) -> Tensor:
    """Operands of `bits` bits by rounding half up; `lowest` bounds the result's exponent from below."""
    shift = find_shift(x, bits, lowest)
    return Tensor(exact.clip(exact.round_shift(x.values, shift), 2**bits - 1), x.exponent - shift)


def draw(
    x: Tensor, keys: tuple[int, int], bits: int = gin1.OPERAND_BITS, lowest: int | None = None, clip_bits: int = 0
) -> Tensor:
    """Operands of `bits` bits by stochastic rounding; element i in row-major order uses random word i.

    clip_bits: how many bits of the largest magnitude are given up to the clip, 0 or 1.
    """
    shift = find_shift(x, bits + clip_bits, lowest)
    noise = exact.random_words(x.values.size, keys).reshape(x.values.shape) & np.int64((1 << shift) - 1)
    return Tensor(exact.clip((x.values + noise) >> np.int64(shift), 2**bits - 1), x.exponent - shift)


def find_shift(x: Tensor, bits: int, lowest: int | None) -> int:
    """The right shift for the tensor; the producer's magnitude is not trusted, it is computed here."""
    return gin1.compute_operand_shift(exact.magnitude(x.values), x.exponent, bits, lowest)
