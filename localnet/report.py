"""The figures of a trained network, every one read from the chain, and whether they are what they should be.

No miner is asked: accuracy comes from the weights on the chain and the held-out rows, earnings from the rewards room,
slashes from the work room, heights and app hashes from every node, one balance through the stock light client.
"""

from __future__ import annotations

import json
import platform
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any

from rich.console import Console

from abci_app.client.chain import ChainClient, compute_earned
from abci_app.client.evaluate import millionths_text, percent_text
from abci_app.client.words import enum_word
from abci_app.sdk.proofs import Place
from abci_app.wire.pb.gradus.work.v1.work_pb2 import SlashReason
from localnet.checks import find_height, wait_height
from localnet.errors import ClientError, LocalnetError, TimedOut
from localnet.light import LightProxy, trust_root
from localnet.network import Localnet
from localnet.served import Served, find_serving_problems, print_served
from localnet.words import bar, count_of, grad

CATCH_UP_SECONDS = 30.0
TRIGRAM = 3
SHOWN_ROUNDS = 12
REASONS = {"garbage": "mismatch", "copy": "mismatch", "wrong-data": "mismatch", "withhold": "withheld"}


@dataclass(frozen=True)
class Participant:
    """A miner that was started. behaviour: `honest`, or what the cheat was told to do."""

    name: str
    address: str
    behaviour: str


@dataclass(frozen=True)
class Slashed:
    """A slash that stands on the chain."""

    address: str
    behaviour: str
    round: int
    unit: int
    reason: str
    amount_ugrad: int
    burnt_ugrad: int


@dataclass(frozen=True)
class Standing:
    """How the validator of a node has done as an auditor, by the chain. answers: right, wrong and missing ones."""

    node: str
    right: int
    wrong: int
    missed: int
    fees_ugrad: int
    is_excluded: bool


@dataclass(frozen=True)
class ProvedBalance:
    """A balance that the stock light client proved against the header of height + 1."""

    address: str
    ugrad: int
    height: int
    verifier: str


@dataclass(frozen=True)
class TextFigures:
    """What came of a text: millionths of a nat a held-out character, untrained and after each round, and by n-gram
    models of each order from 1 on the same characters; a text that the trained weights have drawn, and its prompt."""

    initial_micronats: int
    micronats_per_round: list[int]
    ngram_micronats: list[int]
    prompt: str
    sample: str


@dataclass
class Report:
    """What report.json holds. accuracy_ppm_per_round[i]: after round i + 1, on the held-out rows; of a text there is
    none."""

    chain_id: str
    model_id: int
    dataset: dict[str, Any]
    rpc: str
    initial_accuracy_ppm: int
    accuracy_ppm_per_round: list[int]
    baseline_ppm: int
    seconds: float
    seconds_to_first_block: float
    seconds_per_round: float
    earned_ugrad: dict[str, int]
    slashed: list[Slashed]
    auditors: list[Standing]
    nodes: list[dict[str, Any]]
    proved_balance: ProvedBalance
    versions: dict[str, str]
    served: Served
    problems: list[str] = field(default_factory=list)
    text: TextFigures | None = None

    def to_json(self) -> str:
        """All of it, as report.json holds it."""
        return json.dumps(asdict(self), indent=2)

    def write(self, path: Path) -> None:
        """To a file."""
        path.write_text(self.to_json() + "\n")


def read_slashes(client: ChainClient, model_id: int, miners: Sequence[Participant]) -> list[Slashed]:
    """The chain's slash records of a model, beside what each miner had been told to do."""
    behaviours = {miner.address: miner.behaviour for miner in miners}
    return [Slashed(slash.trainer, behaviours.get(slash.trainer, "unknown"), slash.round, slash.unit,
                    enum_word(SlashReason.DESCRIPTOR, slash.reason), slash.amount_ugrad,
                    slash.burnt_ugrad)
            for slash in client.iter_slashes(model_id)]


def read_weights(client: ChainClient, model_id: int, number: int) -> bytes:
    """The weights after a round, checked against the root in the state; LocalnetError when they are gone."""
    found = client.find_weights(model_id, number)
    if found is None:
        raise LocalnetError(f"the chain no longer keeps the weights after round {number}",
                            "raise kept_rounds in the contract's terms")
    return found


def read_earned(client: ChainClient, model_id: int, miners: Sequence[Participant]) -> dict[str, int]:
    """What every miner has earned from a model and the emission, what still vests included: ugrad by address."""
    found = {one.trainer: compute_earned(one) for one in client.iter_contributions(model_id)}
    return {miner.address: found.get(miner.address, 0) for miner in miners}


def read_auditors(client: ChainClient, net: Localnet) -> list[Standing]:
    """How the validators of a network's nodes have done as auditors; nothing of those who were never judged."""
    height, found = client.height(), {one.consensus_address.hex().upper(): one for one in client.iter_auditors()}
    named = [(node.name, found[node.address]) for node in net.manifest.nodes if node.address in found]
    return [Standing(name, one.right, one.wrong, one.missed, one.fees_ugrad, one.excluded_until_height > height)
            for name, one in named]


def prove_balance(net: Localnet, address: str, place: Place) -> ProvedBalance:
    """The balance at its place, as the stock light client proves it, trusting block 1 of node 0."""
    nodes = net.manifest.nodes
    engine = net.engine
    if engine is None:
        raise ValueError("the network has not been started by this process")
    witnesses = [node.rpc for node in nodes[1:]] or [nodes[0].rpc]
    with LightProxy(engine, net.manifest.chain_id, nodes[0].rpc, witnesses, trust_root(net.rpcs[0])) as proxy:
        verified = proxy.abci_query(place.path, place.key)
    return ProvedBalance(address, int(verified.value), verified.height, f"cometbft light {engine.version}")


def find_problems(report: Report, miners: Sequence[Participant], rounds: int, accuracy_min_ppm: int,
                  balance_ugrad: int) -> list[str]:
    """What a run must show and does not; empty when it shows all."""
    trained = report.accuracy_ppm_per_round if report.text is None else report.text.micronats_per_round
    problems = [f"{len(trained)} of {rounds} rounds were trained"] if len(trained) < rounds else []
    if report.text is not None:
        problems += _find_text_problems(report.text)
    else:
        final, floor = trained[-1] if trained else 0, max(accuracy_min_ppm, report.baseline_ppm + 1)
        problems += [f"the accuracy is {percent_text(final)}; at least {percent_text(accuracy_min_ppm)} was asked for, "
                     f"and more than the {percent_text(report.baseline_ppm)} of naming the commonest class"
                     ] if final < floor else []
    reasons: dict[str, list[str]] = {}
    for slash in report.slashed:
        reasons.setdefault(slash.address, []).append(slash.reason)
    for miner in miners:
        found = reasons.get(miner.address, [])
        if miner.behaviour == "honest" and found:
            problems.append(f"{miner.name} was honest and was slashed")
        if miner.behaviour != "honest" and REASONS[miner.behaviour] not in found:
            problems.append(f"{miner.name} cheated ({miner.behaviour}) and was not slashed for it")
        if miner.behaviour == "honest" and not report.earned_ugrad.get(miner.address):
            problems.append(f"{miner.name} was honest and earned nothing")
    if not any(one.right for one in report.auditors):
        problems.append("no auditor has answered rightly: all claims were accepted without a look")
    problems += [f"the auditor of {one.node} was honest and has answered wrongly"
                 for one in report.auditors if one.wrong]
    problems += [f"{node['name']} is at height {node['height']} and has not caught up with {node['compared_height']}"
                 for node in report.nodes if not node["app_hash"]]
    if len({node["app_hash"] for node in report.nodes if node["app_hash"]}) > 1:
        problems.append("the nodes do not agree on the app hash")
    if report.proved_balance.ugrad != balance_ugrad:
        problems.append(f"the proved balance is {report.proved_balance.ugrad} ugrad, the queried one {balance_ugrad}")
    return problems + find_serving_problems(report.served)


def _find_text_problems(text: TextFigures) -> list[str]:
    """A language model must do better than counting three characters at a time."""
    final = text.micronats_per_round[-1] if text.micronats_per_round else text.initial_micronats
    trigram = text.ngram_micronats[TRIGRAM - 1]
    if final < trigram:
        return []
    return [f"a character costs {millionths_text(final)} nats, a trigram model's {millionths_text(trigram)}"]


def read_nodes(net: Localnet) -> list[dict[str, Any]]:
    """Every node's own height, and its app hash at the height that the most advanced of them has now.

    A node that does not get there in time has none; then it has not caught up.
    """
    height = max(rpc.status().height for rpc in net.rpcs)
    with suppress(TimedOut):
        wait_height(net.rpcs, height, CATCH_UP_SECONDS)
    nodes = []
    for node, rpc in zip(net.manifest.nodes, net.rpcs, strict=True):
        try:
            own, app_hash = rpc.status().height, rpc.header(height).app_hash.hex()
        except ClientError:
            own, app_hash = find_height(rpc) or 0, ""
        nodes.append({"name": node.name, "height": own, "compared_height": height, "app_hash": app_hash})
    return nodes


def read_versions(net: Localnet, numerics: str) -> dict[str, str]:
    """Of everything that had a part in the figures: the engine's as a node names it, the numerics of the contract."""
    names = ("gradus", "numpy", "numba", "protobuf", "rocksdict")
    return {name: metadata.version(name) for name in names} | {
        "cometbft": net.rpcs[0].status().version, "python": platform.python_version(), "numerics": numerics}


def _print_text(text: TextFigures, console: Console) -> None:
    """Losses beside those of counting, and what the model writes."""
    def say(line: str) -> None:
        console.print(line, soft_wrap=True, highlight=False, markup=False)

    losses = [text.initial_micronats, *text.micronats_per_round]
    say("\nNats a character of the held-out text, from the weights on the chain")
    shown = range(0, len(losses), max(1, len(losses) // SHOWN_ROUNDS))
    for number in sorted({*shown, len(losses) - 1}):
        say(f"  after round {number:>4}  {millionths_text(losses[number])}")
    for order, micronats in enumerate(text.ngram_micronats, start=1):
        say(f"  {order}-gram model   {millionths_text(micronats)}")
    say(f"\nWhat it writes behind {text.prompt!r}")
    say(text.sample)


def print_report(report: Report, miners: Sequence[Participant], console: Console) -> None:
    """The summary that a person reads; lines are never cut, so that addresses and hashes can be copied."""
    def say(text: str) -> None:
        console.print(text, soft_wrap=True, highlight=False)

    if report.text is not None:
        _print_text(report.text, console)
    else:
        say("\n[bold]Accuracy on held-out rows, from the weights on the chain[/]")
        for number, ppm in enumerate([report.initial_accuracy_ppm, *report.accuracy_ppm_per_round]):
            say(f"{number:>5}  {percent_text(ppm):>8}  {bar(ppm)}")
    say("\n[bold]Miners, from the chain[/]")
    slashes = {slash.address: slash for slash in report.slashed}
    for miner in miners:
        slash = slashes.get(miner.address)
        fate = f"  [red]slashed {grad(slash.amount_ugrad)} in round {slash.round}: {slash.reason}[/]" if slash else ""
        earned = grad(report.earned_ugrad.get(miner.address, 0))
        say(f"{miner.address}  {miner.behaviour:<10}  earned {earned:>11}{fate}")
    say("\n[bold]Auditors, from the chain[/]")
    for one in report.auditors:
        excluded = "  [red]excluded[/]" if one.is_excluded else ""
        say(f"{one.node:<8}  right {one.right:>5}  wrong {one.wrong}  missed {one.missed}  "
            f"earned {grad(one.fees_ugrad):>11}{excluded}")
    print_served(report.served, say)
    say(f"\n{count_of(len(report.nodes), 'node')}, app hash after block {report.nodes[0]['compared_height'] - 1}: "
        + " ".join(sorted({node["app_hash"] or "missing" for node in report.nodes})))
    proved = report.proved_balance
    say(f"{proved.address} has {grad(proved.ugrad)} at height {proved.height}: proved by {proved.verifier}")
    say(f"first block after {report.seconds_to_first_block:.1f} s, {report.seconds_per_round:.2f} s a round, "
        f"{report.seconds:.1f} s after the set-up")
    for problem in report.problems:
        say(f"[red]not as it should be: {problem}[/]")
