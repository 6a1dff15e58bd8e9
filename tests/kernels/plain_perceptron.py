"""A perceptron's gradient, written a second time from sections 5 to 7.2 of kernels/README.md in plain integers."""

from __future__ import annotations

from typing import Any

from plain import (Matrix, Values, bits, clip, cross_entropy, draw, flatten, fold, half_square, keys, largest, product,
                   rs, scale, scaled, transpose, within)

from kernels.mlp import Mlp


def shift(m: int, f: int, b: int = 7) -> int:
    assert -24 <= f <= 48 and m < 2**31
    return min(max(0, bits(m) - b, f - 24), f + 24)


def nearest(x: Values) -> Values:
    s = shift(largest(x[0]), x[1])
    return [[clip(rs(v, s), 127) for v in row] for row in x[0]], x[1] - s


def forward(model: Mlp, flat: list[int], rows: Matrix) -> tuple[list[tuple[Values, Values]], Values]:
    """(input and weight operands of every layer, z of the last)."""
    kept, x, z, at = [], (rows, 6), (rows, 6), 0
    for layer, (fan_in, fan_out) in enumerate(zip(model.widths, model.widths[1:])):
        if layer > 0:
            x = nearest(([[max(v, 0) for v in row] for row in z[0]], z[1]))
        end = at + fan_in * fan_out
        w = nearest((fold([clip(v, 2**31 - 1) for v in flat[at:end]], fan_out), 24))
        fz = x[1] + w[1]
        biases = [clip(scale(v, 24 - fz), 2**30) for v in flat[end:end + fan_out]]
        z = [[within(v + b, 2**31 - 1) for v, b in zip(row, biases)]
             for row in product(x[0], transpose(w[0]), 2**30)], fz
        kept.append((x, w))
        at = end + fan_out
    return kept, z


def gradient(model: Mlp, flat: list[int], rows: Matrix, targets: Any, seed: bytes, step: int) -> list[int]:
    kept, (z, fz) = forward(model, flat, rows)
    g = cross_entropy(z, fz, targets) if model.task == "classifier" else half_square(z, fz, targets)
    fg, found = 20, []
    for layer in reversed(range(len(kept))):
        (a, fa), (w8, fw) = kept[layer]
        b = 15 if layer in model.wide else 7
        s = shift(largest(g), fg, b)
        e, fe = draw(g, s, keys("gradient", seed, step, layer), b), fg - s
        sums = product(transpose(a), transpose(e), 2**34)
        found = flatten(scaled(sums, fa + fe - 24)) + [scale(sum(column), fe - 24) for column in transpose(e)] + found
        back = product(e, w8, 2**38)
        g = [[clip(v, 2**31 - 1) if x else 0 for v, x in zip(*pair)] for pair in zip(back, a)]
        fg = fe + fw
    return found
