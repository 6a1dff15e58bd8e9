"""The choice of a back end: lazy imports, the environment, the self-test and its loud fallback."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from kernels import bench, dispatch, payload, selftest, unit
from kernels.errors import KernelInputError

ROOT = Path(__file__).parents[2]
OPS = "kernels, kernels.mlp, kernels.unit, kernels.payload, kernels.aggregate, kernels.outer, kernels.chunks"


@pytest.fixture
def unchosen(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """A process that has not chosen yet, with no wish in the environment."""
    monkeypatch.setattr(dispatch, "_choice", None)
    monkeypatch.delenv(dispatch.BACKEND_VARIABLE, raising=False)
    yield monkeypatch


def test_importing_the_ops_imports_neither_numpy_nor_numba() -> None:
    program = f"import sys, {OPS}; print([m for m in ('numpy', 'numba', 'blake3') if m in sys.modules])"
    result = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert result.stdout == "[]\n"


def test_cpu_is_chosen_when_its_self_test_passes(unchosen: pytest.MonkeyPatch) -> None:
    told: list[tuple[str, int, int]] = []
    assert dispatch.choose(lambda what, done, total: told.append((what, done, total))) == dispatch.Choice("cpu", "cpu")
    assert told[-1] == ("done", len(selftest.CASES), len(selftest.CASES))
    assert dispatch.backend() == "cpu"


def test_environment_chooses_the_reference(unchosen: pytest.MonkeyPatch) -> None:
    unchosen.setenv(dispatch.BACKEND_VARIABLE, "ref")
    assert dispatch.backend() == "ref"


def test_unknown_backend_is_refused_by_name(unchosen: pytest.MonkeyPatch) -> None:
    unchosen.setenv(dispatch.BACKEND_VARIABLE, "tpu")
    with pytest.raises(KernelInputError, match="GRADUS_KERNELS_BACKEND is one of ref, cpu"):
        dispatch.choose()


def test_backend_with_a_wrong_result_is_replaced_and_reported(
    unchosen: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from kernels.payload import cpu

    right = cpu.decode
    unchosen.setattr(cpu, "decode", lambda exponents, operands: right(exponents, operands) + 1)
    with caplog.at_level(logging.ERROR, logger="gradus.kernels"):
        choice = dispatch.choose()
    assert choice.backend == "ref" and "payload/small" in choice.problem
    assert "payload/small" in caplog.text
    assert payload.decode(b"\x00\x05", 1, "int8/256") == (5).to_bytes(8, "little")


def test_backend_that_does_not_load_is_replaced_and_reported(
    unchosen: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    unchosen.setitem(sys.modules, "kernels.outer.cpu", None)
    with caplog.at_level(logging.ERROR, logger="gradus.kernels"):
        choice = dispatch.choose()
    assert choice.backend == "ref" and "kernels.outer.cpu" in caplog.text


def test_compiled_code_goes_to_the_users_cache_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("NUMBA_CACHE_DIR", "")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    dispatch.prepare_numba()
    assert Path(os.environ["NUMBA_CACHE_DIR"]).parent == tmp_path / "gradus" / "numba"


def test_unusable_cache_folder_gives_a_private_one(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    monkeypatch.setenv("NUMBA_CACHE_DIR", "")
    monkeypatch.setenv("XDG_CACHE_HOME", str(blocked))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    dispatch.prepare_numba()
    assert Path(os.environ["NUMBA_CACHE_DIR"]).is_dir()


def test_warm_runs_a_unit_of_the_policy_that_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[unit.UnitPolicy] = []
    run = unit.run_unit
    monkeypatch.setattr(unit, "run_unit", lambda policy, *rest: (ran.append(policy), run(policy, *rest))[1])
    policy = unit.UnitPolicy((3, 2), 2, 2, 6554, 58982, 1, "int8/256")
    dispatch.warm(policy)
    assert policy in ran


def test_bench_refuses_to_time_a_wrong_backend(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(selftest, "find_failures", lambda backend: ["unit/odd"])
    assert bench.main() == 1
    assert "unit/odd" in capsys.readouterr().err
