"""Events: what happened, for readers. State never depends on them.

Ours are `<room>.<noun>_<past participle>`, the bank's and the transaction's own are those of the Cosmos SDK. Values
are canonical text: bech32, decimal integers, hex.
"""

from typing import NamedTuple


class Event(NamedTuple):
    """A type and its attributes (non-empty keys) in declared order."""

    type: str
    attributes: tuple[tuple[str, str], ...]


def new_event(type: str, **attributes: str | int) -> Event:
    """An event with the attributes in the order given."""
    return Event(type, tuple([(key, str(value)) for key, value in attributes.items()]))  # det: call order
