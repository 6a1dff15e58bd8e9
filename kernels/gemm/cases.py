"""Cases of the exact product: every layout and pair of types, odd shapes, extremes, limbs at their ends."""

from __future__ import annotations

from typing import cast

import numpy as np

from kernels import dispatch
from kernels.array_samples import draw_array, fill_array, join_bytes, put
from kernels.gemm import LAYOUTS, Layout
from kernels.samples import Case
from kernels.tensor import Tensor

_STORED = {7: "<i1", 15: "<i2"}


def _shape_operands(shape: tuple[int, int, int], layout: str) -> tuple[tuple[int, int], tuple[int, int]]:
    rows, inner, columns = shape
    left = (inner, rows) if layout == "tn" else (rows, inner)
    return left, (columns, inner) if layout == "nt" else (inner, columns)


def _drawn_case(shape: tuple[int, int, int], layout: str, bits: tuple[int, int]) -> Case:
    def run() -> bytes:
        sizes = _shape_operands(shape, layout)
        a, b = (Tensor(draw_array(f"gemm {side}", size, width, _STORED[width]), 3 + 4 * side)
                for side, (size, width) in enumerate(zip(sizes, bits)))
        return join_bytes(dispatch.implementation("gemm").multiply(a, b, cast(Layout, layout)))
    return run


def _filled_case(shape: tuple[int, int, int], layout: str, values: tuple[int, int], bits: tuple[int, int]) -> Case:
    def run() -> bytes:
        sizes = _shape_operands(shape, layout)
        a, b = (Tensor(fill_array(value, size, _STORED[width]), 0)
                for value, size, width in zip(values, sizes, bits))
        return join_bytes(dispatch.implementation("gemm").multiply(a, b, cast(Layout, layout)))
    return run


def _limbs_case(layout: str, is_left: bool) -> Case:
    """int16 where a limb ends: 255, 256, 32512, 32639, 32640, 32767 and their like, each alone in a column."""
    def run() -> bytes:
        ends = np.array([0, 1, 127, 128, 255, 256, 383, 384, 32511, 32512, 32639, 32640, 32767], dtype="<i2")
        wide = np.concatenate([ends, -ends])[None, :]
        one = np.array([[127]], dtype="<i1")
        left, right = (wide.T, one) if is_left else (one, wide)
        a, b = left.T if layout == "tn" else left, right.T if layout == "nt" else right
        result = dispatch.implementation("gemm").multiply(
            Tensor(put(np.ascontiguousarray(a)), -3), Tensor(put(np.ascontiguousarray(b)), 3), cast(Layout, layout))
        return join_bytes(result)
    return run


CASES: dict[str, Case] = {
    **{f"gemm/{layout} {bits[0]}x{bits[1]} {'x'.join(map(str, shape))}": _drawn_case(shape, layout, bits)
       for layout in LAYOUTS for bits in ((7, 7), (15, 7), (7, 15))
       for shape in ((5, 3, 7), (33, 65, 17), (1, 130, 1), (8, 516, 31))},
    **{f"gemm/{layout} largest": _filled_case((3, 1025, 2), layout, (127, -127), (7, 7)) for layout in LAYOUTS},
    **{f"gemm/{layout} wide largest": _filled_case((3, 1025, 2), layout, (-32767, -127), (15, 7))
       for layout in LAYOUTS},
    "gemm/longest": _filled_case((1, 65536, 2), "nt", (127, 127), (7, 7)),
    "gemm/wide longest": _filled_case((1, 65536, 2), "nt", (127, -32767), (7, 15)),
    **{f"gemm/{layout} limbs {'left' if is_left else 'right'}": _limbs_case(layout, is_left)
       for layout in LAYOUTS for is_left in (True, False)},
}
