"""Order statistics of a stack on the gpu back end: radix selection on bit planes, 32 coordinates in a word.

A plane decides one bit of a rank's value: among the rows that share the higher bits with it, those with a zero are
counted by carry-save adders, and the rank is below their number or not. Source: kernels/aggregate/README.md.
"""

from __future__ import annotations

import numpy as np
import triton.language as tl

from kernels import device
from kernels.aggregate.gpu_planes import ROW_WORDS, WORDS, find_words, store_sums
from kernels.device import Array, constexpr, jit, jit_changing, launch

PADDED_ROWS = (4, 8, 12, 16, 20, 24, 28, 32, 40, 48, 56, 64)
KEPT_ROWS = 56  # sum_between has registers for a plane's words of so many; those of more it reads in parts, twice
VALUE_BITS = constexpr(8)
SUM_WORDS = constexpr(128)  # of a block's sums


@jit
def fill(value: tl.constexpr, count: tl.constexpr, like: tl.tensor) -> tl.tuple:
    """`count` words of `value`."""
    words: tl.tuple = ()
    for _ in tl.static_range(count):
        words = words + (tl.full(like.shape, value, tl.int32),)
    return words


@jit
def admit(rows: tl.tensor, padded: tl.constexpr, certain: tl.constexpr, like: tl.tensor) -> tl.tuple:
    """`padded` words: ones for a row that is there, zeros for one that is not."""
    words: tl.tuple = ()
    for row in tl.static_range(padded):
        if row < certain:
            words = words + (tl.full(like.shape, -1, tl.int32),)
        else:
            words = words + (tl.zeros(like.shape, tl.int32) - (rows > row).to(tl.int32),)
    return words


@jit
def spread(number: tl.tensor, count: tl.constexpr, like: tl.tensor) -> tl.tuple:
    """The `count` lowest bits of a number, each as a word of that bit."""
    words: tl.tuple = ()
    for index in tl.static_range(count):
        words = words + (tl.zeros(like.shape, tl.int32) - ((number >> index) & 1),)
    return words


@jit
def add_level(words: tl.tuple) -> tuple[tl.tensor, tl.tuple]:
    """The lowest digit of the number of ones among words, and words whose ones count twice."""
    digit = words[0]
    carries: tl.tuple = ()
    for index in tl.static_range((len(words) - 1) // 2):
        first, second = words[2 * index + 1], words[2 * index + 2]
        half = digit ^ first
        carries = carries + ((digit & first) | (half & second),)
        digit = half ^ second
    if len(words) % 2 == 0:
        carries = carries + (digit & words[len(words) - 1],)
        digit = digit ^ words[len(words) - 1]
    return digit, carries


@jit
def count_ones(words: tl.tuple, digits: tl.constexpr) -> tl.tuple:
    """The number of ones among words, bit by bit of the word, as `digits` words, lowest first."""
    number: tl.tuple = ()
    for _ in tl.static_range(digits):
        digit, words = add_level(words)
        number = number + (digit,)
    return number


@jit
def narrow(rank: tl.tuple, number: tl.tuple) -> tuple[tl.tensor, tl.tuple]:
    """(where rank < number; the rank there, else the rank less the number)."""
    borrow = rank[0] ^ rank[0]
    rest: tl.tuple = ()
    for index in tl.static_range(len(rank)):
        rest = rest + (rank[index] ^ number[index] ^ borrow,)
        borrow = (~rank[index] & (number[index] | borrow)) | (number[index] & borrow)
    kept: tl.tuple = ()
    for index in tl.static_range(len(rank)):
        kept = kept + ((rank[index] & borrow) | (rest[index] & ~borrow),)
    return borrow, kept


@jit
def append_digit(total: tl.tuple, digit: tl.tensor) -> tl.tuple:
    """2 * total + digit, without the highest digit."""
    longer: tl.tuple = (digit,)
    for index in tl.static_range(len(total) - 1):
        longer = longer + (total[index],)
    return longer


@jit
def append(total: tl.tuple, number: tl.tuple, sign: tl.tensor) -> tl.tuple:
    """2 * total + number, whose further digits are `sign`; modulo 2**len(total)."""
    longer: tl.tuple = (number[0],)
    carry = sign ^ sign
    for index in tl.static_range(1, len(total)):
        digit = sign
        if index < len(number):
            digit = number[index]
        half = total[index - 1] ^ digit
        longer = longer + (half ^ carry,)
        carry = (total[index - 1] & digit) | (half & carry)
    return longer


@jit
def add_number(total: tl.tuple, number: tl.tuple) -> tl.tuple:
    """total + number, which may have fewer digits; the sum has as many as the total."""
    carry = number[0] ^ number[0]
    longer: tl.tuple = ()
    for index in tl.static_range(len(total)):
        digit = carry ^ carry
        if index < len(number):
            digit = number[index]
        half = total[index] ^ digit
        longer = longer + (half ^ carry,)
        carry = (total[index] & digit) | (half & carry)
    return longer


@jit
def choose(where: tl.tensor, first: tl.tuple, second: tl.tuple) -> tl.tuple:
    """The first number where a bit is set, else the second."""
    chosen: tl.tuple = ()
    for index in tl.static_range(len(first)):
        chosen = chosen + ((first[index] & where) | (second[index] & ~where),)
    return chosen


@jit
def merge(first: tl.tuple, second: tl.tuple, where: tl.tensor) -> tl.tuple:
    """The first number, or where a bit is set and the first is zero the second."""
    merged: tl.tuple = ()
    for index in tl.static_range(len(first)):
        merged = merged + (first[index] | (second[index] & where),)
    return merged


@jit
def add_masked(first: tl.tuple, first_mask: tl.tensor, second: tl.tuple, second_mask: tl.tensor) -> tl.tuple:
    """(first where its mask is set) + (second where its mask is set): one digit more."""
    carry = first_mask ^ first_mask
    total: tl.tuple = ()
    for index in tl.static_range(len(first)):
        left, right = first[index] & first_mask, second[index] & second_mask
        half = left ^ right
        total = total + (half ^ carry,)
        carry = (left & right) | (half & carry)
    return total + (carry,)


@jit
def subtract(first: tl.tuple, second: tl.tuple) -> tuple[tl.tuple, tl.tensor]:
    """first - second, which has one digit more, as digits and the word of the further ones."""
    borrow = second[0] ^ second[0]
    rest: tl.tuple = ()
    for index in tl.static_range(len(second)):
        if index < len(first):
            rest = rest + (first[index] ^ second[index] ^ borrow,)
            borrow = (~first[index] & (second[index] | borrow)) | (second[index] & borrow)
        else:
            rest = rest + (second[index] ^ borrow,)
            borrow = second[index] | borrow
    return rest, borrow


@jit
def read_plane(
    planes: tl.tensor, at: tl.tensor, rows: tl.tensor, first: tl.constexpr, end: tl.constexpr, certain: tl.constexpr
) -> tl.tuple:
    """A plane's word of each row from `first` on; of rows that are not there, anything."""
    words: tl.tuple = ()
    for row in tl.static_range(first, end):
        if row < certain:
            words = words + (tl.load(planes + at + row * ROW_WORDS),)
        else:
            words = words + (tl.load(planes + at + row * ROW_WORDS, mask=tl.zeros_like(at) + row < rows),)
    return words


@jit_changing("rows", "rank")
def select_one(
    planes: tl.tensor, sums: tl.tensor, words: tl.tensor, rows: tl.tensor, rank: tl.tensor,
    padded: tl.constexpr, certain: tl.constexpr, digits: tl.constexpr, block: tl.constexpr,
) -> None:
    """The values of one rank."""
    index = tl.program_id(0).to(tl.int64) * block + tl.arange(0, block)
    mask = index < words
    index = tl.minimum(index, words - 1)
    at = index // WORDS * rows * ROW_WORDS + index % WORDS
    equal = admit(rows, padded, certain, index)
    value = fill(0, VALUE_BITS, index)
    below = spread(rank, digits, index)
    for _ in range(VALUE_BITS):
        plane = read_plane(planes, at, rows, 0, padded, certain)
        zeros: tl.tuple = ()
        for row in tl.static_range(padded):
            zeros = zeros + (equal[row] & ~plane[row],)
        is_zero, below = narrow(below, count_ones(zeros, digits))
        value = append_digit(value, ~is_zero)
        narrowed: tl.tuple = ()
        for row in tl.static_range(padded):
            narrowed = narrowed + (equal[row] & (plane[row] ^ is_zero),)
        equal = narrowed
        at += WORDS
    place = index // WORDS * SUM_WORDS + index % WORDS * 2
    store_sums(sums, place, mask, value, 128)


@jit_changing("rows", "rank")
def select_two(
    planes: tl.tensor, sums: tl.tensor, words: tl.tensor, rows: tl.tensor, rank: tl.tensor,
    padded: tl.constexpr, certain: tl.constexpr, digits: tl.constexpr, block: tl.constexpr,
) -> None:
    """The sums of the values of two neighbouring ranks, `rank` being the lower one."""
    index = tl.program_id(0).to(tl.int64) * block + tl.arange(0, block)
    mask = index < words
    index = tl.minimum(index, words - 1)
    at = index // WORDS * rows * ROW_WORDS + index % WORDS
    low = admit(rows, padded, certain, index)
    high = low
    total = fill(0, VALUE_BITS + 1, index)
    below_low, below_high = spread(rank, digits, index), spread(rank + 1, digits, index)
    for _ in range(VALUE_BITS):
        plane = read_plane(planes, at, rows, 0, padded, certain)
        low_zeros: tl.tuple = ()
        high_zeros: tl.tuple = ()
        for row in tl.static_range(padded):
            low_zeros = low_zeros + (low[row] & ~plane[row],)
            high_zeros = high_zeros + (high[row] & ~plane[row],)
        low_is_zero, below_low = narrow(below_low, count_ones(low_zeros, digits))
        high_is_zero, below_high = narrow(below_high, count_ones(high_zeros, digits))
        differ = low_is_zero ^ high_is_zero
        total = append(total, (differ, ~(low_is_zero | high_is_zero)), differ ^ differ)
        new_low: tl.tuple = ()
        new_high: tl.tuple = ()
        for row in tl.static_range(padded):
            new_low = new_low + (low[row] & (plane[row] ^ low_is_zero),)
            new_high = new_high + (high[row] & (plane[row] ^ high_is_zero),)
        low, high = new_low, new_high
        at += WORDS
    place = index // WORDS * SUM_WORDS + index % WORDS * 2
    store_sums(sums, place, mask, total, 256)


@jit_changing("rows", "low_rank", "high_rank", "offset", "zero")
def sum_between(
    planes: tl.tensor, sums: tl.tensor, words: tl.tensor, rows: tl.tensor, low_rank: tl.tensor, high_rank: tl.tensor,
    offset: tl.tensor, zero: tl.tensor, padded: tl.constexpr, certain: tl.constexpr, digits: tl.constexpr,
    bits: tl.constexpr, parts: tl.constexpr, part_digits: tl.constexpr, block: tl.constexpr,
) -> None:
    """The sums of the values of all ranks between two, both included; the second is counted from the highest one.

    A row is equal to one of the two so far, and to which says its side, 0 for the lower; or it is not, and side 1 says
    that it lies between them. As long as the two are one, every row equal to them has side 0. The ones of all rows that
    are not outside are counted; what those have too much that are outside by this plane, and those that are equal to
    the two but of ranks outside, is taken off. `zero` is 0, which the compiler does not know: with it the words of a
    part are asked for after those of the part before were used, which leaves registers to the masks.
    """
    index = tl.program_id(0).to(tl.int64) * block + tl.arange(0, block)
    mask = index < words
    index = tl.minimum(index, words - 1)
    at = index // WORDS * rows * ROW_WORDS + index % WORDS
    equal = admit(rows, padded, certain, index)
    side = fill(0, padded, index)
    total = fill(0, bits, index)
    below, above = spread(low_rank, digits, index), spread(high_rank, digits, index)
    are_one = tl.full((block,), -1, tl.int32)
    for _ in range(VALUE_BITS):
        lower, upper, number = fill(0, digits, index), fill(0, digits, index), fill(0, digits, index)
        part_at = at
        for part in tl.static_range(parts):
            plane = read_plane(planes, part_at, rows, part * padded // parts, (part + 1) * padded // parts, certain)
            zeros: tl.tuple = ()
            ones: tl.tuple = ()
            inside: tl.tuple = ()
            for row in tl.static_range(padded // parts):
                held, held_side = equal[part * padded // parts + row], side[part * padded // parts + row]
                zeros = zeros + (held & ~held_side & ~plane[row],)
                ones = ones + (held & held_side & plane[row],)
                inside = inside + ((held | held_side) & plane[row],)
            lower = add_number(lower, count_ones(zeros, part_digits))
            upper = add_number(upper, count_ones(ones, part_digits))
            number = add_number(number, count_ones(inside, part_digits))
            part_at = at + (number[0] & zero)
        upper = merge(upper, number, are_one)
        low_is_zero, below = narrow(below, lower)
        high_is_one, above = narrow(above, upper)
        low, were_one = ~low_is_zero, are_one
        are_one = are_one & ~(low ^ high_is_one)
        are_parted = were_one & ~are_one
        new_equal: tl.tuple = ()
        new_side: tl.tuple = ()
        for part in tl.static_range(parts):
            if parts > 1:
                plane = read_plane(planes, part_at, rows, part * padded // parts, (part + 1) * padded // parts, certain)
            for row in tl.static_range(padded // parts):
                held, held_side = equal[part * padded // parts + row], side[part * padded // parts + row]
                differs = held & (plane[row] ^ ((held_side & high_is_one) | (~held_side & low)))
                new_equal = new_equal + (held & ~(differs & ~are_parted),)
                new_side = new_side + (held_side ^ (differs & plane[row] & ~are_one),)
            part_at = at + (new_equal[len(new_equal) - 1] & zero)
        outside = add_masked(below, low, choose(high_is_one, above, upper), low | ~low)
        rest, sign = subtract(number, outside)
        total = append(total, rest, sign)
        equal, side = new_equal, new_side
        at += WORDS
    place = index // WORDS * SUM_WORDS + index % WORDS * 2
    store_sums(sums, place, mask, total, offset)


def sum_ranks(planes: Array, low: int, high: int, sums: Array) -> None:
    """Write sums int16 [blocks * 256] of ranks low..high-1 of each coordinate, from planes int32 [blocks, n, 8, 8]."""
    blocks, rows = planes.shape[:2]
    padded = find_padded(rows)
    certain = max((size for size in PADDED_ROWS if size < rows), default=1)
    words = blocks * 8
    block = find_words(words)
    grid, target = (device.count_programs(words, block),), device.view(sums, np.int32)
    settings = {"padded": padded, "certain": certain, "digits": padded.bit_length(), "block": block, "num_warps": 4}
    parts = 1 if padded <= KEPT_ROWS else 2
    if high - low == 1:
        launch(select_one, grid, planes, target, words, rows, low, **settings)
    elif high - low == 2:
        launch(select_two, grid, planes, target, words, rows, low, **settings)
    else:
        launch(sum_between, grid, planes, target, words, rows, low, rows - high, 128 * (high - low), 0,
               bits=(255 * padded).bit_length(), parts=parts, part_digits=(padded // parts).bit_length(), **settings)


def find_padded(rows: int) -> int:
    """The least number of rows, not below `rows`, that kernels are compiled for."""
    return min(size for size in PADDED_ROWS if size >= rows)
