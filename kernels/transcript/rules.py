"""What each kind of operation computes, on arrays.

Every rule is total: for any values within the ranges of the sheets, which gather.py checks, it has a result or refuses
them with KernelInputError. Reads/Writes: nothing. Source: README.md beside this file, section 22.3.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

from kernels import checks, chunks, dispatch, exact, gin1, merkle, payload
from kernels.errors import KernelInputError
from kernels.exact import Ints
from kernels.loss import SLOPE_MAX, TARGET_EXPONENT
from kernels.mlp.types import Mlp
from kernels.optimiser import Factors, State, iter_factors
from kernels.payload import ref as payload_ref
from kernels.tensor import Tensor
from kernels.transcript import stages as kinds
from kernels.transcript.plan import Place, list_runs
from kernels.transcript.sheets import list_boxes
from kernels.transcript.steps import list_layers, list_pieces
from kernels.unit import UnitPolicy

Values = NDArray[Any]
_TABLE = np.array(gin1.power_table(), dtype=np.int64)
_INVERSE_BITS = 40
_SUM_MIN = int(_TABLE[0])


class Job(NamedTuple):
    """What the operations of a step know besides their inputs. step: the unit's, from 0; factors: the optimiser's."""

    policy: UnitPolicy
    seed: bytes
    step: int
    factors: Factors

    @property
    def model(self) -> Mlp:
        """The perceptron."""
        return cast(Mlp, self.policy.model)  # new_plan refuses others


def list_factors(policy: UnitPolicy, first_step: int, steps: int) -> list[Factors]:
    """What the optimiser needs of the unit's steps 0..steps-1."""
    return list(iter_factors(policy.optimiser, policy.schedule, first_step, steps, policy.batch_rows))


def compute(job: Job, place: Place, values: list[Values]) -> Values:
    """The output of an operation: the part, or its bytes; values: of its areas, in their order."""
    return _RULES[place.stage.kind](job, place, values)


def _take(job: Job, place: Place, values: list[Values]) -> Values:
    sheet = place.stage.sheet
    if not values:
        return np.zeros(sheet.bounds(place.part).values, dtype=np.int64)
    return checks.read_array(values[0].tobytes(), "<" + sheet.item)


def _find_peak(job: Job, place: Place, values: list[Values]) -> Values:
    largest = [max(int(part.max()), -int(part.min())) for part in values]
    return np.array([min(max(largest), gin1.WEIGHT_MAX)], dtype=np.int64)


def _find_scale(job: Job, place: Place, values: list[Values]) -> Values:
    constant, bits = place.stage.settings
    exponent = constant + _add_exponents(values[1:])
    shift = gin1.compute_operand_shift(int(values[0][0, 0]), exponent, bits, gin1.OPERAND_EXPONENT_MIN)
    return np.array([shift, exponent - shift], dtype=np.int64)


def _round_weights(job: Job, place: Place, values: list[Values]) -> Values:
    flat = np.concatenate([part.reshape(-1) for part in values[:-1]]).astype(np.int64)
    return _round(exact.clip(flat, gin1.WEIGHT_MAX), values[-1])


def _copy(job: Job, place: Place, values: list[Values]) -> Values:
    return values[0]


def _multiply(job: Job, place: Place, values: list[Values]) -> Values:
    sums = multiply(values[0], values[1], kinds.PRODUCTS[place.stage.kind])
    return _join_turns(sums, place, values[2:])


def _join_turns(sums: Values, place: Place, before: list[Values]) -> Values:
    """Sums, with those of the turn before."""
    joined: Values = sums + before[0] if place.turn else sums
    return joined


def multiply(left: Values, right: Values, layout: str) -> Ints:
    """The exact product as int64; layout nn, tn or nt."""
    if dispatch.backend() == "ref":
        left, right = left.astype(np.int64), right.astype(np.int64)
    left, right = np.ascontiguousarray(left), np.ascontiguousarray(right)
    product = dispatch.implementation("gemm").multiply(Tensor(left, 0), Tensor(right, 0), layout)
    sums: Ints = product.values.astype(np.int64)
    return sums


def _add_biases(job: Job, place: Place, values: list[Values]) -> Values:
    constant, is_hidden = place.stage.settings
    exponent = constant + _add_exponents(values[2:])
    terms = exact.clip(exact.scale(values[1].astype(np.int64), gin1.WEIGHT_EXPONENT - exponent), gin1.BIAS_TERM_MAX)
    sums = values[0].astype(np.int64) + terms
    return np.maximum(sums, 0) if is_hidden else sums


def _activate(job: Job, place: Place, values: list[Values]) -> Values:
    return _round(values[0].astype(np.int64), values[1])


def _find_row_peak(job: Job, place: Place, values: list[Values]) -> Values:
    largest: Values = values[0].max(axis=1, keepdims=True).astype(np.int64)
    if place.turn:
        largest = np.maximum(largest, values[1])
    return largest


def _find_powers(sums: Values, peaks: Values, exponent: int) -> Ints:
    """2**16 * 2**-(distance from the row's peak), by the table."""
    below: Ints = (peaks - sums.astype(np.int64)) * np.int64(gin1.LOG2_E_Q14)
    if int(below.min()) < 0:
        raise KernelInputError("a row's peak is below one of its values")
    powers: Ints = np.minimum(exact.scale(below, exponent + 14 - gin1.POWER_FRACTION_BITS), gin1.POWER_MAX)
    found: Ints = _TABLE[powers & (gin1.POWER_TABLE_SIZE - 1)] >> (powers >> np.int64(gin1.POWER_FRACTION_BITS))
    return found


def _add_row_sum(job: Job, place: Place, values: list[Values]) -> Values:
    scales = values[2:-1] if place.turn else values[2:]
    exponent = place.stage.settings[0] + _add_exponents(scales)
    sums = _find_powers(values[0], values[1], exponent).sum(axis=1, keepdims=True)
    return _join_turns(sums, place, values[-1:])


def _find_entropy_slope(job: Job, place: Place, values: list[Values]) -> Values:
    outputs, peaks, totals, labels, *scales = values
    if int(totals.min()) < _SUM_MIN:
        raise KernelInputError(f"a row's sum is below {_SUM_MIN}")
    powers = _find_powers(outputs, peaks, place.stage.settings[0] + _add_exponents(scales))
    inverse: Ints = np.int64(1 << _INVERSE_BITS) // totals
    slope: Ints = exact.round_shift(powers * inverse, _INVERSE_BITS - gin1.LOSS_EXPONENT)
    box = place.stage.sheet.bounds(place.part)
    hits = (np.arange(box.left, box.right) == labels.astype(np.int64)).astype(np.int64)
    slope -= hits * np.int64(1 << gin1.LOSS_EXPONENT)
    return slope


def _find_square_slope(job: Job, place: Place, values: list[Values]) -> Values:
    outputs, wanted, *scales = values
    exponent = place.stage.settings[0] + _add_exponents(scales)
    found = exact.scale(outputs.astype(np.int64), exponent - gin1.LOSS_EXPONENT)
    target = wanted.astype(np.int64) << np.int64(gin1.LOSS_EXPONENT - TARGET_EXPONENT)
    return exact.clip(found - target, SLOPE_MAX)


def _draw_errors(job: Job, place: Place, values: list[Values]) -> Values:
    (bits,), sheet = place.stage.settings, place.stage.sheet
    box = sheet.bounds(place.part)
    shift, _ = _read_scale(values[1])
    keys = gin1.derive_keys("gradient", job.seed, job.step, place.stage.layer)
    rows = np.arange(box.top, box.bottom, dtype=np.int64)[:, None] * np.int64(sheet.columns)
    words = exact.find_words(rows + np.arange(box.left, box.right, dtype=np.int64), keys)
    noise = words & np.int64((1 << shift) - 1)
    return exact.clip((values[0].astype(np.int64) + noise) >> np.int64(shift), 2**bits - 1)


def _add_rows(job: Job, place: Place, values: list[Values]) -> Values:
    sums = values[0].astype(np.int64).sum(axis=0, keepdims=True)
    return _join_turns(sums, place, values[1:])


def _mask(job: Job, place: Place, values: list[Values]) -> Values:
    return np.where(values[1] > 0, exact.clip(values[0].astype(np.int64), gin1.WEIGHT_MAX), 0)


def _step(job: Job, place: Place, values: list[Values]) -> Values:
    """The step of a part's parameters, of which w, m or v is wanted."""
    model, optimiser, backend = job.model, job.policy.optimiser, dispatch.backend()
    held = iter(values)
    box = place.stage.sheet.bounds(place.part)
    parts = [next(held).reshape(-1).copy() for _ in range(place.stage.settings[1])]
    if backend == "ref":
        parts[0] = parts[0].astype(np.int64)
    state = State(parts[0], parts[1], parts[2] if len(parts) > 2 else None)
    ops, widths, done = dispatch.implementation("optimiser"), list_layers(model), 0
    for piece in list_pieces(model, box.left, box.right):
        boxes, exponent = 1, 0
        if not piece.is_bias:
            boxes = len(list_boxes(widths[piece.layer].fan_out, piece.begin, piece.end))
        sums = np.concatenate([next(held).reshape(-1) for _ in range(boxes)])
        if not piece.is_bias:
            exponent = gin1.FEATURE_EXPONENT if piece.layer == 0 else _read_scale(next(held))[1]
        exponent += _read_scale(next(held))[1]
        if backend == "ref":
            sums = sums.astype(np.int64)
        part = state.part(done, done + sums.size)
        ops.step(optimiser, job.factors, part, Tensor(sums, exponent))
        done += sums.size
    wanted: Values = state[place.stage.settings[0]]
    return wanted


def _join_chunk(job: Job, place: Place, values: list[Values]) -> Values:
    box = place.stage.sheet.bounds(place.part)
    runs = list_runs(place.stage.settings, box.left, box.right)
    parts = [
        checks.write_array(value)[run.skipped:run.skipped + run.size] for run, value in zip(runs, values, strict=True)]
    return np.frombuffer(b"".join(parts), dtype=np.uint8)


def _hash_node(job: Job, place: Place, values: list[Values]) -> Values:
    is_lowest, length, chunk_bytes, is_root = place.stage.settings
    hashes = [value.tobytes() for value in values]
    if is_lowest:
        hashes = [merkle.compute_leaf(chunks.hash_bytes, data) for data in hashes]
    if is_root:
        return np.frombuffer(chunks.seal_leaves(hashes, length, chunk_bytes), dtype=np.uint8)
    return np.frombuffer(merkle.compute_root(chunks.hash_bytes, hashes), dtype=np.uint8)


def _encode_region(job: Job, place: Place, values: list[Values]) -> Values:
    start = checks.read_array(values[1].tobytes(), "<i4").astype(np.int64)
    keys = gin1.derive_keys("payload", job.seed, 0, 0)
    first = place.part * payload.REGION_VALUES
    delta = values[0].reshape(-1).astype(np.int64) - start
    return payload_ref.encode_region(delta, first, keys, job.policy.codec)


def _round(values: Ints, scale: Values) -> Ints:
    shift, _ = _read_scale(scale)
    return exact.clip(exact.round_shift(values, shift), gin1.OPERAND_MAX)


def _read_scale(scale: Values) -> tuple[int, int]:
    """(shift, exponent)."""
    shift, exponent = (int(value) for value in scale.reshape(-1))
    if shift < 0:
        raise KernelInputError(f"a scale has the shift {shift}, below 0")
    return shift, exponent


def _add_exponents(scales: list[Values]) -> int:
    return sum(_read_scale(scale)[1] for scale in scales)


def write_part(place: Place, values: Values) -> bytes:
    """The bytes of a part."""
    return checks.write_array(values.astype(place.stage.sheet.item, copy=False))


_RULES: dict[str, Callable[[Job, Place, list[Values]], Values]] = {
    kinds.TAKE: _take,
    kinds.PEAK: _find_peak,
    kinds.SCALE: _find_scale,
    kinds.WEIGHTS: _round_weights,
    kinds.MOVE: _copy,
    kinds.LOAD: _copy,
    kinds.FORWARD: _multiply,
    kinds.GRADIENT: _multiply,
    kinds.BACKWARD: _multiply,
    kinds.BIASES: _add_biases,
    kinds.ACTIVATION: _activate,
    kinds.ROW_PEAK: _find_row_peak,
    kinds.ROW_SUM: _add_row_sum,
    kinds.ENTROPY: _find_entropy_slope,
    kinds.SQUARE: _find_square_slope,
    kinds.ERROR: _draw_errors,
    kinds.BIAS_GRADIENT: _add_rows,
    kinds.MASK: _mask,
    kinds.STEP_W: _step,
    kinds.STEP_M: _step,
    kinds.STEP_V: _step,
    kinds.CHUNK: _join_chunk,
    kinds.NODE: _hash_node,
    kinds.REGION: _encode_region,
}
