"""Compiled loops of the dense codecs: one pass that unpacks, checks, and aligns or decodes.

Source: kernels/README.md sections 8 and 9.1.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from kernels.gemm.instructions import bytes_at
from kernels.jit import Scalar, carray, entry, inlined, pasted, types
from kernels.payload.types import BLOCK_VALUES, REGION_VALUES
from kernels.payload.vectors import IS_LEADING, IS_LOWEST, VALUES, align4, align8, spread_codes

CHECK, FILL, DECODE = range(3)  # what walk_blocks does with the values of a block
SCRATCH_BYTES = 2 * BLOCK_VALUES
REGION_BLOCKS = REGION_VALUES // BLOCK_VALUES
_INT = types.int64
_BYTES = types.Array(types.uint8, 1, "C", readonly=True)
_ROOM = types.Array(types.uint8, 1, "C")
_VALUES = types.Array(types.int64, 1, "C")
_READ_VALUES = types.Array(types.int64, 1, "C", readonly=True)


@inlined
def find_shifts(exponent: Scalar, grid: Scalar) -> Scalar:
    """(left, right, half, odd) of vectors.align8; a shift right by 8 leaves nothing of 127, as any further one."""
    left = min(max(exponent - grid, 0), 7)
    right = min(max(grid - exponent, 0), 8)
    half = (np.int64(1) << max(right - 1, 0)) - 1
    return left, right, half, min(right, 1)


@inlined
def find_entry(value: Scalar, exponent: Scalar, grid: Scalar) -> Scalar:
    """The aligned value of 1 or 3."""
    left, right, half, odd = find_shifts(exponent, grid)
    moved = min(value << left, 127)
    return (moved + half + ((moved >> right) & odd)) >> right


@inlined
def find_table(exponent: Scalar, grid: Scalar) -> Scalar:
    """The aligned values of the codes 0..3 as the bytes of an integer."""
    one, three = find_entry(np.int64(1), exponent, grid), find_entry(np.int64(3), exponent, grid)
    return (-three & 255) | (-one & 255) << 8 | one << 16 | three << 24


@pasted
def load_block(bits: Scalar, source: Scalar, target: Scalar, exponent: Scalar, grid: Scalar) -> Scalar:
    """256 aligned values to `target`; returns the flags of vectors.py of the stored ones."""
    flags = np.int64(0)
    if bits == 2:
        table = find_table(exponent, grid)
        for part in range(0, BLOCK_VALUES, VALUES):
            spread_codes(source + part // 4, target + part, table)
        return flags
    left, right, half, odd = find_shifts(exponent, grid)
    if bits == 8:
        for part in range(0, BLOCK_VALUES, VALUES):
            flags |= align8(source + part, target + part, left, right, half, odd)
    else:
        for part in range(0, BLOCK_VALUES, VALUES):
            flags |= align4(source + part // 2, target + part, left, right, half, odd)
    return flags


@entry(_INT, *[_INT] * 3, _BYTES, *[_INT] * 3, _BYTES, _INT, _INT, _VALUES, _ROOM)
def walk_blocks(
    mode: int, bits: int, exponent_max: int, data: NDArray[np.uint8], count: int, first: int, last: int,
    grid: NDArray[np.uint8], rows: int, step: int, values: NDArray[np.int64], scratch: NDArray[np.uint8],
) -> Any:
    """Regions first..last - 1 of a payload; returns one more than the first that holds a fault, or 0.

    FILL: the aligned values of block b go to address rows + b * step; grid: exponent of each block. DECODE: values get
    the delta. scratch: SCRATCH_BYTES.
    """
    region_bytes = REGION_BLOCKS * (1 + 32 * bits)
    # numba has addresses as uint64, and makes a float64 of a variable that is int64 in one branch and uint64 in another
    held, copied = np.int64(scratch.ctypes.data), scratch[BLOCK_VALUES:]
    stored_at, copied_at = np.int64(data.ctypes.data), held + BLOCK_VALUES
    blocks = (count + BLOCK_VALUES - 1) // BLOCK_VALUES
    for region in range(first, last):
        begin = region * region_bytes
        size = min(REGION_BLOCKS, blocks - region * REGION_BLOCKS)
        bad = np.int64(0)
        for number in range(size):
            block = region * REGION_BLOCKS + number
            place = begin + size + number * 32 * bits
            source, exponent = stored_at + place, np.int64(data[np.uint64(begin + number)])
            inside = min(BLOCK_VALUES, count - block * BLOCK_VALUES)
            if inside < BLOCK_VALUES:
                stored = (inside * bits + 7) // 8
                for index in range(BLOCK_VALUES):
                    copied[index] = data[np.uint64(place + index)] if index < stored else 0
                source = copied_at
                unused = 8 * stored - inside * bits
                bad |= (np.int64(copied[stored - 1]) >> (8 - unused)) * min(unused, 1)
            target = rows + block * step if mode == FILL else held
            base = np.int64(grid[np.uint64(block)]) if mode == FILL else exponent
            flags = load_block(bits, source, target, exponent, base)
            bad |= (exponent > exponent_max) | (flags & IS_LOWEST)
            if bits > 2:
                bad |= (exponent > 0) & ((flags & IS_LEADING) == 0)
            if mode == FILL and inside < BLOCK_VALUES:
                rest = carray(bytes_at(target + inside), BLOCK_VALUES - inside)
                for index in range(rest.size):
                    rest[index] = 0
            if mode == DECODE:
                for index in range(inside):
                    value = np.int64(np.int8(scratch[np.uint64(index)]))
                    values[np.uint64(block * BLOCK_VALUES + index)] = value << exponent
        if bad != 0:
            return region + 1
    return 0
