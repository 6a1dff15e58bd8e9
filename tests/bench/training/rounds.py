"""Rounds of local steps: what their length and the payload's codec cost, on digits and on characters.

Each round, every worker takes `local_steps` steps of its own batches from the shared weights with a fresh optimiser
state; the mean of the workers' deltas goes through the outer Nesterov step. `int8/256` is the chain's codec; `raw` are
the very deltas; `float32` is the twin with raw deltas and float outer steps.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kernels import aggregate, mlp, outer, payload, unit
from kernels.decoder import init_weights
from kernels.mlp import Mlp
from kernels.optimiser import Lion, Sgd
from kernels.optimiser.schedule import Schedule
from tests.bench.training import characters, digits
from tests.bench.training.corpus import Corpus, derive_seed, draw, draw_rows, load_digits
from tests.bench.training.integers import Batch, IntegerTraining, Recipe, compute_loss, count_correct
from tests.bench.training.records import Json
from tests.bench.training.sizes import new_model

WORKERS = 4
CODEC = "int8/256"
CODECS = (CODEC, "raw", "float32")
DIGITS_LENGTHS = (8, 16, 32, 64)
DIGITS_ROUNDS = 30
DIGITS_BATCH = 16
DIGITS_OUTER_Q16 = 45875, 32768
TEXT_SIZE = "d64"
TEXT_RATES = {8: 0.004, 16: 0.004, 32: 0.003, 64: 0.002}
TEXT_STEPS = 608
TEXT_BATCH = 4
TEXT_OUTER_Q16 = 65536, 32768
Report = Callable[[int, int], None]
Draw = Callable[[int, int], Iterator[Batch]]
Deltas = NDArray[np.int64]
Join = Callable[[list[tuple[Deltas, bytes]]], bytes]  # (delta, seed) of each worker to the mean delta


@dataclass(frozen=True)
class Plan:
    """Rounds of one task: draw(round, worker) gives the batches of a unit."""

    recipe: Recipe
    rounds: int
    local_steps: int
    outer_q16: tuple[int, int]
    draw: Draw
    label: str


def plan_digits(seed: int, local_steps: int) -> Plan:
    """SGD at 0.1 on the digits; every worker draws from a fourth of the rows of its own."""
    features, labels, _, _ = load_digits(seed)
    recipe = Recipe(Mlp(digits.WIDTHS), Sgd(6554, 58982), Schedule(), DIGITS_BATCH)

    def draw_unit(round_index: int, worker: int) -> Iterator[Batch]:
        own = np.arange(worker, len(features), WORKERS)
        for step in range(local_steps):
            rows = own[draw(f"round {seed} {round_index} {worker} {step}", DIGITS_BATCH, len(own))]
            yield features[rows], labels[rows]

    return Plan(recipe, DIGITS_ROUNDS, local_steps, DIGITS_OUTER_Q16, draw_unit, f"digits {seed}")


def plan_text(corpus: Corpus, seed: int, local_steps: int) -> Plan:
    """Lion on characters; about as many local steps in all, whatever the length of a round."""
    rounds = -(-TEXT_STEPS // local_steps)
    model = new_model(TEXT_SIZE, corpus.vocab)
    optimiser = Lion(round(TEXT_RATES[local_steps] * characters.FULL_Q24), 58982, 64881)
    schedule = Schedule("linear", characters.WARMUP_STEPS, rounds * local_steps, characters.FINAL_Q16)

    def draw_unit(round_index: int, worker: int) -> Iterator[Batch]:
        for step in range(local_steps):
            label = f"round {seed} {round_index} {worker} {step}"
            rows = draw_rows(corpus.train, label, TEXT_BATCH, model.context)
            yield rows[:, :-1].copy(), rows[:, 1:].reshape(-1)

    recipe = Recipe(model, optimiser, schedule, TEXT_BATCH)
    return Plan(recipe, rounds, local_steps, TEXT_OUTER_Q16, draw_unit, f"text {seed}")


def iter_weights(plan: Plan, weights: bytes, join: Join, report: Report) -> Iterator[bytes]:
    """The shared weights after each round, in integers."""
    momentum = bytes(2 * len(weights))
    for round_index in range(plan.rounds):
        deltas = []
        for worker in range(WORKERS):
            seed = derive_seed(f"unit {plan.label} {round_index} {worker}")
            run = IntegerTraining(plan.recipe, weights, seed)
            for _ in run.train(plan.draw(round_index, worker), plan.local_steps, round_index * plan.local_steps):
                pass
            local = np.frombuffer(run.weights(), dtype="<i4").astype(np.int64)
            deltas.append((local - np.frombuffer(weights, dtype="<i4"), seed))
        weights, momentum = outer.outer_step(weights, momentum, join(deltas), *plan.outer_q16)
        report(round_index + 1, plan.rounds)
        yield weights


def average(deltas: list[tuple[Deltas, bytes]], codec: str) -> bytes:
    """The mean delta, rounded half away from zero, of payloads or of the deltas themselves."""
    count = deltas[0][0].size
    if codec == CODEC:
        sent = [payload.encode(delta.astype("<i8").tobytes(), count, seed, codec) for delta, seed in deltas]
        return aggregate.aggregate("mean", sent, count, 0, codec)
    total = np.sum([delta for delta, _ in deltas], axis=0)
    mean = np.sign(total) * ((2 * np.abs(total) + len(deltas)) // (2 * len(deltas)))
    return mean.astype("<i8").tobytes()


def iter_twins(plan: Plan, weights: bytes, new_twin: Any, to_batch: Any, report: Report) -> Iterator[Any]:
    """The twin with the shared weights, after each round, in float32."""
    import torch

    from tests.bench.training import twin as twins

    shared = new_twin(plan.recipe.model, weights)
    rate, decay = (value / twins.Q16 for value in plan.outer_q16)
    velocity = [torch.zeros_like(entry) for entry in shared.parameters()]
    for round_index in range(plan.rounds):
        total = [torch.zeros_like(entry) for entry in shared.parameters()]
        for worker in range(WORKERS):
            local = new_twin(plan.recipe.model, weights)
            with torch.no_grad():
                torch._foreach_copy_(local.parameters(), shared.parameters())
            stepper = twins.Stepper(plan.recipe.optimiser, plan.recipe.schedule, local.parameters(), plan.recipe.terms)
            batches = (to_batch(*batch) for batch in plan.draw(round_index, worker))
            for _ in twins.train(local, stepper, batches, round_index * plan.local_steps):
                pass
            with torch.no_grad():
                torch._foreach_add_(total, torch._foreach_sub(local.parameters(), shared.parameters()))
        with torch.no_grad():
            for entry, own, moved in zip(shared.parameters(), velocity, total):
                own.mul_(decay).add_(moved / WORKERS)
                entry.add_(own * decay + moved / WORKERS, alpha=rate)
        report(round_index + 1, plan.rounds)
        yield shared


def run_digits(seed: int, local_steps: int, codec: str, report: Report) -> Json:
    """Test accuracy after each round."""
    plan = plan_digits(seed, local_steps)
    _, _, features, labels = load_digits(seed)
    weights = mlp.init_weights(digits.WIDTHS, derive_seed(f"init {seed}"))
    if codec == "float32":
        import torch

        from tests.bench.training import twin as twins

        values = torch.from_numpy(features / np.float32(digits.FEATURE_ONE))
        states = iter_twins(plan, weights, twins.MlpTwin, lambda x, y: (
            torch.from_numpy(x / np.float32(digits.FEATURE_ONE)), twins.to_tokens(y)), report)
        curve = [float((state.logits(values).argmax(1) == twins.to_tokens(labels)).double().mean()) for state in states]
    else:
        curve = [count_correct(plan.recipe.model, state, features, labels) / len(labels)
                 for state in iter_weights(plan, weights, lambda deltas: average(deltas, codec), report)]
    return {"curve": [round(share, 5) for share in curve]}


def run_text(corpus: Corpus, seed: int, local_steps: int, codec: str, report: Report) -> Json:
    """The loss of held rows after the last round, and a unit's bytes."""
    plan = plan_text(corpus, seed, local_steps)
    model = plan.recipe.model
    held = characters.draw_held(corpus, model.context)
    weights = init_weights(model, derive_seed(f"init {seed}"))
    count = unit.param_count(model)
    sizes = {CODEC: payload.payload_bytes(count, CODEC), "raw": 4 * count, "float32": 4 * count}
    if codec == "float32":
        from tests.bench.training import twin as twins

        states = iter_twins(plan, weights, twins.DecoderTwin,
                            lambda x, y: (twins.to_tokens(x), twins.to_tokens(y)), report)
        loss = characters.compute_twin_loss(list(states)[-1], model, held)
    else:
        states = iter_weights(plan, weights, lambda deltas: average(deltas, codec), report)
        loss = compute_loss(model, list(states)[-1], held, characters.HELD_BATCH)
    return {"loss": round(loss, 5), "rounds": plan.rounds, "bytes": sizes[codec]}
