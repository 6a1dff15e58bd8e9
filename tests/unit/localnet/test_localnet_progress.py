"""What a person sees while the engine is built: the step and the time it has taken, on a terminal and without one."""

import io
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from kernels.dispatch import BACKEND_VARIABLE, prepare_numba
from localnet import progress
from localnet.engine import Engine
from localnet.node import compute_environment

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


def test_kernels_are_compiled_before_nodes_start_where_no_compiled_ones_are_kept(
        monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    compiled: list[str] = []
    monkeypatch.setattr(progress, "warm_visibly", lambda: compiled.append("compiled"))
    monkeypatch.delenv(BACKEND_VARIABLE, raising=False)
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    progress.compile_kernels_visibly()
    assert compiled == ["compiled"]
    (tmp_path / "unit").mkdir()
    (tmp_path / "unit" / "cpu.step.nbi").touch()
    progress.compile_kernels_visibly()
    assert compiled == ["compiled"]
    (tmp_path / "unit" / "cpu.step.nbi").unlink()
    monkeypatch.setenv(BACKEND_VARIABLE, "ref")
    progress.compile_kernels_visibly()
    assert compiled == ["compiled"]


def test_node_names_its_own_cache_of_kernels_unless_the_user_names_one(
        monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("NUMBA_CACHE_DIR", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    prepare_numba()
    assert os.environ["NUMBA_CACHE_DIR"].startswith(str(tmp_path))
    assert "NUMBA_CACHE_DIR" not in compute_environment() and "PYTHONPATH" in compute_environment()
    monkeypatch.setenv("NUMBA_CACHE_DIR", "/mine")
    assert compute_environment()["NUMBA_CACHE_DIR"] == "/mine"
