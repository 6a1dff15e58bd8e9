"""`python -m kernels.bench decoder`: where the CPU time of a decoder's training step goes, op by op.

Runs whole units on the back end in use and clocks every call of an array-level op. CPU time adds up the threads of
products: GRADUS_KERNELS_THREADS=1 has no more than one. Writes nothing. Reads: the process's CPU clock.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from math import prod
from typing import Any

from kernels import decoder, dispatch, samples, unit
from kernels.decoder.types import Decoder
from kernels.tensor import Tensor

TOKENS = 1024
STEPS = 8
REPEATS = 3
MODELS = (
    Decoder(84, 64, 64, 2, 256, 2),
    Decoder(84, 64, 128, 4, 512, 2),
    Decoder(84, 64, 256, 4, 1024, 4),
    Decoder(84, 128, 512, 8, 2048, 4),
)
PRODUCTS = "gemm.multiply"


@dataclass
class Total:
    """Calls of one function of an op, their CPU time, and the elements of their largest argument or multiply-adds."""

    calls: int = 0
    seconds: float = 0.0
    work: int = 0


class Clock:
    """Totals by op and function, of calls made inside `running`."""

    def __init__(self) -> None:
        self.totals: dict[str, Total] = {}

    @contextmanager
    def running(self) -> Iterator[None]:
        """Every op that dispatch gives out inside the block is clocked."""
        original = dispatch.implementation
        dispatch.implementation = lambda op: ClockedOp(self, op, original(op))
        try:
            yield
        finally:
            dispatch.implementation = original

    def call(self, name: str, function: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
        """The function's result; its time is added to `name`."""
        start = time.process_time()
        result = function(*arguments, **named)
        total = self.totals.setdefault(name, Total())
        total.seconds += time.process_time() - start
        total.calls += 1
        total.work += _count_multiply_adds(*arguments) if name == PRODUCTS else max(map(_count_elements, arguments))
        return result


class ClockedOp:
    """A module of an op whose functions are clocked."""

    def __init__(self, clock: Clock, op: str, module: Any) -> None:
        self._clock, self._op, self._module = clock, op, module

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._module, name)
        if not callable(found):
            return found
        return lambda *arguments, **named: self._clock.call(f"{self._op}.{name}", found, *arguments, **named)


def main() -> int:
    """Print a table for each model; returns 0."""
    print(f"back end {dispatch.backend()}; CPU time of one training step of {TOKENS} tokens with Adam, "
          f"in units of {STEPS} steps, best of {REPEATS}")
    for model in MODELS:
        print_table(model, *measure(model))
    return 0


def measure(model: Decoder) -> tuple[float, Clock]:
    """(CPU seconds of a whole unit, the clock of its ops), of the fastest of REPEATS units."""
    rows = TOKENS // model.context
    policy = unit.UnitPolicy(model, unit.Adam(16777, 58982, 8), unit.Schedule(), STEPS, rows, STEPS, "int8/256")
    weights = decoder.init_weights(model, samples.SEED)
    text = samples.sample_labels("bench", STEPS * rows * (model.context + 1), model.vocab)
    best = (float("inf"), Clock())
    for _ in range(REPEATS + 1):
        clock = Clock()
        start = time.process_time()
        with clock.running():
            unit.run_unit(policy, weights, text, b"", samples.SEED)
        best = min(best, (time.process_time() - start, clock), key=lambda pair: pair[0])
    return best


def print_table(model: Decoder, seconds: float, clock: Clock) -> None:
    """Milliseconds per step of every op, and nanoseconds per element or multiply-adds per nanosecond."""
    print(f"\n{model}: {decoder.param_count(model)} parameters")
    print(f"{'op':<24}{'calls':>6}{'ms':>10}{'share':>8}{'elements':>12}{'ns each':>10}")
    for name, total in sorted(clock.totals.items(), key=lambda item: -item[1].seconds):
        share = f"{100 * total.seconds / seconds:.1f} %"
        spent = total.seconds / STEPS
        if name == PRODUCTS:
            rate = f"{total.work / total.seconds / 1e9:.0f} G multiply-adds per second" if total.seconds else ""
            print(f"{name:<24}{total.calls // STEPS:>6}{1000 * spent:>10.3f}{share:>8}  {rate}")
        else:
            each = f"{1e9 * total.seconds / total.work:.2f}" if total.work else ""
            print(f"{name:<24}{total.calls // STEPS:>6}{1000 * spent:>10.3f}{share:>8}"
                  f"{total.work // STEPS:>12}{each:>10}")
    inside = sum(total.seconds for total in clock.totals.values())
    products = clock.totals.get(PRODUCTS, Total()).seconds
    print(f"products {1000 * products / STEPS:.2f} ms, other ops {1000 * (inside - products) / STEPS:.2f} ms, "
          f"the rest of the unit {1000 * (seconds - inside) / STEPS:.2f} ms; step {1000 * seconds / STEPS:.2f} ms")


def _count_multiply_adds(a: Tensor, b: Tensor, layout: str) -> int:
    inner = a.values.shape[0] if layout == "tn" else a.values.shape[1]
    return int(a.values.size * b.values.size // inner)


def _count_elements(argument: Any) -> int:
    values = argument.values if isinstance(argument, Tensor) else argument
    return prod(getattr(values, "shape", (0,)))
