"""Characters of a text: the loss of a decoder trained in integers, and of its float32 twin.

Both begin with the same weights and see the same batches at the same learning rates; both are judged by the mean loss,
in nats per character, of the same held rows, each with its own arithmetic.
"""

import time
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kernels.decoder import Decoder, init_weights, param_count
from kernels.optimiser import Adam, Lion, Optimiser, Sgd
from kernels.optimiser.schedule import Schedule
from tests.bench.training.corpus import Corpus, derive_seed, draw_rows
from tests.bench.training.integers import IntegerTraining, Recipe, compute_loss
from tests.bench.training.records import Json

HELD_ROWS = 512
HELD_BATCH = 32
WARMUP_STEPS = 50
FINAL_Q16 = 6554
FULL_Q16, FULL_Q24 = 2**16, 2**24
Report = Callable[[int, int], None]
Rows = NDArray[np.uint16]


def new_optimiser(name: str, rate: float) -> Optimiser:
    """An optimiser with its usual decays."""
    if name == "sgd":
        return Sgd(round(rate * FULL_Q16), 58982)
    if name == "lion":
        return Lion(round(rate * FULL_Q24), 58982, 64881)
    return Adam(round(rate * FULL_Q24), 58982, 6)


def new_recipe(model: Decoder, optimiser: Optimiser, steps: int, batch_rows: int) -> Recipe:
    """A warm-up, then a linear fall to a tenth at the last step."""
    schedule = Schedule("linear", WARMUP_STEPS, max(steps, WARMUP_STEPS + 1), FINAL_Q16)
    return Recipe(model, optimiser, schedule, batch_rows)


def draw_held(corpus: Corpus, context: int) -> Rows:
    """The rows that every run over this text and context is judged by."""
    return draw_rows(corpus.held, "held", HELD_ROWS, context)


def train_integers(recipe: Recipe, corpus: Corpus, seed: int, steps: int, every: int, report: Report) -> Json:
    """Figures of a run in integers: [step, loss] of the held rows, processor seconds of the training alone."""
    model = recipe.model
    held = draw_held(corpus, model.context)
    run = IntegerTraining(recipe, init_weights(model, derive_seed(f"init {seed}")), derive_seed(f"rounding {seed}"))
    batches = ((batch[:, :-1].copy(), batch[:, 1:].reshape(-1)) for batch in draw_batches(recipe, corpus, seed, steps))
    curve, trained_s, start = [], 0.0, time.process_time()
    for done in run.train(batches, steps):
        if done % every == 0 or done == steps:
            trained_s += time.process_time() - start
            curve.append([done, round(compute_loss(model, run.weights(), held, HELD_BATCH), 5)])
            start = time.process_time()
        report(done, steps)
    return {"curve": curve, "loss": curve[-1][1], "cpu_s": round(trained_s, 1), "params": param_count(model)}


def train_twin(recipe: Recipe, corpus: Corpus, seed: int, steps: int, every: int, report: Report) -> Json:
    """The same figures of the float32 twin."""
    from tests.bench.training import twin as twins

    model = recipe.model
    held = draw_held(corpus, model.context)
    twin = twins.DecoderTwin(model, init_weights(model, derive_seed(f"init {seed}")))
    stepper = twins.Stepper(recipe.optimiser, recipe.schedule, twin.parameters(), recipe.terms)
    batches = (split(twins, batch) for batch in draw_batches(recipe, corpus, seed, steps))
    curve, trained_s, start = [], 0.0, time.process_time()
    for done in twins.train(twin, stepper, batches):
        if done % every == 0 or done == steps:
            trained_s += time.process_time() - start
            curve.append([done, round(compute_twin_loss(twin, model, held), 5)])
            start = time.process_time()
        report(done, steps)
    return {"curve": curve, "loss": curve[-1][1], "cpu_s": round(trained_s, 1), "params": param_count(model)}


def compute_twin_loss(twin: Any, model: Decoder, held: Rows) -> float:
    """Mean loss of the held rows by the float32 twin."""
    import torch

    from tests.bench.training import twin as twins

    parts = [held[first:first + HELD_BATCH] for first in range(0, len(held), HELD_BATCH)]
    with torch.no_grad():
        total = sum(float(twin.loss(*split(twins, part))) for part in parts)
    return total / (len(held) * model.context)


def draw_batches(recipe: Recipe, corpus: Corpus, seed: int, steps: int) -> Any:
    """Rows [batch_rows, context + 1] of each step."""
    for step in range(steps):
        yield draw_rows(corpus.train, f"batch {seed} {step}", recipe.batch_rows, recipe.model.context)


def split(twins: Any, rows: Rows) -> tuple[Any, Any]:
    """(tokens, targets) for torch."""
    return twins.to_tokens(rows[:, :-1]), twins.to_tokens(rows[:, 1:].reshape(-1))
