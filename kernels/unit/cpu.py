"""The unit on the CPU: exact float32 products and compiled loops.  Same functions as ref.py."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from kernels import arrays, gin1
from kernels.elementwise import (
    bound,
    draw_operands,
    magnitude,
    multiply,
    quantise_weights,
    round_operands,
    round_shift,
    scale,
)
from kernels.jit import Scalar, compiled
from kernels.mlp.ref import Layer, split_layers
from kernels.unit import trace as unit_trace

if TYPE_CHECKING:
    from kernels.unit import UnitPolicy

_WEIGHT_EXPONENT = gin1.WEIGHT_EXPONENT
_WEIGHT_MAX = gin1.WEIGHT_MAX
_BIAS_TERM_MAX = gin1.BIAS_TERM_MAX
_MOMENTUM_MAX = gin1.MOMENTUM_MAX
_LOG2_E_Q14 = gin1.LOG2_E_Q14
_POWER_MAX = gin1.POWER_MAX
_LOSS_ONE = 1 << gin1.LOSS_EXPONENT


@compiled("int64(int32[:, ::1], int32[::1], int64, boolean)")
def add_biases(
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


@compiled("void(int32[:, ::1], int64, uint16[::1], int64[::1], int32[:, ::1])")
def compute_loss_slope(
    sums: NDArray[np.int32], exponent: int, labels: NDArray[np.uint16], table: NDArray[np.int64],
    out: NDArray[np.int32],
) -> None:
    """Softmax minus one-hot at exponent 20, for logits `sums` [B, classes] at `exponent`."""
    classes = sums.shape[1]
    shift = exponent + 4
    grown = np.zeros(classes, dtype=np.int64)
    for row in range(sums.shape[0]):
        largest = np.int64(sums[row, 0])
        for column in range(classes):
            largest = max(largest, np.int64(sums[row, column]))
        total = np.int64(0)
        for column in range(classes):
            below: Scalar = (largest - np.int64(sums[row, column])) * _LOG2_E_Q14
            power = min(scale(below, shift), _POWER_MAX)
            grown[column] = table[power & 1023] >> (power >> 10)
            total += grown[column]
        inverse = (np.int64(1) << 40) // total
        for column in range(classes):
            out[row, column] = round_shift(grown[column] * inverse, 20)
        out[row, labels[row]] -= _LOSS_ONE


@compiled("void(int32[::1], float32[::1])")
def mask_slope(slope: NDArray[np.int32], operand: NDArray[np.float32]) -> None:
    """In place: no slope where the activation is zero."""
    for index in range(slope.size):
        if operand[index] <= 0:
            slope[index] = 0


@compiled("void(int32[::1], int64[::1], int32[::1], int64, int64, int64, int64)")
def descend(
    local: NDArray[np.int32], velocity: NDArray[np.int64], gradient: NDArray[np.int32],
    shift: int, decay: int, rate: int, rate_shift: int,
) -> None:
    """In place: one momentum step; `gradient` is brought to exponent 24 by `shift`."""
    for index in range(local.size):
        decayed = round_shift(velocity[index] * decay, 16)
        moved = bound(decayed + scale(np.int64(gradient[index]), shift), _MOMENTUM_MAX)
        velocity[index] = moved
        local[index] = bound(np.int64(local[index]) - round_shift(moved * rate, rate_shift), _WEIGHT_MAX)


@compiled("void(float32[:, ::1], int32[::1])")
def add_rows(error: NDArray[np.float32], out: NDArray[np.int32]) -> None:
    """The sum of the rows of integer operands."""
    for column in range(error.shape[1]):
        out[column] = 0
    for row in range(error.shape[0]):
        for column in range(error.shape[1]):
            out[column] += np.int32(error[row, column])


class Trainer:
    """The state of one unit: local weights, velocity, and views of both by layer."""

    def __init__(self, policy: UnitPolicy, weights: NDArray[np.int32], seed: bytes) -> None:
        self.local = weights.copy()
        self.layers = split_layers(policy.widths, self.local)
        self.velocities = split_layers(policy.widths, np.zeros(weights.size, dtype=np.int64))
        self.seed = seed
        self.decay = policy.momentum_q16
        self.rate, self.rate_shift = gin1.compute_step_rate(policy.learning_rate_q16, policy.batch_rows)
        self.table = np.array(gin1.power_table(), dtype=np.int64)

    def run_step(self, features: NDArray[np.int8], labels: NDArray[np.uint16], step: int) -> None:
        """One local step on a batch."""
        views = [quantise_weights(layer.weights) for layer in self.layers]
        operand = features.astype(np.float32)
        operands = [(operand, gin1.FEATURE_EXPONENT)]
        last = len(self.layers) - 1
        for index, (layer, (view, view_exponent)) in enumerate(zip(self.layers, views)):
            operand, exponent = operands[index]
            exponent += view_exponent
            sums = multiply(operand, view)
            largest = add_biases(sums, layer.biases, exponent, index < last)
            if index < last:
                shift = gin1.compute_shift(largest, exponent)
                operand = arrays.new_array(sums.shape, np.float32)
                round_operands(sums.reshape(-1), shift, operand.reshape(-1))
                operands.append((operand, exponent - shift))
        slope = arrays.new_array(sums.shape, np.int32)
        compute_loss_slope(sums, exponent, labels, self.table, slope)
        slope_exponent = gin1.LOSS_EXPONENT
        for index in range(last, -1, -1):
            error, error_exponent = self.draw_error(slope, slope_exponent, step, index)
            operand, exponent = operands[index]
            if index > 0:
                view, view_exponent = views[index]
                slope = multiply(error, view.T)
                slope_exponent = error_exponent + view_exponent
                mask_slope(slope.reshape(-1), operand.reshape(-1))
            gradient = multiply(operand.T, error)
            self.descend_layer(index, gradient, exponent + error_exponent, error, error_exponent)

    def draw_error(
        self, slope: NDArray[np.int32], exponent: int, step: int, index: int
    ) -> tuple[NDArray[np.float32], int]:
        """Stochastically rounded operands of a slope, and their exponent."""
        key0, key1 = gin1.derive_keys("gradient", self.seed, step, index)
        shift = gin1.compute_shift(magnitude(slope.reshape(-1)), exponent)
        error = arrays.new_array(slope.shape, np.float32)
        draw_operands(slope.reshape(-1), shift, key0, key1, error.reshape(-1))
        return error, exponent - shift

    def descend_layer(
        self, index: int, gradient: NDArray[np.int32], exponent: int,
        error: NDArray[np.float32], error_exponent: int,
    ) -> None:
        """Momentum step of a layer's weights and biases."""
        layer: Layer = self.layers[index]
        velocity = self.velocities[index]
        sums = arrays.new_array(error.shape[1], np.int32)
        add_rows(error, sums)
        settings = self.decay, self.rate, self.rate_shift
        descend(layer.weights.reshape(-1), velocity.weights.reshape(-1), gradient.reshape(-1),
                exponent - _WEIGHT_EXPONENT, *settings)
        descend(layer.biases, velocity.biases, sums, error_exponent - _WEIGHT_EXPONENT, *settings)


def train(
    policy: UnitPolicy,
    weights: NDArray[np.int32],
    features: NDArray[np.int8],
    labels: NDArray[np.uint16],
    seed: bytes,
) -> tuple[NDArray[np.int64], list[bytes]]:
    """(delta int64 [P], trace) of local_steps steps. features [H, B, inputs], labels [H, B]."""
    trainer = Trainer(policy, weights, seed)
    states = []
    for step in range(policy.local_steps):
        trainer.run_step(features[step], labels[step], step)
        if unit_trace.is_traced(step + 1, policy.local_steps, policy.trace_every):
            states.append(unit_trace.hash_weights(trainer.local))
    return trainer.local.astype(np.int64) - weights.astype(np.int64), states
