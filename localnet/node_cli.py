"""Commands: `gradus node start|join|reset-state|resync`.

Exit status: 0 done, 1 refused or failed, 2 usage, 3 no node answers, 4 nodes differ, 130 interrupted.
"""

from __future__ import annotations

import shlex
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from localnet.answers import answer, hint, note, output_option
from localnet.doctor_cli import reset_state, resync
from localnet.homes import Home
from localnet.options import (
    engine_option, read_hash, rpc_option, trust_hash_option, trust_height_option, version_option,
)
from localnet.parts import HONEST
from localnet.ports import STANDARD_BASE


@click.group()
def node() -> None:
    """Run one node: the app and the engine, under one supervisor.

    \b
    Example: one node of a network that `gradus localnet up` made
      gradus node start --home ~/.gradus/localnet/node0
    """


node.add_command(reset_state)
node.add_command(resync)


@node.command()
@click.option("--home", type=click.Path(path_type=Path, file_okay=False), required=True,
              help="Folder of the new home; absent or empty.")
@rpc_option
@click.option("--chain-id", help="The chain that it must be.")
@click.option("--genesis-hash", callback=read_hash,
              help="SHA-256 that the genesis must have, as this command shows it.")
@trust_height_option
@trust_hash_option
@click.option("--trust-hours", type=click.IntRange(1),
              help="For how long a block is trusted; two thirds of the age of evidence when not given.")
@click.option("--from-blocks", is_flag=True, help="Run every block in place of beginning at a snapshot.")
@click.option("--moniker", help="The node's name; that of the folder when not given.")
@click.option("--base-port", type=click.IntRange(0, 65000), default=STANDARD_BASE, show_default=True,
              help="Port of its RPC, its peers have the one below; 0 draws a free pair.")
@output_option
def join(home: Path, urls: tuple[str, ...], trust_height: int | None, trust_hash: str | None, from_blocks: bool,
         output: str, **options: Any) -> None:
    """Make a home for a node that follows a running chain, from a snapshot of its state.

    Peers are not believed: the engine's light client verifies the snapshot, from one trusted block on. Compare that
    block's hash, which this command shows, with what somebody says whom you trust.

    \b
    Example:
      gradus node join --home ~/node --rpc http://127.0.0.1:26657,http://127.0.0.1:26667
      gradus node start --home ~/node
    """
    from localnet.join import JoinOptions, join_chain

    if trust_hash and not trust_height:
        raise click.UsageError("--trust-hash is of a block: name it with --trust-height")
    if from_blocks and (trust_height or trust_hash or options["trust_hours"]):
        raise click.UsageError("--from-blocks trusts the genesis alone, and takes no --trust option")
    joined = join_chain(JoinOptions(home.expanduser().absolute(), urls, trust_height=trust_height,
                                    trust_hash=trust_hash, from_blocks=from_blocks, **options))
    trusted = f"\nit trusts block {joined.trust_height}, hash {joined.trust_hash}" if joined.trust_hash else ""
    answer(output, asdict(joined), f"{joined.home} is a home for {joined.chain_id}: RPC {joined.rpc}, genesis "
                                   f"{joined.genesis_hash}{trusted}")
    if joined.trust_hash and not trust_hash:
        note(f"that is the word of {', '.join(urls)}: compare it with a source that you trust")
    for notice in joined.notices:
        hint(output, notice)
    hint(output, f"start it: gradus node start --home {shlex.quote(str(home))}")


@node.command()
@click.option("--home", type=click.Path(path_type=Path, file_okay=False), required=True, help="The node's home.")
@engine_option
@version_option
@click.option("--restart/--no-restart", default=True, show_default=True, help="Start both again when either dies.")
@click.option("--auditor/--no-auditor", default=True, show_default=True,
              help="Run an auditor beside the node: a validator that answers no audits earns no fees of them.")
@click.option("--auditor-behaviour", type=click.Choice(["honest", "lazy", "copy", "wrong"]), default=HONEST,
              hidden=True, help="How it behaves; cheats are refused but on test networks.")
@click.option("--quiet", is_flag=True, help="Print errors alone; the log says the rest.")
@click.option("--hang-seconds", type=click.IntRange(0), default=60, show_default=True,
              help="Start both again when the app answers nothing for so long; 0 waits for ever.")
@click.option("--with-parent", is_flag=True, hidden=True, help="Stop when standard input ends.")
@output_option
def start(home: Path, engine: Path | None, engine_version: str | None, restart: bool, auditor: bool,
          auditor_behaviour: str, quiet: bool, hang_seconds: int, with_parent: bool, output: str) -> None:
    """Run a node until SIGTERM (status 0) or Ctrl-C (status 130), and end app and engine in good order.

    An auditor runs beside it, and recomputes what the chain asks its validator about. It is started again when it ends;
    the node does not need it. What it has to say goes to stderr; with --output json each line of that is an object.

    \b
    Example: gradus node start --home ~/.gradus/localnet/node0
    """
    from localnet.engine import find_engine
    from localnet.node import find_usual_version, run_node
    from localnet.progress import find_engine_visibly

    def say(text: str) -> None:
        if not quiet:
            note(text)

    place = Home(home.expanduser().absolute())
    usual = find_usual_version(place)
    found = find_engine(engine, None, engine_version, usual) if quiet else (
        find_engine_visibly(engine, engine_version, usual))
    lifeline = sys.stdin.fileno() if with_parent else None
    if run_node(place, found, restart, lifeline, say, hang_seconds, auditor_behaviour if auditor else None):
        raise KeyboardInterrupt
