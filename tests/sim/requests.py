"""Simulate the market of requests: python -m tests.sim.requests --requests 10000 --seed 1."""

import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
from google.protobuf.message import Message

from abci_app.wire.pb.gradus.inference.v1.inference_pb2 import SEAT_STATUS_PAID, Request
from abci_app.wire.pb.gradus.inference.v1.tx_pb2 import MsgCommitAnswer, MsgRequestInference, MsgRevealAnswer
from tests.chain import address_of
from tests.interruptible import Command
from tests.sim.inference.checks import RequestChecks
from tests.sim.inference.hosts import TRUSTWORTHY
from tests.sim.inference.telling import tell
from tests.sim.inference.town import Town, TownFailed
from tests.sim.inference.users import ASKING, Users

ROOT = Path(__file__).parents[2]
RESULT = ROOT / "tests/bench/results/simulated-requests.json"
WARM_BLOCKS = 12
TAIL_BLOCKS_MAX = 400


@dataclass(frozen=True)
class Report:
    """What has become of all requests. Bytes of state are of keys and values; of blocks, of transactions.

    There is none of a run in which a right answer was judged and not paid, or a wrong one judged and paid: it fails.
    """

    seed: int
    requests: int
    blocks: int
    kept_blocks: int
    per_block: int
    answered: int
    answered_right: int
    answered_wrong_unaudited: int
    failed: int
    audited: int
    slashed_wrong: int
    slashed_withheld: int
    honest_slashed: int
    right_unpaid_undecided: int
    block_bytes_per_request: dict[str, float]
    injected_bytes: int
    state_bytes_before: int
    state_bytes_of_10000_kept: int
    state_bytes_left: int
    burnt_ugrad: int
    cpu_s: float
    seen: dict[str, int]


class RequestTown(Town):
    """A town whose users make requests."""

    def __init__(self, folder: Path, seed: int, kept_blocks: int, per_block: int, invariants_every: int = 1) -> None:
        super().__init__(folder, seed, kept_blocks, invariants_every)
        self.per_block, self.kept_blocks = per_block, kept_blocks
        hosts = tuple(name for name in self.behaviours if name != "host0")[:3]
        self.users = Users(self.answers, (*ASKING, *hosts), self.dice)
        self.checks = RequestChecks(
            self.answers, {address_of(name): self.behaviours[name] for name in self.behaviours}, self.hosts.trustworthy)
        self.message_bytes: Counter[int] = Counter()
        self.ended_bytes: dict[int, list[int]] = {}

    @property
    def opened(self) -> int:
        """Requests made so far."""
        return self.checks.seen["inference.request_opened"]

    def ask(self, count: int) -> list[Request]:
        """One block, with so many requests more; those that were open before it."""
        ctx = self.chain.ctx()
        self._height = self.chain.height
        before = self.chain.ctx(self.chain.height + 1)
        models = list(self.chain.app.models.iter_models(ctx))
        requests = self.checks.look(ctx)
        intents = [*self.users.iter_intents(ctx, models, count), *self.hosts.iter_intents(ctx, requests, models)]
        events = self.step(intents)
        self._weigh()
        self.checks.check_block(before, self.chain.ctx(), requests, events)
        for event in events:
            if event.type in ("inference.request_answered", "inference.request_failed"):
                self._weigh_ended(int(dict(event.attributes)["request_id"]))
        return requests

    def _weigh(self) -> None:
        """Bytes of the messages of each request."""
        for intent, result, size in self.results:
            if result.code == 0:
                request_id = _find_request_id(intent.message, result.events)
                self.message_bytes[request_id] += size

    def _weigh_ended(self, request_id: int) -> None:
        """Of those that took their plain way: every host was paid."""
        self.hosts.forget(request_id)
        record = self.chain.app.inference.get_request(self.chain.ctx(), request_id)
        size = self.message_bytes.pop(request_id)
        if record.seats and all(seat.status == SEAT_STATUS_PAID for seat in record.seats):
            self.ended_bytes.setdefault(len(record.seats), []).append(size)

    def measure_kept(self) -> float:
        """Bytes of state for each request that is kept, of this room."""
        kept = sum(1 for _ in self.chain.app.inference.iter_requests(self.chain.ctx()))
        hosts = sum(len(one.SerializeToString()) + 29 for one in self.chain.app.inference.iter_hosts(self.chain.ctx()))
        return (self.measure_state()["inference"] - hosts) / max(1, kept)


def _find_request_id(message: Message, events: Any) -> int:
    if isinstance(message, (MsgCommitAnswer, MsgRevealAnswer)):
        return message.request_id
    if isinstance(message, MsgRequestInference):
        return next(int(dict(event.attributes)["request_id"]) for event in events
                    if event.type == "inference.request_opened")
    return 0


def simulate(folder: Path, seed: int, requests: int, kept_blocks: int, per_block: int,
             invariants_every: int = 1) -> Report:
    """Make so many requests, wait until all are over and forgotten. Raises TownFailed."""
    began_s = time.process_time()
    town = RequestTown(folder, seed, kept_blocks, per_block, invariants_every)
    try:
        for _ in range(WARM_BLOCKS):
            town.ask(0)
        state_before = town.measure_state().total()
        while town.opened < requests:
            town.ask(min(per_block, requests - town.opened))
        kept_bytes, tail = town.measure_kept(), 0
        while town.chain.app.inference.archive(town.chain.ctx()).count < town.opened:
            town.ask(0)
            tail += 1
            assert tail < TAIL_BLOCKS_MAX + kept_blocks, "requests are open or kept for ever"
        town.checks.check_archive(town.chain.ctx())
        return _report(town, state_before, kept_bytes, time.process_time() - began_s)
    except Exception as error:
        again = f"python -m tests.sim.requests --seed {seed} --requests {requests} --kept-blocks {kept_blocks} " \
                f"--per-block {per_block}"
        raise TownFailed(again, town.chain.height, error) from error
    finally:
        town.close()


def _report(town: RequestTown, state_before: int, kept_bytes: float, cpu_s: float) -> Report:
    seen = town.checks.seen
    sizes = {str(replicas): round(sum(found) / len(found), 1) for replicas, found in sorted(town.ended_bytes.items())}
    return Report(
        town.seed, town.opened, town.chain.height, town.kept_blocks, town.per_block,
        answered=seen["inference.request_answered"], answered_right=seen["answered right"],
        answered_wrong_unaudited=seen["answered wrong"], failed=seen["inference.request_failed"],
        audited=seen["audited by lot"] + seen["audited for differing answers"],
        slashed_wrong=_sum_slashes(seen, "wrong"), slashed_withheld=_sum_slashes(seen, "withheld"),
        honest_slashed=sum(seen[f"{one} slashed for {why}"] for one in TRUSTWORTHY for why in ("wrong", "withheld")),
        right_unpaid_undecided=seen["seats unpaid, right"],
        block_bytes_per_request=sizes, injected_bytes=town.sent_bytes["injected"], state_bytes_before=state_before,
        state_bytes_of_10000_kept=round(10_000 * kept_bytes), state_bytes_left=town.measure_state().total(),
        burnt_ugrad=town.coins.burnt, cpu_s=round(cpu_s, 1), seen={name: seen[name] for name in sorted(seen)})


def _sum_slashes(seen: Counter[str], reason: str) -> int:
    return sum(seen[name] for name in seen if name.endswith(f" slashed for {reason}"))


@click.command(cls=Command)
@click.option("--requests", default=10_000, show_default=True, type=click.IntRange(1), help="How many are made.")
@click.option("--seed", default=1, show_default=True, help="Decides everything that happens.")
@click.option("--kept-blocks", default=20, show_default=True, type=click.IntRange(1), help="Of requests that are over.")
@click.option("--per-block", default=40, show_default=True, type=click.IntRange(1), help="Requests in a block.")
@click.option("--invariants-every", default=1, show_default=True, type=click.IntRange(1), help="In blocks.")
@click.option("--seen", is_flag=True, help="Print how often what has happened.")
@click.option("--save", is_flag=True, help=f"Write {RESULT.relative_to(ROOT)}.")
def main(requests: int, seed: int, kept_blocks: int, per_block: int, invariants_every: int, seen: bool,
         save: bool) -> None:
    """Simulate the market of requests: every coin, every verdict and all invariants are checked after every block."""
    with tempfile.TemporaryDirectory(prefix="gradus-sim-") as folder:
        report = simulate(Path(folder) / "chain", seed, requests, kept_blocks, per_block, invariants_every)
    tell(report, seen, RESULT if save else None)


if __name__ == "__main__":
    main()
