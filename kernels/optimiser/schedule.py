"""Schedules of the learning rate, in integers.

Reads/Writes: nothing. Needs neither numpy nor numba. Source: kernels/README.md section 7.4.
"""

from __future__ import annotations

from dataclasses import dataclass

from kernels import checks, circle
from kernels.errors import KernelInputError

KINDS = ("constant", "linear", "cosine")
STEP_MAX = 2**31 - 1
FINAL_ONE = 65536


@dataclass(frozen=True)
class Schedule:
    """The learning rate of step t of a training run, as a share of the optimiser's own, which is the peak.

    kind: constant, linear or cosine. warmup_steps: steps of a linear rise from the run's first. total_steps: where the
    fall of linear and cosine ends, at final_q16 of the peak (65536: all of it); constant looks at neither.
    unit_warmup_steps: steps of a linear rise at the beginning of every unit, while the optimiser's state fills.
    """

    kind: str = "constant"
    warmup_steps: int = 0
    total_steps: int = 0
    final_q16: int = 0
    unit_warmup_steps: int = 0


def check_schedule(schedule: object) -> Schedule:
    """Return `schedule` if it is a Schedule within its ranges."""
    if not isinstance(schedule, Schedule):
        raise KernelInputError("schedule must be a Schedule")
    if schedule.kind not in KINDS:
        raise KernelInputError(f"schedule.kind must be one of {', '.join(KINDS)}")
    warmup = checks.check_int("schedule.warmup_steps", schedule.warmup_steps, 0, STEP_MAX)
    total = checks.check_int("schedule.total_steps", schedule.total_steps, 0, STEP_MAX)
    checks.check_int("schedule.final_q16", schedule.final_q16, 0, FINAL_ONE)
    checks.check_int("schedule.unit_warmup_steps", schedule.unit_warmup_steps, 0, STEP_MAX)
    if schedule.kind != "constant" and total <= warmup:
        raise KernelInputError("schedule.total_steps must be above schedule.warmup_steps, or kind be constant")
    return schedule


def compute_rate(schedule: Schedule, peak: int, first_step: int, step: int) -> int:
    """The learning rate of local step `step` of a unit that begins at step `first_step` of the run; 0..peak."""
    t = first_step + step
    if t < schedule.warmup_steps:
        rate = (peak * (t + 1)) // schedule.warmup_steps
    elif schedule.kind == "constant":
        rate = peak
    else:
        rate = _compute_fallen(schedule, peak, t - schedule.warmup_steps)
    if step < schedule.unit_warmup_steps:
        rate = (rate * (step + 1)) // schedule.unit_warmup_steps
    return rate


def _compute_fallen(schedule: Schedule, peak: int, done: int) -> int:
    """The rate `done` steps after the warm-up of a linear or cosine schedule."""
    span = schedule.total_steps - schedule.warmup_steps
    done = min(done, span)
    low = (peak * schedule.final_q16) >> 16
    if schedule.kind == "linear":
        return low + ((peak - low) * (span - done)) // span
    cosine = circle.cosine_table()[(circle.TURN // 2 * done) // span]
    return low + (((peak - low) * ((1 << circle.COSINE_BITS) + cosine)) >> (circle.COSINE_BITS + 1))
