"""The payload codecs in compiled loops, cut by regions over threads.  Same functions as ref.py.

Arrays are C-contiguous. A fault is told in ref's words: the loops find the first region that has one.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from kernels import arrays, checks, gin1, threads
from kernels.payload import dense, encoders, ref, sparse, types
from kernels.payload.ref import Bytes, add_residual, read_exponents
from kernels.payload.types import BLOCK_VALUES, CHUNK_ENTRIES, CHUNK_VALUES, FORMATS, REGION_VALUES

__all__ = ["accumulate", "add_residual", "decode", "encode", "fill_row", "find_fault", "read_exponents", "squares"]

_LINE, _STREAMED_BYTES_MIN = 64, 2**20  # what is larger is not read from the caches afterwards
_NO_GRID = np.zeros(0, dtype=np.uint8)
_NO_VALUES = np.zeros(0, dtype=np.int64)


def encode(values: NDArray[np.int64], keys: tuple[int, int], codec: str) -> Bytes:
    """The payload of a delta.

    Raises: KernelInputError for a magnitude above 2**32 - 1.
    """
    form = FORMATS[codec]
    data = arrays.new_array(types.compute_bytes(values.size, form), np.uint8)
    outside: list[int] = []

    def encode_regions(first: int, last: int) -> None:
        if form.is_sparse:
            room = (arrays.new_array(encoders.SIZES, np.uint32) for _ in range(3))
            found = encoders.encode_chunks(values, *keys, first, last, data, *room)
        else:
            numbers = arrays.new_array(BLOCK_VALUES, np.uint8)
            found = encoders.encode_blocks(form.bits, values, *keys, first, last, data, numbers)
        if found:
            outside.append(first)

    threads.run_spans(_count_regions(values.size), 1, 8 * values.size, encode_regions)
    if outside:
        checks.check_bound("delta", values, gin1.DELTA_MAX)
    return data


def decode(data: Bytes, count: int, codec: str) -> NDArray[np.int64]:
    """The delta of a payload."""
    values = arrays.new_array(count, np.int64)
    _walk(dense.DECODE, data, count, codec, 8 * count, values=values)
    return values


def find_fault(data: Bytes, count: int, codec: str) -> int:
    """0 for a payload that is right; else the lowest number of a fault, as types.py has them."""
    return _walk(dense.CHECK, data, count, codec, data.size)


def fill_row(data: Bytes, count: int, codec: str, grid: Bytes, values: NDArray[np.int8], row: int) -> int:
    """Write the aligned values of a payload to values[:, row] of values [blocks, n, 256], zeros behind `count`.

    One pass: unpack, check, align. Returns find_fault; of a faulty payload the row is not defined.
    """
    step = values.strides[0]
    rows = values.ctypes.data + row * BLOCK_VALUES
    return _walk(dense.FILL, data, count, codec, data.size + count, grid, rows, step)


def accumulate(datas: list[Bytes], count: int, grid: Bytes, weights: list[int]) -> NDArray[np.int32]:
    """The sum of weight * aligned value over top64 payloads: [blocks * 256]; |sum of weights| * 127 < 2**31."""
    sums = arrays.new_array(grid.size * BLOCK_VALUES, np.int32)
    places = np.array([data.ctypes.data for data in datas], dtype=np.int64)
    factors = np.array(weights, dtype=np.int64)

    streams = int(sums.nbytes >= _STREAMED_BYTES_MIN and sums.ctypes.data % _LINE == 0)

    def add_part(first: int, last: int) -> None:
        part = arrays.new_array(CHUNK_VALUES, np.int32)
        sparse.add_chunks(places, factors, count, first, last, grid, sums, streams, part, *_new_room())

    cost = sums.nbytes + sum(data.size for data in datas)
    threads.run_spans(types.count_parts(count, CHUNK_VALUES), 1, cost, add_part)
    return sums


def squares(data: Bytes, count: int, grid: Bytes) -> int:
    """The square of the norm of an aligned top64 payload, in units of 1."""
    parts: list[NDArray[np.int64]] = []

    def add_part(first: int, last: int) -> None:
        sums = np.zeros(256, dtype=np.int64)
        sparse.add_squares(data, count, first, last, grid, sums, *_new_room())
        parts.append(sums)

    threads.run_spans(types.count_parts(count, CHUNK_VALUES), 1, data.size, add_part)
    return sum(int(found) << 2 * exponent for sums in parts for exponent, found in enumerate(sums))


def _walk(
    mode: int, data: Bytes, count: int, codec: str, cost: int, grid: Bytes = _NO_GRID, rows: int = 0, step: int = 0,
    values: NDArray[np.int64] = _NO_VALUES,
) -> int:
    """Run a mode of dense.walk_blocks or sparse.walk_chunks over all regions; returns find_fault."""
    form = FORMATS[codec]
    bad: list[int] = []

    def walk_regions(first: int, last: int) -> None:
        if form.is_sparse:
            found = sparse.walk_chunks(mode, data, count, first, last, grid, rows, step, values, *_new_room())
        else:
            scratch = arrays.new_array(dense.SCRATCH_BYTES, np.uint8)
            found = dense.walk_blocks(
                mode, form.bits, form.exponent_max, data, count, first, last, grid, rows, step, values, scratch)
        if found:
            bad.append(int(found) - 1)

    threads.run_spans(_count_regions(count), 1, cost, walk_regions)
    if not bad:
        return 0
    first = min(bad) * REGION_VALUES
    begin, size = types.compute_bytes(first, form), min(REGION_VALUES, count - first)
    held = data[begin:begin + types.compute_bytes(size, form)]
    return types.FAULT_KINDS * first + ref.find_region_fault(held, size, form)


def _count_regions(count: int) -> int:
    return types.count_parts(count, REGION_VALUES)


def _new_room() -> tuple[NDArray[np.uint16], NDArray[np.uint8], NDArray[np.int64]]:
    """Room for the loops of sparse.py."""
    return (
        arrays.new_array(CHUNK_ENTRIES, np.uint16), arrays.new_array(sparse.CODES_BYTES, np.uint8),
        arrays.new_array(sparse.TABLE_VALUES, np.int64),
    )
