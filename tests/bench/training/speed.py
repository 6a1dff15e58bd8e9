"""How fast a unit is beside float32 torch training of the same model, on one processor.

    python -m tests.bench.training.speed --size d256 --size d512 --rounds 9 --save
    python -m tests.bench.training.speed --size digits --optimiser sgd --breakdown

Both sides run on one thread in one process, in turns: a round is some steps of ours and as many of torch's, and its
ratio is torch's processor time by ours, so 2 means that integers take half the time. Tables have medians over the
rounds. A step is everything from the batch to the new weights. Before a size is timed, a step of its model over few
rows must give the bytes of the reference. Needs the `bench` extra.
"""

import os
import sys

ONE_THREAD = {name: "1" for name in (
    "OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS", "GRADUS_KERNELS_THREADS")}
os.environ.update(ONE_THREAD)

import statistics  # noqa: E402
import time  # noqa: E402
from collections.abc import Callable, Iterator  # noqa: E402
from dataclasses import replace  # noqa: E402
from typing import Any, NamedTuple  # noqa: E402

import click  # noqa: E402
import numpy as np  # noqa: E402
import torch  # noqa: E402

from kernels import bench_decoder, dispatch, unit  # noqa: E402
from kernels.decoder import Decoder, init_weights, param_count  # noqa: E402
from kernels.mlp import Mlp  # noqa: E402
from kernels.mlp import init_weights as init_mlp  # noqa: E402
from kernels.mlp import param_count as count_mlp  # noqa: E402
from kernels.optimiser.schedule import Schedule  # noqa: E402
from tests.bench.training import digits, records  # noqa: E402
from tests.bench.training import twin as twins  # noqa: E402
from tests.bench.training.characters import new_optimiser  # noqa: E402
from tests.bench.training.corpus import derive_seed, draw  # noqa: E402
from tests.bench.training.integers import IntegerTraining, Recipe  # noqa: E402
from tests.bench.training.records import Json  # noqa: E402
from tests.bench.training.sizes import ARITHMETICS, SIZES, new_model  # noqa: E402
from tests.interruptible import Command  # noqa: E402

VOCAB = 84
TOKENS = 1024
DIGITS = "digits"
RATES = {"adam": 0.001, "lion": 0.0003, "sgd": 0.05}
CHECK_COST_MAX = 2**31
WARM_STEPS = 3
Step = Callable[[], object]


class Pair(NamedTuple):
    """The same training step in integers and in torch."""

    ours: Step
    torch: Step


def new_recipe(size: str, optimiser: str, arithmetic: str) -> Recipe:
    """What is trained: 1024 tokens a step, or 64 digits."""
    chosen = new_optimiser(optimiser, RATES[optimiser])
    if size == DIGITS:
        wide = (0, 1, 2) if ARITHMETICS[arithmetic] else ()
        return Recipe(Mlp(digits.WIDTHS, "classifier", wide), chosen, Schedule(), digits.BATCH_ROWS)
    model = new_model(size, VOCAB, arithmetic)
    return Recipe(model, chosen, Schedule(), TOKENS // model.context)


def count_parameters(model: Any) -> int:
    """Of either kind of model."""
    return count_mlp(model.widths) if isinstance(model, Mlp) else param_count(model)


def new_weights(model: Any) -> bytes:
    """Initial weights of either kind of model."""
    seed = derive_seed("speed")
    return init_mlp(model.widths, seed) if isinstance(model, Mlp) else init_weights(model, seed)


def draw_batch(recipe: Recipe) -> tuple[np.ndarray, np.ndarray]:
    """(inputs, targets) of a step, as the integer trainer takes them."""
    model, rows = recipe.model, recipe.batch_rows
    if isinstance(model, Decoder):
        text = draw("speed", rows * (model.context + 1), model.vocab).astype(np.uint16).reshape(rows, -1)
        return text[:, :-1].copy(), text[:, 1:].reshape(-1)
    features = draw("speed", rows * model.widths[0], 65).astype(np.int8).reshape(rows, -1)
    return features, draw("labels", rows, model.widths[-1]).astype(np.uint16)


def find_difference(recipe: Recipe) -> str:
    """What is wrong if a step of the model does not give the reference's bytes; nothing if it does.

    It has the rows that are timed, or as many as the reference takes some seconds for.
    """
    one = unit.UnitPolicy(recipe.model, recipe.optimiser, recipe.schedule, 1, 1, 1, "int8/256")
    row_cost = unit.unit_cost(replace(one, batch_rows=2)) - unit.unit_cost(one)
    rows = max(1, min(recipe.batch_rows, CHECK_COST_MAX // row_cost))
    inputs, targets = draw_batch(replace(recipe, batch_rows=rows))
    policy = replace(one, batch_rows=rows)
    if isinstance(recipe.model, Decoder):
        text = np.concatenate([inputs, targets.reshape(inputs.shape)[:, -1:]], axis=1)
        arguments = text.astype("<u2").tobytes(), b""
    else:
        arguments = inputs.tobytes(), targets.astype("<u2").tobytes()
    results = {}
    for backend in ("ref", dispatch.backend()):
        with dispatch.forced(backend):
            results[backend] = unit.run_unit(policy, new_weights(recipe.model), *arguments, derive_seed("check"))
    names = list(results)
    return "" if results[names[0]] == results[names[-1]] else f"{names[-1]} differs from {names[0]} for {recipe.model}"


def new_pair(recipe: Recipe, is_compiled: bool = False) -> Pair:
    """Both sides at the same initial weights, going through the same batch again and again."""
    weights = new_weights(recipe.model)
    inputs, targets = draw_batch(recipe)
    ours = IntegerTraining(recipe, weights, derive_seed("rounding"))
    ours_steps = ours.train(repeat((inputs, targets)), 2**20)
    if isinstance(recipe.model, Decoder):
        twin: Any = twins.DecoderTwin(recipe.model, weights)
        batch = twins.to_tokens(inputs), twins.to_tokens(targets)
    else:
        twin = twins.MlpTwin(recipe.model, weights)
        batch = torch.from_numpy(inputs / np.float32(digits.FEATURE_ONE)), twins.to_tokens(targets)
    if is_compiled:
        twin.loss = torch.compile(twin.loss)
    stepper = twins.Stepper(recipe.optimiser, recipe.schedule, twin.parameters(), recipe.terms)
    torch_steps = twins.train(twin, stepper, repeat(batch))
    return Pair(lambda: next(ours_steps), lambda: next(torch_steps))


def repeat(batch: Any) -> Iterator[Any]:
    """The batch, for ever."""
    while True:
        yield batch


def measure(recipe: Recipe, rounds: int, seconds: float, is_compiled: bool) -> Json:
    """Medians of both sides' milliseconds per step, and of the rounds' ratios."""
    pair = new_pair(recipe, is_compiled)
    for step in pair:
        for _ in range(WARM_STEPS):
            step()
    count = max(1, round(seconds / max(clock(pair.torch, 2), 1e-4)))
    times = [[clock(step, count) * 1000 for step in pair] for _ in range(rounds)]
    ratios = [theirs / ours for ours, theirs in times]
    return {"ours_ms": round(statistics.median(ours for ours, _ in times), 3),
            "torch_ms": round(statistics.median(theirs for _, theirs in times), 3),
            "ratio": round(statistics.median(ratios), 3), "ratios": [round(ratio, 3) for ratio in ratios],
            "steps_a_round": count, "params": count_parameters(recipe.model)}


def clock(step: Step, count: int) -> float:
    """Processor seconds of a step, the mean of `count`."""
    start = time.process_time()
    for _ in range(count):
        step()
    return (time.process_time() - start) / count


def break_down(recipe: Recipe, steps: int) -> list[tuple[str, float]]:
    """Milliseconds per step of each op of ours, the largest first; the rest is what lies between the calls."""
    clocked = bench_decoder.Clock()
    with clocked.running():
        step = new_pair(recipe).ours
        for _ in range(WARM_STEPS):
            step()
        clocked.totals.clear()
        start = time.process_time()
        for _ in range(steps):
            step()
        spent = time.process_time() - start
    parts = {name: total.seconds * 1000 / steps for name, total in clocked.totals.items()}
    parts["between the ops"] = spent * 1000 / steps - sum(parts.values())
    return sorted(parts.items(), key=lambda item: -item[1])


@click.command(cls=Command, help=__doc__.split("\n", 1)[0] if __doc__ else None)
@click.option("--size", "sizes", multiple=True, type=click.Choice([DIGITS, *SIZES]),
              default=(DIGITS, "d64", "d128", "d256", "d512"), show_default=True)
@click.option("--optimiser", "optimisers", multiple=True, type=click.Choice(list(RATES)), default=("adam",),
              show_default=True)
@click.option("--arithmetic", "arithmetics", multiple=True, type=click.Choice(list(ARITHMETICS)[1:]),
              default=("int8",), show_default=True)
@click.option("--rounds", type=click.IntRange(1), default=7, show_default=True)
@click.option("--seconds", default=0.5, show_default=True, help="Of each side in a round, about.")
@click.option("--breakdown", is_flag=True, help="Also each op's share of our time.")
@click.option("--compiled", is_flag=True, help="torch.compile its side; needs a C++ compiler.")
@click.option("--save", is_flag=True, help="Keep the figures in results/speed.json.")
def main(sizes: tuple[str, ...], optimisers: tuple[str, ...], arithmetics: tuple[str, ...], rounds: int,
         seconds: float, breakdown: bool, compiled: bool, save: bool) -> None:
    """Measure and print; 1 if a size differs from the reference."""
    torch.set_num_threads(1)
    failed, rows = False, []
    for size in sizes:
        for optimiser in optimisers:
            for arithmetic in arithmetics:
                recipe = new_recipe(size, optimiser, arithmetic)
                if problem := find_difference(recipe):
                    click.echo(f"not timed: {problem}", err=True)
                    failed = True
                    continue
                figures = measure(recipe, rounds, seconds, compiled)
                if breakdown:
                    figures["breakdown_ms"] = {name: round(ms, 3) for name, ms in break_down(recipe, 4)}
                if save:
                    settings = {"size": size, "optimiser": optimiser, "arithmetic": arithmetic, "compiled": compiled}
                    records.keep_run("speed", settings, figures)
                rows.append(format_row(size, optimiser, arithmetic, figures))
                click.echo(" ".join(rows[-1]), err=True)
    click.echo(f"back end {dispatch.backend()}, {records.find_processor()}, torch {torch.__version__}, one thread")
    other = "torch float32 compiled ms" if compiled else "torch float32 ms"
    click.echo(records.format_table(
        ("model", "parameters", "optimiser", "arithmetic", "ours ms", other, "ratio", "range"), rows))
    sys.exit(failed)


def format_row(size: str, optimiser: str, arithmetic: str, figures: Json) -> tuple[str, ...]:
    """A row of the table."""
    return (size, f"{figures['params']:,}", optimiser, arithmetic, f"{figures['ours_ms']:.2f}",
            f"{figures['torch_ms']:.2f}", f"{figures['ratio']:.2f}",
            f"{min(figures['ratios']):.2f}-{max(figures['ratios']):.2f}")


if __name__ == "__main__":
    main()
