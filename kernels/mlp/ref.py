"""Reference of the classifier in numpy int64: the truth.  Source: kernels/README.md sections 5 and 6."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from kernels import exact, gin1
from kernels.exact import Ints


class Layer:
    """Views of one layer's weights [fan_in, fan_out] and biases [fan_out] in a flat parameter vector."""

    def __init__(self, flat: NDArray[Any], start: int, fan_in: int, fan_out: int) -> None:
        middle = start + fan_in * fan_out
        self.end = middle + fan_out
        self.weights: NDArray[Any] = flat[start:middle].reshape(fan_in, fan_out)
        self.biases: NDArray[Any] = flat[middle:self.end]


def split_layers(widths: tuple[int, ...], flat: NDArray[Any]) -> list[Layer]:
    """The layers of `flat` as views: writing to a layer writes to `flat`."""
    layers: list[Layer] = []
    for fan_in, fan_out in zip(widths, widths[1:]):
        layers.append(Layer(flat, layers[-1].end if layers else 0, fan_in, fan_out))
    return layers


def quantise_weights(weights: Ints) -> tuple[Ints, int]:
    """The int8 view of a layer's weights and its exponent."""
    return exact.quantise_nearest(exact.clip(weights, gin1.WEIGHT_MAX), gin1.WEIGHT_EXPONENT)


def add_biases(products: Ints, biases: Ints, exponent: int) -> Ints:
    """Sums of products at `exponent`, plus the biases brought to it."""
    term = exact.scale(biases, gin1.WEIGHT_EXPONENT - exponent)
    return products + exact.clip(term, gin1.BIAS_TERM_MAX)


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
    views = [quantise_weights(layer.weights) for layer in layers]
    labels = np.zeros(len(features), dtype=np.uint16)
    scores = np.zeros((len(features), widths[-1]), dtype=np.int32)
    for row, values in enumerate(features):
        operand, exponent = values.astype(np.int64), gin1.FEATURE_EXPONENT
        for index, (layer, (view, view_exponent)) in enumerate(zip(layers, views)):
            exponent += view_exponent
            sums = add_biases(operand @ view, layer.biases, exponent)
            if index < len(layers) - 1:
                operand, exponent = exact.quantise_nearest(np.maximum(sums, 0), exponent)
        labels[row] = np.argmax(sums)
        scores[row] = exact.clip(exact.scale(sums, exponent - gin1.LOGIT_EXPONENT), 2**31 - 1)
    return labels, scores
