"""Milliseconds over the number of workers, ours and the others', of the kept runs.

    python -m tests.bench.aggregation.plot [FILE.svg]

Reads: results/speed.json. Writes: the file, results/speed.svg if none is named. Needs the `bench` extra.
"""

from pathlib import Path

import click

from tests.bench.aggregation import tables
from tests.bench.drawing import load_matplotlib
from tests.bench.training import records
from tests.bench.training.records import Json
from tests.interruptible import Command

RESULTS = Path(__file__).parent / "results"
COLUMNS = 5
STYLES = {"library": "C1", "primitive": "C2"}
LABELS = {"library": "best library", "primitive": "best of torch and numpy"}
Point = tuple[int, float]


def list_points(runs: list[Json]) -> dict[str, list[Point]]:
    """(workers, milliseconds) of ours, of the best others, and of reading the same bytes."""
    lines: dict[str, list[Point]] = {"ours": [], **{label: [] for label in LABELS.values()}, "reading": []}
    for run in sorted(runs, key=lambda run: int(run["settings"]["workers"])):
        workers, figures = run["settings"]["workers"], run["figures"]
        lines["ours"].append((workers, figures["ours_ms"]))
        lines["reading"].append((workers, figures["ceiling_ms"]))
        for kind, label in LABELS.items():
            if best := tables.find_best(figures, kind):
                lines[label].append((workers, best["ms"]))
    return {name: points for name, points in lines.items() if points}


@click.command(cls=Command, help=__doc__.split("\n", 1)[0] if __doc__ else None)
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path), default=RESULTS / "speed.svg")
def main(file: Path) -> None:
    """A panel for each rule; broken lines are of the smaller d."""
    runs = records.load_runs("speed", RESULTS)
    if not runs:
        raise click.ClickException("no runs are kept: python -m tests.bench.aggregation.speed --save makes some")
    groups = [group for group in tables.GOALS if any(run["settings"]["group"] == group for run in runs)]
    sizes = sorted({run["settings"]["values"] for run in runs})
    rows = -(-len(groups) // COLUMNS)
    pyplot, ticker = load_matplotlib(), load_matplotlib("ticker")
    figure, axes = pyplot.subplots(rows, COLUMNS, figsize=(3.2 * COLUMNS, 2.8 * rows), squeeze=False)
    colours = {"ours": "C0", "reading": "0.6", **{LABELS[kind]: colour for kind, colour in STYLES.items()}}
    for axis, group in zip(axes.flat, groups):
        for size in sizes:
            chosen = [run for run in runs if run["settings"]["group"] == group and run["settings"]["values"] == size]
            for name, points in list_points(chosen).items():
                axis.plot(*zip(*points), "o-" if size == sizes[-1] else "o:", color=colours[name], markersize=3,
                          label=name if size == sizes[-1] else None)
        axis.set(xscale="log", yscale="log", title=group, xticks=sorted({run["settings"]["workers"] for run in runs}))
        axis.xaxis.set_major_formatter(ticker.ScalarFormatter())
        axis.xaxis.set_minor_formatter(ticker.NullFormatter())
    for axis in axes.flat[len(groups):]:
        axis.set_visible(False)
    for axis in axes[:, 0]:
        axis.set_ylabel("ms")
    for axis in axes[-1]:
        axis.set_xlabel("payloads")
    figure.legend(*axes.flat[0].get_legend_handles_labels(), loc="lower right", fontsize=9)
    figure.suptitle(" and ".join(f"{size:,}" for size in sizes) + " coordinates (dotted: the smaller)", fontsize=10)
    figure.tight_layout()
    figure.savefig(file)
    click.echo(f"wrote {file}")


if __name__ == "__main__":
    main()
