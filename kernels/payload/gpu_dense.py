"""Ingest of a dense payload in Triton: one pass that unpacks, checks, aligns to the grid and writes the row of a stack.

A lane holds words of the wire and works on four coordinates at once: bytes of a word, or two lanes of 16 bits where a
sum needs more. Programs that have no block to round or to saturate skip both. The whole regions of a payload are read
in words; the last, shorter one, which may begin anywhere, byte by byte. The first faulty block goes to one
word by an atomic minimum.
Source: kernels/README.md sections 8 and 9.1.
"""

from __future__ import annotations

from itertools import islice

import numpy as np
import triton.language as tl
from numpy.typing import NDArray

from kernels import device
from kernels.device import Array, constexpr, jit, jit_changing, launch
from kernels.payload import ref, types
from kernels.payload.types import Format

ALIGNED_BYTES = 16
NO_FAULT = 2**31 - 1
ROWS, ROWS_INTERPRETED = 8, 512  # blocks of a program
BLOCK, REGION_BLOCKS = constexpr(types.BLOCK_VALUES), constexpr(types.REGION_VALUES // types.BLOCK_VALUES)
NONE = constexpr(NO_FAULT)
LEFT_MAX, RIGHT_MAX = constexpr(7), constexpr(9)
HALVES = constexpr(0x00010001)


@jit
def load_words(
    data: tl.tensor, region: tl.tensor, within: tl.tensor, stored: tl.tensor, total: tl.tensor, bits: tl.constexpr,
    is_whole: tl.constexpr,
) -> tl.tensor:
    """The words uint32 [rows, 8 * bits] of blocks `within` of regions; data: int32 where is_whole, else bytes."""
    size: tl.constexpr = REGION_BLOCKS + REGION_BLOCKS * BLOCK * bits // 8
    column = tl.arange(0, 8 * bits)[None, :]
    if is_whole:
        start = region * (size // 4) + REGION_BLOCKS // 4 + within * (8 * bits)
        return tl.load(data + start[:, None] + column).to(tl.uint32)
    start = (region * size + stored + within * (32 * bits))[:, None] + 4 * column
    words = tl.zeros([within.shape[0], 8 * bits], tl.uint32)
    for place in tl.static_range(4):
        byte = tl.load(data + start + place, mask=start + place < total, other=0)
        words |= byte.to(tl.uint32) << (8 * place)
    return words


@jit
def check_blocks(
    words: tl.tensor, exponents: tl.tensor, block: tl.tensor, count: tl.tensor, fault: tl.tensor, limit: tl.constexpr,
    bits: tl.constexpr, is_coded: tl.constexpr, is_whole: tl.constexpr,
) -> None:
    """Lower fault[0] to the first of these blocks that has a fault, if one has. Padding lies behind `count`."""
    is_bad = exponents > limit
    if not is_whole:
        first = block[:, None] * BLOCK + (32 // bits) * tl.arange(0, 8 * bits)[None, :]
        used = tl.minimum(tl.maximum(count - first, 0), 32 // bits) * bits
        is_bad |= tl.max((words.to(tl.int64) >> used > 0).to(tl.int32), 1) > 0
    if not is_coded:
        high: tl.constexpr = (0x80808080 if bits == 8 else 0x88888888)
        ones: tl.constexpr = (0x01010101 if bits == 8 else 0x11111111)
        reach: tl.constexpr = (0x3F3F3F3F if bits == 8 else 0x33333333)
        summed = (words & (high - ones)) + reach  # the high bit of a field: its low bits exceed leading_min
        leads = ((words & (summed ^ 0xFFFFFFFF)) | ((words ^ 0xFFFFFFFF) & (words << 1))) & high
        turned = words ^ high
        lowest = (turned - ones) & (turned ^ 0xFFFFFFFF) & high  # not 0 where a field of `turned` is 0
        leading = tl.max((leads > 0).to(tl.int32) + tl.where(lowest > 0, 2, 0), 1)
        is_bad |= (leading >= 2) | ((exponents > 0) & (leading == 0))
    bad = tl.min(tl.where(is_bad, block, NONE), 0)
    if bad < NONE:
        tl.atomic_min(fault, bad, sem="relaxed")


@jit
def spread_fields(fields: tl.tensor, bits: tl.constexpr) -> tl.tensor:
    """The low four fields of `bits` bits, each in a byte of its own, as signed bytes of the values."""
    if bits == 4:
        fields = fields & 0xFFFF
        fields = (fields | (fields << 8)) & 0x00FF00FF
        fields = (fields | (fields << 4)) & 0x0F0F0F0F
        fields = (fields ^ 0x08080808) + 0x78787878  # the value + 128
    else:
        fields = fields & 0xFF
        fields = (fields | (fields << 12)) & 0x000F000F
        fields = (fields | (fields << 6)) & 0x03030303
        fields = (fields << 1) + 0x7D7D7D7D
    return fields ^ 0x80808080


@jit
def round_half(half: tl.tensor, right: tl.tensor) -> tl.tensor:
    """Two values + 128 in lanes of 16 bits, divided by 2**right >= 2 to the nearest, half to even; low bytes count."""
    biased = half + 896 * HALVES  # 1024 divides by 2**(right + 1): floors and parities stay
    summed = biased + ((tl.full(right.shape, 1, tl.uint32) << (right - 1)) - 1) * HALVES + ((biased >> right) & HALVES)
    quotient = (summed >> right) & ((tl.full(right.shape, 0xFFFF, tl.uint32) >> right) * HALVES)
    return quotient + ((1024 >> right) ^ 0x3FFF) * HALVES + HALVES


@jit
def saturate_half(half: tl.tensor, left: tl.tensor) -> tl.tensor:
    """Two values + 128 in lanes of 16 bits, times 2**left >= 2 and bounded to +-127; low bytes count."""
    middle = tl.full(left.shape, 128, tl.uint32) << left
    shifted = half << left
    over = ((shifted + (0x7F80 - middle) * HALVES) >> 15) & HALVES
    shifted = shifted ^ ((shifted ^ ((middle + 127) * HALVES)) & (over * 0xFFFF))
    under = (((middle + 0x7F80) * HALVES - shifted) >> 15) & HALVES
    return shifted ^ ((shifted ^ ((middle - 127) * HALVES)) & (under * 0xFFFF))


@jit
def align_bytes(
    values: tl.tensor, left: tl.tensor, right: tl.tensor, is_high: tl.tensor, rounds: tl.tensor, saturates: tl.tensor
) -> tl.tensor:
    """Four signed bytes in a word, times 2**left or divided by 2**right, one of which is 0, of a row.

    is_high: rows that must be bounded; rounds, saturates: whether any row has a `right` > 0 or is high.
    """
    kept = (tl.full(left.shape, 0xFF, tl.uint32) << left) & 0xFF
    result = (values << left) & (kept * 0x01010101)
    if rounds | saturates:
        turned = values ^ 0x80808080
        even, odd = turned & 0x00FF00FF, (turned >> 8) & 0x00FF00FF
        if rounds:
            by = tl.maximum(right, 1)
            rounded = (round_half(even, by) & 0x00FF00FF) | ((round_half(odd, by) & 0x00FF00FF) << 8)
            result = tl.where(right > 0, rounded, result)
        if saturates:
            by = tl.maximum(left, 1)
            bounded = (saturate_half(even, by) & 0x00FF00FF) | ((saturate_half(odd, by) & 0x00FF00FF) << 8)
            result = tl.where(is_high, bounded, result)
    return result


@jit_changing("start", "blocks", "stored", "total", "count", "workers", "row")
def ingest(
    data: tl.tensor, exponents: tl.tensor, fault: tl.tensor, grid: tl.tensor, out: tl.tensor, start: tl.tensor,
    blocks: tl.tensor, stored: tl.tensor, total: tl.tensor, count: tl.tensor, workers: tl.tensor, row: tl.tensor,
    limit: tl.constexpr, bits: tl.constexpr, is_coded: tl.constexpr, is_whole: tl.constexpr, is_filling: tl.constexpr,
    rows: tl.constexpr,
) -> None:
    """Blocks start .. start + blocks - 1 of a payload: checked, and with is_filling written to their row.

    data: words where is_whole, else bytes; exponents: the payload's bytes; stored: exponents in the last region;
    out: words [blocks, workers, 64].
    """
    local = tl.program_id(0) * rows + tl.arange(0, rows)
    block = start + local
    region, within = (block // REGION_BLOCKS).to(tl.int64), block % REGION_BLOCKS
    size: tl.constexpr = REGION_BLOCKS + REGION_BLOCKS * BLOCK * bits // 8
    exponent = tl.load(exponents + region * size + within, mask=local < blocks, other=0).to(tl.int32)
    words = load_words(data, region, within, stored, total, bits, is_whole)
    check_blocks(words, exponent, block, count, fault, limit, bits, is_coded, is_whole)
    if is_filling:
        above = exponent - tl.load(grid + block, mask=local < blocks, other=0).to(tl.int32)
        most: tl.constexpr = (0 if bits == 8 else (4 if bits == 4 else 5))  # to the left without saturation
        is_high = (above > most)[:, None]
        left = tl.minimum(tl.maximum(above, 0), LEFT_MAX).to(tl.uint32)[:, None]
        right = tl.minimum(tl.maximum(-above, 0), RIGHT_MAX).to(tl.uint32)[:, None]
        rounds, saturates = tl.min(above, 0) < 0, tl.max(above, 0) > most
        if bits == 8:
            result = align_bytes(words, left, right, is_high, rounds, saturates)
        elif bits == 4:
            low = align_bytes(spread_fields(words, 4), left, right, is_high, rounds, saturates)
            high = align_bytes(spread_fields(words >> 16, 4), left, right, is_high, rounds, saturates)
            result = tl.reshape(tl.join(low, high), [rows, BLOCK // 4])
        else:
            part0 = align_bytes(spread_fields(words, 2), left, right, is_high, rounds, saturates)
            part1 = align_bytes(spread_fields(words >> 8, 2), left, right, is_high, rounds, saturates)
            part2 = align_bytes(spread_fields(words >> 16, 2), left, right, is_high, rounds, saturates)
            part3 = align_bytes(spread_fields(words >> 24, 2), left, right, is_high, rounds, saturates)
            result = tl.reshape(tl.join(tl.join(part0, part2), tl.join(part1, part3)), [rows, BLOCK // 4])
        column = tl.arange(0, BLOCK // 4)[None, :]
        target = out + ((block.to(tl.int64) * workers + row) * (BLOCK // 4))[:, None] + column
        if is_whole:
            tl.store(target, result.to(tl.int32))
        else:
            used = tl.minimum(tl.maximum(count - (block[:, None] * BLOCK + 4 * column), 0), 4) * 8
            mask = ((tl.full(used.shape, 1, tl.int64) << used) - 1).to(tl.uint32)
            tl.store(target, (result & mask).to(tl.int32), mask=(local < blocks)[:, None])


def new_fault() -> Array:
    """int32 [1] of no fault, for `check` and `fill` to lower to the first block that has one."""
    return device.to_device(np.array([NO_FAULT], np.int32))


def read_fault(fault: Array, data: NDArray[np.uint8], count: int, form: Format) -> int:
    """The number of the lowest fault, 0 for none; waits for the kernels that were given `fault`.

    The reference finds it in the region that the device found to have one: a payload that nobody should send.
    """
    found = int(device.to_host(fault)[0])
    if found == NO_FAULT:
        return 0
    region = next(islice(types.iter_regions(count, form), found // REGION_BLOCKS.value, None))
    number = ref.find_region_fault(data[region.begin:region.end], region.size, form)
    if not number:
        raise RuntimeError(f"the device found a fault in block {found} of a payload, where the reference finds none")
    return types.FAULT_KINDS * region.first + number


def check(data: Array, count: int, form: Format, fault: Array) -> None:
    """Lower `fault` to the first faulty block of a payload."""
    _launch(data, count, form, fault, data, device.view(data, np.int32), 1, 0, False)


def fill(data: Array, count: int, form: Format, fault: Array, grid: Array, values: Array, row: int) -> None:
    """`check`, and write the aligned values to values[:, row]."""
    _launch(data, count, form, fault, grid, device.view(values.reshape(-1), np.int32), int(values.shape[1]), row, True)


def _launch(
    data: Array, count: int, form: Format, fault: Array, grid: Array, out: Array, workers: int, row: int,
    is_filling: bool,
) -> None:
    rows = ROWS_INTERPRETED if device.IS_INTERPRETED else ROWS
    whole = count // types.REGION_VALUES * REGION_BLOCKS.value
    rest = types.count_parts(count, types.BLOCK_VALUES) - whole
    for start, blocks, is_whole in ((0, whole, True), (whole, rest, False)):
        taken = min(rows, REGION_BLOCKS.value, device.find_power(blocks))
        launch(
            ingest, (device.count_programs(blocks, taken),), device.view(data, np.int32) if is_whole else data, data,
            fault, grid, out, start, blocks, rest, types.compute_bytes(count, form), count, workers, row,
            limit=form.exponent_max, bits=form.bits, is_coded=form.is_coded, is_whole=is_whole, is_filling=is_filling,
            rows=taken, num_warps=1,
        )
