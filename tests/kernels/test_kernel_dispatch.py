"""The choice of a back end: lazy imports, the environment, the self-test and its loud fallback."""

from __future__ import annotations

import logging
import math
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from kernels import bench, dispatch, payload, selftest, unit
from kernels.errors import KernelInputError
from kernels.unit.cases import new_policy

ROOT = Path(__file__).parents[2]
OPS = "kernels, kernels.mlp, kernels.unit, kernels.payload, kernels.aggregate, kernels.outer, kernels.chunks, " \
    "kernels.generate, kernels.tokenizer"


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


@pytest.fixture
def trusted(unchosen: pytest.MonkeyPatch) -> None:
    """Every back end that loads passes its self-test."""
    unchosen.setattr(selftest, "find_failures", lambda backend, progress: [])


def test_auto_is_cpu_where_torch_sees_no_device(unchosen: pytest.MonkeyPatch, trusted: None) -> None:
    unchosen.setenv(dispatch.BACKEND_VARIABLE, "auto")
    unchosen.setitem(sys.modules, "torch", SimpleNamespace(cuda=SimpleNamespace(is_available=lambda: False)))
    unchosen.setattr("importlib.util.find_spec", lambda name: name)
    assert dispatch.choose() == dispatch.Choice("cpu", "auto")


def test_auto_is_cpu_where_torch_is_not_installed(unchosen: pytest.MonkeyPatch, trusted: None) -> None:
    unchosen.setenv(dispatch.BACKEND_VARIABLE, "auto")
    unchosen.setattr("importlib.util.find_spec", lambda name: None)
    assert dispatch.choose() == dispatch.Choice("cpu", "auto")


def test_auto_is_gpu_where_torch_sees_a_device(unchosen: pytest.MonkeyPatch, trusted: None) -> None:
    unchosen.setenv(dispatch.BACKEND_VARIABLE, "auto")
    unchosen.setitem(sys.modules, "torch", SimpleNamespace(cuda=SimpleNamespace(is_available=lambda: True)))
    unchosen.setattr("importlib.util.find_spec", lambda name: name)
    assert dispatch.choose() == dispatch.Choice("gpu", "auto")


def test_gpu_is_chosen_in_the_interpreter_when_its_self_test_passes(unchosen: pytest.MonkeyPatch) -> None:
    unchosen.setenv(dispatch.BACKEND_VARIABLE, "gpu")
    told: list[tuple[str, int, int]] = []
    choice = dispatch.choose(lambda what, done, total: told.append((what, done, total)))
    cases = selftest.select_cases("gpu")
    assert choice == dispatch.Choice("gpu", "gpu") and told[-1] == ("done", len(cases), len(cases))
    assert dispatch.implementation("quantise").__name__ == "kernels.quantise.gpu"
    assert dispatch.implementation("generate").__name__ == "kernels.generate.cpu"


def test_every_op_with_a_reference_is_computed_by_the_device_or_listed_as_the_cpus() -> None:
    folders = sorted(path.parent for path in (ROOT / "kernels").glob("*/ref.py"))
    assert sorted((*dispatch.GPU_OPS, *dispatch.CPU_OPS)) == [folder.name for folder in folders]
    for folder in folders:
        assert (folder / "gpu.py").is_file() == (folder.name in dispatch.GPU_OPS)


def test_gpu_without_a_device_falls_back_to_cpu_and_says_which_extra_to_install(
    unchosen: pytest.MonkeyPatch, trusted: None, caplog: pytest.LogCaptureFixture
) -> None:
    from kernels import device

    unchosen.setenv(dispatch.BACKEND_VARIABLE, "gpu")
    unchosen.setattr(device, "IS_INTERPRETED", False)
    unchosen.setattr(device, "has_device", lambda: False)
    with caplog.at_level(logging.ERROR, logger="gradus.kernels"):
        choice = dispatch.choose()
    assert choice == dispatch.Choice("cpu", "gpu", device.NO_DEVICE)
    assert ".[gpu]" in caplog.text and "The cpu back end takes over" in caplog.text


def test_gpu_without_triton_falls_back_to_cpu_and_says_which_extra_to_install(
    unchosen: pytest.MonkeyPatch, trusted: None, caplog: pytest.LogCaptureFixture
) -> None:
    unchosen.setenv(dispatch.BACKEND_VARIABLE, "gpu")
    unchosen.setattr("importlib.util.find_spec", lambda name: None)
    assert dispatch.choose().backend == "cpu" and "pip install '.[gpu]'" in caplog.text


def test_gpu_and_cpu_with_wrong_results_are_replaced_one_after_the_other(
    unchosen: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    unchosen.setenv(dispatch.BACKEND_VARIABLE, "gpu")
    unchosen.setattr(selftest, "find_failures", lambda backend, progress: [f"{backend}/odd"])
    choice = dispatch.choose()
    assert choice.backend == "ref" and "gpu/odd" in choice.problem and "cpu/odd" in choice.problem
    assert "The cpu back end" in caplog.text and "The slow reference back end" in caplog.text


def test_unknown_backend_is_refused_by_name(unchosen: pytest.MonkeyPatch) -> None:
    unchosen.setenv(dispatch.BACKEND_VARIABLE, "tpu")
    with pytest.raises(KernelInputError, match="GRADUS_KERNELS_BACKEND is one of ref, cpu"):
        dispatch.choose()


@pytest.mark.parametrize("variable", ["GRADUS_KERNELS_THREADS", "GRADUS_KERNELS_GEMM"])
def test_setting_of_the_products_that_means_nothing_is_refused_at_the_choice(
    unchosen: pytest.MonkeyPatch, variable: str
) -> None:
    """Not in a product, where a block would take it for a fault of the rows."""
    unchosen.setenv(variable, "many")
    with pytest.raises(KernelInputError, match=variable):
        dispatch.choose()


def test_backend_with_a_wrong_result_is_replaced_and_reported(
    unchosen: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from kernels.payload import cpu

    right = cpu.decode
    unchosen.setattr(cpu, "decode", lambda data, count, codec: right(data, count, codec) + 1)
    with caplog.at_level(logging.ERROR, logger="gradus.kernels"):
        choice = dispatch.choose()
    assert choice.backend == "ref" and "payload/small" in choice.problem
    assert "payload/small" in caplog.text
    assert payload.decode(b"\x00\x05", 1, "int8/256") == (5).to_bytes(8, "little")


def break_products(patch: pytest.MonkeyPatch, is_broken: Callable[[tuple[int, int, int]], bool]) -> None:
    """The last column of a product is wrong where `is_broken` says so of (rows, inner, columns)."""
    from kernels.gemm import cpu

    right = cpu.multiply_by

    def multiply(engine: str, first: Any, second: Any, layout: Any) -> Any:
        product = right(engine, first, second, layout)
        if is_broken((len(product), first.size // len(product), product.shape[1])):
            product[:, -1] += 5000
        return product

    patch.setattr(cpu, "multiply_by", multiply)


@pytest.mark.parametrize("multiply_adds", [30_000, 2**27])
def test_backend_that_is_wrong_in_large_products_alone_is_replaced_and_reported(
    unchosen: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, multiply_adds: int
) -> None:
    break_products(unchosen, lambda shape: math.prod(shape) > multiply_adds)
    with caplog.at_level(logging.ERROR, logger="gradus.kernels"):
        choice = dispatch.choose()
    assert choice.backend == "ref" and dispatch.backend() == "ref"
    for layout in ("a@w", "aT@e", "e@wT"):
        assert f"product/{layout} random 511x2500x513" in choice.problem and layout in caplog.text


@pytest.mark.parametrize("chunk, reported", [(1041, 2500), (1250, 2500), (4096, 2500), (700, None)])
def test_products_over_more_inner_elements_than_float32_holds_are_reported(
    monkeypatch: pytest.MonkeyPatch, chunk: int, reported: int | None
) -> None:
    from kernels.gemm import blas, engine

    monkeypatch.setattr(blas, "INNER_CHUNK", chunk)
    with engine.forced("blas"):
        failed = [name for name in selftest.find_failures("cpu") if name.startswith("product/")]
    assert bool(failed) == (reported is not None) and all(f"x{reported}x" in name for name in failed)


def test_backend_that_is_wrong_in_the_shape_of_a_policy_alone_is_replaced_when_warmed_for_it(
    unchosen: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    break_products(unchosen, lambda shape: shape == (33, 70, 60))
    policy = new_policy((70, 60, 5), 4, 33, 6554, 58982, 2)
    assert dispatch.warm() == dispatch.Choice("cpu", "cpu")
    assert dispatch.warm(replace(policy, batch_rows=32)) == dispatch.Choice("cpu", "cpu")
    with caplog.at_level(logging.ERROR, logger="gradus.kernels"):
        choice = dispatch.warm(policy)
    assert choice == dispatch.Choice("ref", "cpu", "wrong results in a local step of a classifier of widths 70-60-5")
    assert choice.problem in caplog.text
    assert dispatch.choose() is choice and dispatch.backend() == "ref"


def test_backend_that_fails_in_the_shape_of_a_policy_is_replaced_and_reported(
    unchosen: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    dispatch.warm()
    unchosen.setattr("kernels.mlp.cpu.activate", None)
    with caplog.at_level(logging.ERROR, logger="gradus.kernels"):
        choice = dispatch.warm(new_policy((3, 2, 2), 2, 2, 6554, 58982, 1))
    assert choice.backend == "ref" and "widths 3-2-2: TypeError" in choice.problem and choice.problem in caplog.text


def test_policy_outside_the_ranges_is_refused_by_warm_and_no_fault_of_the_backend(unchosen: pytest.MonkeyPatch) -> None:
    with pytest.raises(KernelInputError, match="batch_rows"):
        dispatch.warm(new_policy((3, 2), 2, 0, 6554, 58982, 1))
    assert dispatch.backend() == "cpu"


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


@pytest.mark.parametrize("widths, rows, run_rows", [
    ((64, 128, 64, 10), 16, 16), ((3, 2), 1, 1), ((65536, 4, 2), 256, 127),
])
def test_warm_compares_one_step_of_the_policy_with_fewer_rows_where_they_are_too_many_for_the_reference(
    monkeypatch: pytest.MonkeyPatch, widths: tuple[int, ...], rows: int, run_rows: int
) -> None:
    dispatch.choose()
    ran: list[tuple[str, unit.UnitPolicy]] = []
    run = unit.run_unit
    monkeypatch.setattr(unit, "run_unit", lambda policy, *rest: (
        ran.append((dispatch.backend(), policy)), run(policy, *rest))[1])
    told: list[tuple[str, int, int]] = []
    policy = new_policy(widths, 16, rows, 6554, 58982, 4)
    assert dispatch.warm(policy, lambda what, done, total: told.append((what, done, total))).backend == "cpu"
    step = replace(policy, local_steps=1, batch_rows=run_rows, trace_every=1)
    assert ran == [("ref", step), ("cpu", step)]
    assert told[-1] == ("done", 1, 1)


def test_bench_refuses_to_time_a_wrong_backend(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(selftest, "find_failures", lambda backend: ["unit/odd"])
    assert bench.main([]) == 1
    assert "unit/odd" in capsys.readouterr().err
