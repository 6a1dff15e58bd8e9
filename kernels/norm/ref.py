"""Reference of RMS normalisation in numpy int64: the truth.  Source: kernels/decoder/README.md section 16."""

from __future__ import annotations

import numpy as np

from kernels import exact, gin1, norm
from kernels.exact import Ints
from kernels.tensor import Tensor


def forward(h: Ints) -> tuple[Tensor, Ints]:
    """(y, r): operands of the normalised rows of h [rows, width], and each row's inverse."""
    mean_square = (h * h).sum(axis=1) // h.shape[1]
    root = exact.square_root(mean_square + np.int64(norm.EPSILON))
    r = np.int64(1 << norm.INVERSE_BITS) // root
    coarse = exact.round_shift(compute_fine(h, r), norm.FINE_EXPONENT - norm.OPERAND_EXPONENT)
    return Tensor(exact.clip(coarse, gin1.OPERAND_MAX), norm.OPERAND_EXPONENT), r


def backward(x: Tensor, h: Ints, r: Ints, dh: Tensor | None) -> Tensor:
    """The slope stream with the slope of h added that follows from x, the slope of y."""
    dy = exact.clip(exact.scale(x.values, x.exponent - norm.SLOPE_EXPONENT), norm.SLOPE_MAX)
    fine = compute_fine(h, r)
    along = exact.round_divide((dy * fine).sum(axis=1, keepdims=True), h.shape[1])
    along = exact.round_shift(along, norm.FINE_EXPONENT)
    across = dy - exact.round_shift(along * fine, norm.FINE_EXPONENT)
    slope = exact.round_shift(across * r[:, None], norm.STREAM_EXPONENT)
    if dh is not None:
        slope = slope + dh.values
    return Tensor(exact.clip(slope, norm.SLOPE_MAX), norm.SLOPE_EXPONENT)


def compute_fine(h: Ints, r: Ints) -> Ints:
    """The normalised rows at exponent 12, |value| < 2**20."""
    return exact.round_shift(h * r[:, None], norm.FINE_SHIFT)
