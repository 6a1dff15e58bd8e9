"""Commands: `gradus doctor`, `gradus node reset-state` and `gradus node resync`.

Exit status of doctor: 0 nothing must be done, 1 something must be; of all: 1 refused, 2 usage; of resync: 3 a node
cannot be reached, 4 nodes differ.
"""

from __future__ import annotations

import json
import shlex
import sys
from datetime import UTC, datetime
from pathlib import Path

import click

from abci_app.cli.questions import answered
from localnet.answers import answer, hint, note, output_option
from localnet.homes import Home
from localnet.options import rpc_option, trust_hash_option, trust_height_option

home_option = click.option("--home", type=click.Path(path_type=Path, file_okay=False), required=True,
                           help="The node's home.")
MARKS = {"ok": "ok      ", "warning": "warning ", "problem": "problem "}


@click.command()
@home_option
@click.option("--compare", "other", type=click.Path(path_type=Path, file_okay=False),
              help="The home of another stopped node: tells which stores differ.")
@click.option("--deep", is_flag=True, help="Read and verify the whole state; takes time and memory of its size.")
@output_option
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
@output_option
def reset_state(home: Path, yes: bool, output: str) -> None:
    """Move the app's state of a stopped node away; the engine then replays all its blocks into a new one.

    Nothing is deleted: the old state stays beside the new one, until you remove it. The engine must have every block
    from the first on; `gradus doctor` says when this command is the right one.

    \b
    Example: gradus node reset-state --home ~/.gradus/localnet/node0
    """
    from localnet import doctor as room

    place = Home(home.expanduser().absolute())
    if not yes:
        with answered("--yes"):
            click.confirm(f"move {place.path}/state away and have the engine replay the chain?", abort=True, err=True)
    moved = room.reset_state(place, f"state.{datetime.now(UTC):%Y%m%dT%H%M%S}")
    answer(output, {"home": str(place.path), "old_state": str(moved)}, f"the old state is in {moved}")
    hint(output, f"start the node: gradus node start --home {shlex.quote(str(place.path))}")


@click.command("resync")
@home_option
@rpc_option
@trust_height_option
@trust_hash_option
@click.option("--trust-hours", type=click.IntRange(1), help="For how long a block is trusted.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@output_option
def resync(home: Path, urls: tuple[str, ...], trust_height: int | None, trust_hash: str | None,
           trust_hours: int | None, yes: bool, output: str) -> None:
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
    if not yes:
        with answered("--yes"):
            click.confirm(f"move the state and the blocks of {place.path} away and begin at a snapshot?", abort=True,
                          err=True)
    done = resync_home(place, urls, f"old.{datetime.now(UTC):%Y%m%dT%H%M%S}", trust_height, trust_hash, trust_hours)
    answer(output, {"home": str(place.path), "trust_height": done.sync.height, "trust_hash": done.sync.hash,
                    "old_data": str(done.old)},
           f"it trusts block {done.sync.height}, hash {done.sync.hash}; the old state and blocks are in {done.old}")
    if not trust_hash:
        note(f"that is the word of {', '.join(urls)}: compare it with a source that you trust")
    hint(output, f"start the node: gradus node start --home {shlex.quote(str(place.path))}")
