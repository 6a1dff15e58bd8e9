"""Simulate the whole chain: python -m tests.sim --seeds 4 --blocks 500 --jobs 2 --report FILE, or --compare."""

import json
import sys
import tempfile
from pathlib import Path

import click

from tests.interruptible import Command
from tests.sim.compare import BACKENDS, compare_seed
from tests.sim.report import append_report, iter_reports, load_reports, sum_up
from tests.sim.world import SimulationFailed, World

EPILOG = """\b
Examples:
  python -m tests.sim --seed 7 --blocks 500
  python -m tests.sim --seeds 200 --blocks 500 --jobs 2 --report sim.jsonl
  python -m tests.sim --compare --seeds 3 --blocks 300"""


@click.command(cls=Command, epilog=EPILOG)
@click.option("--seed", default=1, show_default=True, help="Decides everything that happens.")
@click.option("--seeds", default=1, show_default=True, type=click.IntRange(1), help="How many, from --seed on.")
@click.option("--blocks", default=300, show_default=True, type=click.IntRange(1), help="Blocks of each simulation.")
@click.option("--jobs", default=1, show_default=True, type=click.IntRange(1, 64), help="Processes.")
@click.option("--report", type=click.Path(path_type=Path, dir_okay=False),
              help="Append a line of JSON for each seed; seeds that stand there are not run again.")
@click.option("--compare", is_flag=True, help="Run each seed in processes with other hash seeds and back ends, and "
              "compare the app hashes of all heights.")
@click.option("--backends", default=",".join(BACKENDS), show_default=True,
              help="Of --compare: ref, cpu, gpu; gpu runs in Triton's interpreter where there is no device.")
@click.option("--hashes", is_flag=True, help="Print the app hash after every block, and nothing else.")
def main(seed: int, seeds: int, blocks: int, jobs: int, report: Path | None, compare: bool, backends: str,
         hashes: bool) -> None:
    """Simulate the whole chain, with invariants after every block.

    Prints a line for each seed and totals as JSON. A failure prints its seed and height, and how to see it again; the
    other seeds still run, and the exit status is 1.
    """
    chosen = list(range(seed, seed + seeds))
    if hashes:
        _print_hashes(chosen, blocks)
    elif compare:
        for one in chosen:
            click.echo(compare_seed(one, blocks, tuple(backends.split(","))))
    else:
        _run(chosen, blocks, jobs, report)


def _run(seeds: list[int], blocks: int, jobs: int, path: Path | None) -> None:
    """Run what the file does not have yet; totals are over all that were asked for."""
    done = {} if path is None else load_reports(path, blocks)
    done = {seed: done[seed] for seed in seeds if seed in done}
    if done:
        click.echo(f"{len(done)} of {len(seeds)} seeds stand in {path}", err=True)
    for report in iter_reports([seed for seed in seeds if seed not in done], blocks, jobs):
        done[report.seed] = report
        if path is not None:
            append_report(path, report)
        click.echo(report.failure or report.line(), err=True)
    totals = sum_up([done[seed] for seed in sorted(done)])
    click.echo(json.dumps(totals, indent=1))
    if totals["failures"]:
        sys.exit(1)


def _print_hashes(seeds: list[int], blocks: int) -> None:
    for seed in seeds:
        with tempfile.TemporaryDirectory(prefix="gradus-sim-") as folder:
            world = World(Path(folder) / "chain", seed)
            try:
                for _ in range(blocks):
                    click.echo(world.run(1)[0].hex())
            except SimulationFailed as error:
                click.echo(error, err=True)
                sys.exit(1)
            finally:
                world.close()


if __name__ == "__main__":
    main()
