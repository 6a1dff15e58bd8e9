"""The classifier in Triton: what lies between its products.  Same functions as ref.py."""

from __future__ import annotations

import numpy as np
import triton.language as tl
from numpy.typing import NDArray

from kernels import device, gin1
from kernels import device_rules as rules
from kernels.device import Array, constexpr, jit, launch
from kernels.gemm import gpu as gemm
from kernels.mlp import ref
from kernels.mlp.layers import split_layers
from kernels.quantise import gpu as quantise
from kernels.tensor import Tensor

init_weights = ref.init_weights

ACTIVATIONS_MAX = 2**26
COLUMNS_MAX = 2**12 if device.IS_INTERPRETED else 1024
BIAS_TERM_MAX = constexpr(gin1.BIAS_TERM_MAX)
WEIGHT_EXPONENT = constexpr(gin1.WEIGHT_EXPONENT)
LOGIT_EXPONENT = constexpr(gin1.LOGIT_EXPONENT)
LOGIT_MAX = constexpr(2**31 - 1)
BITS = constexpr(gin1.OPERAND_BITS)
OPERAND_MAX = constexpr(gin1.OPERAND_MAX)
EXPONENT_MIN = constexpr(gin1.OPERAND_EXPONENT_MIN)
LOWEST = constexpr(-2**31)
COLUMN_MAX = constexpr(2**31 - 1)


@jit
def add_terms(
    sums: tl.tensor, biases: tl.tensor, exponent: tl.tensor, magnitude: tl.tensor, count: tl.tensor,
    columns: tl.tensor, is_hidden: tl.constexpr, block: tl.constexpr,
) -> None:
    """In place: sums gain the biases at their exponent, and pass ReLU if hidden; the largest raises magnitude."""
    shift = -tl.load(exponent).to(tl.int64) + WEIGHT_EXPONENT
    index = tl.program_id(0).to(tl.int64) * block + tl.arange(0, block)
    mask = index < count
    bias = tl.load(biases + index % columns, mask=mask, other=0).to(tl.int64)
    value = tl.load(sums + index, mask=mask, other=0) + rules.clip(rules.scale(bias, shift), BIAS_TERM_MAX)
    if is_hidden:
        value = tl.maximum(value, 0)
    tl.store(sums + index, value.to(tl.int32), mask=mask)
    rules.raise_magnitude(magnitude, value)


@jit
def mask_slope(
    slope: tl.tensor, operand: tl.tensor, out: tl.tensor, magnitude: tl.tensor, count: tl.tensor, block: tl.constexpr
) -> None:
    """out: no slope where the activation is zero, int32; the largest that is left raises magnitude."""
    index = tl.program_id(0).to(tl.int64) * block + tl.arange(0, block)
    mask = index < count
    value = rules.clip(tl.load(slope + index, mask=mask, other=0).to(tl.int64), LOGIT_MAX)
    value = tl.where(tl.load(operand + index, mask=mask, other=0) > 0, value, 0)
    tl.store(out + index, value.to(tl.int32), mask=mask)
    rules.raise_magnitude(magnitude, value)


@jit
def sum_rows(
    error: tl.tensor, out: tl.tensor, rows: tl.tensor, columns: tl.tensor,
    block_rows: tl.constexpr, block_columns: tl.constexpr,
) -> None:
    """out[column] = the sum of that column."""
    column = tl.program_id(0) * block_columns + tl.arange(0, block_columns)
    total = tl.zeros((block_columns,), tl.int32)
    for start in range(0, rows, block_rows):
        row = start + tl.arange(0, block_rows)
        inside = (row[:, None] < rows) & (column[None, :] < columns)
        at = error + row.to(tl.int64)[:, None] * columns + column[None, :]
        total += tl.sum(tl.load(at, mask=inside, other=0).to(tl.int32), 0)
    tl.store(out + column, total, mask=column < columns)


@jit
def read_sums(
    sums: tl.tensor, biases: tl.tensor, shift: tl.tensor, row: tl.tensor, column: tl.tensor,
    rows: tl.tensor, columns: tl.tensor,
) -> tl.tensor:
    """Sums and biases of a tile, each row at its own exponent; 0 outside."""
    inside = (row[:, None] < rows) & (column[None, :] < columns)
    value = tl.load(sums + row.to(tl.int64)[:, None] * columns + column[None, :], mask=inside, other=0).to(tl.int64)
    bias = tl.load(biases + column, mask=column < columns, other=0).to(tl.int64)
    return value + rules.clip(rules.scale(bias[None, :], shift[:, None]), BIAS_TERM_MAX)


@jit
def activate_rows(
    sums: tl.tensor, biases: tl.tensor, exponents: tl.tensor, rise: tl.tensor, out: tl.tensor, out_exponents: tl.tensor,
    rows: tl.tensor, columns: tl.tensor, block_rows: tl.constexpr, block_columns: tl.constexpr,
) -> None:
    """Biases, ReLU and rounding to operands, each row with an exponent of its own."""
    row = tl.program_id(0) * block_rows + tl.arange(0, block_rows)
    held = tl.load(exponents + row, mask=row < rows, other=0).to(tl.int64) + tl.load(rise)
    largest = tl.zeros((block_rows,), tl.int64)
    for start in range(0, columns, block_columns):
        column = start + tl.arange(0, block_columns)
        value = read_sums(sums, biases, -held + WEIGHT_EXPONENT, row, column, rows, columns)
        largest = tl.maximum(largest, tl.max(tl.where(column[None, :] < columns, value, 0), 1))
    shift = rules.compute_shift(largest, held, BITS, EXPONENT_MIN)
    tl.store(out_exponents + row, (held - shift).to(tl.int32), mask=row < rows)
    for start in range(0, columns, block_columns):
        column = start + tl.arange(0, block_columns)
        value = read_sums(sums, biases, -held + WEIGHT_EXPONENT, row, column, rows, columns)
        operand = tl.minimum(rules.round_shift(tl.maximum(value, 0), shift[:, None]), OPERAND_MAX)
        inside = (row[:, None] < rows) & (column[None, :] < columns)
        at = row.to(tl.int64)[:, None] * columns + column[None, :]
        tl.store(out + at, operand.to(tl.int8), mask=inside)


@jit
def answer_rows(
    sums: tl.tensor, biases: tl.tensor, exponents: tl.tensor, rise: tl.tensor, labels: tl.tensor, scores: tl.tensor,
    rows: tl.tensor, columns: tl.tensor, block_rows: tl.constexpr, block_columns: tl.constexpr,
) -> None:
    """The first largest column of each row, and the row at the logits' exponent."""
    row = tl.program_id(0) * block_rows + tl.arange(0, block_rows)
    held = tl.load(exponents + row, mask=row < rows, other=0).to(tl.int64) + tl.load(rise)
    largest = tl.full((block_rows,), LOWEST, tl.int64)
    best = tl.zeros((block_rows,), tl.int32)
    for start in range(0, columns, block_columns):
        column = start + tl.arange(0, block_columns)
        inside = (row[:, None] < rows) & (column[None, :] < columns)
        value = read_sums(sums, biases, -held + WEIGHT_EXPONENT, row, column, rows, columns)
        at = row.to(tl.int64)[:, None] * columns + column[None, :]
        score = rules.clip(rules.scale(value, (held - LOGIT_EXPONENT)[:, None]), LOGIT_MAX)
        tl.store(scores + at, score.to(tl.int32), mask=inside)
        value = tl.where(column[None, :] < columns, value, LOWEST)
        highest = tl.max(value, 1)
        first = tl.min(tl.where(value == highest[:, None], column[None, :], COLUMN_MAX), 1)
        best = tl.where(highest > largest, first, best)
        largest = tl.maximum(largest, highest)
    tl.store(labels + row, best.to(tl.uint16), mask=row < rows)


def load(rows: NDArray[np.int8]) -> Tensor:
    """Features [B, inputs] of the host as an operand."""
    return Tensor(device.hold(rows), gin1.FEATURE_EXPONENT)


def add_biases(z: Tensor, biases: Array) -> Tensor:
    """Sums of products [B, fan_out], plus the biases brought to their exponent; in place."""
    return _add_terms(z, biases, False)


def activate(z: Tensor, biases: Array) -> Tensor:
    """The operand of the next layer: biases, ReLU, and rounding over the whole batch; overwrites z."""
    return quantise.nearest(_add_terms(z, biases, True), lowest=gin1.OPERAND_EXPONENT_MIN)


def mask(slope: Tensor, operand: Tensor) -> Tensor:
    """The slope before ReLU: zero where the activation is zero, bounded to +-(2**31 - 1)."""
    magnitude, count = device.new_magnitude(), device.count_elements(slope.values)
    block, out = device.find_elements(count), device.new_array(tuple(slope.values.shape), np.int32)
    launch(mask_slope, (device.count_programs(count, block),), slope.values, operand.values, out, magnitude, count,
           block=block)
    return Tensor(out, slope.exponent, magnitude)


def add_rows(error: Tensor) -> Tensor:
    """The sum of the rows [fan_out]: the gradient of biases."""
    rows, columns = error.values.shape
    out = device.new_array(columns, np.int32)
    across = min(device.find_power(columns), 2**12 if device.IS_INTERPRETED else 64)
    down = min(device.find_power(rows), max(1, device.find_elements(rows * across) // across))
    launch(sum_rows, (device.count_programs(columns, across),), error.values, out, rows, columns,
           block_rows=down, block_columns=across)
    return Tensor(out, error.exponent)


def infer(
    widths: tuple[int, ...], weights: NDArray[np.int32], features: NDArray[np.int8]
) -> tuple[NDArray[np.uint16], NDArray[np.int32]]:
    """(labels [rows], logits [rows, classes]) on the host; each row is a batch of its own."""
    layers = split_layers(widths, device.to_device(weights))
    views = [quantise.view(layer.weights) for layer in layers]
    stride = max(1, ACTIVATIONS_MAX // max(widths))
    labels, scores = [], []
    for start in range(0, len(features), stride):
        operand = device.to_device(features[start:start + stride])
        rows = len(operand)
        exponents = device.to_device(np.full(rows, gin1.FEATURE_EXPONENT, dtype=np.int32))
        for layer, view in zip(layers[:-1], views):
            z = gemm.multiply(Tensor(operand, 0), view, "nn").values
            operand, risen = device.new_array(tuple(z.shape), np.int8), device.new_array(rows, np.int32)
            _launch_rows(activate_rows, z, layer.biases, exponents, view.exponent, operand, risen)
            exponents = risen
        z = gemm.multiply(Tensor(operand, 0), views[-1], "nn").values
        label, score = device.new_array(rows, np.uint16), device.new_array(tuple(z.shape), np.int32)
        _launch_rows(answer_rows, z, layers[-1].biases, exponents, views[-1].exponent, label, score)
        labels.append(device.to_host(label))
        scores.append(device.to_host(score))
    return np.concatenate(labels), np.concatenate(scores)


def _add_terms(z: Tensor, biases: Array, is_hidden: bool) -> Tensor:
    magnitude, count = device.new_magnitude(), device.count_elements(z.values)
    block = device.find_elements(count)
    launch(add_terms, (device.count_programs(count, block),), z.values, biases, device.hold_exponent(z.exponent),
           magnitude, count, z.values.shape[1], is_hidden=is_hidden, block=block)
    return Tensor(z.values, z.exponent, magnitude)


def _launch_rows(kernel: device.Kernel, sums: Array, *rest: Array) -> None:
    rows, columns = sums.shape
    across = min(device.find_power(columns), COLUMNS_MAX)
    down = min(device.find_power(rows), max(1, device.find_elements(rows * across) // across))
    launch(kernel, (device.count_programs(rows, down),), sums, *rest, rows, columns,
           block_rows=down, block_columns=across)
