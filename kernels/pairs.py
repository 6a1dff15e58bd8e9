"""Small exact products inside compiled loops: int16 operands in pairs, int32 sums, vectors written out.

Reads/Writes: memory whose addresses the caller gives. A *word* is two int16 that follow each other along the inner
dimension: |operands| <= 127 and an inner dimension of at most 2**16 keep every sum below 2**31. x86 multiplies and
adds pairs in one instruction (pmaddwd; LLVM joins it with the sum where AVX512-VNNI is there); elsewhere LLVM finds
what serves for plain multiplications.
"""

from __future__ import annotations

from typing import Any

import llvmlite.ir
import numpy as np
from numpy.typing import NDArray

from kernels.jit import Scalar, find_features, inlined, intrinsic, types

COLUMNS = 16
ROWS = 4
ir: Any = llvmlite.ir
_I16, _I32, _I64 = ir.IntType(16), ir.IntType(32), ir.IntType(64)
_SUMS = ir.VectorType(_I32, COLUMNS)
_PAIRS = ir.VectorType(_I16, 2 * COLUMNS)
_WORDS = ir.VectorType(_I32, COLUMNS)


def _read(builder: Any, address: Any, kind: Any, align: int) -> Any:
    return builder.load(builder.inttoptr(address, kind.as_pointer()), align=align)


def _shuffle(builder: Any, values: Any, picks: list[int]) -> Any:
    mask = ir.Constant(ir.VectorType(_I32, len(picks)), picks)
    return builder.shuffle_vector(values, ir.Constant(values.type, ir.Undefined), mask)


def _spread(builder: Any, word: Any) -> Any:
    """A word in every lane, as pairs."""
    lane = builder.insert_element(ir.Constant(_WORDS, ir.Undefined), word, ir.Constant(_I32, 0))
    return builder.bitcast(_shuffle(builder, lane, [0] * COLUMNS), _PAIRS)


def add_pairs(builder: Any, sums: Any, left: Any, right: Any) -> Any:
    """sums + left.even * right.even + left.odd * right.odd."""
    name, lanes = _find_instruction()
    if not name:
        return builder.add(sums, _multiply_plain(builder, left, right))
    parts = [
        builder.call(
            _declare(builder.module, name, lanes), [_slice(builder, side, start, lanes) for side in (left, right)]
        )
        for start in range(0, 2 * COLUMNS, lanes)
    ]
    while len(parts) > 1:
        parts = [_join(builder, *parts[index:index + 2]) for index in range(0, len(parts), 2)]
    return builder.add(sums, parts[0])


def _find_instruction() -> tuple[str, int]:
    """The name of the processor's multiplication of pairs, and how many int16 it takes; ("", 0) where none is known."""
    features = find_features()
    if "avx512bw" in features:
        return "llvm.x86.avx512.pmaddw.d.512", 32
    if "avx2" in features:
        return "llvm.x86.avx2.pmadd.wd", 16
    return ("llvm.x86.sse2.pmadd.wd", 8) if "sse2" in features else ("", 0)


def _declare(module: Any, name: str, lanes: int) -> Any:
    side, result = ir.VectorType(_I16, lanes), ir.VectorType(_I32, lanes // 2)
    return module.globals.get(name) or ir.Function(module, ir.FunctionType(result, [side, side]), name)


def _slice(builder: Any, values: Any, start: int, lanes: int) -> Any:
    return values if lanes == 2 * COLUMNS else _shuffle(builder, values, list(range(start, start + lanes)))


def _join(builder: Any, low: Any, high: Any) -> Any:
    mask = ir.Constant(ir.VectorType(_I32, 2 * low.type.count), list(range(2 * low.type.count)))
    return builder.shuffle_vector(low, high, mask)


def _multiply_plain(builder: Any, left: Any, right: Any) -> Any:
    """The same of operations that every processor has."""
    products = []
    for half in (0, 1):
        picks = list(range(half, 2 * COLUMNS, 2))
        products.append(builder.mul(*(builder.sext(_shuffle(builder, side, picks), _SUMS) for side in (left, right))))
    return builder.add(*products)


@intrinsic  # type: ignore[untyped-decorator]
def multiply_tile(
    context: Any, left: Any, row_step: Any, left_step: Any, right: Any, right_step: Any, words: Any, out: Any,
    out_step: Any,
) -> Any:
    """out[r, c] = sum over w < words of left word (r, w) times right word (w, c); 4 rows, 16 columns.

    All int64. left, right, out: addresses; row_step, left_step: bytes between rows and between words of `left`;
    right_step: bytes between words of `right`, whose 16 columns follow each other; out_step: bytes between rows of
    `out`, int32.
    """
    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        left, row_step, left_step, right, right_step, words, out, out_step = arguments
        zero, one = ir.Constant(_I64, 0), ir.Constant(_I64, 1)
        before = builder.basic_block
        body, end = builder.append_basic_block("pairs"), builder.append_basic_block("pairs.end")
        nothing = ir.Constant(_SUMS, None)
        builder.cbranch(builder.icmp_signed(">", words, zero), body, end)
        builder.position_at_end(body)
        count, at, other = builder.phi(_I64), builder.phi(_I64), builder.phi(_I64)
        sums = [builder.phi(_SUMS) for _ in range(ROWS)]
        columns = _read(builder, other, _PAIRS, 4)
        address, grown = at, []
        for row in range(ROWS):
            word = _read(builder, address, _I32, 4)
            grown.append(add_pairs(builder, sums[row], _spread(builder, word), columns))
            address = builder.add(address, row_step)
        following = (builder.add(count, one), builder.add(at, left_step), builder.add(other, right_step))
        for phi, start, value in zip((count, at, other), (zero, left, right), following):
            phi.add_incoming(start, before)
            phi.add_incoming(value, body)
        for phi, value in zip(sums, grown):
            phi.add_incoming(nothing, before)
            phi.add_incoming(value, body)
        builder.cbranch(builder.icmp_signed("<", following[0], words), body, end)
        builder.position_at_end(end)
        address = out
        for value in grown:
            result = builder.phi(_SUMS)
            result.add_incoming(nothing, before)
            result.add_incoming(value, body)
            sums.append(result)
        for result in sums[ROWS:]:
            builder.store(result, builder.inttoptr(address, _SUMS.as_pointer()), align=4)
            address = builder.add(address, out_step)
        return context.get_dummy_value()

    return types.void(*[types.int64] * 8), emit


@inlined
def multiply_rows(
    left: Scalar, step: Scalar, words: Scalar, right: NDArray[np.int32], columns: Scalar, out: NDArray[np.int32]
) -> None:
    """out[0:4, 0:columns] = four rows of words at address `left`, `step` bytes apart, times rows of `right`.

    columns: rounded up to a multiple of 16.
    """
    for column in range(0, columns, COLUMNS):
        multiply_tile(
            left, step, 4, right.ctypes.data + 4 * column, 4 * right.shape[1], words, out.ctypes.data + 4 * column,
            4 * out.shape[1],
        )


@inlined
def multiply_columns(
    left: NDArray[np.int32], column: Scalar, right: NDArray[np.int32], words: Scalar, columns: Scalar,
    out: NDArray[np.int32],
) -> None:
    """out[0:4, 0:columns] = columns column..column + 3 of `left`, of words of two rows, times `right`.

    Rows above the diagonal are zero: the product starts at row `column`. columns: rounded up to a multiple of 16.
    """
    start = column // 2
    for at in range(0, columns, COLUMNS):
        multiply_tile(
            left.ctypes.data + 4 * (start * left.shape[1] + column), 4, 4 * left.shape[1],
            right.ctypes.data + 4 * (start * right.shape[1] + at), 4 * right.shape[1], words - start,
            out.ctypes.data + 4 * at, 4 * out.shape[1],
        )
