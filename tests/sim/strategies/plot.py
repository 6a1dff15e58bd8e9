"""Pictures: a bar of what each strategy earns above honest work, and what noise earns by the rate of audits."""

from html import escape
from typing import Any

from tests.sim.strategies.catalogue import Money

ROW, LEFT, WIDTH, TOP = 20, 290, 420, 40
COST_SHOWN = 1  # which of the costs of work


def plot_profits(rows: list[dict[str, Any]]) -> str:
    """An SVG. rows: as `python -m tests.sim.strategies --output json` prints them. Losses beyond the scale are cut."""
    shown = [(row["strategy"], row["profit"][COST_SHOWN]) for row in rows]
    least = min(-1.0, *(one["measured"] - one["interval"] for _, one in shown))
    most = max(1.0, *(one["measured"] + one["interval"] for _, one in shown))
    height = TOP + ROW * len(shown) + 30

    def place(value: float) -> float:
        return LEFT + WIDTH * (value - least) / (most - least)

    cost = rows[0]["profit"][COST_SHOWN]["cost_of_work"]
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{LEFT + WIDTH + 30}" height="{height}" '
             'font-family="sans-serif" font-size="12">', '<rect width="100%" height="100%" fill="white"/>',
             f'<text x="{LEFT}" y="20">profit above honest work, in shares (work costs {cost:g})</text>']
    for index, (name, one) in enumerate(shown):
        y = TOP + ROW * index
        begin, end = sorted((place(0), place(one["measured"])))
        colour = "#b3261e" if one["measured"] - one["interval"] > 0 else "#33691e"
        parts.append(f'<text x="{LEFT - 8}" y="{y + 13}" text-anchor="end">{escape(name)}</text>')
        parts.append(f'<rect x="{begin:.1f}" y="{y + 3}" width="{max(1.0, end - begin):.1f}" height="{ROW - 8}" '
                     f'fill="{colour}"/>')
        low, high = place(one["measured"] - one["interval"]), place(one["measured"] + one["interval"])
        parts.append(f'<line x1="{low:.1f}" x2="{high:.1f}" y1="{y + 9}" y2="{y + 9}" stroke="black"/>')
    bottom = TOP + ROW * len(shown)
    parts.append(f'<line x1="{place(0):.1f}" x2="{place(0):.1f}" y1="{TOP - 5}" y2="{bottom}" stroke="black"/>')
    parts += [f'<text x="{place(value):.1f}" y="{bottom + 16}" text-anchor="middle">{value:g}</text>'
              for value in (round(least), 0)]
    return "\n".join([*parts, "</svg>"]) + "\n"


def plot_rates(money: Money) -> str:
    """An SVG: what noise earns above doing nothing by the rate of audits, from 1 % to all, at the default rate's bond.

    One line with the bond that the rate asks for, which a contract cannot go below, one with the default bond held.
    """
    rates = [place / 100 for place in range(1, 101)]
    held = [(rate, (1 - rate) - rate * money.slash) for rate in rates]
    least = [(rate, (1 - rate) - rate * _least_slash(money, rate)) for rate in rates]
    bottom, top = min(value for _, value in held), max(value for _, value in (*held, *least))

    def points(line: list[tuple[float, float]]) -> str:
        return " ".join(f"{LEFT / 3 + WIDTH * rate:.1f},{TOP + 200 * (top - value) / (top - bottom):.1f}"
                        for rate, value in line)

    zero = TOP + 200 * top / (top - bottom)
    return "\n".join([
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{LEFT / 3 + WIDTH + 40:.0f}" height="{TOP + 240}" '
        'font-family="sans-serif" font-size="12">', '<rect width="100%" height="100%" fill="white"/>',
        '<text x="10" y="20">what noise earns, in shares, by the rate of audits (nobody else replays)</text>',
        f'<line x1="{LEFT / 3:.1f}" x2="{LEFT / 3 + WIDTH:.1f}" y1="{zero:.1f}" y2="{zero:.1f}" stroke="black"/>',
        f'<text x="{LEFT / 3 - 8:.1f}" y="{zero + 4:.1f}" text-anchor="end">0</text>',
        f'<text x="{LEFT / 3 - 8:.1f}" y="{TOP + 204}" text-anchor="end">{bottom:.0f}</text>',
        *(f'<text x="{LEFT / 3 + WIDTH * rate:.1f}" y="{TOP + 222}" text-anchor="middle">{rate:.0%}</text>'
          for rate in (0.1, 0.4, 0.7, 1.0)),
        f'<polyline points="{points(held)}" fill="none" stroke="#1f4e8c" stroke-width="2"/>',
        f'<polyline points="{points(least)}" fill="none" stroke="#b3261e" stroke-width="2"/>',
        f'<text x="{LEFT / 3 + 60}" y="{TOP + 150}" fill="#1f4e8c">default bond</text>',
        f'<text x="{LEFT / 3 + 60}" y="{TOP + 166}" fill="#b3261e">the least bond that the rate allows</text>',
        "</svg>"]) + "\n"


def _least_slash(money: Money, rate: float) -> float:
    """The slash of the least bond: what is burnt of it is the whole round's reward, of n shares, by (1 - p) / p."""
    return money.n * (1 - rate) / rate * money.slash / money.burnt
