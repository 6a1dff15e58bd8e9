"""What asking models costs: requests a second, by sessions and on the chain, and the bytes that they leave behind.

    python -m tests.bench.inference [--only sessions|requests] [--save]      see README.md, section "Inference"
"""

import json
import os
import platform
from collections.abc import Callable
from pathlib import Path

import click

from tests.bench import request_load, session_load
from tests.interruptible import Command

RESULTS = Path(__file__).parent / "results"
Row = dict[str, int | float | str]
PARTS: dict[str, Callable[[], list[Row]]] = {"sessions": session_load.measure, "requests": request_load.measure}
SIMULATED = ("requests", "sessions")


@click.command(cls=Command)
@click.option("--only", type=click.Choice(list(PARTS)), multiple=True, help="These parts alone.")
@click.option("--save", is_flag=True, help="Write tests/bench/results/inference-PART.json as well.")
def main(only: tuple[str, ...], save: bool) -> None:
    """Measure paid inference on this machine."""
    for part in only or PARTS:
        rows = PARTS[part]()
        click.echo(write_table(rows))
        if save:
            about = {"part": part, "processors": os.cpu_count(), "machine": platform.machine(),
                     "python": platform.python_version(), "rows": rows}
            (RESULTS / f"inference-{part}.json").write_text(json.dumps(about, indent=1) + "\n")
            write_results()


def write_results() -> None:
    """The tables of all parts that have been measured, and of the simulations, as Markdown."""
    parts = []
    for part in sorted(PARTS):
        path = RESULTS / f"inference-{part}.json"
        if path.exists():
            about = json.loads(path.read_text())
            machine = f"{about['processors']} processors, {about['machine']}, Python {about['python']}"
            parts.append(f"## {part.capitalize()}\n\n{machine}.\n\n{write_table(about['rows'])}\n")
    for name in SIMULATED:
        path = RESULTS / f"simulated-{name}.json"
        if path.exists():
            rows = [{"": text.replace("_", " "), "value": json.dumps(value)}
                    for text, value in json.loads(path.read_text()).items() if text != "seen"]
            parts.append(f"## Simulated {name}\n\n`python -m tests.sim.{name} --save`.\n\n{write_table(rows)}\n")
    (RESULTS / "inference.md").write_text("# Paid inference: figures\n\nSee README.md above, section \"Inference\".\n\n"
                                          + "\n".join(parts))


def write_table(rows: list[Row]) -> str:
    """Rows as a table in Markdown."""
    names = list(rows[0])
    lines = [names, ["---"] * len(names), *([f"{row[name]:,}" if isinstance(row[name], int) else str(row[name])
                                             for name in names] for row in rows)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


if __name__ == "__main__":
    main()
