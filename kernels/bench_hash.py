"""`python -m kernels.bench hash`: GB/s of the chunk tree beside the plain read and SHA-256, in turns in one run.

Best wall time of several rounds; the fraction is of the read in the same run. Refuses to time a root that differs from
that of the plain text of section 11, on one thread and on several. Writes nothing.
"""

from __future__ import annotations

import hashlib
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

import numpy as np

from kernels import chunks, threads
from kernels.gemm import engine

DATA_BYTES = 2**28
SIZES = (2**14, 2**16, 2**20)
ROUNDS = 5
Call = Callable[[], object]


def main() -> int:
    """Print the table; returns 1 if a root is wrong."""
    data = np.random.Generator(np.random.PCG64(1)).integers(0, 256, DATA_BYTES, np.uint8).tobytes()
    wrong = find_wrong(data[:2**22 + 1])
    if wrong:
        print(f"not timed: wrong roots of chunks of {', '.join(map(str, wrong))} bytes", file=sys.stderr)
        return 1
    most = engine.count_threads()
    calls = build_calls(data, sorted({1, most}))
    best = dict.fromkeys(calls, float("inf"))
    for _ in range(ROUNDS):
        for name, call in calls.items():
            start = time.perf_counter()
            call()
            best[name] = min(best[name], time.perf_counter() - start)
    print(f"{DATA_BYTES >> 20} MiB, best wall time of {ROUNDS} rounds in turns, {most} threads at most")
    print(f"{'':<36}{'GB/s':>8}{'of the read':>14}")
    ceiling = best[f"read, {most} threads"]
    for name, seconds in best.items():
        print(f"{name:<36}{DATA_BYTES / seconds / 1e9:>8.2f}{ceiling / seconds:>14.2f}")
    return 0


def build_calls(data: bytes, counts: list[int]) -> dict[str, Call]:
    """The timed calls by name."""
    calls: dict[str, Call] = {}
    for count in counts:
        calls[f"read, {count} threads"] = _bind(count, partial(read, data))
        for size in SIZES:
            tree = partial(chunks.chunk_root, data, size)
            calls[f"tree of {size >> 10} KiB chunks, {count} threads"] = _bind(count, tree)
    calls["blake3 of the whole, 1 thread"] = partial(chunks.hash_bytes, data)
    calls["sha256 of the whole, 1 thread"] = lambda: hashlib.sha256(data).digest()
    return calls


def read(data: bytes) -> None:
    """Every byte once, in words of 8, over threads."""
    words = np.frombuffer(data, np.uint64)
    threads.run_spans(len(words), 1, len(data), lambda begin, end: np.bitwise_xor.reduce(words[begin:end]))


def find_wrong(data: bytes) -> list[int]:
    """The chunk sizes whose root of `data` is not what hashing chunk by chunk and node by node gives."""
    wrong = []
    for size in SIZES:
        expected = _hash_plainly(data, size)
        for count in {1, engine.count_threads()}:
            with _threads(count):
                if chunks.chunk_root(data, size) != expected and size not in wrong:
                    wrong.append(size)
    return wrong


def _hash_plainly(data: bytes, size: int) -> bytes:
    level = [chunks.hash_bytes(b"\0" + part) for part in chunks.split(data, size)]
    while len(level) > 1:
        pairs = [b"\1" + left + right for left, right in zip(level[::2], level[1::2])]
        level = [chunks.hash_bytes(pair) for pair in pairs] + level[len(level) & ~1:]
    return chunks.hash_bytes(b"\2" + len(data).to_bytes(8, "little") + size.to_bytes(4, "little") + level[0])


def _bind(count: int, call: Call) -> Call:
    def run() -> None:
        with _threads(count):
            call()
    return run


@contextmanager
def _threads(count: int) -> Iterator[None]:
    held = os.environ.get(engine.THREADS_VARIABLE)
    os.environ[engine.THREADS_VARIABLE] = str(count)
    try:
        yield
    finally:
        if held is None:
            del os.environ[engine.THREADS_VARIABLE]
        else:
            os.environ[engine.THREADS_VARIABLE] = held
