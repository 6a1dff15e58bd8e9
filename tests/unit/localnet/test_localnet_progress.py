"""What a person sees while the engine is built: the step and the time it has taken, on a terminal and without one."""

import io
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from localnet import progress
from localnet.engine import Engine

BUILT = Engine(Path("/cache/engine"), "0.38.25")
PHASES = ("fetching the Go toolchain", "compiling the engine (1 packages)", "compiling the engine (2 packages)")


def build(monkeypatch: pytest.MonkeyPatch, after: Callable[[], None] = lambda: None) -> None:
    """Let find_engine report PHASES; `after` is called after each."""
    def find(explicit: Path | None, report: Callable[[str], Any], version: str | None, usual: str) -> Engine:
        for phase in PHASES:
            report(phase)
            after()
        return BUILT

    monkeypatch.setattr(progress, "find_engine", find)


def test_terminal_shows_each_step_of_the_build_with_the_time_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = io.StringIO()
    console = Console(file=shown, force_terminal=True, width=100)
    monkeypatch.setattr(progress, "Console", lambda stderr: console)
    build(monkeypatch)
    assert progress.find_engine_visibly(None) == BUILT
    for phase in PHASES:
        assert re.search(re.escape(phase) + r".*0:00:0\d", shown.getvalue())


def test_lines_name_each_step_once_with_the_seconds_taken(monkeypatch: pytest.MonkeyPatch,
                                                          capsys: pytest.CaptureFixture[str]) -> None:
    build(monkeypatch)
    assert progress.find_engine_visibly(None) == BUILT
    assert [re.sub(r", \d+ s$", "", line) for line in capsys.readouterr().err.splitlines()] == list(PHASES[:2])


def test_lines_say_after_a_while_how_far_a_long_step_has_come(monkeypatch: pytest.MonkeyPatch,
                                                              capsys: pytest.CaptureFixture[str]) -> None:
    now_s = [100.0]

    def pass_time() -> None:
        now_s[0] += progress.PLAIN_SECONDS + 2

    monkeypatch.setattr(progress.time, "monotonic", lambda: now_s[0])
    build(monkeypatch, pass_time)
    progress.find_engine_visibly(None)
    assert capsys.readouterr().err.splitlines() == [
        f"{phase}, {seconds} s" for phase, seconds in zip(PHASES, (0, 12, 24), strict=True)]
