"""Sparse payloads in Triton: a program owns whole chunks of 4096 coordinates, so that what it adds up has one place.

Indices of a chunk are all different, and sums of integers do not depend on their order. A payload on the device is as
gpu.hold makes it; a fault is the first block of the first faulty chunk, as in gpu_dense.py.
Source: kernels/README.md sections 8 and 9.1.
"""

from __future__ import annotations

import numpy as np
import triton.language as tl

from kernels import device
from kernels.device import Array, constexpr, jit, jit_changing, launch
from kernels.payload import types
from kernels.payload.gpu_encode import draw_codes, find_code_exponent
from kernels.payload.types import Format

CHUNKS, CHUNKS_INTERPRETED = 4, 16  # of a program
SELECT_WARPS = 16  # so that a lane holds eight coordinates of a chunk
BLOCK, CHUNK, ENTRIES = constexpr(types.BLOCK_VALUES), constexpr(types.CHUNK_VALUES), constexpr(types.CHUNK_ENTRIES)
CHUNK_BLOCKS = constexpr(types.CHUNK_VALUES // types.BLOCK_VALUES)
REGION_CHUNKS = constexpr(types.REGION_VALUES // types.CHUNK_VALUES)
CHUNK_BYTES = constexpr(types.compute_chunk_bytes(types.CHUNK_VALUES))
REGION_BYTES = constexpr(types.compute_bytes(types.REGION_VALUES, types.TOP64))
EXPONENT_MAX = constexpr(types.TOP64.exponent_max)
LEFT_MAX, RIGHT_MAX, ALIGNED_MAX = constexpr(7), constexpr(9), constexpr(127)
NONE = constexpr(2**31 - 1)


@jit
def find_chunks(program: tl.tensor, count: tl.tensor, rows: tl.constexpr) -> tl.tensor:
    """(number, coordinates, entries, first byte of the exponent, of the indices, of the codes) of chunks, int64."""
    chunk = program.to(tl.int64) * rows + tl.arange(0, rows)
    chunks = (count + (CHUNK - 1)) // CHUNK
    size = tl.maximum(tl.minimum(count - chunk * CHUNK, CHUNK), 0)
    entries = tl.minimum(size, ENTRIES)
    region, within = chunk // REGION_CHUNKS, chunk % REGION_CHUNKS
    stored = tl.minimum(chunks - region * REGION_CHUNKS, REGION_CHUNKS)
    start = region * REGION_BYTES
    indices = start + stored + within * CHUNK_BYTES
    return chunk, size, entries, start + within, indices, indices + (3 * entries + 1) // 2


@jit
def load_index(data: tl.tensor, indices: tl.tensor, entry: tl.tensor, mask: tl.tensor) -> tl.tensor:
    """The 12 bits of entries, int32; of entry -1, masked out, which has no bytes, 0."""
    at = data + indices + 3 * entry // 2
    low = tl.load(at, mask=mask, other=0).to(tl.int32)
    high = tl.load(at + 1, mask=mask, other=0).to(tl.int32)
    return ((low | (high << 8)) >> (4 * (entry & 1))) & (CHUNK - 1)


@jit
def load_entries(
    data: tl.tensor, exponents: tl.tensor, indices: tl.tensor, codes: tl.tensor, entries: tl.tensor
) -> tl.tensor:
    """(index, value, mask) of the entries [chunks, 64] and exponent [chunks], int32."""
    entry = tl.arange(0, ENTRIES)[None, :]
    mask = entry < entries[:, None]
    index = load_index(data, indices[:, None], entry, mask)
    byte = tl.load(data + codes[:, None] + entry // 4, mask=mask, other=0).to(tl.int32)
    exponent = tl.load(data + exponents, mask=entries > 0, other=0).to(tl.int32)
    return index, 2 * ((byte >> (2 * (entry % 4))) & 3) - 3, mask, exponent


@jit
def align(values: tl.tensor, above: tl.tensor) -> tl.tensor:
    """int32 values at an exponent that is `above` the grid's, on the grid."""
    left = tl.minimum(tl.maximum(above, 0), LEFT_MAX)
    right = tl.minimum(tl.maximum(-above, 0), RIGHT_MAX)
    half = tl.where(right > 0, (tl.full(right.shape, 1, tl.int32) << right >> 1) - 1 + ((values >> right) & 1), 0)
    return (tl.minimum(tl.maximum(values << left, -ALIGNED_MAX), ALIGNED_MAX) + half) >> right


@jit
def check_chunks(
    data: tl.tensor, fault: tl.tensor, chunk: tl.tensor, size: tl.tensor, entries: tl.tensor, indices: tl.tensor,
    codes: tl.tensor, index: tl.tensor, mask: tl.tensor, exponent: tl.tensor,
) -> None:
    """Lower fault[0] to the first block of the first of these chunks that has a fault, if one has."""
    entry = tl.arange(0, ENTRIES)[None, :]
    before = load_index(data, indices[:, None], entry - 1, mask & (entry > 0))
    is_wrong = mask & ((index >= size[:, None]) | ((entry > 0) & (index <= before)))
    is_bad = (tl.max(is_wrong.to(tl.int32), 1) > 0) | (exponent > EXPONENT_MAX)
    last = tl.load(data + codes - 1, mask=entries % 2 > 0, other=0)
    behind = tl.load(data + codes + entries // 4, mask=entries % 4 > 0, other=0).to(tl.int32)
    is_bad |= (last >= 16) | ((behind >> (2 * (entries % 4)).to(tl.int32)) > 0)
    bad = tl.min(tl.where(is_bad, chunk.to(tl.int32) * CHUNK_BLOCKS, NONE), 0)
    if bad < NONE:
        tl.atomic_min(fault, bad, sem="relaxed")


@jit_changing("count", "workers", "row")
def ingest(
    data: tl.tensor, fault: tl.tensor, grid: tl.tensor, words: tl.tensor, out: tl.tensor, count: tl.tensor,
    workers: tl.tensor, row: tl.tensor, is_filling: tl.constexpr, rows: tl.constexpr,
) -> None:
    """Chunks of a payload: checked, and with is_filling written to their row: zeros in words, then the entries.

    words, out: one memory [blocks, workers, 256] as int32 and as int8.
    """
    chunk, size, entries, exponents, indices, codes = find_chunks(tl.program_id(0), count, rows)
    index, values, mask, exponent = load_entries(data, exponents, indices, codes, entries)
    check_chunks(data, fault, chunk, size, entries, indices, codes, index, mask, exponent)
    if is_filling:
        block = chunk[:, None] * CHUNK_BLOCKS + (tl.arange(0, CHUNK // 4) // (BLOCK // 4))[None, :]
        word = (tl.arange(0, CHUNK // 4) % (BLOCK // 4))[None, :]
        is_there = block * BLOCK < count
        tl.store(words + (block * workers + row) * (BLOCK // 4) + word, 0, mask=is_there)
        tl.debug_barrier()  # every zero of this program stands before an entry is written over it
        mask = mask & (index < size[:, None])
        block = chunk[:, None] * CHUNK_BLOCKS + index // BLOCK
        above = exponent[:, None] - tl.load(grid + block, mask=mask, other=0).to(tl.int32)
        target = out + (block * workers + row) * BLOCK + index % BLOCK
        tl.store(target, align(values, above).to(tl.int8), mask=mask)


@jit_changing("count", "stride", "payloads")
def add_entries(
    data: tl.tensor, grid: tl.tensor, weights: tl.tensor, out: tl.tensor, count: tl.tensor, stride: tl.tensor,
    payloads: tl.tensor, rows: tl.constexpr,
) -> None:
    """out[coordinate] += weight * aligned value, of the same chunks of every payload; out: int32."""
    chunk, size, entries, exponents, indices, codes = find_chunks(tl.program_id(0), count, rows)
    for payload in range(payloads):
        index, values, mask, exponent = load_entries(data, exponents, indices, codes, entries)
        place = chunk[:, None] * CHUNK + index
        above = exponent[:, None] - tl.load(grid + place // BLOCK, mask=mask, other=0).to(tl.int32)
        added = align(values, above) * tl.load(weights + payload)
        tl.atomic_add(out + place, added, mask=mask, sem="relaxed")
        data += stride


@jit_changing("count")
def add_squares(
    data: tl.tensor, grid: tl.tensor, out: tl.tensor, count: tl.tensor, rows: tl.constexpr
) -> None:
    """out[block] += square of the aligned value; out: int32."""
    chunk, size, entries, exponents, indices, codes = find_chunks(tl.program_id(0), count, rows)
    index, values, mask, exponent = load_entries(data, exponents, indices, codes, entries)
    block = chunk[:, None] * CHUNK_BLOCKS + index // BLOCK
    aligned = align(values, exponent[:, None] - tl.load(grid + block, mask=mask, other=0).to(tl.int32))
    tl.atomic_add(out + block, aligned * aligned, mask=mask, sem="relaxed")


@jit_changing("count")
def decode_entries(data: tl.tensor, out: tl.tensor, count: tl.tensor, rows: tl.constexpr) -> None:
    """value << exponent of the entries; out: int64 zeros."""
    chunk, size, entries, exponents, indices, codes = find_chunks(tl.program_id(0), count, rows)
    index, values, mask, exponent = load_entries(data, exponents, indices, codes, entries)
    tl.store(out + chunk[:, None] * CHUNK + index, values.to(tl.int64) << exponent[:, None], mask=mask)


@jit_changing("key0", "key1", "count")
def select_entries(
    values: tl.tensor, data: tl.tensor, chosen: tl.tensor, count: tl.tensor, key0: tl.tensor, key1: tl.tensor
) -> None:
    """The entries of one chunk, index * 4 + code, to chosen int32 [chunks, 64], and its exponent.

    The lowest magnitude that is chosen is found bit by bit; of those that have it the first are taken.
    """
    chunk, size, entries, exponents, indices, codes = find_chunks(tl.program_id(0), count, 1)
    first, wanted = tl.sum(chunk, 0) * CHUNK, tl.sum(entries, 0).to(tl.int32)
    place = tl.arange(0, CHUNK)
    is_inside = first + place < count
    delta = tl.load(values + first + place, mask=is_inside, other=0)
    magnitude = tl.where(is_inside, tl.abs(delta), -1)
    lowest = tl.full((), 0, tl.int64)
    for step in range(32):
        raised = lowest | (tl.full((), 1, tl.int64) << (31 - step))
        lowest = tl.where(tl.sum((magnitude >= raised).to(tl.int32), 0) >= wanted, raised, lowest)
    is_above, is_lowest = magnitude > lowest, magnitude == lowest
    ties = wanted - tl.sum(is_above.to(tl.int32), 0)
    is_chosen = is_above | (is_lowest & (tl.cumsum(is_lowest.to(tl.int32), 0) <= ties))
    average = tl.sum(tl.where(is_chosen, magnitude, 0), 0) // wanted
    exponent = find_code_exponent(average)
    code = draw_codes(delta, first + place, exponent, key0, key1).to(tl.int32)
    entry = first // CHUNK * ENTRIES + tl.cumsum(is_chosen.to(tl.int32), 0) - 1
    tl.store(chosen + entry, place * 4 + code, mask=is_chosen)
    tl.store(data + exponents, tl.full([1], 0, tl.uint8) + exponent.to(tl.uint8))


@jit_changing("count")
def pack_entries(chosen: tl.tensor, data: tl.tensor, count: tl.tensor, rows: tl.constexpr) -> None:
    """The bytes of indices and codes of chunks from what select_entries chose."""
    chunk, size, entries, exponents, indices, codes = find_chunks(tl.program_id(0), count, rows)
    held, most = (chunk * ENTRIES)[:, None], entries[:, None]
    byte = tl.arange(0, 128)[None, :]
    first = 2 * (byte // 3)
    low = tl.load(chosen + held + first, mask=first < most, other=0) >> 2
    high = tl.load(chosen + held + first + 1, mask=first + 1 < most, other=0) >> 2
    joined = (low | (high << 12)) >> (8 * (byte % 3))
    tl.store(data + indices[:, None] + byte, joined.to(tl.uint8), mask=byte < (codes - indices)[:, None])
    byte = tl.arange(0, ENTRIES // 4)[None, :]
    joined = tl.zeros([rows, ENTRIES // 4], tl.int32)
    for place in tl.static_range(4):
        entry = 4 * byte + place
        joined |= (tl.load(chosen + held + entry, mask=entry < most, other=0) & 3) << (2 * place)
    tl.store(data + codes[:, None] + byte, joined.to(tl.uint8), mask=4 * byte < most)


def check(data: Array, count: int, form: Format, fault: Array) -> None:
    """Lower `fault` to the first block of the first faulty chunk."""
    rows, grid = _find_programs(count)
    launch(ingest, grid, data, fault, data, device.view(data, np.int32), device.view(data, np.int8), count, 1, 0,
           is_filling=False, rows=rows)


def fill(data: Array, count: int, form: Format, fault: Array, grid: Array, values: Array, row: int) -> None:
    """`check`, and write the aligned values to values[:, row]."""
    rows, programs = _find_programs(count)
    launch(ingest, programs, data, fault, grid, device.view(values.reshape(-1), np.int32), values, count,
           int(values.shape[1]), row, is_filling=True, rows=rows)


def accumulate(datas: Array, count: int, grid: Array, weights: list[int]) -> Array:
    """The sum of weight * aligned value over payloads uint8 [n, bytes]: int32 [blocks * 256]."""
    out = device.new_zeros(types.count_parts(count, types.BLOCK_VALUES) * types.BLOCK_VALUES, np.int32)
    rows, programs = _find_programs(count)
    held = device.to_device(np.array(weights, np.int32))
    launch(add_entries, programs, datas, grid, held, out, count, int(datas.shape[1]), len(weights), rows=rows)
    return out


def squares(data: Array, count: int, grid: Array) -> int:
    """The square of the norm of an aligned payload, in units of 1."""
    out = device.new_zeros(types.count_parts(count, types.BLOCK_VALUES), np.int32)
    rows, programs = _find_programs(count)
    launch(add_squares, programs, data, grid, out, count, rows=rows)
    sums, exponents = device.to_host(out).astype(np.int64), device.to_host(grid)
    return sum(int(sums[exponents == exponent].sum()) << 2 * int(exponent) for exponent in np.unique(exponents))


def encode(values: Array, count: int, keys: tuple[int, int], form: Format) -> Array:
    """The payload, uint8, of a delta int64 [count] on the device."""
    data = device.new_array(types.compute_bytes(count, form), np.uint8)
    chunks = types.count_parts(count, types.CHUNK_VALUES)
    chosen = device.new_array((chunks, types.CHUNK_ENTRIES), np.int32)
    launch(select_entries, (chunks,), values, data, chosen, count, *device.to_signed(keys), num_warps=SELECT_WARPS)
    rows, programs = _find_programs(count)
    launch(pack_entries, programs, chosen, data, count, rows=rows)
    return data


def decode(data: Array, count: int, form: Format) -> Array:
    """The delta int64 [count] of a payload on the device."""
    out = device.new_zeros(count, np.int64)
    rows, programs = _find_programs(count)
    launch(decode_entries, programs, data, out, count, rows=rows)
    return out


def _find_programs(count: int) -> tuple[int, tuple[int]]:
    rows = CHUNKS_INTERPRETED if device.IS_INTERPRETED else CHUNKS
    return rows, (device.count_programs(count, rows * types.CHUNK_VALUES),)
