"""Cases of the quantisers: every width, shift and end of the ranges."""

from __future__ import annotations

from kernels import dispatch
from kernels.array_samples import draw_array, join_bytes, put
from kernels.samples import Case
from kernels.tensor import Tensor

KEYS = (0x12345678, 0xFEDCBA98)
_ENDS = (2**31 - 1, 1 - 2**31, 2**31 - 2, 0, 1, -1, 127, -127, 128, -128, 2**30, -2**30, 2**24 - 1)


def _draw_case(
    label: str, shape: tuple[int, ...], bits: int, exponent: int, width: int = 7, clip_bits: int = 0
) -> Case:
    def run() -> bytes:
        op, x = dispatch.implementation("quantise"), Tensor(draw_array(label, shape, bits), exponent)
        return join_bytes(op.nearest(x, width), op.draw(x, KEYS, width, clip_bits=clip_bits))
    return run


def _ends_case(width: int) -> Case:
    def run() -> bytes:
        import numpy as np

        op, results = dispatch.implementation("quantise"), []
        for exponent in (-30, 0, 24, 31, 48, 55):
            for count in (len(_ENDS), 1):
                x = Tensor(put(np.array(_ENDS[:count], dtype="<i4")), exponent)
                results += [op.nearest(x, width), op.draw(x, KEYS, width)]
        small = Tensor(put(np.array(_ENDS[3:10], dtype="<i4")), 55)
        return join_bytes(*results, op.nearest(small, width), op.draw(small, KEYS, width))
    return run


def _view_case() -> bytes:
    import numpy as np

    op, lowest = dispatch.implementation("quantise"), np.array([[-2**31, 2**31 - 1], [0, 5]], dtype="<i4")
    zeros = np.zeros((3, 1), dtype="<i4")
    return join_bytes(op.view(put(lowest)), op.view(put(zeros)), op.view(draw_array("view", (37, 5), 22)))


def _lowest_case() -> bytes:
    """As the classifier calls: no exponent below -24."""
    op, results = dispatch.implementation("quantise"), []
    for exponent in (-24, -20, 0, 48):
        x = Tensor(draw_array("lowest", (9, 7), 31), exponent)
        results += [op.nearest(x, lowest=-24), op.draw(x, KEYS, lowest=-24)]
    return join_bytes(*results)


CASES: dict[str, Case] = {
    "quantise/usual": _draw_case("usual", (13, 21), 24, 20),
    "quantise/small": _draw_case("small", (3, 5), 5, 24),
    "quantise/fine": _draw_case("fine", (3, 5), 20, 50),
    "quantise/long": _draw_case("long", (1, 4099), 31, 20),
    "quantise/clip_bit": _draw_case("clip", (17, 19), 24, 20, 7, 1),
    "quantise/wide": _draw_case("wide", (13, 21), 24, 20, 15),
    "quantise/wide_clip_bit": _draw_case("clip", (17, 19), 24, 20, 15, 1),
    "quantise/ends": _ends_case(7),
    "quantise/wide_ends": _ends_case(15),
    "quantise/view": _view_case,
    "quantise/lowest": _lowest_case,
}
