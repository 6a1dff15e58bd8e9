"""The residual sum on the CPU: a compiled loop in int32 lanes.  Same functions as ref.py; h is int32."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from kernels import arrays, norm
from kernels.jit import compiled
from kernels.lanes import add32, bound32, bring_to, round32, split_shift
from kernels.tensor import Tensor

_STREAM_MAX = norm.STREAM_MAX
_TERM_MAX = 2 * norm.STREAM_MAX


@compiled("void(int32[::1], int32[::1], int64, int32[::1])")
def add_rounded(h: NDArray[np.int32], z: NDArray[np.int32], shift: int, out: NDArray[np.int32]) -> None:
    """out = clip(h + rs(z, shift), 2**23 - 1); |h| < 2**23.

    The term is bounded to twice the limit before the sum, which changes no result: beyond that the sum is clipped.
    """
    first, last = split_shift(shift)
    for index in range(h.size):
        term = bound32(round32(z[index], first, last), _TERM_MAX)
        out[index] = bound32(add32(h[index], term), _STREAM_MAX)


def add(h: NDArray[np.int32], x: Tensor) -> NDArray[np.int32]:
    """h + x, brought to exponent 16 and bounded; a new array."""
    values, shift = bring_to(x, x.exponent - norm.STREAM_EXPONENT, _TERM_MAX)
    out = arrays.new_array(h.shape, np.int32)
    add_rounded(h.reshape(-1), values.reshape(-1), shift, out.reshape(-1))
    return out
