"""How fast payloads are aggregated, beside byzfl, flwr, and the best of torch and numpy.

    python -m tests.bench.aggregation.speed --workers 8,64 --sizes 1000000 --rules median,krum
    python -m tests.bench.aggregation.speed --save
    python -m tests.bench.aggregation.speed --table

A cell is a number of workers n and of coordinates d. Everything in it is timed in turns, two threads each, and the best
round counts. A rule is not timed whose result differs from the reference, or from that of a library that defines it as
we do. Needs the extras `bench` and `flower`; with --ours nothing but Gradus.
"""

import os
import sys

TWO_THREADS = {name: "2" for name in (
    "OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS", "GRADUS_KERNELS_THREADS")}
os.environ.update(TWO_THREADS)

import importlib  # noqa: E402
import json  # noqa: E402
from pathlib import Path  # noqa: E402

import click  # noqa: E402
from rich.console import Console  # noqa: E402
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeElapsedColumn  # noqa: E402

from kernels import aggregate  # noqa: E402
from tests.bench.aggregation import libraries, tables  # noqa: E402
from tests.bench.aggregation.cells import Cell, Settings, find_slow, measure_cell  # noqa: E402
from tests.bench.aggregation.ours import GROUPS  # noqa: E402
from tests.bench.training import records  # noqa: E402
from tests.interruptible import Command  # noqa: E402

RESULTS = Path(__file__).parent / "results"


def parse_numbers(context: click.Context, option: click.Parameter, text: str) -> tuple[int, ...]:
    """Positive numbers with commas between."""
    try:
        numbers = tuple(int(part) for part in text.split(","))
    except ValueError:
        raise click.BadParameter("give numbers with commas between, such as 8,64", context, option) from None
    if min(numbers) < 1:
        raise click.BadParameter("numbers are 1 or more", context, option)
    return numbers


def parse_rules(context: click.Context, option: click.Parameter, text: str) -> tuple[str, ...]:
    """Groups with commas between; `all` for all of them."""
    names = GROUPS if text == "all" else tuple(part.strip() for part in text.split(","))
    if unknown := sorted(set(names) - set(GROUPS)):
        raise click.BadParameter(f"no {unknown[0]!r}: there are {', '.join(GROUPS)}", context, option)
    return names


@click.command(cls=Command, help=__doc__.split("\n", 1)[0] if __doc__ else None,
               epilog="Example: speed --workers 8,64 --sizes 1000000 --rules median,krum --rounds 5")
@click.option("--workers", default="8,16,32,64", show_default=True, callback=parse_numbers, help="Payloads, 1 to 64.")
@click.option("--sizes", default="1000000,10000000", show_default=True, callback=parse_numbers, help="Coordinates.")
@click.option("--rules", default="all", show_default=True, callback=parse_rules, help=f"Of {', '.join(GROUPS)}.")
@click.option("--rounds", type=click.IntRange(1), default=7, show_default=True)
@click.option("--seconds", default=1.5, show_default=True, help="After so many, a library has no further rounds.")
@click.option("--every-peer", is_flag=True, help="Also those at a larger d that were far slower than the best before.")
@click.option("--ours", "is_alone", is_flag=True, help="Without other libraries, which then need not be installed.")
@click.option("--output", type=click.Choice(["text", "json"]), default="text", show_default=True)
@click.option("--save", is_flag=True, help="Keep the figures in results/speed.json.")
@click.option("--table", "is_table", is_flag=True, help="Measure nothing: the tables of the kept figures, in markdown.")
def main(workers: tuple[int, ...], sizes: tuple[int, ...], rules: tuple[str, ...], rounds: int, seconds: float,
         every_peer: bool, is_alone: bool, output: str, save: bool, is_table: bool) -> None:
    """Measure and print; 1 if something differs from the reference."""
    if is_table:
        click.echo(tables.format_all(records.load_runs("speed", RESULTS)))
        return
    if max(workers) > aggregate.PAYLOADS_MAX:
        raise click.BadParameter(f"a rule takes at most {aggregate.PAYLOADS_MAX} payloads", param_hint="--workers")
    modules = None if is_alone else libraries.load_modules()
    settings = Settings(rules, rounds, seconds, modules, importlib.import_module("kernels.aggregate.cpu"),
                        importlib.import_module("kernels.payload.cpu"))
    runs, refused = [], []
    for count in workers:
        for size in sorted(sizes):
            known = [] if every_peer else records.load_runs("speed", RESULTS) + runs
            cell = show_progress(count, size, settings, find_left_out(known, count, size))
            refused += [f"n = {count}, d = {size}: {problem}" for problem in cell.refused]
            for group, figures in cell.figures.items():
                place = {"workers": count, "values": size, "group": group}
                runs.append({"settings": place, "figures": figures, "machine": records.describe_machine()})
                if save:
                    records.keep_run("speed", place, figures, RESULTS)
    for problem in refused:
        click.echo(f"not timed: {problem}", err=True)
    click.echo(json.dumps({"runs": runs, "refused": refused}, indent=1) if output == "json" else
               tables.format_all(runs))
    sys.exit(bool(refused))


def find_left_out(runs: list[records.Json], workers: int, size: int) -> set[tuple[str, str]]:
    """Calls of as many workers that were slow at a smaller d, here or in a kept run: (group, name)."""
    slow: set[tuple[str, str]] = set()
    for run in runs:
        settings = run["settings"]
        if settings["workers"] == workers and settings["values"] < size:
            slow |= find_slow({settings["group"]: run["figures"]})
    return slow


def show_progress(workers: int, size: int, settings: Settings, slow: set[tuple[str, str]]) -> Cell:
    """measure_cell with a line of progress on the error output."""
    bar = Progress("{task.description}", BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(),
                   console=Console(stderr=True), transient=True)
    with bar:
        task = bar.add_task("", total=None)
        return measure_cell(workers, size, settings, slow, lambda what: bar.update(
            task, advance=1, description=f"n = {workers}, d = {size:,}: {what}"))


if __name__ == "__main__":
    main()
