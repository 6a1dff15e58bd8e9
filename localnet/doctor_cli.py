"""Commands: `gradus doctor`, `gradus node reset-state` and `gradus node resync`.

Exit status of doctor: 0 nothing must be done, 1 something must be; of all: 1 refused, 2 usage; of resync: 3 a node
cannot be reached, 4 nodes differ.
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


@click.command("resync")
@home_option
@click.option("--rpc", "urls", multiple=True, required=True, metavar="URL[,URL...]",
              help="RPCs of the chain's nodes, two or more where you can: what they say is compared.")
@click.option("--trust-height", type=click.IntRange(1),
              help="The block to trust; the newest with a snapshot when not given.")
@click.option("--trust-hash", help="Its hash, from a source that you trust; what all the nodes say when not given.")
@click.option("--trust-hours", type=click.IntRange(1), help="For how long a block is trusted.")
@click.option("--yes", is_flag=True, help="Do not ask.")
def resync(home: Path, urls: tuple[str, ...], trust_height: int | None, trust_hash: str | None,
           trust_hours: int | None, yes: bool) -> None:
    """Have a stopped node begin anew at a snapshot, with its own keys.

    For a node that was away so long that its peers no longer have its next block. Safe for a validator: keys and
    data/priv_validator_state.json, its guard against signing twice, are not touched.
    Nothing is deleted: the old state and blocks are moved into a folder of the home, until you remove it.

    \b
    Example: gradus node resync --home ~/node --rpc http://127.0.0.1:26657,http://127.0.0.1:26667
    """
    from localnet.resync import resync_home

    if trust_hash and not trust_height:
        raise click.UsageError("--trust-hash is of a block: name it with --trust-height")
    place = Home(home.expanduser().absolute())
    named = [url.strip() for text in urls for url in text.split(",") if url.strip()]
    if not yes:
        click.confirm(f"move the state and the blocks of {place.path} away and begin at a snapshot?", abort=True,
                      err=True)
    done = resync_home(place, named, f"old.{datetime.now(UTC):%Y%m%dT%H%M%S}", trust_height, trust_hash, trust_hours)
    click.echo(f"it trusts block {done.sync.height}, hash {done.sync.hash}; the old state and blocks are in {done.old}")
    if not trust_hash:
        click.echo(f"that is the word of {', '.join(named)}: compare it with a source that you trust", err=True)
    click.echo(f"start the node: gradus node start --home {place.path}", err=True)
