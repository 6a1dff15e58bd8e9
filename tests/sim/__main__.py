"""Run simulations: python -m tests.sim --seed 7 --blocks 500 [--seeds 3] [--hashes]."""

import json
import sys
import tempfile
import time
from pathlib import Path

import click

from tests.sim.world import SimulationFailed, World

REPORT_BLOCKS = 50


@click.command()
@click.option("--seed", default=1, show_default=True, help="Decides everything that happens.")
@click.option("--seeds", default=1, show_default=True, help="How many seeds to run, from --seed on.")
@click.option("--blocks", default=300, show_default=True, help="Blocks of each simulation.")
@click.option("--hashes", is_flag=True, help="Print the app hash after every block, and nothing else.")
def main(seed: int, seeds: int, blocks: int, hashes: bool) -> None:
    """Simulate the whole chain, with invariants after every block. A failure prints its seed and height."""
    for chosen in range(seed, seed + seeds):
        with tempfile.TemporaryDirectory(prefix="gradus-sim-") as folder:
            world = World(Path(folder) / "chain", chosen)
            try:
                _run(world, blocks, hashes)
            except SimulationFailed as error:
                click.echo(error, err=True)
                sys.exit(1)
            finally:
                world.close()


def _run(world: World, blocks: int, hashes: bool) -> None:
    started = time.monotonic()
    while world.chain.height < blocks:
        for height_hash in world.run(min(REPORT_BLOCKS, blocks - world.chain.height)):
            if hashes:
                click.echo(height_hash.hex())
        if not hashes:
            seen = world.checks.seen
            click.echo(f"seed {world.seed}: height {world.chain.height} of {blocks}, "
                       f"{seen['work.round_closed']} rounds closed, {seen['work.trainer_slashed']} slashes, "
                       f"{time.monotonic() - started:.1f} s", err=True)
    if not hashes:
        click.echo(json.dumps({"seed": world.seed, "blocks": blocks, "app_hash": world.chain.app_hash.hex(),
                               "seen": world.events_seen()}))


if __name__ == "__main__":
    main()
