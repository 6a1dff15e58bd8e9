"""Compiled encoders of the payload codecs: blocks, and the largest entries of chunks without a sort.

Source: kernels/README.md section 8.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from kernels import gin1
from kernels.jit import Scalar, entry, inlined, pasted, types
from kernels.lanes import random32
from kernels.payload.sparse import find_chunk
from kernels.payload.types import (
    BLOCK_VALUES, CHUNK_ENTRIES, CHUNK_VALUES, INDEX_BITS, INT2, REGION_VALUES, TOP64,
)
from kernels.payload.vectors import VALUES, find_lowest, find_reaching

_INT, _WORD = types.int64, types.uint32
_VALUES = types.Array(types.int64, 1, "C", readonly=True)
_DATA = types.Array(types.uint8, 1, "C")
_SIZES = types.Array(types.uint32, 1, "C")
_DELTA_MAX = gin1.DELTA_MAX
_BLOCKS, _CHUNKS = REGION_VALUES // BLOCK_VALUES, REGION_VALUES // CHUNK_VALUES
_GROUPS = CHUNK_VALUES // CHUNK_ENTRIES
_CODED_MAX = INT2.exponent_max
_CODE_BITS = TOP64.bits
SIZES = CHUNK_VALUES + CHUNK_ENTRIES  # uint32 of room for the encoder of chunks: magnitudes, the largest by lanes


@inlined
def count_bits(value: Scalar) -> Scalar:
    """The length of a number below 2**32 in binary."""
    bits = np.int64(0)
    while value >> bits > 0:
        bits += 1
    return bits


@pasted
def find_largest(values: NDArray[np.int64]) -> Scalar:
    """(the largest magnitude, whether it is above 2**32 - 1)."""
    low, high = np.int64(0), np.int64(0)
    for index in range(values.size):
        low, high = min(low, values[index]), max(high, values[index])
    return max(-low, high), (low < -_DELTA_MAX) | (high > _DELTA_MAX)


@inlined
def draw_code(value: Scalar, noise: Scalar, exponent: Scalar) -> Scalar:
    """The code of a value at an exponent: int64."""
    one = np.int64(1) << exponent
    return min(max((value + 3 * one + (np.int64(noise) & (2 * one - 1))) >> (exponent + 1), 0), 3)


@entry(_INT, _INT, _VALUES, _WORD, _WORD, _INT, _INT, _DATA, _DATA)
def encode_blocks(
    bits: int, values: NDArray[np.int64], key0: int, key1: int, first: int, last: int, data: NDArray[np.uint8],
    numbers: NDArray[np.uint8],
) -> Any:
    """Regions first..last - 1 of a dense payload; returns 1 if a value is out of range. numbers: 256 bytes of room."""
    blocks = (values.size + BLOCK_VALUES - 1) // BLOCK_VALUES
    limit = np.int64((1 << (bits - 1)) - 1)
    for block in range(first * _BLOCKS, min(last * _BLOCKS, blocks)):
        region = block // _BLOCKS
        begin, number = region * _BLOCKS * (1 + 32 * bits), block - region * _BLOCKS
        start = block * BLOCK_VALUES
        part = values[start:min(start + BLOCK_VALUES, values.size)]
        largest, outside = find_largest(part)
        if outside:
            return 1
        if bits == 2:
            total = np.int64(0)
            for index in range(part.size):
                total += abs(part[index])
            exponent = min(max(count_bits(total // part.size) - 1, 0), _CODED_MAX)
            for index in range(part.size):
                noise = random32(np.uint32(start + index), key0, key1)
                numbers[index] = draw_code(part[index], noise, exponent)
        else:
            exponent = max(count_bits(largest) - (bits - 1), 0)
            mask = (np.int64(1) << exponent) - 1
            for index in range(part.size):
                noise = np.int64(random32(np.uint32(start + index), key0, key1)) & mask
                numbers[index] = min(max((part[index] + noise) >> exponent, -limit), limit)
        data[np.uint64(begin + number)] = exponent
        place = begin + min(_BLOCKS, blocks - region * _BLOCKS) + number * 32 * bits
        for index in range(part.size, BLOCK_VALUES):
            numbers[index] = 0
        target = data[place:place + (part.size * bits + 7) // 8]
        if bits == 8:
            for index in range(target.size):
                target[index] = numbers[index]
        elif bits == 4:
            for index in range(target.size):
                target[index] = (numbers[2 * index] & 15) | (numbers[2 * index + 1] << 4)
        else:
            for index in range(target.size):
                low = numbers[4 * index] | numbers[4 * index + 1] << 2
                target[index] = low | numbers[4 * index + 2] << 4 | numbers[4 * index + 3] << 6
    return 0


@pasted
def list_candidates(sizes: NDArray[np.uint32], places: NDArray[np.uint32]) -> Scalar:
    """Places of a chunk's magnitudes among which its 64 largest are, rising; how many they are.

    64 lanes of the chunk have a largest one each: the smallest of these is reached by 64 or more.
    """
    lanes = sizes[CHUNK_VALUES:]
    for lane in range(CHUNK_ENTRIES):
        lanes[lane] = sizes[lane]
    for group in range(1, _GROUPS):
        part = sizes[group * CHUNK_ENTRIES:(group + 1) * CHUNK_ENTRIES]
        for lane in range(CHUNK_ENTRIES):
            lanes[lane] = max(lanes[lane], part[lane])
    floor = lanes[0]
    for lane in range(1, CHUNK_ENTRIES):
        floor = min(floor, lanes[lane])
    found = np.int64(0)
    for start in range(0, CHUNK_VALUES, VALUES):
        reached = find_reaching(sizes.ctypes.data + 4 * start, floor)
        while reached != 0:
            places[np.uint64(found)] = start + find_lowest(reached)
            found += 1
            reached &= reached - 1
    return found


@pasted
def find_threshold(numbers: NDArray[np.uint32], entries: Scalar, bits: Scalar) -> Scalar:
    """The largest number that `entries` of `numbers` reach, bit by bit from the highest; int64."""
    threshold = np.int64(0)
    for step in range(bits):
        trial = threshold | np.int64(1) << (bits - 1 - step)
        reached = np.int64(0)
        for index in range(numbers.size):
            reached += np.int64(np.int64(numbers[index]) >= trial)
        if reached >= entries:
            threshold = trial
    return threshold


@pasted
def choose_entries(
    sizes: NDArray[np.uint32], largest: Scalar, entries: Scalar, places: NDArray[np.uint32],
    numbers: NDArray[np.uint32],
) -> Scalar:
    """places[:entries] = places of the largest magnitudes, rising, of equal ones the first; returns their sum."""
    found = list_candidates(sizes, places)
    for index in range(found):
        numbers[index] = sizes[places[index]]
    threshold = find_threshold(numbers[:found], entries, count_bits(largest))
    ties = entries
    for index in range(found):
        ties -= np.int64(np.int64(numbers[index]) > threshold)
    total, taken = np.int64(0), np.int64(0)
    for index in range(found):
        number = np.int64(numbers[index])
        if number >= threshold and (number > threshold or ties > 0):
            ties -= np.int64(number == threshold)
            places[np.uint64(taken)] = places[index]
            taken += 1
            total += number
    return total


@pasted
def pack_entries(places: NDArray[np.uint32], codes: NDArray[np.uint32], target: NDArray[np.uint8]) -> None:
    """Indices of 12 bits, then codes of 2, to `target`, which has the bytes of both; 64 places and codes, 0 behind."""
    code_bytes = (places.size * _CODE_BITS + 7) // 8
    behind = target.size - code_bytes
    for index in range(behind):
        pair = index // 3
        part = index - 3 * pair
        joined = np.int64(places[2 * pair])
        if 2 * pair + 1 < places.size:
            joined |= np.int64(places[2 * pair + 1]) << INDEX_BITS
        target[index] = joined >> 8 * part
    for index in range(code_bytes):
        low = codes[4 * index] | codes[4 * index + 1] << 2
        target[behind + index] = low | codes[4 * index + 2] << 4 | codes[4 * index + 3] << 6


@entry(_INT, _VALUES, _WORD, _WORD, _INT, _INT, _DATA, _SIZES, _SIZES, _SIZES)
def encode_chunks(
    values: NDArray[np.int64], key0: int, key1: int, first: int, last: int, data: NDArray[np.uint8],
    sizes: NDArray[np.uint32], places: NDArray[np.uint32], numbers: NDArray[np.uint32],
) -> Any:
    """Regions first..last - 1 of a sparse payload; returns 1 if a value is out of range. Room: SIZES of each."""
    chunks = min(last * _CHUNKS, (values.size + CHUNK_VALUES - 1) // CHUNK_VALUES)
    for chunk in range(first * _CHUNKS, chunks):
        at, place, count = find_chunk(chunk, values.size)
        start, entries = chunk * CHUNK_VALUES, min(CHUNK_ENTRIES, count)
        part = values[start:start + count]
        low, high = np.int64(0), np.int64(0)
        for index in range(count):
            low, high = min(low, part[index]), max(high, part[index])
            sizes[index] = abs(part[index])
        for index in range(count, CHUNK_VALUES):
            sizes[index] = 0
        if low < -_DELTA_MAX or high > _DELTA_MAX:
            return 1
        total = choose_entries(sizes, max(-low, high), entries, places, numbers)
        exponent = min(max(count_bits(total // entries) - 1, 0), _CODED_MAX)
        for index in range(entries):
            noise = random32(np.uint32(start + places[index]), key0, key1)
            numbers[index] = draw_code(part[places[index]], noise, exponent)
        for index in range(entries, CHUNK_ENTRIES):
            numbers[index] = 0
        data[np.uint64(at)] = exponent
        size = (entries * INDEX_BITS + 7) // 8 + (entries * _CODE_BITS + 7) // 8
        pack_entries(places[:entries], numbers, data[place:place + size])
    return 0
