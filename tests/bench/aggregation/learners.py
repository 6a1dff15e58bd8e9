"""Honest workers of a digits classifier in float32: their rows, their momenta, and how well the model answers.

The model is a perceptron 64-32-10 (2410 parameters). Rows are gamma-similar: a share `alpha` of all training rows is
dealt at random, the rest in the order of their labels, so that with a small alpha a worker sees few classes.
"""

from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

PIXELS, HIDDEN, CLASSES = 64, 32, 10
PARAMS = PIXELS * HIDDEN + HIDDEN + HIDDEN * CLASSES + CLASSES
MOMENTUM = np.float32(0.9)
RATE = np.float32(0.3)
BATCH_ROWS = 24
Vector = NDArray[np.float32]
Rows = NDArray[np.int64]


@cache
def load_rows() -> tuple[Vector, Rows, Vector, Rows]:
    """scikit-learn's digits, a fourth of each class held: training pixels 0..1 and labels, those of the test."""
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    images, labels = load_digits(return_X_y=True)
    parts = train_test_split((images / 16).astype(np.float32), labels, test_size=0.25, random_state=0, stratify=labels)
    return parts[0], parts[2], parts[1], parts[3]


class Learners:
    """`honest` workers and `flippers`, who draw from all rows and answer 9 - label; they share the weights."""

    def __init__(self, honest: int, flippers: int, alpha: float, seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        self.honest = honest
        self.pixels, self.labels, self.test_pixels, self.test_labels = load_rows()
        self.parts = deal(self.labels, honest, alpha, self.rng) + [np.arange(len(self.labels))] * flippers
        self.weights = np.zeros(PARAMS, np.float32)
        first, _, second, _ = split(self.weights)
        first[:] = self.rng.normal(0, 1 / np.sqrt(PIXELS), first.shape)
        second[:] = self.rng.normal(0, 1 / np.sqrt(HIDDEN), second.shape)
        self.momenta = np.zeros((len(self.parts), PARAMS), np.float32)

    def step(self) -> Vector:
        """Everyone's momentum after a batch, [honest + flippers, PARAMS]."""
        rows = np.stack([part[self.rng.integers(0, len(part), BATCH_ROWS)] for part in self.parts])
        labels = self.labels[rows]
        labels[self.honest:] = CLASSES - 1 - labels[self.honest:]
        gradients = compute_gradients(self.weights, self.pixels[rows], labels)
        self.momenta = MOMENTUM * self.momenta + (1 - MOMENTUM) * gradients
        return self.momenta

    def move(self, update: Vector) -> None:
        """Step against the aggregated gradient."""
        self.weights = self.weights - RATE * update

    def accuracy(self) -> float:
        """The share of test rows that are answered rightly."""
        first, bias, second, shift = split(self.weights)
        logits = np.maximum(self.test_pixels @ first + bias, 0) @ second + shift
        return float((logits.argmax(1) == self.test_labels).mean())


def deal(labels: Rows, workers: int, alpha: float, rng: np.random.Generator) -> list[Rows]:
    """Which rows each worker has."""
    order = rng.permutation(len(labels))
    middle = int(alpha * len(order))
    rest = order[middle:]
    rest = rest[np.argsort(labels[rest], kind="stable")]
    pairs = zip(np.array_split(order[:middle], workers), np.array_split(rest, workers))
    return [np.concatenate(pair) for pair in pairs]


def split(weights: Vector) -> tuple[Any, Any, Any, Any]:
    """Views of both layers: weights [in, out] and biases."""
    ends = np.cumsum([PIXELS * HIDDEN, HIDDEN, HIDDEN * CLASSES])
    first, bias, second, shift = np.split(weights, ends)
    return first.reshape(PIXELS, HIDDEN), bias, second.reshape(HIDDEN, CLASSES), shift


def compute_gradients(weights: Vector, pixels: Vector, labels: Rows) -> Vector:
    """Of the mean cross entropy of each worker's batch: pixels [n, rows, 64], labels [n, rows] to [n, PARAMS]."""
    first, bias, second, shift = split(weights)
    workers, rows, _ = pixels.shape
    hidden = np.maximum(pixels @ first + bias, 0)
    logits = hidden @ second + shift
    slopes = np.exp(logits - logits.max(-1, keepdims=True))
    slopes /= slopes.sum(-1, keepdims=True)
    slopes[np.arange(workers)[:, None], np.arange(rows)[None], labels] -= 1
    slopes /= rows
    inner = (slopes @ second.T) * (hidden > 0)
    parts = (pixels.transpose(0, 2, 1) @ inner, inner.sum(1), hidden.transpose(0, 2, 1) @ slopes, slopes.sum(1))
    return np.concatenate([part.reshape(workers, -1) for part in parts], axis=1)
