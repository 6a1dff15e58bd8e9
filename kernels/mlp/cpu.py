"""The classifier on the CPU: exact products and compiled loops.  Same functions as ref.py."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from kernels import arrays, gin1
from kernels.elementwise import bound, round_shift, scale
from kernels.gemm.cpu import multiply_stack
from kernels.jit import Scalar, compiled
from kernels.mlp import ref
from kernels.mlp.layers import split_layers
from kernels.quantise.cpu import view
from kernels.tensor import Tensor

init_weights = ref.init_weights

_ACTIVATIONS_MAX = 2**22
_BIAS_TERM_MAX = gin1.BIAS_TERM_MAX
_WEIGHT_EXPONENT = gin1.WEIGHT_EXPONENT
_LOGIT_EXPONENT = gin1.LOGIT_EXPONENT
_INT32_MAX = 2**31 - 1
_BITS = gin1.OPERAND_BITS
_OPERAND_MAX = gin1.OPERAND_MAX
_EXPONENT_MAX = gin1.OPERAND_EXPONENT_MAX


@compiled("int64(int32[:, ::1], int32[::1], int64, boolean)")
def add_biases_all(
    sums: NDArray[np.int32], biases: NDArray[np.int32], exponent: Scalar, is_hidden: bool
) -> Scalar:
    """In place: sums gain the biases at `exponent`, and pass ReLU if hidden; returns the largest or 0."""
    largest: Scalar = np.int64(0)
    for column in range(sums.shape[1]):
        term = bound(scale(np.int64(biases[column]), _WEIGHT_EXPONENT - exponent), _BIAS_TERM_MAX)
        for row in range(sums.shape[0]):
            value = np.int64(sums[row, column]) + term
            if is_hidden:
                value = max(value, np.int64(0))
            sums[row, column] = value
            largest = max(largest, value)
    return largest


@compiled("void(int32[::1], int64, int8[::1])")
def round_activations(values: NDArray[np.int32], shift: int, out: NDArray[np.int8]) -> None:
    """Operands of values that are not negative."""
    for index in range(values.size):
        out[index] = min(round_shift(np.int64(values[index]), shift), _OPERAND_MAX)


@compiled("int32(int32[::1], int8[::1])")
def mask_narrow(slope: NDArray[np.int32], operand: NDArray[np.int8]) -> Scalar:
    """In place: no slope where the activation is zero; returns the largest magnitude."""
    largest = np.int32(0)
    for index in range(slope.size):
        value = slope[index] if operand[index] > 0 else np.int32(0)
        slope[index] = value
        largest = max(largest, np.int32(abs(value)))
    return largest


@compiled("int64(int64[::1], int8[::1], int32[::1])")
def mask_wide(slope: NDArray[np.int64], operand: NDArray[np.int8], out: NDArray[np.int32]) -> Scalar:
    """As mask_narrow, out of place, bounded to +-(2**31 - 1)."""
    largest = np.int64(0)
    for index in range(slope.size):
        value = bound(slope[index], _INT32_MAX) if operand[index] > 0 else np.int64(0)
        out[index] = value
        largest = max(largest, abs(value))
    return largest


@compiled(["void(int8[:, ::1], int32[::1])", "void(int16[:, ::1], int32[::1])"])
def add_all_rows(error: NDArray[np.int8], out: NDArray[np.int32]) -> None:
    """The sum of the rows of operands."""
    for column in range(error.shape[1]):
        out[column] = 0
    for row in range(error.shape[0]):
        for column in range(error.shape[1]):
            out[column] += np.int32(error[row, column])


def load(rows: NDArray[np.int8]) -> Tensor:
    """Features [B, inputs] as an operand."""
    return Tensor(rows, gin1.FEATURE_EXPONENT)


def add_biases(z: Tensor, biases: NDArray[np.int32]) -> Tensor:
    """Sums of products [B, fan_out], plus the biases brought to their exponent; in place."""
    add_biases_all(z.values, biases, z.exponent, False)
    return z


def activate(z: Tensor, biases: NDArray[np.int32]) -> Tensor:
    """The operand of the next layer: biases, ReLU, and rounding over the whole batch; overwrites z."""
    shift = gin1.compute_shift(add_biases_all(z.values, biases, z.exponent, True), z.exponent)
    operand = arrays.new_array(z.values.shape, np.int8)
    round_activations(z.values.reshape(-1), shift, operand.reshape(-1))
    return Tensor(operand, z.exponent - shift)


def mask(slope: Tensor, operand: Tensor) -> Tensor:
    """The slope before ReLU: zero where the activation is zero; int32, in place where it was so."""
    sums, values = slope.values, operand.values.reshape(-1)
    if sums.dtype == np.int32:
        return Tensor(sums, slope.exponent, int(mask_narrow(sums.reshape(-1), values)))
    out = arrays.new_array(sums.shape, np.int32)
    return Tensor(out, slope.exponent, int(mask_wide(sums.reshape(-1), values, out.reshape(-1))))


def add_rows(error: Tensor) -> Tensor:
    """The sum of the rows [fan_out]: the gradient of biases."""
    sums = arrays.new_array(error.values.shape[1], np.int32)
    add_all_rows(error.values, sums)
    return Tensor(sums, error.exponent)


@compiled("void(int32[:, ::1], int32[::1], int64[::1], int64)")
def add_biases_by_row(
    sums: NDArray[np.int32], biases: NDArray[np.int32], exponents: NDArray[np.int64], rise: int
) -> None:
    """In place: exponents[row] += rise, and each row of sums gains the biases at its new exponent."""
    for row in range(sums.shape[0]):
        exponents[row] += rise
        for column in range(sums.shape[1]):
            term = bound(scale(np.int64(biases[column]), _WEIGHT_EXPONENT - exponents[row]), _BIAS_TERM_MAX)
            sums[row, column] += term


@compiled("void(int32[:, ::1], int64[::1], int8[:, ::1])")
def activate_by_row(sums: NDArray[np.int32], exponents: NDArray[np.int64], out: NDArray[np.int8]) -> None:
    """ReLU and rounding to operands, each row with an exponent of its own; updates exponents."""
    for row in range(sums.shape[0]):
        largest = np.int64(0)
        for column in range(sums.shape[1]):
            largest = max(largest, np.int64(sums[row, column]))
        shift = max(np.int64(0), exponents[row] - _EXPONENT_MAX)
        while (largest >> shift) > _OPERAND_MAX:
            shift += 1
        shift = min(shift, exponents[row] + _EXPONENT_MAX)
        exponents[row] -= shift
        for column in range(sums.shape[1]):
            value = max(np.int64(sums[row, column]), np.int64(0))
            out[row, column] = min(round_shift(value, shift), _OPERAND_MAX)


@compiled("void(int32[:, ::1], int64[::1], uint16[::1], int32[:, ::1])")
def answer(
    sums: NDArray[np.int32], exponents: NDArray[np.int64],
    labels: NDArray[np.uint16], scores: NDArray[np.int32],
) -> None:
    """The first largest column of each row, and the row at the logits' exponent."""
    for row in range(sums.shape[0]):
        best = 0
        for column in range(sums.shape[1]):
            if sums[row, column] > sums[row, best]:
                best = column
            value = scale(np.int64(sums[row, column]), exponents[row] - _LOGIT_EXPONENT)
            scores[row, column] = bound(value, _INT32_MAX)
        labels[row] = best


def infer(
    widths: tuple[int, ...], weights: NDArray[np.int32], features: NDArray[np.int8]
) -> tuple[NDArray[np.uint16], NDArray[np.int32]]:
    """(labels [rows], logits [rows, classes]); each row is a batch of its own."""
    layers = split_layers(widths, weights)
    views = [view(layer.weights) for layer in layers]
    labels = arrays.new_array(len(features), np.uint16)
    scores = arrays.new_array((len(features), widths[-1]), np.int32)
    stride = max(1, _ACTIVATIONS_MAX // max(widths))
    for start in range(0, len(features), stride):
        rows = slice(start, start + stride)
        operand = features[rows]
        exponents = np.full(len(operand), gin1.FEATURE_EXPONENT, dtype=np.int64)
        for index, (layer, weights_view) in enumerate(zip(layers, views)):
            sums = multiply_stack(operand, weights_view.values, "nn")
            add_biases_by_row(sums, layer.biases, exponents, weights_view.exponent)
            if index < len(layers) - 1:
                operand = arrays.new_array(sums.shape, np.int8)
                activate_by_row(sums, exponents, operand)
        answer(sums, exponents, labels[rows], scores[rows])
    return labels, scores
