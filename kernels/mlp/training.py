"""Training of a multilayer perceptron: its batches, and the gradient of a batch by parameter tensor.

One composition of the array-level ops quantise, gemm, loss and mlp for every back end; exponents are handed on and
never looked at. Offers what kernels/unit/models.py asks of a model. Source: kernels/README.md sections 5 to 7.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from kernels import checks, dispatch, gin1, samples
from kernels.errors import KernelInputError
from kernels.loss import TARGET_MAX
from kernels.mlp.layers import split_layers
from kernels.mlp.types import Mlp, check_model
from kernels.tensor import Tensor

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Trainer", "calls_cost", "check_model", "check_unit", "count_terms", "draw_examples", "param_shapes",
           "read_batches", "reduce_model", "step_cost"]

BATCH_VALUES_MAX = 2**24
FEATURE_BYTES_MAX = 2**28
TARGET_BYTES_MAX = 2**28
LAYER_COST = 20_000
WIDE_BITS = 15


def check_unit(model: Mlp, local_steps: int, batch_rows: int) -> None:
    """Refuse a unit whose arrays would be larger than the bounds of README section 7."""
    widths = model.widths
    if batch_rows * max(widths) > BATCH_VALUES_MAX:
        raise KernelInputError(f"batch_rows times the widest layer must be at most {BATCH_VALUES_MAX}")
    if local_steps * batch_rows * widths[0] > FEATURE_BYTES_MAX:
        raise KernelInputError(f"local_steps * batch_rows * inputs must be at most {FEATURE_BYTES_MAX}")
    if model.task == "regressor" and 4 * local_steps * batch_rows * widths[-1] > TARGET_BYTES_MAX:
        raise KernelInputError(f"local_steps * batch_rows * outputs must be at most {TARGET_BYTES_MAX // 4}")


def param_shapes(model: Mlp) -> tuple[tuple[int, ...], ...]:
    """Shapes of the parameter tensors in their order: of each layer the weights, then the biases."""
    shapes: list[tuple[int, ...]] = []
    for fan_in, fan_out in zip(model.widths, model.widths[1:]):
        shapes += [(fan_in, fan_out), (fan_out,)]
    return tuple(shapes)


def count_terms(model: Mlp, batch_rows: int) -> int:
    """The number of examples in a step's summed loss."""
    return batch_rows


def step_cost(model: Mlp, batch_rows: int) -> int:
    """Multiply-adds of a step without the passes over the parameters.

    Three products of every layer but the first, which needs two, where a wide slope counts twice; and LAYER_COST for
    every layer, however narrow: keys, scales and calls.
    """
    cost = 0
    for layer, (fan_in, fan_out) in enumerate(zip(model.widths, model.widths[1:])):
        slopes = 1 if layer == 0 else 2
        cost += batch_rows * fan_in * fan_out * (1 + slopes * (2 if layer in model.wide else 1))
    return cost + calls_cost(model)


def calls_cost(model: Mlp) -> int:
    """What of step_cost is the time of calls, however narrow the layers and few the rows."""
    return LAYER_COST * (len(model.widths) - 1)


def reduce_model(model: Mlp, cost: int) -> Mlp:
    """The model itself: fewer rows are enough to make a step of it short."""
    return model


def read_batches(
    model: Mlp, local_steps: int, batch_rows: int, rows: bytes, targets: bytes
) -> list[tuple[Any, Any]]:
    """(rows [B, inputs], targets [B] or [B, outputs]) of every step, checked.

    rows: int8 features, -128 refused. targets: uint16 labels, or int32 values at exponent 16 of magnitude <= 2**26.
    """
    inputs, outputs, count = model.widths[0], model.widths[-1], local_steps * batch_rows
    checks.check_features("rows", rows, count, inputs)
    features = checks.read_array(rows, "<i1").reshape(local_steps, batch_rows, inputs)
    if model.task == "classifier":
        checks.check_labels(targets, count, outputs)
        wanted: NDArray[Any] = checks.read_array(targets, "<u2").reshape(local_steps, batch_rows)
    else:
        checks.check_bytes("targets", targets, 4 * count * outputs)
        wanted = checks.read_array(targets, "<i4").reshape(local_steps, batch_rows, outputs)
        checks.check_bound("targets", wanted, TARGET_MAX)
    return list(zip(features, wanted))


def draw_examples(model: Mlp, label: str, count: int) -> tuple[bytes, bytes]:
    """(rows, targets) of `count` examples, drawn from `label`; a regressor's targets are in -4..4."""
    rows = samples.sample_features(label, count * model.widths[0])
    if model.task == "classifier":
        return rows, samples.sample_labels(label, count, model.widths[-1])
    return rows, samples.sample_ints(label, count * model.widths[-1], 4, 18)


class Trainer:
    """Gradients of one unit's batches.

    weights: the flat parameters in the back end's array, int32 at exponent 24; the caller changes them between steps.
    """

    def __init__(self, model: Mlp, weights: Any, seed: bytes) -> None:
        self.model = model
        self.layers = split_layers(model.widths, weights)
        self.seed = seed
        self.ops, self.gemm = dispatch.implementation("mlp"), dispatch.implementation("gemm")
        self.quantise, loss = dispatch.implementation("quantise"), dispatch.implementation("loss")
        self.compute_slope = loss.cross_entropy if model.task == "classifier" else loss.squared_error

    def run_step(self, rows: Any, targets: Any, step: int) -> Iterator[tuple[int, Tensor]]:
        """(number of a parameter tensor, its gradient) for each one, from the last layer to the first.

        All weights are read before the first is yielded. The gradient is of the summed loss; its integers stand for
        scale(values, exponent - 24) at exponent 24.
        """
        ops, gemm, quantise = self.ops, self.gemm, self.quantise
        views = [quantise.view(layer.weights) for layer in self.layers]
        operands = [ops.load(rows)]
        for layer, view in zip(self.layers[:-1], views):
            operands.append(ops.activate(gemm.multiply(operands[-1], view, "nn"), layer.biases))
        outputs = ops.add_biases(gemm.multiply(operands[-1], views[-1], "nn"), self.layers[-1].biases)
        slope = self.compute_slope(outputs, targets)
        for index in reversed(range(len(self.layers))):
            bits = WIDE_BITS if index in self.model.wide else gin1.OPERAND_BITS
            keys = gin1.derive_keys("gradient", self.seed, step, index)
            error = quantise.draw(slope, keys, bits, gin1.OPERAND_EXPONENT_MIN)
            yield 2 * index, gemm.multiply(operands[index], error, "tn")
            yield 2 * index + 1, ops.add_rows(error)
            if index > 0:
                slope = ops.mask(gemm.multiply(error, views[index], "nt"), operands[index])
