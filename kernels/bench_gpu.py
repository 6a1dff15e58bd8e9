"""`python -m kernels.bench gpu`: milliseconds of a decoder's training step on a CUDA device, beside torch in bfloat16.

Refuses to time anything until the gpu back end gives the right bytes, in the self-test and in a step of each timed
shape. The twin in torch is that of tests/bench/training and is left out where that is not. Writes nothing.
"""

from __future__ import annotations

import importlib
import importlib.util
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from math import prod
from typing import Any, NamedTuple

import numpy as np

from kernels import decoder, dispatch, samples, selftest, unit
from kernels.decoder.types import Decoder
from kernels.optimiser import Adam, iter_factors
from kernels.optimiser.schedule import Schedule
from kernels.unit.cases import run
from kernels.unit.models import find_training

TWIN = "tests.bench.training.twin"
OPTIMISER, SCHEDULE = Adam(16777, 58982, 6), Schedule()
WARM_STEPS, TIMED_STEPS, ROUNDS = 3, 10, 5
NO_DEVICE = 2
REF_COST_MAX, CPU_COST_MAX = 2**31, 2**40
Steps = Callable[[int], None]


class Size(NamedTuple):
    """A model and the rows of a batch."""

    model: Decoder
    batch_rows: int


SIZES = (
    Size(Decoder(84, 64, 256, 8, 1024, 4), 16),
    Size(Decoder(256, 256, 512, 8, 2048, 8), 32),
    Size(Decoder(8192, 512, 1024, 16, 4096, 12), 16),
    Size(Decoder(32768, 1024, 1024, 16, 4096, 12), 8),
)


def main() -> int:
    """Print the table; returns 1 if a result is wrong, 2 if there is no device."""
    problem = find_problem()
    if problem:
        print(f"not timed: {problem}", file=sys.stderr)
        return NO_DEVICE
    failed = find_failures(SIZES)
    if failed:
        print(f"not timed: wrong results in {', '.join(failed)}", file=sys.stderr)
        return 1
    twin = importlib.import_module(TWIN) if has_twin() else None
    print(f"milliseconds of a training step with Adam, median of {ROUNDS} rounds of {TIMED_STEPS} steps")
    print(f"{'tokens':>8}{'parameters':>12}{'integers':>11}{'bfloat16':>11}{'ratio':>8}  model")
    for size in SIZES:
        ours = time_steps(new_steps(size))
        theirs = time_steps(new_twin_steps(twin, size, "cuda")) if twin is not None else None
        compared = f"{theirs:>11.2f}{theirs / ours:>8.2f}" if theirs is not None else f"{'-':>11}{'-':>8}"
        tokens = size.batch_rows * size.model.context
        print(f"{tokens:>8}{decoder.param_count(size.model):>12}{ours:>11.2f}{compared}  {size.model}", flush=True)
    return 0


def has_twin() -> bool:
    """Whether the twin's module is here: it is part of the project's sources, not of an installed package."""
    try:
        return importlib.util.find_spec(TWIN) is not None
    except ModuleNotFoundError:
        return False


def find_failures(sizes: tuple[Size, ...]) -> list[str]:
    """Self-test cases and models in which gpu gives other bytes; all cases of cpu too, which stands in for ref."""
    failed = [f"{name} ({backend})" for backend in ("cpu", "gpu") for name in selftest.find_failures(backend)]
    return failed + [f"a step of a {size.model}" for size in sizes if not is_step_equal(size)]


def is_step_equal(size: Size) -> bool:
    """Whether a whole step, its state and payload, is the same on gpu as on ref.

    Where ref would take minutes, cpu is compared with, as it was with ref; where cpu would, the batch has fewer rows.
    """
    policies = [unit.UnitPolicy(size.model, OPTIMISER, SCHEDULE, 1, rows, 1, samples.CODEC) for rows in (1, 2)]
    row_cost = unit.unit_cost(policies[1]) - unit.unit_cost(policies[0])
    policy = replace(policies[0], batch_rows=max(1, min(size.batch_rows, CPU_COST_MAX // row_cost)))
    weights = decoder.init_weights(size.model, samples.SEED)
    results = []
    for backend in ("ref" if unit.unit_cost(policy) <= REF_COST_MAX else "cpu", "gpu"):
        with dispatch.forced(backend):
            results.append(run(policy, "bench", weights))
    return results[0] == results[1]


def draw_batch(size: Size) -> tuple[Any, Any]:
    """(tokens [rows, context], targets) of a step."""
    training = find_training(size.model)
    rows, targets = training.draw_examples(size.model, "bench", size.batch_rows)
    return training.read_batches(size.model, 1, size.batch_rows, rows, targets)[0]


def new_steps(size: Size) -> Steps:
    """Steps in integers on the gpu back end, from the batch to the new weights, as a unit makes them."""
    model, rows = size
    training, batch = find_training(model), draw_batch(size)
    with dispatch.forced("gpu"):
        ops = dispatch.implementation("optimiser")
        state = ops.new_state(OPTIMISER, np.frombuffer(decoder.init_weights(model, samples.SEED), "<i4"))
        trainer = training.Trainer(model, state.weights, samples.SEED)
    ends = np.cumsum([prod(shape) for shape in training.param_shapes(model)]).tolist()
    parts = [state.part(start, end) for start, end in zip([0, *ends], ends)]
    terms = training.count_terms(model, rows)

    def go(steps: int) -> None:
        with dispatch.forced("gpu"):
            for step, factors in enumerate(iter_factors(OPTIMISER, SCHEDULE, 0, steps, terms)):
                for index, gradient in trainer.run_step(*batch, step):
                    ops.step(OPTIMISER, factors, parts[index], gradient)
    return go


def new_twin_steps(twin: Any, size: Size, device: str) -> Steps:
    """The same steps of the same model in torch, its products in bfloat16 and its parameters in float32."""
    import torch

    model, rows = size
    tokens, targets = (twin.to_tokens(part, device) for part in draw_batch(size))
    weights = decoder.init_weights(model, samples.SEED)
    twins = twin.DecoderTwin(model, weights, device)
    stepper = twin.Stepper(OPTIMISER, SCHEDULE, twins.parameters(), rows * model.context)

    def go(steps: int) -> None:
        for step in range(steps):
            with torch.autocast(device, dtype=torch.bfloat16):
                loss = twins.loss(tokens, targets)
            loss.backward()
            stepper.step(0, step)
    return go


def time_steps(go: Steps) -> float:
    """Milliseconds of one step on an idle device, after steps that compile and fill caches."""
    from kernels import device

    go(WARM_STEPS)
    taken = []
    for _ in range(ROUNDS):
        device.wait()
        start = time.perf_counter()
        go(TIMED_STEPS)
        device.wait()
        taken.append((time.perf_counter() - start) * 1000 / TIMED_STEPS)
    return statistics.median(taken)


def find_problem() -> str:
    """Why nothing can be timed in this process; empty if it can."""
    if importlib.util.find_spec("triton") is None:
        return dispatch.NO_TRITON
    from kernels import device

    if device.IS_INTERPRETED:
        return "TRITON_INTERPRET is set: unset it, times of the interpreter say nothing"
    return device.find_problem()
