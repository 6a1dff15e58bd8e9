"""The table: one strategy's figures as fields, and all of them as a page of Markdown."""

from dataclasses import asdict
from typing import Any

from kernels import dispatch
from tests.sim.strategies.catalogue import STRATEGIES
from tests.sim.strategies.figures import COSTS, TRAINERS, Outcome, measure


def measure_named(name: str, rounds: int, seeds: int) -> Outcome:
    """A strategy of the catalogue, in this process, with the kernels that every machine has."""
    strategy = next(one for one in STRATEGIES if one.name == name)
    with dispatch.forced("ref"):
        return measure(strategy, rounds, range(1, 1 + seeds))


def fields_of(name: str, rounds: int, seeds: int) -> dict[str, Any]:
    """The figures of a strategy, in shares: the reward of a round by its units."""
    outcome = measure_named(name, rounds, seeds)
    strategy, profits = outcome.strategy, []
    for cost in COSTS:
        expected = outcome.expected(cost)
        profits.append({"cost_of_work": cost, "measured": round(outcome.profit(cost), 4),
                        "interval": round(outcome.error(cost), 4),
                        "expected": None if expected is None else round(expected, 4)})
    return {"strategy": name, "does": strategy.told, "per": strategy.per, "limit": strategy.limit,
            "asked": outcome.cheat.dealt, "money": asdict(outcome.money), "profit": profits}


def format_table(rows: list[dict[str, Any]], rounds: int, seeds: int) -> str:
    """A page of Markdown."""
    head = " | ".join(f"work costs {cost:g}" for cost in COSTS)
    lines = [
        "# What strategies earn", "",
        f"`python -m tests.sim.strategies --rounds {rounds} --seeds {seeds}`: profit above honest work (or above doing "
        "nothing, where that is better), in shares: the reward of a round by its units, which is what an honest unit "
        f"earns. {TRAINERS} trainers, the contract's and the chain's default terms, one watcher who replays one unit a "
        "round but where it says unwatched; auditors and the sham models with localnet's emission. Measured ± 95 % (in "
        "brackets: by the formula), for three costs of computing a unit.", "",
        f"| strategy | what it does | per | {head} |", "|---|---|---|" + "---:|" * len(COSTS)]
    for row in rows:
        cells = []
        for one in row["profit"]:
            by_formula = "" if one["expected"] is None else f" ({one['expected']:+.2f})"
            cells.append(f"{one['measured']:+.2f} ± {one['interval']:.2f}{by_formula}")
        lines.append(f"| {row['strategy']} | {row['does']} | {row['per']} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"
