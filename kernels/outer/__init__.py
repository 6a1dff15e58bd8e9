"""The outer optimiser: one Nesterov step of the shared weights by the round's mean delta.

Source: kernels/README.md section 10; DiLoCo (arXiv 2311.08105) for the form.
"""

from __future__ import annotations

from kernels import checks, dispatch, gin1
from kernels.errors import KernelInputError

WEIGHT_BYTES = 4
MOMENTUM_BYTES = 8


def outer_step(
    weights: bytes, momentum: bytes, mean_delta: bytes, learning_rate_q16: int, momentum_q16: int
) -> tuple[bytes, bytes]:
    """(weights, momentum) after the step. A first step has zero momentum: bytes(8 * param_count).

    weights: int32 [P]; momentum: int64 [P], |value| <= 2**40; mean_delta: int64 [P], |value| <= 2**32 - 1.
    learning_rate_q16: 0..2**20 (65536 is one); momentum_q16: 0..65535.
    """
    data = checks.check_bytes("weights", weights)
    if len(data) == 0 or len(data) % WEIGHT_BYTES:
        raise KernelInputError("weights must be one or more int32 values")
    count = checks.check_param_count(len(data) // WEIGHT_BYTES)
    velocity = checks.read_array(checks.check_bytes("momentum", momentum, MOMENTUM_BYTES * count), "<i8")
    delta = checks.read_array(checks.check_bytes("mean_delta", mean_delta, 8 * count), "<i8")
    checks.check_bound("momentum", velocity, gin1.MOMENTUM_MAX)
    checks.check_bound("mean_delta", delta, gin1.DELTA_MAX)
    rate = checks.check_int("learning_rate_q16", learning_rate_q16, 0, gin1.RATE_MAX)
    decay = checks.check_int("momentum_q16", momentum_q16, 0, gin1.DECAY_MAX)
    new_weights, new_velocity = dispatch.implementation("outer").step(
        checks.read_array(data, "<i4"), velocity, delta, rate, decay
    )
    return checks.write_array(new_weights), checks.write_array(new_velocity)
