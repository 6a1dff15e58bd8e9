"""A part that runs beside a node, the auditor: started again when it dies, and the node runs on in any case.

Nobody may be there to look for years, so it is never given up: where it dies too often it is tried again after a while.
"""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

from localnet.errors import NodeError
from localnet.parts import Command, Part, describe_exit, signal_group
from localnet.restart import RestartRule

TEND_S = 1.0  # how often to look whether it is time to start it again
GRACE_S = 1.0
PAUSE_S = 600.0  # after it has died too often


@dataclass
class Beside:
    """Keeps one part running beside the others, by a RestartRule of its own.

    open, note, close: start a part with its log, tell that it runs, forget it when it has ended. announce: is told what
    becomes of it.
    """

    command: Command
    open: Callable[[Command], Part]
    note: Callable[[Part], None]
    close: Callable[[Part], None]
    announce: Callable[[str], None]
    rule: RestartRule = field(default_factory=RestartRule)
    part: Part | None = None
    due_s: float = 0.0  # when to start it, by time.monotonic()
    is_paused: bool = False  # whether it died too often
    is_asked: bool = False

    @property
    def phase(self) -> str:
        """running, restarting or failed: it died too often, and waits."""
        if self.part is not None:
            return "running"
        return "failed" if self.is_paused else "restarting"

    def tend(self) -> bool:
        """Note an end, and start it when it is time to. Returns whether anything has changed."""
        now_s = time.monotonic()
        if self.part is not None and self.part.process.poll() is not None:
            ended, self.part = self.part, None
            self.close(ended)
            self.fail(f"ended, {describe_exit(ended.process.returncode)}", now_s)
            return True
        if self.part is not None or now_s < self.due_s:
            return False
        try:
            self.part = self.open(self.command)
        except (NodeError, OSError) as error:
            self.fail(f"cannot be started: {error}", now_s)
        else:
            self.note(self.part)
        return True

    def fail(self, problem: str, now_s: float) -> None:
        """Choose when to start it again."""
        delay_s = self.rule.next_delay_s(now_s)
        self.is_paused = delay_s is None
        delay_s = PAUSE_S if delay_s is None else delay_s
        self.due_s = now_s + delay_s
        self.announce(f"the {self.command.name} {problem}; " + ("it died too often: " if self.is_paused else "")
                      + f"starting again in {delay_s:.1f} s")

    def ask_to_end(self) -> None:
        """SIGTERM, once: a second one would cut its good end short. Returns at once."""
        if self.part is not None and not self.is_asked:
            self.is_asked = True
            signal_group(self.part.process, signal.SIGTERM)

    def end(self) -> None:
        """End it: SIGTERM, and SIGKILL after a short grace, for it can be killed anywhere."""
        if self.part is None:
            return
        self.ask_to_end()
        with suppress(subprocess.TimeoutExpired):
            self.part.process.wait(GRACE_S)
        signal_group(self.part.process, signal.SIGKILL)
        self.part.process.wait()
        ended, self.part = self.part, None
        self.close(ended)
