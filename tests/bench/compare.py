"""Committed transactions per second of Gradus, the stock Go kvstore and a stock Go Cosmos SDK chain, side by side.

    python -m tests.bench.compare [--validators 1] [--runs 3] [--save NAME]

Every round runs each chain once, on a fresh network, one after the other: same engine, same config.toml, same number of
nodes, same load tool, transactions of the same size. So whatever else the machine does falls on all of them.
"""

import asyncio
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

import click

from abci_app.client.load import HandedIn, Pace, hand_in
from abci_app.client.load_result import compute_result, read_blocks
from abci_app.client.load_txs import Signed
from abci_app.client.rpc import Rpc
from localnet.engine import Engine, find_engine
from tests.bench.chains import TICKS_PER_S, GoSdk, Gradus, Kvstore, Running
from tests.bench.programs import ProgramMissing, describe_go, find_gosdk, find_kvstore
from tests.interruptible import Command

RESULTS = Path(__file__).parent / "results"
TX_BYTES = 350  # of a signed transfer with a memo; every run reports its own
GOSDK_VERSION = "wasmd 0.61.14, Cosmos SDK 0.53.6"
Json = dict[str, Any]


class Chain(Protocol):
    """What the comparison needs of a chain: see chains.py."""

    name: str

    def running(self, folder: Path, validators: int, engine: Engine, accounts: int) -> Any:
        """A context manager with a network that runs."""

    def sign(self, running: Running, accounts: int, count: int, rate: float | None) -> Signed:
        """A load for it."""


def run_once(chain: Chain, validators: int, engine: Engine, accounts: int, count: int, pace: Pace,
             rate: float | None) -> Json:
    """The figures of one run, with the processors' time of each part per committed transaction in microseconds."""
    with tempfile.TemporaryDirectory(prefix="gradus-bench-") as folder:
        with chain.running(Path(folder) / "net", validators, engine, accounts) as running:
            signed = chain.sign(running, accounts, count, rate)
            rpcs = [Rpc(url) for url in running.urls]
            first = rpcs[0].status().height + 1
            before, own_s, machine, wall_s = running.cpu_s(), time.process_time(), read_machine_s(), time.monotonic()
            handed: HandedIn = asyncio.run(hand_in(running.urls, signed.load, pace))
            after, busy_s, wall_s = running.cpu_s(), read_machine_s() - machine, time.monotonic() - wall_s
            parts = {part: after[part] - before[part] for part in after} | {"tool": handed.cpu_s}
            others_s = max(0.0, busy_s - sum(parts.values()) - (time.process_time() - own_s - handed.cpu_s))
            expected = len(handed.first_s) - len(handed.refused)
            blocks = read_blocks(rpcs, first, signed.run, expected, lambda what, done, total: None)
            figures = compute_result(blocks, signed.load, handed, is_from_memo=rate is not None)
    done = max(1, figures["committed"])
    return {
        "chain": chain.name, **figures,
        "cpu_us_per_tx": {part: round(seconds * 1e6 / done) for part, seconds in parts.items()},
        "cpu_us_per_tx_total": round(sum(parts.values()) * 1e6 / done),
        "cores_of_this_run": round(sum(parts.values()) / wall_s, 2), "cores_of_others": round(others_s / wall_s, 2),
    }


def read_machine_s() -> float:
    """Seconds that all processors have worked, whoever for."""
    fields = [int(text) for text in Path("/proc/stat").read_text().splitlines()[0].split()[1:]]
    return (sum(fields[:8]) - fields[3] - fields[4]) / TICKS_PER_S


def summarise(runs: list[Json]) -> Json:
    """Medians over the runs of each chain, and how ours compare with each other one."""
    names = list(dict.fromkeys(run["chain"] for run in runs))
    rows: Json = {}
    for name in names:
        own = [run for run in runs if run["chain"] == name and run["block_s"]]
        if not own:
            raise SystemExit(f"{name} made too few blocks in every run to tell its block time; give it more --seconds")
        parts = list(own[0]["cpu_us_per_tx"])
        rows[name] = {
            "committed_per_s": median(own, "committed_per_s_from_hand_in"),
            "committed_per_s_between_blocks": median(own, "committed_per_s"),
            "block_s_mean": statistics.median(run["block_s"]["mean"] for run in own),
            "block_txs_mean": statistics.median(run["block_txs"]["mean"] for run in own),
            "latency_p50_s": statistics.median(run["latency_s"]["p50"] for run in own),
            "cpu_us_per_tx": {part: statistics.median(run["cpu_us_per_tx"][part] for run in own) for part in parts},
            "cpu_us_per_tx_total": median(own, "cpu_us_per_tx_total"),
            "cores": median(own, "cores_of_this_run"), "cores_of_others": median(own, "cores_of_others"),
            "vanished_or_failed": sum(run["vanished"] + sum(run["failed"].values()) for run in own),
        }
    ours = rows[names[0]]
    ratios = {name: {"committed_per_s": round(ours["committed_per_s"] / row["committed_per_s"], 2),
                     "per_cpu_s": round(row["cpu_us_per_tx_total"] / ours["cpu_us_per_tx_total"], 2)}
              for name, row in rows.items() if name != names[0]}
    return {"chains": rows, f"ratios_of_{names[0]}_to": ratios}


def median(runs: list[Json], name: str) -> float:
    """The median of a figure."""
    return float(statistics.median(run[name] for run in runs if run[name] is not None))


def describe_machine(engine: Engine) -> Json:
    """What the figures were taken with."""
    done = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False,
                          cwd=RESULTS.parent)
    return {"gradus": done.stdout.strip(), "processors": os.cpu_count(), "machine": platform.machine(),
            "python": platform.python_version(), "go": describe_go(), "engine": engine.version, "go-sdk": GOSDK_VERSION,
            "date": datetime.now(UTC).strftime("%Y-%m-%d")}


def print_table(summary: Json) -> None:
    """A row a chain."""
    head = ("chain", "tx/s", "block s", "txs/block", "latency s", "CPU us/tx", "of which", "cores", "others' cores")
    rows = [(name, f"{row['committed_per_s']:.0f}", f"{row['block_s_mean']:.2f}", f"{row['block_txs_mean']:.0f}",
             f"{row['latency_p50_s']:.2f}", f"{row['cpu_us_per_tx_total']:.0f}",
             " ".join(f"{part} {value:.0f}" for part, value in row["cpu_us_per_tx"].items()),
             f"{row['cores']:.2f}", f"{row['cores_of_others']:.2f}") for name, row in summary["chains"].items()]
    widths = [max(map(len, column)) for column in zip(head, *rows)]
    for row in [head, *rows]:
        click.echo("  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths)).rstrip())
    for what, ratios in summary.items():
        if what.startswith("ratios"):
            click.echo(f"{what.replace('_', ' ')}: {json.dumps(ratios)}")


@click.command(cls=Command)
@click.option("--validators", type=click.IntRange(1, 16), default=1, show_default=True)
@click.option("--runs", type=click.IntRange(1, 100), default=3, show_default=True)
@click.option("--seconds", default=10.0, show_default=True, help="Hand in for so long.")
@click.option("--txs", default=40_000, show_default=True, help="The most that are handed in.")
@click.option("--rate", type=float, help="Transactions a second [as many as each chain takes].")
@click.option("--accounts", default=200, show_default=True)
@click.option("--connections", default=8, show_default=True, help="In all, spread over the nodes.")
@click.option("--waiting", default=4000, show_default=True)
@click.option("--method", type=click.Choice(["async", "sync"]), default="async", show_default=True)
@click.option("--only", "wanted", multiple=True, type=click.Choice(["gradus", "kvstore", "go-sdk"]))
@click.option("--save", "name", help=f"Keep the figures as {RESULTS.name}/NAME.json.")
def main(validators: int, runs: int, seconds: float, txs: int, rate: float | None, accounts: int, connections: int,
         waiting: int, method: Any, wanted: tuple[str, ...], name: str | None) -> None:
    """Measure, print a table, keep the figures."""
    engine = find_engine()
    chains = make_chains(engine, validators, wanted)
    pace = Pace(max(1, connections // validators), method, waiting, None if rate else seconds)
    count = min(txs, int(rate * seconds)) if rate else txs
    found: list[Json] = []
    for number in range(runs):
        for chain in chains:
            figures = run_once(chain, validators, engine, accounts, count, pace, rate)
            found.append({"round": number + 1, **figures})
            click.echo(f"round {number + 1}: {chain.name} {figures.get('committed_per_s_from_hand_in')} tx/s, "
                       f"CPU {figures['cpu_us_per_tx']} us/tx, others {figures['cores_of_others']} cores", err=True)
    summary = summarise(found)
    print_table(summary)
    if name:
        RESULTS.mkdir(exist_ok=True)
        settings = {"validators": validators, "runs": runs, "seconds": seconds, "rate": rate or "saturation",
                    "accounts": accounts, "connections": pace.connections * validators, "waiting": waiting,
                    "method": method}
        record = {"machine": describe_machine(engine), "settings": settings, "summary": summary, "runs": found}
        (RESULTS / f"{name}.json").write_text(json.dumps(record, indent=1) + "\n")


def make_chains(engine: Engine, validators: int, wanted: tuple[str, ...]) -> list[Chain]:
    """Ours first; the SDK chain on one node alone, and where it can be built."""
    chains: list[Chain] = []
    for name, make in (("gradus", Gradus), ("kvstore", lambda: Kvstore(find_kvstore(engine), TX_BYTES)),
                       ("go-sdk", lambda: GoSdk(find_gosdk()))):
        if (wanted and name not in wanted) or (name == "go-sdk" and validators != 1):
            continue
        try:
            chains.append(make())
        except ProgramMissing as problem:
            click.echo(f"{name} is left out: {problem}", err=True)
    if not chains:
        sys.exit("nothing to compare")
    return chains


if __name__ == "__main__":
    main()
