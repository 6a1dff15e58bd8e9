"""Clocks of a cell: calls in turns, the least of their rounds, and how fast two threads can read at all.

A call that has used up its seconds has no further rounds, and one for which there is not enough memory has none.

Reads: /proc/meminfo.
"""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

GIBI = 2**30
MEMORY_KEPT = 2 * GIBI
PAUSE_SECONDS = 0.005  # other libraries' threads spin for a while after a call
Progress = Callable[[str], None]


@dataclass
class Call:
    """What is timed. seconds_max: after so many it has no further rounds. memory: bytes that it takes at most, about.

    prepare: makes its argument anew before each round, off the clock. is_same: its result must be near ours.
    note: why it was not timed at all.
    """

    name: str
    run: Callable[..., Any]
    seconds_max: float = float("inf")
    memory: int = 0
    prepare: Callable[[], Any] | None = None
    is_same: bool = False
    seconds: list[float] = field(default_factory=list)
    processor_seconds: list[float] = field(default_factory=list)
    note: str = ""

    @property
    def best_ms(self) -> float:
        """Milliseconds of its best round."""
        return min(self.seconds) * 1000

    @property
    def undisturbed_ms(self) -> float:
        """The same, or the processor time of a round if that is less: one thread waited for a processor meanwhile."""
        return min(*self.seconds, *self.processor_seconds) * 1000

    def has_rounds_left(self) -> bool:
        """Whether it is to be called again."""
        return not self.note and sum(self.seconds) < self.seconds_max

    def make(self) -> Any:
        """One round; its result, which is None if there was no memory for it or it failed."""
        if self.memory > find_free_memory():
            self.note = f"left out: takes {self.memory / GIBI:.0f} GiB"
            return None
        arguments = () if self.prepare is None else (self.prepare(),)
        try:
            start, used = time.perf_counter(), time.process_time()
            result = self.run(*arguments)
            self.seconds.append(time.perf_counter() - start)
            self.processor_seconds.append(time.process_time() - used)
        except (ArithmeticError, MemoryError, RuntimeError, TypeError, ValueError) as error:  # another library's
            self.note = f"failed: {type(error).__name__}: {str(error)[:80]}"
            return None
        return result


def run_rounds(calls: list[Call], rounds: int, report: Progress) -> None:
    """Every call once a round, one after another."""
    for _ in range(rounds):
        for call in calls:
            if call.has_rounds_left():
                report(call.name)
                time.sleep(PAUSE_SECONDS)
                call.make()


def find_free_memory() -> int:
    """Bytes that a call may take: what is free less a reserve; endless where the system does not say."""
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
    except OSError:
        return 2**62
    fields = dict(line.split(":", 1) for line in lines if ":" in line)
    return int(fields["MemAvailable"].split()[0]) * 1024 - MEMORY_KEPT


def read_twice(data: NDArray[np.int8], pool: ThreadPoolExecutor) -> int:
    """Read all bytes once, half of them in each of two threads."""
    words = data.reshape(-1).view(np.uint64)
    middle = words.size // 2
    other = pool.submit(add_words, words[middle:])
    return int(add_words(words[:middle])) + int(other.result())


@numba.njit("uint64(uint64[::1])", nogil=True)
def add_words(words: NDArray[np.uint64]) -> Any:
    """Sum of all words: as little work as reading them takes."""
    total = np.uint64(0)
    for index in range(words.size):
        total += words[index]
    return total
