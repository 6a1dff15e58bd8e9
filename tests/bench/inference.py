"""What asking models costs: requests a second, by sessions and on the chain, and the bytes that they leave behind.

    python -m tests.bench.inference [--only sessions] [--save]      see README.md, section "Inference"
"""

import json
import os
import platform
from collections.abc import Callable
from pathlib import Path

import click

from tests.bench import session_load
from tests.interruptible import Command

RESULTS = Path(__file__).parent / "results"
Row = dict[str, int | float | str]
PARTS: dict[str, Callable[[], list[Row]]] = {"sessions": session_load.measure}


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


def write_table(rows: list[Row]) -> str:
    """Rows as a table in Markdown."""
    names = list(rows[0])
    lines = [names, ["---"] * len(names), *([f"{row[name]:,}" if isinstance(row[name], int) else str(row[name])
                                             for name in names] for row in rows)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


if __name__ == "__main__":
    main()
