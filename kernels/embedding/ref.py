"""Reference of the embedding in numpy int64: the truth.  Source: kernels/decoder/README.md section 15."""

from __future__ import annotations

import numpy as np

from kernels import embedding, exact, gin1, norm
from kernels.exact import Ints
from kernels.tensor import Tensor


def forward(embed: Ints, positions: Ints | None, tokens: Ints) -> Ints:
    """The residual stream [batch * length, width] of tokens [batch, length]."""
    length = tokens.shape[1]
    h = embed[tokens]
    if positions is not None:
        h = h + positions[:length]
    h = exact.clip(exact.round_shift(h, embedding.SHIFT), norm.STREAM_MAX)
    return h.reshape(-1, embed.shape[1])


def backward(dh: Tensor, tokens: Ints, vocab: int, has_positions: bool) -> tuple[Tensor, Tensor | None]:
    """The gradients of the two tables: sums of the slopes of the rows that took an entry."""
    batch, length = tokens.shape
    width = dh.values.shape[1]
    sums = np.zeros((vocab, width), dtype=np.int64)
    np.add.at(sums, tokens.reshape(-1), dh.values)
    by_token = Tensor(exact.scale(sums, embedding.GRADIENT_SHIFT), gin1.WEIGHT_EXPONENT)
    if not has_positions:
        return by_token, None
    sums = dh.values.reshape(batch, length, width).sum(axis=0)
    return by_token, Tensor(exact.scale(sums, embedding.GRADIENT_SHIFT), gin1.WEIGHT_EXPONENT)


def add(gradient: Tensor, head: Tensor) -> Tensor:
    """The gradient of a tied embedding: its own and the head's, brought to exponent 24."""
    brought = exact.scale(head.values, head.exponent - gin1.WEIGHT_EXPONENT)
    return Tensor(gradient.values + brought, gin1.WEIGHT_EXPONENT)
