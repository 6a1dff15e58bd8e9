"""Reference of the exact product in numpy int64: the truth.  Source: README.md beside this file."""

from __future__ import annotations

from kernels.gemm import Layout, check_shapes
from kernels.tensor import Tensor


def multiply(a: Tensor, b: Tensor, layout: Layout) -> Tensor:
    """The product of int64 operands: "nn" a @ b, "tn" a.T @ b, "nt" a @ b.T; exponents add."""
    check_shapes(a.values.shape, b.values.shape, layout)
    left = a.values.T if layout == "tn" else a.values
    right = b.values.T if layout == "nt" else b.values
    return Tensor(left @ right, a.exponent + b.exponent)
