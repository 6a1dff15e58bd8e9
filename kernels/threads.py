"""Cuts the work of a compiled loop over threads.

Reads: the number of threads (kernels/gemm/engine.py). A kernel gives the same bytes for every way of cutting.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from functools import lru_cache

from kernels.gemm import engine

SPAN_COST_MIN = 2**20  # bytes for which a thread is worth waking: about 0.1 ms
MULTIPLY_ADDS_PER_BYTE = 16  # of int8 operands, in the time that one byte takes to pass through memory
Work = Callable[[int, int], object]
_local = threading.local()


def run_spans(total: int, step: int, cost: int, work: Work) -> None:
    """Call work(begin, end) for spans that together are range(total), on up to engine.count_threads() threads.

    Each span but the last is a multiple of `step`, and each has a share of at least SPAN_COST_MIN of `cost`, the bytes
    that all of the work moves. The calling thread works too, and takes back what no thread has begun. Returns when all
    is done; raises the first exception. Nothing is called for a total of 0. On a thread of the pool work is not cut
    again. `work` sees no context variable of the caller: a back end or engine must be chosen before.
    """
    height = find_span(total, step, cost)
    if height >= total:
        if total:
            work(0, total)
        return
    spans = [(begin, min(begin + height, total)) for begin in range(height, total, height)]
    pool = _find_pool(len(spans))
    futures = [pool.submit(_run_marked, work, begin, end) for begin, end in spans]
    try:
        work(0, height)
        for future, (begin, end) in zip(futures, spans):
            if future.cancel():
                work(begin, end)
    finally:
        _finish(futures)
    for future in futures:
        if not future.cancelled():
            future.result()


def find_span(total: int, step: int, cost: int) -> int:
    """The length of the spans; `total` or more if one thread is to do it all."""
    parts = cost // SPAN_COST_MIN
    if parts < 2 or getattr(_local, "is_worker", False):
        return total
    parts = min(parts, engine.count_threads(), (total + step - 1) // step)
    return (total + parts * step - 1) // (parts * step) * step if parts > 1 else total


def _run_marked(work: Work, begin: int, end: int) -> None:
    _local.is_worker = True
    work(begin, end)


def _finish(futures: list[Future[None]]) -> None:
    """Drop what no thread has begun and wait for the rest: no thread may write to memory that the caller frees."""
    wait([future for future in futures if not future.cancel()])


@lru_cache(maxsize=None)
def _find_pool(threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads, thread_name_prefix="gradus-kernels")


if hasattr(os, "register_at_fork"):  # a forked process has none of the threads
    os.register_at_fork(after_in_child=_find_pool.cache_clear)
