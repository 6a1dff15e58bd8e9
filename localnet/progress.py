"""What a person sees while the engine is built, the kernels are compiled, a network starts, and as its status.

Everything to stderr but the status table.
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from abci_app.cli.output import print_rows
from kernels.dispatch import BACKEND_VARIABLE, Choice, prepare_numba, warm
from localnet.answers import note
from localnet.engine import Engine, find_engine
from localnet.network import COMMITTED_HEIGHT, Localnet
from localnet.releases import VERSION

if TYPE_CHECKING:
    from localnet.status import NodeStatus

PLAIN_SECONDS = 10.0
CATCH_UP_SECONDS = 3600.0


def find_engine_visibly(explicit: Path | None, version: str | None = None, usual: str = VERSION) -> Engine:
    """find_engine with a spinner that names the phase and the time it has all taken; plain lines where there is no
    terminal."""
    console = Console(stderr=True)
    if not console.is_terminal:
        return find_engine(explicit, PlainReport().tell, version, usual)
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("looking for the engine", total=None)
        return find_engine(explicit, lambda phase: progress.update(task, description=phase, refresh=True), version,
                           usual)


class PlainReport:
    """Phases as lines of stderr: each new phase at once, and how far a long one has come every PLAIN_SECONDS."""

    def __init__(self) -> None:
        self.stage = ""
        self.told_s = 0.0
        self.began_s = time.monotonic()

    def tell(self, phase: str) -> None:
        """Print a phase, and the seconds since the first, unless it was told a moment ago."""
        stage, now_s = phase.split(" (")[0], time.monotonic()
        if stage != self.stage or now_s - self.told_s >= PLAIN_SECONDS:
            self.stage, self.told_s = stage, now_s
            note(f"{phase}, {now_s - self.began_s:.0f} s")


def warm_visibly() -> Choice:
    """Compile and test the kernels with a bar, or with lines that say how far it is; the back end chosen."""
    console, what = Console(stderr=True), "compiling and testing the kernels"
    if not console.is_terminal:
        report = PlainReport()
        return warm(progress=lambda name, done, total: report.tell(f"{what} ({done} of {total}: {name})"))
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[name]}"), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task(what, total=None, name="")
        return warm(progress=lambda name, done, total: progress.update(task, completed=done, total=total, name=name))


def compile_kernels_visibly() -> None:
    """Compile the kernels where this machine has none of these sources yet, which takes a minute: nodes that start
    together would all do it at once, while somebody waits for their first block. Nothing where the environment chooses
    the back end, which is then the nodes' affair."""
    if BACKEND_VARIABLE in os.environ:
        return
    prepare_numba()
    if next(Path(os.environ["NUMBA_CACHE_DIR"]).rglob("*.nbi"), None) is None:
        warm_visibly()


def wait_first_block_visibly(net: Localnet) -> None:
    """Wait until every app has committed a block, with a bar that fills node by node, or a line before and after where
    there is no terminal. Raises as Localnet.wait_height."""
    console = Console(stderr=True)
    if not console.is_terminal:
        note(f"waiting for the first block of {len(net.rpcs)} nodes")
        net.wait_height(COMMITTED_HEIGHT)
        note("the network is up")
        return
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(),
               TextColumn("{task.completed}/{task.total} nodes"), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("waiting for the first block", total=len(net.rpcs))
        net.wait_height(COMMITTED_HEIGHT, report=lambda heights: progress.update(
            task, completed=sum(height >= COMMITTED_HEIGHT for height in heights)))


def wait_answer_visibly(net: Localnet, index: int) -> None:
    """Wait until a node's RPC answers, with a spinner or a line. Raises as Localnet.wait_height."""
    console, what = Console(stderr=True), f"{net.manifest.nodes[index].name} starts"
    if not console.is_terminal:
        note(what)
        net.wait_answer(index)
        return
    with console.status(what):
        net.wait_answer(index)


def wait_caught_up_visibly(net: Localnet, index: int) -> int:
    """Wait until a node follows the others, with a spinner that names its height. Raises as Localnet.wait_caught_up."""
    console, name = Console(stderr=True), net.manifest.nodes[index].name
    if not console.is_terminal:
        note(f"{name} catches up")
        return net.wait_caught_up(index, CATCH_UP_SECONDS)
    with console.status(f"{name} catches up") as spinner:
        return net.wait_caught_up(index, CATCH_UP_SECONDS, lambda height: spinner.update(f"{name} is at {height}"))


def print_status(chain_id: str, rows: Sequence[NodeStatus]) -> None:
    """Print the status table to stdout, in 80 columns where names and heights are usual ones; never cut."""
    click.echo(chain_id)
    shown = [{"node": row.name, "phase": "catching up" if row.is_catching_up else row.phase,
              "height": show(row.height), "app hash": row.app_hash[:8] or "-", "peers": show(row.peers),
              "RPC": row.rpc.rpartition(":")[2], "pid": show(row.supervisor_pid), "auditor": row.auditor or "-",
              "restarts": row.restarts} for row in rows]
    print_rows(shown, list(shown[0]), "text", "")
    for row in rows:
        if row.error:
            click.echo(f"{row.name}: {row.error}\n  {row.hint}")


def show(number: int | None) -> str:
    """A number, or a dash when it is not known."""
    return "-" if number is None else str(number)
