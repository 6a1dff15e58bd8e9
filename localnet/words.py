"""Words of the demo's report."""

from abci_app.cli.output import decimal_text
from abci_app.wire.coin import DISPLAY_DENOM

PPM = 1_000_000


def bar(ppm: int) -> str:
    """A bar of at most 40 blocks."""
    return "█" * (ppm * 40 // PPM)


def count_of(number: int, noun: str) -> str:
    """`1 node`, `4 nodes`."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def grad(amount_ugrad: int) -> str:
    """`12.5 grad`."""
    return f"{decimal_text(amount_ugrad)} {DISPLAY_DENOM}"
