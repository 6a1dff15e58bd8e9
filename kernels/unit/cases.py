"""Cases of the unit of work: odd shapes, the highest rates, extreme and saturating weights."""

from __future__ import annotations

from dataclasses import replace

from kernels import mlp, unit
from kernels.samples import CODEC, SEED, Case, pack, sample_ints, sample_signs
from kernels.unit.models import find_training


def new_policy(
    widths: tuple[int, ...], steps: int, rows: int, rate: int = 6554, decay: int = 58982, every: int | None = None
) -> unit.UnitPolicy:
    """A classifier by SGD."""
    model, optimiser = unit.Mlp(widths), unit.Sgd(rate, decay)
    every = min(2, steps) if every is None else every
    return unit.UnitPolicy(model, optimiser, unit.Schedule(), steps, rows, every, CODEC)


def run(policy: unit.UnitPolicy, label: str, weights: bytes, rows: bytes | None = None) -> bytes:
    """Payload and trace of a unit on rows (if not given) and targets that are drawn from `label`."""
    count = policy.local_steps * policy.batch_rows
    drawn, targets = find_training(policy.model).draw_examples(policy.model, label, count)
    result = unit.run_unit(policy, weights, drawn if rows is None else rows, targets, SEED)
    return result.payload + b"".join(result.trace) + result.trace_root


def _unit_case(
    label: str, widths: tuple[int, ...], steps: int, rows: int, rate: int = 6554, decay: int = 58982
) -> Case:
    policy = new_policy(widths, steps, rows, rate, decay)
    return lambda: run(policy, label, mlp.init_weights(widths, SEED))


def _extreme_case(label: str, widths: tuple[int, ...], rows: int, weight: bytes, value: int) -> Case:
    policy = new_policy(widths, 3, rows, 2**20, 65535)
    features = pack([value], 1) * (3 * rows * widths[0])
    return lambda: run(policy, label, weight * mlp.param_count(widths), features)


def _wild_case(label: str, widths: tuple[int, ...], rows: int, bits: int) -> Case:
    policy = new_policy(widths, 3, rows, 2**20, 65535)
    return lambda: run(policy, label, sample_ints(label, mlp.param_count(widths), 4, bits))


def _saturated_case(label: str, widths: tuple[int, ...], rows: int) -> Case:
    """Deep and heavy enough for activations and slopes to reach the lowest exponent and saturate there."""
    policy = new_policy(widths, 2, rows)
    return lambda: run(policy, label, sample_signs(label, mlp.param_count(widths)))


def _model_case(model: unit.Mlp, optimiser: unit.Optimiser, bits: int = 24, every: int = 2) -> Case:
    """Four steps of five rows with a schedule, from weights below 2**bits."""
    schedule = unit.Schedule("cosine", 2, 7, 3000, 2)
    policy = unit.UnitPolicy(model, optimiser, schedule, 4, 5, every, CODEC)
    return lambda: run(policy, str(model), sample_ints(str(model), unit.param_count(model), 4, bits))


def _feedback_case(codec: str, share: int) -> Case:
    """Two units, the second with the residual of the first."""
    policy = replace(new_policy((64, 24, 10), 2, 5), codec=codec, feedback_q16=share)

    def run_both() -> bytes:
        weights, result = mlp.init_weights((64, 24, 10), SEED), unit.UnitResult(b"", (), b"")
        for first_step in (0, 2):
            rows, targets = find_training(policy.model).draw_examples(policy.model, f"{codec} {first_step}", 10)
            result = unit.run_unit(policy, weights, rows, targets, SEED, first_step, result.residual)
        return result.payload + b"".join(result.trace) + result.trace_root + result.residual
    return run_both


def _witness_case(optimiser: unit.Optimiser) -> Case:
    """Witnesses of every step of a unit: between traced states, of one, and of the last."""
    policy = replace(new_policy((17, 9, 4), 5, 3), optimiser=optimiser)
    weights = sample_ints("witness", unit.param_count(policy.model), 4, 24)
    examples = find_training(policy.model).draw_examples(policy.model, "witness", 15)
    return lambda: b"".join(unit.run_unit(policy, weights, *examples, SEED, witness_step=step).witness
                            for step in range(1, 6))


CASES: dict[str, Case] = {
    "unit/usual": _unit_case("usual", (64, 24, 10), 4, 16),
    "unit/odd": _unit_case("odd", (13, 7, 5, 3), 5, 7),
    "unit/linear": _unit_case("linear", (9, 4), 3, 1),
    "unit/one_class": _unit_case("one", (3, 1), 2, 5),
    "unit/fast": _unit_case("fast", (17, 9, 4), 6, 3, 2**20, 65535),
    "unit/still": _unit_case("still", (17, 9, 4), 2, 3, 0, 0),
    "unit/long_batch": _unit_case("long", (3, 2), 2, 1030),
    "unit/wide_inside": _unit_case("wide", (2, 3, 1030, 2), 2, 3),
    "unit/largest": _extreme_case("largest", (1030, 5, 3), 4, pack([2**31 - 1], 4), 127),
    "unit/lowest": _extreme_case("lowest", (7, 5, 3), 4, pack([-2**31], 4), -127),
    "unit/zero": _extreme_case("zero", (7, 5, 3), 4, bytes(4), 0),
    "unit/wild": _wild_case("wild", (11, 6, 5, 4), 5, 31),
    "unit/saturated": _saturated_case("saturated", (9, 12, 12, 12, 12, 12, 12, 3), 3),
    "unit/tiny": _wild_case("tiny", (11, 6, 5, 4), 5, 3),
    "unit/regressor": _model_case(unit.Mlp((9, 7, 3), "regressor"), unit.Sgd(6554, 58982)),
    "unit/regressor_wild": _model_case(unit.Mlp((9, 7, 3), "regressor", (0, 1)), unit.Adam(2**20, 58982, 6), 31),
    "unit/wide": _model_case(unit.Mlp((13, 600, 5), wide=(0, 1)), unit.Sgd(6554, 58982)),
    "unit/wide_first": _model_case(unit.Mlp((9, 7, 5, 3), wide=(0,)), unit.Lion(2**14, 58982, 64881), 31),
    "unit/wide_last": _model_case(unit.Mlp((9, 7, 5, 3), wide=(2,)), unit.Lion(2**14, 58982, 64881)),
    "unit/adam": _model_case(unit.Mlp((64, 24, 10)), unit.Adam(2**16, 58982, 6), 22, 1),
    "unit/feedback": _feedback_case("top64/4096", 62259),
    "unit/feedback_whole": _feedback_case("int4/256", 65536),
    "unit/witness": _witness_case(unit.Adam(2**16, 58982, 6)),
    "unit/lion": _model_case(unit.Mlp((64, 24, 10)), unit.Lion(2**13, 58982, 64881), 22),
}
