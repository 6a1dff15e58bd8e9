"""Reference of the payload codecs in numpy int64: the truth.  Source: kernels/README.md sections 8 and 9.1.

A payload is a uint8 array of the right length. All but `find_fault`, `fill_row` and `read_exponents` ask for one that
find_fault calls whole; those take any bytes.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from kernels import checks, exact, gin1
from kernels.exact import Ints
from kernels.payload import types
from kernels.payload.types import BLOCK_VALUES, CHUNK_VALUES, CODE_BITS, FORMATS, INDEX_BITS, Format

Bytes = NDArray[np.uint8]
_ALIGN_LEFT_MAX = 7
_ALIGN_RIGHT_MAX = 9
_ALIGNED_MAX = 127


def encode(values: Ints, keys: tuple[int, int], codec: str) -> Bytes:
    """The payload of a delta.

    Raises: KernelInputError for a magnitude above 2**32 - 1.
    """
    checks.check_bound("delta", values, gin1.DELTA_MAX)
    regions = types.iter_regions(values.size, FORMATS[codec])
    return np.concatenate([
        encode_region(values[first:first + size], first, keys, codec) for first, size, *_ in regions])


def encode_region(values: Ints, first: int, keys: tuple[int, int], codec: str) -> Bytes:
    """A region of a payload: of the delta's coordinates from `first`, 65536 or the last; |value| <= 2**32 - 1."""
    form, words = FORMATS[codec], exact.random_words(values.size, keys, first)
    return np.concatenate((_encode_chunks if form.is_sparse else _encode_blocks)(values, words, form))


def decode(data: Bytes, count: int, codec: str) -> Ints:
    """The delta of a payload."""
    values, exponents = read_values(data, count, codec)
    return values << _spread(exponents, count)


def read_values(data: Bytes, count: int, codec: str) -> tuple[Ints, Bytes]:
    """(values [count], exponents [blocks]): coordinate i is values[i] << exponents[i // 256]."""
    form, values = FORMATS[codec], np.zeros(count, dtype=np.int64)
    for region in types.iter_regions(count, form):
        held = data[region.begin + region.exponents:region.end]
        part = values[region.first:region.first + region.size]
        if not form.is_sparse:
            part[:] = _read_numbers(held, region.size, form)
            continue
        for chunk, indices, codes in _iter_chunks(held, region.size):
            chunk_part = part[chunk]
            chunk_part[indices] = codes
    return values, read_exponents(data, count, codec)


def read_exponents(data: Bytes, count: int, codec: str) -> Bytes:
    """The exponent of every block of 256, of a chunk's blocks the chunk's; they are as they are in the payload."""
    form = FORMATS[codec]
    stored = [data[region.begin:region.begin + region.exponents] for region in types.iter_regions(count, form)]
    repeated = np.repeat(np.concatenate(stored), form.exponent_values // BLOCK_VALUES)
    return repeated[:types.count_parts(count, BLOCK_VALUES)]


def find_fault(data: Bytes, count: int, codec: str) -> int:
    """0 for a payload that is right; else the lowest number of a fault, as types.py has them."""
    form = FORMATS[codec]
    for region in types.iter_regions(count, form):
        fault = find_region_fault(data[region.begin:region.end], region.size, form)
        if fault:
            return types.FAULT_KINDS * region.first + fault
    return 0


def find_region_fault(data: Bytes, count: int, form: Format) -> int:
    """find_fault of one region alone."""
    size = form.exponent_values
    exponents, held = np.split(data, [types.count_parts(count, size)])
    places = np.arange(exponents.size) * size
    faults = _number(places[exponents > form.exponent_max], types.EXPONENT_HIGH)
    faults += _find_chunk_faults(held, count) if form.is_sparse else _find_block_faults(exponents, held, count, form)
    return min(faults, default=0)


def fill_row(
    data: Bytes, count: int, codec: str, grid: Bytes, values: NDArray[np.int8], row: int
) -> int:
    """Write the aligned values of a payload to values[:, row] of values [blocks, n, 256], zeros behind `count`.

    grid: exponent of each block. Returns find_fault; of a faulty payload the row is not defined.
    """
    fault = find_fault(data, count, codec)
    if not fault:
        values[:, row] = _align_all(data, count, codec, grid)
    return fault


def accumulate(datas: list[Bytes], count: int, grid: Bytes, weights: list[int]) -> NDArray[np.int32]:
    """The sum of weight * aligned value over top64 payloads: [blocks * 256]; |sum of weights| * 127 < 2**31."""
    total = np.zeros((grid.size, BLOCK_VALUES), dtype=np.int64)
    for data, weight in zip(datas, weights, strict=True):
        total += weight * _align_all(data, count, types.TOP64.name, grid)
    return total.astype(np.int32).reshape(-1)


def squares(data: Bytes, count: int, grid: Bytes) -> int:
    """The square of the norm of an aligned top64 payload, in units of 1."""
    sums = (_align_all(data, count, types.TOP64.name, grid) ** 2).sum(axis=1)
    return sum(int(found) << 2 * int(exponent) for found, exponent in zip(sums, grid))


def align(values: Ints, exponents: Ints, grid: Ints) -> Ints:
    """Values at `exponents` brought to `grid` (section 9.1): to the left they saturate, to the right a half is even."""
    left = np.clip(exponents - grid, 0, _ALIGN_LEFT_MAX)
    right = np.clip(grid - exponents, 0, _ALIGN_RIGHT_MAX)
    half = np.where(right > 0, (np.int64(1) << np.maximum(right - 1, 0)) - 1 + ((values >> right) & 1), 0)
    aligned: Ints = (exact.clip(values << left, _ALIGNED_MAX) + half) >> right
    return aligned


def add_residual(delta: Ints, residual: Ints, decay_q16: int) -> Ints:
    """clip(delta + rs(residual * decay_q16, 16), 2**32 - 1).

    Raises: KernelInputError for a magnitude of delta above 2**32 - 1, of residual above 2**33.
    """
    checks.check_bound("delta", delta, gin1.DELTA_MAX)
    checks.check_bound("residual", residual, gin1.RESIDUAL_MAX)
    return exact.clip(delta + exact.round_shift(residual * np.int64(decay_q16), 16), gin1.DELTA_MAX)


def _align_all(data: Bytes, count: int, codec: str, grid: Bytes) -> Ints:
    """Aligned values [blocks, 256]."""
    values, exponents = read_values(data, count, codec)
    return align(_fold(values, BLOCK_VALUES), exponents.astype(np.int64)[:, None], grid.astype(np.int64)[:, None])


def _encode_blocks(values: Ints, words: Ints, form: Format) -> list[Bytes]:
    """Exponents, then packed values of a region."""
    sizes = np.abs(_fold(values, BLOCK_VALUES))
    if form.is_coded:
        lengths = np.minimum(BLOCK_VALUES, values.size - np.arange(len(sizes)) * BLOCK_VALUES)
        exponents = _find_code_exponents(sizes.sum(axis=1) // lengths)
        numbers = _draw_codes(values, words, _spread(exponents, values.size))
    else:
        exponents = np.maximum(_count_bits(sizes.max(axis=1)) - (form.bits - 1), 0)
        shifts = _spread(exponents, values.size)
        numbers = exact.clip((values + (words & ((np.int64(1) << shifts) - 1))) >> shifts, form.value_max)
    return [exponents.astype(np.uint8), _pack(numbers, form.bits)]


def _encode_chunks(values: Ints, words: Ints, form: Format) -> list[Bytes]:
    """Exponents, then indices and codes chunk by chunk, of a region."""
    exponents, parts = [], []
    for start in range(0, values.size, CHUNK_VALUES):
        chunk = values[start:start + CHUNK_VALUES]
        entries = types.compute_entries(chunk.size)
        chosen = np.sort(np.argsort(-np.abs(chunk), kind="stable")[:entries])
        exponent = _find_code_exponents(np.abs(chunk[chosen]).sum(keepdims=True) // entries)
        exponents.append(exponent)
        codes = _draw_codes(chunk[chosen], words[start + chosen], exponent)
        parts += [_pack(chosen, INDEX_BITS), _pack(codes, CODE_BITS)]
    return [np.concatenate(exponents).astype(np.uint8), *parts]


def _draw_codes(values: Ints, words: Ints, exponents: Ints) -> Ints:
    one = np.int64(1) << exponents
    codes: Ints = np.clip((values + 3 * one + (words & (2 * one - 1))) >> (exponents + 1), 0, 3)
    return codes


def _find_code_exponents(averages: Ints) -> Ints:
    return np.clip(_count_bits(averages) - 1, 0, types.INT2.exponent_max)


def _count_bits(magnitudes: Ints) -> Ints:
    return np.array([value.bit_length() for value in magnitudes.tolist()], dtype=np.int64)


def _read_numbers(held: Bytes, count: int, form: Format) -> Ints:
    numbers = _unpack(held, count, form.bits)
    if form.is_coded:
        return 2 * numbers - 3
    return numbers - ((numbers >> (form.bits - 1)) << form.bits)


def _iter_chunks(held: Bytes, count: int) -> Iterator[tuple[slice, Ints, Ints]]:
    """(coordinates, indices, values) of the chunks of a region; held: what follows its exponents."""
    at = 0
    for start in range(0, count, CHUNK_VALUES):
        size = min(CHUNK_VALUES, count - start)
        entries = types.compute_entries(size)
        middle, end = at + types.compute_index_bytes(entries), at + types.compute_chunk_bytes(size)
        indices = _unpack(held[at:middle], entries, INDEX_BITS)
        yield slice(start, start + size), indices, _read_numbers(held[middle:end], entries, types.TOP64)
        at = end


def _find_block_faults(exponents: Bytes, held: Bytes, count: int, form: Format) -> list[int]:
    faults = _find_padding(held, count, form.bits, count)
    if form.is_coded:
        return faults
    values = _read_numbers(held, count, form)
    faults += _number(np.flatnonzero(values < -form.value_max), types.VALUE_LOWEST)
    leading = np.abs(_fold(values, BLOCK_VALUES)).max(axis=1)
    idle = np.flatnonzero((exponents > 0) & (leading < form.leading_min))
    return faults + _number(idle * BLOCK_VALUES, types.SCALE_IDLE)


def _find_chunk_faults(held: Bytes, count: int) -> list[int]:
    faults, at = [], 0
    for chunk, indices, _ in _iter_chunks(held, count):
        size = chunk.stop - chunk.start
        middle, end = at + types.compute_index_bytes(indices.size), at + types.compute_chunk_bytes(size)
        places = chunk.start + np.arange(indices.size)
        faults += _number(places[indices >= size], types.INDEX_HIGH)
        faults += _number(places[1:][indices[1:] <= indices[:-1]], types.INDEX_ORDER)
        behind = chunk.start + indices.size
        faults += _find_padding(held[at:middle], indices.size, INDEX_BITS, behind)
        faults += _find_padding(held[middle:end], indices.size, CODE_BITS, behind)
        at = end
    return faults


def _find_padding(held: Bytes, count: int, bits: int, place: int) -> list[int]:
    unused = 8 * held.size - bits * count
    return _number(np.array([place]), types.PADDING_USED) if unused and held[-1] >> (8 - unused) else []


def _number(places: Ints, kind: int) -> list[int]:
    return [types.FAULT_KINDS * place + kind for place in places.tolist()]


def _pack(numbers: Ints, bits: int) -> Bytes:
    """The low bits of each number, joined from the lowest bit of the first byte up; the last byte ends in zeros."""
    single = (numbers[:, None] >> np.arange(bits)) & 1
    return np.packbits(single.astype(np.uint8).reshape(-1), bitorder="little")


def _unpack(held: Bytes, count: int, bits: int) -> Ints:
    """What _pack joined, as numbers >= 0."""
    single = np.unpackbits(held, count=bits * count, bitorder="little").reshape(count, bits)
    numbers: Ints = single.astype(np.int64) @ (np.int64(1) << np.arange(bits))
    return numbers


def _fold(values: Ints, size: int) -> Ints:
    """Rows of `size`, the last one filled with zeros."""
    folded = np.zeros(types.count_parts(values.size, size) * size, dtype=np.int64)
    folded[:values.size] = values
    return folded.reshape(-1, size)


def _spread(exponents: NDArray[np.integer], count: int) -> Ints:
    """An exponent for every coordinate."""
    return np.repeat(exponents.astype(np.int64), BLOCK_VALUES)[:count]
