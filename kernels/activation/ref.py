"""Reference of relu squared in numpy int64: the truth.  Source: kernels/decoder/README.md section 18."""

from __future__ import annotations

import numpy as np

from kernels import activation, exact, gin1
from kernels.tensor import Tensor


def forward(x: Tensor) -> tuple[Tensor, Tensor]:
    """(a, u): int8 operands of the squares of u, the 15-bit positive parts of x."""
    positive = np.maximum(x.values, np.int64(0))
    shift = gin1.compute_operand_shift(exact.magnitude(positive), x.exponent, activation.FINE_BITS)
    u = np.minimum(exact.round_shift(positive, shift), np.int64(activation.FINE_MAX))
    fine = x.exponent - shift
    shift = gin1.compute_operand_shift(int(u.max()) ** 2, 2 * fine, activation.SQUARE_BITS)
    a = np.minimum(exact.round_shift(u * u, shift), np.int64(gin1.OPERAND_MAX))
    return Tensor(a, 2 * fine - shift), Tensor(u, fine)


def backward(x: Tensor, saved: Tensor) -> Tensor:
    """The slope of the positive part: twice the 15-bit slope times u; the two is in the exponent."""
    u = saved
    shift = gin1.compute_operand_shift(exact.magnitude(x.values), x.exponent, activation.FINE_BITS)
    w = exact.clip(exact.round_shift(x.values, shift), activation.FINE_MAX)
    return Tensor(w * u.values, x.exponent - shift + u.exponent - 1)
