"""Words of attention's operands: pairs of int16 along the inner dimension of a product, as kernels/pairs.py reads them.

Compiled; each handles one head of one batch row: `length` rows from `base`, head_dim columns from `column`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from kernels import arrays
from kernels.jit import Scalar, inlined, types
from kernels.lanes import and32, or32, shl32
from kernels.pairs import COLUMNS, ROWS

OPERANDS, SHORTS, WORDS = types.int8[:, ::1], types.int16[:, ::1], types.int32[:, ::1]
STACK = types.int8[:, :, ::1]
Scratch = Any  # a tuple of arrays


def new_forward_scratch(length: int, head_dim: int) -> Scratch:
    """Memory of `attend`: (query, keys, values, scores, line, sums)."""
    tall, wide = _pad(length), _pad(head_dim)
    return (
        _shorts(ROWS, head_dim), _words(head_dim // 2, tall), _words(tall // 2, wide), _words(ROWS, tall),
        _shorts(ROWS, tall), _words(ROWS, wide),
    )


def new_value_scratch(length: int, head_dim: int) -> Scratch:
    """Memory of `slope_values`: (values, rows, pairs, shares, tile, fine, drawn)."""
    tall, wide = _pad(length), _pad(head_dim)
    return (
        _words(head_dim // 2, tall), _shorts(tall, head_dim), _words(tall // 2, wide), _words(tall // 2, tall),
        _words(ROWS, max(tall, wide)), _words(2, head_dim), _shorts(2, head_dim),
    )


def new_score_scratch(length: int, head_dim: int) -> Scratch:
    """Memory of `slope_scores`: (queries, keys, line, shares, tile)."""
    tall, wide = _pad(length), _pad(head_dim)
    return (
        _words(tall // 2, wide), _words(tall // 2, wide), _shorts(ROWS, tall), _words(tall // 2, tall),
        _words(ROWS, wide),
    )


def _shorts(rows: int, columns: int) -> NDArray[np.int16]:
    return arrays.new_array((rows, columns), np.int16)


def _words(rows: int, columns: int) -> NDArray[np.int32]:
    return arrays.new_array((rows, columns), np.int32)


def _pad(size: int) -> int:
    return (size + COLUMNS - 1) // COLUMNS * COLUMNS


@inlined
def join_word(low: Scalar, high: Scalar) -> Scalar:
    """The word of two integers in the range of int16."""
    return or32(and32(low, 0xFFFF), shl32(high, 16))


@inlined
def pack_across(
    parts: NDArray[np.int8], base: Scalar, length: Scalar, column: Scalar, head_dim: Scalar, out: NDArray[np.int32]
) -> None:
    """out[w, t] = columns 2w and 2w + 1 of row t: the right side of a product with transposed rows."""
    for row in range(length):
        operands = parts[base + row, column:column + head_dim]
        for word in range(head_dim // 2):
            out[word, row] = join_word(operands[2 * word], operands[2 * word + 1])


@inlined
def pack_along(
    parts: NDArray[np.int8], base: Scalar, length: Scalar, column: Scalar, head_dim: Scalar, out: NDArray[np.int32]
) -> None:
    """out[p, c] = rows 2p and 2p + 1 of column c: the right side of a product over rows."""
    for word in range(length // 2):
        row = base + 2 * word
        lows, highs = parts[row, column:column + head_dim], parts[row + 1, column:column + head_dim]
        line = out[word]
        for index in range(head_dim):
            line[index] = join_word(lows[index], highs[index])
    if length % 2 == 1:
        lows = parts[base + length - 1, column:column + head_dim]
        for index in range(head_dim):
            out[length // 2, index] = join_word(lows[index], 0)
