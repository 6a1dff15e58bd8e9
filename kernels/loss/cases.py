"""Cases of the losses: every exponent, rows of equal, of extreme and of one logit, targets at both ends."""

from __future__ import annotations

import numpy as np

from kernels import dispatch
from kernels.array_samples import draw_array, draw_numpy, draw_tokens, fill_array, join_bytes, put
from kernels.loss import TARGET_MAX
from kernels.samples import Case
from kernels.tensor import Tensor

SUM_MAX = 2**31 - 2**24
EXPONENTS = (-24, -4, 0, 5, 14, 24, 48)


def _entropy_case(label: str, rows: int, classes: int, bits: int, exponents: tuple[int, ...] = EXPONENTS) -> Case:
    def run() -> bytes:
        op, labels = dispatch.implementation("loss"), draw_tokens(label, 1, rows, classes).reshape(rows)
        sums = draw_array(label, (rows, classes), bits)
        return join_bytes(*(op.cross_entropy(Tensor(sums, exponent), labels) for exponent in exponents))
    return run


def _ends_case() -> bytes:
    """Rows of equal logits, of both ends, of one above all others; labels on and beside them."""
    op = dispatch.implementation("loss")
    sums = np.zeros((6, 9), dtype="<i4")
    sums[1], sums[2] = SUM_MAX, -SUM_MAX
    sums[3, ::2], sums[3, 1::2] = SUM_MAX, -SUM_MAX
    sums[4], sums[4, 8] = -SUM_MAX, SUM_MAX
    sums[5, 3] = 1
    labels = put(np.array([0, 8, 4, 1, 8, 3], dtype="<u2"))
    return join_bytes(*(op.cross_entropy(Tensor(put(sums), exponent), labels) for exponent in EXPONENTS))


def _error_case(label: str, shape: tuple[int, int], bits: int) -> Case:
    def run() -> bytes:
        op = dispatch.implementation("loss")
        targets = put(np.clip(draw_numpy(label + " y", shape, 27), -TARGET_MAX, TARGET_MAX))
        return join_bytes(*(
            op.squared_error(Tensor(draw_array(label, shape, bits), exponent), targets) for exponent in EXPONENTS))
    return run


def _error_ends_case() -> bytes:
    """Both signs of the largest output against both signs of the largest target, and ties."""
    op, results = dispatch.implementation("loss"), []
    for value in (SUM_MAX, -SUM_MAX, 1, -1, 8, -8):
        for target in (TARGET_MAX, -TARGET_MAX, 0):
            sums, targets = fill_array(value, (2, 3)), fill_array(target, (2, 3))
            results += [op.squared_error(Tensor(sums, exponent), targets) for exponent in EXPONENTS]
    return join_bytes(*results)


CASES: dict[str, Case] = {
    "loss/entropy_usual": _entropy_case("usual", 16, 10, 20),
    "loss/entropy_wild": _entropy_case("wild", 7, 37, 30),
    "loss/entropy_one_class": _entropy_case("one", 5, 1, 30),
    "loss/entropy_long": _entropy_case("long", 2, 5001, 12, (0, 14)),
    "loss/entropy_most_classes": _entropy_case("most", 1, 65536, 3, (20,)),
    "loss/entropy_ends": _ends_case,
    "loss/error_usual": _error_case("usual", (16, 3), 24),
    "loss/error_wild": _error_case("wild", (5, 13), 30),
    "loss/error_ends": _error_ends_case,
}
