"""What a person sees while the engine is built, while a network starts, and as its status. Everything to stderr
but the status table."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from localnet.engine import Engine, find_engine
from localnet.network import Localnet

if TYPE_CHECKING:
    from localnet.status import NodeStatus


def find_engine_visibly(explicit: Path | None = None) -> Engine:
    """find_engine with a spinner that names the phase; a line per phase where there is no terminal."""
    console = Console(stderr=True)
    if not console.is_terminal:
        told: list[str] = []

        def tell(phase: str) -> None:
            stage = phase.split(" (")[0]
            if stage not in told:
                told.append(stage)
                console.print(stage, highlight=False)
        return find_engine(explicit, tell)
    with console.status("looking for the engine") as spinner:
        return find_engine(explicit, spinner.update)


def wait_first_block_visibly(net: Localnet) -> None:
    """Wait until every node has a block, with a bar that fills node by node. Raises as Localnet.wait_height."""
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(),
               TextColumn("{task.completed}/{task.total} nodes"), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("waiting for the first block", total=len(net.rpcs))
        net.wait_height(1, report=lambda heights: progress.update(task, completed=sum(h > 0 for h in heights)))


def print_status(chain_id: str, rows: Sequence[NodeStatus]) -> None:
    """Print the status table to stdout."""
    table = Table(box=None, padding=(0, 1, 0, 0), title=chain_id, title_justify="left")
    for heading in ("node", "phase", "height", "app hash", "peers", "RPC", "pid", "app", "engine", "restarts"):
        is_text = heading in ("node", "phase", "app hash")
        table.add_column(heading, justify="left" if is_text else "right", no_wrap=True)
    for row in rows:
        phase = "catching up" if row.is_catching_up else row.phase
        table.add_row(row.name, phase, show(row.height), row.app_hash[:12] or "-", show(row.peers),
                      row.rpc.rpartition(":")[2], show(row.supervisor_pid), show(row.app_pid), show(row.engine_pid),
                      str(row.restarts))
    console = Console()
    console.print(table)
    for row in rows:
        if row.error:
            console.print(f"{row.name}: {row.error}", markup=False, highlight=False)


def show(number: int | None) -> str:
    """A number, or a dash when it is not known."""
    return "-" if number is None else str(number)
