"""Runs execution paths, each in a process of its own, and compares what they compute with the committed hashes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from tests.kernels.paths.matrix import HOST, VARIABLES, ExecutionPath

ROOT = Path(__file__).parents[3]
GOLDEN = Path(__file__).parents[1] / "golden"
EQUAL, DIFFERENT, CRASHED, UNFINISHED = "equal", "DIFFERENT", "CRASHED", "UNFINISHED"
REPEATED, ABSENT = "repeated", "not here"
FAILURES = (DIFFERENT, CRASHED, UNFINISHED)


@dataclass(frozen=True)
class Outcome:
    """What came of a path.

    state: EQUAL if every case has its hash; see the constants. told: why it is another. took: the process's facts.
    equal: cases with their hash. cpu_s: CPU time, compilers' included.
    """

    name: str
    state: str
    told: str = ""
    equal: int = 0
    cpu_s: float = 0.0
    took: dict[str, str] = field(default_factory=dict)
    slowest: tuple[tuple[float, str], ...] = ()


def read_golden() -> dict[str, str]:
    """The committed hashes by case, of the self-test's cases and of the large ones."""
    files = sorted(GOLDEN.rglob("*.json"))
    return {name: digest for file in files for name, digest in json.loads(file.read_text()).items()}


@lru_cache(maxsize=1)
def list_features() -> frozenset[str]:
    """The features of this processor, as LLVM names them; none on one that LLVM does not know."""
    import llvmlite.binding

    try:
        return frozenset(name for name, has in llvmlite.binding.get_host_cpu_features().items() if has)
    except RuntimeError:
        return frozenset()


def run_path(path: ExecutionPath, cache: Path, limit_s: float, ops: Iterable[str] = ()) -> Outcome:
    """Compute the cases on a path.

    cache: a folder for code compiled for other processors. limit_s: seconds after which the process is ended.
    ops: those alone, or all.
    """
    missing = [name for name in path.needs if name not in list_features()]
    if missing:
        return Outcome(path.name, ABSENT, f"the processor has no {', '.join(missing)}")
    call = [sys.executable, "-m", "tests.kernels.paths.process", path.backend]
    call += ["--tiled"] if path.is_tiled else []
    call += ["--ops", ",".join(ops)] if ops else []
    environment = {name: value for name, value in os.environ.items() if name not in VARIABLES} | path.environment
    if path.target != HOST:
        environment["NUMBA_CACHE_DIR"] = str(cache / path.target)
    with tempfile.TemporaryFile("w+") as errors:
        process = subprocess.Popen(call, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=errors, text=True)
        try:
            printed, _ = process.communicate(timeout=limit_s)
            is_late = False
        except subprocess.TimeoutExpired:
            process.kill()
            printed, _ = process.communicate()
            is_late = True
        except BaseException:  # Ctrl-C: nothing stays behind
            process.kill()
            process.wait()
            raise
        errors.seek(0)
        return judge(path, printed, process.returncode, errors.read(), is_late)


def judge(path: ExecutionPath, printed: str, status: int, errors: str, is_late: bool = False) -> Outcome:
    """What came of a path whose process printed, exited and complained so."""
    lines: list[dict[str, Any]] = [json.loads(line) for line in printed.splitlines()]
    said: dict[str, Any] = {}
    for line in lines:
        said.update(line)
    if "problem" in said:
        return Outcome(path.name, ABSENT, said["problem"])
    took: dict[str, str] = said.get("took", {})
    other = [f"{fact} is {took.get(fact)}" for fact, value in path.expects.items() if took and took.get(fact) != value]
    if other:
        return Outcome(path.name, ABSENT, ", ".join(other))
    golden = read_golden()
    done = [line for line in lines if "case" in line]
    wrong = [f"{line['case']} ({line['digest'][:60]})" for line in done if golden.get(line["case"]) != line["digest"]]
    slowest = tuple(sorted(((line["cpu_s"], line["case"]) for line in done), reverse=True)[:5])
    cpu_s = float(lines[-1].get("cpu_s", 0)) if lines else 0.0
    state, told = EQUAL, ""
    if wrong:
        state, told = DIFFERENT, f"{len(wrong)} cases: {', '.join(wrong[:5])}"
    elif is_late:
        state, told = UNFINISHED, f"in {said.get('start', 'its start')}, at the limit of time"
    elif status:
        how = signal.Signals(-status).name if status < 0 else f"status {status}"
        state, told = CRASHED, f"{how} in {said.get('start', 'its start')}: {' '.join(errors.split()[-30:])}"
    elif not done:
        state, told = CRASHED, "no case was computed"
    return Outcome(path.name, state, told, len(done) - len(wrong), cpu_s, took, slowest)


def mark_repeated(outcomes: list[Outcome]) -> list[Outcome]:
    """The outcomes, with every equal one that took what an earlier one took as REPEATED: it counts once."""
    first: dict[tuple[tuple[str, str], ...], str] = {}
    marked = []
    for outcome in outcomes:
        key = tuple(sorted(outcome.took.items()))
        if outcome.state == EQUAL and key in first:
            told = f"takes what `{first[key]}` takes"
            outcome = Outcome(outcome.name, REPEATED, told, outcome.equal, outcome.cpu_s, outcome.took, outcome.slowest)
        elif outcome.state == EQUAL:
            first[key] = outcome.name
        marked.append(outcome)
    return marked
