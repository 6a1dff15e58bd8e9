"""Reference of aggregation in numpy int64: the truth.  Source: kernels/README.md section 9.

Functions of a Stack, the same in cpu.py and gpu.py; W = blocks * 256 coordinates, n rows.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from kernels import exact
from kernels.aggregate.types import Stack
from kernels.exact import Ints
from kernels.payload.types import BLOCK_VALUES


def sum_chosen(stack: Stack, chosen: list[int]) -> NDArray[np.int16]:
    """Sum of the chosen rows, each named once: int16 [W]."""
    return _flatten(_widen(stack)[:, chosen].sum(axis=1)).astype(np.int16)


def sum_ranks(stack: Stack, low: int, high: int) -> NDArray[np.int16]:
    """Sum of the values of ranks low..high-1 of each coordinate, the lowest value having rank 0: int16 [W]."""
    return _flatten(np.sort(_widen(stack), axis=1)[:, low:high].sum(axis=1)).astype(np.int16)


def sum_signs(stack: Stack) -> NDArray[np.int8]:
    """Rows above zero less rows below it, of each coordinate: int8 [W]."""
    return _flatten(np.sign(_widen(stack)).sum(axis=1)).astype(np.int8)


def sum_magnitudes(stack: Stack) -> NDArray[np.int32]:
    """Sum of |value| of each block and row: int32 [blocks, n]."""
    sums: NDArray[np.int32] = np.abs(_widen(stack)).sum(axis=2).astype(np.int32)
    return sums


def sum_weighted(stack: Stack, weights: list[int]) -> NDArray[np.int32]:
    """Sum of weights[row] * value, each weight in 0..2**14: int32 [W]."""
    return _flatten(np.array(weights, dtype=np.int64) @ _widen(stack)).astype(np.int32)


def gram(stack: Stack) -> list[list[int]]:
    """Exact inner products of the rows: sum over blocks of 4**exponent * X @ transpose(X)."""
    rows = stack.values.shape[1]
    total = np.zeros((rows, rows), dtype=object)
    for exponent in np.unique(stack.exponents).tolist():
        values = stack.values[stack.exponents == exponent].astype(np.int64)
        total = total + ((values @ values.transpose(0, 2, 1)).sum(axis=0).astype(object) << 2 * exponent)
    return [[int(value) for value in row] for row in total]


def squares(stack: Stack) -> list[int]:
    """The diagonal of `gram`: each row's exact squared length."""
    return [row[index] for index, row in enumerate(gram(stack))]


def mix(stack: Stack, neighbours: NDArray[np.uint8]) -> Stack:
    """Each row replaced by the mean of its neighbours, rounded half away from zero.

    neighbours: [n, n] of 0 and 1; row i names the neighbours of i, the same number in every row.
    """
    sums = neighbours.astype(np.int64) @ _widen(stack)
    mixed = exact.round_divide(sums, int(neighbours[0].sum()))
    return Stack(mixed.astype(np.int8), stack.exponents, stack.count)


def expand(
    sums: NDArray[np.int16] | NDArray[np.int32], divisor: int, exponents: NDArray[np.uint8], count: int
) -> Ints:
    """(sums << exponent of their block) / divisor, rounded half away from zero; divisor in 1..2**20: int64 [count]."""
    return exact.round_divide(sums[:count].astype(np.int64) << _spread(exponents, count), divisor)


def expand_votes(
    signs: NDArray[np.int8], scales: NDArray[np.int32], exponents: NDArray[np.uint8], count: int
) -> Ints:
    """Sign of each vote times (scale << exponent) of its block: int64 [count]."""
    sizes: Ints = np.sign(signs[:count].astype(np.int64)) * _spread(scales, count)
    return sizes << _spread(exponents, count)


def _widen(stack: Stack) -> Ints:
    values: Ints = stack.values.astype(np.int64)
    return values


def _flatten(values: Ints) -> Ints:
    return values.reshape(-1)


def _spread(of_blocks: NDArray[Any], count: int) -> Ints:
    spread: Ints = np.repeat(of_blocks.astype(np.int64), BLOCK_VALUES)
    return spread[:count]
