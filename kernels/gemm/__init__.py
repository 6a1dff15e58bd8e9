"""Exact matrix products of int8 and int16 operands.

An op of the array level: `dispatch.implementation("gemm")` gives multiply on the back end in use.
Source: kernels/README.md section 12, and README.md beside this file.
"""

from __future__ import annotations

from typing import Literal

from kernels.errors import KernelInputError

Layout = Literal["nn", "tn", "nt"]
LAYOUTS: tuple[Layout, ...] = ("nn", "tn", "nt")
INNER_MAX = 65536


def check_shapes(a: tuple[int, ...], b: tuple[int, ...], layout: str) -> tuple[int, int, int]:
    """(rows, inner, columns) of a product of matrices of shapes a and b, as they are stored.

    Raises: KernelInputError for an unknown layout, operands that are no matrices or do not fit, and an inner
    dimension of more than 65536.
    """
    if layout not in LAYOUTS:
        raise KernelInputError(f"layout must be one of {', '.join(LAYOUTS)}")
    if len(a) != 2 or len(b) != 2:
        raise KernelInputError("a and b must be matrices")
    rows, inner = (a[1], a[0]) if layout == "tn" else (a[0], a[1])
    other, columns = (b[1], b[0]) if layout == "nt" else (b[0], b[1])
    if inner != other:
        raise KernelInputError(f"inner dimensions must be equal: a has {inner} and b has {other}")
    if inner > INNER_MAX:
        raise KernelInputError(f"inner dimension must be at most {INNER_MAX} and is {inner}")
    return rows, inner, columns
