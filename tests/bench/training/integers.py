"""Our side of the comparison: training steps in integers, as a unit makes them, and the loss of held rows.

Floats appear in the loss's report alone: logits are integers until then.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kernels import dispatch, mlp, optimiser
from kernels.decoder import Decoder
from kernels.decoder.composition import Stage
from kernels.optimiser import Optimiser
from kernels.optimiser.schedule import Schedule
from kernels.unit.models import find_training

Batch = tuple[NDArray[Any], NDArray[Any]]


@dataclass(frozen=True)
class Recipe:
    """How a model is trained, whatever the arithmetic: the model, its optimiser and schedule, examples of a step."""

    model: Any
    optimiser: Optimiser
    schedule: Schedule
    batch_rows: int

    @property
    def terms(self) -> int:
        """Examples or tokens in a step's summed loss."""
        return find_training(self.model).count_terms(self.model, self.batch_rows)


class IntegerTraining:
    """The steps of one unit (kernels/unit), one at a time.

    weights: int32 bytes. seed: 32 bytes, keys all stochastic rounding.
    """

    def __init__(self, recipe: Recipe, weights: bytes, seed: bytes) -> None:
        self.recipe = recipe
        self.ops = dispatch.implementation("optimiser")
        self.state = self.ops.new_state(recipe.optimiser, np.frombuffer(weights, dtype="<i4"))
        training = find_training(recipe.model)
        ends = np.cumsum([prod(shape) for shape in training.param_shapes(recipe.model)]).tolist()
        self.parts = [self.state.part(begin, end) for begin, end in zip([0, *ends], ends)]
        self.trainer = training.Trainer(recipe.model, self.state.weights, seed)

    def train(self, batches: Iterable[Batch], steps: int, first_step: int = 0) -> Iterator[int]:
        """Train on `steps` batches; yields the number of steps done after each."""
        recipe, ops = self.recipe, self.ops
        pace = optimiser.iter_factors(recipe.optimiser, recipe.schedule, first_step, steps, recipe.terms)
        for step, (batch, factors) in enumerate(zip(batches, pace)):
            for index, gradient in self.trainer.run_step(*batch, step):
                ops.step(recipe.optimiser, factors, self.parts[index], gradient)
            yield step + 1

    def weights(self) -> bytes:
        """The weights as they stand, int32."""
        return self.ops.read_weights(self.state).astype("<i4").tobytes()


def compute_loss(model: Decoder, weights: bytes, rows: NDArray[np.uint16], batch_rows: int) -> float:
    """Mean cross-entropy in nats of the targets of rows [n, context + 1], by the forward pass of training."""
    put = dispatch.implementation("memory").put
    flat = put(np.frombuffer(weights, dtype="<i4"))
    total = 0.0
    for start in range(0, len(rows), batch_rows):
        batch = rows[start:start + batch_rows]
        values, exponent = compute_logits(model, flat, batch[:, :-1])
        total += sum_losses(values.astype(np.float64) * 2.0**-exponent, batch[:, 1:].reshape(-1))
    return total / (len(rows) * model.context)


def compute_logits(model: Decoder, weights: Any, tokens: NDArray[np.uint16]) -> tuple[NDArray[Any], int]:
    """(integers [batch * context, vocab], exponent) of the head, as training computes them."""
    stage = Stage(model, 0, model.layers, weights, bytes(32))
    put = dispatch.implementation("memory").put
    h = stage.forward(put(np.ascontiguousarray(tokens)), len(tokens))
    y, _ = dispatch.implementation("norm").forward(h)
    kind = "embed" if model.tied else "head"
    entry = next(entry for entry in stage.parameters if entry.kind == kind)
    view = dispatch.implementation("quantise").view(weights[entry.start:entry.end].reshape(entry.shape))
    z = dispatch.implementation("gemm").multiply(y, view, "nt" if model.tied else "nn")
    memory = dispatch.implementation("memory")
    return memory.take(z.values), memory.number(z.exponent)


def sum_losses(logits: NDArray[np.float64], targets: NDArray[np.uint16]) -> float:
    """Summed cross-entropy in nats."""
    shifted = logits - logits.max(axis=1, keepdims=True)
    chosen = shifted[np.arange(len(targets)), targets]
    return float((np.log(np.exp(shifted).sum(axis=1)) - chosen).sum())


def count_correct(model: mlp.Mlp, weights: bytes, features: NDArray[np.int8], labels: NDArray[np.uint16]) -> int:
    """Rows whose label the classifier predicts."""
    answers = mlp.predict(model.widths, weights, features.tobytes(), len(features))
    return int((np.frombuffer(answers, dtype="<u2") == labels).sum())
