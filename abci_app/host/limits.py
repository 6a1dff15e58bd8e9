"""What a host takes at once, and from whom how much: so many questions in work, so many a second of each."""

import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from abci_app.client.host_api import BUSY, RATE
from abci_app.host.errors import Refusal

KEYS_MAX = 4_096
RETRY_S_MIN = 0.05


@dataclass(frozen=True, slots=True)
class Limits:
    """What a host's owner sets. rates: calls a second, a burst of `burst_s` seconds at once."""

    queue_max: int = 32  # questions that are computed or wait for it
    open_max: int = 256  # calls that are open
    session_rate: int = 1_000  # of one session
    address_rate: int = 2_000  # of one network address
    burst_s: int = 2


class Queue:
    """Counts what is in work; refuses what is too much, and says when to come back."""

    def __init__(self, most: int, what: str) -> None:
        self.most, self.what, self.count = most, what, 0
        self.mean_s = 0.0

    @contextmanager
    def place(self, clock: Callable[[], float] = time.monotonic) -> Iterator[None]:
        """A place while the block runs. Raises Refusal (503)."""
        if self.count >= self.most:
            raise Refusal(503, BUSY, f"{self.count} {self.what} already", "come back later",
                          max(RETRY_S_MIN, self.mean_s))
        began = clock()
        self.count += 1
        try:
            yield
        finally:
            self.count -= 1
            self.mean_s += (clock() - began - self.mean_s) / 16


class Rates:
    """Token buckets by key; the least recently used of more than KEYS_MAX are forgotten."""

    def __init__(self, rate: int, burst_s: int, what: str, clock: Callable[[], float] = time.monotonic) -> None:
        self.rate, self.burst, self.what, self.clock = rate, rate * burst_s, what, clock
        self._left: OrderedDict[object, tuple[float, float]] = OrderedDict()

    def check(self, key: object) -> None:
        """Count a call of this key. Raises Refusal (429)."""
        now = self.clock()
        left, seen = self._left.pop(key, (float(self.burst), now))
        left = min(self.burst, left + (now - seen) * self.rate)
        self._left[key] = (left - 1 if left >= 1 else left), now
        if len(self._left) > KEYS_MAX:
            self._left.popitem(last=False)
        if left < 1:
            raise Refusal(429, RATE, f"more than {self.rate} calls a second by {self.what}", "come back later",
                          max(RETRY_S_MIN, (1 - left) / self.rate))
