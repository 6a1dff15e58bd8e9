"""Reference of the unit in numpy int64: the truth.  Source: kernels/README.md section 7."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from kernels import exact, gin1
from kernels.exact import Ints
from kernels.mlp import ref as mlp_ref
from kernels.unit import trace as unit_trace

if TYPE_CHECKING:
    from kernels.unit import UnitPolicy


def train(
    policy: UnitPolicy,
    weights: NDArray[np.int32],
    features: NDArray[np.int8],
    labels: NDArray[np.uint16],
    seed: bytes,
) -> tuple[Ints, list[bytes]]:
    """(delta int64 [P], trace) of local_steps steps. features [H, B, inputs], labels [H, B]."""
    start = weights.astype(np.int64)
    local = start.copy()
    velocity = np.zeros_like(local)
    rate, rate_shift = gin1.compute_step_rate(policy.learning_rate_q16, policy.batch_rows)
    states = []
    for step in range(policy.local_steps):
        batch = features[step].astype(np.int64), labels[step].astype(np.int64)
        gradient = compute_gradient(policy.widths, local, batch, seed, step)
        decayed = exact.round_shift(velocity * np.int64(policy.momentum_q16), 16)
        velocity = exact.clip(decayed + gradient, gin1.MOMENTUM_MAX)
        local = exact.clip(local - exact.round_shift(velocity * np.int64(rate), rate_shift), gin1.WEIGHT_MAX)
        if unit_trace.is_traced(step + 1, policy.local_steps, policy.trace_every):
            states.append(unit_trace.hash_weights(local.astype(np.int32)))
    return local - start, states


def compute_gradient(
    widths: tuple[int, ...], flat: Ints, batch: tuple[Ints, Ints], seed: bytes, step: int
) -> Ints:
    """Gradient of the summed loss at exponent 24, in the layout of the parameters."""
    layers = mlp_ref.split_layers(widths, flat)
    views = [mlp_ref.quantise_weights(layer.weights) for layer in layers]
    operands = [(batch[0], gin1.FEATURE_EXPONENT)]
    for index, (layer, (view, view_exponent)) in enumerate(zip(layers, views)):
        operand, exponent = operands[index]
        exponent += view_exponent
        sums = mlp_ref.add_biases(operand @ view, layer.biases, exponent)
        if index < len(layers) - 1:
            operands.append(exact.quantise_nearest(np.maximum(sums, 0), exponent))
    slope, slope_exponent = compute_loss_slope(sums, exponent, batch[1]), gin1.LOSS_EXPONENT
    gradient = np.zeros_like(flat)
    parts = mlp_ref.split_layers(widths, gradient)
    for index in reversed(range(len(layers))):
        keys = gin1.derive_keys("gradient", seed, step, index)
        error, error_exponent = exact.quantise_stochastic(slope, slope_exponent, keys)
        operand, exponent = operands[index]
        shift = exponent + error_exponent - gin1.WEIGHT_EXPONENT
        parts[index].weights[:] = exact.scale(operand.T @ error, shift)
        parts[index].biases[:] = exact.scale(error.sum(axis=0), error_exponent - gin1.WEIGHT_EXPONENT)
        if index > 0:
            view, view_exponent = views[index]
            slope = np.where(operand > 0, error @ view.T, 0)
            slope_exponent = error_exponent + view_exponent
    return gradient


def compute_loss_slope(sums: Ints, exponent: int, labels: Ints) -> Ints:
    """Softmax minus one-hot at exponent 20, for logits `sums` [B, classes] at `exponent`."""
    table = np.array(gin1.power_table(), dtype=np.int64)
    below = (sums.max(axis=1, keepdims=True) - sums) * np.int64(gin1.LOG2_E_Q14)
    shift = exponent + 14 - gin1.POWER_FRACTION_BITS
    power = np.minimum(exact.scale(below, shift), gin1.POWER_MAX)
    grown = table[power & 1023] >> (power >> np.int64(10))
    inverse = np.int64(1 << 40) // grown.sum(axis=1, keepdims=True)
    slope = exact.round_shift(grown * inverse, 20)
    slope[np.arange(len(labels)), labels] -= np.int64(1 << gin1.LOSS_EXPONENT)
    return slope
