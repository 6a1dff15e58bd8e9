"""Execution paths: the fast ones give the committed hashes, and what fails or is not taken is never counted."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from kernels import jit, selftest
from tests.kernels.paths import large, runs
from tests.kernels.paths.__main__ import count, main
from tests.kernels.paths.matrix import VARIABLES, ExecutionPath, list_paths
from tests.kernels.paths.runs import ABSENT, CRASHED, DIFFERENT, EQUAL, REPEATED, UNFINISHED, Outcome, judge

LIMIT_S = 880
PATH = ExecutionPath("cpu", expects={"engine": "blas"})
FAST = [path for path in list_paths() if path.is_fast]
CASE, DIGEST = sorted(runs.read_golden().items())[0]
TOOK = {"took": {"engine": "blas"}}


def print_lines(*lines: dict[str, object]) -> str:
    return "".join(json.dumps(line) + "\n" for line in lines)


@pytest.mark.timeout(900)  # the first one compiles, if no other test did
@pytest.mark.parametrize("path", FAST, ids=lambda path: path.name)
def test_golden_hashes_hold_on_path(path: ExecutionPath, tmp_path: Path) -> None:
    outcome = runs.run_path(path, tmp_path, LIMIT_S, path.fast_ops)
    if outcome.state == ABSENT:
        pytest.skip(outcome.told)
    assert (outcome.state, outcome.told) == (EQUAL, "")
    ops = path.fast_ops or (*selftest.list_ops(), "large")
    assert outcome.equal == len([name for name in (*selftest.CASES, *large.CASES) if name.split("/")[0] in ops])


def test_every_case_of_a_path_has_a_committed_hash() -> None:
    assert sorted(runs.read_golden()) == sorted({**selftest.CASES, **large.CASES})


def test_names_of_paths_and_folders_of_their_code_are_their_own() -> None:
    names, targets = [path.name for path in list_paths()], [path.target for path in list_paths() if path.target]
    assert len(names) == len(frozenset(names)) and len(targets) == len(frozenset(targets))
    assert all(variable in VARIABLES for path in list_paths() for variable in path.environment)


def test_path_with_another_hash_is_different_and_names_the_case() -> None:
    wrong = {"case": CASE, "digest": "0" * 64, "cpu_s": 1}
    outcome = judge(PATH, print_lines(TOOK, {"start": CASE}, wrong), 0, "")
    assert outcome.state == DIFFERENT and CASE in outcome.told and outcome.equal == 0


def test_case_that_raises_is_different_and_says_what_it_raised() -> None:
    raised = {"case": CASE, "digest": "ValueError: no", "cpu_s": 1}
    assert "ValueError: no" in judge(PATH, print_lines(TOOK, raised), 0, "").told


def test_path_whose_process_dies_names_the_signal_and_the_case() -> None:
    done = {"case": CASE, "digest": DIGEST, "cpu_s": 1}
    outcome = judge(PATH, print_lines(TOOK, done, {"start": "unit/odd"}), -4, "LLVM ERROR: Cannot select")
    assert outcome.state == CRASHED and outcome.equal == 1
    assert outcome.told == "SIGILL in unit/odd: LLVM ERROR: Cannot select"


def test_path_that_computes_nothing_is_not_equal() -> None:
    assert judge(PATH, print_lines(TOOK), 0, "").state == CRASHED
    assert judge(PATH, "", 1, "ModuleNotFoundError").state == CRASHED


def test_path_that_took_another_engine_is_not_counted() -> None:
    done = {"case": CASE, "digest": DIGEST, "cpu_s": 1}
    outcome = judge(PATH, print_lines({"took": {"engine": "vnni256"}}, done), 0, "")
    assert (outcome.state, outcome.told) == (ABSENT, "engine is vnni256")


def test_path_that_the_processor_cannot_take_is_not_started(tmp_path: Path) -> None:
    outcome = runs.run_path(ExecutionPath("odd", needs=("a-feature-of-nobody",)), tmp_path, LIMIT_S)
    assert (outcome.state, outcome.told) == (ABSENT, "the processor has no a-feature-of-nobody")


def test_path_that_is_too_slow_is_ended_and_is_a_failure(tmp_path: Path) -> None:
    outcome = runs.run_path(ExecutionPath("slow", "ref"), tmp_path, 0.01)
    assert outcome.state == UNFINISHED and outcome.state in runs.FAILURES


@pytest.mark.parametrize("text, found", [
    ("", ()), ("-avx2", ()), ("+avx2,-fma,+bmi", ("avx2", "bmi")), ("+avx512vnni,-avx512vnni", ()),
    ("+avx512f,+avx512vnni,-avx512f", ()), ("+avx2,+avx512vnni,-fma", ("avx2",)), ("+avxvnni,+fma,-avx2", ("fma",)),
    ("+avx512vl,+avx512vnni,-avx512vl", ("avx512vnni",)), ("-avx512f,+avx512vnni", ("avx512vnni",)),
])
def test_feature_that_is_taken_back_is_not_used(text: str, found: tuple[str, ...]) -> None:
    assert jit.parse_features(text) == found


def test_processor_without_what_its_products_are_built_on_is_no_crash(tmp_path: Path) -> None:
    """LLVM ended the process here: it was asked for vpdpbusd after the registers for it had been taken back."""
    features = {"NUMBA_CPU_NAME": "generic", "NUMBA_CPU_FEATURES": "+avx512vnni,-avx512f"}
    path = ExecutionPath("odd", environment=features, target="odd", expects={"engine": "blas"})
    assert runs.run_path(path, tmp_path, LIMIT_S, ("outer",)).state == EQUAL


def test_path_counts_once_however_many_settings_lead_to_it() -> None:
    outcomes = [Outcome(name, EQUAL, took={"engine": engine}) for name, engine in (("a", "x"), ("b", "x"), ("c", "y"))]
    marked = runs.mark_repeated([*outcomes, Outcome("d", DIFFERENT, took={"engine": "x"})])
    assert [outcome.state for outcome in marked] == [EQUAL, REPEATED, EQUAL, DIFFERENT]
    assert count(marked) == {"equal": 2, "failed": 1, "not_counted": 1}


def test_command_prints_json_and_refuses_unknown_names() -> None:
    call = [sys.executable, "-m", "tests.kernels.paths", "--output", "json"]
    done = subprocess.run([*call, "--only", "ref", "--op", "outer"], cwd=runs.ROOT, capture_output=True, text=True)
    printed = json.loads(done.stdout)
    assert done.returncode == 0 and printed["equal"] == 2 and printed["paths"][0]["equal"] == 3
    for wrong in (["--only", "cake"], ["--op", "cake"]):
        refused = CliRunner().invoke(main, wrong)
        assert refused.exit_code == 2 and "'cake'" in refused.output


def test_command_fails_where_a_path_gives_another_hash(monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = {name: digest for name, digest in runs.read_golden().items() if name != CASE}
    monkeypatch.setattr(runs, "read_golden", lambda: wrong)
    done = CliRunner().invoke(main, ["--only", "ref, python -O", "--op", CASE.split("/")[0]])
    assert done.exit_code == 1 and DIFFERENT in done.output and "0 paths gave the committed hashes, 1" in done.output
