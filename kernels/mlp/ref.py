"""Reference of the classifier in numpy int64: the truth.  Source: kernels/README.md sections 5 and 6."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from kernels import exact, gin1
from kernels.exact import Ints
from kernels.gemm import ref as gemm
from kernels.mlp.layers import split_layers
from kernels.quantise import ref as quantise
from kernels.tensor import Tensor


def load(rows: NDArray[np.int8]) -> Tensor:
    """Features [B, inputs] as an operand."""
    return Tensor(rows.astype(np.int64), gin1.FEATURE_EXPONENT)


def add_biases(z: Tensor, biases: Ints) -> Tensor:
    """Sums of products [B, fan_out], plus the biases brought to their exponent."""
    term = exact.scale(biases, gin1.WEIGHT_EXPONENT - z.exponent)
    return Tensor(z.values + exact.clip(term, gin1.BIAS_TERM_MAX), z.exponent)


def activate(z: Tensor, biases: Ints) -> Tensor:
    """The operand of the next layer: biases, ReLU, and rounding over the whole batch."""
    sums = add_biases(z, biases)
    return quantise.nearest(Tensor(np.maximum(sums.values, 0), sums.exponent), lowest=gin1.OPERAND_EXPONENT_MIN)


def mask(slope: Tensor, operand: Tensor) -> Tensor:
    """The slope before ReLU: zero where the activation is zero; of wide slopes, bounded to +-(2**31 - 1)."""
    return Tensor(np.where(operand.values > 0, exact.clip(slope.values, gin1.WEIGHT_MAX), 0), slope.exponent)


def add_rows(error: Tensor) -> Tensor:
    """The sum of the rows [fan_out]: the gradient of biases."""
    return Tensor(error.values.sum(axis=0), error.exponent)


def init_weights(widths: tuple[int, ...], seed: bytes) -> NDArray[np.int32]:
    """Parameters of a new model."""
    flat = np.zeros(sum((a + 1) * b for a, b in zip(widths, widths[1:])), dtype=np.int64)
    for index, layer in enumerate(split_layers(widths, flat)):
        fan_in, fan_out = layer.weights.shape
        count = fan_in * fan_out
        words = exact.splitmix64(gin1.derive_stream("init", seed, index), 3 * count).reshape(count, 3)
        total = np.full(count, 6 - 12 * 32768, dtype=np.int64)
        for part in range(4):
            total += ((words >> np.uint64(16 * part)) & np.uint64(0xFFFF)).astype(np.int64).sum(axis=1)
        drawn = exact.round_shift(total * np.int64(gin1.compute_init_scale(fan_in)), 16)
        layer.weights[:] = drawn.reshape(fan_in, fan_out)
    return flat.astype(np.int32)


def infer(
    widths: tuple[int, ...], weights: NDArray[np.int32], features: NDArray[np.int8]
) -> tuple[NDArray[np.uint16], NDArray[np.int32]]:
    """(labels [rows], logits [rows, classes]); each row is a batch of its own."""
    layers = split_layers(widths, weights.astype(np.int64))
    views = [quantise.view(layer.weights) for layer in layers]
    labels = np.zeros(len(features), dtype=np.uint16)
    scores = np.zeros((len(features), widths[-1]), dtype=np.int32)
    for row in range(len(features)):
        operand = load(features[row:row + 1])
        for layer, view in zip(layers[:-1], views):
            operand = activate(gemm.multiply(operand, view, "nn"), layer.biases)
        sums = add_biases(gemm.multiply(operand, views[-1], "nn"), layers[-1].biases)
        labels[row] = np.argmax(sums.values)
        scores[row] = exact.clip(exact.scale(sums.values[0], sums.exponent - gin1.LOGIT_EXPONENT), 2**31 - 1)
    return labels, scores
