"""The embedding on the CPU.  Same functions as ref.py, on the narrow integers that the op names."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from kernels.embedding import ref
from kernels.tensor import Tensor


def forward(
    embed: NDArray[np.int32], positions: NDArray[np.int32] | None, tokens: NDArray[np.uint16]
) -> NDArray[np.int32]:
    """The residual stream [batch * length, width] of tokens [batch, length]."""
    wide = None if positions is None else positions.astype(np.int64)
    return ref.forward(embed.astype(np.int64), wide, tokens.astype(np.int64)).astype(np.int32)


def backward(
    dh: Tensor, tokens: NDArray[np.uint16], vocab: int, has_positions: bool
) -> tuple[Tensor, Tensor | None]:
    """The gradients of the two tables: sums of the slopes of the rows that took an entry."""
    wide = Tensor(dh.values.astype(np.int64), dh.exponent)
    return ref.backward(wide, tokens.astype(np.int64), vocab, has_positions)


def add(gradient: Tensor, head: Tensor) -> Tensor:
    """The gradient of a tied embedding: its own and the head's, brought to exponent 24."""
    return ref.add(gradient, Tensor(head.values.astype(np.int64), head.exponent))
