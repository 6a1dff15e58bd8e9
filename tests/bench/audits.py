"""What audits cost on a real network: work beside auditing, bytes with votes, blocks with auditors and without.

    python -m tests.bench.audits [--rounds 12] [--miners 4] [--validators 4] [--rate-ppm 400000] [--save audits]

The demo's network and miners, all honest, once with an auditor beside each validator and once with none, where a round
waits for its audits in vain until their deadline. Prints a table; reads logs, blocks and /proc.
"""

import base64
import json
import re
import statistics
import tempfile
import time
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

import click
from rich.console import Console

from abci_app.cli.contracts import compute_escrow, new_contract, new_spec
from abci_app.client.chain import ChainClient
from abci_app.client.node import connect
from abci_app.client.rpc import Rpc
from abci_app.client.send import Sender
from abci_app.wire.pb.gradus.audits.v1.tx_pb2 import AuditVotes
from abci_app.wire.pb.gradus.models.v1.tx_pb2 import MsgCreateModelResponse
from abci_app.wire.tx import decode_injected, is_injected
from kernels.dispatch import warm
from localnet import state
from localnet.demo import HIDDEN, ROUND_REWARD_UGRAD, Demo, DemoOptions
from localnet.engine import find_engine
from localnet.parts import HONEST
from tests.bench.chains import read_cpu_s
from tests.interruptible import Command

RESULTS = Path(__file__).with_name("results")
PPM = 1_000_000
ROUND_SECONDS_MAX = 120.0
CPU = re.compile(r"^\S+ (?:answered|computed) .*\bcpu_milliseconds (\d+)", re.MULTILINE)


@dataclass
class Figures:
    """Of one run. unit_cpu_ms: all units that were computed, by whom. process_cpu_s: all that the processes took."""

    auditors: int
    rounds: int
    seconds: float
    blocks: int
    block_s: dict[str, float]
    units: dict[str, int]
    unit_cpu_ms: dict[str, int]
    process_cpu_s: dict[str, float]
    extensions: int
    extension_bytes: dict[str, float]
    injected_bytes_per_block: float


def run(folder: Path, rounds: int, miners: int, validators: int, rate_ppm: int, is_audited: bool) -> Figures:
    """Train so many rounds on a network of its own, and read what it took."""
    demo = Demo(DemoOptions(folder, "digits", None, validators, miners, (), rounds, 0, False, base_port=0),
                Console(stderr=True))
    made = demo.new_dataset()
    net, creator = demo.new_network(find_engine())
    net.auditors = (HONEST,) * (validators if is_audited else 0)
    demo.share_dataset(made)
    try:
        net.start()
        net.wait_height(2)
        client = ChainClient(connect([net.manifest.nodes[0].rpc], net.manifest.chain_id))
        spec = new_spec(made.manifest, rounds, miners, ROUND_REWARD_UGRAD, HIDDEN)
        spec.audit.rate_ppm = rate_ppm
        sent = Sender(client, creator).send([new_contract(creator.bech32, spec, compute_escrow(spec))])
        model_id = MsgCreateModelResponse.FromString(sent.responses[0].value).model_id
        demo.start_miners(net, model_id)
        first = wait_rounds(client, model_id, 1)
        began_s = time.monotonic()
        last = wait_rounds(client, model_id, rounds)
        seconds = time.monotonic() - began_s
        pids = {"auditors": [state.find_pid(node.paths, "auditor") for node in net.manifest.nodes],
                "miners": [process.pid for process in demo.processes],
                "apps": [state.find_pid(node.paths, "app") for node in net.manifest.nodes],
                "engines": [state.find_pid(node.paths, "engine") for node in net.manifest.nodes]}
        cpu_s = {name: round(sum(read_cpu_s(pid) for pid in found if pid is not None), 2)
                 for name, found in pids.items()}
        times, sizes, injected = read_blocks(net.rpcs[0], first, last)
        logs = {"auditors": [node.paths.log("auditor") for node in net.manifest.nodes],
                "miners": [demo.miner_home(miner) / "miner.log" for miner in demo.miners]}
        spent = {name: [int(ms) for log in found if log.exists() for ms in CPU.findall(log.read_text())]
                 for name, found in logs.items()}
        return Figures(
            auditors=len(net.auditors), rounds=rounds, seconds=round(seconds, 1), blocks=last - first,
            block_s=summarise(times), units={name: len(found) for name, found in spent.items()},
            unit_cpu_ms={name: sum(found) for name, found in spent.items()}, process_cpu_s=cpu_s,
            extensions=len(sizes), extension_bytes=summarise(sizes), injected_bytes_per_block=round(
                sum(injected) / max(1, len(injected)), 1))
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


def read_blocks(rpc: Rpc, first: int, last: int) -> tuple[list[float], list[float], list[float]]:
    """(seconds from block to block, bytes of every extension that a block brings, injected bytes of every block)."""
    stamps, sizes, injected = list[float](), list[float](), list[float]()
    for height in range(first, last + 1):
        block = rpc.block(height)["block"]
        text = re.sub(r"(\.\d{1,6})\d*Z$", r"\1+00:00", block["header"]["time"])
        stamps.append(datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp())
        raws = [raw for raw in map(base64.b64decode, block["data"]["txs"] or ()) if is_injected(raw)]
        injected.append(float(sum(map(len, raws))))
        for packed in map(decode_injected, raws):
            if packed.type_url.endswith(".AuditVotes"):
                sizes += [float(len(vote.extension)) for vote in AuditVotes.FromString(packed.value).votes]
    return [later - sooner for sooner, later in zip(stamps, stamps[1:])], sizes, injected


def summarise(values: list[float]) -> dict[str, float]:
    """median, mean and largest; all 0 of nothing."""
    found = values or [0.0]
    return {"median": round(statistics.median(found), 3), "mean": round(statistics.fmean(found), 3),
            "max": round(max(found), 3)}


def print_figures(all_figures: list[Figures]) -> None:
    """For people."""
    for one in all_figures:
        click.echo(f"\n{one.auditors} auditors: {one.rounds} rounds, {one.blocks} blocks in {one.seconds} s; "
                   f"block time {one.block_s} s")
        click.echo(f"  extensions that a block brought: {one.extensions}, bytes {one.extension_bytes}; "
                   f"injected bytes a block {one.injected_bytes_per_block}")
        work, audit = one.unit_cpu_ms["miners"], one.unit_cpu_ms["auditors"]
        click.echo(f"  units computed {one.units}, CPU ms {one.unit_cpu_ms}: auditing is "
                   f"{audit * PPM // max(1, work) / 10_000:.1f} % of the work")
        click.echo(f"  CPU s of whole processes, starts included: {one.process_cpu_s}")


@click.command(cls=Command)
@click.option("--rounds", type=click.IntRange(2, 1000), default=12, show_default=True)
@click.option("--miners", type=click.IntRange(3, 64), default=4, show_default=True)
@click.option("--validators", type=click.IntRange(1, 32), default=4, show_default=True)
@click.option("--rate-ppm", type=click.IntRange(1, PPM), default=400_000, show_default=True,
              help="Share of the units that is audited.")
@click.option("--save", help="Name of a file in results/.")
def main(rounds: int, miners: int, validators: int, rate_ppm: int, save: str | None) -> None:
    """Run the network with auditors and without, and print what audits cost."""
    warm()
    found = []
    for is_audited in (True, False):
        with tempfile.TemporaryDirectory(prefix="gradus-audits-") as folder:
            found.append(run(Path(folder) / "net", rounds, miners, validators, rate_ppm, is_audited))
    print_figures(found)
    if save:
        report = {"rounds": rounds, "miners": miners, "validators": validators, "rate_ppm": rate_ppm,
                  "runs": [asdict(one) for one in found]}
        (RESULTS / f"{save}.json").write_text(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main()
