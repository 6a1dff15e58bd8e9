"""Exact products: every engine, layout, type, odd shape and number of threads gives the integers of int64."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_kernel_backends import POISON

from kernels import dispatch, gemm, samples, threads
from kernels.errors import KernelInputError
from kernels.gemm import blas, cpu, engine
from kernels.tensor import Tensor

ROOT = Path(__file__).parents[2]
ENGINES = engine.list_engines()
PAIRS = ((np.int8, np.int8), (np.int16, np.int8), (np.int8, np.int16))


def draw_operand(label: str, shape: tuple[int, ...], dtype: Any, extreme: bool = False) -> np.ndarray:
    raw = np.frombuffer(samples.sample(label, int(np.prod(shape)) * np.dtype(dtype).itemsize), dtype).reshape(shape)
    limit = np.iinfo(dtype).max
    return np.where(raw < 0, -limit, limit).astype(dtype) if extreme else np.maximum(raw, -limit)


def draw_pair(
    shape: tuple[int, int, int], layout: str, dtypes: Any, label: str = "", extreme: bool = False, stack: tuple = ()
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(a, b, their product in int64)."""
    rows, inner, columns = shape
    a = draw_operand(label + "a", (*stack, *((inner, rows) if layout == "tn" else (rows, inner))), dtypes[0], extreme)
    b = draw_operand(label + "b", (*stack, *((columns, inner) if layout == "nt" else (inner, columns))), dtypes[1],
                     extreme)
    left = a.swapaxes(-1, -2) if layout == "tn" else a
    right = b.swapaxes(-1, -2) if layout == "nt" else b
    return a, b, left.astype(np.int64) @ right.astype(np.int64)


@POISON
@given(shape=st.tuples(*[st.integers(1, 90)] * 3), layout=st.sampled_from(gemm.LAYOUTS), dtypes=st.sampled_from(PAIRS),
       name=st.sampled_from(ENGINES), extreme=st.booleans(), label=st.text("ab", max_size=3))
def test_product_of_any_shape_is_the_int64_product_on_every_engine(
    poisoned: None, shape: tuple[int, int, int], layout: gemm.Layout, dtypes: Any, name: str, extreme: bool, label: str
) -> None:
    a, b, expected = draw_pair(shape, layout, dtypes, label, extreme)
    with engine.forced(name):
        result = cpu.multiply(Tensor(a, 3), Tensor(b, -5), layout)
    assert result.exponent == -2
    assert result.values.dtype == (np.int32 if dtypes == PAIRS[0] else np.int64)
    assert np.array_equal(result.values, expected)


@pytest.mark.parametrize("name", ENGINES)
@pytest.mark.parametrize("layout", gemm.LAYOUTS)
@pytest.mark.parametrize("dtypes", PAIRS)
def test_inner_dimension_beside_and_beyond_every_block_is_exact(name: str, layout: gemm.Layout, dtypes: Any) -> None:
    with engine.forced(name):
        for inner in (511, 512, 513, 1023, 1024, 1025, 2500, 65536):
            a, b, expected = draw_pair((9, inner, 19), layout, dtypes, "inner", extreme=True)
            assert np.array_equal(cpu.multiply_stack(a, b, layout), expected), inner


@pytest.mark.parametrize("name", ENGINES)
@pytest.mark.parametrize("layout", gemm.LAYOUTS)
@pytest.mark.parametrize("dtypes", PAIRS)
def test_rows_beside_and_beyond_every_block_are_exact(name: str, layout: gemm.Layout, dtypes: Any) -> None:
    with engine.forced(name):
        for rows in (255, 256, 257, 530):
            a, b, expected = draw_pair((rows, 37, 50), layout, dtypes, "rows")
            assert np.array_equal(cpu.multiply_stack(a, b, layout), expected), rows


@pytest.mark.parametrize("name", ENGINES)
@pytest.mark.parametrize("layout", gemm.LAYOUTS)
def test_largest_sum_of_equal_signs_reaches_its_bound(name: str, layout: gemm.Layout) -> None:
    for low, high in ((127, 127), (-127, 127), (-128, -128), (-128, 127)):
        a = np.full((65536, 2) if layout == "tn" else (2, 65536), low, dtype=np.int8)
        b = np.full((2, 65536) if layout == "nt" else (65536, 2), high, dtype=np.int8)
        with engine.forced(name):
            assert (cpu.multiply_stack(a, b, layout) == 65536 * low * high).all()


@pytest.mark.parametrize("name", ENGINES)
@pytest.mark.parametrize("count", ["1", "2", "3", "7"])
def test_number_of_threads_changes_nothing(
    name: str, count: str, monkeypatch: pytest.MonkeyPatch, poisoned: None
) -> None:
    monkeypatch.setenv(engine.THREADS_VARIABLE, count)
    monkeypatch.setattr(threads, "SPAN_COST_MIN", 2**12)
    for layout in gemm.LAYOUTS:
        for dtypes in PAIRS:
            a, b, expected = draw_pair((301, 130, 70), layout, dtypes, "threads")
            with engine.forced(name):
                assert np.array_equal(cpu.multiply_stack(a, b, layout), expected)


@pytest.mark.parametrize("name", ENGINES)
@pytest.mark.parametrize("dtypes", PAIRS)
def test_stack_of_matrices_is_multiplied_one_by_one(name: str, dtypes: Any, poisoned: None) -> None:
    for layout in gemm.LAYOUTS:
        a, b, expected = draw_pair((17, 24, 33), layout, dtypes, "stack", stack=(5,))
        with engine.forced(name):
            assert np.array_equal(cpu.multiply_stack(a, b, layout), expected)


@pytest.mark.parametrize("name", ENGINES)
def test_operands_may_be_views_of_larger_arrays_and_read_only(name: str) -> None:
    whole = draw_operand("whole", (60, 90), np.int8)
    whole.flags.writeable = False
    for left, right in ((whole[3:20, 5:50], whole[1:46, 7:29]), (whole[::2, ::3], whole[:30, 2:80:3]),
                        (whole[5:6], whole[:, 3:4].repeat(2, 1)[:90]), (whole.T[2:9], whole[:, 3:70])):
        if left.shape[1] != right.shape[0]:
            right = right[:left.shape[1]] if len(right) > left.shape[1] else np.resize(right, (left.shape[1], 3))
        expected = left.astype(np.int64) @ right.astype(np.int64)
        with engine.forced(name):
            assert np.array_equal(cpu.multiply_stack(left, right, "nn"), expected)


@pytest.mark.parametrize("name", ENGINES)
def test_empty_inner_dimension_gives_zeros(name: str) -> None:
    with engine.forced(name):
        sums = cpu.multiply_stack(np.zeros((3, 0), np.int8), np.zeros((0, 2), np.int8), "nn")
    assert np.array_equal(sums, np.zeros((3, 2)))


def test_unknown_layouts_types_and_shapes_are_refused(backend: str) -> None:
    op = dispatch.implementation("gemm")

    def multiply(a: tuple[int, ...], b: tuple[int, ...], layout: Any) -> Any:
        return op.multiply(Tensor(np.zeros(a, np.int8), 0), Tensor(np.zeros(b, np.int8), 0), layout)

    for a, b, layout, hint in (((2, 3), (4, 5), "nn", "inner dimensions"), ((2, 3), (3, 5), "tt", "layout"),
                               ((2, 3, 4), (4, 5), "nn", "matrices"), ((1, 65537), (65537, 1), "nn", "65536")):
        with pytest.raises(KernelInputError, match=hint):
            multiply(a, b, layout)
    with pytest.raises(KernelInputError, match="int16 and int16"):
        cpu.multiply_stack(np.zeros((2, 2), np.int16), np.zeros((2, 2), np.int16), "nn")


def test_engine_with_a_wrong_product_is_reported_and_replaced(caplog: pytest.LogCaptureFixture) -> None:
    """An engine that saturates in int16, as vpmaddubsw does, fails; the log says so."""
    def saturate(name: str, a: np.ndarray, b: np.ndarray, layout: gemm.Layout) -> np.ndarray:
        exact = cpu.multiply_by("blas", a, b, layout)
        return exact if name == "blas" else np.clip(exact, -2**15, 2**15 - 1)

    assert "wrong product" in engine.find_problem("vnni512", saturate)
    assert engine.find_problem("blas", saturate) == ""
    with caplog.at_level(logging.ERROR, "gradus.kernels"):
        assert engine._choose("", saturate) == "blas"
    assert len(caplog.records) == len(ENGINES) - 1


def test_engine_that_cannot_be_compiled_is_reported_and_replaced(caplog: pytest.LogCaptureFixture) -> None:
    def fail(name: str, a: np.ndarray, b: np.ndarray, layout: gemm.Layout) -> np.ndarray:
        raise RuntimeError("no such instruction")

    with caplog.at_level(logging.ERROR, "gradus.kernels"):
        assert engine._choose("", fail) == "blas"
    assert len(caplog.records) == len(ENGINES) - 1


def test_host_without_the_instructions_uses_blas_in_silence_unless_asked_for_more(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from kernels.gemm import instructions

    monkeypatch.setattr(instructions, "find_features", lambda: frozenset(("avx2",)))
    with caplog.at_level(logging.ERROR, "gradus.kernels"):
        assert engine.list_engines() == ("blas",)
        assert engine._choose("", cpu.multiply_by) == "blas"
        assert not caplog.records
        assert engine._choose("vnni", cpu.multiply_by) == "blas"
        assert len(caplog.records) == 1
    with pytest.raises(KernelInputError, match="not to be had here"), engine.forced("vnni512"):
        pass


def test_unknown_settings_are_refused_with_what_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(KernelInputError, match="vnni512, vnni256, blas, vnni"):
        engine._choose("fast", cpu.multiply_by)
    for wrong in ("0", "-1", "two", "257", "²"):
        monkeypatch.setenv(engine.THREADS_VARIABLE, wrong)
        with pytest.raises(KernelInputError, match="1..256"):
            engine.count_threads()


@pytest.mark.parametrize("name", ENGINES)
def test_environment_chooses_the_engine_and_the_golden_hashes_stay(name: str) -> None:
    code = ("import json, sys; from kernels import dispatch, selftest; from kernels.gemm import cpu, engine\n"
            "with dispatch.forced('cpu'): found = selftest.compute_digests('gemm')\n"
            "json.dump([engine.choose(cpu.multiply_by), found], sys.stdout)")
    environment = {**os.environ, engine.GEMM_VARIABLE: name, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    golden = json.loads((Path(__file__).with_name("golden") / "gemm.json").read_text())
    assert json.loads(done.stdout) == [name, golden]


def test_limbs_make_up_every_int16() -> None:
    values = np.arange(-32768, 32768).astype(np.int16)
    high, low = cpu.split_limbs(values)
    assert high.dtype == low.dtype == np.int8
    assert (256 * high.astype(np.int64) + low + 128 == values).all()
    high, low = blas.split_limbs(values)
    assert (256 * high.astype(np.int64) + low == values).all() and abs(high).max() == 128 and abs(low).max() == 128
