"""Commands: `gradus localnet up|down|status|stop|start|restart|add|logs|demo`.

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
from localnet.answers import JSON, answer, hint, note, output_option
from localnet.config import AppSettings, check_duration
from localnet.errors import LocalnetError, NodeUnreachable
from localnet.homes import check_chain_id, count_validators
from localnet.logs import Follower, tail
from localnet.manifest import get_manifest
from localnet.options import dir_option, engine_option, taken_by, version_option
from localnet.parts import HONEST
from localnet.ports import STANDARD_BASE

if TYPE_CHECKING:
    from localnet.network import Localnet

PARTS = ("app", "engine", "auditor", "node")
PART_WIDTH = max(map(len, PARTS))
BLOCK_REWARD_UGRAD = 1_000_000
ROUNDS, TEXT_ROUNDS = 25, 60  # of the demo

auditor_option = click.option("--auditor/--no-auditor", default=True, show_default=True,
                              help="Run an auditor beside it, where it is a validator.")


def _read_accounts(context: click.Context, param: click.Parameter, values: Sequence[str]) -> dict[str, int]:
    """ugrad by address; wrong usage for what is no ADDRESS=UGRAD."""
    from localnet.genesis import parse_account

    accounts: dict[str, int] = {}
    for value in values:
        taken_by(parse_account)(context, param, value)
        address, ugrad = parse_account(value)
        accounts[address] = ugrad
    return accounts


@click.group()
def localnet() -> None:
    """Run a network of real validators on this machine.

    \b
    Example:
      gradus localnet up --validators 4
      gradus localnet status
      gradus localnet restart node3
      gradus localnet down
    """


@localnet.command()
@click.option("--validators", type=click.IntRange(1, 32), default=4, show_default=True, help="How many nodes.")
@dir_option
@click.option("--chain-id", default="gradus-local-1", show_default=True, callback=taken_by(check_chain_id),
              help="Name of a new chain.")
@click.option("--base-port", type=click.IntRange(0, 65000), default=STANDARD_BASE, show_default=True,
              help="RPC port of node 0, the others follow ten apart; 0 draws a free block.")
@click.option("--timeout-commit", default="200ms", show_default=True, callback=taken_by(check_duration),
              help="Pause after each block.")
@click.option("--snapshot-interval", type=click.IntRange(0), default=AppSettings.snapshot_interval, show_default=True,
              help="Blocks between the snapshots from which added nodes begin; 0 takes none. For a new network only.")
@click.option("--account", "accounts", multiple=True, metavar="ADDRESS=UGRAD", callback=_read_accounts,
              help="An account with coins at genesis; may be given several times.")
@click.option("--block-reward-ugrad", type=click.IntRange(0), default=BLOCK_REWARD_UGRAD, show_default=True,
              help="What each of a new network's first blocks emits, by a schedule that halves it; 0 for nothing.")
@click.option("--auditors/--no-auditors", default=True, show_default=True,
              help="Run an auditor beside each validator, with the network's datasets and your own.")
@click.option("--detach/--foreground", default=True, show_default=True,
              help="Return when the network runs, or stay until Ctrl-C.")
@engine_option
@version_option
@output_option
def up(validators: int, folder: Path, chain_id: str, base_port: int, timeout_commit: str, snapshot_interval: int,
       accounts: dict[str, int], block_reward_ugrad: int, auditors: bool, detach: bool, engine: Path | None,
       engine_version: str | None, output: str) -> None:
    """Start the network of a folder, making it first when the folder is empty.

    \b
    Example: gradus localnet up --validators 4 --dir /tmp/net --foreground
    """
    from localnet.genesis import new_composer
    from localnet.network import open_or_new
    from localnet.progress import compile_kernels_visibly, find_engine_visibly, wait_first_block_visibly

    signal.signal(signal.SIGTERM, signal.default_int_handler)  # an ended `up` cleans up as an interrupted one does
    net, is_new = open_or_new(folder, validators=validators, chain_id=chain_id, base_port=base_port,
                              timeout_commit=timeout_commit, app=AppSettings(snapshot_interval=snapshot_interval),
                              compose=new_composer(accounts, block_reward_ugrad))
    if not is_new:
        check_unchanged(net, validators, chain_id)
        if is_given("base_port"):
            net.move(base_port)
    net.auditors = (HONEST,) * (count_validators(net.manifest.nodes[0].paths) if auditors else 0)
    try:
        net.engine = find_engine_visibly(engine, engine_version, net.manifest.engine_version)
        compile_kernels_visibly()
        net.start(attached=not detach)
        for notice in net.notices:
            note(notice)
        wait_first_block_visibly(net)
    except BaseException as error:
        is_interrupted, has_started = isinstance(error, KeyboardInterrupt), bool(net.processes)
        if has_started:  # else whatever ran before this command goes on
            note("stopping the nodes")
            net.stop()
        if is_new and (is_interrupted or not has_started):
            shutil.rmtree(net.folder, ignore_errors=True)
        raise
    tell_up(net, is_new, output)
    if detach:
        where = f" --dir {shlex.quote(str(folder))}" if is_given("folder") else ""
        hint(output, f"look at it: gradus localnet status{where}\nend it:     gradus localnet down{where}")
        return
    stay(net.check_alive, len(net.manifest.nodes), net.stop)


def tell_up(net: Localnet, is_new: bool, output: str) -> None:
    """Say what runs; which nodes, or auditors beside nodes, are not as they should be; and whence coins come."""
    first, troubles = net.manifest.nodes[0], list_troubles(net)
    nodes = [{"name": node.name, "rpc": node.rpc, "home": node.home} for node in net.manifest.nodes]
    answer(output, {"chain_id": net.manifest.chain_id, "folder": str(net.folder), "is_new": is_new, "nodes": nodes,
                    "troubles": troubles},
           f"{net.manifest.chain_id} runs in {net.folder}: {len(nodes)} nodes, RPC {first.rpc}")
    for one in troubles:
        hint(output, f"{one['name']}: {one['error']}\n  {one['hint']}")
    node = f" --node {first.rpc}" if "GRADUS_NODE" in os.environ else ""  # which would name others
    hint(output, f"coins: gradus tx bank send ADDRESS 5grad --from faucet --home {shlex.quote(str(net.folder))}{node}")


def list_troubles(net: Localnet) -> list[dict[str, str]]:
    """Nodes, or auditors beside nodes, that are not as they should be: name, error, hint."""
    from localnet.status import find_trouble

    found = [(node.name, *find_trouble(node, last)) for node in net.manifest.nodes
             if (last := state.find_state(node.paths)) is not None]
    return [{"name": name, "error": error, "hint": what} for name, error, what in found if error]


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
        note("Ctrl-C ends it")  # inside: who reads it may press at once
        while True:
            time.sleep(1)
            for index in range(count):
                check_alive(index)
    finally:
        note("stopping the nodes")
        stop()
        note("the network has stopped")


@localnet.command()
@dir_option
@output_option
def down(folder: Path, output: str) -> None:
    """Stop the network of a folder; its chain stays, and `up` goes on from there.

    \b
    Example: gradus localnet down --dir /tmp/net
    """
    from localnet.network import Localnet

    net = Localnet(folder)
    running = [node.name for node in net.manifest.nodes if state.is_supervised(node.paths)]
    net.stop()
    answer(output, {"chain_id": net.manifest.chain_id, "stopped": running},
           f"{len(running)} nodes stopped" if running else "nothing was running")


@localnet.command()
@dir_option
@click.option("--from-blocks", is_flag=True, help="Run every block in place of beginning at a snapshot.")
@engine_option
@version_option
@output_option
def add(folder: Path, from_blocks: bool, engine: Path | None, engine_version: str | None, output: str) -> None:
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
    answer(output, {"name": node.name, "chain_id": net.manifest.chain_id, "height": height, "rpc": node.rpc,
                    "home": node.home},
           f"{node.name} follows {net.manifest.chain_id} at height {height}: RPC {node.rpc}, home {node.home}")


@localnet.command("stop")
@click.argument("node_name", metavar="NODE")
@dir_option
@output_option
def stop_one(node_name: str, folder: Path, output: str) -> None:
    """Stop one node of a network; the others run on, and `gradus localnet start NODE` brings it back.

    The chain goes on as long as more than two thirds of the validators run.

    \b
    Example: gradus localnet stop node3
    """
    from localnet.network import Localnet

    net = Localnet(folder)
    index = net.manifest.get_index(node_name)
    was_running = net.is_running(index)
    net.stop_node(index)
    name = net.manifest.nodes[index].name
    waiting = find_standstill(net)
    answer(output, {"name": name, "was_running": was_running, "chain_waits_for": waiting},
           f"{name} has stopped" if was_running else f"{name} was not running")
    warn_of_standstill(net, waiting)


@localnet.command("start")
@click.argument("node_name", metavar="NODE")
@dir_option
@auditor_option
@engine_option
@version_option
@output_option
def start_one(node_name: str, folder: Path, auditor: bool, engine: Path | None, engine_version: str | None,
              output: str) -> None:
    """Start one node of a network that was stopped, was killed or has given up, and wait until it follows.

    \b
    Example: gradus localnet start node3
    """
    from localnet.network import Localnet
    from localnet.progress import find_engine_visibly

    net = Localnet(folder)
    index = net.manifest.get_index(node_name)
    if net.is_running(index):
        raise LocalnetError(f"{net.manifest.nodes[index].name} runs already",
                            f"gradus localnet restart {node_name} ends it and starts it again")
    net.engine = find_engine_visibly(engine, engine_version, net.manifest.engine_version)
    bring_back(net, index, auditor, output)


@localnet.command("restart")
@click.argument("node_name", metavar="NODE")
@dir_option
@auditor_option
@engine_option
@version_option
@output_option
def restart_one(node_name: str, folder: Path, auditor: bool, engine: Path | None, engine_version: str | None,
                output: str) -> None:
    """End one node of a network in good order, its auditor included, and start it again.

    \b
    Example: gradus localnet restart node3
    """
    from localnet.network import Localnet
    from localnet.progress import find_engine_visibly

    net = Localnet(folder)
    index = net.manifest.get_index(node_name)
    net.engine = find_engine_visibly(engine, engine_version, net.manifest.engine_version)  # before anything is ended
    net.stop_node(index)
    bring_back(net, index, auditor, output)


def bring_back(net: Localnet, index: int, auditor: bool, output: str) -> None:
    """Start a node, and wait until it follows the others where enough of them run for a chain that goes on."""
    from localnet.progress import wait_answer_visibly, wait_caught_up_visibly

    node = net.manifest.nodes[index]
    validators = count_validators(node.paths)
    net.auditors = (HONEST,) * (validators if auditor else 0)
    net.start_one(index, attached=False)
    wait_answer_visibly(net, index)
    waiting = find_standstill(net)
    height = None if waiting else wait_caught_up_visibly(net, index)
    answer(output, {"name": node.name, "chain_id": net.manifest.chain_id, "height": height, "rpc": node.rpc,
                    "chain_waits_for": waiting},
           f"{node.name} follows {net.manifest.chain_id} at height {height}: RPC {node.rpc}" if height is not None
           else f"{node.name} runs: RPC {node.rpc}")
    warn_of_standstill(net, waiting)


def find_standstill(net: Localnet) -> list[str]:
    """The validators that do not run, where too few run for another block; else none. By numbers: localnet's powers
    are alike."""
    names = [node.name for node in net.manifest.nodes[:count_validators(net.manifest.nodes[0].paths)]]
    resting = [name for index, name in enumerate(names) if not net.is_running(index)]
    return resting if 3 * len(resting) >= len(names) else []


def warn_of_standstill(net: Localnet, waiting: Sequence[str]) -> None:
    """Say so where too few validators run for another block."""
    count = count_validators(net.manifest.nodes[0].paths)
    if waiting:
        note(f"{count - len(waiting)} of {count} validators run, and blocks need more than two thirds: the chain "
             f"stands still until you start {' or '.join(waiting)}")


@localnet.command()
@dir_option
@output_option
def status(folder: Path, output: str) -> None:
    """Show every node: phase, height, app hash, peers, pids. Exit status 3 when one does not answer.

    \b
    Example: gradus localnet status --output json
    """
    from localnet.status import read_status

    manifest = get_manifest(folder.expanduser().absolute())
    rows = [read_status(node) for node in manifest.nodes]
    if output == JSON:
        answer(output, {"chain_id": manifest.chain_id, "nodes": [asdict(row) for row in rows]}, "")
    else:
        from localnet.progress import print_status
        print_status(manifest.chain_id, rows)
    if any(row.height is None for row in rows):
        sys.exit(NodeUnreachable.exit_status)


@localnet.command()
@click.option("--task", type=click.Choice(["table", "text"]), default="table", show_default=True,
              help="Learn to tell rows of a table apart, or a text's characters.")
@click.option("--data", "source",
              help="A CSV file with --label, or a table by name; `gradus data add --help` lists the names [digits]. "
                   "With --task text a text [pydoc].")
@click.option("--label", help="The column to predict; a table by name has its own.")
@click.option("--validators", type=click.IntRange(1, 32), default=4, show_default=True, help="How many nodes.")
@click.option("--miners", type=click.IntRange(1, 64), default=5, show_default=True, help="How many, cheats included.")
@click.option("--behaviour", "behaviours", multiple=True, default=("garbage",), show_default=True,
              type=click.Choice(["none", "garbage", "copy", "wrong-data", "withhold"]),
              help="What a cheat does; one cheat each time it is given, none for honest miners alone.")
@click.option("--rounds", type=click.IntRange(1, 1000), help="Rounds to train [25, of a text 60].")
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
def demo(task: str, source: str | None, rounds: int | None, behaviours: tuple[str, ...], output: str,
         **options: Any) -> None:
    """Train a model on a network of this machine, with cheats among the miners, and prove what came of it.

    Exit status 0 only when all rounds were trained, every cheat was slashed and no honest miner was, all nodes agree,
    and a balance was proved by the stock light client. report.json in the network's folder holds every figure.

    \b
    Example: gradus localnet demo --data flowers.csv --label species --behaviour wrong-data --behaviour copy
    Example: gradus localnet demo --task text
    """
    from localnet.demo import DemoOptions, run_demo
    from localnet.text_demo import TextDemo

    signal.signal(signal.SIGTERM, signal.default_int_handler)
    cheats = tuple(behaviour for behaviour in behaviours if behaviour != "none")
    is_text = task == "text"
    report = run_demo(DemoOptions(source=source or ("pydoc" if is_text else "digits"), behaviours=cheats,
                                  rounds=rounds or (TEXT_ROUNDS if is_text else ROUNDS), **options),
                      TextDemo if is_text else None)
    if output == JSON:
        click.echo(report.to_json())
    sys.exit(1 if report.problems else 0)


@localnet.command()
@click.argument("node_name", metavar="NODE")
@dir_option
@click.option("-f", "--follow", is_flag=True, help="Go on printing what is added, until Ctrl-C.")
@click.option("-n", "--lines", type=click.IntRange(0, 100_000), default=30, show_default=True)
@click.option("--part", type=click.Choice(PARTS), default=None, help="One part alone; all when not given.")
@output_option
def logs(node_name: str, folder: Path, follow: bool, lines: int, part: str | None, output: str) -> None:
    """Print the end of a node's logs: its app, its engine, its auditor, and the supervisor's notes.

    With --output json each line is an object, with its part and its text.

    \b
    Example: gradus localnet logs node0 -f --part app
    """
    home = get_manifest(folder.expanduser().absolute()).get_node(node_name).paths
    chosen = [part] if part else list(PARTS)
    followers = {name: Follower(home.log(name)) for name in chosen} if follow else {}
    for name in chosen:
        print_lines(name, tail(home.log(name), lines), len(chosen) > 1, output)
    while follow:
        for name, follower in followers.items():
            print_lines(name, follower.read_lines(), len(chosen) > 1, output)
        time.sleep(0.2)


def print_lines(part: str, lines: Sequence[str], is_named: bool, output: str) -> None:
    """Print log lines: as objects, or with the part's name before each when several are shown."""
    for line in lines:
        if output == JSON:
            click.echo(json.dumps({"part": part, "line": line}))
        else:
            click.echo(f"{part:>{PART_WIDTH}} | {line}" if is_named else line)
