"""The residual stream on the gpu back end.  Source: kernels/decoder/README.md section 15."""

from __future__ import annotations

from math import prod

import numpy as np
import triton.language as tl

from kernels import device, norm
from kernels.device import Array, constexpr, jit, launch
from kernels.device_rules import clip, scale
from kernels.tensor import Tensor

STREAM_EXPONENT = constexpr(norm.STREAM_EXPONENT)
STREAM_MAX = constexpr(norm.STREAM_MAX)


@jit
def add_scaled(
    stream: tl.tensor, sums: tl.tensor, exponent: tl.tensor, result: tl.tensor, count: tl.tensor, block: tl.constexpr,
) -> None:
    """A block of the new stream."""
    index = tl.program_id(0).to(tl.int64) * block + tl.arange(0, block)
    is_inside = index < count
    added = scale(tl.load(sums + index, mask=is_inside, other=0).to(tl.int64), tl.load(exponent) - STREAM_EXPONENT)
    values = tl.load(stream + index, mask=is_inside, other=0) + added
    tl.store(result + index, clip(values, STREAM_MAX).to(tl.int32), mask=is_inside)


def add(h: Array, x: Tensor) -> Array:
    """A new stream int32 [N, d] at exponent 16: h plus the sums x, brought to 16 and bounded."""
    count = prod(h.shape)
    result = device.new_array(tuple(h.shape), np.int32)
    block = device.find_elements(count)
    grid = (device.count_programs(count, block),)
    launch(add_scaled, grid, h, x.values, device.hold_exponent(x.exponent), result, count, block=block)
    return result
