"""Kernels of the gpu back end compile for sm_90 with Triton's own ptxas, on a machine without a GPU, in budget."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

pytest.importorskip("triton", reason="Triton has no wheel for this system")

from kernels import cubin_budgets, cubins  # noqa: E402

ROOT = Path(__file__).parents[2]
PTXAS = cubins.find_tools() / "ptxas"


LOOP = """
        /*0000*/                   S2R R0, SR_TID.X ;
        /*0010*/               @P0 BRA 0x40 ;
        /*0020*/                   IADD3 R0, R0, 0x1, RZ ;
        /*0030*/                   IADD3 R0, R0, 0x1, RZ ;
        /*0040*/                   LOP3.LUT R1, R0, R2, RZ, 0xc0, !PT ;
        /*0050*/              @!P1 BRA 0x40 ;
        /*0060*/                   EXIT ;
        /*0070*/                   BRA 0x70;
        /*0080*/                   NOP;
"""


def run_cubins(interpret: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "TRITON_INTERPRET": interpret}
    command = [sys.executable, "-m", "kernels.cubins", "--budgets"]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.skipif(not PTXAS.is_file(), reason="this build of Triton brings no ptxas")
def test_hot_kernels_keep_their_budgets_of_instructions_and_registers_and_none_spills() -> None:
    """A few of all kernels: `python -m kernels.cubins` compiles the others, in minutes."""
    result = run_cubins("0")
    assert result.returncode == 0, result.stdout + result.stderr
    lines = result.stdout.splitlines()
    assert lines[-1] == "none spills registers"
    for path, unit in (("payload.gpu_dense.ingest", "coordinate"), ("payload.gpu_sparse.ingest", "coordinate"),
                       ("chunks.gpu.hash_pieces", "byte"), ("aggregate.gpu_ranks.select_two", "coordinate"),
                       ("aggregate.gpu_gram.multiply_rows", "value")):
        found = [line for line in lines if line.startswith(path)]
        assert found and all(f" a {unit}, " in line for line in found)
    assert all(" yes " in line for line in lines if line.startswith("aggregate.gpu_gram.multiply_rows"))
    loops = {line.split("(")[0]: line.split(")")[-1].split()[4] for line in lines if line.startswith("chunks")}
    assert int(loops["chunks.gpu.hash_pieces"]) > 600 and loops["chunks.gpu.join_pairs"] == "0"


def test_instructions_are_counted_from_the_shortest_way_to_all_of_the_code() -> None:
    assert cubins.count_instructions(LOOP) == (8, 2, 5)


def test_a_kernel_over_its_budget_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    variant = cubins.Variant(SimpleNamespace(fn=os.getcwd), (), (), ())
    name = f"{os.getcwd.__module__}.getcwd"
    monkeypatch.setitem(cubin_budgets.BUDGETS, name, lambda constants: cubin_budgets.Budget("byte", 2, 3, 1, 7))
    assert cubins.find_excess(variant, cubins.Size(168, 0, 0, False, 10, 2, 4)) == []
    excess = cubins.find_excess(variant, cubins.Size(169, 0, 0, False, 11, 2, 4))
    told = [line.split(" takes ")[1] for line in excess]
    assert told == ["7.5 instructions a byte, not 7", "169.0 registers, not 168"]
    described = cubins.describe_cost(variant, cubins.Size(1, 0, 0, False, 10, 2, 4))
    assert described.startswith("4.0 to 7.0 a byte, 1.0 to 1.8")


@pytest.mark.parametrize("arguments", [["--every"], ["--all", "x"]])
def test_misuse_is_answered_by_the_usage(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert cubins.main(arguments) == 2 and cubins.USAGE in capsys.readouterr().err


def test_without_triton_one_line_says_which_extra_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert cubins.main([]) == 2 and ".[gpu]" in capsys.readouterr().err


def test_interpreter_is_refused_as_no_compiler() -> None:
    result = run_cubins("1")
    assert result.returncode == 2 and "TRITON_INTERPRET" in result.stderr
