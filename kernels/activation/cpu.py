"""relu squared on the CPU.  Same functions as ref.py, on the narrow integers that the op names."""

from __future__ import annotations

from typing import Any

import numpy as np

from kernels.activation import ref
from kernels.tensor import Tensor


def forward(x: Tensor) -> tuple[Tensor, Tensor]:
    """(a, u): int8 operands of the squares of u, the 15-bit positive parts of x."""
    a, u = ref.forward(_widen(x))
    return _narrow(a, np.int8), u


def backward(x: Tensor, saved: Tensor) -> Tensor:
    """The slope of the positive part."""
    return _narrow(ref.backward(_widen(x), saved), np.int32)


def _widen(x: Tensor) -> Tensor:
    return Tensor(x.values.astype(np.int64), x.exponent)


def _narrow(x: Tensor, dtype: type[np.signedinteger[Any]]) -> Tensor:
    return Tensor(x.values.astype(dtype), x.exponent)
