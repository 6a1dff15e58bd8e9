"""Every back end gives the reference's bytes: fixed hard cases, drawn shapes, poisoned memory."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kernels import aggregate, dispatch, mlp, outer, payload, products, samples, selftest, unit
from kernels.unit.cases import new_policy

CODEC = "int8/256"
POISON = settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])

widths_drawn = st.lists(st.integers(1, 19), min_size=2, max_size=8).map(tuple)
bits_drawn = st.integers(1, 31)


def assert_backends_agree(call: Callable[[], object]) -> None:
    with dispatch.forced("ref"):
        expected = call()
    with dispatch.forced("cpu"):
        assert call() == expected


@pytest.mark.parametrize("name", selftest.CASES)
def test_hard_case_is_equal_on_both_backends(name: str, poisoned: None) -> None:
    assert_backends_agree(selftest.CASES[name])


@POISON
@given(widths=widths_drawn, steps=st.integers(1, 4), rows=st.integers(1, 9), bits=bits_drawn,
       rate=st.integers(0, 2**20), decay=st.integers(0, 65535), every=st.integers(1, 4),
       label=st.text("ab", max_size=4))
def test_unit_of_any_shape_is_equal_on_both_backends(
    poisoned: None, widths: tuple[int, ...], steps: int, rows: int, bits: int, rate: int, decay: int,
    every: int, label: str,
) -> None:
    policy = new_policy(widths, steps, rows, rate, decay, min(every, steps))
    weights = samples.sample_ints(label, mlp.param_count(widths), 4, bits)
    features = samples.sample_features(label, steps * rows * widths[0])
    labels = samples.sample_labels(label, steps * rows, widths[-1])
    seed = samples.sample(label, 32)
    assert_backends_agree(lambda: unit.run_unit(policy, weights, features, labels, seed))


@POISON
@given(widths=widths_drawn, rows=st.integers(0, 20), bits=bits_drawn, label=st.text("ab", max_size=4))
def test_answers_are_equal_on_both_backends(
    poisoned: None, widths: tuple[int, ...], rows: int, bits: int, label: str
) -> None:
    weights = samples.sample_ints(label, mlp.param_count(widths), 4, bits)
    features = samples.sample_features(label, rows * widths[0])
    assert_backends_agree(lambda: mlp.predict(widths, weights, features, rows))
    assert_backends_agree(lambda: mlp.logits(widths, weights, features, rows))


@POISON
@given(deltas=st.lists(st.lists(st.integers(1 - 2**32, 2**32 - 1), min_size=5, max_size=5), min_size=1, max_size=9),
       trim=st.integers(0, 9), rule=st.sampled_from(aggregate.RULES))
def test_aggregate_is_equal_on_both_backends(poisoned: None, deltas: list[list[int]], trim: int, rule: str) -> None:
    sent = [payload.encode(samples.pack(delta, 8), 5, samples.SEED, CODEC) for delta in deltas]
    assert_backends_agree(lambda: aggregate.aggregate(rule, sent, 5, trim, CODEC))


@POISON
@given(delta=st.lists(st.integers(1 - 2**32, 2**32 - 1), min_size=1, max_size=600),
       key=st.binary(min_size=32, max_size=32))
def test_payload_is_equal_on_both_backends(poisoned: None, delta: list[int], key: bytes) -> None:
    data = samples.pack(delta, 8)
    assert_backends_agree(lambda: payload.encode(data, len(delta), key, CODEC))
    sent = payload.encode(data, len(delta), key, CODEC)
    assert_backends_agree(lambda: payload.decode(sent, len(delta), CODEC))


@POISON
@given(values=st.lists(st.tuples(st.integers(-2**31, 2**31 - 1), st.integers(-2**40, 2**40),
                                 st.integers(1 - 2**32, 2**32 - 1)), min_size=1, max_size=9),
       rate=st.integers(0, 2**20), decay=st.integers(0, 65535))
def test_outer_step_is_equal_on_both_backends(
    poisoned: None, values: list[tuple[int, int, int]], rate: int, decay: int
) -> None:
    weights, momentum, delta = (list(column) for column in zip(*values))
    packed = samples.pack(weights, 4), samples.pack(momentum, 8), samples.pack(delta, 8)
    assert_backends_agree(lambda: outer.outer_step(*packed, rate, decay))


def test_product_longer_than_float32_holds_is_still_exact() -> None:
    """Unsplit, a float32 product of 4096 operands of 127 with one odd one loses its last bits."""
    import numpy as np

    from kernels.gemm import blas

    left = np.full((3, 4099), 127, dtype=np.int8)
    right = np.full((4099, 5), 127, dtype=np.int8)
    right[::2, 1] = -126
    right[7, 2] = 1
    exact = left.astype(np.int64) @ right.astype(np.int64)
    assert (exact != (left.astype(np.float32) @ right.astype(np.float32)).astype(np.int64)).any()
    assert (blas.multiply(left, right) == exact).all()


@pytest.mark.parametrize("layout", products.LAYOUTS)
@pytest.mark.parametrize("fill", products.FILLS)
def test_product_large_enough_for_threads_is_the_int64_product_in_every_value(layout: str, fill: str) -> None:
    """The self-test compares such products by one vector; here every value is."""
    import numpy as np

    from kernels.gemm import cpu, engine

    for inner in (1025, 2500):
        product = products.Product(layout, fill, 511, inner, 259)
        left, right = products.draw_operands(product)
        assert left.flags.f_contiguous == (layout == "aT@e") and right.flags.f_contiguous == (layout == "e@wT")
        exact = left.astype(np.int64, order="C") @ right.astype(np.int64, order="F")
        for name in engine.list_engines():
            assert (cpu.multiply_by(name, left, right, "nn") == exact).all(), name
        with dispatch.forced("ref"):
            assert products.compute_sums(product) == (exact @ products.draw_vector(product)).tobytes()


ENDS = (2**31 - 1, -2**31)
EXTREMES = [  # widths and rows: wide inputs, a wide hidden layer, many classes, the largest batch
    ((65536, 1, 2), 5), ((3, 65536, 2), 5), ((3, 2, 65536), 5), ((2, 3, 20000, 3, 2), 7), ((37, 9, 3), 4096),
]


@pytest.mark.parametrize("widths, rows", EXTREMES, ids=str)
def test_unit_survives_the_largest_and_smallest_of_everything(widths: tuple[int, ...], rows: int) -> None:
    """Sums at the bounds of section 12: all features and weights at an end, or of either sign, at the highest rates."""
    count = mlp.param_count(widths)
    policy = new_policy(widths, 2, rows, 2**20, 65535, 1)
    values = 2 * rows * widths[0]
    labels = samples.sample_labels("ends", 2 * rows, widths[-1])
    signs = bytes(127 if byte & 1 else 129 for byte in range(256))
    mixed_features = samples.sample("ends", values).translate(signs)
    ends = samples.sample_signs("ends", 1000)
    mixed_weights = (ends * (count // 1000 + 1))[:4 * count]
    for features, weights in [
        (b"\x7f" * values, samples.pack([ENDS[0]], 4) * count),
        (b"\x81" * values, samples.pack([ENDS[1]], 4) * count),
        (b"\x7f" * values, mixed_weights),
        (mixed_features, mixed_weights),
    ]:
        assert_backends_agree(lambda: unit.run_unit(policy, weights, features, labels, samples.SEED))
