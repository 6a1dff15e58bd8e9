"""`python -m kernels.bench gemm` and `freivalds`: exact products by engine, and the check of one against computing it.

CPU time of the best of several runs that take turns, on the threads that GRADUS_KERNELS_THREADS and the BLAS library
are set to. Refuses to time what is not equal. Writes nothing.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from kernels import dispatch, freivalds, samples
from kernels.gemm import LAYOUTS, Layout, cpu, engine

SHAPES = ((16, 64, 128), (1, 256, 1024), (256, 64, 256), (1024, 64, 256), (1024, 256, 1024), (512, 512, 512),
          (1024, 1024, 1024))
SIZES = (256, 512, 1024, 2048, 4096)
TURNS = 7
SECONDS = 0.02

Product = tuple[NDArray[np.int8], NDArray[np.int8]]


def compare_engines() -> int:
    """Print microseconds of every engine by shape and layout, and of numpy's own float32 product; 1 if one is wrong."""
    names = engine.list_engines()
    print(f"int8 products, {engine.count_threads()} threads at most, microseconds of CPU time; ratio: float32 / first")
    print(f"{'shape':<20}{'':<4}{''.join(f'{name:>11}' for name in names)}{'float32':>11}{'ratio':>8}")
    for shape in SHAPES:
        for layout in LAYOUTS:
            a, b = draw_product(shape, layout)
            left, right = (a.T if layout == "tn" else a), (b.T if layout == "nt" else b)
            floats = left.astype(np.float32), right.astype(np.float32)
            exact = left.astype(np.float64) @ right.astype(np.float64)
            for name in names:
                if not np.array_equal(cpu.multiply_by(name, a, b, layout), exact):
                    print(f"not timed: {name} has a wrong product of {shape} {layout}", file=sys.stderr)
                    return 1
            calls = [_bind_engine(name, a, b, layout) for name in names]
            times = measure_in_turns([*calls, lambda: floats[0] @ floats[1]])
            cells = "".join(f"{seconds * 1e6:>11.1f}" for seconds in times)
            print(f"{'x'.join(map(str, shape)):<20}{layout:<4}{cells}{times[-1] / times[0]:>8.2f}", flush=True)
    return 0


def compare_check() -> int:
    """Print milliseconds of checking a product beside those of computing it; returns 1 if a check is wrong."""
    name = engine.choose(cpu.multiply_by)
    print(f"int8 products of n x n, milliseconds of CPU time; {name} on {engine.count_threads()} threads at most")
    columns = ("computed", "check", "of it: hash", "of it: sums", "sums/computed", "check/computed")
    print(f"{'n':<8}{''.join(f'{title:>16}' for title in columns)}")
    for size in SIZES:
        a, b = draw_product((size, size, size), "nn")
        c = cpu.multiply_by(name, a, b, "nn")
        shape, data = (size, size, size), (a.tobytes(), b.tobytes(), c.astype("<i4").tobytes())
        wrong = c.copy()
        wrong[-1, 0] ^= 1
        claims = (data[2], True), (wrong.astype("<i4").tobytes(), False)
        for backend in ("ref", "cpu"):
            with dispatch.forced(backend):
                if any(freivalds.check(*data[:2], claim, shape, samples.SEED) != right for claim, right in claims):
                    print(f"not timed: the check on {backend} is wrong at {size}", file=sys.stderr)
                    return 1
        vectors = freivalds.draw_vectors(samples.SEED, size)
        with dispatch.forced("cpu"):
            check = dispatch.implementation("freivalds").agrees
            times = measure_in_turns([
                lambda: cpu.multiply_by(name, a, b, "nn"),
                lambda: freivalds.check(*data, shape, samples.SEED),
                lambda: freivalds.hash_claim(*data, shape, samples.SEED),
                lambda: check(a, b, c, vectors),
            ])
        cells = "".join(f"{seconds * 1e3:>16.3f}" for seconds in times)
        print(f"{size:<8}{cells}{times[3] / times[0]:>16.3f}{times[1] / times[0]:>16.3f}", flush=True)
    return 0


def draw_product(shape: tuple[int, int, int], layout: Layout) -> Product:
    """Operands in -127..127 as they are stored."""
    rows, inner, columns = shape
    left = (inner, rows) if layout == "tn" else (rows, inner)
    right = (columns, inner) if layout == "nt" else (inner, columns)
    drawn = [np.frombuffer(samples.sample_features(f"bench {side}", size[0] * size[1]), np.int8).reshape(size)
             for side, size in enumerate((left, right))]
    return drawn[0], drawn[1]


def measure_in_turns(calls: list[Callable[[], object]]) -> list[float]:
    """Seconds of CPU time of each call: the best of TURNS runs of about SECONDS, one of each call after the other."""
    counts = []
    for call in calls:
        call()
        start = time.process_time()
        call()
        counts.append(max(1, int(SECONDS / max(1e-6, time.process_time() - start))))
    best = [float("inf")] * len(calls)
    for _ in range(TURNS):
        for index, (call, count) in enumerate(zip(calls, counts)):
            start = time.process_time()
            for _ in range(count):
                call()
            best[index] = min(best[index], (time.process_time() - start) / count)
    return best


def _bind_engine(name: str, a: NDArray[np.int8], b: NDArray[np.int8], layout: Layout) -> Callable[[], object]:
    return lambda: cpu.multiply_by(name, a, b, layout)
