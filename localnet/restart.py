"""How often, and after how long, a node that died is started again. A pure rule: time is handed in."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class RestartRule:
    """At most `tries_max` restarts within any `window_s` seconds, each delayed twice as long as the one before.

    tries_max 0: never. A node that has stayed up for a whole window starts with the first delay again.
    """

    tries_max: int = 6
    window_s: float = 120.0
    first_delay_s: float = 0.3
    delay_max_s: float = 10.0
    past_s: list[float] = field(default_factory=list)

    def next_delay_s(self, now_s: float) -> float | None:
        """Seconds to wait before starting again after a death at `now_s`; None when the node is given up."""
        self.past_s = [past for past in self.past_s if now_s - past < self.window_s]
        if len(self.past_s) >= self.tries_max:
            return None
        self.past_s.append(now_s)
        doublings = len(self.past_s) - 1
        return float(min(self.delay_max_s, self.first_delay_s * 2**doublings))
