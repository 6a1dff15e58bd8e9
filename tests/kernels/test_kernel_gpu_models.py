"""Losses, optimisers and the classifier in Triton's interpreter: equal to the other back ends to the bit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

pytest.importorskip("triton", reason="Triton has no wheel for this system")

from kernels import dispatch, mlp, selftest, unit  # noqa: E402
from kernels.array_samples import draw_numpy, join_bytes, put  # noqa: E402
from kernels.loss import TARGET_MAX  # noqa: E402
from kernels.optimiser import Adam, Lion, Optimiser, Sgd, iter_factors  # noqa: E402
from kernels.optimiser.schedule import Schedule  # noqa: E402
from kernels.samples import CODEC, SEED  # noqa: E402
from kernels.tensor import Tensor  # noqa: E402
from kernels.unit.cases import run  # noqa: E402

pytestmark = pytest.mark.usefixtures("poisoned")
HARD = [name for name in selftest.CASES if name.split("/")[0] in ("mlp", "unit")]
OPTIMISERS = [
    Sgd(6554, 58982), Sgd(2**20, 65535), Sgd(1, 0), Adam(40, 58982, 6), Adam(2**24, 65000, 12), Adam(2**24, 0, 4),
    Lion(1000, 58982, 64881), Lion(2**24, 65535, 0), Lion(0, 0, 65535),
]
MODELS = [unit.Mlp((7, 5, 3), "regressor"), unit.Mlp((6, 9, 4), wide=(0, 1)), unit.Mlp((5, 3), "regressor", (0,))]


def assert_equal(call: Any, backends: tuple[str, str] = ("ref", "gpu")) -> None:
    results = []
    for name in backends:
        with dispatch.forced(name):
            results.append(call())
    assert results[0] == results[1]


@pytest.mark.parametrize("name", HARD)
def test_hard_case_of_the_classifier_is_equal(name: str) -> None:
    assert_equal(selftest.CASES[name], ("cpu", "gpu"))


@pytest.mark.parametrize("optimiser", OPTIMISERS, ids=str)
def test_optimiser_keeps_the_references_state_step_for_step(optimiser: Optimiser) -> None:
    """From the largest weights, through gradients of every size and exponent; int32 and int64 sums."""
    weights = draw_numpy("weights", (40,), 31)
    weights[:4] = [2**31 - 1, -2**31, 0, 1]
    sums = [draw_numpy(f"sums {bits}", (40,), bits, "<i8" if bits > 31 else "<i4") for bits in (1, 20, 30, 38)]
    sums[2][:4] = [2**30, -2**30, 0, -1]

    def call() -> bytes:
        op = dispatch.implementation("optimiser")
        state = op.new_state(optimiser, weights)
        part, states = state.part(1, 40), []
        pace = iter_factors(optimiser, Schedule(), 0, 8, 3)
        for factors, values, exponent in zip(pace, sums * 2, (24, 30, 5, 48, -24, 10, 24, 25)):
            op.step(optimiser, factors, part, Tensor(put(values[1:].reshape(3, 13)), exponent))
            states.append(b"".join(op.dump(state)))
        assert bytes(op.dump(state)[0]) == op.read_weights(state).astype("<i4").tobytes()
        return b"".join(states)

    assert_equal(call)


@pytest.mark.parametrize("exponent", [-48, -3, 0, 16, 24, 48])
@pytest.mark.parametrize("shape", [(1, 1), (5, 2), (7, 300)], ids=str)
def test_losses_of_every_exponent_are_equal(shape: tuple[int, int], exponent: int) -> None:
    labels = (np.arange(shape[0]) % shape[1]).astype("<u2")
    for bits in (3, 20, 31):
        sums = np.maximum(draw_numpy(f"loss {bits}", shape, bits), 1 - 2**30)
        targets = np.clip(draw_numpy("targets", shape, 27), -TARGET_MAX, TARGET_MAX)
        assert_equal(lambda: join_bytes(
            dispatch.implementation("loss").cross_entropy(Tensor(put(sums), exponent), put(labels)),
            dispatch.implementation("loss").squared_error(Tensor(put(sums), exponent), put(targets)),
        ))


@pytest.mark.parametrize("optimiser", [Sgd(6554, 58982), Adam(400, 58982, 6), Lion(4000, 58982, 64881)], ids=str)
@pytest.mark.parametrize("model", MODELS, ids=str)
def test_unit_of_every_task_width_and_optimiser_is_equal(model: unit.Mlp, optimiser: Optimiser) -> None:
    policy = unit.UnitPolicy(model, optimiser, unit.Schedule(), 2, 3, 1, CODEC)
    assert_equal(lambda: run(policy, "models", mlp.init_weights(model.widths, SEED)))


def test_rows_are_answered_alone_however_many_are_taken_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    from kernels.mlp import gpu

    widths, case = (5, 9, 70), "many rows"
    weights = draw_numpy("rows w", (mlp.param_count(widths),), 31).tobytes()
    features = draw_numpy(case, (23, 5), 6, "<i1").tobytes()
    monkeypatch.setattr(gpu, "ACTIVATIONS_MAX", 70 * 5)
    monkeypatch.setattr(gpu, "COLUMNS_MAX", 16)
    assert_equal(lambda: (mlp.predict(widths, weights, features, 23), mlp.logits(widths, weights, features, 23)))


def test_lowest_of_equal_columns_answers_in_a_later_block_too(monkeypatch: pytest.MonkeyPatch) -> None:
    from kernels.mlp import gpu

    monkeypatch.setattr(gpu, "COLUMNS_MAX", 4)
    weights = np.zeros((1 + 1) * 11, dtype="<i4")
    for best in ([6, 9], [3, 4], [10], list(range(11)), []):
        weights[11:] = -5
        weights[[11 + column for column in best]] = 2**20
        assert_equal(lambda: mlp.predict((1, 11), weights.tobytes(), b"\x00", 1))
