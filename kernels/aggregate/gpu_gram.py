"""Inner products of the rows of a stack on the gpu back end, and means of neighbours: int8 products with int32 sums.

Blocks are weighed by 4**exponent. Exponents are taken in groups of 9: within a group the weights are below 2**17, so
int64 sums hold 2**24 blocks; the host puts the groups together. Integer atomic sums are the same in every order.
Source: kernels/aggregate/README.md.
"""

from __future__ import annotations

import numpy as np
import triton.language as tl
from numpy.typing import NDArray

from kernels import device
from kernels.aggregate.types import Stack
from kernels.device import constexpr, jit, jit_changing, launch
from kernels.payload.types import BLOCK_VALUES

VALUES = constexpr(BLOCK_VALUES)
GROUP_EXPONENTS = 9
GROUP = constexpr(GROUP_EXPONENTS)
PROGRAMS = 4 * 132
ROWS_MIN, MIXED_ROWS_MIN = 16, 32  # of a tensor core's products: rows, and the inner dimension
RECIPROCAL_BITS = 22
SHIFT = constexpr(RECIPROCAL_BITS)
VALUE_MAX = constexpr(128)


@jit
def read_block(
    values: tl.tensor, block: tl.tensor, rows: tl.tensor, is_wanted: tl.tensor, padded: tl.constexpr
) -> tl.tensor:
    """All rows of a block, int8 [padded, 256]; zeros where it is not wanted."""
    row = tl.arange(0, padded)[:, None]
    at = row * VALUES + tl.arange(0, VALUES)[None, :]
    count = tl.where(is_wanted, rows, 0)
    start = (tl.zeros((), tl.int64) + block) * rows * VALUES
    return tl.load(values + start + at, mask=row + tl.zeros_like(at) < count, other=0)


@jit
def weigh(exponents: tl.tensor, block: tl.tensor, group: tl.tensor) -> tl.tensor:
    """4**(exponent - the least of the group) of a block as int64; 0 for a block of another group."""
    step = tl.load(exponents + block).to(tl.int32) - group * GROUP
    weight = tl.full((), 1, tl.int64) << (2 * tl.minimum(tl.maximum(step, 0), GROUP - 1)).to(tl.int64)
    return tl.where((step >= 0) & (step < GROUP), weight, 0)


@jit_changing("rows", "group", "share")
def multiply_rows(
    values: tl.tensor, exponents: tl.tensor, sums: tl.tensor, blocks: tl.tensor, rows: tl.tensor, group: tl.tensor,
    share: tl.tensor, padded: tl.constexpr,
) -> None:
    """Add the inner products of all rows over `share` blocks to sums [padded, padded]."""
    total = tl.zeros((padded, padded), tl.int64)
    first = tl.program_id(0) * share
    for block in range(first, tl.minimum(first + share, blocks)):
        weight = weigh(exponents, block, group)
        read = read_block(values, block, rows, weight > 0, padded)
        total += tl.dot(read, tl.trans(read), out_dtype=tl.int32).to(tl.int64) * weight
    row = tl.arange(0, padded)
    tl.atomic_add(sums + row[:, None] * padded + row[None, :], total, sem="relaxed")


@jit_changing("rows", "group", "share")
def square_rows(
    values: tl.tensor, exponents: tl.tensor, sums: tl.tensor, blocks: tl.tensor, rows: tl.tensor, group: tl.tensor,
    share: tl.tensor, padded: tl.constexpr,
) -> None:
    """Add the squared lengths of all rows over `share` blocks to sums [padded]."""
    total = tl.zeros((padded,), tl.int64)
    first = tl.program_id(0) * share
    for block in range(first, tl.minimum(first + share, blocks)):
        weight = weigh(exponents, block, group)
        read = read_block(values, block, rows, weight > 0, padded).to(tl.int32)
        total += tl.sum(read * read, 1).to(tl.int64) * weight
    tl.atomic_add(sums + tl.arange(0, padded), total, sem="relaxed")


@jit_changing("rows", "count", "factor", "share")
def mix_rows(
    values: tl.tensor, neighbours: tl.tensor, mixed: tl.tensor, blocks: tl.tensor, rows: tl.tensor, count: tl.tensor,
    factor: tl.tensor, share: tl.tensor, tall: tl.constexpr, padded: tl.constexpr,
) -> None:
    """Means of `count` neighbours over `share` blocks: floors of (2 * sum + count) / (2 * count) and, below zero, of
    (2 * sum + count - 1) / (2 * count), made positive first, by a product with a rounded reciprocal."""
    row = tl.arange(0, tall)[:, None]
    at = row * VALUES + tl.arange(0, VALUES)[None, :]
    chosen = tl.load(neighbours + row * padded + tl.arange(0, padded)[None, :])
    lift = count * (2 * VALUE_MAX + 1)
    first = tl.program_id(0) * share
    for block in range(first, tl.minimum(first + share, blocks)):
        read = read_block(values, block, rows, rows > 0, padded)
        total = tl.dot(chosen, read, out_dtype=tl.int32)
        mean = (((total << 1) + (total >> 31) + lift) * factor >> SHIFT) - VALUE_MAX
        place = mixed + (tl.zeros((), tl.int64) + block) * rows * VALUES + at
        tl.store(place, mean.to(tl.int8), mask=row + tl.zeros_like(at) < rows)


def gram(stack: Stack) -> list[list[int]]:
    """Exact inner products of the rows: sum over blocks of 4**exponent * X @ transpose(X)."""
    rows = stack.values.shape[1]
    padded = max(ROWS_MIN, device.find_power(rows))
    total = _sum_groups(multiply_rows, stack, padded, (padded, padded))
    return [[int(value) for value in row[:rows]] for row in total[:rows]]


def squares(stack: Stack) -> list[int]:
    """The diagonal of `gram`: each row's exact squared length."""
    rows = stack.values.shape[1]
    padded = device.find_power(rows)
    return [int(value) for value in _sum_groups(square_rows, stack, padded, (padded,))[:rows]]


def _sum_groups(kernel: device.Kernel, stack: Stack, padded: int, shape: tuple[int, ...]) -> NDArray[np.object_]:
    """What a kernel adds up over all blocks, of any size, from its sums over those of each group of exponents."""
    values, exponents = device.hold(stack.values), device.to_device(stack.exponents)
    blocks, rows = values.shape[:2]
    grid, share = find_shares(blocks)
    sums = []
    groups = np.flatnonzero(np.bincount(stack.exponents) > 0) // GROUP_EXPONENTS
    for group in np.unique(groups).tolist():
        sums.append((group, device.new_zeros(shape, np.int64)))
        launch(kernel, grid, values, exponents, sums[-1][1], blocks, rows, group, share, padded=padded,
               num_warps=find_warps(padded))
    total = np.zeros(shape, dtype=object)
    for group, held in sums:
        total = total + (device.to_host(held).astype(object) << 2 * GROUP_EXPONENTS * group)
    return total


def mix(stack: Stack, neighbours: NDArray[np.uint8]) -> Stack:
    """Each row replaced by the mean of its neighbours, rounded half away from zero.

    neighbours: [n, n] of 0 and 1; row i names the neighbours of i, the same number in every row.
    """
    values = device.hold(stack.values)
    blocks, rows = values.shape[:2]
    padded, count = max(MIXED_ROWS_MIN, device.find_power(rows)), int(neighbours[0].sum())
    tall = max(ROWS_MIN, device.find_power(rows))
    chosen = np.zeros((tall, padded), dtype=np.int8)
    chosen[:rows, :rows] = neighbours
    mixed = device.new_array((blocks, rows, BLOCK_VALUES), np.int8)
    grid, share = find_shares(blocks)
    reciprocal = (2**RECIPROCAL_BITS + 2 * count - 1) // (2 * count)
    launch(mix_rows, grid, values, device.to_device(chosen), mixed, blocks, rows, count, reciprocal, share,
           tall=tall, padded=padded, num_warps=find_warps(tall))
    return Stack(mixed, stack.exponents, stack.count)


def find_shares(blocks: int) -> tuple[tuple[int], int]:
    """(grid, how many blocks a program takes)."""
    share = blocks if device.IS_INTERPRETED else device.count_programs(blocks, PROGRAMS)
    return (device.count_programs(blocks, share),), share


def find_warps(padded: int) -> int:
    """Warps of a program that holds so many rows of a block: one for each 16."""
    return max(1, min(4, padded // ROWS_MIN))
