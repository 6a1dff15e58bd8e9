"""Weighted sums of the rows of a stack on the CPU.  Same function as ref.py.

Rows are taken two by two, as pairs of int16 times a pair of weights; sums are int32 lanes. |sum| <= 64 * 2**14 * 127
< 2**27. Source: README.md of the folder above.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from llvmlite import ir
from numpy.typing import NDArray

from kernels import arrays, pairs, threads
from kernels.aggregate.gram.tiles import ROW_BYTES
from kernels.gemm.instructions import load
from kernels.jit import Scalar, entry, find_features, intrinsic, types

if TYPE_CHECKING:
    from kernels.aggregate.types import Stack

_STRIP = 256 if "avx512bw" in find_features() else 64  # columns whose sums stay in registers
_COLUMNS = 32  # of one operand
_RUN = 4  # columns that vectors are interleaved by, so that no instruction crosses a quarter of a vector
_I16, _I32, _I64 = ir.IntType(16), ir.IntType(32), ir.IntType(64)
_BYTES = ir.VectorType(ir.IntType(8), _COLUMNS)
_HALVES = ir.VectorType(_I16, _COLUMNS)
_SUMS = ir.VectorType(_I32, _COLUMNS // 2)
_OUT_BYTES = 4 * ROW_BYTES


def _spread(builder: Any, word: Any) -> Any:
    """A pair of int16 in every place."""
    nothing = ir.Constant(_SUMS, ir.Undefined)
    single = builder.insert_element(nothing, word, ir.Constant(_I32, 0))
    return builder.bitcast(_shuffle(builder, single, nothing, [0] * _SUMS.count), _HALVES)


def _shuffle(builder: Any, left: Any, right: Any, picks: list[int]) -> Any:
    return builder.shuffle_vector(left, right, ir.Constant(ir.VectorType(_I32, len(picks)), picks))


def _read_pairs(builder: Any, place: Any) -> list[Any]:
    """Two rows of _COLUMNS as pairs: columns 0..3, 8..11, ... and columns 4..7, 12..15, ..."""
    rows = [builder.sext(load(builder, place, offset, _BYTES), _HALVES) for offset in (0, ROW_BYTES)]
    picked = []
    for part in (0, _RUN):
        columns = [start + part + place for start in range(0, _COLUMNS, 2 * _RUN) for place in range(_RUN)]
        picks = [column + _COLUMNS * row for column in columns for row in (0, 1)]
        picked.append(_shuffle(builder, rows[0], rows[1], picks))
    return picked


def _store_sums(builder: Any, low: Any, high: Any, out: Any) -> None:
    """The sums of the two halves of _read_pairs in the order of their columns."""
    lanes = _SUMS.count
    order = [part + start + lane for start in range(0, lanes, _RUN) for part in (0, lanes) for lane in range(_RUN)]
    for index in (0, 1):
        values = _shuffle(builder, low, high, order[lanes * index:lanes * (index + 1)])
        target = builder.inttoptr(builder.add(out, ir.Constant(_I64, 4 * lanes * index)), _SUMS.as_pointer())
        builder.store(values, target).align = 4


@intrinsic  # type: ignore[untyped-decorator]
def write_strip(typing: Any, place: Any, last: Any, words: Any, count: Any, out: Any) -> Any:
    """The sums of _STRIP columns to the address `out`; `last`: bytes from `place` to the last pair of rows."""
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        place, last, words, count, out = arguments
        zero, one = ir.Constant(_I64, 0), ir.Constant(_I64, 1)
        before, body, end = builder.block, builder.append_basic_block("pair"), builder.append_basic_block("strip")
        builder.branch(body)
        builder.position_at_end(body)
        rest, offset, word = builder.phi(_I64), builder.phi(_I64), builder.phi(_I64)
        held = [builder.phi(_SUMS) for _ in range(2 * _STRIP // _COLUMNS)]
        first = builder.add(place, builder.select(builder.icmp_signed("<", offset, last), offset, last))
        weight = _spread(builder, load(builder, word, 0, _I32))
        sums: list[Any] = []
        for column in range(0, _STRIP, _COLUMNS):
            for pair in _read_pairs(builder, builder.add(first, ir.Constant(_I64, column))):
                sums.append(pairs.add_pairs(builder, held[len(sums)], pair, weight))
        following = [builder.sub(rest, one), builder.add(offset, ir.Constant(_I64, 2 * ROW_BYTES)),
                     builder.add(word, ir.Constant(_I64, 4))]
        for phi, start, value in zip((rest, offset, word), (count, zero, words), following):
            phi.add_incoming(start, before)
            phi.add_incoming(value, body)
        for phi, value in zip(held, sums):
            phi.add_incoming(ir.Constant(_SUMS, None), before)
            phi.add_incoming(value, body)
        builder.cbranch(builder.icmp_signed(">", following[0], zero), body, end)
        builder.position_at_end(end)
        for index in range(0, len(sums), 2):
            _store_sums(builder, sums[index], sums[index + 1], builder.add(out, ir.Constant(_I64, 64 * index)))
        return context.get_dummy_value()

    return types.none(*[types.int64] * 5), generate


@entry(
    types.void, types.Array(types.int8, 3, "C", readonly=True), types.Array(types.int32, 1, "C"),
    types.Array(types.int32, 1, "C"),
)
def run(values: NDArray[np.int8], words: NDArray[np.int32], out: NDArray[np.int32]) -> None:
    """out = the sum over pairs of rows of a pair of weights times them; two rows or more."""
    blocks, rows, _ = values.shape
    for block in range(blocks):
        place: Scalar = np.int64(values.ctypes.data) + block * rows * ROW_BYTES
        target: Scalar = np.int64(out.ctypes.data) + block * _OUT_BYTES
        for column in range(0, ROW_BYTES, _STRIP):
            write_strip(place + column, ROW_BYTES * (rows - 2), words.ctypes.data, words.size, target + 4 * column)


def sum_weighted(stack: Stack, weights: list[int]) -> NDArray[np.int32]:
    """The sum over rows of weight times row, in a block's own grid: int32 [blocks * 256]; weights 0..2**14."""
    values = stack.values
    blocks, rows, _ = values.shape
    out = arrays.new_array(values.shape[0] * ROW_BYTES, np.int32)
    if rows == 1:
        np.multiply(values.reshape(-1), np.int32(weights[0]), out=out, dtype=np.int32)
        return out
    words = _pair_weights(weights)

    def work(begin: int, end: int) -> None:
        run(values[begin:end], words, out[ROW_BYTES * begin:ROW_BYTES * end])

    threads.run_spans(blocks, 1, values.nbytes + out.nbytes, work)
    return out


def _pair_weights(weights: list[int]) -> NDArray[np.int32]:
    """Weights of rows (0, 1), (2, 3), ...; of an odd number of rows the last pair is the last two, the first 0."""
    if len(weights) % 2:
        weights = [*weights[:-1], 0, weights[-1]]
    pair = np.array(weights, np.int32).reshape(-1, 2)
    return np.ascontiguousarray(pair[:, 0] | pair[:, 1] << 16)
