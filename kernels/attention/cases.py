"""Cases of attention: every head width, one token, equal and extreme scores, slopes of every exponent."""

from __future__ import annotations

import numpy as np

from kernels import dispatch
from kernels.array_samples import draw_array, fill_array, join_bytes, put
from kernels.attention import Keys, Shape
from kernels.samples import Case
from kernels.tensor import Tensor

KEYS = Keys((1, 2), (0xFFFFFFFF, 0), (0x9E3779B9, 0x7F4A7C15))


def _attention_case(
    label: str, shape: Shape, rotary: bool, bits: int = 24, exponent: int = 20,
    slope_bits: int = 26, slope_exponent: int = 24,
) -> Case:
    def run() -> bytes:
        op = dispatch.implementation("attention")
        rows, width = shape.batch * shape.length, shape.heads * shape.head_dim
        o, saved = op.forward(Tensor(draw_array(label, (rows, 3 * width), bits), exponent), shape, rotary)
        stored = "<i8" if slope_bits > 31 else "<i4"
        slope = Tensor(draw_array(label + " x", (rows, width), slope_bits, stored), slope_exponent)
        return join_bytes(o, op.backward(slope, saved, KEYS))
    return run


def _constant_case(value: int, slope: int, exponent: int, slope_exponent: int) -> Case:
    """Every score equal: all weights are at their largest, and slopes of scores vanish but for rounding."""
    def run() -> bytes:
        op = dispatch.implementation("attention")
        results = []
        for rotary in (False, True):
            x = Tensor(fill_array(value, (10, 48)), exponent)
            o, saved = op.forward(x, Shape(2, 5, 2, 8), rotary)
            results += [o, op.backward(Tensor(fill_array(slope, (10, 16)), slope_exponent), saved, KEYS)]
        return join_bytes(*results)
    return run


def _signs_case() -> bytes:
    """Scores as far apart as they can be, and slopes that oppose them."""
    op = dispatch.implementation("attention")
    shape = Shape(1, 9, 1, 256)
    signs = np.where(np.arange(9)[:, None] % 2 > 0, -1, 1) * np.ones((9, 256), dtype=np.int64)
    x = np.concatenate([np.abs(signs), signs, signs], axis=1).astype("<i4") * np.int32(2**28 - 1)
    o, saved = op.forward(Tensor(put(x), 5), shape, False)
    slope = Tensor(put(-signs.astype("<i4") * np.int32(2**28 - 1)), -3)
    return join_bytes(o, op.backward(slope, saved, KEYS))


CASES: dict[str, Case] = {
    "attention/usual": _attention_case("usual", Shape(2, 16, 2, 16), False),
    "attention/rotary": _attention_case("rotary", Shape(2, 16, 2, 16), True),
    "attention/odd": _attention_case("odd", Shape(3, 7, 5, 8), False, 28, 5, 28, -3),
    "attention/odd_rotary": _attention_case("odd rotary", Shape(3, 7, 3, 8), True, 28, 29, 28, 44),
    "attention/one_token": _attention_case("one", Shape(1, 1, 1, 8), True),
    "attention/wide_heads": _attention_case("wide heads", Shape(1, 5, 1, 256), True, 22, 17),
    "attention/heads_of_32": _attention_case("32", Shape(1, 9, 2, 32), True),
    "attention/heads_of_64": _attention_case("64", Shape(1, 9, 2, 64), True, 23, 12),
    "attention/heads_of_128": _attention_case("128", Shape(1, 9, 1, 128), True, 23, 12),
    "attention/long": _attention_case("long", Shape(1, 131, 1, 8), True, 20, 15),
    "attention/sharp": _attention_case("sharp", Shape(2, 11, 1, 16), False, 28, 5),
    "attention/flat": _attention_case("flat", Shape(2, 11, 1, 16), False, 8, 29),
    "attention/tiny": _attention_case("tiny", Shape(2, 6, 1, 8), False, 2, 29, 2, 44),
    "attention/wide": _attention_case("wide", Shape(2, 7, 2, 16), True, 24, 20, 36, 32),
    "attention/wide_low": _attention_case("wide low", Shape(2, 7, 2, 16), False, 24, 20, 36, 5),
    "attention/largest": _constant_case(2**28 - 1, 2**28 - 1, 5, -3),
    "attention/lowest": _constant_case(1 - 2**28, 1 - 2**28, 29, 44),
    "attention/zero": _constant_case(0, 0, 17, 20),
    "attention/signs": _signs_case,
}
