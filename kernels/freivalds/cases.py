"""Cases of the check: true products of every type, and false ones."""

from __future__ import annotations

import numpy as np

from kernels import freivalds
from kernels.array_samples import draw_numpy
from kernels.samples import SEED, Case


def _check_case(label: str, shape: tuple[int, int, int], bits: tuple[int, int], error: int) -> Case:
    """A product, wrong by `error` in its last element."""
    def run() -> bytes:
        rows, inner, columns = shape
        left = draw_numpy(label + " a", (rows, inner), bits[0], "<i8")
        right = draw_numpy(label + " b", (inner, columns), bits[1], "<i8")
        claimed = left @ right
        claimed[-1, -1] += error
        stored = ["<i1" if width == 7 else "<i2" for width in bits] + ["<i4" if bits == (7, 7) else "<i8"]
        a, b, c = (array.astype(kind).tobytes() for array, kind in zip((left, right, claimed), stored))
        challenge = freivalds.draw_vectors(freivalds.hash_claim(a, b, c, shape, SEED), columns)
        return bytes([freivalds.check(a, b, c, shape, SEED)]) + challenge.astype(np.dtype("<i4")).tobytes()
    return run


CASES: dict[str, Case] = {
    "freivalds/true": _check_case("true", (5, 33, 7), (7, 7), 0),
    "freivalds/false": _check_case("true", (5, 33, 7), (7, 7), 1),
    "freivalds/highest_bit": _check_case("high", (3, 4, 5), (7, 7), 2**30),
    "freivalds/wide_left": _check_case("left", (9, 17, 3), (15, 7), 0),
    "freivalds/wide_right": _check_case("right", (2, 130, 65), (7, 15), 0),
    "freivalds/wide_false": _check_case("right", (2, 130, 65), (7, 15), -1),
    "freivalds/wide_high_bit": _check_case("right", (2, 70, 5), (7, 15), 2**28),
    "freivalds/beyond_any_product": _check_case("beyond", (1, 1, 1), (7, 15), 2**62),
}
