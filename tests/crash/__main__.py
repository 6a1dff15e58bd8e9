"""The crash matrix: hurts a node at every point, starts it again, and compares it with an undisturbed twin.

    python -m tests.crash --points 200 --output report.json
    python -m tests.crash --only power --jobs 1 --keep /tmp/crash

Exit status 0 when nothing was lost, no state diverged, and every refusal came with a fix.
"""

import json
import multiprocessing
import tempfile
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path

import click

from tests.crash.base import new_base
from tests.crash.network import run_network
from tests.crash.points import Point, compute_points
from tests.crash.power import find_tracer
from tests.crash.run import Outcome, as_record, run_point


def run_all(points: list[Point], folder: Path, seed: int, jobs: int) -> list[Outcome]:
    """Run points, telling each as it ends."""
    base = new_base(folder)
    click.echo(f"prepared: a chain of {len(base.past)} stops; {len(points)} points", err=True)
    alone = [point for point in points if point.kind != "network"]
    together = [point for point in points if point.kind == "network"]
    outcomes = []
    with ProcessPoolExecutor(jobs, mp_context=multiprocessing.get_context("spawn")) as pool:
        running = [pool.submit(run_point, point, base, folder / f"point{number}", seed)
                   for number, point in enumerate(alone)]
        for done in as_completed(running):
            outcomes.append(done.result())
            tell(len(outcomes), len(points), outcomes[-1])
    if together:
        for outcome in run_network(together, folder / "network", seed):
            outcomes.append(outcome)
            tell(len(outcomes), len(points), outcome)
    return outcomes


def tell(done: int, total: int, outcome: Outcome) -> None:
    """A line for people."""
    click.echo(f"{done:>4}/{total} {outcome.result:<10} {outcome.seconds:>6.1f} s  {outcome.point}"
               + (f"  {outcome.detail[:2000]}" if not outcome.is_right else ""), err=True)


def new_report(outcomes: list[Outcome], seed: int, seconds: float) -> dict[str, object]:
    """What is told at the end."""
    by_kind: dict[str, Counter[str]] = {}
    for outcome in outcomes:
        by_kind.setdefault(outcome.kind, Counter())[outcome.result] += 1
    totals = Counter(outcome.result for outcome in outcomes)
    return {
        "points": len(outcomes), "lost": totals["lost"], "divergent": totals["divergent"], "stuck": totals["stuck"],
        "misordered": totals["misordered"], "calls": sum(outcome.calls for outcome in outcomes),
        "recovered": totals["recovered"], "refused_with_fix": totals["refused"], "seed": seed,
        "seconds": round(seconds), "by_kind": {kind: dict(counts) for kind, counts in sorted(by_kind.items())},
        "outcomes": [as_record(outcome) for outcome in outcomes],
    }


@click.command()
@click.option("--points", "count", type=click.IntRange(1), help="At most this many; all when not given.")
@click.option("--seed", default=1, show_default=True, help="Decides moments, cuts and flips.")
@click.option("--only", help="Points whose name begins with this, such as power or call:before.")
@click.option("--jobs", type=click.IntRange(1, 16), default=2, show_default=True, help="Nodes at the same time.")
@click.option("--output", type=click.Path(path_type=Path, dir_okay=False), help="Where to write the report as JSON.")
@click.option("--keep", type=click.Path(path_type=Path, file_okay=False), help="Work here, and keep what went wrong.")
def main(count: int | None, seed: int, only: str | None, jobs: int, output: Path | None, keep: Path | None) -> None:
    """Run the matrix."""
    points = [point for point in compute_points(find_tracer() is not None) if str(point).startswith(only or "")][:count]
    started_s = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="crash-") as scratch:
        folder = keep or Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        outcomes = run_all(points, folder, seed, jobs)
    report = new_report(outcomes, seed, time.monotonic() - started_s)
    if output:
        output.write_text(json.dumps(report, indent=2) + "\n")
    click.echo(json.dumps({name: value for name, value in report.items() if name != "outcomes"}, indent=2))
    raise SystemExit(0 if all(outcome.is_right for outcome in outcomes) else 1)


if __name__ == "__main__":
    main()
