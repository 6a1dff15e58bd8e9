"""Markdown tables of kept runs: every rule beside the others and the goals; bytes to bytes; what was left out."""

from typing import NamedTuple

from tests.bench.training.records import Json, format_table

NONE = "-"


class Goal(NamedTuple):
    """Least ratios to the best library and to the best of torch and numpy, and least share of the read ceiling."""

    library: float | None = None
    primitive: float | None = None
    share: float | None = None


GOALS = {
    "mean": Goal(2.5), "median": Goal(100, None, 0.6), "trimmed_mean": Goal(100, None, 0.6),
    "krum": Goal(30, 4), "multi_krum": Goal(30, 4), "geometric_median": Goal(30, 4),
    "centered_clip": Goal(15), "clipped_mean": Goal(15), "nnm+trimmed_mean": Goal(), "sign_vote": Goal(),
    "sparse accumulate": Goal(50), "ingest": Goal(), "ingest int4": Goal(), "ingest int2": Goal(),
    "ingest top64": Goal(), "expand": Goal(), "hash": Goal(),
}


def format_all(runs: list[Json]) -> str:
    """All tables, with what they were taken on."""
    if not runs:
        return "nothing was timed"
    ordered = sorted(runs, key=lambda run: (list(GOALS).index(run["settings"]["group"]), run["settings"]["values"],
                                            run["settings"]["workers"]))
    parts = [describe(ordered), format_speed(ordered), format_bytes(ordered), format_others(ordered)]
    return "\n\n".join(part for part in parts if part)


def describe(runs: list[Json]) -> str:
    """The machines and versions, each once."""
    lines = []
    for run in runs:
        machine = run["machine"]
        packages = ", ".join(f"{name} {version}" for name, version in machine["packages"].items())
        line = (f"Gradus {machine['gradus']}, {machine['date']}: {machine['processors']} x {machine['processor']}, "
                f"Python {machine['python']}, {packages}.")
        if line not in lines:
            lines.append(line)
    return "\n".join(lines)


def format_speed(runs: list[Json]) -> str:
    """A row for each group and cell."""
    rows = []
    for run in runs:
        figures, settings = run["figures"], run["settings"]
        library, primitive = (find_best(figures, kind) for kind in ("library", "primitive"))
        rows.append((
            settings["group"], str(settings["workers"]), f"{settings['values']:,}", f"{figures['ours_ms']:.2f}",
            format_peer(library), format_ratio(library, figures["ours_ms"]),
            format_ratio(library, figures.get("whole_ms")), format_peer(primitive),
            format_ratio(primitive, figures["ours_ms"]), f"{figures['ceiling_ms'] / figures['ours_ms']:.2f}",
            format_goal(GOALS[settings["group"]]), judge(settings["group"], figures),
        ))
    return format_table(("rule", "n", "d", "ours ms", "best library", "ratio", "with expand", "best of torch and numpy",
                         "ratio", "of the ceiling", "goal", "met"), rows)


def format_bytes(runs: list[Json]) -> str:
    """From payloads to the bytes of the delta, and where the time goes."""
    ingests = {(run["settings"]["workers"], run["settings"]["values"]): run["figures"]["ours_ms"]
               for run in runs if run["settings"]["group"] == "ingest"}
    rows = []
    for run in runs:
        settings, figures = run["settings"], run["figures"]
        ingest = ingests.get((settings["workers"], settings["values"]))
        if "bytes_ms" not in figures or ingest is None:
            continue
        total = figures["bytes_ms"]
        parts = (ingest, figures["ours_ms"], max(0.0, figures["whole_ms"] - figures["ours_ms"]))
        rows.append((settings["group"], str(settings["workers"]), f"{settings['values']:,}", f"{total:.1f}",
                     f"{settings['workers'] * settings['values'] / total / 1e6:.2f}",
                     *(f"{part / total * 100:.0f} %" for part in parts)))
    head = ("rule", "n", "d", "bytes to bytes ms", "GB/s of payloads", "ingest", "reduce", "expand")
    return format_table(head, rows) if rows else ""


def format_others(runs: list[Json]) -> str:
    """Every other implementation: milliseconds and rounds, or why it has none."""
    rows = []
    for run in runs:
        settings = run["settings"]
        for peer in run["figures"]["peers"]:
            rows.append((settings["group"], str(settings["workers"]), f"{settings['values']:,}", peer["name"],
                         f"{peer['ms']:.2f}" if "ms" in peer else NONE, str(peer.get("rounds", 0)),
                         peer.get("note", "")))
    return format_table(("rule", "n", "d", "other", "ms", "rounds", ""), rows) if rows else ""


def find_best(figures: Json, kind: str) -> Json | None:
    """The fastest other implementation of a kind."""
    timed = [peer for peer in figures["peers"] if peer["kind"] == kind and "ms" in peer]
    return min(timed, key=lambda peer: float(peer["ms"]), default=None)


def find_ratio(peer: Json | None, ms: float | None) -> float | None:
    """How many times as long as ours it takes."""
    return None if peer is None or ms is None else float(peer["ms"]) / ms


def format_peer(peer: Json | None) -> str:
    """Its name and milliseconds."""
    return NONE if peer is None else f"{peer['name']} {peer['ms']:.1f}"


def format_ratio(peer: Json | None, ms: float | None) -> str:
    """A ratio in three digits or so."""
    ratio = find_ratio(peer, ms)
    return NONE if ratio is None else f"{ratio:.0f}" if ratio >= 100 else f"{ratio:.1f}"


def format_goal(goal: Goal) -> str:
    """What is asked for."""
    parts = ((goal.library, "library {:g}"), (goal.primitive, "Gram {:g}"), (goal.share, "ceiling {:g}"))
    return ", ".join(text.format(least) for least, text in parts if least is not None) or NONE


def judge(group: str, figures: Json) -> str:
    """`yes`, or which goals are missed or could not be judged."""
    goal = GOALS[group]
    found = {
        "library": (goal.library, find_ratio(find_best(figures, "library"), figures["ours_ms"])),
        "Gram": (goal.primitive, find_ratio(find_best(figures, "primitive"), figures["ours_ms"])),
        "ceiling": (goal.share, figures["ceiling_ms"] / figures["ours_ms"]),
    }
    asked = {name: (least, value) for name, (least, value) in found.items() if least is not None}
    missed = [name for name, (least, value) in asked.items() if value is not None and value < least]
    unknown = [name for name, (_, value) in asked.items() if value is None]
    words = [f"no: {', '.join(missed)}"] if missed else []
    words += [f"{', '.join(unknown)} not timed"] if unknown else []
    return "; ".join(words) or ("yes" if asked else NONE)
