"""What replays have computed, in memory: the least recently used goes first, so that all of it stays below a bound.

Many disputes at once (a model can have 1,024) need the transcripts of as many units, and one alone can take 256 MiB.
What is forgotten is computed again when a move needs it.
"""

from collections import OrderedDict
from collections.abc import Callable
from typing import Any, TypeVar

LARGE_BYTES_MAX = 2**29  # two of the largest transcripts, or the small ones of hundreds of units
SMALL_BYTES_MAX = 2**26
_Value = TypeVar("_Value")


class Memory:
    """Values by key, with the bytes that each takes. Not for several threads at once."""

    def __init__(self, bytes_max: int = LARGE_BYTES_MAX) -> None:
        """bytes_max: of all together; a value that is larger alone is kept until the next one comes."""
        self.bytes_max = bytes_max
        self.bytes_held = 0
        self._held: OrderedDict[tuple[Any, ...], tuple[Any, int]] = OrderedDict()

    def get(self, key: tuple[Any, ...], make: Callable[[], _Value], count_bytes: Callable[[_Value], int]) -> _Value:
        """The value of a key, made when it is not held. make: may ask this memory for other values."""
        if key not in self._held:
            value = make()
            self._put(key, value, count_bytes(value))
        self._held.move_to_end(key)
        found: _Value = self._held[key][0]
        return found

    def _put(self, key: tuple[Any, ...], value: Any, size: int) -> None:
        self._held[key] = value, size
        self.bytes_held += size
        while self.bytes_held > self.bytes_max and len(self._held) > 1:
            _, (_, dropped) = self._held.popitem(last=False)
            self.bytes_held -= dropped
