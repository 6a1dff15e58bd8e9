"""Exact products in Triton: int8 dot products with int32 sums, int16 operands as two int8 limbs.

Same functions as ref.py. One program makes one tile of the product, over the whole inner dimension or over one of
several splits of it, which add to the result by integer atomics: their order cannot matter. The largest |sum| comes
with the product where it is not split.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import triton.language as tl

from kernels import device
from kernels import device_rules as rules
from kernels.device import Array, jit, launch
from kernels.errors import KernelInputError
from kernels.gemm import Layout, check_shapes
from kernels.tensor import Tensor

MULTIPROCESSORS = 132
SPLIT_INNER_MIN = 1024
BLOCK_MIN = 32
ALIGNMENT = 16  # elements of int8 that a thread loads at once
DEVICE_ROWS_MIN = 64  # what the tensor cores of sm_90 take at a time


class Blocks(NamedTuple):
    """Sizes of a tile, powers of two of at least 16, how many programs share the inner dimension of each tile, and how
    many warps one program has."""

    rows: int
    columns: int
    inner: int
    splits: int = 1
    warps: int = 4


@jit
def split_limbs(q: tl.tensor) -> tuple[tl.tensor, tl.tensor]:
    """(high, low) int8 of int16 q with q = 256 * high + low + 128."""
    return (q >> 8).to(tl.int8), ((q & 255) - 128).to(tl.int8)


@jit
def multiply_tiles(
    a: tl.tensor, b: tl.tensor, out: tl.tensor, a_exponent: tl.tensor, b_exponent: tl.tensor, out_exponent: tl.tensor,
    magnitude: tl.tensor, rows: tl.tensor, inner: tl.tensor, columns: tl.tensor,
    a_row: tl.tensor, a_inner: tl.tensor, b_inner: tl.tensor, b_column: tl.tensor,
    block_rows: tl.constexpr, block_columns: tl.constexpr, block_inner: tl.constexpr, splits: tl.constexpr,
    wide_a: tl.constexpr, wide_b: tl.constexpr,
) -> None:
    """One tile of one product of a stack; program (tile, split). a_row ... b_column are steps between elements."""
    tiles_across = tl.cdiv(columns, block_columns)
    tiles = tl.cdiv(rows, block_rows) * tiles_across
    layer = (tl.program_id(0) // tiles).to(tl.int64)
    tile = tl.program_id(0) % tiles
    row = (tile // tiles_across) * block_rows + tl.arange(0, block_rows)
    column = (tile % tiles_across) * block_columns + tl.arange(0, block_columns)
    a_at = a + layer * rows * inner + row.to(tl.int64)[:, None] * a_row
    b_at = b + layer * inner * columns + column.to(tl.int64)[None, :] * b_column
    sums = tl.zeros((block_rows, block_columns), tl.int32)
    low_sums = tl.zeros((block_rows, block_columns), tl.int32)
    row_sums = tl.zeros((block_rows,), tl.int32)
    column_sums = tl.zeros((block_columns,), tl.int32)
    for start in range(tl.program_id(1) * block_inner, inner, splits * block_inner):
        k = start + tl.arange(0, block_inner)
        left = tl.load(a_at + k.to(tl.int64)[None, :] * a_inner,
                       mask=(row[:, None] < rows) & (k[None, :] < inner), other=0)
        right = tl.load(b_at + k.to(tl.int64)[:, None] * b_inner,
                        mask=(k[:, None] < inner) & (column[None, :] < columns), other=0)
        if wide_a:
            high, low = split_limbs(left)
            sums = tl.dot(high, right, acc=sums, out_dtype=tl.int32)
            low_sums = tl.dot(low, right, acc=low_sums, out_dtype=tl.int32)
            column_sums += tl.sum(right.to(tl.int32), 0)
        elif wide_b:
            high, low = split_limbs(right)
            sums = tl.dot(left, high, acc=sums, out_dtype=tl.int32)
            low_sums = tl.dot(left, low, acc=low_sums, out_dtype=tl.int32)
            row_sums += tl.sum(left.to(tl.int32), 1)
        else:
            sums = tl.dot(left, right, acc=sums, out_dtype=tl.int32)
    if wide_a or wide_b:
        offset = (row_sums[:, None] + column_sums[None, :]).to(tl.int64) * 128
        total = sums.to(tl.int64) * 256 + low_sums + offset
    else:
        total = sums
    inside = (row[:, None] < rows) & (column[None, :] < columns)
    out_at = out + layer * rows * columns + row.to(tl.int64)[:, None] * columns + column[None, :]
    if splits == 1:
        tl.store(out_at, total, mask=inside)
        rules.raise_magnitude(magnitude, total)
    else:
        tl.atomic_add(out_at, total, mask=inside, sem="relaxed")
    if (tl.program_id(0) == 0) & (tl.program_id(1) == 0):
        tl.store(out_exponent, tl.load(a_exponent) + tl.load(b_exponent))


def multiply(a: Tensor, b: Tensor, layout: Layout, blocks: Blocks | None = None) -> Tensor:
    """The product of int8 operands as int32, or of an int16 and an int8 one as int64; exponents add."""
    rows, inner, columns = check_shapes(tuple(a.values.shape), tuple(b.values.shape), layout)
    return _multiply(a, b, layout, 1, (rows, inner, columns), (rows, columns), blocks)


def multiply_stack(a: Array, b: Array, layout: Layout, blocks: Blocks | None = None) -> Array:
    """The products of stacks of matrices [n, rows, columns], in plain arrays."""
    rows, inner, columns = check_shapes(tuple(a.shape[1:]), tuple(b.shape[1:]), layout)
    shape = (len(a), rows, columns)
    return _multiply(Tensor(a, 0), Tensor(b, 0), layout, len(a), (rows, inner, columns), shape, blocks).values


def _multiply(
    a: Tensor, b: Tensor, layout: Layout, count: int, sizes: tuple[int, int, int], shape: tuple[int, ...],
    blocks: Blocks | None,
) -> Tensor:
    rows, inner, columns = sizes
    wide_a, wide_b = (device.count_bytes(side.values) == 2 for side in (a, b))
    if wide_a and wide_b:
        raise KernelInputError("operands must be int8, or one of them int16, not both")
    blocks = blocks or find_blocks(rows, inner, columns, count, wide_a or wide_b)
    new = device.new_array if blocks.splits == 1 else device.new_zeros
    out, exponent = new(shape, np.int64 if wide_a or wide_b else np.int32), device.new_scalar()
    magnitude = device.new_magnitude()
    tiles = device.count_programs(rows, blocks.rows) * device.count_programs(columns, blocks.columns)
    steps = ((1, rows) if layout == "tn" else (inner, 1)) + ((1, inner) if layout == "nt" else (columns, 1))
    launch(
        multiply_tiles, (tiles * count, blocks.splits), a.values, b.values, out, device.hold_exponent(a.exponent),
        device.hold_exponent(b.exponent), exponent, magnitude, rows, inner, columns, *steps,
        block_rows=blocks.rows, block_columns=blocks.columns, block_inner=blocks.inner, splits=blocks.splits,
        wide_a=wide_a, wide_b=wide_b, num_warps=blocks.warps,
    )
    return Tensor(out, exponent, magnitude if blocks.splits == 1 else None)


def find_blocks(rows: int, inner: int, columns: int, count: int, is_wide: bool) -> Blocks:
    """Tile sizes for a product: few and large in the interpreter, enough programs for a device's multiprocessors.

    Where a size is no multiple of 16, a device loads byte by byte: larger tiles or fewer warps would spill registers.
    """
    is_odd = any(size % ALIGNMENT for size in (rows, inner, columns))
    largest = 512 if device.IS_INTERPRETED else (64 if is_wide or is_odd else 128)
    tall = min(largest, max(BLOCK_MIN if device.IS_INTERPRETED else DEVICE_ROWS_MIN, device.find_power(rows)))
    broad = min(largest, max(BLOCK_MIN, device.find_power(columns)))
    if device.IS_INTERPRETED:
        return Blocks(tall, broad, min(1024, max(BLOCK_MIN, device.find_power(inner))))
    tiles = count * device.count_programs(rows, tall) * device.count_programs(columns, broad)
    splits = max(1, min(MULTIPROCESSORS // tiles, inner // SPLIT_INNER_MIN))
    return Blocks(tall, broad, 64, 1 << (splits.bit_length() - 1), 8 if is_odd or tall * broad >= 128 * 128 else 4)
