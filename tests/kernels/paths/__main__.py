"""`python -m tests.kernels.paths`: how many execution paths of this machine give the committed hashes.

Exit status 1 if a path gives another hash, dies or does not finish. Writes compiled code to --cache alone.
"""

from __future__ import annotations

import json
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path

import click

from kernels import selftest
from tests.interruptible import Command
from tests.kernels.paths.matrix import list_paths
from tests.kernels.paths.runs import EQUAL, FAILURES, Outcome, mark_repeated, run_path

EPILOG = "Example: python -m tests.kernels.paths --only blas --output json"


@click.command(cls=Command, epilog=EPILOG)
@click.option("--only", default="", help="The paths with this text in their names.")
@click.option("--op", "ops", multiple=True, help="Cases of this op (`large` too); may be given several times.")
@click.option("--limit", default=1800, show_default=True, type=click.IntRange(1), help="Seconds for one path.")
@click.option("--cache", type=click.Path(file_okay=False, path_type=Path),
              help="Keep code compiled for other processors here.  [default: a temporary folder]")
@click.option("--output", type=click.Choice(["text", "json"]), default="text", show_default=True)
@click.option("--list", "is_listing", is_flag=True, help="Name the paths and stop.")
def main(only: str, ops: tuple[str, ...], limit: int, cache: Path | None, output: str, is_listing: bool) -> None:
    """Compute the hashes of tests/kernels/golden on every path that this machine can take, each in its own process."""
    chosen = [path for path in list_paths() if only in path.name]
    if not chosen:
        raise click.UsageError(f"no path has {only!r} in its name: see --list")
    known = [*selftest.list_ops(), "large"]
    if unknown := [op for op in ops if op not in known]:
        raise click.UsageError(f"no op {unknown[0]!r} has cases: use one of {', '.join(known)}")
    if is_listing:
        click.echo("\n".join(path.name for path in chosen))
        return
    outcomes: list[Outcome] = []
    with tempfile.TemporaryDirectory(prefix="gradus-paths-") as temporary:
        for number, path in enumerate(chosen, 1):
            if sys.stderr.isatty():
                click.echo(f"\r\x1b[K{number}/{len(chosen)} {path.name}", nl=False, err=True)
            outcomes.append(run_path(path, (cache or Path(temporary)).absolute(), limit, ops))
            if output == "text":
                click.echo("\r\x1b[K" if sys.stderr.isatty() else "", nl=False, err=True)
                click.echo(format_outcome(mark_repeated(outcomes)[-1]))
    outcomes = mark_repeated(outcomes)
    if output == "json":
        click.echo(json.dumps({"paths": [asdict(outcome) for outcome in outcomes], **count(outcomes)}, indent=1))
    else:
        click.echo(format_counts(outcomes))
    sys.exit(1 if any(outcome.state in FAILURES for outcome in outcomes) else 0)


def count(outcomes: list[Outcome]) -> dict[str, int]:
    """How many paths gave the hashes, failed, and could not be taken or repeat another."""
    equal = sum(outcome.state == EQUAL for outcome in outcomes)
    failed = sum(outcome.state in FAILURES for outcome in outcomes)
    return {"equal": equal, "failed": failed, "not_counted": len(outcomes) - equal - failed}


def format_outcome(outcome: Outcome) -> str:
    """A line of the table."""
    counted = f"{outcome.name:<50}{outcome.state:<12}{outcome.equal:>5} cases{outcome.cpu_s:>9.1f} s"
    return f"{counted}  {outcome.told}".rstrip()


def format_counts(outcomes: list[Outcome]) -> str:
    """The last line."""
    told = count(outcomes)
    return (f"{told['equal']} paths gave the committed hashes, {told['failed']} did not; {told['not_counted']} cannot "
            "be taken on this machine or repeat another")


if __name__ == "__main__":
    main()
