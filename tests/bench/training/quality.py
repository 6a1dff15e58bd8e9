"""How well integers learn, compared with float32 torch: the same weights, batches and rates at the start.

    python -m tests.bench.training.quality digits
    python -m tests.bench.training.quality characters --size d64 --arithmetic float32 --arithmetic int8
    python -m tests.bench.training.quality rounds
    python -m tests.bench.training.quality table

Runs are kept in results/ one by one and not made twice; `--again` makes them again. Everything is drawn from hashes, so
integers give the same figures on every machine, and float32 nearly the same. Needs the `bench` extra.
"""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

from kernels.decoder import Decoder
from tests.bench.training import characters, digits, records, rounds, tables
from tests.bench.training.corpus import Corpus, load_corpus
from tests.bench.training.records import Json
from tests.bench.training.sizes import ARITHMETICS, SIZES, new_model
from tests.interruptible import Group


@click.group(cls=Group, help=__doc__.split("\n", 1)[0] if __doc__ else None)
def main() -> None:
    """Quality."""


@main.command("digits")
@click.option("--seeds", default=5, show_default=True)
@click.option("--again", is_flag=True, help="Make runs anew that are kept.")
def run_digits(seeds: int, again: bool) -> None:
    """Accuracy on scikit-learn's digits, for each optimiser.  Example: quality digits --seeds 5"""
    for optimiser in digits.OPTIMISERS:
        for arithmetic in ("float32", "int8", "wide"):
            recipe = digits.new_recipe(optimiser, (0, 1, 2) if arithmetic == "wide" else ())
            make = digits.train_twin if arithmetic == "float32" else digits.train_integers
            for seed in range(seeds):
                settings = {"optimiser": optimiser, "arithmetic": arithmetic, "seed": seed}
                make_run("digits", settings, again, lambda report: make(recipe, seed))
    click.echo(tables.format_digits(records.load_runs("digits")))


@main.command("characters")
@click.option("--size", "sizes", multiple=True, type=click.Choice(list(SIZES)), default=("d64",), show_default=True)
@click.option("--arithmetic", "arithmetics", multiple=True, type=click.Choice(list(ARITHMETICS)),
              default=("float32", "int8"), show_default=True)
@click.option("--seed", "seeds", multiple=True, type=int, default=(0,), show_default=True)
@click.option("--optimiser", type=click.Choice(["adam", "lion", "sgd"]), default="adam", show_default=True)
@click.option("--rate", type=float, help="Peak learning rate [the size's own, for Adam].")
@click.option("--steps", type=int, help="[the size's own]")
@click.option("--batch-rows", default=16, show_default=True)
@click.option("--positions", type=click.Choice(["learned", "rotary"]), default="learned", show_default=True)
@click.option("--tied", is_flag=True, help="The head is the embedding, transposed.")
@click.option("--every", type=int, help="Steps between two points of the curve [a fifth of all].")
@click.option("--text", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="[Shakespeare's plays]")
@click.option("--again", is_flag=True, help="Make runs anew that are kept.")
def run_characters(sizes: tuple[str, ...], arithmetics: tuple[str, ...], seeds: tuple[int, ...], optimiser: str,
                   rate: float | None, steps: int | None, batch_rows: int, positions: str, tied: bool,
                   every: int | None, text: Path | None, again: bool) -> None:
    """Loss on held characters of a text.  Example: quality characters --size d128 --arithmetic wide"""
    corpus = load_corpus(text)
    for size in sizes:
        for seed in seeds:
            for arithmetic in arithmetics:
                model = new_model(size, corpus.vocab, arithmetic, positions, tied)
                count, peak = steps or SIZES[size].steps, rate or SIZES[size].rate
                settings = {"text": corpus.name, "text_sha256": corpus.sha256, "size": size, "arithmetic": arithmetic,
                            "seed": seed, "optimiser": optimiser, "rate": peak, "steps": count,
                            "batch_rows": batch_rows, "positions": positions, "tied": tied}
                run_one_text(corpus, model, settings, every or max(1, count // 5), again)
    click.echo(tables.format_characters(records.load_runs("characters")))


def run_one_text(corpus: Corpus, model: Decoder, settings: Json, every: int, again: bool) -> None:
    """One run of `characters`."""
    optimiser = characters.new_optimiser(settings["optimiser"], settings["rate"])
    recipe = characters.new_recipe(model, optimiser, settings["steps"], settings["batch_rows"])
    make = characters.train_twin if settings["arithmetic"] == "float32" else characters.train_integers
    make_run("characters", settings, again,
             lambda report: make(recipe, corpus, settings["seed"], settings["steps"], every, report))


@main.command("rounds")
@click.option("--seeds", default=5, show_default=True, help="Of the digits; the text has two.")
@click.option("--text", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="[Shakespeare's plays]")
@click.option("--again", is_flag=True, help="Make runs anew that are kept.")
def run_rounds(seeds: int, text: Path | None, again: bool) -> None:
    """Rounds of 8 to 64 local steps, by codec.  Example: quality rounds --seeds 2"""
    for steps in rounds.DIGITS_LENGTHS:
        for codec in rounds.CODECS:
            for seed in range(seeds):
                settings = {"task": "digits", "local_steps": steps, "codec": codec, "seed": seed}
                make_run("rounds", settings, again, lambda report: rounds.run_digits(seed, steps, codec, report))
    corpus = load_corpus(text)
    for steps in rounds.TEXT_RATES:
        for codec in rounds.CODECS:
            for seed in range(min(seeds, 2)):
                settings = {"task": corpus.name, "local_steps": steps, "codec": codec, "seed": seed}
                make_run("rounds", settings, again, lambda report: rounds.run_text(corpus, seed, steps, codec, report))
    click.echo(tables.format_rounds(records.load_runs("rounds")))


@main.command("table")
def print_tables() -> None:
    """The tables of all kept runs, in markdown."""
    for name, format_one in (("digits", tables.format_digits), ("characters", tables.format_characters),
                             ("rounds", tables.format_rounds)):
        if runs := records.load_runs(name):
            click.echo(f"{format_one(runs)}\n")


def make_run(name: str, settings: Json, again: bool, make: Callable[[Any], Json]) -> None:
    """Make a run and keep it, unless it is kept already."""
    if not again and records.find_run(name, settings):
        return
    words = " ".join(str(value) for key, value in settings.items() if key not in ("text", "text_sha256"))
    bar = Progress("{task.description}", BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(),
                   console=Console(stderr=True), transient=True)
    with bar:
        task = bar.add_task(f"{name} {words}", total=None)
        figures = make(lambda done, total: bar.update(task, completed=done, total=total))
    records.keep_run(name, settings, figures)
    click.echo(f"{name} {words}: {figures}", err=True)


if __name__ == "__main__":
    try:
        main(standalone_mode=True)
    except ModuleNotFoundError as missing:
        sys.exit(f"{missing}: the float32 twin needs the bench extra, pip install '.[bench]'")
