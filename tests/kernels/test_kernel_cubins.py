"""Every kernel of the gpu back end compiles for sm_90 with Triton's own ptxas, on a machine without a GPU."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("triton", reason="Triton has no wheel for this system")

from kernels import cubins  # noqa: E402

ROOT = Path(__file__).parents[2]
PTXAS = cubins.find_tools() / "ptxas"


def run_cubins(interpret: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "TRITON_INTERPRET": interpret}
    command = [sys.executable, "-m", "kernels.cubins"]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.skipif(not PTXAS.is_file(), reason="this build of Triton brings no ptxas")
def test_every_kernel_compiles_for_sm_90_and_none_spills() -> None:
    result = run_cubins("0")
    assert result.returncode == 0, result.stdout + result.stderr
    lines = result.stdout.splitlines()
    assert lines[-1] == "none spills registers"
    products = [line for line in lines if "multiply_tiles" in line]
    assert len(products) >= 9 and all(line.endswith("yes") for line in products)


@pytest.mark.parametrize("arguments", [["--every"], ["--all", "x"]])
def test_misuse_is_answered_by_the_usage(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert cubins.main(arguments) == 2 and cubins.USAGE in capsys.readouterr().err


def test_without_triton_one_line_says_which_extra_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert cubins.main([]) == 2 and "gradus[gpu]" in capsys.readouterr().err


def test_interpreter_is_refused_as_no_compiler() -> None:
    result = run_cubins("1")
    assert result.returncode == 2 and "TRITON_INTERPRET" in result.stderr
