"""Markdown tables of kept runs."""

import statistics

from tests.bench.training import digits
from tests.bench.training.records import Json, format_table

Key = tuple[str, ...]
PLACE = ("text", "size", "optimiser", "rate", "steps", "batch_rows", "positions", "tied", "seed")


def format_digits(runs: list[Json]) -> str:
    """A row for each optimiser and arithmetic."""
    groups: dict[Key, list[Json]] = {}
    for run in runs:
        settings = run["settings"]
        groups.setdefault((settings["optimiser"], settings["arithmetic"]), []).append(run)
    rows = [(*key, str(len(group)), *digits.summarise(group)) for key, group in groups.items()]
    return format_table(("optimiser", "arithmetic", "seeds", "test accuracy", "range", "training accuracy"), rows)


def format_characters(runs: list[Json]) -> str:
    """A row a run, with its gap to the float32 run of the same settings."""
    twins = {place(run): run for run in runs if run["settings"]["arithmetic"] == "float32"}
    rows = []
    for run in sorted(runs, key=lambda run: (run["figures"]["params"], place(run))):
        settings, figures = run["settings"], run["figures"]
        twin = twins.get(place(run))
        model = " ".join([settings["size"], *(["rotary"] if settings["positions"] == "rotary" else []),
                          *(["tied"] if settings["tied"] else [])])
        rows.append((
            model, f"{figures['params']:,}", f"{settings['optimiser']} {settings['rate']}", str(settings["steps"]),
            str(settings["seed"]), settings["arithmetic"], f"{figures['loss']:.4f}", format_gap(figures, twin),
            " ".join(f"{loss:.3f}" for _, loss in figures["curve"]), f"{figures['cpu_s']:.0f}",
        ))
    return format_table(("model", "parameters", "optimiser", "steps", "seed", "arithmetic", "loss", "gap", "curve",
                         "CPU s"), rows)


def format_rounds(runs: list[Json]) -> str:
    """A row for each task, length of a round and codec: means over the seeds."""
    groups: dict[Key, list[Json]] = {}
    for run in runs:
        settings = run["settings"]
        groups.setdefault((settings["task"], str(settings["local_steps"]), settings["codec"]), []).append(run)
    rows = []
    for key, group in groups.items():
        figures = [run["figures"] for run in group]
        if key[0] == "digits":
            curves = [entry["curve"] for entry in figures]
            cells = [" ".join(str(find_first(curve, least)) for curve in curves) for least in (0.95, 0.97)]
            cells += [f"{statistics.mean(curve[at - 1] for curve in curves):.4f}" for at in (10, 30)]
            rows.append((*key, str(len(group)), *cells, "", ""))
        else:
            losses = [entry["loss"] for entry in figures]
            rows.append((*key, str(len(group)), "", "", "", "", " ".join(f"{loss:.4f}" for loss in losses),
                         f"{figures[0]['bytes']:,}"))
    return format_table(("task", "local steps", "codec", "seeds", "first round at 95 %", "at 97 %", "round 10",
                         "round 30", "loss", "bytes of a unit"), rows)


def find_first(curve: list[float], least: float) -> str:
    """The first round with at least this accuracy, or a dash."""
    return next((str(number) for number, share in enumerate(curve, 1) if share >= least), "-")


def place(run: Json) -> Key:
    """What a run shares with its twin."""
    return tuple(str(run["settings"][name]) for name in PLACE)


def format_gap(figures: Json, twin: Json | None) -> str:
    """How much higher the loss is than the twin's."""
    if twin is None or figures is twin["figures"]:
        return ""
    return f"{(figures['loss'] / twin['figures']['loss'] - 1) * 100:+.2f} %"
