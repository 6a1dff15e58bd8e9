"""What a multilayer perceptron is: its widths, its task, and which slopes are wide.

Reads/Writes: nothing. Needs neither numpy nor numba. Source: kernels/README.md section 5.
"""

from __future__ import annotations

from dataclasses import dataclass

from kernels import checks
from kernels.errors import KernelInputError

TASKS = ("classifier", "regressor")


@dataclass(frozen=True)
class Mlp:
    """A multilayer perceptron with ReLU.

    widths: (inputs, hidden..., classes or outputs). task: classifier (cross-entropy) or regressor (squared error).
    wide: rising layer numbers whose slopes are rounded to 16 bits instead of 8 for their products.
    """

    widths: tuple[int, ...]
    task: str = "classifier"
    wide: tuple[int, ...] = ()

    def __str__(self) -> str:
        return f"{self.task} of widths {'-'.join(map(str, self.widths))}"


def check_model(model: object) -> Mlp:
    """Return `model` if it is an Mlp within its ranges."""
    if not isinstance(model, Mlp):
        raise KernelInputError("model must be an Mlp")
    widths = checks.check_widths(model.widths)
    if model.task not in TASKS:
        raise KernelInputError(f"task must be one of {', '.join(TASKS)}")
    if not isinstance(model.wide, tuple):
        raise KernelInputError("wide must be a tuple of layer numbers")
    for index, layer in enumerate(model.wide):
        lowest = model.wide[index - 1] + 1 if index else 0
        if lowest > len(widths) - 2:
            raise KernelInputError(f"wide must hold each of the layers 0..{len(widths) - 2} at most once, rising")
        checks.check_int(f"wide[{index}]", layer, lowest, len(widths) - 2)
    return model
