"""Bit planes of a stack on the gpu back end, and numbers from them.

A block's row of 256 values x is 8 planes of 8 words: bit 8 * l + j of word w of plane p is bit 7 - p of x + 128 for the
coordinate 32 * j + 4 * w + l. So a thread that holds words w, w + 8, ... of the row's bytes holds all bits of a word of
each plane, and warps read and write whole sectors. Planes take the place of the bytes: int32 [blocks, n, 8, 8].
Source: kernels/aggregate/README.md.
"""

from __future__ import annotations

import numpy as np
import triton.language as tl

from kernels import device
from kernels.device import Array, constexpr, jit, launch

WORDS = constexpr(8)  # of a plane of a row; a row has as many planes
ROW_WORDS = constexpr(64)
ROW_BYTES = 256
SIGNS = constexpr(-0x7F7F7F80)  # the highest bit of every byte
HALVES = constexpr(0x0000FFFF)
BORROWS = constexpr(-0x7FFF8000)  # the highest bit of both halves of a word


@jit
def swap_bits(words: tl.tuple, step: tl.constexpr, mask: tl.constexpr) -> tl.tuple:
    """Of every two words `step` apart, the bits outside `mask` of the first change places with those of the second that
    are `step` below them."""
    swapped: tl.tuple = ()
    for index in tl.static_range(len(words)):
        if index & step == 0:
            swapped = swapped + ((words[index] & mask) | ((words[index + step] & mask) << step),)
        else:
            swapped = swapped + (((words[index - step] >> step) & mask) | (words[index] & ~mask),)
    return swapped


@jit
def transpose_bytes(words: tl.tuple) -> tl.tuple:
    """8 words as 4 matrices of 8 x 8 bits, one of each byte, transposed: bit i of byte l of word k was bit k of that of
    word i."""
    words = swap_bits(words, 4, 0x0F0F0F0F)
    words = swap_bits(words, 2, 0x33333333)
    return swap_bits(words, 1, 0x55555555)


@jit
def transpose_halves(words: tl.tuple) -> tl.tuple:
    """16 words as 2 matrices of 16 x 16 bits, one of each half, transposed."""
    words = swap_bits(words, 8, 0x00FF00FF)
    words = swap_bits(words, 4, 0x0F0F0F0F)
    words = swap_bits(words, 2, 0x33333333)
    return swap_bits(words, 1, 0x55555555)


@jit
def read_row(values: tl.tensor, at: tl.tensor, mask: tl.tensor) -> tl.tuple:
    """Words w, w + 8, ... of rows of bytes; `at` is the place of word w."""
    words: tl.tuple = ()
    for index in tl.static_range(WORDS):
        words = words + (tl.load(values + at + index * WORDS, mask=mask, other=0),)
    return words


@jit
def store_planes(planes: tl.tensor, at: tl.tensor, mask: tl.tensor, words: tl.tuple) -> None:
    """Write the planes of rows of bytes, as `read_row` gives them, to the rows whose word w stands at `at`."""
    biased: tl.tuple = ()
    for index in tl.static_range(WORDS):
        biased = biased + (words[index] ^ SIGNS,)
    turned = transpose_bytes(biased)
    for plane in tl.static_range(WORDS):
        tl.store(planes + at + plane * WORDS, turned[-plane + WORDS - 1], mask=mask)


@jit
def make_planes(values: tl.tensor, planes: tl.tensor, count: tl.tensor, block: tl.constexpr) -> None:
    """The planes of `count` // 8 rows of bytes."""
    index = tl.program_id(0).to(tl.int64) * block + tl.arange(0, block)
    mask = index < count
    at = index // WORDS * ROW_WORDS + index % WORDS
    store_planes(planes, at, mask, read_row(values, at, mask))


@jit
def store_sums(sums: tl.tensor, at: tl.tensor, mask: tl.tensor, digits: tl.tuple, offset: tl.tensor) -> None:
    """Write the int16 numbers whose bits are `digits`, at most 15, lowest first, less `offset` <= 2**15.

    at: the place, in words, of coordinate 4 * w of the block; the numbers of a plane's word go to 8 places from there.
    """
    words = digits
    for _ in tl.static_range(16 - len(digits)):
        words = words + (tl.zeros_like(digits[0]),)
    turned = transpose_halves(words)
    lift = BORROWS - offset * 0x10001
    for index in tl.static_range(WORDS):
        first = (turned[index] + lift) ^ BORROWS
        second = (turned[index + WORDS] + lift) ^ BORROWS
        low = (first & HALVES) | (second << 16)
        high = ((first >> 16) & HALVES) | (second & ~HALVES)
        pair = tl.join(low, high)
        place = at[:, None] + index * 2 * WORDS + tl.arange(0, 2)[None, :]
        tl.store(sums + place, pair, mask=mask[:, None] & (place >= 0))


def to_planes(values: Array) -> Array:
    """The planes int32 [blocks, n, 8, 8] of values int8 [blocks, n, 256] in -127..127."""
    blocks, rows = values.shape[:2]
    planes = device.new_array((blocks, rows, 8, 8), np.int32)
    count = blocks * rows * 8
    block = find_words(count)
    launch(make_planes, (device.count_programs(count, block),), device.view(values, np.int32), planes, count,
           block=block)
    return planes


def find_words(count: int) -> int:
    """How many words of a plane a program takes: one for each thread of a device."""
    return min(2**13, device.find_power(count)) if device.IS_INTERPRETED else 128
