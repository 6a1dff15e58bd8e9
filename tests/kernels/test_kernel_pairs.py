"""The small product of pairs is exact, at the ends of its operands and for every tile and stride."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from kernels.jit import compiled
from kernels.pairs import multiply_columns, multiply_rows

ROOT = Path(__file__).resolve().parents[2]
FEATURES = {"sse2": "+sse2", "avx2": "+sse2,+avx,+avx2"}


@compiled("void(int16[:, ::1], int32[:, ::1], int64, int32[:, ::1])")
def multiply(left: np.ndarray, right: np.ndarray, words: int, out: np.ndarray) -> None:
    """out = the first words of four rows, times right."""
    multiply_rows(left.ctypes.data, 2 * left.shape[1], words, right, out.shape[1], out)


@compiled("void(int32[:, ::1], int64, int32[:, ::1], int64, int32[:, ::1])")
def multiply_transposed(
    left: np.ndarray, column: int, right: np.ndarray, words: int, out: np.ndarray
) -> None:
    """out = columns column..column + 3 of left, from row `column` on, times right."""
    multiply_columns(left, column, right, words, out.shape[1], out)


def pack(matrix: np.ndarray) -> np.ndarray:
    """Rows 2p and 2p + 1 in one word."""
    inner, columns = matrix.shape
    return np.ascontiguousarray(matrix.reshape(inner // 2, 2, columns).swapaxes(1, 2)).view(np.int32)[:, :, 0]


@pytest.mark.parametrize("inner", [0, 2, 6, 64, 300])
@pytest.mark.parametrize("columns", [16, 48])
def test_product_is_exact_for_drawn_and_extreme_operands(inner: int, columns: int) -> None:
    random = np.random.default_rng(inner + columns)
    for low, high in ((-127, 127), (127, 127), (-127, -127)):
        left = random.integers(low, high + 1, (4, inner + 2)).astype(np.int16)
        right = random.integers(low, high + 1, (inner, columns)).astype(np.int16)
        out = np.full((4, columns), 0x5A5A5A5A, dtype=np.int32)
        multiply(left, pack(right), inner // 2, out)
        assert (out == left[:, :inner].astype(np.int64) @ right.astype(np.int64)).all()


@pytest.mark.parametrize("inner", [8, 66])
def test_transposed_product_starts_at_the_diagonal(inner: int) -> None:
    random = np.random.default_rng(inner)
    left = np.tril(random.integers(-127, 128, (inner, inner))).astype(np.int16)
    right = random.integers(-127, 128, (inner, 16)).astype(np.int16)
    out = np.empty((4, 16), dtype=np.int32)
    for column in range(0, inner - 3, 4):
        multiply_transposed(pack(left), column, pack(right), inner // 2, out)
        assert (out == left.astype(np.int64).T[column:column + 4] @ right.astype(np.int64)).all()


@pytest.mark.parametrize("name", FEATURES)
def test_product_is_exact_on_an_older_processor(name: str, tmp_path: Path) -> None:
    """The same test, compiled for fewer instructions; the engines of large products are told of them too."""
    environment = {
        "PATH": "/usr/bin:/bin", "PYTHONPATH": f"{ROOT}:{ROOT / 'tests/kernels'}", "NUMBA_CACHE_DIR": str(tmp_path),
        "NUMBA_CPU_NAME": "x86-64", "NUMBA_CPU_FEATURES": FEATURES[name],
    }
    code = (
        "import test_kernel_pairs as t\n"
        "from kernels.gemm import engine\n"
        "for inner in (0, 2, 64, 300):\n"
        "    t.test_product_is_exact_for_drawn_and_extreme_operands(inner, 48)\n"
        "assert engine.list_engines() == ('blas',)\n"
    )
    subprocess.run([sys.executable, "-c", code], env=environment, check=True, timeout=300)
