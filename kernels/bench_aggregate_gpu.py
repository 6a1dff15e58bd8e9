"""`python -m kernels.bench aggregate-gpu`: milliseconds of each function of a stack on a CUDA device.

Beside them the bytes that it must read and write, and which part of a copy's speed, measured in the same run, that is.
Refuses to time anything until the self-test passes and each function, at the timed size, gives what ref gives: the
timed stack is a small one over and over, so its results are, too. Writes nothing.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from kernels import dispatch, selftest
from kernels.aggregate import ref
from kernels.aggregate.types import WEIGHT_ONE, Stack
from kernels.payload.types import BLOCK_VALUES

ROWS = (8, 16, 32, 64)
COUNT = 2**26
SAMPLE_BLOCKS = 16
SAMPLE_EXPONENTS = (3, 4, 4, 5, 4, 3, 12, 4)
ROUNDS = 7
NO_DEVICE = 2


class Function(NamedTuple):
    """A function of a stack: what calls it with the functions of a back end, and bytes read and written.

    is_planar: it reads the stack's bit planes, which a device makes of bytes by `planes`.
    """

    name: str
    call: Callable[[Any, Stack], Any]
    count_bytes: Callable[[int, int], int]
    is_planar: bool = False


def main() -> int:
    """Print the table; returns 1 if a result is wrong, 2 if there is no device."""
    from kernels import bench_gpu

    problem = bench_gpu.find_problem()
    if problem:
        print(f"not timed: {problem}", file=sys.stderr)
        return NO_DEVICE
    failed = selftest.find_failures("gpu")
    if failed:
        print(f"not timed: wrong results in {', '.join(failed)}", file=sys.stderr)
        return 1
    speed = measure_copy()
    print(f"{COUNT} coordinates, median of {ROUNDS} calls; a copy reads and writes {speed / 1e9:.0f} GB/s")
    print(f"{'function':<16}{'rows':>5}{'ms':>9}{'GB':>8}{'of a copy':>11}")
    with dispatch.forced("gpu"):
        for rows in ROWS:
            sample = draw_sample(rows)
            stack = repeat(sample, COUNT // BLOCK_VALUES // SAMPLE_BLOCKS)
            for function in list_functions(rows):
                given = find_given(function, stack)
                if not is_equal(function, given, sample):
                    print(f"not timed: wrong results in {function.name} of {rows} rows", file=sys.stderr)
                    return 1
                taken = measure(lambda: function.call(gpu_functions(), given))
                size = function.count_bytes(rows, COUNT)
                print(f"{function.name:<16}{rows:>5}{taken * 1000:>9.3f}{size / 1e9:>8.2f}"
                      f"{size / taken / speed:>11.2f}", flush=True)
    return 0


def list_functions(rows: int) -> list[Function]:
    """What is timed for a stack of `rows` rows; bytes by rows n and coordinates d."""
    middle, quarter = (rows - 1) // 2, rows // 4
    neighbours = np.tri(rows, dtype=np.uint8)[rows // 2 - 1][None, :].repeat(rows, axis=0)
    weights = [WEIGHT_ONE - row for row in range(rows)]
    return [
        Function("one rank", lambda ops, s: ops.sum_ranks(s, middle, middle + 1), lambda n, d: n * d + 2 * d, True),
        Function("two ranks", lambda ops, s: ops.sum_ranks(s, middle, middle + 2), lambda n, d: n * d + 2 * d, True),
        Function("trimmed sum", lambda ops, s: ops.sum_ranks(s, quarter, rows - quarter), lambda n, d: n * d + 2 * d,
                 True),
        Function("planes", lambda ops, s: ops.sum_ranks(s, 0, 1), lambda n, d: 3 * n * d + 2 * d),
        Function("sum of all", lambda ops, s: ops.sum_chosen(s, list(range(rows))), lambda n, d: n * d + 2 * d),
        Function("weighted sum", lambda ops, s: ops.sum_weighted(s, weights), lambda n, d: n * d + 4 * d),
        Function("gram", lambda ops, s: ops.gram(s), lambda n, d: n * d),
        Function("squares", lambda ops, s: ops.squares(s), lambda n, d: n * d),
        Function("mix", lambda ops, s: ops.mix(s, neighbours).values, lambda n, d: 2 * n * d),
        Function("signs", lambda ops, s: ops.sum_signs(s), lambda n, d: n * d + d),
        Function("magnitudes", lambda ops, s: ops.sum_magnitudes(s), lambda n, d: n * d + n * d // 64),
    ]


def draw_sample(rows: int) -> Stack:
    """A small stack of the host: values of every size, blocks of several exponents."""
    drawn = np.random.default_rng(rows)
    spread = drawn.normal(0, 40, (SAMPLE_BLOCKS, rows, BLOCK_VALUES))
    exponents = np.resize(np.array(SAMPLE_EXPONENTS, dtype=np.uint8), SAMPLE_BLOCKS)
    return Stack(np.clip(spread, -127, 127).astype(np.int8), exponents, SAMPLE_BLOCKS * BLOCK_VALUES)


def repeat(sample: Stack, times: int) -> Stack:
    """A stack of the device: a sample `times` over."""
    from kernels import device

    values = device.to_device(np.tile(sample.values, (times, 1, 1)))
    return Stack(values, np.tile(sample.exponents, times), sample.count * times)


def find_given(function: Function, stack: Stack) -> Stack:
    """The stack as a function reads it."""
    from kernels.aggregate import gpu_planes

    return stack._replace(values=gpu_planes.to_planes(stack.values)) if function.is_planar else stack


def gpu_functions() -> Any:
    """The functions of a stack on the gpu back end."""
    return dispatch.implementation("aggregate")


def is_equal(function: Function, given: Stack, sample: Stack) -> bool:
    """Whether the device gives what ref gives for the sample, as often as the sample is repeated."""
    from kernels import device

    times = given.count // sample.count
    made, expected = function.call(gpu_functions(), given), function.call(ref, sample)
    if isinstance(made, list):
        return bool((np.array(made, dtype=object) == np.array(expected, dtype=object) * times).all())
    values = device.to_host(made)
    return bool((values.reshape(times, -1) == np.asarray(expected).reshape(1, -1)).all())


def measure_copy() -> float:
    """Bytes a second, read and written, of a copy of 2 GiB on the device."""
    from kernels import device

    source = device.new_zeros(2**28, np.int64)
    return 2 * 2**31 / measure(lambda: device.copy(source))


def measure(call: Callable[[], Any]) -> float:
    """Seconds of a call on an idle device: the median of some, after two that compile and fill caches."""
    from kernels import device

    taken = []
    for _ in range(ROUNDS + 2):
        device.wait()
        start = time.perf_counter()
        call()
        device.wait()
        taken.append(time.perf_counter() - start)
    return statistics.median(taken[2:])
