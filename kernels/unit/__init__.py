"""The unit of work: H local steps of momentum SGD from shared weights, as a pure function.

Equal arguments give an equal payload and trace on every machine.  Source: kernels/README.md section 7.
"""

from __future__ import annotations

from dataclasses import dataclass

from kernels import checks, dispatch, gin1, merkle, mlp, payload
from kernels.errors import KernelInputError

STEPS_MAX = 4096
BATCH_ROWS_MAX = 4096
BATCH_VALUES_MAX = 2**24
FEATURE_BYTES_MAX = 2**28
PASSES_COST = 16
LAYER_COST = 20_000


@dataclass(frozen=True)
class UnitPolicy:
    """What a model contract fixes about a unit; `check_policy` says what is allowed.

    widths: inputs, hidden..., classes. learning_rate_q16: 65536 is one. momentum_q16: 58982 is 0.9.
    trace_every: steps between two hashes of the trace. codec: of the payload, `int8/256`.
    """

    widths: tuple[int, ...]
    local_steps: int
    batch_rows: int
    learning_rate_q16: int
    momentum_q16: int
    trace_every: int
    codec: str


@dataclass(frozen=True)
class UnitResult:
    """payload: the encoded delta; trace: hashes of the local weights; trace_root: their Merkle root."""

    payload: bytes
    trace: tuple[bytes, ...]
    trace_root: bytes


def check_policy(policy: UnitPolicy) -> None:
    """Refuse a policy outside the ranges under which no integer can overflow (README section 12)."""
    if not isinstance(policy, UnitPolicy):
        raise KernelInputError("policy must be a UnitPolicy")
    widths = checks.check_widths(policy.widths)
    steps = checks.check_int("local_steps", policy.local_steps, 1, STEPS_MAX)
    rows = checks.check_int("batch_rows", policy.batch_rows, 1, BATCH_ROWS_MAX)
    checks.check_int("learning_rate_q16", policy.learning_rate_q16, 0, gin1.RATE_MAX)
    checks.check_int("momentum_q16", policy.momentum_q16, 0, gin1.DECAY_MAX)
    checks.check_int("trace_every", policy.trace_every, 1, steps)
    payload.check_codec(policy.codec)
    if rows * max(widths) > BATCH_VALUES_MAX:
        raise KernelInputError(f"batch_rows times the widest layer must be at most {BATCH_VALUES_MAX}")
    if steps * rows * widths[0] > FEATURE_BYTES_MAX:
        raise KernelInputError(f"local_steps * batch_rows * inputs must be at most {FEATURE_BYTES_MAX}")


def unit_cost(policy: UnitPolicy) -> int:
    """Multiply-adds of a unit, from its shape alone.

    Per step: three products of every layer but the first, which needs two; the passes over the parameters
    (quantise, round, momentum, step), which take the time of about sixteen multiply-adds each; and LAYER_COST for
    every layer, however narrow: keys, scales and calls. Once: two passes for the payload.
    """
    check_policy(policy)
    widths = policy.widths
    products = [fan_in * fan_out for fan_in, fan_out in zip(widths, widths[1:])]
    count = checks.compute_param_count(widths)
    per_step = policy.batch_rows * (3 * sum(products) - products[0]) + PASSES_COST * count + LAYER_COST * len(products)
    return policy.local_steps * per_step + 2 * count


def run_unit(policy: UnitPolicy, weights: bytes, features: bytes, labels: bytes, seed: bytes) -> UnitResult:
    """Compute a unit.

    weights: int32 [P] (kernels.mlp). features: int8 [local_steps * batch_rows, inputs], in order of use,
    -128 refused. labels: uint16, below the number of classes. seed: 32 bytes, keys all stochastic rounding.
    """
    check_policy(policy)
    widths = policy.widths
    rows = policy.local_steps * policy.batch_rows
    count = checks.compute_param_count(widths)
    checks.check_bytes("weights", weights, count * mlp.WEIGHT_BYTES)
    checks.check_features("features", features, rows, widths[0])
    checks.check_labels(labels, rows, widths[-1])
    checks.check_seed("seed", seed)
    shape = (policy.local_steps, policy.batch_rows)
    delta, states = dispatch.implementation("unit").train(
        policy,
        checks.read_array(weights, "<i4"),
        checks.read_array(features, "<i1").reshape(*shape, widths[0]),
        checks.read_array(labels, "<u2").reshape(shape),
        seed,
    )
    trace = tuple(states)
    leaves = [merkle.compute_leaf(merkle.sha256, digest) for digest in trace]
    encoded = payload.encode(checks.write_array(delta), count, seed, policy.codec)
    return UnitResult(encoded, trace, merkle.compute_root(merkle.sha256, leaves))
