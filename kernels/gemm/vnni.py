"""Exact products of int8 matrices by vpdpbusd: packing, blocks and tiles, for one thread.

Reads/Writes: memory at the addresses that it is given; any compiled function may call it. a is taken as unsigned bytes
a + 128, so with terms[j] = -128 * (sum of column j of b) each sum comes out as that of a and b; everything is modulo
2**32, and the true sums fit int32. Source: README.md beside this file.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from kernels.gemm.instructions import (
    bytes_at,
    count_lanes,
    count_rows,
    line_one,
    line_two,
    load_word,
    tile_one,
    tile_two,
    weave_one,
    weave_two,
    words_at,
)
from kernels.jit import Scalar, carray, inlined, pasted, types

INNER_BLOCK = 512
ROW_BLOCK = 256
_ROW_BYTES = INNER_BLOCK + 64  # of a copied row of a: no power of two, so that rows of a tile share no cache set
_TILE_BYTES = 4 * 8 * 32
WORD_BYTES = 64
SCRATCH_BYTES = ROW_BLOCK * _ROW_BYTES + _TILE_BYTES
_ONES = 0x01010101
_OPERAND = types.Array(types.int8, 2, "A", readonly=True)
_MEMORY = types.Array(types.uint8, 1, "C")
PACK, MULTIPLY = 1, 2
RUN_SIGNATURE = (
    types.void, _OPERAND, _OPERAND, types.Array(types.int32, 2, "C"), _MEMORY, _MEMORY, types.int64
)


@inlined
def round_columns(marker: Scalar, columns: Scalar) -> Scalar:
    """Columns as panels have them: all are two vectors wide, but a last one that needs no more than one vector."""
    lanes = count_lanes(marker)
    return (columns + lanes - 1) // lanes * lanes


@inlined
def packed_bytes(marker: Scalar, inner: Scalar, columns: Scalar) -> Scalar:
    """Bytes for b as pack_right leaves it."""
    return (inner + 3) // 4 * 4 * round_columns(marker, columns)


@inlined
def term_bytes(marker: Scalar, inner: Scalar, columns: Scalar) -> Scalar:
    """Bytes for the terms as pack_right leaves them."""
    return (inner + INNER_BLOCK - 1) // INNER_BLOCK * 4 * round_columns(marker, columns) + WORD_BYTES


@pasted
def pack_words(
    source: Scalar, inner_step: Scalar, column_step: Scalar, inner: Scalar, columns: Scalar, width: Scalar,
    target: Scalar,
) -> None:
    """A panel [groups, width] of words of four inner elements, byte by byte; zero outside the matrix."""
    out = carray(bytes_at(target), (inner + 3) // 4 * 4 * width)
    for index in range(out.size):
        out[index] = 0
    for column in range(columns):
        for row in range(inner):
            place = source + row * inner_step + column * column_step
            out[(row // 4 * width + column) * 4 + row % 4] = carray(bytes_at(place), 1)[0]


@inlined
def pack_panel(
    marker: Scalar, source: Scalar, inner_step: Scalar, column_step: Scalar, inner: Scalar, columns: Scalar,
    width: Scalar, flip: Scalar, target: Scalar,
) -> None:
    """A panel of at most `width` columns, in the fastest way that touches nothing outside the matrix.

    flip: a byte that every element is XORed with. Elements outside the matrix may be anything if it is not zero.
    """
    groups = inner // 4
    if column_step == 1 and columns == width:
        for group in range(groups):
            place = source + 4 * group * inner_step
            if width == count_lanes(marker):
                weave_one(marker, place, inner_step, target + 4 * group * width)
            else:
                weave_two(marker, place, inner_step, target + 4 * group * width)
    elif inner_step == 1:
        out = carray(words_at(target), groups * width)
        for column in range(width):
            if column < columns:
                place = source + column * column_step
                for group in range(groups):
                    out[group * width + column] = load_word(place + 4 * group)
            else:
                for group in range(groups):
                    out[group * width + column] = 0
    else:
        pack_words(source, inner_step, column_step, 4 * groups, columns, width, target)
    if inner > 4 * groups:
        rest = source + 4 * groups * inner_step
        pack_words(rest, inner_step, column_step, inner - 4 * groups, columns, width, target + 4 * groups * width)
    if flip != 0:
        turned = carray(bytes_at(target), (inner + 3) // 4 * 4 * width)
        for index in range(turned.size):
            turned[index] ^= np.uint8(flip)


@inlined
def pack_right(
    marker: Scalar, b: Scalar, b_inner: Scalar, b_column: Scalar, inner: Scalar, columns: Scalar, packed: Scalar,
    terms: Scalar,
) -> None:
    """b [inner, columns] as panels, block of inner elements by block, and its terms [blocks, columns]."""
    across = round_columns(marker, columns)
    lanes = count_lanes(marker)
    ones = terms + 4 * across * ((inner + INNER_BLOCK - 1) // INNER_BLOCK)
    carray(words_at(ones), 1)[0] = np.int32(_ONES)
    for start in range(0, inner, INNER_BLOCK):
        depth = min(INNER_BLOCK, inner - start)
        groups = (depth + 3) // 4
        line = terms + 4 * across * (start // INNER_BLOCK)
        sums = carray(words_at(line), across)
        for column in range(across):
            sums[column] = 0
        for column in range(0, columns, 2 * lanes):
            width = min(2 * lanes, across - column)
            place = line + 4 * column
            panel = packed + start * across + 4 * groups * column
            pack_panel(marker, b + start * b_inner + column * b_column, b_inner, b_column, depth,
                       min(width, columns - column), width, 0, panel)
            if width == lanes:
                line_one(marker, ones, 0, 0, panel, groups, place, place, 0, 0)
            else:
                line_two(marker, ones, 0, 0, panel, groups, place, place, 0, 0)
        for column in range(across):
            sums[column] = np.int32(sums[column] * np.int32(-128))


@pasted
def copy_rows(a: Scalar, a_row: Scalar, rows: Scalar, depth: Scalar, target: Scalar) -> None:
    """Rows of a as unsigned bytes, each in _ROW_BYTES; what follows a row is multiplied by zeros."""
    for row in range(rows):
        source, out = carray(bytes_at(a + row * a_row), depth), carray(bytes_at(target + row * _ROW_BYTES), depth)
        for index in range(depth):
            out[index] = source[index] ^ np.uint8(128)


@pasted
def merge_tile(
    held: Scalar, width: Scalar, rows: Scalar, columns: Scalar, c: Scalar, c_row: Scalar, adds: Scalar
) -> None:
    """The part of a tile that is inside c, to c."""
    for row in range(rows):
        source, out = carray(words_at(held + 4 * width * row), columns), carray(words_at(c + row * c_row), columns)
        if adds != 0:
            for column in range(columns):
                out[column] += source[column]
        else:
            for column in range(columns):
                out[column] = source[column]


@inlined
def multiply_tile(
    marker: Scalar, a: Scalar, a_row: Scalar, a_group: Scalar, rows: Scalar, b: Scalar, groups: Scalar, width: Scalar,
    columns: Scalar, terms: Scalar, c: Scalar, c_row: Scalar, adds: Scalar, held: Scalar,
) -> None:
    """One tile of c, by way of `held` where it sticks out."""
    is_inside = rows == count_rows(marker) and columns == width
    target = c if is_inside else held
    distance = c_row if is_inside else 4 * width
    keeps = adds if is_inside else 0
    if width == count_lanes(marker):
        tile_one(marker, a, a_row, a_group, b, groups, terms, target, distance, keeps)
    else:
        tile_two(marker, a, a_row, a_group, b, groups, terms, target, distance, keeps)
    if not is_inside:
        merge_tile(held, width, rows, columns, c, c_row, adds)


@inlined
def multiply_rows(
    marker: Scalar, a: Scalar, a_row: Scalar, a_inner: Scalar, rows: Scalar, inner: Scalar, columns: Scalar,
    packed: Scalar, terms: Scalar, c: Scalar, c_row: Scalar, scratch: Scalar,
) -> None:
    """c [rows, columns] = a [rows, inner] @ the packed b; scratch: SCRATCH_BYTES."""
    across, lanes, tall = round_columns(marker, columns), count_lanes(marker), count_rows(marker)
    held = scratch + ROW_BLOCK * _ROW_BYTES
    for start in range(0, inner, INNER_BLOCK):
        depth = min(INNER_BLOCK, inner - start)
        groups = (depth + 3) // 4
        line = terms + 4 * across * (start // INNER_BLOCK)
        for top in range(0, rows, ROW_BLOCK):
            high = min(ROW_BLOCK, rows - top)
            corner = a + top * a_row + start * a_inner
            if a_inner == 1:
                copy_rows(corner, a_row, high, depth, scratch)
            else:
                for row in range(0, high, 2 * lanes):
                    pack_panel(marker, corner + row * a_row, a_inner, a_row, depth, min(2 * lanes, high - row),
                               2 * lanes, 128, scratch + 4 * groups * row)
            for column in range(0, columns, 2 * lanes):
                width = min(2 * lanes, across - column)
                for row in range(0, high, tall):
                    if a_inner == 1:
                        first, step, hop = scratch + row * _ROW_BYTES, _ROW_BYTES, 4
                    else:
                        first = scratch + 4 * (row // (2 * lanes) * (2 * lanes) * groups + row % (2 * lanes))
                        step, hop = 4, 8 * lanes
                    multiply_tile(
                        marker, first, step, hop, min(tall, high - row), packed + start * across + 4 * groups * column,
                        groups, width, min(width, columns - column), line + 4 * column,
                        c + (top + row) * c_row + 4 * column, c_row, start, held)


@inlined
def work_bytes(marker: Scalar, inner: Scalar, columns: Scalar) -> Scalar:
    """Bytes of working memory for multiply."""
    return packed_bytes(marker, inner, columns) + term_bytes(marker, inner, columns) + SCRATCH_BYTES


@inlined
def multiply(
    marker: Scalar, a: Scalar, a_row: Scalar, a_inner: Scalar, b: Scalar, b_inner: Scalar, b_column: Scalar,
    rows: Scalar, inner: Scalar, columns: Scalar, c: Scalar, c_row: Scalar, work: Scalar,
) -> None:
    """c [rows, columns] = a [rows, inner] @ b [inner, columns]; work: work_bytes, at any address.

    a, b, c and work are addresses; the others are distances in bytes from one row, inner element or column to the next.
    """
    packed = work + SCRATCH_BYTES
    terms = packed + packed_bytes(marker, inner, columns)
    pack_right(marker, b, b_inner, b_column, inner, columns, packed, terms)
    multiply_rows(marker, a, a_row, a_inner, rows, inner, columns, packed, terms, c, c_row, work)


@pasted
def run_stages(
    marker: Scalar, left: NDArray[np.int8], right: NDArray[np.int8], out: NDArray[np.int32],
    packed: NDArray[np.uint8], scratch: NDArray[np.uint8], stages: Scalar,
) -> None:
    """The product of arrays, or a part of the work; packed: packed_bytes and term_bytes, scratch: SCRATCH_BYTES."""
    inner, columns = right.shape
    place = packed.ctypes.data
    terms = place + packed_bytes(marker, inner, columns)
    if stages & PACK:
        pack_right(marker, right.ctypes.data, right.strides[0], right.strides[1], inner, columns, place, terms)
    if stages & MULTIPLY:
        multiply_rows(
            marker, left.ctypes.data, left.strides[0], left.strides[1], left.shape[0], inner, columns, place, terms,
            out.ctypes.data, out.strides[0], scratch.ctypes.data)
