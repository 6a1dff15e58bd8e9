"""The Gram matrix of a stack on the CPU, as exact integers.  Same function as ref.py.

Reads: kernels/gemm/engine.py chooses the instructions. Blocks are taken exponent by exponent, whatever their order is,
so that sums go on over all blocks of one exponent. Source: README.md of the folder above.
"""

from __future__ import annotations

import importlib
from functools import lru_cache
from itertools import accumulate
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from kernels import threads
from kernels.aggregate.gram.exponents import join_exponents, number_exponents
from kernels.aggregate.gram.loops import LANES, PLACES_MIN, count_sums
from kernels.gemm import cpu as gemm_cpu
from kernels.gemm import engine

if TYPE_CHECKING:
    from kernels.aggregate.types import Stack

_ENGINES = {16: "vnni512", 8: "vnni256", 0: "plain"}  # by an engine's int32 lanes
_ROWS_PER_READ = 32  # rows that each byte is multiplied by in the time it takes to read it


def gram(stack: Stack) -> list[list[int]]:
    """G[i][j] = sum over blocks of 4**exponent times row i times row j; exact."""
    run = _load_run(engine.ENGINES[engine.choose(gemm_cpu.multiply_by)])
    blocks, rows, _ = stack.values.shape
    numbers, kinds, counts = number_exponents(stack.exponents)
    places, _held = _list_places(stack.values)
    if len(kinds) > 1:
        places = places[np.argsort(numbers, kind="stable")]
    ends = list(accumulate(counts))
    parts: list[NDArray[np.int64]] = []

    def work(begin: int, end: int) -> None:
        totals = np.zeros((len(kinds), rows, rows), np.int64)
        tiles, lines = np.zeros(count_sums(rows), np.int32), np.zeros((rows, LANES), np.int32)
        for total, last, count in zip(totals, ends, counts):
            first, last = max(begin, last - count), min(end, last)
            if first < last:
                run(places[first:last], tiles, lines, total)
        parts.append(totals)

    threads.run_spans(blocks, 1, stack.values.nbytes * (1 + rows // _ROWS_PER_READ), work)
    limbs = join_exponents(kinds, counts, sum(parts[1:], start=parts[0]))
    matrices = [_read_upper(totals, shift) for shift, totals in limbs]
    return matrices[0] if len(matrices) == 1 else [[sum(values) for values in zip(*lines)] for lines in zip(*matrices)]


@lru_cache(maxsize=None)
def _load_run(lanes: int) -> Any:
    return importlib.import_module(f"kernels.aggregate.gram.{_ENGINES[lanes]}").run


def _list_places(values: NDArray[np.int8]) -> tuple[NDArray[np.int64], Any]:
    """The address of each block, and what must stay alive with them.

    A tile reads PLACES_MIN rows: the last blocks get them in a copy if fewer rows are left behind them.
    """
    blocks, rows, columns = values.shape
    places = np.arange(blocks, dtype=np.int64) * (rows * columns) + values.ctypes.data
    copied = min(blocks, (PLACES_MIN - 1) // rows)
    if not copied:
        return places, values
    last = np.zeros((copied * rows + PLACES_MIN, columns), np.int8)
    last[:copied * rows] = values[blocks - copied:].reshape(-1, columns)
    places[blocks - copied:] = last.ctypes.data + np.arange(copied) * (rows * columns)
    return places, (values, last)


def _read_upper(totals: NDArray[np.int64], shift: int) -> list[list[int]]:
    """The symmetric matrix whose upper triangle is totals << shift."""
    whole = np.triu(totals) + np.triu(totals, 1).T
    return [[value << shift for value in line] for line in whole.tolist()] if shift else whole.tolist()
