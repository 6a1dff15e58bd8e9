"""Initial weights of a decoder: Irwin-Hall variables of a seed, of each tensor's own scale.

Reads/Writes: nothing. One text for all back ends: weights are drawn once in the life of a model.
Source: kernels/decoder/README.md section 14.
"""

from __future__ import annotations

from math import isqrt, prod

import numpy as np
from numpy.typing import NDArray

from kernels import exact, gin1
from kernels.decoder.types import Decoder, Parameter, list_parameters

PART = 2**20
_STEP = 0x9E3779B97F4A7C15
_MASK64 = 2**64 - 1


def draw_weights(model: Decoder, seed: bytes) -> NDArray[np.int32]:
    """The flat parameters of a new model, int32 at exponent 24."""
    tensors = list_parameters(model)
    flat = np.zeros(tensors[-1].end, dtype=np.int32)
    for entry in tensors:
        start = gin1.derive_stream("init", seed, entry.number)
        deviation = compute_deviation(model, entry)
        count = prod(entry.shape)
        for first in range(0, count, PART):
            drawn = _draw_part(start, first, min(PART, count - first), deviation)
            flat[entry.start + first:entry.start + first + drawn.size] = drawn
    return flat


def compute_deviation(model: Decoder, entry: Parameter) -> int:
    """The standard deviation of a tensor's weights, at exponent 24."""
    width, hidden, layers = model.width, model.hidden, model.layers
    squares = {
        "embed": 2**44 // width if model.tied else 2**46, "positions": 2**48 // 100, "head": 2**44 // width,
        "qkv": 2**48 // width, "up": 2**48 // width,
        "out": 2**48 // (2 * layers * width), "down": 2**48 // (2 * layers * hidden),
    }
    return isqrt(squares[entry.kind])


def _draw_part(start: int, first: int, count: int, deviation: int) -> exact.Ints:
    """Weights first..first+count-1 of the tensor whose stream has state `start`."""
    state = (start + 3 * first * _STEP) & _MASK64
    words = exact.splitmix64(state, 3 * count).reshape(count, 3)
    total = np.full(count, 6 - 12 * 32768, dtype=np.int64)
    for part in range(4):
        total += ((words >> np.uint64(16 * part)) & np.uint64(0xFFFF)).astype(np.int64).sum(axis=1)
    return exact.round_shift(total * np.int64(deviation), 16)
