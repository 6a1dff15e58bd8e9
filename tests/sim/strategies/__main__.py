"""What every strategy earns at the default parameters: python -m tests.sim.strategies --rounds 20 --jobs 2."""

import json
import sys
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import click

from tests.interruptible import Command
from tests.sim.strategies.catalogue import STRATEGIES, Money
from tests.sim.strategies.plot import plot_profits, plot_rates
from tests.sim.strategies.table import fields_of, format_table

FOLDER = Path(__file__).parent
EPILOG = """\b
Examples:
  python -m tests.sim.strategies --rounds 10 --seeds 2
  python -m tests.sim.strategies --only garbage --only "lazy auditor"
  python -m tests.sim.strategies --rounds 40 --seeds 5 --jobs 2 --save"""


@click.command(cls=Command, epilog=EPILOG)
@click.option("--rounds", default=20, show_default=True, type=click.IntRange(2), help="Rounds of each play.")
@click.option("--seeds", default=3, show_default=True, type=click.IntRange(1), help="Plays of each strategy.")
@click.option("--jobs", default=1, show_default=True, type=click.IntRange(1, 64), help="Processes.")
@click.option("--only", multiple=True, type=click.Choice([one.name for one in STRATEGIES]), help="Not all of them.")
@click.option("--output", default="text", show_default=True, type=click.Choice(["text", "json"]), help="Form.")
@click.option("--save", is_flag=True, help="Write results.json, results.md and pictures beside this file.")
def main(rounds: int, seeds: int, jobs: int, only: tuple[str, ...], output: str, save: bool) -> None:
    """Play every strategy among honest trainers and auditors on a real chain, and print what each earns."""
    if save and only:
        raise click.UsageError("--save keeps the whole table: leave out --only")
    names = [one.name for one in STRATEGIES if not only or one.name in only]
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        running = [pool.submit(fields_of, name, rounds, seeds) for name in names]
        rows = []
        for one in running:
            rows.append(one.result())
            click.echo(f"{len(rows)} of {len(names)}: {rows[-1]['strategy']}", err=True)
    click.echo(json.dumps(rows, indent=1) if output == "json" else format_table(rows, rounds, seeds))
    if save:
        (FOLDER / "results.json").write_text(json.dumps({"rounds": rounds, "seeds": seeds, "strategies": rows},
                                                        indent=1) + "\n")
        (FOLDER / "results.md").write_text(format_table(rows, rounds, seeds))
        (FOLDER / "profits.svg").write_text(plot_profits(rows))
        (FOLDER / "rates.svg").write_text(plot_rates(Money(**rows[0]["money"])))
    gainful = [row["strategy"] for row in rows if row["strategy"] not in ("honest", "slow") and not row["limit"]
               and any(one["measured"] - one["interval"] > 0 for one in row["profit"])]
    for name in gainful:
        click.echo(f"pays: {name}", err=True)
    sys.exit(1 if gainful else 0)


if __name__ == "__main__":
    main()
