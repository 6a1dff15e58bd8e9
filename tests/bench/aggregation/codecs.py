"""What a codec of payloads costs in loss, with and without error feedback: rounds of digits and of characters.

    python -m tests.bench.aggregation.codecs                   # what is not kept yet, and the table
    python -m tests.bench.aggregation.codecs --task digits --seeds 3 --again

Four workers take 16 local steps a round (tests/bench/training/rounds.py) and send their deltas in a codec, or raw; the
rounds take their mean. With feedback a worker adds to each delta what earlier payloads left unsaid, times the decay.
Writes: results/codecs.json. The text needs the network once, the digits scikit-learn.
"""

import statistics
from pathlib import Path

import click
import numpy as np
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

from kernels import aggregate, mlp, payload, unit
from kernels.decoder import init_weights
from tests.bench.training import characters, digits, records, rounds
from tests.bench.training.corpus import Corpus, derive_seed, load_corpus, load_digits
from tests.bench.training.integers import compute_loss, sum_losses
from tests.bench.training.records import Json
from tests.interruptible import Command

RESULTS = Path(__file__).parent / "results"
NAME = "codecs"
RAW = "raw"
LOCAL_STEPS = 16
FULL_Q16 = 65536
DECAYS_Q16 = (0, 62259, FULL_Q16)  # none, 0.95, 1
TASKS = ("digits", "characters")


class Wire:
    """The workers' payloads in a codec; each worker keeps its residual from round to round."""

    def __init__(self, codec: str, decay_q16: int) -> None:
        self.codec = codec
        self.decay_q16 = decay_q16
        self.residuals: dict[int, bytes] = {}

    def join(self, deltas: list[tuple[rounds.Deltas, bytes]]) -> bytes:
        """The mean of what the payloads say."""
        if self.codec == RAW:
            return rounds.average(deltas, RAW)
        count = deltas[0][0].size
        sent = [self.send(worker, delta.astype("<i8").tobytes(), count, seed)
                for worker, (delta, seed) in enumerate(deltas)]
        return aggregate.aggregate("mean", sent, count, 0, self.codec)

    def send(self, worker: int, delta: bytes, count: int, seed: bytes) -> bytes:
        """A worker's payload."""
        if not self.decay_q16:
            return payload.encode(delta, count, seed, self.codec)
        before = self.residuals.get(worker, bytes(8 * count))
        fed = payload.encode_with_feedback(delta, before, count, seed, self.codec, self.decay_q16)
        self.residuals[worker] = fed.residual
        return fed.payload


def run_digits(seed: int, wire: Wire, report: rounds.Report) -> Json:
    """Loss and accuracy of the test rows after the last round."""
    plan = rounds.plan_digits(seed, LOCAL_STEPS)
    _, _, features, labels = load_digits(seed)
    start = mlp.init_weights(digits.WIDTHS, derive_seed(f"init {seed}"))
    weights = list(rounds.iter_weights(plan, start, wire.join, report))[-1]
    raw, exponent = mlp.logits(digits.WIDTHS, weights, features.tobytes(), len(features))
    logits = np.frombuffer(raw, "<i4").reshape(len(features), -1) * 2.0**-exponent
    accuracy = float((logits.argmax(axis=1) == labels).mean())
    return {"loss": round(sum_losses(logits, labels) / len(labels), 5), "accuracy": round(accuracy, 5),
            "params": mlp.param_count(digits.WIDTHS)}


def run_characters(corpus: Corpus, seed: int, wire: Wire, report: rounds.Report) -> Json:
    """Loss of the held rows after the last round."""
    plan = rounds.plan_text(corpus, seed, LOCAL_STEPS)
    model = plan.recipe.model
    start = init_weights(model, derive_seed(f"init {seed}"))
    weights = list(rounds.iter_weights(plan, start, wire.join, report))[-1]
    held = characters.draw_held(corpus, model.context)
    loss = compute_loss(model, weights, held, characters.HELD_BATCH)
    return {"loss": round(loss, 5), "params": unit.param_count(model)}


def count_bytes(params: int, codec: str) -> int:
    """Bytes of a worker's round; raw values are int32."""
    return 4 * params if codec == RAW else payload.payload_bytes(params, codec)


def format_table(runs: list[Json]) -> str:
    """A row for each task, codec and decay: means over the seeds, and the loss beside that of raw deltas."""
    groups: dict[tuple[str, str, int], list[Json]] = {}
    for run in runs:
        settings = run["settings"]
        groups.setdefault((settings["task"], settings["codec"], settings["decay_q16"]), []).append(run)
    order = sorted(groups, key=lambda key: (TASKS.index(key[0]), (RAW, *payload.CODECS).index(key[1]), key[2]))
    rows = []
    for task, codec, decay in order:
        figures = [run["figures"] for run in groups[task, codec, decay]]
        losses = [entry["loss"] for entry in figures]
        raw = [run["figures"]["loss"] for run in groups.get((task, RAW, 0), [])]
        gap = f"{(statistics.mean(losses) / statistics.mean(raw) - 1) * 100:+.1f} %" if raw and codec != RAW else ""
        accuracies = [entry["accuracy"] for entry in figures if "accuracy" in entry]
        params = figures[0]["params"]
        rows.append((
            task, codec, f"{decay / FULL_Q16:.2f}" if decay else "", f"{count_bytes(params, codec) / params:.4f}",
            str(len(losses)), f"{statistics.mean(losses):.4f}", f"{min(losses):.4f}-{max(losses):.4f}", gap,
            f"{statistics.mean(accuracies) * 100:.1f}" if accuracies else ""))
    return records.format_table(("task", "codec", "feedback", "bytes per parameter", "seeds", "loss", "range",
                                 "to raw", "accuracy"), rows)


@click.command(cls=Command, help=__doc__.split("\n", 1)[0] if __doc__ else None)
@click.option("--task", "tasks", multiple=True, type=click.Choice(TASKS), default=TASKS, show_default=True)
@click.option("--codec", "codecs", multiple=True, type=click.Choice([RAW, *payload.CODECS]),
              default=(RAW, *payload.CODECS), show_default=True)
@click.option("--seeds", type=int, help="[3 of digits, 2 of characters]")
@click.option("--text", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="[Shakespeare's plays]")
@click.option("--again", is_flag=True, help="Make runs anew that are kept.")
@click.option("--table", "is_table", is_flag=True, help="Only the table of what is kept.")
def main(tasks: tuple[str, ...], codecs: tuple[str, ...], seeds: int | None, text: Path | None, again: bool,
         is_table: bool) -> None:
    """Run what is not kept, and print the table."""
    corpus = load_corpus(text) if "characters" in tasks and not is_table else None
    wanted = [{"task": task, "codec": codec, "decay_q16": decay, "seed": seed}
              for task in tasks for seed in range(seeds or (3 if task == "digits" else 2))
              for codec in codecs for decay in (DECAYS_Q16 if codec != RAW else (0,))]
    with Progress("{task.description}", BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(),
                  console=Console(stderr=True), transient=True) as progress:
        for settings in [] if is_table else progress.track(wanted, description="runs"):
            if again or not records.find_run(NAME, settings, RESULTS):
                make_run(settings, corpus, progress)
    click.echo(format_table(records.load_runs(NAME, RESULTS)))


def make_run(settings: Json, corpus: Corpus | None, progress: Progress) -> None:
    """Make a run and keep it."""
    shown = progress.add_task(" ".join(str(value) for value in settings.values()), total=None)
    wire = Wire(settings["codec"], settings["decay_q16"])

    def report(done: int, total: int) -> None:
        progress.update(shown, completed=done, total=total)

    if corpus is not None and settings["task"] == "characters":
        figures = run_characters(corpus, settings["seed"], wire, report)
    else:
        figures = run_digits(settings["seed"], wire, report)
    progress.remove_task(shown)
    records.keep_run(NAME, settings, figures, RESULTS)


if __name__ == "__main__":
    main()
