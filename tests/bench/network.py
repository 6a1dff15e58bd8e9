"""The work market on a real network: a cheat, a lazy auditor, a validator that dies and comes back; what audits cost.

    python -m tests.bench.network [--runs 3] [--rounds 3] [--save]

One network of four validators and five miners at default parameters tells the story: the cheat is slashed, the lazy
auditor is left out, blocks go on without the killed validator, it comes back; invariants hold and every round is
recomputed from the blocks. Then networks with auditors and without, in turn (tests/bench/audits.py). Every figure is
read from blocks, logs and /proc. Ends with 1 where anything is not as it should be.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from abci_app.client.chain import ChainClient
from abci_app.client.errors import ClientError
from abci_app.client.node import connect
from localnet import checks
from localnet.demo import Demo, DemoOptions
from localnet.engine import Engine, find_engine
from localnet.errors import TimedOut
from localnet.network import DATASETS, Localnet
from localnet.progress import warm_visibly
from localnet.report import read_auditors
from tests.bench.audits import Setting, compute_share, print_figures, read_unit_cpu_ms, run_in_turn, show
from tests.bench.chronicle import Block, compute_block_s, find_events, read_blocks, summarise
from tests.bench.compare import RESULTS, describe_machine
from tests.interruptible import Command

VALIDATORS, MINERS, CHEAT = 4, 5, "garbage"
AUDITORS = ("honest", "honest", "lazy", "honest")
LAZY, KILLED = 2, 3
ROUNDS_MAX = 1000  # of the contract; its miners are stopped before that
STEP_SECONDS = 600.0
Json = dict[str, Any]


@dataclass
class Story:
    """A network, and the heights at which something was done or seen."""

    demo: Demo
    net: Localnet
    client: ChainClient
    model_id: int
    heights: dict[str, int] = field(default_factory=dict)
    began_s: float = field(default_factory=time.monotonic)

    @property
    def cheat(self) -> str:
        """Address of the miner that cheats: the last one."""
        return self.demo.miners[-1].address

    def mark(self, what: str) -> None:
        """Note the height, and say so."""
        self.heights[what] = self.client.height()
        click.echo(f"{time.monotonic() - self.began_s:6.1f} s  height {self.heights[what]:>5}  {what}", err=True)

    def rounds(self) -> int:
        """Closed rounds."""
        return self.client.get_model(self.model_id).rounds_closed

    def is_slashed(self) -> bool:
        """Whether the cheat was."""
        return any(slash.trainer == self.cheat for slash in self.client.iter_slashes(self.model_id))

    def is_excluded(self, index: int) -> bool:
        """Whether the validator of a node is left out of committees."""
        found = self.client.find_auditor(bytes.fromhex(self.net.manifest.nodes[index].address))
        return found is not None and found.excluded_until_height > self.client.height()

    def wait(self, what: str, is_true: Callable[[], bool]) -> None:
        """Wait until something is so, and note it. Raises TimedOut."""
        deadline_s = time.monotonic() + STEP_SECONDS
        while True:
            with suppress(ClientError):
                if is_true():
                    break
            if time.monotonic() > deadline_s:
                raise TimedOut(f"not in {STEP_SECONDS:.0f} s: {what}", f"read the logs in {self.net.folder}")
            time.sleep(0.2)
        self.mark(what)

    def wait_rounds(self, what: str, count: int) -> None:
        """Wait until so many more rounds are closed."""
        closed = self.rounds()
        self.wait(what, lambda: self.rounds() >= closed + count)


def tell_story(folder: Path, engine: Engine, rounds: int) -> Json:
    """Run the network, and what became of it. rounds: of each part of the story that has no end of its own."""
    demo = Demo(DemoOptions(folder, "digits", None, VALIDATORS, MINERS, (CHEAT,), ROUNDS_MAX, 0, False, base_port=0),
                Console(stderr=True, quiet=True))
    made = demo.new_dataset()
    net, creator = demo.new_network(engine)
    net.auditors = AUDITORS
    dataset = demo.share_dataset(made)
    try:
        net.start()
        net.wait_height(2)
        client = ChainClient(connect([net.manifest.nodes[0].rpc], net.manifest.chain_id))
        story = Story(demo, net, client, demo.create_model(client, creator, dataset))
        story.mark("the model is created")
        demo.start_miners(net, story.model_id)
        story.wait("the cheat is slashed", story.is_slashed)
        story.wait("the lazy auditor is excluded", lambda: story.is_excluded(LAZY))
        story.wait_rounds(f"{rounds} rounds are closed without the lazy auditor", rounds)
        net.kill(KILLED, "node")
        story.mark("a validator is killed")
        story.wait("the dead validator is excluded as an auditor", lambda: story.is_excluded(KILLED))
        story.wait_rounds(f"{rounds} rounds are closed without it", rounds)
        net.start_one(KILLED)
        story.mark("the validator is started again")
        net.wait_caught_up(KILLED, STEP_SECONDS)
        story.mark("it has caught up")
        story.wait_rounds(f"{rounds} rounds are closed with it", rounds)
        demo.stop_miners()
        story.mark("the miners are stopped")
        return read_story(story)
    finally:
        demo.stop_miners()
        net.stop()


def read_story(story: Story) -> Json:
    """Every figure, from the blocks, the logs and the state."""
    net, heights = story.net, story.heights
    height, app_hash = checks.same_app_hash(net.rpcs)
    blocks = read_blocks(net.rpcs[0], 1, height)
    slashes = find_events(blocks, "work.trainer_slashed")
    excluded = find_events(blocks, "audits.auditor_excluded")
    names = {node.address: node.name for node in net.manifest.nodes}
    invariants_height, broken = story.client.check_invariants()
    killed, back = heights["a validator is killed"], heights["the validator is started again"]
    calm = heights["the lazy auditor is excluded"]
    verdicts = [event.attributes["verdict"] for event in find_events(blocks, "work.unit_audited")]
    return {
        "heights": heights, "blocks": height, "rounds_closed": story.rounds(), "app_hash": app_hash.hex(),
        "first_audit_opened": next(iter(find_events(blocks, "audits.audit_opened"))).height,
        "slashes": [{"height": one.height, "is_cheat": one.attributes["trainer"] == story.cheat,
                     **{name: one.attributes[name] for name in ("round", "unit", "reason")}} for one in slashes],
        "exclusions": [{"height": one.height, "node": names[one.attributes["validator"]],
                        "reason": one.attributes["reason"]} for one in excluded],
        "auditors": [vars(one) for one in read_auditors(story.client, net)],
        "verdicts": {name: verdicts.count(name) for name in sorted(set(verdicts))},
        "block_s": {"before the kill": describe(blocks, calm, killed), "validator dead": describe(blocks, killed, back),
                    "after its return": describe(blocks, heights["it has caught up"], height)},
        "blocks_to_catch_up": heights["it has caught up"] - heights["the validator is started again"],
        "extension_bytes": summarise([float(size) for block in blocks for size in block.extension_bytes]),
        "injected_bytes_a_block": summarise([float(block.injected_bytes) for block in blocks]),
        "cpu": compute_share(read_unit_cpu_ms(net, story.demo)),
        "invariants": {"height": invariants_height, "broken": broken}, "replay": replay(story)}


def describe(blocks: list[Block], first: int, last: int) -> Json:
    """The times from block to block, and how many blocks took consensus a second attempt."""
    some = [block for block in blocks if first <= block.height <= last]
    return summarise(compute_block_s(some)) | {"second_attempts": sum(block.attempt > 0 for block in some)}


def replay(story: Story) -> Json:
    """What `gradus audit MODEL --all --verify` says, from a home that trusts nothing yet, of every round's weights.

    Not with --units: that finds, as it should, what the cheat claimed before an audit drew it.
    """
    witnesses = [part for node in story.net.manifest.nodes[1:] for part in ("--witness", node.rpc)]
    began_s = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="gradus-replay-") as home:
        done = subprocess.run(
            [sys.executable, "-m", "abci_app.cli", "audit", str(story.model_id), "--all", "--verify",
             *witnesses, "--home", home, "--data", str(story.net.folder / DATASETS),
             "--node", story.net.manifest.nodes[0].rpc, "--output", "json"],
            stdout=subprocess.PIPE, text=True, check=False)
    told = json.loads(done.stdout) if done.stdout else {}
    return {"status": done.returncode, "equal": bool(told.get("equal")), "rounds": told.get("rounds", 0),
            "seconds": round(time.monotonic() - began_s, 1)}


def find_problems(story: Json) -> list[str]:
    """What the story must show and does not."""
    caught = [one for one in story["slashes"] if one["is_cheat"] and one["reason"] == "mismatch"]
    left_out = {one["node"] for one in story["exclusions"]}
    dead = story["block_s"]["validator dead"]
    found = {
        "the cheat was not slashed for a wrong claim": not caught,
        "an honest miner was slashed": len(caught) < len(story["slashes"]),
        "the lazy auditor was not excluded": f"node{LAZY}" not in left_out,
        "an honest auditor was excluded": not left_out <= {f"node{LAZY}", f"node{KILLED}"},
        "an auditor has answered wrongly": any(one["wrong"] for one in story["auditors"]),
        "no blocks came after the kill": dead["count"] < 1,
        "invariants are broken": bool(story["invariants"]["broken"]),
        "the replay is not equal": not story["replay"]["equal"],
    }
    return [problem for problem, is_so in found.items() if is_so]


def format_report(report: Json) -> str:
    """All figures as a page of Markdown."""
    story, lines = report["story"], ["# The work market on a real network", ""]
    machine = ", ".join(f"{name} {value}" for name, value in report["machine"].items())
    lines += [f"`python -m tests.bench.network`, {machine}. {report['beside']}".rstrip(), "", "## The story", "",
              "| height | what |", "|---|---|"]
    lines += [f"| {height} | {what} |" for what, height in story["heights"].items()]
    lines += ["", "| figure | value |", "|---|---|"]
    lines += [f"| slashed at height {one['height']} | the {'cheat' if one['is_cheat'] else 'HONEST miner'}, round "
              f"{one['round']}, unit {one['unit']}: {one['reason']} |" for one in story["slashes"]]
    lines += [f"| left out at height {one['height']} | {one['node']}: {one['reason']} |"
              for one in story["exclusions"]]
    lines += [f"| auditor of {one['node']} | right {one['right']}, wrong {one['wrong']}, missed {one['missed']} |"
              for one in story["auditors"]]
    lines += [f"| block time in s, {when} | {show(times)} |" for when, times in story["block_s"].items()]
    for name in ("rounds_closed", "verdicts", "extension_bytes", "injected_bytes_a_block", "blocks_to_catch_up"):
        lines.append(f"| {name.replace('_', ' ')} | {show(story[name])} |")
    lines += [f"| {name.replace('_', ' ')} | {show(value)} |" for name, value in story["cpu"].items()]
    lines += [f"| invariants at height {story['invariants']['height']} | "
              f"{', '.join(story['invariants']['broken']) or 'all hold'} |",
              f"| replay from the blocks | {show(story['replay'])} |"]
    if "audits" in report:
        lines += ["", "## With auditors and without, in turn", "", "| figure | with | without |", "|---|---|---|"]
        lines += [f"| {name.replace('_', ' ')} | {show(value)} | {show(report['audits']['without'][name])} |"
                  for name, value in report["audits"]["with"].items()]
    return "\n".join(lines) + "\n"


@click.command(cls=Command)
@click.option("--runs", type=click.IntRange(0, 100), default=3, show_default=True,
              help="Networks with auditors, and as many without, after the story.")
@click.option("--rounds", type=click.IntRange(1, 100), default=3, show_default=True,
              help="Rounds of each part of the story, and twice as many of each later network.")
@click.option("--beside", default="", help="What else ran on the machine, for the report.")
@click.option("--save", is_flag=True, help="Write results/network.json and network.md.")
def main(runs: int, rounds: int, beside: str, save: bool) -> None:
    """Tell the story of the work market on a real network, and measure what audits cost."""
    warm_visibly()
    engine = find_engine()
    report: Json = {"machine": describe_machine(engine), "beside": beside, "load_before": os.getloadavg()}
    with tempfile.TemporaryDirectory(prefix="gradus-network-") as folder:
        report["story"] = tell_story(Path(folder) / "net", engine, rounds)
    problems = report["problems"] = find_problems(report["story"])
    if runs:
        report["audits"] = run_in_turn(Setting(2 * rounds, MINERS - 1, VALIDATORS, 400_000), runs, engine)
        print_figures(report["audits"])
    report["load_after"] = os.getloadavg()
    click.echo(format_report(report))
    for problem in problems:
        click.echo(f"not as it should be: {problem}", err=True)
    if save:
        (RESULTS / "network.json").write_text(json.dumps(report, indent=1) + "\n")
        (RESULTS / "network.md").write_text(format_report(report))
    sys.exit(1 if problems else 0)


if __name__ == "__main__":
    main()
