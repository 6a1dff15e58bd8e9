"""Cases of the optimisers: largest weights, gradients of every size and exponent, the ends of every setting."""

from __future__ import annotations

import numpy as np

from kernels import dispatch
from kernels.array_samples import draw_numpy, put
from kernels.optimiser import Adam, Lion, Optimiser, Sgd, iter_factors
from kernels.optimiser.schedule import Schedule
from kernels.samples import Case
from kernels.tensor import Tensor

EXPONENTS = (24, 30, 5, 48, -24, 10, 24, 25, -48, 40)
COUNT = 270


def _case(optimiser: Optimiser, schedule: Schedule = Schedule(), terms: int = 3) -> Case:
    """Ten steps of all but the first parameter; sums are int32 and int64, drawn and at the ends."""
    def run() -> bytes:
        op, states = dispatch.implementation("optimiser"), []
        weights = draw_numpy("weights", (COUNT,), 31)
        weights[:4] = [2**31 - 1, -2**31, 0, 1]
        state = op.new_state(optimiser, weights)
        part = state.part(1, COUNT)
        for step, factors in enumerate(iter_factors(optimiser, schedule, 2, len(EXPONENTS), terms)):
            bits = (30, 20, 38, 1, 12)[step % 5]
            sums = draw_numpy(f"sums {step}", (COUNT,), bits, "<i8" if bits > 31 else "<i4")
            sums[:6] = [0, 2**bits - 1, 1 - 2**bits, 0, -1, 1]
            op.step(optimiser, factors, part, Tensor(put(sums[1:]), EXPONENTS[step]))
            states.append(b"".join(op.dump(state)))
        return b"".join(states)
    return run


def _saturated_case(optimiser: Optimiser) -> Case:
    """Gradients at 2**41 of one sign, then of the other, then nothing: m and v at their bounds, and back."""
    def run() -> bytes:
        op, states = dispatch.implementation("optimiser"), []
        state = op.new_state(optimiser, np.array([0, 2**31 - 1, -2**31], dtype="<i4"))
        for step, factors in enumerate(iter_factors(optimiser, Schedule(), 0, 60, 1)):
            sign = (1, 1, -1, 0)[step // 15]
            op.step(optimiser, factors, state, Tensor(put(np.full(3, sign * 2**41, dtype="<i8")), 24))
            states.append(b"".join(op.dump(state)))
        return b"".join(states)
    return run


CASES: dict[str, Case] = {
    "optimiser/sgd": _case(Sgd(6554, 58982)),
    "optimiser/sgd_fastest": _case(Sgd(2**20, 65535), terms=1),
    "optimiser/sgd_most_terms": _case(Sgd(2**20, 0), terms=65536),
    "optimiser/adam": _case(Adam(20_000, 58982, 6)),
    "optimiser/adam_fastest": _case(Adam(2**24, 65000, 12)),
    "optimiser/adam_shortest": _case(Adam(2**24, 0, 4)),
    "optimiser/lion": _case(Lion(10_000, 58982, 64881)),
    "optimiser/lion_fastest": _case(Lion(2**24, 65535, 65535)),
    "optimiser/lion_shortest": _case(Lion(2**24, 0, 0)),
    "optimiser/cosine": _case(Adam(2**20, 58982, 5), Schedule("cosine", 4, 9, 6000, 5)),
    "optimiser/linear": _case(Sgd(2**20, 58982), Schedule("linear", 0, 7, 65536 // 3)),
    "optimiser/sgd_saturated": _saturated_case(Sgd(2**20, 65535)),
    "optimiser/adam_saturated": _saturated_case(Adam(2**24, 65000, 4)),
    "optimiser/lion_saturated": _saturated_case(Lion(2**24, 65535, 65535)),
}
