"""Cases of relu squared: no positive value, the largest, and every exponent of a sum."""

from __future__ import annotations

from kernels import dispatch
from kernels.array_samples import draw_array, fill_array, join_bytes
from kernels.samples import Case
from kernels.tensor import Tensor


def _square_case(
    label: str, shape: tuple[int, int], bits: int, exponent: int, slope_bits: int, slope_exponent: int
) -> Case:
    def run() -> bytes:
        op = dispatch.implementation("activation")
        a, saved = op.forward(Tensor(draw_array(label, shape, bits), exponent))
        width = "<i8" if slope_bits > 31 else "<i4"
        slope = Tensor(draw_array(label + " x", shape, slope_bits, width), slope_exponent)
        return join_bytes(a, op.backward(slope, saved))
    return run


def _constant_case(value: int, slope: int) -> Case:
    def run() -> bytes:
        op = dispatch.implementation("activation")
        results = []
        for exponent in (5, 29):
            a, saved = op.forward(Tensor(fill_array(value, (3, 21)), exponent))
            results += [a, op.backward(Tensor(fill_array(slope, (3, 21)), -3), saved)]
            results += [op.backward(Tensor(fill_array(slope, (3, 21)), 44), saved)]
        return join_bytes(*results)
    return run


CASES: dict[str, Case] = {
    "activation/usual": _square_case("usual", (17, 64), 20, 15, 22, 20),
    "activation/odd": _square_case("odd", (5, 37), 28, 5, 28, -3),
    "activation/small": _square_case("small", (6, 9), 4, 29, 3, 44),
    "activation/fifteen_bits": _square_case("fifteen", (6, 9), 15, 12, 15, 9),
    "activation/wide": _square_case("wide", (7, 33), 27, 20, 36, 12),
    "activation/wide_small": _square_case("wide small", (7, 33), 27, 29, 33, 44),
    "activation/largest": _constant_case(2**28 - 1, 1 - 2**28),
    "activation/one": _constant_case(1, 1),
    "activation/nothing_positive": _constant_case(-2**28 + 1, 2**28 - 1),
    "activation/zero": _constant_case(0, 0),
}
