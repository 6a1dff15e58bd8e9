"""Cases of the residual sum: every direction of the shift, and saturation at both ends."""

from __future__ import annotations

from kernels import dispatch, norm
from kernels.array_samples import draw_array, fill_array, join_bytes
from kernels.samples import Case
from kernels.tensor import Tensor


def _add_case(label: str, shape: tuple[int, int], bits: int, exponents: tuple[int, ...]) -> Case:
    def run() -> bytes:
        op = dispatch.implementation("residual")
        h = draw_array(label, shape, 23)
        x = draw_array(label + " x", shape, bits)
        return join_bytes(*(op.add(h, Tensor(x, exponent)) for exponent in exponents), h)
    return run


def _ends_case() -> bytes:
    op = dispatch.implementation("residual")
    results = []
    for sign in (1, -1):
        h = fill_array(sign * norm.STREAM_MAX, (3, 11))
        for exponent in (-39, -25, 0, 15, 16, 17, 48):
            results += [op.add(h, Tensor(fill_array(value, (3, 11)), exponent)) for value in (2**30 - 1, 1 - 2**30, -1)]
    return join_bytes(*results)


CASES: dict[str, Case] = {
    "residual/usual": _add_case("usual", (17, 64), 24, (14, 20, 26)),
    "residual/every_shift": _add_case("every", (3, 7), 30, tuple(range(-39, 49))),
    "residual/ends": _ends_case,
}
