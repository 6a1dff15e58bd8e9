"""The Gram matrix of a stack and its diagonal on the CPU, as exact integers.  Same functions as ref.py.

Reads: kernels/gemm/engine.py chooses the instructions. Blocks are taken exponent by exponent, whatever their order is,
so that int32 and int64 sums go on over all blocks of one exponent. Source: README.md beside this file.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from kernels import threads
from kernels.aggregate.gram_loops import LANES, PLACES_MIN
from kernels.aggregate.gram_squares import sum_squares
from kernels.gemm import cpu as gemm_cpu
from kernels.gemm import engine

if TYPE_CHECKING:
    from kernels.aggregate.types import Stack

_BLOCK_SUM_BITS = 22  # of a sum over one block: 256 * 128 * 128
_TOTAL_BITS = 62
_ENGINES = {16: "gram_512", 8: "gram_256", 0: "gram_plain"}  # by an engine's int32 lanes
Limb = tuple[int, NDArray[np.int64]]


def gram(stack: Stack) -> list[list[int]]:
    """G[i][j] = sum over blocks of 4**exponent times row i times row j; exact."""
    rows = stack.values.shape[1]
    run = _load_run(engine.ENGINES[engine.choose(gemm_cpu.multiply_by)])
    padded = (rows + 3) // 4 * 4

    def add(places: NDArray[np.int64], totals: NDArray[np.int64]) -> None:
        run(places, np.zeros(padded * padded, np.int32), np.zeros((rows, LANES), np.int32), totals)

    limbs = _sum_exponents(stack, (rows, rows), rows // 32, add)
    matrix = [_read_upper(rows, shift, totals) for shift, totals in limbs]
    return [[sum(values) for values in zip(*lines)] for lines in zip(*matrix)] if len(matrix) > 1 else matrix[0]


def squares(stack: Stack) -> list[int]:
    """The diagonal of gram(stack)."""
    rows = stack.values.shape[1]
    limbs = _sum_exponents(stack, (rows,), 0, sum_squares)
    return [sum(values) for values in zip(*([value << shift for value in totals.tolist()] for shift, totals in limbs))]


@lru_cache(maxsize=None)
def _load_run(lanes: int) -> Any:
    return importlib.import_module(f"kernels.aggregate.{_ENGINES[lanes]}").run


def _sum_exponents(
    stack: Stack, shape: tuple[int, ...], extra_cost: int, add: Callable[[NDArray[np.int64], NDArray[np.int64]], None]
) -> list[Limb]:
    """(shift, totals): what `add` adds up from the addresses of blocks is the sum of totals << shift."""
    places, _held = _list_places(stack.values)
    counts = np.bincount(stack.exponents, minlength=1)
    kinds = np.flatnonzero(counts)
    if len(kinds) > 1:
        places = places[np.argsort(stack.exponents, kind="stable")]
    ends = np.cumsum(counts[kinds])
    parts: list[NDArray[np.int64]] = []

    def work(begin: int, end: int) -> None:
        totals = np.zeros((len(kinds), *shape), np.int64)
        for kind, last in enumerate(ends):
            first = max(begin, last - counts[kinds[kind]])
            if first < min(end, last):
                add(places[first:min(end, last)], totals[kind])
        parts.append(totals)

    threads.run_spans(len(places), 1, stack.values.size * (1 + extra_cost), work)
    totals = sum(parts[1:], start=parts[0])
    return _join_exponents(kinds.tolist(), counts[kinds].tolist(), totals)


def _list_places(values: NDArray[np.int8]) -> tuple[NDArray[np.int64], Any]:
    """The address of each block, and what must stay alive with them.

    A tile reads PLACES_MIN rows: the last block gets them in a copy if it has fewer.
    """
    blocks, rows, columns = values.shape
    places = np.arange(blocks, dtype=np.int64) * (rows * columns) + values.ctypes.data
    if rows >= PLACES_MIN:
        return places, values
    last = np.zeros((PLACES_MIN, columns), np.int8)
    last[:rows] = values[-1]
    places[-1] = last.ctypes.data
    return places, (values, last)


def _join_exponents(kinds: list[int], counts: list[int], totals: NDArray[np.int64]) -> list[Limb]:
    """Totals of several exponents in one wherever int64 holds them: at most a few are left for Python's integers."""
    limbs: list[Limb] = []
    bound = 0
    for kind, count, total in zip(kinds, counts, totals):
        shift = 2 * kind - limbs[-1][0] if limbs else 0
        grown = bound + (count << (_BLOCK_SUM_BITS + shift))
        if limbs and grown <= 1 << _TOTAL_BITS:
            limbs[-1][1][...] += total << shift
            bound = grown
        else:
            limbs.append((2 * kind, total))
            bound = count << _BLOCK_SUM_BITS
    return limbs


def _read_upper(rows: int, shift: int, totals: NDArray[np.int64]) -> list[list[int]]:
    """The symmetric matrix whose upper triangle is totals << shift."""
    whole = np.triu(totals) + np.triu(totals, 1).T
    return [[value << shift for value in line] for line in whole.tolist()] if shift else whole.tolist()
