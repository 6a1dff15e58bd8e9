"""How rules of aggregation stand attacks: byzfl's in float32 and ours over payloads, on digits.

    python -m tests.bench.aggregation.robustness                 # all cells that are not kept yet, tables, gates
    python -m tests.bench.aggregation.robustness --quick         # a small part of it, anew, nothing kept
    python -m tests.bench.aggregation.robustness --table         # of the kept cells alone

15 honest workers and 4 liars train a perceptron of 2410 parameters for 150 steps (learners.py); the liars know
everything (attacks.py, exponents.py). Ends with status 1 where a gate (gates.py) does not hold. Writes:
results/robustness.json and .svg. Needs the `bench` extra.
"""

import importlib.util
import os
import statistics
import sys
from pathlib import Path

import click
import numpy as np
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

os.environ.setdefault("TRITON_INTERPRET", "1")  # before anything imports triton

from kernels import aggregate, dispatch, payload  # noqa: E402
from tests.bench.aggregation import attacks, exponents, gates, rounds, rules  # noqa: E402
from tests.bench.aggregation.attacks import Attack, Rule  # noqa: E402
from tests.bench.aggregation.learners import PARAMS, Learners  # noqa: E402
from tests.bench.training import records  # noqa: E402
from tests.bench.training.records import Json  # noqa: E402
from tests.interruptible import Command  # noqa: E402

RESULTS = Path(__file__).parent / "results"
NAME = "robustness"
NONE = "none"
ALPHAS = (gates.IID, gates.MIXED)
ADAPTIVE = ("opt alie", "opt ipm", "exp worst")
SMALL_CODECS = payload.CODECS[1:]
SMALL_RULES = ("mean", "trimmed_mean", "median", "multi_krum", "nnm+trimmed_mean")
SMALL_ATTACKS = ("signflip", "ipm5", "alie1.5", "inf", "zero", "exp top", "exp high", "exp low")
QUICK_RULES = ("mean", "trimmed_mean", "multi_krum", "nnm+trimmed_mean")
QUICK_ATTACKS = ("signflip", "ipm5", "inf", "exp high")
Cell = tuple[str, str, float]


def list_attacks() -> dict[str, Attack | None]:
    """All attacks by name, and none."""
    return {NONE: None, **attacks.list_attacks(), **exponents.list_exponent_attacks()}


def list_cells(codecs: tuple[str, ...], alphas: tuple[float, ...]) -> list[tuple[Rule, float]]:
    """What a row of the table is: byzfl's rules, ours, and some of ours with small codecs."""
    found: list[Rule] = []
    for codec in codecs:
        if codec == "float32":
            found += rules.list_float_rules().values()
        else:
            names = aggregate.RULES if codec == gates.DENSE else SMALL_RULES
            found += [rules.IntegerRule(name, codec) for name in names]
    return [(rule, alpha) for alpha in alphas for rule in found]


def is_wanted(rule: Rule, attack: str) -> bool:
    """Attacks on exponents are for payloads; small codecs meet the main attacks alone, few mixtures adaptive ones."""
    if attack in ADAPTIVE and rule.name.startswith(aggregate.MIXING) and rule.name not in SMALL_RULES:
        return False
    if rule.codec == "float32":
        return not attack.startswith("exp")
    return rule.codec == gates.DENSE or attack in (NONE, *SMALL_ATTACKS)


def find_settings(rule: Rule, setting: rounds.Setting) -> Json:
    """What a kept row is known by."""
    return {"rule": rule.name, "codec": rule.codec, "alpha": setting.alpha, "honest": setting.honest,
            "liars": setting.liars, "steps": setting.steps}


def run_row(rule: Rule, setting: rounds.Setting, seeds: int, chosen: tuple[str, ...], kept: Json | None,
            progress: Progress) -> Json:
    """Accuracies by attack; those of `kept` are not made again."""
    known: dict[str, list[float]] = dict(kept["figures"]["accuracy"]) if kept else {}
    available = list_attacks()
    wanted = [name for name in chosen if is_wanted(rule, name) and len(known.get(name, [])) < seeds]
    task = progress.add_task(f"{setting.alpha} {rule.codec} {rule.name}", total=len(wanted) * seeds)
    for name in wanted:
        known[name] = []
        for seed in range(seeds):
            known[name].append(round(rounds.train(rule, available[name], setting, seed), 5))
            progress.advance(task)
    progress.remove_task(task)
    return {"accuracy": {name: known[name] for name in available if name in known}} if wanted else {}


def collect_cells(runs: list[Json], setting: rounds.Setting) -> gates.Cells:
    """Accuracies of kept rows of this size."""
    return {(run["settings"]["rule"], run["settings"]["codec"], run["settings"]["alpha"], attack): shares
            for run in runs if run["settings"]["steps"] == setting.steps
            for attack, shares in run["figures"]["accuracy"].items()}


def sample_rounds(codecs: tuple[str, ...], liars: int) -> dict[tuple[str, str], list[bytes]]:
    """A round's payloads with liars among them, for every rule and codec."""
    vectors = Learners(15, liars, gates.MIXED, 0).step()
    vectors[-1] = -vectors[0] * np.float32(1000)
    sent = {codec: rules.encode(vectors, "sample", 0, codec) for codec in codecs}
    return {(rule, codec): payloads for codec, payloads in sent.items() for rule in aggregate.RULES}


def check_bytes(codecs: tuple[str, ...]) -> list[gates.Gate]:
    """The gates on bytes; the interpreter of Triton where there is Triton and back ends for it."""
    liars, backends = rounds.Setting(gates.IID).liars, ["cpu"]
    if not {"aggregate", "payload"} & set(dispatch.CPU_OPS) and importlib.util.find_spec("triton"):
        backends.append("gpu")
    sampled = sample_rounds(codecs, liars)
    return [gates.check_backends(sampled, PARAMS, liars, backends), gates.check_order(sampled, PARAMS, liars)]


def format_panel(cells: gates.Cells, alpha: float) -> str:
    """Mean accuracies in percent, the least and the largest of each column's rules left to the reader."""
    names = [NONE, *(name for name in list_order() if name != NONE)]
    shown = [name for name in names if any(key[2] == alpha and key[3] == name for key in cells)]
    found = list(dict.fromkeys((key[0], key[1]) for key in cells if key[2] == alpha))
    rows = []
    for rule, codec in found:
        marks = [cells.get((rule, codec, alpha, name)) for name in shown]
        rows.append((rule, codec, *(f"{statistics.mean(mark) * 100:.1f}" if mark else "" for mark in marks)))
    return records.format_table(("rule", "codec", *shown), rows)


def list_order() -> list[str]:
    """Names of the attacks in the order of columns, without byzfl."""
    return [NONE, *gates.STANDARD, "zero", "previous", *ADAPTIVE[:2], "exp top", "exp high", "exp low", "exp mixed",
            ADAPTIVE[2]]


def format_gates(checked: list[gates.Gate]) -> str:
    """A row for each gate."""
    return records.format_table(("gate", "checked", "holds"), [
        (gate.name, str(gate.checked), "yes" if gate.holds else "; ".join(gate.broken) or "not checked")
        for gate in checked])


def draw_map(cells: gates.Cells) -> None:
    """results/robustness.svg."""
    from tests.bench.aggregation import heat

    order, panels = list_order(), []
    for alpha in ALPHAS:
        found = list(dict.fromkeys((key[0], key[1]) for key in cells if key[2] == alpha))
        shares = [[statistics.mean(cells.get((rule, codec, alpha, name)) or [float("nan")]) * 100 for name in order]
                  for rule, codec in found]
        if found:
            panels.append((f"alpha {alpha}", [f"{rule} {codec}" for rule, codec in found], shares))
    heat.draw(panels, order, RESULTS / f"{NAME}.svg")


@click.command(cls=Command, help=__doc__.split("\n", 1)[0] if __doc__ else None)
@click.option("--seeds", default=2, show_default=True)
@click.option("--codec", "codecs", multiple=True, type=click.Choice(["float32", *payload.CODECS]),
              default=("float32", *payload.CODECS), show_default=True)
@click.option("--alpha", "alphas", multiple=True, type=float, default=ALPHAS, show_default=True)
@click.option("--attack", "chosen", multiple=True, type=click.Choice(list_order()), default=tuple(list_order()),
              help="[all]")
@click.option("--rule", "names", multiple=True, type=click.Choice(aggregate.RULES), default=aggregate.RULES,
              help="[all]")
@click.option("--again", is_flag=True, help="Make cells anew that are kept.")
@click.option("--quick", is_flag=True, help="Few rules and attacks, one seed, nothing kept.")
@click.option("--table", "is_table", is_flag=True, help="Tables, gates and the heat map of what is kept.")
def main(seeds: int, codecs: tuple[str, ...], alphas: tuple[float, ...], chosen: tuple[str, ...],
         names: tuple[str, ...], again: bool, quick: bool, is_table: bool) -> None:
    """Run, print, judge."""
    setting = rounds.Setting(gates.IID)
    if quick:
        seeds, codecs, names, chosen = 1, ("float32", gates.DENSE), QUICK_RULES, (NONE, *QUICK_ATTACKS)
    rows = [] if is_table else [row for row in list_cells(codecs, alphas) if row[0].name in names]
    runs = [] if quick else records.load_runs(NAME, RESULTS)
    with Progress("{task.description}", BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(),
                  console=Console(stderr=True), transient=True) as progress:
        for rule, alpha in progress.track(rows, description="rows"):
            runs = make_row(rule, rounds.Setting(alpha), seeds, chosen, again, quick, runs, progress)
    cells = order_cells(collect_cells(runs, setting))
    if not cells:
        raise click.ClickException("no cells are kept: the same command without --table makes them, for some hours")
    for alpha in ALPHAS:
        click.echo(f"\nalpha {alpha}, accuracy in percent:\n\n{format_panel(cells, alpha)}")
    checked = gates.check_cells(cells) + check_bytes(tuple(codec for codec in codecs if codec != "float32"))
    click.echo(f"\n{format_gates(checked)}")
    if not quick:
        draw_map(cells)
    if not all(gate.holds for gate in checked):
        sys.exit(1)


def make_row(rule: Rule, setting: rounds.Setting, seeds: int, chosen: tuple[str, ...], again: bool, quick: bool,
             runs: list[Json], progress: Progress) -> list[Json]:
    """All rows, this one made or completed, and kept unless it is a quick one."""
    settings = find_settings(rule, setting)
    kept = None if again else next((run for run in runs if run["settings"] == settings), None)
    figures = run_row(rule, setting, seeds, chosen, kept, progress)
    if not figures:
        return runs
    if quick:
        return [*runs, {"settings": settings, "figures": figures}]
    records.keep_run(NAME, settings, figures, RESULTS)
    return records.load_runs(NAME, RESULTS)


def order_cells(cells: gates.Cells) -> gates.Cells:
    """By codec, then by rule."""
    codecs = ("float32", *payload.CODECS)
    return dict(sorted(cells.items(), key=lambda item: (codecs.index(item[0][1]), aggregate.RULES.index(item[0][0]))))


if __name__ == "__main__":
    main()
