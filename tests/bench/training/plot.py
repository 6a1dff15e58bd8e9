"""Loss curves of the kept runs on characters: integers beside float32.

    python -m tests.bench.training.plot [FILE.svg]

Reads: results/characters.json. Writes: the file, results/characters.svg if none is named. Needs the `bench` extra.
"""

from pathlib import Path

import click

from tests.bench.drawing import load_matplotlib
from tests.bench.training import records
from tests.bench.training.sizes import ARITHMETICS
from tests.bench.training.tables import PLACE
from tests.interruptible import Command

STYLES = dict(zip(ARITHMETICS, ("k-", "C0--", "C1:", "C2-.", "C3:")))


@click.command(cls=Command, help=__doc__.split("\n", 1)[0] if __doc__ else None)
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path), default=records.RESULTS / "characters.svg")
def main(file: Path) -> None:
    """A panel for each model and recipe."""
    panels: dict[tuple[str, ...], list[records.Json]] = {}
    for run in records.load_runs("characters"):
        shown = [name for name in PLACE if name not in ("text", "seed", "batch_rows")]
        if run["settings"]["seed"] == 0:
            panels.setdefault(tuple(str(run["settings"][name]) for name in shown), []).append(run)
    if not panels:
        raise click.ClickException("no runs are kept: python -m tests.bench.training.quality characters makes some")
    figure, axes = load_matplotlib().subplots(1, len(panels), figsize=(4 * len(panels), 3.4), squeeze=False)
    for axis, (place, runs) in zip(axes[0], panels.items()):
        for run in runs:
            arithmetic = run["settings"]["arithmetic"]
            axis.plot(*zip(*run["figures"]["curve"]), STYLES[arithmetic], label=arithmetic)
        axis.set_title(f"{place[0]}, {runs[0]['figures']['params']:,} parameters, {place[1]}", fontsize=9)
        axis.set_xlabel("step")
        axis.legend(fontsize=8)
    axes[0][0].set_ylabel("nats per held character")
    figure.tight_layout()
    figure.savefig(file)
    click.echo(f"wrote {file}")


if __name__ == "__main__":
    main()
