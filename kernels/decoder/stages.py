"""A unit's step cut into stages of whole blocks, each computed alone from the bytes at its boundaries.

Whoever has a stage's weights and what came in over its two boundaries recomputes what went out, byte for byte: the
stream after the stage, the slope before it, and the stage's gradients. Reads/Writes: nothing.
Source: kernels/decoder/README.md section 20.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kernels import checks, dispatch, gin1, norm
from kernels.decoder import composition, training
from kernels.decoder.types import Decoder, check_model, list_part
from kernels.errors import KernelInputError

STEP_MAX = 4095


@dataclass(frozen=True)
class StagePolicy:
    """Blocks first..last-1 of a model, on batches of batch_rows rows.

    Block 0 brings the embedding with it, and the last block the head and the loss.
    """

    model: Decoder
    first: int
    last: int
    batch_rows: int


@dataclass(frozen=True)
class StageResult:
    """slope: of the stream before the stage, int32 at exponent 20; empty where the stage begins with tokens.

    gradients: int64 at exponent 24, of the stage's parameters in their order. A tied embedding that the last stage
    has beside another first one gets a share from each; their sum is its gradient.
    """

    slope: bytes
    gradients: bytes


def check_stage(policy: StagePolicy) -> None:
    """Refuse a stage outside the model's ranges."""
    if not isinstance(policy, StagePolicy):
        raise KernelInputError("policy must be a StagePolicy")
    model = check_model(policy.model)
    checks.check_int("first", policy.first, 0, model.layers - 1)
    checks.check_int("last", policy.last, policy.first + 1, model.layers)
    checks.check_int("batch_rows", policy.batch_rows, 1, training.BATCH_TOKENS_MAX)
    training.check_batch(model, policy.batch_rows)


def stage_param_count(policy: StagePolicy) -> int:
    """The number of parameters that a stage's weights hold."""
    check_stage(policy)
    return list_part(policy.model, policy.first, policy.last)[-1].end


def run_stage_forward(policy: StagePolicy, weights: bytes, inputs: bytes) -> bytes:
    """The stream after the stage, int32 [batch_rows * context, width] at exponent 16.

    weights: int32, the stage's parameters in their order. inputs: tokens uint16 [batch_rows, context] below vocab
    where first is 0, else the stream before the stage.
    """
    check_stage(policy)
    stage = _new_stage(policy, weights, bytes(gin1.SEED_BYTES))
    h = stage.forward(_read_inputs(policy, inputs), policy.batch_rows)
    return _write(h, "<i4")


def run_stage_backward(
    policy: StagePolicy, weights: bytes, inputs: bytes, outputs: bytes, seed: bytes, step: int
) -> StageResult:
    """The slope before the stage and the stage's gradients of local step `step` (0..4095) of the unit of `seed`.

    weights, inputs: as in run_stage_forward, which is computed again. outputs: targets uint16 [batch_rows * context]
    below vocab where last is the number of layers, else the slope of the stream after the stage, int32 at exponent 20.
    """
    check_stage(policy)
    checks.check_seed("seed", seed)
    checks.check_int("step", step, 0, STEP_MAX)
    stage = _new_stage(policy, weights, seed)
    start = _read_inputs(policy, inputs)
    slope = _read_outputs(policy, outputs)
    stage.forward(start, policy.batch_rows)
    memory = dispatch.implementation("memory")
    parts = {}
    for number, gradient in stage.backward(slope, step):
        sums = memory.take(gradient.values).astype(np.int64)
        parts[number] = _write_scaled(sums, memory.number(gradient.exponent))
    before = b"" if policy.first == 0 or stage.slope is None else _write(stage.slope.values, "<i4")
    return StageResult(before, b"".join(parts[number] for number in sorted(parts)))


def _new_stage(policy: StagePolicy, weights: bytes, seed: bytes) -> composition.Stage:
    count = list_part(policy.model, policy.first, policy.last)[-1].end
    checks.check_bytes("weights", weights, 4 * count)
    held = dispatch.implementation("memory").put(checks.read_array(weights, "<i4"))
    return composition.Stage(policy.model, policy.first, policy.last, held, seed)


def _read_inputs(policy: StagePolicy, inputs: bytes) -> Any:
    if policy.first > 0:
        return _read_stream(policy, "inputs", inputs, norm.STREAM_MAX)
    tokens = _read_tokens(policy, "inputs", inputs)
    return dispatch.implementation("memory").put(tokens.reshape(policy.batch_rows, policy.model.context))


def _read_outputs(policy: StagePolicy, outputs: bytes) -> Any:
    if policy.last < policy.model.layers:
        return composition.new_slope(_read_stream(policy, "outputs", outputs, norm.SLOPE_MAX))
    return dispatch.implementation("memory").put(_read_tokens(policy, "outputs", outputs))


def _read_stream(policy: StagePolicy, name: str, data: bytes, limit: int) -> Any:
    rows = policy.batch_rows * policy.model.context
    checks.check_bytes(name, data, 4 * rows * policy.model.width)
    values = checks.read_array(data, "<i4").reshape(rows, policy.model.width)
    checks.check_bound(name, values, limit)
    return dispatch.implementation("memory").put(values)


def _read_tokens(policy: StagePolicy, name: str, data: bytes) -> NDArray[np.uint16]:
    checks.check_bytes(name, data, 2 * policy.batch_rows * policy.model.context)
    tokens = checks.read_array(data, "<u2")
    if int(tokens.max()) >= policy.model.vocab:
        raise KernelInputError(f"{name} holds a token that is not below {policy.model.vocab}, the vocab")
    return tokens


def _write(array: Any, dtype: str) -> bytes:
    return checks.write_array(dispatch.implementation("memory").take(array).astype(np.dtype(dtype)))


def _write_scaled(sums: NDArray[np.int64], exponent: int) -> bytes:
    from kernels import exact

    return checks.write_array(exact.scale(sums, exponent - gin1.WEIGHT_EXPONENT))
