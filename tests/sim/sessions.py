"""Simulate sessions: python -m tests.sim.sessions --sessions 10000 --seed 7."""

import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import click

from abci_app.wire.pb.gradus.inference.v1.inference_pb2 import Host
from tests.chain import CHAIN_ID
from tests.interruptible import Command
from tests.sim.inference.hosts import TRUSTWORTHY
from tests.sim.inference.parties import Parties
from tests.sim.inference.session_checks import SessionChecks
from tests.sim.inference.telling import tell
from tests.sim.inference.town import Town, TownFailed
from tests.sim.inference.users import ASKING

ROOT = Path(__file__).parents[2]
RESULT = ROOT / "tests/bench/results/simulated-sessions.json"
WARM_BLOCKS = 12
TAIL_BLOCKS_MAX = 400


@dataclass(frozen=True)
class Report:
    """What has become of all sessions. Bytes of state are of keys and values; of blocks, of transactions."""

    seed: int
    sessions: int
    blocks: int
    kept_blocks: int
    per_block: int
    paid: int
    empty: int
    wrong: int
    withheld: int
    honest_slashed: int
    answers_given: int
    answers_paid_right: int
    answers_paid_wrong_not_drawn: int
    answers_of_honest_hosts: int
    answers_lost_by_honest_hosts: int
    block_bytes_per_session: float
    block_bytes_per_paid_answer: float
    injected_bytes: int
    state_bytes_before: int
    state_bytes_of_10000_kept: int
    state_bytes_left: int
    burnt_ugrad: int
    cpu_s: float
    seen: dict[str, int]


class SessionTown(Town):
    """A town whose users open sessions."""

    def __init__(self, folder: Path, seed: int, kept_blocks: int, per_block: int, invariants_every: int = 1) -> None:
        super().__init__(folder, seed, kept_blocks, invariants_every)
        self.per_block, self.kept_blocks, self.tx_bytes = per_block, kept_blocks, 0
        self.parties = Parties(self.hosts, (*ASKING, "host1"), self.dice, CHAIN_ID)
        self.checks = SessionChecks(self.parties)

    @property
    def opened(self) -> int:
        """Sessions opened so far."""
        return self.checks.seen["sessions.session_opened"]

    def talk(self, count: int) -> None:
        """One block, with so many sessions more at most."""
        ctx = self.chain.ctx()
        self._height = self.chain.height
        before, models = self.chain.ctx(self.chain.height + 1), list(self.chain.app.models.iter_models(ctx))
        sessions = self.parties.look(ctx)
        intents = [*self.parties.iter_intents(ctx, sessions, models, count, is_alone=True),
                   *self.hosts.iter_intents(ctx, [], models)]
        events = self.step(intents)
        self.tx_bytes += sum(size for intent, _, size in self.results if "Host" not in intent.message.DESCRIPTOR.name)
        for event in events:
            if event.type == "inference.host_slashed":
                self._check_slashed(dict(event.attributes)["host"])
        self.checks.check_block(before, self.chain.ctx(), sessions, events)

    def _check_slashed(self, host: str) -> None:
        kind = self.behaviours[self.names[host]]
        self.checks.seen[f"{kind} slashed"] += 1
        assert kind not in TRUSTWORTHY, f"an honest host was slashed: {host}"

    def measure_kept(self) -> float:
        """Bytes of state for each session that is kept, of this room."""
        kept = sum(1 for _ in self.chain.app.sessions.iter_sessions(self.chain.ctx()))
        return self.measure_state()["sessions"] / max(1, kept)

    def list_busy(self) -> list[Host]:
        """Hosts that have something open."""
        return [host for host in self.chain.app.inference.iter_hosts(self.chain.ctx()) if host.open_count]


def simulate(folder: Path, seed: int, sessions: int, kept_blocks: int, per_block: int,
             invariants_every: int = 1) -> Report:
    """Open so many sessions, wait until all are over and forgotten. Raises TownFailed."""
    began_s = time.process_time()
    town = SessionTown(folder, seed, kept_blocks, per_block, invariants_every)
    try:
        for _ in range(WARM_BLOCKS):
            town.talk(0)
        state_before = town.measure_state().total()
        while town.opened < sessions:
            town.talk(min(per_block, sessions - town.opened))
        kept_bytes, tail = town.measure_kept(), 0
        while any(True for _ in town.chain.app.sessions.iter_sessions(town.chain.ctx())):
            town.talk(0)
            tail += 1
            assert tail < TAIL_BLOCKS_MAX + kept_blocks, "sessions are open or kept for ever"
        assert town.list_busy() == [], "stakes are left of sessions that are over"
        return _report(town, state_before, kept_bytes, time.process_time() - began_s)
    except Exception as error:
        again = f"python -m tests.sim.sessions --seed {seed} --sessions {sessions} --kept-blocks {kept_blocks} " \
                f"--per-block {per_block}"
        raise TownFailed(again, town.chain.height, error) from error
    finally:
        town.close()


def _report(town: SessionTown, state_before: int, kept_bytes: float, cpu_s: float) -> Report:
    seen = town.checks.seen
    paid_answers = seen["answers paid right"] + seen["answers paid wrong, not drawn"]
    return Report(
        town.seed, town.opened, town.chain.height, town.kept_blocks, town.per_block, paid=seen["outcome paid"],
        empty=seen["outcome empty"], wrong=seen["outcome wrong"], withheld=seen["outcome withheld"],
        honest_slashed=sum(seen[f"{kind} slashed"] for kind in TRUSTWORTHY), answers_given=seen["answers given"],
        answers_paid_right=seen["answers paid right"],
        answers_paid_wrong_not_drawn=seen["answers paid wrong, not drawn"],
        answers_of_honest_hosts=seen["answers of honest hosts"],
        answers_lost_by_honest_hosts=seen["answers lost by honest hosts"],
        block_bytes_per_session=round(town.tx_bytes / town.opened, 1),
        block_bytes_per_paid_answer=round(town.tx_bytes / max(1, paid_answers), 1),
        injected_bytes=town.sent_bytes["injected"], state_bytes_before=state_before,
        state_bytes_of_10000_kept=round(10_000 * kept_bytes), state_bytes_left=town.measure_state().total(),
        burnt_ugrad=town.coins.burnt, cpu_s=round(cpu_s, 1), seen={name: seen[name] for name in sorted(seen)})


@click.command(cls=Command)
@click.option("--sessions", default=10_000, show_default=True, type=click.IntRange(1), help="How many are opened.")
@click.option("--seed", default=7, show_default=True, help="Decides everything that happens.")
@click.option("--kept-blocks", default=20, show_default=True, type=click.IntRange(1), help="Of sessions that are over.")
@click.option("--per-block", default=40, show_default=True, type=click.IntRange(1), help="New sessions in a block.")
@click.option("--invariants-every", default=1, show_default=True, type=click.IntRange(1), help="In blocks.")
@click.option("--seen", is_flag=True, help="Print how often what has happened.")
@click.option("--save", is_flag=True, help=f"Write {RESULT.relative_to(ROOT)}.")
def main(sessions: int, seed: int, kept_blocks: int, per_block: int, invariants_every: int, seen: bool,
         save: bool) -> None:
    """Simulate sessions: every coin, every verdict and all invariants are checked after every block."""
    with tempfile.TemporaryDirectory(prefix="gradus-sim-") as folder:
        report = simulate(Path(folder) / "chain", seed, sessions, kept_blocks, per_block, invariants_every)
    tell(report, seen, RESULT if save else None)


if __name__ == "__main__":
    main()
