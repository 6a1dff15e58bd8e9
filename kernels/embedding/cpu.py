"""The embedding on the CPU: compiled loops.  Same functions as ref.py; h and dh are int32, gradients int64."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from kernels import arrays, embedding, gin1, norm
from kernels.elementwise import bound, scale
from kernels.jit import compiled, types
from kernels.tensor import Tensor

_STREAM_MAX = norm.STREAM_MAX
_SHIFT = embedding.SHIFT
_HALF = 1 << (_SHIFT - 1)
_SLOPE_RISE = -embedding.GRADIENT_SHIFT
_MATRIX = types.int32[:, ::1]
_TOKENS = types.Array(types.uint16, 2, "C", readonly=True)
_SUM_LIMIT = gin1.SCALE_MAX >> _SLOPE_RISE


@compiled(types.void(_MATRIX, _MATRIX, types.boolean, _TOKENS, _MATRIX))
def look_up(
    embed: NDArray[np.int32], positions: NDArray[np.int32], has_positions: bool, tokens: NDArray[np.uint16],
    h: NDArray[np.int32],
) -> None:
    """h = clip(rs(embed[token] + positions[t], 8), 2**23 - 1), rows of batch and t."""
    rows, length = tokens.shape
    for row in range(rows):
        for step in range(length):
            token = np.int64(tokens[row, step])
            at = row * length + step
            for column in range(embed.shape[1]):
                value = np.int64(embed[token, column]) + _HALF
                if has_positions:
                    value += np.int64(positions[step, column])
                h[at, column] = bound(value >> _SHIFT, np.int64(_STREAM_MAX))


@compiled("void(int64[:, ::1])")
def raise_sums(sums: NDArray[np.int64]) -> None:
    """In place: scale(sums, -4)."""
    for row in range(sums.shape[0]):
        for column in range(sums.shape[1]):
            sums[row, column] = bound(sums[row, column], np.int64(_SUM_LIMIT)) << _SLOPE_RISE


@compiled(types.void(_MATRIX, _TOKENS, types.int64[:, ::1]))
def add_by_token(dh: NDArray[np.int32], tokens: NDArray[np.uint16], out: NDArray[np.int64]) -> None:
    """out[c] = scale(sum of dh over the rows with token c, -4)."""
    out[:] = 0
    rows, length = tokens.shape
    for row in range(rows):
        for step in range(length):
            token = np.int64(tokens[row, step])
            for column in range(dh.shape[1]):
                out[token, column] += np.int64(dh[row * length + step, column])
    raise_sums(out)


@compiled("void(int32[:, ::1], int64, int64[:, ::1])")
def add_by_position(dh: NDArray[np.int32], length: int, out: NDArray[np.int64]) -> None:
    """out[t] = scale(sum of dh over the rows of position t, -4)."""
    out[:] = 0
    for row in range(dh.shape[0]):
        step = row % length
        for column in range(dh.shape[1]):
            out[step, column] += np.int64(dh[row, column])
    raise_sums(out)


def forward(
    embed: NDArray[np.int32], positions: NDArray[np.int32] | None, tokens: NDArray[np.uint16]
) -> NDArray[np.int32]:
    """The residual stream [batch * length, width] of tokens [batch, length]."""
    h = arrays.new_array((tokens.size, embed.shape[1]), np.int32)
    look_up(embed, embed if positions is None else positions, positions is not None, tokens, h)
    return h


def backward(
    dh: Tensor, tokens: NDArray[np.uint16], vocab: int, has_positions: bool
) -> tuple[Tensor, Tensor | None]:
    """The gradients of the two tables: sums of the slopes of the rows that took an entry."""
    width = dh.values.shape[1]
    by_token = arrays.new_array((vocab, width), np.int64)
    add_by_token(dh.values, tokens, by_token)
    if not has_positions:
        return Tensor(by_token, gin1.WEIGHT_EXPONENT), None
    by_position = arrays.new_array((tokens.shape[1], width), np.int64)
    add_by_position(dh.values, tokens.shape[1], by_position)
    return Tensor(by_token, gin1.WEIGHT_EXPONENT), Tensor(by_position, gin1.WEIGHT_EXPONENT)


@compiled([f"void(int64[::1], {head}[::1], int64, int64[::1])" for head in ("int32", "int64")])
def add_scaled(gradient: NDArray[np.int64], head: NDArray[Any], shift: int, out: NDArray[np.int64]) -> None:
    """out = gradient + scale(head, shift)."""
    for index in range(gradient.size):
        out[index] = gradient[index] + scale(np.int64(head[index]), shift)


def add(gradient: Tensor, head: Tensor) -> Tensor:
    """The gradient of a tied embedding: its own and the head's, brought to exponent 24."""
    out = arrays.new_array(gradient.values.shape, np.int64)
    shift = head.exponent - gin1.WEIGHT_EXPONENT
    add_scaled(gradient.values.reshape(-1), head.values.reshape(-1), shift, out.reshape(-1))
    return Tensor(out, gin1.WEIGHT_EXPONENT)
