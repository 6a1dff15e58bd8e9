"""Cases of the outer step: the ends of every range, plain and Nesterov."""

from __future__ import annotations

from kernels import outer
from kernels.samples import Case, pack, sample_ints


def _outer_case(label: str, rate: int, decay: int) -> Case:
    def run() -> bytes:
        count = 300
        weights = pack([2**31 - 1, -2**31, 0], 4) + sample_ints(label + " w", count, 4, 31)
        momentum = pack([2**40, -2**40, 1], 8) + sample_ints(label + " m", count, 8, 40)
        delta = pack([2**32 - 1, 1 - 2**32, -1], 8) + sample_ints(label, count, 8, 32)
        return b"".join(outer.outer_step(weights, momentum, delta, rate, decay))
    return run


CASES: dict[str, Case] = {
    "outer/usual": _outer_case("usual", 45875, 32768),
    "outer/largest": _outer_case("largest", 2**20, 65535),
    "outer/plain": _outer_case("plain", 65536, 0),
}
