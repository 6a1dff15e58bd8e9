"""What a command shows on stderr while it works: bars on a terminal, else a line now and then for what takes long."""

import json
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TaskProgressColumn, TextColumn

from abci_app.cli.errors import is_json_wanted
from abci_app.data.table import Progress as Report

FIRST_S = 2.0
EVERY_S = 10.0


def tell(text: str) -> None:
    """A line on stderr while a command waits, as JSON when the command was asked for JSON."""
    click.echo(json.dumps({"note": text}) if is_json_wanted(sys.argv[1:]) else f"note:  {text}", err=True)


@contextmanager
def progress_bar(first: str = "") -> Iterator[Report]:
    """A bar for each thing that is reported, on a terminal's stderr; plain lines where there is none.

    first: what is done before anything is reported.
    """
    console = Console(stderr=True)
    if not console.is_terminal:
        with _plain_lines(first) as report:
            yield report
        return
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        tasks: dict[str, TaskID] = {first: bar.add_task(first, total=None)} if first else {}

        def report(what: str, done: int, total: int) -> None:
            if what not in tasks:
                tasks[what] = bar.add_task(what, total=total)
                if first in tasks:
                    bar.remove_task(tasks.pop(first))
            bar.update(tasks[what], completed=done, total=total)

        yield report


@contextmanager
def _plain_lines(first: str) -> Iterator[Report]:
    """Tells what was reported last: once FIRST_S have passed, then every EVERY_S, also while nothing is reported."""
    last = [first] if first else []
    is_over = threading.Event()

    def watch() -> None:
        began_s, pause_s = time.monotonic(), FIRST_S
        while not is_over.wait(pause_s):
            if last:
                tell(f"{last[-1]}, {time.monotonic() - began_s:.0f} s")
                pause_s = EVERY_S

    def report(what: str, done: int, total: int) -> None:
        last[:] = [what if total == 1 else f"{what}: {done} of {total}"]

    watcher = threading.Thread(target=watch, name="progress", daemon=True)
    watcher.start()
    try:
        yield report
    finally:
        is_over.set()
        watcher.join()
