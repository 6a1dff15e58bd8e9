"""Cases of RMS normalisation: rows of zeros, of one spike, of the largest values; slopes of every exponent."""

from __future__ import annotations

import numpy as np

from kernels import dispatch, norm
from kernels.array_samples import draw_array, draw_numpy, fill_array, join_bytes, put
from kernels.samples import Case
from kernels.tensor import Tensor


def _norm_case(
    label: str, shape: tuple[int, int], bits: int, exponent: int, slope_bits: int = 28, wide: bool = False
) -> Case:
    def run() -> bytes:
        op = dispatch.implementation("norm")
        h = draw_array(label, shape, bits)
        y, r = op.forward(h)
        x = Tensor(draw_array(label + " x", shape, slope_bits, "<i8" if wide else "<i4"), exponent)
        first = op.backward(x, h, r, None)
        dh = Tensor(draw_array(label + " dh", shape, 30), norm.SLOPE_EXPONENT)
        return join_bytes(y, r, first, op.backward(x, h, r, dh))
    return run


def _rows_case() -> bytes:
    """Rows of zeros, of one spike, of the largest value and of both signs, with the largest slopes."""
    op = dispatch.implementation("norm")
    rows = np.zeros((6, 300), dtype="<i4")
    rows[1, 7], rows[2, 299] = norm.STREAM_MAX, -norm.STREAM_MAX
    rows[3], rows[4] = norm.STREAM_MAX, -norm.STREAM_MAX
    rows[5, ::2], rows[5, 1::2] = norm.STREAM_MAX, -norm.STREAM_MAX
    h = put(rows)
    y, r = op.forward(h)
    results = [y, r]
    for sign, exponent in ((1, -40), (-1, 20), (1, 44)):
        x = Tensor(put(np.where(rows < 0, -sign, sign).astype("<i4") * np.int32(2**28 - 1)), exponent)
        dh = Tensor(fill_array(-sign * norm.SLOPE_MAX, (6, 300)), norm.SLOPE_EXPONENT)
        results += [op.backward(x, h, r, None), op.backward(x, h, r, dh)]
    return join_bytes(*results)


def _ties_case() -> bytes:
    """Slopes whose projection is a half: rounding away from zero, for either sign."""
    op = dispatch.implementation("norm")
    h = put(np.array([[65536, 65536], [65536, -65536], [-65536, 1], [3, 2]], dtype="<i4"))
    _, r = op.forward(h)
    slopes = draw_numpy("ties", (4, 2), 6)
    return join_bytes(*(op.backward(Tensor(put(slopes + np.int32(add)), 20), h, r, None) for add in range(-4, 5)))


CASES: dict[str, Case] = {
    "norm/usual": _norm_case("usual", (9, 64), 18, 17),
    "norm/odd": _norm_case("odd", (5, 37), 20, 23),
    "norm/narrow": _norm_case("narrow", (70, 1), 23, 20),
    "norm/small": _norm_case("small", (6, 24), 5, 20),
    "norm/long": _norm_case("long", (2, 4099), 23, 9),
    "norm/low_exponent": _norm_case("low", (5, 33), 23, -50),
    "norm/high_exponent": _norm_case("high", (5, 33), 23, 48),
    "norm/wide": _norm_case("wide", (5, 33), 21, 36, 38, True),
    "norm/wide_low": _norm_case("wide low", (5, 33), 21, 5, 38, True),
    "norm/rows": _rows_case,
    "norm/ties": _ties_case,
}
