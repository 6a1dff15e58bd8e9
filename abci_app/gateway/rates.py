"""How many requests a key may send: a bucket for each, filled steadily."""

import threading
import time
from collections.abc import Callable

KEYS_MAX = 10_000


class Rates:
    """per_minute: requests a minute, and at once. clock: seconds that never go back. For several threads at once."""

    def __init__(self, per_minute: int, clock: Callable[[], float] = time.monotonic) -> None:
        self.per_minute, self.clock = per_minute, clock
        self._lock = threading.Lock()
        self._buckets: dict[int, tuple[float, float]] = {}

    def take(self, key_id: int) -> int:
        """0 when a request may go on, else the seconds to wait."""
        with self._lock:
            now_s = self.clock()
            left, seen_s = self._buckets.get(key_id, (float(self.per_minute), now_s))
            left = min(left + (now_s - seen_s) * self.per_minute / 60, float(self.per_minute))
            wait_s = 0 if left >= 1 else int((1 - left) * 60 / self.per_minute) + 1
            if len(self._buckets) >= KEYS_MAX and key_id not in self._buckets:
                self._buckets.pop(next(iter(self._buckets)))
            self._buckets[key_id] = (left - (not wait_s), now_s)
            return wait_s
