"""Everything outside the domain of a unit or a prediction is refused with KernelInputError, never a crash."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kernels import mlp, samples, unit
from kernels.errors import KernelInputError
from kernels.mlp import Mlp
from kernels.optimiser import Adam, Lion, Sgd
from kernels.optimiser.schedule import Schedule
from kernels.unit.cases import new_policy

POLICY = new_policy((3, 2), 2, 2, 6554, 58982, 1)
FED = dataclasses.replace(POLICY, feedback_q16=65536)


class Warmer(Sgd):
    """An optimiser that nobody specified."""


GOOD = {"policy": POLICY, "weights": bytes(32), "rows": bytes(12), "targets": bytes(8), "seed": bytes(32),
        "first_step": 0, "residual": b"", "witness_step": 0}


def test_the_good_unit_is_accepted() -> None:
    result = unit.run_unit(**GOOD)  # type: ignore[arg-type]
    assert len(result.trace) == 2 and len(result.trace_root) == 32


@pytest.mark.parametrize("change", [
    *({"model": Mlp(widths)} for widths in (  # type: ignore[arg-type]
        (3,), (1,) * 9, [3, 2], (3, 0), (3, 65537), (3, True), (3, 2.0), (65536, 1025))),
    {"model": None}, {"model": (3, 2)}, {"model": Mlp((3, 2), "rank")}, {"model": Mlp((3, 2), wide=(1,))},
    {"model": Mlp((3, 2), wide=(-1,))}, {"model": Mlp((3, 2, 2), wide=(1, 0))}, {"model": Mlp((3, 2), wide=(0, 0))},
    {"model": Mlp((3, 2), wide=[0])}, {"model": Mlp((3, 2), wide=(True,))},  # type: ignore[arg-type]
    {"local_steps": 0}, {"local_steps": 4097}, {"local_steps": "2"}, {"batch_rows": 0}, {"batch_rows": 4097},
    {"model": Mlp((5000, 1)), "batch_rows": 4096},
    {"model": Mlp((1000, 1)), "local_steps": 4096, "batch_rows": 100},
    {"model": Mlp((1, 1000), "regressor"), "local_steps": 4096, "batch_rows": 17},
    {"optimiser": None}, {"optimiser": Warmer(1, 1)},
    {"optimiser": Sgd(-1, 0)}, {"optimiser": Sgd(2**20 + 1, 0)}, {"optimiser": Sgd(0, 65536)},
    {"optimiser": Sgd(0, -1)}, {"optimiser": Adam(-1, 0, 4)}, {"optimiser": Adam(2**24 + 1, 0, 4)},
    {"optimiser": Adam(0, 65001, 4)}, {"optimiser": Adam(0, -1, 4)}, {"optimiser": Adam(0, 0, 3)},
    {"optimiser": Adam(0, 0, 13)}, {"optimiser": Lion(-1, 0, 0)}, {"optimiser": Lion(2**24 + 1, 0, 0)},
    {"optimiser": Lion(0, 65536, 0)}, {"optimiser": Lion(0, 0, 65536)}, {"optimiser": Lion(0, 0, -1)},
    {"schedule": None}, {"schedule": Schedule("step")}, {"schedule": Schedule("linear")},
    {"schedule": Schedule("cosine", 5, 5)}, {"schedule": Schedule(warmup_steps=-1)},
    {"schedule": Schedule(warmup_steps=2**31)}, {"schedule": Schedule("linear", 0, 2**31)},
    {"schedule": Schedule(final_q16=65537)}, {"schedule": Schedule(unit_warmup_steps=-1)},
    {"trace_every": 0}, {"trace_every": 3}, {"codec": "int5/256"}, {"codec": None},
], ids=str)
def test_policy_outside_its_range_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(KernelInputError):
        unit.check_policy(dataclasses.replace(POLICY, **change))
    with pytest.raises(KernelInputError):
        unit.unit_cost(dataclasses.replace(POLICY, **change))


@pytest.mark.parametrize("change", [
    {"policy": None}, {"weights": bytes(31)}, {"weights": bytearray(32)}, {"weights": None}, {"rows": bytes(11)},
    {"rows": bytes(11) + b"\x80"}, {"targets": bytes(7)}, {"targets": bytes(6) + b"\x02\x00"},
    {"targets": b"\xff" * 8},
    {"seed": bytes(31)}, {"seed": "0" * 32}, {"first_step": -1}, {"first_step": 2**31}, {"residual": bytes(64)},
    {"witness_step": -1}, {"witness_step": 3}, {"witness_step": True}, {"witness_step": b"1"},
    {"residual": None}, {"policy": FED, "residual": bytes(63)},
    {"policy": FED, "residual": samples.pack([2**33 + 1] * 8, 8)},
], ids=str)
def test_unit_with_a_bad_argument_is_refused(change: dict[str, Any], backend: str) -> None:
    with pytest.raises(KernelInputError):
        unit.run_unit(**{**GOOD, **change})


@pytest.mark.parametrize("features, rows", [
    (bytes(3), 2), (bytes(3), -1), (b"\x80\x00\x00", 1), ("abc", 1), (bytes(3), True), (bytes(3), 2**20 + 1)])
def test_prediction_with_bad_rows_is_refused(features: bytes, rows: int) -> None:
    with pytest.raises(KernelInputError):
        mlp.predict((3, 2), bytes(32), features, rows)


def test_no_rows_give_no_answers(backend: str) -> None:
    assert mlp.predict((3, 2), bytes(32), b"", 0) == b""
    assert mlp.logits((3, 2), bytes(32), b"", 0) == (b"", 16)


def test_tie_goes_to_the_lowest_class(backend: str) -> None:
    assert mlp.predict((3, 4), bytes(4 * 16), bytes([1, 2, 3]), 1) == b"\x00\x00"


def test_answer_of_a_row_does_not_depend_on_the_other_rows(backend: str) -> None:
    widths = (4, 6, 3)
    weights = mlp.init_weights(widths, bytes(32))
    rows = [bytes([1, 0, 2, 1]), bytes([127, 127, 127, 127]), bytes([0, 129, 3, 200])]
    together = mlp.logits(widths, weights, b"".join(rows), 3)[0]
    assert together == b"".join(mlp.logits(widths, weights, row, 1)[0] for row in rows)


def test_many_wide_rows_give_the_same_as_one_by_one() -> None:
    """More rows than the cpu back end takes at a time."""
    widths = (1, 60000, 2)
    weights = mlp.init_weights(widths, bytes(32))
    features = bytes(range(100))
    together = mlp.logits(widths, weights, features, 100)[0]
    assert together == b"".join(mlp.logits(widths, weights, bytes([value]), 1)[0] for value in features)


def test_seed_changes_the_payload_and_the_trace(backend: str) -> None:
    weights = mlp.init_weights((3, 2), bytes(32))
    one = unit.run_unit(POLICY, weights, bytes(range(1, 13)), bytes(8), bytes(32))
    two = unit.run_unit(POLICY, weights, bytes(range(1, 13)), bytes(8), b"\x01" + bytes(31))
    assert one.payload != two.payload and one.trace_root != two.trace_root


def test_trace_ends_with_the_last_step_once(backend: str) -> None:
    for steps, every, count in ((4, 2, 2), (5, 2, 3), (1, 1, 1), (3, 3, 1)):
        policy = dataclasses.replace(POLICY, local_steps=steps, trace_every=every)
        result = unit.run_unit(policy, bytes(32), bytes(6 * steps), bytes(4 * steps), bytes(32))
        assert len(result.trace) == count


def test_cost_is_the_formula_of_the_text() -> None:
    policy = new_policy((64, 128, 64, 10), 32, 16, 6554, 58982, 8)
    products, first, count = 64 * 128 + 128 * 64 + 64 * 10, 64 * 128, 65 * 128 + 129 * 64 + 65 * 10
    narrow = 16 * (3 * products - first) + 20_000 * 3
    assert unit.unit_cost(policy) == 32 * (narrow + 16 * count) + 3 * 12 * 4 * count + 2 * count
    adam = dataclasses.replace(policy, optimiser=Adam(1, 0, 4), trace_every=31)
    assert unit.unit_cost(adam) == 32 * (narrow + 28 * count) + 3 * 20 * 2 * count + 2 * count
    lion = dataclasses.replace(policy, optimiser=Lion(1, 0, 0), model=Mlp((64, 128, 64, 10), "regressor", (0, 2)))
    wide = narrow + 16 * (64 * 128 + 2 * 64 * 10)
    assert unit.unit_cost(lion) == 32 * (wide + 16 * count) + 3 * 12 * 4 * count + 2 * count


def test_cost_of_codec_and_feedback_is_what_the_text_says() -> None:
    count = mlp.param_count((3, 2))
    dense = unit.unit_cost(POLICY)
    assert {unit.unit_cost(dataclasses.replace(POLICY, codec=codec)) for codec in ("int4/256", "int2/256")} == {dense}
    assert unit.unit_cost(dataclasses.replace(POLICY, codec="top64/4096")) == dense + 6 * count
    assert unit.unit_cost(FED) == dense + (4 + 3 * 16) * count


def test_residual_of_zeros_is_no_residual(backend: str) -> None:
    """It is the trainer's first unit; the trace says so by the hash of zeros."""
    features, labels = bytes(range(12)), bytes(8)
    first = unit.run_unit(FED, bytes(32), features, labels, bytes(32))
    assert first == unit.run_unit(FED, bytes(32), features, labels, bytes(32), residual=bytes(64))
    assert len(first.trace) == 4 and len(first.residual) == 64
    assert unit.run_unit(POLICY, bytes(32), features, labels, bytes(32)).residual == b""


def test_narrow_layers_cost_what_their_calls_take() -> None:
    """A unit of seven layers of width one is no free work: each layer of each step has its price."""
    narrow = new_policy((1, 1, 1, 1, 1, 1, 1, 2), 4096, 1, 6554, 58982, 4096)
    assert unit.unit_cost(narrow) > 4096 * 7 * 20_000 > 2**28


def test_work_of_a_unit_is_its_cost_without_calls() -> None:
    for widths, batch_rows in (((3, 2), 1), ((64, 128, 64, 10), 16)):
        policy = new_policy(widths, 32, batch_rows, 6554, 58982, 8)
        assert unit.unit_work(policy) == unit.unit_cost(policy) - 32 * 20_000 * (len(widths) - 1)
    least = new_policy((1, 2), 1, 1, 6554, 58982, 1)
    assert unit.unit_work(least) == 2 * 2 + 4 * (16 + 3 * 12 + 2)


@settings(deadline=None, max_examples=50)
@given(st.one_of(st.none(), st.integers(), st.binary(max_size=40), st.text(max_size=5), st.tuples(st.integers())))
def test_any_value_as_any_argument_is_a_result_or_an_input_error(value: object) -> None:
    for name in GOOD:
        try:
            unit.run_unit(**{**GOOD, name: value})  # type: ignore[arg-type]
        except KernelInputError:
            pass
