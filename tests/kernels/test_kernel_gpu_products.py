"""Quantisers and products in Triton's interpreter: equal to the reference to the bit, in poisoned memory."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

pytest.importorskip("triton", reason="Triton has no wheel for this system")

from kernels import device, dispatch, products, selftest  # noqa: E402
from kernels.array_samples import draw_numpy, join_bytes, put  # noqa: E402
from kernels.errors import KernelInputError  # noqa: E402
from kernels.gemm import LAYOUTS, Layout, gpu  # noqa: E402
from kernels.tensor import Tensor  # noqa: E402

pytestmark = pytest.mark.usefixtures("poisoned")
SHAPES = [(1,), (33,), (7, 5), (3, 4, 50)]
WIDTHS = [(np.int8, np.int8), (np.int16, np.int8), (np.int8, np.int16)]
ENDS = {np.int8: (127, -127, 3, -1), np.int16: (32767, -32767, 32640, 32639, -129, 128, -128)}


def assert_equal_to_ref(op: str, call: Callable[[Any], Any]) -> bytes:
    """call(implementation) gives a Tensor or an array."""
    results = []
    for name in ("ref", "gpu"):
        with dispatch.forced(name):
            results.append(join_bytes(call(dispatch.implementation(op))))
    assert results[0] == results[1]
    return results[0]


def draw_ends(kind: Any, shape: tuple[int, ...]) -> NDArray[Any]:
    """Operands of the largest magnitude and of limbs that carry, in no order."""
    ends = np.array(ENDS[kind], dtype=kind)
    chosen: NDArray[Any] = ends[draw_numpy(f"ends {shape}", shape, 20) % len(ends)]
    return chosen


@pytest.mark.parametrize("exponent", [-24, 0, 20, 24, 25, 48])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_quantisers_round_every_magnitude_at_every_exponent_alike(shape: tuple[int, ...], exponent: int) -> None:
    for bits in (1, 7, 8, 15, 16, 31):
        values = draw_numpy(f"quantise {bits}", shape, bits)
        for width in (7, 15):
            assert_equal_to_ref("quantise", lambda op: op.nearest(Tensor(put(values), exponent), width))
            assert_equal_to_ref("quantise", lambda op: op.draw(Tensor(put(values), exponent), (2**32 - 1, 77), width))
        assert_equal_to_ref("quantise", lambda op: op.draw(Tensor(put(values), exponent), (0, 2**31), 7, -24))
        for width in (7, 15):
            assert_equal_to_ref("quantise", lambda op: op.draw(Tensor(put(values), exponent), (1, 2), width, None, 1))


def test_quantisers_take_the_producers_magnitude_and_the_largest_values() -> None:
    values = np.array([2**31 - 1, 1 - 2**31, 0, 2**30, 2**24 - 1, -2**24], dtype=np.int32)
    for width in (7, 15):
        held = [assert_equal_to_ref("quantise", lambda op: op.nearest(Tensor(put(values), 24, given), width))
                for given in (None, 2**31 - 1)]
        assert held[0] == held[1]
        assert_equal_to_ref("quantise", lambda op: op.draw(Tensor(put(values), 24), (5, 6), width))


@pytest.mark.parametrize("backend", ["cpu", "gpu"])
@pytest.mark.parametrize("width", [7, 15])
def test_largest_value_does_not_wrap_where_the_lowest_exponent_leaves_a_shift_of_one(backend: str, width: int) -> None:
    values = np.array([2**31 - 1, 2**31 - 2, 1 - 2**31, 5, -5], dtype=np.int32)
    with dispatch.forced(backend):
        rounded = dispatch.implementation("quantise").nearest(Tensor(put(values), -23), width, -24)
        assert dispatch.implementation("memory").take(rounded.values).tolist() == [
            2**width - 1, 2**width - 1, 1 - 2**width, 3, -2]


def test_weights_view_clips_the_lowest_int32_first() -> None:
    for values in ([-2**31, 2**31 - 1, 3], [0, 0], [-2**31], [2**24, -2**20, 77]):
        weights = np.array(values, dtype=np.int32)
        assert_equal_to_ref("quantise", lambda op: op.view(put(weights)))


@pytest.mark.parametrize("kinds", WIDTHS, ids=lambda kinds: "-".join(np.dtype(kind).name for kind in kinds))
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("sizes", [(1, 1, 1), (5, 3, 7), (33, 70, 40), (3, 0, 2), (130, 1025, 9)], ids=str)
def test_products_of_extremes_are_equal_whole_and_in_tiles_and_splits(
    sizes: tuple[int, int, int], layout: Layout, kinds: tuple[Any, Any]
) -> None:
    rows, inner, columns = sizes
    a = draw_ends(kinds[0], (inner, rows) if layout == "tn" else (rows, inner))
    b = draw_ends(kinds[1], (columns, inner) if layout == "nt" else (inner, columns))
    whole = assert_equal_to_ref("gemm", lambda op: op.multiply(Tensor(put(a), 5), Tensor(put(b), -3), layout))
    if inner > 100 and layout != "nn":
        return
    with dispatch.forced("gpu"):
        for blocks in (gpu.Blocks(32, 32, 32), gpu.Blocks(64, 32, 64, 2)):
            assert join_bytes(gpu.multiply(Tensor(put(a), 5), Tensor(put(b), -3), layout, blocks)) == whole


@pytest.mark.parametrize("name", [name for name in selftest.CASES if name.split("/")[0] in ("gemm", "quantise")])
def test_case_of_products_and_quantisers_is_equal(name: str) -> None:
    with dispatch.forced("ref"):
        expected = selftest.CASES[name]()
    with dispatch.forced("gpu"):
        assert selftest.CASES[name]() == expected


@pytest.mark.parametrize("fill", products.FILLS)
@pytest.mark.parametrize("layout", products.LAYOUTS)
def test_large_products_of_the_self_test_are_those_of_the_op(layout: str, fill: str) -> None:
    product = products.Product(layout, fill, 130, 1025, 70)
    with dispatch.forced("ref"):
        expected = products.compute_sums(product)
    with dispatch.forced("gpu"):
        assert products.compute_sums(product) == expected


def test_a_device_is_tested_with_large_products_and_the_interpreter_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not products.CASES.keys() & selftest.select_cases("gpu").keys()
    monkeypatch.setattr(device, "IS_INTERPRETED", False)
    assert products.CASES.keys() <= selftest.select_cases("gpu").keys()


def test_two_wide_operands_are_refused() -> None:
    wide = np.zeros((2, 2), dtype=np.int16)
    with dispatch.forced("gpu"), pytest.raises(KernelInputError, match="one of them int16"):
        gpu.multiply(Tensor(put(wide), 0), Tensor(put(wide), 0), "nn")


def test_longest_sums_reach_their_bound_and_do_not_wrap() -> None:
    most = np.full((2, 65536), 127, dtype=np.int8)
    assert_equal_to_ref("gemm", lambda op: op.multiply(Tensor(put(most), 0), Tensor(put(-most), 0), "nt"))
    wide = np.full((2, 65536), -32767, dtype=np.int16)
    assert_equal_to_ref("gemm", lambda op: op.multiply(Tensor(put(wide), 0), Tensor(put(most), 0), "nt"))
    assert_equal_to_ref("gemm", lambda op: op.multiply(Tensor(put(most), 0), Tensor(put(-wide), 0), "nt"))


@pytest.mark.parametrize("kinds", WIDTHS, ids=lambda kinds: "-".join(np.dtype(kind).name for kind in kinds))
def test_stacks_of_matrices_are_multiplied_one_by_one(kinds: tuple[Any, Any]) -> None:
    a, b = draw_ends(kinds[0], (3, 5, 40)), draw_ends(kinds[1], (3, 7, 40))
    expected = a.astype(np.int64) @ b.astype(np.int64).swapaxes(1, 2)
    with dispatch.forced("gpu"):
        product = gpu.multiply_stack(put(a), put(b), "nt", gpu.Blocks(32, 32, 32))
    assert (product == expected).all()
