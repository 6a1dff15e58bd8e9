"""Exact products on the CPU.  Same functions as ref.py; operands int8 and int16, sums int32 and int64.

Reads: engine.py chooses the instructions. Large products are cut by rows over threads; a sum does not depend on it.
"""

from __future__ import annotations

import importlib
import threading
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kernels import arrays, threads
from kernels.errors import KernelInputError
from kernels.gemm import Layout, blas, check_shapes, engine
from kernels.jit import Scalar, compiled
from kernels.tensor import Tensor

_ROW_STEP = 32
_WIDE = {"bb": False, "hb": True, "bh": True}  # by the operands' types: int8 is b, int16 is h
_ANY = np.zeros((1, 1), dtype=np.int8)
_PACK, _MULTIPLY, _WHOLE = 1, 2, 3
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
    is_wide = _WIDE.get(a.dtype.char + b.dtype.char)
    if is_wide is None:
        raise KernelInputError(f"operands must be int8, or one of them int16, not {a.dtype} and {b.dtype}")
    left = a.swapaxes(-1, -2) if layout == "tn" else a
    right = b.swapaxes(-1, -2) if layout == "nt" else b
    lanes = engine.ENGINES[name]
    if not lanes or not left.size or not right.size:
        return blas.multiply(left, right)
    if left.ndim == 2:
        return _multiply_wide(lanes, left, right) if is_wide else _multiply_int8(lanes, left, right)
    out = arrays.new_array((*left.shape[:-1], right.shape[-1]), np.int64 if is_wide else np.int32)
    for index in range(len(left)):
        if is_wide:
            out[index] = _multiply_wide(lanes, left[index], right[index])
        else:
            _multiply_into(lanes, left[index], right[index], out[index])
    return out


def _multiply_wide(lanes: int, left: NDArray[Any], right: NDArray[Any]) -> NDArray[np.int64]:
    ones = np.ones((left.shape[1], 1), dtype=np.int8)
    if left.dtype == np.int16:
        high, low = (_multiply_int8(lanes, limb, right) for limb in split_limbs(left))
        sums = _multiply_int8(lanes, ones.T, right)
    else:
        high, low = (_multiply_int8(lanes, left, limb) for limb in split_limbs(right))
        sums = _multiply_int8(lanes, left, ones)
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
        if sums.shape[0] == 1 and sums.shape[1] == out.shape[1]:
            for column in range(out.shape[1]):
                rest: Scalar = np.int64(low[row, column]) + 128 * np.int64(sums[0, column])
                out[row, column] = 256 * np.int64(high[row, column]) + rest
        else:
            term: Scalar = 128 * np.int64(sums[row, 0])
            for column in range(out.shape[1]):
                out[row, column] = 256 * np.int64(high[row, column]) + np.int64(low[row, column]) + term


def _multiply_int8(lanes: int, left: NDArray[np.int8], right: NDArray[np.int8]) -> NDArray[np.int32]:
    out = arrays.new_array((left.shape[0], right.shape[1]), np.int32)
    _multiply_into(lanes, left, right, out)
    return out


def _multiply_into(lanes: int, left: NDArray[np.int8], right: NDArray[np.int8], out: NDArray[np.int32]) -> None:
    rows, columns = out.shape
    inner = len(right)
    if 1 not in left.strides:
        left = np.ascontiguousarray(left)
    if 1 not in right.strides:
        right = np.ascontiguousarray(right)
    run, packed = _load_run(lanes), _find_packed(inner, columns)
    cost = rows * inner * columns // threads.MULTIPLY_ADDS_PER_BYTE
    if threads.find_span(rows, _ROW_STEP, cost) >= rows:
        run(left, right, out, packed, _find_scratch(), _WHOLE)
        return
    run(_ANY, right, out, packed, _find_scratch(), _PACK)

    def multiply_part(top: int, bottom: int) -> None:
        run(left[top:bottom], right, out[top:bottom], packed, _find_scratch(), _MULTIPLY)

    threads.run_spans(rows, _ROW_STEP, cost, multiply_part)


def _find_packed(inner: int, columns: int) -> NDArray[np.uint8]:
    """This thread's memory for a packed operand and its terms, at any vector width; it lasts until the next call."""
    needed = (inner + inner // 128 + 8) * (columns + 16) + 64
    held: NDArray[np.uint8] | None = getattr(_local, "packed", None)
    if held is None or held.size < needed:
        held = _local.packed = arrays.new_array(needed, np.uint8)
    return held


def _find_scratch() -> NDArray[np.uint8]:
    held: NDArray[np.uint8] | None = getattr(_local, "scratch", None)
    if held is None:
        from kernels.gemm import vnni

        held = _local.scratch = arrays.new_array(vnni.SCRATCH_BYTES, np.uint8)
    return held


@lru_cache(maxsize=None)
def _load_run(lanes: int) -> Any:
    return importlib.import_module(f"kernels.gemm.vnni{32 * lanes}").run
