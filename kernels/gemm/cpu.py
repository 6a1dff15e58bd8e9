"""Exact products on the CPU.  Same functions as ref.py; operands int8 and int16, sums int32 and int64."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from kernels.gemm import Layout, blas, check_shapes
from kernels.tensor import Tensor


def multiply(a: Tensor, b: Tensor, layout: Layout) -> Tensor:
    """The product of int8 operands as int32, or of an int16 and an int8 one as int64; exponents add."""
    check_shapes(a.values.shape, b.values.shape, layout)
    return Tensor(multiply_stack(a.values, b.values, layout), a.exponent + b.exponent)


def multiply_stack(a: NDArray[Any], b: NDArray[Any], layout: Layout) -> NDArray[Any]:
    """The products of matrices, or of stacks of them [n, rows, columns], in plain arrays."""
    left = a.swapaxes(-1, -2) if layout == "tn" else a
    right = b.swapaxes(-1, -2) if layout == "nt" else b
    return blas.multiply(left, right)
