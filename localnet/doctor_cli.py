"""Commands: `gradus doctor` and `gradus node reset-state`.

Exit status of doctor: 0 nothing must be done, 1 something must be; of both: 1 refused, 2 usage.
"""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from pathlib import Path

import click

from localnet.homes import Home

home_option = click.option("--home", type=click.Path(path_type=Path, file_okay=False), required=True,
                           help="The node's home.")
MARKS = {"ok": "ok      ", "warning": "warning ", "problem": "problem "}


@click.command()
@home_option
@click.option("--compare", "other", type=click.Path(path_type=Path, file_okay=False),
              help="The home of another stopped node: tells which stores differ.")
@click.option("--deep", is_flag=True, help="Read and verify the whole state; takes time and memory of its size.")
@click.option("--output", type=click.Choice(["text", "json"]), default="text", show_default=True)
def doctor(home: Path, other: Path | None, deep: bool, output: str) -> None:
    """Say what is wrong with a node and what to do about it; changes nothing.

    A stopped node is read from its disk: heights of app and engine, and what the engine will do with them when it
    starts. A running one is asked. Exit status 1 when something must be done.

    \b
    Example: gradus doctor --home ~/.gradus/localnet/node0
    """
    from localnet.doctor import compare, examine

    place = Home(home.expanduser().absolute())
    report = compare(place, Home(other.expanduser().absolute())) if other else examine(place, deep)
    if output == "json":
        click.echo(json.dumps(report.as_fields(), indent=2))
    else:
        for one in report.findings:
            click.echo(f"{MARKS[one.level]} {one.name}: {one.text}")
            if one.fix:
                click.echo(f"         fix: {one.fix}")
    sys.exit(0 if report.is_healthy else 1)


@click.command("reset-state")
@home_option
@click.option("--yes", is_flag=True, help="Do not ask.")
def reset_state(home: Path, yes: bool) -> None:
    """Move the app's state of a stopped node away; the engine then replays all its blocks into a new one.

    Nothing is deleted: the old state stays beside the new one, until you remove it. The engine must have every block
    from the first on; `gradus doctor` says when this command is the right one.

    \b
    Example: gradus node reset-state --home ~/.gradus/localnet/node0
    """
    from localnet import doctor as room

    place = Home(home.expanduser().absolute())
    if not yes:
        click.confirm(f"move {place.path}/state away and have the engine replay the chain?", abort=True, err=True)
    moved = room.reset_state(place, f"state.{datetime.now(UTC):%Y%m%dT%H%M%S}")
    click.echo(f"the old state is in {moved}")
    click.echo(f"start the node: gradus node start --home {place.path}", err=True)
