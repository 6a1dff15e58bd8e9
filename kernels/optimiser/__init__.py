"""The inner optimisers of a unit: SGD with momentum, Adam and Lion, each in integers.

An op of the array level: `dispatch.implementation("optimiser")` gives new_state, step, read_weights and dump on the
back end in use. Settings, ranges and the few integers that change from step to step are here.
Source: kernels/README.md section 7.3, and README.md beside this file.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import isqrt
from typing import Any, NamedTuple

from kernels import checks, gin1
from kernels.errors import KernelInputError
from kernels.optimiser.schedule import Schedule, compute_rate

RATE_Q24_MAX = 2**24
BETA1_MAX = 65000
SHIFT_MIN, SHIFT_MAX = 4, 12
RATIO_MAX = 2**20
SQUARE_MAX = 2**30 - 1
_BIAS_BITS = 30

Factors = tuple[int, ...]


@dataclass(frozen=True)
class Sgd:
    """Stochastic gradient descent with momentum: learning_rate_q16 0..2**20 (65536 is one), momentum_q16 0..65535."""

    learning_rate_q16: int
    momentum_q16: int


@dataclass(frozen=True)
class Adam:
    """Adam: learning_rate_q24 0..2**24, in units of 2**-24 of a weight; beta1_q16 0..65000; beta2_shift 4..12.

    The second moment's decay is 1 - 2**-beta2_shift.
    """

    learning_rate_q24: int
    beta1_q16: int
    beta2_shift: int


@dataclass(frozen=True)
class Lion:
    """Lion: learning_rate_q24 0..2**24, in units of 2**-24 of a weight; beta1_q16 and beta2_q16 0..65535."""

    learning_rate_q24: int
    beta1_q16: int
    beta2_q16: int


Optimiser = Sgd | Adam | Lion


class State(NamedTuple):
    """Flat arrays of the back end in use, one value per parameter in the parameters' order.

    weights: int32 at exponent 24 (ref: int64). momentum: int64 at exponent 24. variance: int64, or None without Adam.
    """

    weights: Any
    momentum: Any
    variance: Any

    def part(self, start: int, stop: int) -> State:
        """The parameters start..stop-1 as views: what is written there is written to the whole."""
        variance = None if self.variance is None else self.variance[start:stop]
        return State(self.weights[start:stop], self.momentum[start:stop], variance)


def check_optimiser(optimiser: object) -> Optimiser:
    """Return `optimiser` if it is one of the three, within its ranges."""
    if not isinstance(optimiser, Sgd | Adam | Lion) or type(optimiser) not in (Sgd, Adam, Lion):
        raise KernelInputError("optimiser must be an Sgd, an Adam or a Lion")
    if isinstance(optimiser, Sgd):
        checks.check_int("learning_rate_q16", optimiser.learning_rate_q16, 0, gin1.RATE_MAX)
        checks.check_int("momentum_q16", optimiser.momentum_q16, 0, gin1.DECAY_MAX)
    elif isinstance(optimiser, Adam):
        checks.check_int("learning_rate_q24", optimiser.learning_rate_q24, 0, RATE_Q24_MAX)
        checks.check_int("beta1_q16", optimiser.beta1_q16, 0, BETA1_MAX)
        checks.check_int("beta2_shift", optimiser.beta2_shift, SHIFT_MIN, SHIFT_MAX)
    else:
        checks.check_int("learning_rate_q24", optimiser.learning_rate_q24, 0, RATE_Q24_MAX)
        checks.check_int("beta1_q16", optimiser.beta1_q16, 0, gin1.DECAY_MAX)
        checks.check_int("beta2_q16", optimiser.beta2_q16, 0, gin1.DECAY_MAX)
    return optimiser


def has_variance(optimiser: Optimiser) -> bool:
    """Whether the state has a second moment v beside m."""
    return isinstance(optimiser, Adam)


def iter_factors(
    optimiser: Optimiser, schedule: Schedule, first_step: int, steps: int, terms: int
) -> Iterator[Factors]:
    """What changes from step to step, for steps 0..steps-1 of a unit.

    terms: examples (or tokens) in a step's summed loss. Sgd: (rate, shift), the learning rate divided by terms is
    rate * 2**-shift. Adam: (rate, bias correction at exponent 16). Lion: (rate,).
    """
    first, second = 1 << _BIAS_BITS, 1 << _BIAS_BITS
    for step in range(steps):
        if isinstance(optimiser, Sgd):
            rate = compute_rate(schedule, optimiser.learning_rate_q16, first_step, step)
            yield gin1.compute_step_rate(rate, terms)
            continue
        rate = compute_rate(schedule, optimiser.learning_rate_q24, first_step, step)
        if isinstance(optimiser, Lion):
            yield (rate,)
            continue
        first = (first * optimiser.beta1_q16) >> 16
        second -= second >> optimiser.beta2_shift
        yield rate, compute_correction(first, second)


def compute_correction(first: int, second: int) -> int:
    """Adam's bias correction sqrt(1 - second) / (1 - first) at exponent 16; both arguments at exponent 30."""
    one = 1 << _BIAS_BITS
    return (isqrt((one - second) << _BIAS_BITS) << 16) // (one - first)
