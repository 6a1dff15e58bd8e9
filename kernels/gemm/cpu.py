"""Exact products on the CPU.  Same functions as ref.py; operands int8 and int16, sums int32 and int64.

Reads: engine.py chooses the instructions. Large products are cut by rows over threads; a sum does not depend on it.
"""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kernels import arrays
from kernels.errors import KernelInputError
from kernels.gemm import Layout, blas, check_shapes, engine
from kernels.jit import Scalar, compiled
from kernels.tensor import Tensor

THREAD_COST_MIN = 2**24  # multiply-adds for which a second thread is worth waking: about 0.1 ms
_ROW_STEP = 32
_PAIRS = ("int8 int8", "int16 int8", "int8 int16")
_local = threading.local()


def multiply(a: Tensor, b: Tensor, layout: Layout) -> Tensor:
    """The product of int8 operands as int32, or of an int16 and an int8 one as int64; exponents add."""
    check_shapes(a.values.shape, b.values.shape, layout)
    return Tensor(multiply_stack(a.values, b.values, layout), a.exponent + b.exponent)


def multiply_stack(a: NDArray[Any], b: NDArray[Any], layout: Layout) -> NDArray[Any]:
    """The products of matrices, or of stacks of them [n, rows, columns], in plain arrays."""
    return multiply_by(engine.choose(multiply_by), a, b, layout)


def multiply_by(name: str, a: NDArray[Any], b: NDArray[Any], layout: Layout) -> NDArray[Any]:
    """multiply_stack by the engine of that name."""
    if f"{a.dtype} {b.dtype}" not in _PAIRS:
        raise KernelInputError(f"operands must be int8, or one of them int16, not {a.dtype} and {b.dtype}")
    left = a.swapaxes(-1, -2) if layout == "tn" else a
    right = b.swapaxes(-1, -2) if layout == "nt" else b
    lanes = engine.ENGINES[name]
    if not lanes or not left.size or not right.size:
        return blas.multiply(left, right)
    marker = np.int16(0) if lanes == 16 else np.int8(0)
    if left.ndim == 2:
        return _multiply_matrices(marker, left, right)
    wide = left.dtype != right.dtype
    out = arrays.new_array((*left.shape[:-1], right.shape[-1]), np.int64 if wide else np.int32)
    for index in range(len(left)):
        out[index] = _multiply_matrices(marker, left[index], right[index])
    return out


def _multiply_matrices(marker: Any, left: NDArray[Any], right: NDArray[Any]) -> NDArray[Any]:
    if left.dtype == right.dtype:
        return _multiply_int8(marker, left, right)
    ones = np.ones((left.shape[1], 1), dtype=np.int8)
    if left.dtype == np.int16:
        high, low = (_multiply_int8(marker, limb, right) for limb in split_limbs(left))
        sums = np.ascontiguousarray(_multiply_int8(marker, ones.T, right))
    else:
        high, low = (_multiply_int8(marker, left, limb) for limb in split_limbs(right))
        sums = _multiply_int8(marker, left, ones)
    out = arrays.new_array(high.shape, np.int64)
    join_limbs(high, low, sums, out)
    return out


def split_limbs(values: NDArray[np.int16]) -> tuple[NDArray[np.int8], NDArray[np.int8]]:
    """(high, low), both in -128..127, with values = 256 * high + low + 128."""
    return (values >> np.int16(8)).astype(np.int8), values.astype(np.int8) ^ np.int8(-128)


@compiled("void(int32[:, ::1], int32[:, ::1], int32[:, ::1], int64[:, ::1])")
def join_limbs(
    high: NDArray[np.int32], low: NDArray[np.int32], sums: NDArray[np.int32], out: NDArray[np.int64]
) -> None:
    """out = 256 * high + low + 128 * sums; sums [1, columns] or [rows, 1] are the int8 operand's own."""
    for row in range(out.shape[0]):
        for column in range(out.shape[1]):
            rest: Scalar = np.int64(low[row, column])
            if sums.shape[0] == 1 and sums.shape[1] == out.shape[1]:
                rest += 128 * np.int64(sums[0, column])
            else:
                rest += 128 * np.int64(sums[row, 0])
            out[row, column] = 256 * np.int64(high[row, column]) + rest


def _multiply_int8(marker: Any, left: NDArray[np.int8], right: NDArray[np.int8]) -> NDArray[np.int32]:
    from kernels.gemm import vnni

    left, right = _order(left), _order(right)
    rows, inner = left.shape
    columns = right.shape[1]
    out = arrays.new_array((rows, columns), np.int32)
    a, b, c = (array.__array_interface__["data"][0] for array in (left, right, out))
    steps = *left.strides, *right.strides
    shape = rows, inner, columns
    packed, terms, scratch = _find_work(marker, inner, columns)
    vnni.pack_right(marker, b, steps[2], steps[3], inner, columns, packed, terms)
    parts = min(engine.count_threads(), rows * inner * columns // THREAD_COST_MIN, -(-rows // _ROW_STEP))
    if parts < 2:
        vnni.multiply_rows(marker, a, steps[0], steps[1], *shape, packed, terms, c, out.strides[0], scratch)
        return out
    height = -(-rows // parts // _ROW_STEP) * _ROW_STEP

    def run(top: int) -> None:
        place = _find_scratch()
        vnni.multiply_rows(marker, a + top * steps[0], steps[0], steps[1], min(height, rows - top), inner, columns,
                           packed, terms, c + top * out.strides[0], out.strides[0], place)

    futures = [_find_pool(parts - 1).submit(run, top) for top in range(height, rows, height)]
    run(0)
    for future in futures:
        future.result()
    return out


def _order(matrix: NDArray[np.int8]) -> NDArray[np.int8]:
    """The matrix with its rows or its columns contiguous."""
    return matrix if 1 in matrix.strides else np.ascontiguousarray(matrix)


def _find_work(marker: Any, inner: int, columns: int) -> tuple[int, int, int]:
    """Addresses of this thread's memory for b, its terms and scratch; valid until the next call."""
    from kernels.gemm import vnni

    lanes = 16 if marker.dtype == np.int16 else 8
    across = -(-columns // lanes) * lanes
    b_bytes = -(-inner // 4) * 4 * across
    needed = b_bytes + -(-inner // vnni.INNER_BLOCK) * 4 * across
    if getattr(_local, "packed", np.empty(0)).size < needed:
        _local.packed = arrays.new_array(needed, np.uint8)
    start = _local.packed.__array_interface__["data"][0]
    return start, start + b_bytes, _find_scratch()


def _find_scratch() -> int:
    from kernels.gemm import vnni

    if not hasattr(_local, "scratch"):
        _local.scratch = arrays.new_array(vnni.SCRATCH_BYTES, np.uint8)
    address: int = _local.scratch.__array_interface__["data"][0]
    return address


@lru_cache(maxsize=None)
def _find_pool(threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads, thread_name_prefix="gradus-gemm")
