"""Figures of a host in the text format of Prometheus (version 0.0.4): counters, gauges, one histogram of answers."""

import threading

NAMES = {
    "gradus_host_answers_total": ("counter", "Answers given in sessions."),
    "gradus_host_repeated_total": ("counter", "Answers given again."),
    "gradus_host_owed_ugrad_total": ("counter", "Fees of answers given in sessions, ugrad."),
    "gradus_host_refusals_total": ("counter", "Calls refused, by code."),
    "gradus_host_commits_total": ("counter", "Answers committed to on the chain."),
    "gradus_host_reveals_total": ("counter", "Answers revealed on the chain."),
    "gradus_host_sessions": ("gauge", "Sessions that are open."),
    "gradus_host_queue": ("gauge", "Questions in work."),
    "gradus_host_answer_seconds": ("histogram", "From a question to its answer."),
}
BOUNDS_S = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)


class Metrics:
    """Counts what happens. For several threads at once."""

    def __init__(self) -> None:
        self._values: dict[tuple[str, str], float] = {}
        self._buckets = [0] * len(BOUNDS_S)
        self._count, self._sum_s = 0, 0.0
        self._lock = threading.Lock()

    def add(self, name: str, amount: int = 1, code: str = "") -> None:
        """Raise a counter. code: its label, if it has one."""
        with self._lock:
            self._values[name, code] = self._values.get((name, code), 0) + amount

    def put(self, name: str, value: float) -> None:
        """Set a gauge."""
        with self._lock:
            self._values[name, ""] = value

    def get(self, name: str, code: str = "") -> float:
        """The value of a counter or gauge."""
        return self._values.get((name, code), 0)

    def time_answer(self, seconds: float) -> None:
        """Count an answer that took so long."""
        with self._lock:
            self._count, self._sum_s = self._count + 1, self._sum_s + seconds
            for place, bound in enumerate(BOUNDS_S):
                self._buckets[place] += seconds <= bound

    def write(self) -> str:
        """All of it as Prometheus reads it."""
        with self._lock:
            lines: list[str] = []
            for name, (kind, text) in NAMES.items():
                lines += [f"# HELP {name} {text}", f"# TYPE {name} {kind}"]
                lines += self._write_histogram(name) if kind == "histogram" else self._write_values(name)
        return "\n".join(lines) + "\n"

    def _write_values(self, name: str) -> list[str]:
        found = sorted((code, value) for (one, code), value in self._values.items() if one == name) or [("", 0)]
        return [f'{name}{{code="{code}"}} {value:g}' if code else f"{name} {value:g}" for code, value in found]

    def _write_histogram(self, name: str) -> list[str]:
        bounds = [f'{name}_bucket{{le="{bound:g}"}} {count}' for bound, count in zip(BOUNDS_S, self._buckets)]
        return [*bounds, f'{name}_bucket{{le="+Inf"}} {self._count}', f"{name}_sum {self._sum_s:g}",
                f"{name}_count {self._count}"]
