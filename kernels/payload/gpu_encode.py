"""Dense payloads in Triton: encoding a delta, and the delta of a payload.  Source: kernels/README.md section 8.

A program encodes whole blocks of 256, each of which finds its own exponent. Decoding is element by element.
"""

from __future__ import annotations

import numpy as np
import triton.language as tl

from kernels import device
from kernels.device import Array, constexpr, jit, jit_changing, launch
from kernels.device_rules import count_bits, draw, random_word
from kernels.payload import types
from kernels.payload.types import Format

ROWS, ROWS_INTERPRETED = 4, 256  # blocks of a program
BLOCK, REGION = constexpr(types.BLOCK_VALUES), constexpr(types.REGION_VALUES)
REGION_BLOCKS = constexpr(types.REGION_VALUES // types.BLOCK_VALUES)
CODE_EXPONENT_MAX = constexpr(types.INT2.exponent_max)


@jit
def find_code_exponent(average: tl.tensor) -> tl.tensor:
    """The exponent of codes whose magnitudes have this average, int64."""
    return tl.minimum(tl.maximum(count_bits(average) - 1, 0), CODE_EXPONENT_MAX)


@jit
def draw_codes(
    values: tl.tensor, index: tl.tensor, exponent: tl.tensor, key0: tl.tensor, key1: tl.tensor
) -> tl.tensor:
    """The codes 0..3 of int64 values with the words at `index`."""
    one = tl.full((), 1, tl.int64) << exponent
    drawn = (values + 3 * one + (random_word(index, key0, key1) & (2 * one - 1))) >> (exponent + 1)
    return tl.minimum(tl.maximum(drawn, 0), 3)


@jit_changing("key0", "key1", "count", "total")
def encode_blocks(
    values: tl.tensor, data: tl.tensor, count: tl.tensor, total: tl.tensor, key0: tl.tensor, key1: tl.tensor,
    bits: tl.constexpr, is_coded: tl.constexpr, rows: tl.constexpr,
) -> None:
    """Exponents and packed values of `rows` blocks, as bytes."""
    block = tl.program_id(0).to(tl.int64) * rows + tl.arange(0, rows)
    blocks = (count + (BLOCK - 1)) // BLOCK
    index = block[:, None] * BLOCK + tl.arange(0, BLOCK)[None, :]
    is_inside = index < count
    delta = tl.load(values + index, mask=is_inside, other=0)
    size = tl.abs(delta)
    if is_coded:
        length = tl.maximum(tl.minimum(count - block * BLOCK, BLOCK), 1)
        exponent = find_code_exponent(tl.sum(size, 1) // length)
        numbers = tl.where(is_inside, draw_codes(delta, index, exponent[:, None], key0, key1), 0).to(tl.int32)
    else:
        exponent = tl.maximum(count_bits(tl.max(size, 1)) - (bits - 1), 0)
        numbers = draw(delta, index, exponent[:, None], key0, key1, 2 ** (bits - 1) - 1).to(tl.int32)
    if bits == 8:
        packed = numbers
    elif bits == 4:
        low, high = tl.split(tl.reshape(numbers, [rows, BLOCK // 2, 2]))
        packed = (low & 15) | (high << 4)
    else:
        even, odd = tl.split(tl.reshape(numbers, [rows, BLOCK // 4, 2, 2]))
        low0, low2 = tl.split(even)
        low1, low3 = tl.split(odd)
        packed = low0 | (low1 << 2) | (low2 << 4) | (low3 << 6)
    region, within = block // REGION_BLOCKS, block % REGION_BLOCKS
    start = region * (REGION_BLOCKS + REGION * bits // 8)
    tl.store(data + start + within, exponent.to(tl.uint8), mask=block < blocks)
    first = start + tl.minimum(blocks - region * REGION_BLOCKS, REGION_BLOCKS) + within * (32 * bits)
    place = first[:, None] + tl.arange(0, 32 * bits)[None, :]
    tl.store(data + place, packed.to(tl.uint8), mask=(block < blocks)[:, None] & (place < total))


@jit_changing("count")
def decode_values(
    data: tl.tensor, values: tl.tensor, count: tl.tensor, bits: tl.constexpr, is_coded: tl.constexpr,
    block: tl.constexpr,
) -> None:
    """value << exponent of every coordinate, int64."""
    index = tl.program_id(0).to(tl.int64) * block + tl.arange(0, block)
    is_inside = index < count
    region, within = index // REGION, index % REGION
    start = region * (REGION_BLOCKS + REGION * bits // 8)
    stored = (tl.minimum(count - region * REGION, REGION) + (BLOCK - 1)) // BLOCK
    exponent = tl.load(data + start + within // BLOCK, mask=is_inside, other=0).to(tl.int64)
    byte = tl.load(data + start + stored + within * bits // 8, mask=is_inside, other=0).to(tl.int64)
    field = (byte >> (within * bits % 8)) & (2**bits - 1)
    if is_coded:
        number = 2 * field - 3
    else:
        number = field - ((field >> (bits - 1)) << bits)
    tl.store(values + index, number << exponent, mask=is_inside)


def encode(values: Array, count: int, keys: tuple[int, int], form: Format) -> Array:
    """The payload, uint8, of a delta int64 [count] on the device."""
    total = types.compute_bytes(count, form)
    data = device.new_array(total, np.uint8)
    blocks = types.count_parts(count, types.BLOCK_VALUES)
    rows = min(ROWS_INTERPRETED, device.find_power(blocks)) if device.IS_INTERPRETED else ROWS
    launch(encode_blocks, (device.count_programs(blocks, rows),), values, data, count, total, *device.to_signed(keys),
           bits=form.bits, is_coded=form.is_coded, rows=rows)
    return data


def decode(data: Array, count: int, form: Format) -> Array:
    """The delta int64 [count] of a payload on the device."""
    values, block = device.new_array(count, np.int64), device.find_elements(count)
    launch(decode_values, (device.count_programs(count, block),), data, values, count, bits=form.bits,
           is_coded=form.is_coded, block=block)
    return values
