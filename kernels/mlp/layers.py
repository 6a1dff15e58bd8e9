"""The layers of a flat parameter vector, as views.  Source: kernels/README.md section 5."""

from __future__ import annotations

from typing import Any


class Layer:
    """Views of one layer's weights [fan_in, fan_out] and biases [fan_out] in a flat parameter vector."""

    def __init__(self, flat: Any, start: int, fan_in: int, fan_out: int) -> None:
        middle = start + fan_in * fan_out
        self.end = middle + fan_out
        self.weights = flat[start:middle].reshape(fan_in, fan_out)
        self.biases = flat[middle:self.end]


def split_layers(widths: tuple[int, ...], flat: Any) -> list[Layer]:
    """The layers of `flat`, a flat array of any back end: writing to a layer writes to `flat`."""
    layers: list[Layer] = []
    for fan_in, fan_out in zip(widths, widths[1:]):
        layers.append(Layer(flat, layers[-1].end if layers else 0, fan_in, fan_out))
    return layers
