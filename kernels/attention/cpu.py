"""Causal attention on the CPU.  Same functions as ref.py, on the narrow integers that the op names."""

from __future__ import annotations

import numpy as np

from kernels.attention import Keys, Shape, ref
from kernels.tensor import Tensor


def forward(x: Tensor, shape: Shape, rotary: bool) -> tuple[Tensor, ref.Saved]:
    """(o, saved): every token's mean of the values up to it, weighted by the softmax of its scores."""
    o, saved = ref.forward(Tensor(x.values.astype(np.int64), x.exponent), shape, rotary)
    return Tensor(o.values.astype(np.int8), o.exponent), saved


def backward(x: Tensor, saved: ref.Saved, keys: Keys) -> Tensor:
    """The slopes of queries, keys and values, side by side."""
    slope = ref.backward(Tensor(x.values.astype(np.int64), x.exponent), saved, keys)
    return Tensor(slope.values.astype(np.int32), slope.exponent)
