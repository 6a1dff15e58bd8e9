"""Simulations by seeds, in several processes: a line for each seed as it ends, totals of all, kept in a file.

The file has one JSON object a line, written when its seed is done; so a run that was stopped goes on with the seeds
that are missing.
"""

import json
import os
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass, field
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from tests.sim.people import TRUSTWORTHY
from tests.sim.world import SimulationFailed, World


@dataclass(frozen=True)
class SeedReport:
    """What became of a seed. height: the last block. seen: how often each event, verdict, slash and end was.

    failure: what was not true, and the command that shows it again; empty where all was.
    """

    seed: int
    blocks: int
    height: int
    app_hash: str
    cpu_s: float
    seen: dict[str, int] = field(default_factory=dict)
    failure: str = ""

    def line(self) -> str:
        """For people."""
        seen = Counter(self.seen)
        return (f"seed {self.seed}: {self.height} blocks, {seen['work.round_closed']} rounds, "
                f"{sum(seen[f'verdict {one}'] for one in ('match', 'mismatch', 'expired'))} audits, "
                f"{seen['work.trainer_slashed']} slashes, {seen['disputes.dispute_ended']} disputes, "
                f"{self.height / max(self.cpu_s, 0.001):.0f} blocks a CPU second")


def run_seed(seed: int, blocks: int) -> SeedReport:
    """Simulate a seed in this process."""
    began = time.process_time()
    with tempfile.TemporaryDirectory(prefix="gradus-sim-") as folder:
        world, failure = World(Path(folder) / "chain", seed), ""
        try:
            world.run(blocks)
        except SimulationFailed as error:
            failure = str(error)
        finally:
            world.close()
        return SeedReport(seed, blocks, world.chain.height, world.chain.app_hash.hex(),
                          round(time.process_time() - began, 2), world.events_seen(), failure)


def iter_reports(seeds: list[int], blocks: int, jobs: int) -> Iterator[SeedReport]:
    """The seeds in `jobs` processes, each reported as it ends."""
    if jobs == 1:
        for seed in seeds:
            yield run_seed(seed, blocks)
        return
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        running = [pool.submit(run_seed, seed, blocks) for seed in seeds]
        try:
            for done in as_completed(running):
                yield done.result()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def load_reports(path: Path, blocks: int) -> dict[int, SeedReport]:
    """The seeds of so many blocks that a file says have passed. A line that was cut off counts for nothing."""
    found = {}
    for line in path.read_text().splitlines() if path.exists() else ():
        try:
            report = SeedReport(**json.loads(line))
        except ValueError:
            continue
        if report.blocks == blocks and not report.failure:
            found[report.seed] = report
    return found


def append_report(path: Path, report: SeedReport) -> None:
    """Add a line, on the disk before this returns."""
    with path.open("a") as file:
        file.write(json.dumps(asdict(report), sort_keys=True) + "\n")
        file.flush()
        os.fsync(file.fileno())


def sum_up(reports: list[SeedReport]) -> dict[str, Any]:
    """Totals over seeds. honest_slashes and honest_exclusions are what must be 0; a run with one has failed anyway."""
    seen: Counter[str] = Counter()
    for report in reports:
        seen.update(report.seen)
    return {
        "seeds": len(reports), "blocks": sum(report.height for report in reports), "failures": sum(
            1 for report in reports if report.failure),
        "rounds_closed": seen["work.round_closed"], "units_accepted": seen["work.unit_accepted"],
        "verdicts": {name: seen[name] for name in sorted(seen) if name.startswith(("verdict ", "late verdict "))},
        "disputes": {name: seen[name] for name in sorted(seen) if name.startswith("dispute of ")},
        "slashes": {name: seen[name] for name in sorted(seen) if " slashed for " in name},
        "exclusions": {name: seen[name] for name in sorted(seen) if " auditor excluded for " in name},
        "honest_slashes": sum(seen[name] for name in seen
                              if " slashed for " in name and name.split()[0] in TRUSTWORTHY),
        "honest_exclusions": sum(seen[name] for name in seen if name.startswith("honest auditor excluded")),
        "wrong_units_paid": sum(seen[name] for name in seen if name.startswith("paid wrong ")),
        "right_units_paid": sum(seen[name] for name in seen if name.startswith("paid right ")),
        "cpu_s": round(sum(report.cpu_s for report in reports), 1),
        "events": {name: seen[name] for name in sorted(seen) if "." in name and " " not in name},
    }
