"""The losses in Triton.  Same functions as ref.py; slopes are int32 and come with their magnitude."""

from __future__ import annotations

import numpy as np
import triton.language as tl

from kernels import device, gin1
from kernels import device_rules as rules
from kernels.device import Array, constexpr, jit, launch
from kernels.loss import SLOPE_MAX, TARGET_EXPONENT
from kernels.tensor import Tensor

LOG2_E_Q14 = constexpr(gin1.LOG2_E_Q14)
POWER_SHIFT = constexpr(14 - gin1.POWER_FRACTION_BITS)
POWER_FRACTION_BITS = constexpr(gin1.POWER_FRACTION_BITS)
POWER_MAX = constexpr(gin1.POWER_MAX)
POWER_TABLE_SIZE = constexpr(gin1.POWER_TABLE_SIZE)
LOSS_EXPONENT = constexpr(gin1.LOSS_EXPONENT)
LOSS_ONE = constexpr(1 << gin1.LOSS_EXPONENT)
TARGET_SHIFT = constexpr(gin1.LOSS_EXPONENT - TARGET_EXPONENT)
LIMIT = constexpr(SLOPE_MAX)
LOWEST = constexpr(-2**31)
INVERSE_BITS = constexpr(40)
COLUMNS_MAX = device.ELEMENTS_INTERPRETED if device.IS_INTERPRETED else 1024


@jit
def grow(below: tl.tensor, shift: tl.tensor, table: tl.tensor) -> tl.tensor:
    """2**16 * exp(-below) for logits that are `below` the largest of their row; shift is their exponent + 4."""
    power = tl.minimum(rules.scale(below * LOG2_E_Q14, shift), POWER_MAX)
    entry = tl.load(table + (power & (POWER_TABLE_SIZE - 1)))
    return entry.to(tl.int64) >> (power >> POWER_FRACTION_BITS)


@jit
def compute_slope(
    sums: tl.tensor, exponent: tl.tensor, targets: tl.tensor, table: tl.tensor, out: tl.tensor, magnitude: tl.tensor,
    rows: tl.tensor, classes: tl.tensor, block_rows: tl.constexpr, block_columns: tl.constexpr,
) -> None:
    """Softmax minus one-hot at exponent 20: largest, then sum, then slope of each row."""
    shift = tl.load(exponent).to(tl.int64) + POWER_SHIFT
    row = tl.program_id(0) * block_rows + tl.arange(0, block_rows)
    column = tl.arange(0, block_columns)
    at = row.to(tl.int64)[:, None] * classes + column[None, :]
    is_row = row[:, None] < rows
    largest = tl.full((block_rows,), LOWEST, tl.int32)
    for start in range(0, classes, block_columns):
        inside = is_row & (start + column[None, :] < classes)
        largest = tl.maximum(largest, tl.max(tl.load(sums + at + start, mask=inside, other=LOWEST), 1))
    total = tl.zeros((block_rows,), tl.int64)
    for start in range(0, classes, block_columns):
        inside = is_row & (start + column[None, :] < classes)
        value = tl.load(sums + at + start, mask=inside, other=0).to(tl.int64)
        grown = grow(tl.maximum(largest.to(tl.int64)[:, None] - value, 0), shift, table)
        total += tl.sum(tl.where(inside, grown, 0), 1)
    inverse = (tl.full((), 1, tl.int64) << INVERSE_BITS) // tl.maximum(total, 1)
    target = tl.load(targets + row, mask=row < rows, other=0).to(tl.int32)
    for start in range(0, classes, block_columns):
        inside = is_row & (start + column[None, :] < classes)
        value = tl.load(sums + at + start, mask=inside, other=0).to(tl.int64)
        grown = grow(tl.maximum(largest.to(tl.int64)[:, None] - value, 0), shift, table)
        slope = rules.round_shift(grown * inverse[:, None], LOSS_EXPONENT)
        slope -= tl.where(start + column[None, :] == target[:, None], LOSS_ONE, 0)
        slope = tl.where(inside, slope, 0).to(tl.int32)
        tl.store(out + at + start, slope, mask=inside)
        rules.raise_magnitude(magnitude, slope)


@jit
def subtract_targets(
    sums: tl.tensor, exponent: tl.tensor, targets: tl.tensor, out: tl.tensor, magnitude: tl.tensor, count: tl.tensor,
    block: tl.constexpr,
) -> None:
    """Output minus target at exponent 20."""
    shift = tl.load(exponent).to(tl.int64) - LOSS_EXPONENT
    index = tl.program_id(0).to(tl.int64) * block + tl.arange(0, block)
    mask = index < count
    value = rules.scale(tl.load(sums + index, mask=mask, other=0).to(tl.int64), shift)
    wanted = tl.load(targets + index, mask=mask, other=0).to(tl.int64) << TARGET_SHIFT
    slope = rules.clip(value - wanted, LIMIT).to(tl.int32)
    tl.store(out + index, slope, mask=mask)
    rules.raise_magnitude(magnitude, slope)


def cross_entropy(x: Tensor, targets: Array) -> Tensor:
    """Softmax minus one-hot at exponent 20, for int32 logits x [N, classes] and targets uint16 [N]."""
    rows, classes = x.values.shape
    slope, magnitude = device.new_array((rows, classes), np.int32), device.new_magnitude()
    across = min(device.find_power(classes), COLUMNS_MAX)
    down = max(1, device.find_elements(rows * across) // across)
    launch(
        compute_slope, (device.count_programs(rows, down),), x.values, device.hold_exponent(x.exponent),
        device.hold(targets), device.power_table(), slope, magnitude, rows, classes,
        block_rows=down, block_columns=across,
    )
    return Tensor(slope, device.constant(gin1.LOSS_EXPONENT), magnitude)


def squared_error(x: Tensor, targets: Array) -> Tensor:
    """Output minus target at exponent 20, for int32 outputs x [N, outputs] and int32 targets of that shape at 16."""
    slope, magnitude = device.new_array(tuple(x.values.shape), np.int32), device.new_magnitude()
    count = device.count_elements(x.values)
    block = device.find_elements(count)
    launch(
        subtract_targets, (device.count_programs(count, block),), x.values, device.hold_exponent(x.exponent),
        device.hold(targets), slope, magnitude, count, block=block,
    )
    return Tensor(slope, device.constant(gin1.LOSS_EXPONENT), magnitude)
