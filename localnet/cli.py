"""Commands: `gradus localnet up|down|status|logs` and `gradus node start`.

Exit status: 0 done, 1 refused or failed, 2 usage, 3 no node answers, 5 timed out, 130 interrupted.
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import signal
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from localnet import state
from localnet.config import AppSettings
from localnet.doctor_cli import reset_state, resync
from localnet.errors import LocalnetError, NodeUnreachable
from localnet.homes import Home, count_validators
from localnet.logs import Follower, tail
from localnet.manifest import get_manifest
from localnet.parts import HONEST
from localnet.ports import STANDARD_BASE
from localnet.releases import RELEASES, VARIABLE, VERSION

if TYPE_CHECKING:
    from localnet.network import Localnet

DEFAULT_FOLDER = Path("~/.gradus/localnet")
PARTS = ("app", "engine", "auditor", "node")
BLOCK_REWARD_UGRAD = 1_000_000

dir_option = click.option("--dir", "folder", type=click.Path(path_type=Path, file_okay=False), default=DEFAULT_FOLDER,
                          envvar="GRADUS_LOCALNET", show_default=True, help="Folder of the network.")
engine_option = click.option("--engine", type=click.Path(path_type=Path), default=None, envvar="GRADUS_COMETBFT",
                             help="A CometBFT binary; the chosen version is built and cached when not given.")
version_option = click.option("--engine-version", type=click.Choice(list(RELEASES)), default=None, envvar=VARIABLE,
                              help=f"The release of CometBFT: {VERSION} unless the network ran with another one.")


@click.group()
def localnet() -> None:
    """Run a network of real validators on this machine.

    \b
    Example:
      gradus localnet up --validators 4
      gradus localnet status
      gradus localnet down
    """


@localnet.command()
@click.option("--validators", type=click.IntRange(1, 32), default=4, show_default=True, help="How many nodes.")
@dir_option
@click.option("--chain-id", default="gradus-local-1", show_default=True, help="Name of a new chain.")
@click.option("--base-port", type=click.IntRange(0, 65000), default=STANDARD_BASE, show_default=True,
              help="RPC port of node 0, the others follow ten apart; 0 draws a free block.")
@click.option("--timeout-commit", default="200ms", show_default=True, help="Pause after each block.")
@click.option("--snapshot-interval", type=click.IntRange(0), default=AppSettings.snapshot_interval, show_default=True,
              help="Blocks between the snapshots from which added nodes begin; 0 takes none. For a new network only.")
@click.option("--account", "accounts", multiple=True, metavar="ADDRESS=UGRAD",
              help="An account with coins at genesis; may be given several times.")
@click.option("--block-reward-ugrad", type=click.IntRange(0), default=BLOCK_REWARD_UGRAD, show_default=True,
              help="What each of a new network's first blocks emits, by a schedule that halves it; 0 for nothing.")
@click.option("--auditors/--no-auditors", default=True, show_default=True,
              help="Run an auditor beside each validator, with the network's datasets and your own.")
@click.option("--detach/--foreground", default=True, show_default=True,
              help="Return when the network runs, or stay until Ctrl-C.")
@engine_option
@version_option
def up(validators: int, folder: Path, chain_id: str, base_port: int, timeout_commit: str, snapshot_interval: int,
       accounts: tuple[str, ...], block_reward_ugrad: int, auditors: bool, detach: bool, engine: Path | None,
       engine_version: str | None) -> None:
    """Start the network of a folder, making it first when the folder is empty.

    \b
    Example: gradus localnet up --validators 4 --dir /tmp/net --foreground
    """
    from localnet.genesis import new_composer, parse_account
    from localnet.network import open_or_new
    from localnet.progress import find_engine_visibly, wait_first_block_visibly

    signal.signal(signal.SIGTERM, signal.default_int_handler)  # an ended `up` cleans up as an interrupted one does
    net, is_new = open_or_new(folder, validators=validators, chain_id=chain_id, base_port=base_port,
                              timeout_commit=timeout_commit, app=AppSettings(snapshot_interval=snapshot_interval),
                              compose=new_composer(dict(map(parse_account, accounts)), block_reward_ugrad))
    if not is_new:
        check_unchanged(net, validators, chain_id)
        if is_given("base_port"):
            net.move(base_port)
    net.auditors = (HONEST,) * (count_validators(net.manifest.nodes[0].paths) if auditors else 0)
    try:
        net.engine = find_engine_visibly(engine, engine_version, net.manifest.engine_version)
        net.start(attached=not detach)
        for notice in net.notices:
            click.echo(notice, err=True)
        wait_first_block_visibly(net)
    except BaseException as error:
        is_interrupted, has_started = isinstance(error, KeyboardInterrupt), bool(net.processes)
        if has_started:  # else whatever ran before this command goes on
            click.echo("stopping the nodes", err=True)
            net.stop()
        if is_new and (is_interrupted or not has_started):
            shutil.rmtree(net.folder, ignore_errors=True)
        raise
    click.echo(f"{net.manifest.chain_id} runs in {net.folder}: {len(net.manifest.nodes)} nodes, "
               f"RPC {net.manifest.nodes[0].rpc}")
    node = f" --node {net.manifest.nodes[0].rpc}" if "GRADUS_NODE" in os.environ else ""  # which would name others
    click.echo(f"coins: gradus tx bank send ADDRESS 5grad --from faucet --home {shlex.quote(str(net.folder))}{node}",
               err=True)
    if detach:
        where = f" --dir {folder}" if is_given("folder") else ""
        click.echo(f"look at it: gradus localnet status{where}\nend it:     gradus localnet down{where}", err=True)
        return
    stay(net.check_alive, len(net.manifest.nodes), net.stop)


def check_unchanged(net: Localnet, validators: int, chain_id: str) -> None:
    """LocalnetError naming the option that asks an existing network for what it got when it was made."""
    hint = "choose another --dir for a new network, or leave {} out"
    count, name = count_validators(net.manifest.nodes[0].paths), net.manifest.chain_id
    if is_given("validators") and validators != count:
        raise LocalnetError(f"the network in {net.folder} has {count} validators, not {validators}",
                            hint.format("--validators"))
    if is_given("chain_id") and chain_id != name:
        raise LocalnetError(f"the chain in {net.folder} is {name}, not {chain_id}", hint.format("--chain-id"))
    for flag, option in (("--timeout-commit", "timeout_commit"), ("--snapshot-interval", "snapshot_interval"),
                         ("--account", "accounts")):
        if is_given(option):
            raise LocalnetError(f"{flag} is for a new network, and there is one in {net.folder}", hint.format(flag))


def is_given(option: str) -> bool:
    """Whether the user gave an option of the running command."""
    source = click.get_current_context().get_parameter_source(option)
    return source is not None and source.name != "DEFAULT"


def stay(check_alive: Callable[[int], None], count: int, stop: Callable[[], None]) -> None:
    """Watch the nodes until Ctrl-C (which goes on as KeyboardInterrupt) or until one gives up, then stop them all."""
    try:
        click.echo("Ctrl-C ends it", err=True)  # inside: who reads it may press at once
        while True:
            time.sleep(1)
            for index in range(count):
                check_alive(index)
    finally:
        click.echo("stopping the nodes", err=True)
        stop()
        click.echo("the network has stopped", err=True)


@localnet.command()
@dir_option
def down(folder: Path) -> None:
    """Stop the network of a folder; its chain stays, and `up` goes on from there.

    \b
    Example: gradus localnet down --dir /tmp/net
    """
    from localnet.network import Localnet

    net = Localnet(folder)
    running = sum(state.is_supervised(node.paths) for node in net.manifest.nodes)
    net.stop()
    click.echo(f"{running} nodes stopped" if running else "nothing was running")


@localnet.command()
@dir_option
@click.option("--from-blocks", is_flag=True, help="Run every block in place of beginning at a snapshot.")
@engine_option
@version_option
def add(folder: Path, from_blocks: bool, engine: Path | None, engine_version: str | None) -> None:
    """Add a node to a running network: it begins at a snapshot, follows, and validates nothing.

    From then on it belongs to the network: `status` shows it, `down` ends it, `up` starts it.

    \b
    Example: gradus localnet add --dir /tmp/net
    """
    from localnet.network import Localnet
    from localnet.progress import find_engine_visibly, wait_caught_up_visibly

    net = Localnet(folder)
    net.engine = find_engine_visibly(engine, engine_version, net.manifest.engine_version)
    index = net.add(from_blocks)
    net.start_one(index, attached=False)
    height = wait_caught_up_visibly(net, index)
    node = net.manifest.nodes[index]
    click.echo(f"{node.name} follows {net.manifest.chain_id} at height {height}: RPC {node.rpc}, home {node.home}")


@localnet.command()
@dir_option
@click.option("--output", type=click.Choice(["text", "json"]), default="text", show_default=True)
def status(folder: Path, output: str) -> None:
    """Show every node: phase, height, app hash, peers, pids. Exit status 3 when one does not answer.

    \b
    Example: gradus localnet status --output json
    """
    from localnet.status import read_status

    manifest = get_manifest(folder.expanduser().absolute())
    rows = [read_status(node) for node in manifest.nodes]
    if output == "json":
        click.echo(json.dumps({"chain_id": manifest.chain_id, "nodes": [asdict(row) for row in rows]}, indent=2))
    else:
        from localnet.progress import print_status
        print_status(manifest.chain_id, rows)
    if any(row.height is None for row in rows):
        sys.exit(NodeUnreachable.exit_status)


@localnet.command()
@click.option("--data", "source", default="digits", show_default=True,
              help="A CSV file with --label, or a table by name; `gradus data add --help` lists the names.")
@click.option("--label", help="The column to predict; a table by name has its own.")
@click.option("--validators", type=click.IntRange(1, 32), default=4, show_default=True, help="How many nodes.")
@click.option("--miners", type=click.IntRange(1, 64), default=5, show_default=True, help="How many, cheats included.")
@click.option("--behaviour", "behaviours", multiple=True, default=("garbage",), show_default=True,
              type=click.Choice(["none", "garbage", "copy", "wrong-data", "withhold"]),
              help="What a cheat does; one cheat each time it is given, none for honest miners alone.")
@click.option("--rounds", type=click.IntRange(1, 1000), default=25, show_default=True, help="Rounds to train.")
@click.option("--accuracy-min-ppm", type=click.IntRange(0, 1_000_000), default=0, show_default=True,
              help="Fail below this accuracy; it must beat always naming the commonest class in any case.")
@click.option("--dir", "folder", type=click.Path(path_type=Path, file_okay=False), default=Path("~/.gradus/demo"),
              show_default=True, help="Folder of the run; what an earlier run left there is replaced.")
@click.option("--base-port", type=click.IntRange(0, 65000), default=STANDARD_BASE, show_default=True,
              help="RPC port of node 0, the others follow ten apart; 0 draws a free block.")
@click.option("--keep", is_flag=True, help="Leave the network and the miners running.")
@click.option("--output", type=click.Choice(["text", "json"]), default="text", show_default=True,
              help="json: print the report at the end; progress goes to stderr.")
@engine_option
@version_option
def demo(behaviours: tuple[str, ...], output: str, **options: Any) -> None:
    """Train a model on a network of this machine, with cheats among the miners, and prove what came of it.

    Exit status 0 only when all rounds were trained, every cheat was slashed and no honest miner was, all nodes agree,
    and a balance was proved by the stock light client. report.json in the network's folder holds every figure.

    \b
    Example: gradus localnet demo --data flowers.csv --label species --behaviour wrong-data --behaviour copy
    """
    from localnet.demo import DemoOptions, run_demo

    signal.signal(signal.SIGTERM, signal.default_int_handler)
    cheats = tuple(behaviour for behaviour in behaviours if behaviour != "none")
    report = run_demo(DemoOptions(behaviours=cheats, **options))
    if output == "json":
        click.echo(report.to_json())
    sys.exit(1 if report.problems else 0)


@localnet.command()
@click.argument("node_name", metavar="NODE")
@dir_option
@click.option("-f", "--follow", is_flag=True, help="Go on printing what is added, until Ctrl-C.")
@click.option("-n", "--lines", type=click.IntRange(0, 100_000), default=30, show_default=True)
@click.option("--part", type=click.Choice(PARTS), default=None, help="One part alone; all when not given.")
def logs(node_name: str, folder: Path, follow: bool, lines: int, part: str | None) -> None:
    """Print the end of a node's logs: its app, its engine, its auditor, and the supervisor's notes.

    \b
    Example: gradus localnet logs node0 -f --part app
    """
    home = get_manifest(folder.expanduser().absolute()).get_node(node_name).paths
    chosen = [part] if part else list(PARTS)
    followers = {name: Follower(home.log(name)) for name in chosen} if follow else {}
    for name in chosen:
        print_lines(name, tail(home.log(name), lines), len(chosen) > 1)
    while follow:
        for name, follower in followers.items():
            print_lines(name, follower.read_lines(), len(chosen) > 1)
        time.sleep(0.2)


def print_lines(part: str, lines: Sequence[str], is_named: bool) -> None:
    """Print log lines, with the part's name before each when several are shown."""
    for line in lines:
        click.echo(f"{part:>6} | {line}" if is_named else line)


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
@click.option("--rpc", "urls", multiple=True, required=True, metavar="URL[,URL...]",
              help="RPCs of the chain's nodes, two or more where you can: what they say is compared.")
@click.option("--chain-id", help="The chain that it must be.")
@click.option("--genesis-hash", help="SHA-256 that the genesis must have, as this command shows it.")
@click.option("--trust-height", type=click.IntRange(1),
              help="The block to trust; the newest with a snapshot when not given.")
@click.option("--trust-hash", help="Its hash, from a source that you trust; what all the nodes say when not given.")
@click.option("--trust-hours", type=click.IntRange(1),
              help="For how long a block is trusted; two thirds of the age of evidence when not given.")
@click.option("--from-blocks", is_flag=True, help="Run every block in place of beginning at a snapshot.")
@click.option("--moniker", help="The node's name; that of the folder when not given.")
@click.option("--base-port", type=click.IntRange(0, 65000), default=STANDARD_BASE, show_default=True,
              help="Port of its RPC, its peers have the one below; 0 draws a free pair.")
@click.option("--output", type=click.Choice(["text", "json"]), default="text", show_default=True)
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
    named = tuple(url.strip() for text in urls for url in text.split(",") if url.strip())
    joined = join_chain(JoinOptions(home.expanduser().absolute(), named, trust_height=trust_height,
                                    trust_hash=trust_hash, from_blocks=from_blocks, **options))
    if output == "json":
        click.echo(json.dumps(asdict(joined), indent=2))
        return
    click.echo(f"{joined.home} is a home for {joined.chain_id}: RPC {joined.rpc}, genesis {joined.genesis_hash}")
    if joined.trust_hash:
        click.echo(f"it trusts block {joined.trust_height}, hash {joined.trust_hash}")
        if not trust_hash:
            click.echo(f"that is the word of {', '.join(named)}: compare it with a source that you trust", err=True)
    for notice in joined.notices:
        click.echo(notice, err=True)
    click.echo(f"start it: gradus node start --home {home}", err=True)


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
def start(home: Path, engine: Path | None, engine_version: str | None, restart: bool, auditor: bool,
          auditor_behaviour: str, quiet: bool, hang_seconds: int, with_parent: bool) -> None:
    """Run a node until SIGTERM (status 0) or Ctrl-C (status 130), and end app and engine in good order.

    An auditor runs beside it, and recomputes what the chain asks its validator about. It is started again when it ends;
    the node does not need it.

    \b
    Example: gradus node start --home ~/.gradus/localnet/node0
    """
    from localnet.engine import find_engine
    from localnet.node import find_usual_version, run_node
    from localnet.progress import find_engine_visibly

    def say(text: str) -> None:
        if not quiet:
            click.echo(text, err=True)

    place = Home(home.expanduser().absolute())
    usual = find_usual_version(place)
    found = find_engine(engine, None, engine_version, usual) if quiet else (
        find_engine_visibly(engine, engine_version, usual))
    lifeline = sys.stdin.fileno() if with_parent else None
    if run_node(place, found, restart, lifeline, say, hang_seconds, auditor_behaviour if auditor else None):
        raise KeyboardInterrupt
