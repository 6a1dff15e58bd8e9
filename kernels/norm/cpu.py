"""RMS normalisation on the CPU.  Same functions as ref.py, on the narrow integers that the op names."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from kernels.norm import ref
from kernels.tensor import Tensor


def forward(h: NDArray[np.int32]) -> tuple[Tensor, NDArray[np.int32]]:
    """(y, r): int8 operands of the normalised rows of h, and each row's inverse."""
    y, r = ref.forward(h.astype(np.int64))
    return _narrow(y, np.int8), r.astype(np.int32)


def backward(x: Tensor, h: NDArray[np.int32], r: NDArray[np.int32], dh: Tensor | None) -> Tensor:
    """The slope stream with the slope of h added that follows from x, the slope of y."""
    wide = ref.backward(_widen(x), h.astype(np.int64), r.astype(np.int64), None if dh is None else _widen(dh))
    return _narrow(wide, np.int32)


def _widen(x: Tensor) -> Tensor:
    return Tensor(x.values.astype(np.int64), x.exponent)


def _narrow(x: Tensor, dtype: type[np.signedinteger[Any]]) -> Tensor:
    return Tensor(x.values.astype(dtype), x.exponent)
