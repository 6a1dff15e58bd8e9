"""What a unit asks of a model: the calls of its `training` module, and where that module is.

Another kind of model is one more line in MODULES. Reads/Writes: nothing.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from typing import Any, Protocol, cast

from kernels.decoder.types import Decoder
from kernels.errors import KernelInputError
from kernels.mlp.types import Mlp
from kernels.tensor import Tensor

Model = Mlp | Decoder
MODULES: dict[type, str] = {Mlp: "kernels.mlp.training", Decoder: "kernels.decoder.training"}


class Trainer(Protocol):
    """Gradients of one unit's batches, on the back end in use when it is made."""

    def __init__(self, model: Any, weights: Any, seed: bytes) -> None:
        """weights: the unit's flat parameters, an array of the back end that changes between steps; seed: 32 bytes."""

    def run_step(self, rows: Any, targets: Any, step: int) -> Iterator[tuple[int, Tensor]]:
        """(number of a parameter tensor, gradient of the summed loss) for every one, each once and in any order.

        The gradient's values have the tensor's elements in their order; G = scale(values, exponent - 24) is at
        exponent 24 and at most 2**41. Weights may change as soon as the first is yielded: all were read.
        """


class Training(Protocol):
    """The module of a model. Arguments of all but check_model were checked by it; rows and steps are positive."""

    Trainer: type[Trainer]

    def check_model(self, model: Any) -> Any:
        """Return `model` if it is within its ranges; raises KernelInputError."""

    def check_unit(self, model: Any, local_steps: int, batch_rows: int) -> None:
        """Refuse a unit that would be too large, with KernelInputError."""

    def param_shapes(self, model: Any) -> tuple[tuple[int, ...], ...]:
        """Shapes of the parameter tensors in the order in which they stand in the flat parameters."""

    def count_terms(self, model: Any, batch_rows: int) -> int:
        """How many losses a step sums, 1..65536: the learning rate of SGD is divided by it."""

    def step_cost(self, model: Any, batch_rows: int) -> int:
        """Multiply-adds of a step, without the optimiser's and the quantisers' passes over the parameters."""

    def calls_cost(self, model: Any) -> int:
        """What of step_cost does not depend on widths and rows: the time of calls."""

    def reduce_model(self, model: Any, cost: int) -> Any:
        """The model, or one of the same widths with less depth or shorter rows, so that a row costs about `cost`."""

    def read_batches(
        self, model: Any, local_steps: int, batch_rows: int, rows: bytes, targets: bytes
    ) -> list[tuple[Any, Any]]:
        """(rows, targets) of every step as numpy arrays, after checks of length and range (KernelInputError)."""

    def draw_examples(self, model: Any, label: str, count: int) -> tuple[bytes, bytes]:
        """(rows, targets) of `count` examples that depend on `label` alone: for the self-test."""


def find_training(model: object) -> Training:
    """The training module of a model.

    Raises: KernelInputError for anything that is no model.
    """
    for kind, name in MODULES.items():
        if isinstance(model, kind):
            return cast(Training, importlib.import_module(name))
    known = ", ".join(kind.__name__ for kind in MODULES)
    raise KernelInputError(f"model must be one of {known}, not {type(model).__name__}")
