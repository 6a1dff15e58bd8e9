"""Sums over the rows of a stack in one pass: of chosen rows, of signs, of magnitudes.

Source: README.md of the folder above.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numpy.typing import NDArray

from kernels import arrays, threads
from kernels.aggregate.order.vectors import (
    BLOCK, BYTES, I8, I16, I32, I64, LANES, LINE, ZERO, Held, WideSum, declare, define, fill, finish_stores, iterate,
    load, maximum, minimum, place, spread, store, stream,
)
from kernels.aggregate.types import Stack
from kernels.jit import entry, types

STREAM_BYTES_MIN = 2**20  # of a result from which on it is written past the caches
_VECTORS = min(4, BLOCK // LANES)  # of columns at a time: their sums stay in registers
_SKIPPED_MIN = 4  # rows for each chosen one from which on the others are skipped: memory is fastest read in order
_HALVES = ir.VectorType(I16, LANES // 2)


def _columns(builder: Any, source: Any, first: int) -> list[Any]:
    """_VECTORS vectors of a row, from column `first` on."""
    return [load(builder, builder.add(source, ir.Constant(I64, first + LANES * index)), BYTES)
            for index in range(_VECTORS)]


def _store_sums(builder: Any, source: Any, chosen: Any, count: Any, out: Any, streams: Any) -> None:
    """Sums of a block's rows; chosen: address of their offsets in the block, int64 [count]."""
    for first in range(0, BLOCK, _VECTORS * LANES):
        sums = [WideSum(builder) for _ in range(_VECTORS)]
        with iterate(builder, ZERO, count) as (index, _):
            offset = load(builder, place(builder, chosen, index, 8), I64, 8)
            for total, vector in zip(sums, _columns(builder, builder.add(source, offset), first)):
                total.add(vector)
        _stream_sums(builder, sums, count, builder.add(out, ir.Constant(I64, 2 * first)), streams)


def _store_masked(builder: Any, source: Any, masks: Any, rows: Any, out: Any, streams: Any) -> None:
    """Sums of a block's rows; masks: address of -1 for each row that counts and 0 for the others, int64 [rows]."""
    for first in range(0, BLOCK, _VECTORS * LANES):
        sums = [WideSum(builder) for _ in range(_VECTORS)]
        with iterate(builder, ZERO, rows) as (index, _):
            mask = spread(builder, builder.trunc(load(builder, place(builder, masks, index, 8), I64, 8), I8), LANES)
            for total, vector in zip(sums, _columns(builder, place(builder, source, index, BLOCK), first)):
                total.add(builder.and_(vector, mask))
        _stream_sums(builder, sums, rows, builder.add(out, ir.Constant(I64, 2 * first)), streams)


def _stream_sums(builder: Any, sums: list[WideSum], count: Any, out: Any, streams: Any) -> None:
    for index, total in enumerate(sums):
        stream(builder, total.finish(count), builder.add(out, ir.Constant(I64, 2 * LANES * index)), streams)


def _store_signs(builder: Any, source: Any, rows: Any, out: Any, streams: Any) -> None:
    """Sums of the signs of a block."""
    for first in range(0, BLOCK, _VECTORS * LANES):
        sums = [Held(builder, fill(BYTES, 0)) for _ in range(_VECTORS)]
        with iterate(builder, ZERO, rows) as (index, _):
            for total, vector in zip(sums, _columns(builder, place(builder, source, index, BLOCK), first)):
                sign = maximum(builder, minimum(builder, vector, fill(BYTES, 1)), fill(BYTES, -1))
                total.set(builder.add(total.get(), sign))
        for index, total in enumerate(sums):
            stream(builder, total.get(), builder.add(out, ir.Constant(I64, first + LANES * index)), streams)


def _store_magnitudes(builder: Any, source: Any, rows: Any, out: Any) -> None:
    """Sums of |value| over each row of a block: int32 [rows].  256 * 128 fits an unsigned int16."""
    name = f"llvm.vector.reduce.add.v{LANES // 2}i16"
    reduce = declare(builder, name, ir.FunctionType(I16, [_HALVES]))
    with iterate(builder, ZERO, rows) as (index, _):
        total = fill(_HALVES, 0)
        for first in range(0, BLOCK, LANES):
            address = builder.add(place(builder, source, index, BLOCK), ir.Constant(I64, first))
            vector = load(builder, address, BYTES)
            words = builder.bitcast(maximum(builder, vector, builder.sub(fill(BYTES, 0), vector)), _HALVES)
            total = builder.add(total, builder.and_(words, fill(_HALVES, 255)))
            total = builder.add(total, builder.lshr(words, fill(_HALVES, 8)))
        store(builder, builder.zext(builder.call(reduce, [total]), I32), place(builder, out, index, 4), 4)


_add_rows, _add_masked = define(_store_sums), define(_store_masked)
_add_signs, _add_magnitudes = define(_store_signs), define(_store_magnitudes)


@entry(types.void, *[types.int64] * 8)
def sum_rows_span(
    values: int, rows: int, begin: int, end: int, chosen: int, count: int, out: int, streams: int
) -> None:
    """Sums of rows of blocks begin..end-1.  chosen: address of `count` offsets; of masks of all rows if that is 0."""
    for block in range(begin, end):
        source, target = values + block * rows * BLOCK, out + 2 * block * BLOCK
        if count == 0:
            _add_masked((source, chosen, rows, target, streams))
        else:
            _add_rows((source, chosen, count, target, streams))
    if streams != 0:
        finish_stores(())


@entry(types.void, *[types.int64] * 6)
def sum_signs_span(values: int, rows: int, begin: int, end: int, out: int, streams: int) -> None:
    """Sums of the signs of blocks begin..end-1."""
    for block in range(begin, end):
        _add_signs((values + block * rows * BLOCK, rows, out + block * BLOCK, streams))
    if streams != 0:
        finish_stores(())


@entry(types.void, *[types.int64] * 5)
def sum_magnitudes_span(values: int, rows: int, begin: int, end: int, out: int) -> None:
    """Sums of the magnitudes of blocks begin..end-1."""
    for block in range(begin, end):
        _add_magnitudes((values + block * rows * BLOCK, rows, out + 4 * block * rows))


def is_streamed(out: NDArray[Any]) -> int:
    """1 if a result is to be written past the caches, else 0."""
    return int(out.nbytes >= STREAM_BYTES_MIN and out.ctypes.data % LINE == 0)


def sum_chosen(stack: Stack, chosen: list[int]) -> NDArray[np.int16]:
    """Sum of the chosen rows, each named once: int16 [W]."""
    values = stack.values
    blocks, rows, _ = values.shape
    out = arrays.new_array(blocks * BLOCK, np.int16)
    count = 0 if len(chosen) * _SKIPPED_MIN > rows else len(chosen)
    if count:
        places = np.array(chosen, dtype=np.int64) * BLOCK
    else:
        places = np.zeros(rows, dtype=np.int64)
        places[chosen] = -1

    def work(begin: int, end: int) -> None:
        sum_rows_span(values.ctypes.data, rows, begin, end, places.ctypes.data, count, out.ctypes.data,
                      is_streamed(out))

    threads.run_spans(blocks, 1, blocks * BLOCK * ((count or rows) + 2), work)
    return out


def sum_signs(stack: Stack) -> NDArray[np.int8]:
    """Rows above zero less rows below it, of each coordinate: int8 [W]."""
    values = stack.values
    blocks, rows, _ = values.shape
    out = arrays.new_array(blocks * BLOCK, np.int8)

    def work(begin: int, end: int) -> None:
        sum_signs_span(values.ctypes.data, rows, begin, end, out.ctypes.data, is_streamed(out))

    threads.run_spans(blocks, 1, values.nbytes, work)
    return out


def sum_magnitudes(stack: Stack) -> NDArray[np.int32]:
    """Sum of |value| of each block and row: int32 [blocks, n]."""
    values = stack.values
    blocks, rows, _ = values.shape
    out = arrays.new_array((blocks, rows), np.int32)

    def work(begin: int, end: int) -> None:
        sum_magnitudes_span(values.ctypes.data, rows, begin, end, out.ctypes.data)

    threads.run_spans(blocks, 1, values.nbytes, work)
    return out
