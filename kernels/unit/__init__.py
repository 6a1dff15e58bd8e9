"""The unit of work: H local steps from shared weights, as a pure function.

Equal arguments give an equal payload and trace on every machine.  Source: kernels/README.md section 7.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod

from kernels import checks, chunks, dispatch, gin1, merkle, payload
from kernels.errors import KernelInputError
from kernels.mlp.types import Mlp
from kernels.optimiser import Adam, Lion, Optimiser, Sgd, State, check_optimiser, iter_factors
from kernels.optimiser.schedule import STEP_MAX, Schedule, check_schedule
from kernels.unit import trace as unit_trace
from kernels.unit.models import Model, find_training

__all__ = ["Adam", "Lion", "Mlp", "Optimiser", "Schedule", "Sgd", "UnitPolicy", "UnitResult", "check_policy",
           "iter_states", "param_count", "run_unit", "unit_cost", "unit_work"]

STEPS_MAX = 4096
BATCH_ROWS_MAX = 4096
WEIGHT_BYTES = 4
PASSES_COST: dict[type, int] = {Sgd: 16, Adam: 28, Lion: 16}
STATE_BYTES: dict[type, int] = {Sgd: 12, Adam: 20, Lion: 12}
HASH_COST = 3
DENSE_COST, SPARSE_COST = 2, 8
FEEDBACK_COST = 4
RESIDUAL_BYTES = 8


@dataclass(frozen=True)
class UnitPolicy:
    """What a model contract fixes about a unit; `check_policy` says what is allowed.

    model: Mlp or another one of models.py. optimiser: Sgd, Adam or Lion with its peak learning rate, of which
    schedule gives each step its share. batch_rows: examples of a step. trace_every: steps between two hashes of the
    trace. codec: of the payload, one of payload.CODECS. feedback_q16: 0, or the share (65536 is all) of what payloads
    left out before that a unit adds to its delta: `run_unit` then takes and gives a residual.
    """

    model: Model
    optimiser: Optimiser
    schedule: Schedule
    local_steps: int
    batch_rows: int
    trace_every: int
    codec: str
    feedback_q16: int = 0


@dataclass(frozen=True)
class UnitResult:
    """payload: the encoded delta; trace: hashes of the local state; trace_root: their Merkle root.

    residual: with feedback, what the payload left out, int64 [P], for the trainer's next unit; else empty. The trace
    then begins and ends with the hashes of the residuals before and after. witness: the hash of the local state after
    the step that was asked for, made as the trace's; empty where none was.
    """

    payload: bytes
    trace: tuple[bytes, ...]
    trace_root: bytes
    residual: bytes = b""
    witness: bytes = b""


def check_policy(policy: UnitPolicy) -> None:
    """Refuse a policy outside the ranges under which no integer can overflow (README section 12)."""
    if not isinstance(policy, UnitPolicy):
        raise KernelInputError("policy must be a UnitPolicy")
    training = find_training(policy.model)
    training.check_model(policy.model)
    check_optimiser(policy.optimiser)
    check_schedule(policy.schedule)
    steps = checks.check_int("local_steps", policy.local_steps, 1, STEPS_MAX)
    rows = checks.check_int("batch_rows", policy.batch_rows, 1, BATCH_ROWS_MAX)
    checks.check_int("trace_every", policy.trace_every, 1, steps)
    payload.check_codec(policy.codec)
    checks.check_int("feedback_q16", policy.feedback_q16, 0, gin1.RATE_ONE)
    training.check_unit(policy.model, steps, rows)


def param_count(model: Model) -> int:
    """The number of parameters of a model.

    Raises: KernelInputError for a model outside its ranges.
    """
    training = find_training(model)
    return sum(prod(shape) for shape in training.param_shapes(training.check_model(model)))


def unit_cost(policy: UnitPolicy) -> int:
    """Multiply-adds of a unit, from its shape alone.

    Per step: what the model's products and calls take, and the passes over the parameters (quantise, round, step),
    which take the time of PASSES_COST multiply-adds each. Per traced step: HASH_COST for each byte of the state. Once:
    passes for the payload, of which choosing the largest takes more, and with feedback those for the residual, which is
    hashed twice.
    """
    check_policy(policy)
    training, count = find_training(policy.model), param_count(policy.model)
    per_step = training.step_cost(policy.model, policy.batch_rows) + PASSES_COST[type(policy.optimiser)] * count
    traced = (policy.local_steps + policy.trace_every - 1) // policy.trace_every
    per_trace = HASH_COST * STATE_BYTES[type(policy.optimiser)] * count
    return policy.local_steps * per_step + traced * per_trace + _encode_cost(policy) * count


def unit_work(policy: UnitPolicy) -> int:
    """What of unit_cost grows with widths, rows and steps: all but the calls.

    Calls take what the implementation makes them take, and nobody's need be these; products, passes and hashes are the
    same in any.
    """
    return unit_cost(policy) - policy.local_steps * find_training(policy.model).calls_cost(policy.model)


def _encode_cost(policy: UnitPolicy) -> int:
    """Multiply-adds of the payload for each parameter."""
    cost = SPARSE_COST if payload.find_format(policy.codec).is_sparse else DENSE_COST
    return cost + FEEDBACK_COST + 2 * RESIDUAL_BYTES * HASH_COST if policy.feedback_q16 else cost


def run_unit(
    policy: UnitPolicy, weights: bytes, rows: bytes, targets: bytes, seed: bytes, first_step: int = 0,
    residual: bytes = b"", witness_step: int = 0,
) -> UnitResult:
    """Compute a unit.

    weights: int32 [P]. rows and targets: those of all steps in order of use, as the model's training module reads
    them; a classifier's are int8 [local_steps * batch_rows, inputs], -128 refused, and uint16 labels below the number
    of classes. seed: 32 bytes, keys all stochastic rounding. first_step: where the unit begins in its schedule.
    residual: with feedback, that of the trainer's last unit, int64 [P], |value| <= 2**33, or empty for zeros.
    witness_step: 0, or the step (from 1) after which the state is hashed for UnitResult.witness; it changes nothing
    else.
    """
    check_policy(policy)
    checks.check_int("witness_step", witness_step, 0, policy.local_steps)
    before = _read_residual(policy, residual, param_count(policy.model))
    ops = dispatch.implementation("optimiser")
    digests, witness = [], b""
    for done, state in enumerate(iter_states(policy, weights, rows, targets, seed, first_step)):
        is_traced = done > 0 and unit_trace.is_traced(done, policy.local_steps, policy.trace_every)
        if is_traced or done == witness_step > 0:
            digest = unit_trace.hash_state(ops.dump(state))
            digests += [digest] if is_traced else []
            witness = digest if done == witness_step else witness
    start = checks.read_array(weights, "<i4")
    delta = ops.read_weights(state).astype("<i8") - start
    encoded, after = _encode(policy, checks.write_array(delta), before, seed)
    if policy.feedback_q16:
        digests = [chunks.chunk_root(before), *digests, chunks.chunk_root(after)]
    leaves = [merkle.compute_leaf(merkle.sha256, digest) for digest in digests]
    return UnitResult(encoded, tuple(digests), merkle.compute_root(merkle.sha256, leaves), after, witness)


def iter_states(
    policy: UnitPolicy, weights: bytes, rows: bytes, targets: bytes, seed: bytes, first_step: int
) -> Iterator[State]:
    """The state before the first step of a unit and after each one; arguments as `run_unit` has them.

    They are arrays of the back end in use, and the same ones: the next step overwrites them.
    """
    check_policy(policy)
    checks.check_int("first_step", first_step, 0, STEP_MAX)
    training, count = find_training(policy.model), param_count(policy.model)
    checks.check_bytes("weights", weights, count * WEIGHT_BYTES)
    checks.check_seed("seed", seed)
    batches = training.read_batches(policy.model, policy.local_steps, policy.batch_rows, rows, targets)
    ops = dispatch.implementation("optimiser")
    state: State = ops.new_state(policy.optimiser, checks.read_array(weights, "<i4"))
    parts = [state.part(begin, end) for begin, end in _list_bounds(training.param_shapes(policy.model))]
    trainer = training.Trainer(policy.model, state.weights, seed)
    terms = training.count_terms(policy.model, policy.batch_rows)
    pace = iter_factors(policy.optimiser, policy.schedule, first_step, policy.local_steps, terms)
    yield state
    for step, (batch, factors) in enumerate(zip(batches, pace)):
        for index, gradient in trainer.run_step(*batch, step):
            ops.step(policy.optimiser, factors, parts[index], gradient)
        yield state


def _read_residual(policy: UnitPolicy, residual: object, count: int) -> bytes:
    """The residual before a unit: zeros if none is given; empty without feedback."""
    if not policy.feedback_q16:
        if checks.check_bytes("residual", residual):
            raise KernelInputError("residual must be empty: the policy has no feedback (feedback_q16 is 0)")
        return b""
    data = checks.check_bytes("residual", residual) or bytes(RESIDUAL_BYTES * count)
    values = checks.read_array(checks.check_bytes("residual", data, RESIDUAL_BYTES * count), "<i8")
    checks.check_bound("residual", values, gin1.RESIDUAL_MAX)
    return data


def _encode(policy: UnitPolicy, delta: bytes, residual: bytes, seed: bytes) -> tuple[bytes, bytes]:
    """(payload, residual after) of a unit."""
    count = len(delta) // RESIDUAL_BYTES
    if not policy.feedback_q16:
        return payload.encode(delta, count, seed, policy.codec), b""
    return payload.encode_with_feedback(delta, residual, count, seed, policy.codec, policy.feedback_q16)


def _list_bounds(shapes: tuple[tuple[int, ...], ...]) -> list[tuple[int, int]]:
    """Where each parameter tensor begins and ends in the flat parameters."""
    bounds, begin = [], 0
    for shape in shapes:
        bounds.append((begin, begin + prod(shape)))
        begin += prod(shape)
    return bounds
