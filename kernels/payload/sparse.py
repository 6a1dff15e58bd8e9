"""Compiled loops of top64/4096: check, fill and decode in one pass; weighted sums and norms without a dense row.

Source: kernels/README.md sections 8 and 9.1.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from kernels.gemm.instructions import bytes_at
from kernels.jit import Scalar, carray, entry, inlined, pasted, types
from kernels.payload.dense import DECODE, FILL, find_entry
from kernels.payload.types import BLOCK_VALUES, CHUNK_ENTRIES, CHUNK_VALUES, REGION_VALUES, TOP64
from kernels.payload.vectors import INDICES, fetch_line, finish_lines, spread_codes, spread_indices, stream_line

_INDEX_BYTES = 96
_CHUNK_BYTES = 112
_REGION_CHUNKS = REGION_VALUES // CHUNK_VALUES
_REGION_BYTES = _REGION_CHUNKS * (1 + _CHUNK_BYTES)
_CHUNK_BLOCKS = CHUNK_VALUES // BLOCK_VALUES
_EXPONENT_MAX = TOP64.exponent_max
_LINE = 64
_PLAIN = 0x03020100  # a table that leaves codes as they are
CODES_BYTES = CHUNK_ENTRIES + _CHUNK_BYTES  # codes, a short chunk's bytes
TABLE_VALUES = 4 * _CHUNK_BLOCKS
_INT = types.int64
_BYTES = types.Array(types.uint8, 1, "C", readonly=True)
_INDICES, _CODES = types.Array(types.uint16, 1, "C"), types.Array(types.uint8, 1, "C")
_VALUES = types.Array(types.int64, 1, "C")
_SUMS = types.Array(types.int32, 1, "C")


@inlined
def find_chunk(chunk: Scalar, count: Scalar) -> Scalar:
    """(where its exponent is, where its indices are, coordinates) of a chunk."""
    region = chunk // _REGION_CHUNKS
    number = chunk - region * _REGION_CHUNKS
    first = region * _REGION_CHUNKS
    size = min(_REGION_CHUNKS, (count + CHUNK_VALUES - 1) // CHUNK_VALUES - first)
    begin = region * _REGION_BYTES
    return begin + number, begin + size + number * _CHUNK_BYTES, min(CHUNK_VALUES, count - chunk * CHUNK_VALUES)


@inlined
def load_chunk(source: Scalar, entries: Scalar, indices: Scalar, numbers: Scalar) -> Scalar:
    """Indices to address `indices` and codes to `numbers`; returns the bits behind the last of either."""
    unused = np.int64(0)
    codes = source + _INDEX_BYTES
    if entries < CHUNK_ENTRIES:
        index_bytes, code_bytes = (12 * entries + 7) // 8, (2 * entries + 7) // 8
        stored = carray(bytes_at(source), index_bytes + code_bytes)
        copied = carray(bytes_at(numbers + CHUNK_ENTRIES), _CHUNK_BYTES)
        for index in range(_CHUNK_BYTES):
            copied[index] = 0
        for index in range(index_bytes):
            copied[index] = stored[index]
        for index in range(code_bytes):
            copied[_INDEX_BYTES + index] = stored[index_bytes + index]
        unused |= (np.int64(copied[index_bytes - 1]) >> 4) * (entries & 1)
        unused |= np.int64(copied[_INDEX_BYTES + code_bytes - 1]) >> 2 * (entries - 4 * (code_bytes - 1))
        source = numbers + CHUNK_ENTRIES
        codes = source + _INDEX_BYTES
    for part in range(0, CHUNK_ENTRIES, INDICES):
        spread_indices(source + 3 * part // 2, indices + 2 * part)
    spread_codes(codes, numbers, _PLAIN)
    return unused


@inlined
def fill_table(table: NDArray[Any], exponent: Scalar, grid: NDArray[np.uint8], block: Scalar, blocks: Scalar,
               weight: Scalar) -> Scalar:
    """weight * aligned value of each code of `blocks` blocks; four entries for each."""
    for number in range(blocks):
        base = np.int64(grid[np.uint64(block + number)])
        one, three = weight * find_entry(np.int64(1), exponent, base), weight * find_entry(np.int64(3), exponent, base)
        place = np.uint64(4 * number)
        table[place], table[place + np.uint64(1)] = -three, -one
        table[place + np.uint64(2)], table[place + np.uint64(3)] = one, three


@entry(_INT, _INT, _BYTES, *[_INT] * 3, _BYTES, _INT, _INT, _VALUES, _INDICES, _CODES, _VALUES)
def walk_chunks(
    mode: int, data: NDArray[np.uint8], count: int, first: int, last: int, grid: NDArray[np.uint8], rows: int,
    step: int, values: NDArray[np.int64], indices: NDArray[np.uint16],
    codes: NDArray[np.uint8], table: NDArray[np.int64],
) -> Any:
    """Regions first..last - 1 of a payload, as dense.walk_blocks; the last three are room as cpu.py makes it."""
    chunks = min(last * _REGION_CHUNKS, (count + CHUNK_VALUES - 1) // CHUNK_VALUES)
    for chunk in range(first * _REGION_CHUNKS, chunks):
        at, place, size = find_chunk(chunk, count)
        entries, exponent = min(CHUNK_ENTRIES, size), np.int64(data[np.uint64(at)])
        bad = np.int64(load_chunk(data.ctypes.data + place, entries, indices.ctypes.data, codes.ctypes.data) != 0)
        bad |= (exponent > _EXPONENT_MAX) | (np.int64(indices[np.uint64(entries - 1)]) >= size)
        for index in range(1, entries):
            bad |= np.int64(indices[index] <= indices[index - 1])
        if bad != 0:
            return chunk // _REGION_CHUNKS + 1
        if mode == FILL:
            block = chunk * _CHUNK_BLOCKS
            blocks = (size + BLOCK_VALUES - 1) // BLOCK_VALUES
            fill_table(table, exponent, grid, block, blocks, np.int64(1))
            for number in range(blocks):
                row = carray(bytes_at(rows + (block + number) * step), BLOCK_VALUES)
                for index in range(BLOCK_VALUES):
                    row[index] = 0
            for index in range(entries):
                place = np.int64(indices[index])
                row = carray(bytes_at(rows + (block + place // BLOCK_VALUES) * step), BLOCK_VALUES)
                value = table[np.uint64(place // BLOCK_VALUES * 4 + codes[index])]
                row[np.uint64(place & (BLOCK_VALUES - 1))] = np.uint8(value)
        elif mode == DECODE:
            part = values[chunk * CHUNK_VALUES:chunk * CHUNK_VALUES + size]
            for index in range(size):
                part[index] = 0
            for index in range(entries):
                part[np.uint64(indices[index])] = (2 * np.int64(codes[index]) - 3) << exponent
    return 0


@pasted
def is_level(grid: NDArray[np.uint8], block: Scalar, blocks: Scalar) -> Scalar:
    """Whether all blocks of a chunk have one exponent on the grid, as one made of payloads of this codec has."""
    level = True
    for number in range(1, blocks):
        level &= grid[np.uint64(block + number)] == grid[np.uint64(block)]
    return level


@entry(types.void, _VALUES, _VALUES, *[_INT] * 3, _BYTES, _SUMS, _INT, _SUMS, _INDICES, _CODES, _VALUES)
def add_chunks(
    places: NDArray[np.int64], weights: NDArray[np.int64], count: int, first: int, last: int, grid: NDArray[np.uint8],
    sums: NDArray[np.int32], streams: int, part: NDArray[np.int32], indices: NDArray[np.uint16],
    codes: NDArray[np.uint8], table: NDArray[np.int64],
) -> None:
    """sums of chunks first..last - 1 = sums of weight * aligned value over checked payloads at addresses `places`.

    A chunk is summed in `part`, 4096 values of room in the first cache. streams: sums begin at a multiple of 64 bytes,
    and whole chunks go there past the caches.
    """
    for chunk in range(first, last):
        at, place, size = find_chunk(chunk, count)
        entries, block = min(CHUNK_ENTRIES, size), chunk * _CHUNK_BLOCKS
        blocks = (size + BLOCK_VALUES - 1) // BLOCK_VALUES
        for index in range(part.size):
            part[index] = 0
        if is_level(grid, block, blocks):
            mask, needed = np.int64(0), np.int64(1)
        else:
            mask, needed = np.int64(4 * _CHUNK_BLOCKS - 4), blocks
        for number in range(places.size):
            source = places[number]
            exponent = np.int64(carray(bytes_at(source + at), 1)[0])
            fill_table(table, exponent, grid, block, needed, weights[number])
            fetch_line(source + place + 2 * _CHUNK_BYTES)
            fetch_line(source + place + 3 * _CHUNK_BYTES)
            load_chunk(source + place, entries, indices.ctypes.data, codes.ctypes.data)
            for index in range(entries):
                where = np.int64(indices[index])
                part[np.uint64(where)] += table[np.uint64((where >> 6 & mask) | codes[index])]
        target = sums.ctypes.data + 4 * chunk * CHUNK_VALUES
        if streams != 0 and blocks == _CHUNK_BLOCKS:
            for line in range(0, 4 * CHUNK_VALUES, _LINE):
                stream_line(part.ctypes.data + line, target + line)
        else:
            for index in range(blocks * BLOCK_VALUES):
                sums[np.uint64(chunk * CHUNK_VALUES + index)] = part[index]
    if streams != 0:
        finish_lines()


@entry(types.void, _BYTES, *[_INT] * 3, _BYTES, _VALUES, _INDICES, _CODES, _VALUES)
def add_squares(
    data: NDArray[np.uint8], count: int, first: int, last: int, grid: NDArray[np.uint8], sums: NDArray[np.int64],
    indices: NDArray[np.uint16],
    codes: NDArray[np.uint8], table: NDArray[np.int64],
) -> None:
    """sums[F] gains the squares of aligned values of blocks at exponent F, of chunks first..last - 1."""
    for chunk in range(first, last):
        at, place, size = find_chunk(chunk, count)
        entries, block = min(CHUNK_ENTRIES, size), chunk * _CHUNK_BLOCKS
        blocks = (size + BLOCK_VALUES - 1) // BLOCK_VALUES
        fill_table(table, np.int64(data[np.uint64(at)]), grid, block, blocks, np.int64(1))
        load_chunk(data.ctypes.data + place, entries, indices.ctypes.data, codes.ctypes.data)
        if is_level(grid, block, blocks):
            threes = np.int64(0)
            for index in range(entries):
                threes += np.int64((codes[index] == 0) | (codes[index] == 3))
            found = threes * table[3] * table[3] + (entries - threes) * table[2] * table[2]
            sums[np.uint64(grid[np.uint64(block)])] += found
            continue
        for index in range(entries):
            number = np.int64(indices[index]) // BLOCK_VALUES
            value = table[np.uint64(4 * number + codes[index])]
            sums[np.uint64(grid[np.uint64(block + number)])] += value * value
