"""What audits cost on real networks: work beside auditing, bytes with votes, blocks with auditors and without.

    python -m tests.bench.audits [--runs 3] [--rounds 6] [--miners 4] [--rate-ppm 400000] [--save]

The demo's network and miners, all honest, in turn with an auditor beside each validator and with none, where a round
waits for its audits in vain until their deadline: whatever else the machine does falls on both. Prints a table; reads
logs, blocks and /proc.
"""

import json
import re
import tempfile
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from abci_app.cli.contracts import compute_escrow, new_contract, new_spec
from abci_app.client.chain import ChainClient
from abci_app.client.node import connect
from abci_app.client.send import Sender
from abci_app.wire.pb.gradus.models.v1.tx_pb2 import MsgCreateModelResponse
from localnet.demo import HIDDEN, ROUND_REWARD_UGRAD, Demo, DemoOptions
from localnet.engine import Engine, find_engine
from localnet.network import Localnet
from localnet.parts import HONEST
from localnet.progress import warm_visibly
from tests.bench.chronicle import Block, compute_block_s, read_blocks, summarise
from tests.bench.compare import RESULTS, describe_machine, read_machine_s
from tests.interruptible import Command

PPM = 1_000_000
ROUND_SECONDS_MAX = 180.0
CPU = re.compile(r"^\S+ (?:answered|computed) .*\bcpu_milliseconds (\d+)", re.MULTILINE)
Json = dict[str, Any]


@dataclass(frozen=True)
class Setting:
    """Of every run."""

    rounds: int
    miners: int
    validators: int
    rate_ppm: int


@dataclass(frozen=True)
class Run:
    """One network's. unit_cpu_ms: of every unit computed, by whom. machine_cores: what the whole machine worked."""

    is_audited: bool
    seconds: float
    machine_cores: float
    blocks: list[Block]
    unit_cpu_ms: dict[str, list[int]]


def run(folder: Path, engine: Engine, setting: Setting, is_audited: bool) -> Run:
    """Train so many rounds on a network of its own, and read what it took."""
    demo = Demo(DemoOptions(folder, "digits", None, setting.validators, setting.miners, (), setting.rounds, 0, False,
                            base_port=0), Console(stderr=True, quiet=True))
    made = demo.new_dataset()
    net, creator = demo.new_network(engine)
    net.auditors = (HONEST,) * (setting.validators if is_audited else 0)
    demo.share_dataset(made)
    try:
        net.start()
        net.wait_height(2)
        client = ChainClient(connect([net.manifest.nodes[0].rpc], net.manifest.chain_id))
        spec = new_spec(made.manifest, setting.rounds, setting.miners, ROUND_REWARD_UGRAD, HIDDEN)
        spec.audit.rate_ppm = setting.rate_ppm
        sent = Sender(client, creator).send([new_contract(creator.bech32, spec, compute_escrow(spec))])
        model_id = MsgCreateModelResponse.FromString(sent.responses[0].value).model_id
        demo.start_miners(net, model_id)
        first = wait_rounds(client, model_id, 1)
        began_s, machine_s = time.monotonic(), read_machine_s()
        last = wait_rounds(client, model_id, setting.rounds)
        seconds = time.monotonic() - began_s
        return Run(is_audited, seconds, (read_machine_s() - machine_s) / seconds,
                   read_blocks(net.rpcs[0], first, last), read_unit_cpu_ms(net, demo))
    finally:
        demo.stop_miners()
        net.stop()


def wait_rounds(client: ChainClient, model_id: int, rounds: int) -> int:
    """Wait until so many rounds are closed; the height then. AssertionError where none closes for long."""
    closed, moved_s = -1, time.monotonic()
    while True:
        now = client.get_model(model_id).rounds_closed
        if now >= rounds:
            return client.height()
        if now != closed:
            closed, moved_s = now, time.monotonic()
        assert time.monotonic() - moved_s < ROUND_SECONDS_MAX, f"round {closed + 1} does not close"
        time.sleep(0.1)


def read_unit_cpu_ms(net: Localnet, demo: Demo) -> dict[str, list[int]]:
    """What every unit took, as miners and auditors say in their logs."""
    logs = {"miners": [demo.miner_home(miner) / "miner.log" for miner in demo.miners],
            "auditors": [node.paths.log("auditor") for node in net.manifest.nodes]}
    return {name: [int(ms) for log in found if log.exists() for ms in CPU.findall(log.read_text())]
            for name, found in logs.items()}


def compute_share(unit_cpu_ms: dict[str, list[int]]) -> Json:
    """The processors' time of auditing beside that of the work, and of one unit of each."""
    work, audit = sum(unit_cpu_ms["miners"]), sum(unit_cpu_ms["auditors"])
    return {"units": {name: len(found) for name, found in unit_cpu_ms.items()},
            "unit_cpu_ms": {name: round(sum(found) / max(1, len(found)), 1) for name, found in unit_cpu_ms.items()},
            "audit_percent_of_work": round(100 * audit / max(1, work), 1)}


def compute_figures(runs: Iterable[Run]) -> Json:
    """Of all runs of one kind together."""
    runs = list(runs)
    spent = {name: [ms for one in runs for ms in one.unit_cpu_ms[name]] for name in ("miners", "auditors")}
    blocks = [block for one in runs for block in one.blocks]
    pairs = [(block, seconds) for one in runs for block, seconds in zip(one.blocks[1:], compute_block_s(one.blocks))]
    return {
        "networks": len(runs), "blocks": len(blocks), "block_s": summarise([seconds for _, seconds in pairs]),
        "block_s_that_bring_votes": summarise([seconds for block, seconds in pairs if block.extension_bytes]),
        "block_s_of_the_others": summarise([seconds for block, seconds in pairs if not block.extension_bytes]),
        "extension_bytes": summarise([float(size) for block in blocks for size in block.extension_bytes]),
        "injected_bytes_a_block": summarise([float(block.injected_bytes) for block in blocks]),
        "cores_of_the_machine": round(sum(one.machine_cores for one in runs) / max(1, len(runs)), 2),
        **compute_share(spent)}


def run_in_turn(setting: Setting, count: int, engine: Engine) -> Json:
    """`count` networks with auditors and as many without, one after the other, in turn; the figures of each kind."""
    found: list[Run] = []
    for number in range(2 * count):
        is_audited = number % 2 == 0
        with tempfile.TemporaryDirectory(prefix="gradus-audits-") as folder:
            found.append(run(Path(folder) / "net", engine, setting, is_audited))
        click.echo(f"network {number + 1} of {2 * count}, {'with' if is_audited else 'without'} auditors: "
                   f"block times {summarise(compute_block_s(found[-1].blocks))}", err=True)
    return {"settings": vars(setting), "with": compute_figures(one for one in found if one.is_audited),
            "without": compute_figures(one for one in found if not one.is_audited)}


def print_figures(figures: Json) -> None:
    """For people, side by side."""
    names = list(figures["with"])
    rows = [("", "with auditors", "without")] + [
        (name.replace("_", " "), *(show(figures[kind][name]) for kind in ("with", "without"))) for name in names]
    widths = [max(map(len, column)) for column in zip(*rows)]
    for row in rows:
        click.echo("  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths)).rstrip())


def show(value: Any) -> str:
    """A figure, or several by name."""
    return ", ".join(f"{name} {one}" for name, one in value.items()) if isinstance(value, dict) else str(value)


@click.command(cls=Command)
@click.option("--runs", type=click.IntRange(1, 100), default=3, show_default=True, help="Networks of each kind.")
@click.option("--rounds", type=click.IntRange(2, 1000), default=6, show_default=True)
@click.option("--miners", type=click.IntRange(3, 64), default=4, show_default=True)
@click.option("--validators", type=click.IntRange(1, 32), default=4, show_default=True)
@click.option("--rate-ppm", type=click.IntRange(1, PPM), default=400_000, show_default=True,
              help="Share of the units that is audited.")
@click.option("--save", is_flag=True, help="Write results/audits.json.")
def main(runs: int, rounds: int, miners: int, validators: int, rate_ppm: int, save: bool) -> None:
    """Run networks with auditors and without, in turn, and print what audits cost."""
    warm_visibly()
    engine = find_engine()
    figures = run_in_turn(Setting(rounds, miners, validators, rate_ppm), runs, engine)
    print_figures(figures)
    if save:
        report = {"machine": describe_machine(engine)} | figures
        (RESULTS / "audits.json").write_text(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main()
