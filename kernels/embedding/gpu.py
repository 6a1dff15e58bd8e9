"""Embedding on the gpu back end: a gather, and integer atomic sums, which are the same in every order.

Source: kernels/decoder/README.md section 15.
"""

from __future__ import annotations

from math import prod

import numpy as np
import triton.language as tl

from kernels import device, embedding, gin1, norm
from kernels.device import Array, constexpr, jit, launch
from kernels.device_rules import clip, round_shift, scale
from kernels.tensor import Tensor

STREAM_MAX = constexpr(norm.STREAM_MAX)
SHIFT = constexpr(embedding.SHIFT)
GRADIENT_SHIFT = constexpr(embedding.GRADIENT_SHIFT)
GRADIENT_EXPONENT = constexpr(gin1.WEIGHT_EXPONENT)


@jit
def locate(
    count: tl.tensor, width: tl.tensor, column_block: tl.constexpr, row_block: tl.constexpr,
) -> tuple[tl.tensor, tl.tensor, tl.tensor, tl.tensor]:
    """Rows and columns of this program's block of a matrix [count, width], with masks."""
    rows = (tl.program_id(0) * row_block + tl.arange(0, row_block)).to(tl.int64)
    columns = tl.program_id(1) * column_block + tl.arange(0, column_block)
    return rows, columns[None, :], rows < count, (rows < count)[:, None] & (columns < width)[None, :]


@jit
def gather(
    embed: tl.tensor, positions: tl.tensor, tokens: tl.tensor, stream: tl.tensor, count: tl.tensor,
    context: tl.tensor, width: tl.tensor, has_positions: tl.constexpr, column_block: tl.constexpr,
    row_block: tl.constexpr,
) -> None:
    """A block of the first residual stream."""
    rows, columns, is_row, is_inside = locate(count, width, column_block, row_block)
    token = tl.load(tokens + rows, mask=is_row, other=0).to(tl.int64)
    values = tl.load(embed + token[:, None] * width + columns, mask=is_inside, other=0).to(tl.int64)
    if has_positions:
        place = (rows % context)[:, None] * width + columns
        values += tl.load(positions + place, mask=is_inside, other=0)
    values = clip(round_shift(values, SHIFT), STREAM_MAX)
    tl.store(stream + rows[:, None] * width + columns, values.to(tl.int32), mask=is_inside)


@jit
def scatter(
    slope: tl.tensor, tokens: tl.tensor, sums: tl.tensor, count: tl.tensor, width: tl.tensor,
    column_block: tl.constexpr, row_block: tl.constexpr,
) -> None:
    """Add a block of the slope stream to the rows of its tokens."""
    rows, columns, is_row, is_inside = locate(count, width, column_block, row_block)
    token = tl.load(tokens + rows, mask=is_row, other=0).to(tl.int64)
    values = tl.load(slope + rows[:, None] * width + columns, mask=is_inside, other=0).to(tl.int64)
    tl.atomic_add(sums + token[:, None] * width + columns, values, mask=is_inside, sem="relaxed")


@jit
def finish(sums: tl.tensor, count: tl.tensor, block: tl.constexpr) -> None:
    """In place: sums of slopes at exponent 20 become gradients at 24."""
    index = tl.program_id(0).to(tl.int64) * block + tl.arange(0, block)
    is_inside = index < count
    values = tl.load(sums + index, mask=is_inside, other=0)
    tl.store(sums + index, scale(values, tl.full((), GRADIENT_SHIFT, tl.int64)), mask=is_inside)


@jit
def sum_positions(
    slope: tl.tensor, result: tl.tensor, batch: tl.tensor, context: tl.tensor, width: tl.tensor,
    column_block: tl.constexpr, row_block: tl.constexpr,
) -> None:
    """Gradients of a block of positions: sums over the batch."""
    rows, columns, is_row, is_inside = locate(context, width, column_block, row_block)
    place = rows[:, None] * width + columns
    total = tl.zeros([row_block, column_block], tl.int64)
    source = place
    for _ in range(batch):
        total += tl.load(slope + source, mask=is_inside, other=0)
        source += context * width
    tl.store(result + place, scale(total, tl.full((), GRADIENT_SHIFT, tl.int64)), mask=is_inside)


@jit
def add_brought(
    gradient: tl.tensor, sums: tl.tensor, exponent: tl.tensor, result: tl.tensor, count: tl.tensor,
    block: tl.constexpr,
) -> None:
    """A block of a gradient plus sums brought to its exponent."""
    index = tl.program_id(0).to(tl.int64) * block + tl.arange(0, block)
    is_inside = index < count
    brought = scale(tl.load(sums + index, mask=is_inside, other=0).to(tl.int64), tl.load(exponent) - GRADIENT_EXPONENT)
    tl.store(result + index, tl.load(gradient + index, mask=is_inside, other=0) + brought, mask=is_inside)


def forward(embed: Array, positions: Array | None, tokens: Array) -> Array:
    """The first residual stream int32 [B * T, d] at exponent 16, of tokens uint16 [B, T]."""
    count, width = prod(tokens.shape), embed.shape[1]
    stream = device.new_array((count, width), np.int32)
    grid, settings = plan(count, width)
    launch(gather, grid, embed, embed if positions is None else positions, tokens, stream, count,
           tokens.shape[1], width, has_positions=positions is not None, **settings)
    return stream


def backward(dh: Tensor, tokens: Array, vocab: int, has_positions: bool) -> tuple[Tensor, Tensor | None]:
    """Gradients int64 at exponent 24 of the embedding [vocab, d] and of the positions [T, d], if any."""
    (batch, context), width = tokens.shape, dh.values.shape[1]
    sums = device.new_zeros((vocab, width), np.int64)
    grid, settings = plan(batch * context, width)
    launch(scatter, grid, dh.values, tokens, sums, batch * context, width, **settings)
    block = device.find_elements(vocab * width)
    launch(finish, (device.count_programs(vocab * width, block),), sums, vocab * width, block=block)
    exponent = device.constant(gin1.WEIGHT_EXPONENT)
    if not has_positions:
        return Tensor(sums, exponent), None
    result = device.new_array((context, width), np.int64)
    grid, settings = plan(context, width)
    launch(sum_positions, grid, dh.values, result, batch, context, width, **settings)
    return Tensor(sums, exponent), Tensor(result, exponent)


def add(gradient: Tensor, head: Tensor) -> Tensor:
    """The gradient int64 at exponent 24 of a tied embedding: its own and the head's sums at any exponent."""
    shape = tuple(gradient.values.shape)
    count, result = prod(shape), device.new_array(shape, np.int64)
    block = device.find_elements(count)
    launch(add_brought, (device.count_programs(count, block),), gradient.values, head.values,
           device.hold_exponent(head.exponent), result, count, block=block)
    return Tensor(result, device.constant(gin1.WEIGHT_EXPONENT))


def plan(count: int, width: int) -> tuple[tuple[int, int], dict[str, int]]:
    """Grid and block of a pass over a matrix [count, width]."""
    elements = device.find_elements(count * device.find_power(width))
    columns = min(device.find_power(width), elements)
    rows = min(device.find_power(count), elements // columns)
    grid = device.count_programs(count, rows), device.count_programs(width, columns)
    return grid, {"column_block": columns, "row_block": rows}
