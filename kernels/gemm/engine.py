"""Which instructions the products use: chosen once per process, proved before use.

Reads: the environment variables GRADUS_KERNELS_GEMM and GRADUS_KERNELS_THREADS. Every engine gives the same integers:
the choice changes speed only. An engine that fails its test is reported on the log as an error and replaced by `blas`.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kernels.errors import KernelInputError
from kernels.gemm import LAYOUTS, Layout

GEMM_VARIABLE = "GRADUS_KERNELS_GEMM"
THREADS_VARIABLE = "GRADUS_KERNELS_THREADS"
BLAS = "blas"
ENGINES = {"vnni512": 16, "vnni256": 8, BLAS: 0}  # name: int32 lanes of a vector
THREADS_MAX = 256
_FASTEST = "vnni"
_INNER = (1, 3, 64, 511, 512, 513, 1023, 1024, 1025, 2500)

Multiply = Callable[[str, NDArray[Any], NDArray[Any], Layout], NDArray[Any]]

_log = logging.getLogger("gradus.kernels")
_forced: ContextVar[str | None] = ContextVar("gradus_kernels_gemm", default=None)
_lock = threading.Lock()
_chosen: str | None = None


def list_engines() -> tuple[str, ...]:
    """The engines that this processor has instructions for, fastest first."""
    from kernels.gemm import instructions

    lanes = instructions.find_lanes()
    return tuple(name for name, width in ENGINES.items() if not width or width in lanes)


def choose(multiply: Multiply) -> str:
    """The engine in use; the first call in a process chooses it and tests it by `multiply`.

    Raises: KernelInputError if GRADUS_KERNELS_GEMM names no engine.
    """
    global _chosen
    forced_name = _forced.get()
    if forced_name is not None:
        return forced_name
    if _chosen is None:
        with _lock:
            if _chosen is None:
                _chosen = _choose(os.environ.get(GEMM_VARIABLE, ""), multiply)
    return _chosen


@contextmanager
def forced(name: str) -> Iterator[None]:
    """Use engine `name` inside the block, in this thread or task, without a test."""
    if name not in list_engines():
        raise KernelInputError(f"engine {name!r} is not to be had here: choose one of {', '.join(list_engines())}")
    token = _forced.set(name)
    try:
        yield
    finally:
        _forced.reset(token)


def count_threads() -> int:
    """How many threads a large product may use: GRADUS_KERNELS_THREADS, or one for each processor of this process.

    Raises: KernelInputError if the variable is no number in 1..256.
    """
    asked = os.environ.get(THREADS_VARIABLE, "")
    if not asked:
        return min(THREADS_MAX, _count_processors())
    if not asked.isascii() or not asked.isdigit() or not 1 <= int(asked) <= THREADS_MAX:
        raise KernelInputError(f"{THREADS_VARIABLE} is {asked[:80]!r}: it must be a number in 1..{THREADS_MAX}")
    return int(asked)


def _count_processors() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def check_environment() -> None:
    """Refuse settings that mean nothing before anything is computed, so that no product fails by them later.

    Raises: KernelInputError.
    """
    count_threads()
    _check_engine(os.environ.get(GEMM_VARIABLE, ""))


def _check_engine(asked: str) -> None:
    known = (*ENGINES, _FASTEST)
    if asked not in ("", *known):
        raise KernelInputError(f"unknown engine {asked!r}: {GEMM_VARIABLE} is one of {', '.join(known)}")


def _choose(asked: str, multiply: Multiply) -> str:
    _check_engine(asked)
    wanted = [name for name in list_engines() if asked in ("", _FASTEST, name)]
    if asked and (not wanted or asked == _FASTEST and wanted == [BLAS]):
        _log.error("kernels: products do not use %s: this processor has no such instructions. float32 products take "
                   "over; results are the same.", asked)
    for name in wanted:
        if name == BLAS:
            break
        problem = find_problem(name, multiply)
        if not problem:
            return name
        _log.error("kernels: products do not use %s: %s. A slower way takes over; results are the same.", name, problem)
    return BLAS


def find_problem(name: str, multiply: Multiply) -> str:
    """What is wrong with an engine: its products against float64 ones, which hold every integer below 2**53."""
    try:
        for label, left, right, layout in list_products():
            first = left.T if layout == "tn" else left
            second = right.T if layout == "nt" else right
            expected = first.astype(np.float64) @ second.astype(np.float64)
            if not np.array_equal(multiply(name, left, right, layout), expected):
                return f"a wrong product in its self-test, {label}"
    except Exception as error:  # any failure of a compiler or library means: do not use this engine
        return f"{type(error).__name__}: {error}"
    return ""


def list_products() -> Iterator[tuple[str, NDArray[Any], NDArray[Any], Layout]]:
    """(what, a, b, layout): extremes in every layout, at and beside the sizes of blocks and of float32's exactness."""
    for fill in ("random", "signs", "largest", "lowest limbs"):
        for index, layout in enumerate(LAYOUTS):
            for inner in _INNER if fill == "random" else (1023, 1025, 2500):
                rows, columns = 9 + 2 * index + inner % 7, 33 + inner % 31
                yield _draw_product(fill, layout, rows, inner, columns)
    yield _draw_product("largest", "nn", 3, 65536, 17)
    yield _draw_product("lowest limbs", "nt", 3, 65536, 17)


def _draw_product(
    fill: str, layout: Layout, rows: int, inner: int, columns: int
) -> tuple[str, NDArray[Any], NDArray[Any], Layout]:
    left = _draw_operand(fill, (inner, rows) if layout == "tn" else (rows, inner), 3)
    right = _draw_operand(fill, (columns, inner) if layout == "nt" else (inner, columns), 5)
    return f"{fill} {layout} {rows}x{inner}x{columns}", left, right, layout


def _draw_operand(fill: str, shape: tuple[int, int], step: int) -> NDArray[np.int8]:
    count = shape[0] * shape[1]
    drawn = np.arange(count, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15 * step % 2**64)
    noise = (drawn >> np.uint64(40)).astype(np.int64)
    if fill == "random":
        values = noise % 255 - 127
    elif fill == "signs":
        values = 127 - 254 * (noise & 1)
    else:
        values = np.full(count, 127 if fill == "largest" else -128)
        values[0] += -1 if fill == "largest" else 1
    return values.astype(np.int8).reshape(shape)
