"""Markdown tables of kept runs."""

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


def place(run: Json) -> Key:
    """What a run shares with its twin."""
    return tuple(str(run["settings"][name]) for name in PLACE)


def format_gap(figures: Json, twin: Json | None) -> str:
    """How much higher the loss is than the twin's."""
    if twin is None or figures is twin["figures"]:
        return ""
    return f"{(figures['loss'] / twin['figures']['loss'] - 1) * 100:+.2f} %"
