"""Reference of the residual stream in numpy int64: the truth.  Source: kernels/decoder/README.md section 15."""

from __future__ import annotations

from kernels import exact, norm
from kernels.exact import Ints
from kernels.tensor import Tensor


def add(h: Ints, x: Tensor) -> Ints:
    """h + x, brought to exponent 16 and bounded; a new array."""
    return exact.clip(h + exact.scale(x.values, x.exponent - norm.STREAM_EXPONENT), norm.STREAM_MAX)
