"""Aggregation in Triton's interpreter: equal to the reference to the bit, in poisoned memory."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

pytest.importorskip("triton", reason="Triton has no wheel for this system")

from kernels import bench, bench_aggregate_gpu, bench_gpu, dispatch, selftest  # noqa: E402
from kernels.aggregate import gpu, gpu_planes, gpu_ranks, ref  # noqa: E402
from kernels.aggregate.types import Stack  # noqa: E402
from kernels.selftest import CASES  # noqa: E402

pytestmark = pytest.mark.usefixtures("poisoned")
EXPONENTS = (0, 25, 8, 9, 17, 3)
COUNT = 256 * len(EXPONENTS) - 13
DIVISORS = (1, 2, 3, 7, 64, 2**14, 999_983, 2**20)


def draw_stack(rows: int) -> Stack:
    """Blocks of every magnitude, one of the largest values and one with many equal ones; the last one is not full."""
    drawn = np.random.default_rng(rows)
    values = drawn.integers(-127, 128, (len(EXPONENTS), rows, 256)).astype(np.int8)
    values[1] = drawn.integers(-2, 3, (rows, 256))
    values[2] = drawn.choice(np.array([-127, 127, 126, 0], dtype=np.int8), (rows, 256))
    values[3] = np.where(np.arange(256) < 128, 127, -127)
    values[5, :, 243:] = 0
    return Stack(values, np.array(EXPONENTS, dtype=np.uint8), COUNT)


def assert_equal(name: str, *arguments: Any) -> NDArray[Any]:
    """The reference's result, which is the device's in value and type."""
    expected, made = (getattr(ops, name)(*arguments) for ops in (ref, gpu))
    assert made.dtype == expected.dtype and made.shape == expected.shape
    assert np.array_equal(made, expected), f"{name} differs"
    result: NDArray[Any] = expected
    return result


def choose_rows(rows: int, count: int) -> NDArray[np.uint8]:
    """Every row's neighbours: itself and those behind it."""
    first = np.arange(rows)[:, None]
    return (((np.arange(rows)[None, :] - first) % rows) < count).astype(np.uint8)


@pytest.mark.parametrize("rows", [1, 2, 6, 33, 64])
def test_sums_of_ranks_are_those_of_sorted_values(rows: int) -> None:
    stack, middle = draw_stack(rows), (rows - 1) // 2
    for low, high in {(middle, middle + 1), (middle, rows // 2 + 1), (rows // 4, rows - rows // 4), (0, rows)}:
        assert_equal("sum_ranks", stack, low, high)


def test_ranks_are_read_from_planes_as_from_bytes() -> None:
    stack = draw_stack(5)
    planes = stack._replace(values=gpu_planes.to_planes(stack.values))
    assert np.array_equal(gpu.sum_ranks(planes, 1, 4), gpu.sum_ranks(stack, 1, 4))


def test_planes_may_be_made_of_some_blocks_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpu, "SCRATCH_BYTES", 3 * 4 * 256 - 1)
    assert_equal("sum_ranks", draw_stack(3), 1, 2)


def test_padding_of_rows_reaches_every_number_of_them() -> None:
    assert all(rows <= gpu_ranks.find_padded(rows) <= max(4, rows + 7) for rows in range(1, 65))


def test_bit_of_a_plane_is_that_of_the_coordinate_which_the_format_names() -> None:
    values = draw_stack(2).values
    planes = gpu_planes.to_planes(values).view(np.uint32)
    word, byte, step = np.meshgrid(np.arange(8), np.arange(4), np.arange(8), indexing="ij")
    coordinate = 32 * step + 4 * word + byte
    for plane in range(8):
        bits = (planes[:, :, plane, word] >> (8 * byte + step)) & 1
        assert np.array_equal(bits, (values[:, :, coordinate].astype(np.int64) + 128 >> 7 - plane) & 1)


@pytest.mark.parametrize("rows", [1, 5, 16, 64])
def test_sums_over_rows_and_their_quotients_are_those_of_the_reference(rows: int) -> None:
    stack, drawn = draw_stack(rows), np.random.default_rng(7)
    sums = assert_equal("sum_chosen", stack, list(range(0, rows, 2)))
    assert_equal("sum_weighted", stack, [0] * rows)
    for weights in ([2**14] * rows, drawn.integers(0, 2**14 + 1, rows).tolist()):
        weighted = assert_equal("sum_weighted", stack, weights)
    for divisor in DIVISORS:
        for dividend in (sums, weighted):
            assert_equal("expand", dividend, divisor, stack.exponents, COUNT)
    votes, sizes = assert_equal("sum_signs", stack), assert_equal("sum_magnitudes", stack)
    assert_equal("expand_votes", votes, sizes[:, 0].copy(), stack.exponents, COUNT)


def test_quotients_of_the_largest_sums_and_of_halves_are_exact() -> None:
    ends = np.array([2**27, -2**27, 2**27 - 1, 1, -1, 0, 3, -3, 2**20, -2**19], dtype=np.int32)
    exponents = np.array([26], dtype=np.uint8)
    for divisor in (*DIVISORS, 6, 2**20 - 1):
        assert_equal("expand", np.resize(ends, 256), divisor, exponents, 250)


@pytest.mark.parametrize("rows", [1, 5, 16, 33, 64])
def test_inner_products_are_exact_over_exponents_of_every_group(rows: int) -> None:
    stack = draw_stack(rows)
    assert gpu.gram(stack) == ref.gram(stack) and gpu.squares(stack) == ref.squares(stack)


@pytest.mark.parametrize("rows", [1, 6, 33, 64])
def test_means_of_neighbours_round_halves_away_from_zero(rows: int) -> None:
    stack = draw_stack(rows)
    for count in {1, (rows + 1) // 2, rows}:
        neighbours = choose_rows(rows, count)
        made, expected = (ops.mix(stack, neighbours) for ops in (gpu, ref))
        assert np.array_equal(made.values, expected.values) and made.values.dtype == np.int8


def test_mean_of_neighbours_is_exact_for_every_sum_of_every_number_of_them() -> None:
    for count in (3, 14, 64):
        values = np.zeros((64, 64, 256), dtype=np.int8)
        sums = np.arange(-127 * count, 127 * count + 1)[:64 * 256]
        flat = np.resize(sums, 64 * 256).reshape(64, 256)
        values[:, :count] = (flat // count)[:, None] + (np.arange(count)[None, :, None] < (flat % count)[:, None])
        stack = Stack(values, np.zeros(64, dtype=np.uint8), 64 * 256)
        neighbours = np.zeros((64, 64), dtype=np.uint8)
        neighbours[:, :count] = 1
        assert np.array_equal(gpu.mix(stack, neighbours).values[:, 0], ref.mix(stack, neighbours).values[:, 0])


@pytest.mark.parametrize("name", [
    "aggregate/most_workers", "aggregate/median_rule", "aggregate/sign_vote_rule", "aggregate/nnm+krum_rule",
    "aggregate/nnm+trimmed_mean_rule", "aggregate/centered_clip_rule", "aggregate/clipped_mean_rule",
])
def test_rule_gives_the_same_delta_as_on_the_reference(name: str) -> None:
    with dispatch.forced("ref"):
        expected = CASES[name]()
    with dispatch.forced("gpu"):
        assert CASES[name]() == expected


@pytest.fixture
def timed(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """A process that could time a device, a small stack, and no time measured."""
    monkeypatch.setattr(bench_gpu, "find_problem", lambda: "")
    monkeypatch.setattr(selftest, "find_failures", lambda backend: [])
    monkeypatch.setattr(bench_aggregate_gpu, "measure", lambda call: 0.25)
    monkeypatch.setattr(bench_aggregate_gpu, "measure_copy", lambda: 1e6)
    monkeypatch.setattr(bench_aggregate_gpu, "ROWS", (4,))
    monkeypatch.setattr(bench_aggregate_gpu, "COUNT", 2 * 16 * 256)
    return monkeypatch


def test_table_of_a_device_has_every_function_with_its_part_of_a_copy(
    timed: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert bench.main(["aggregate-gpu"]) == 0
    rows = [line.rsplit(maxsplit=4) for line in capsys.readouterr().out.splitlines()[2:]]
    assert [row[0].strip() for row in rows] == [function.name for function in bench_aggregate_gpu.list_functions(4)]
    assert rows[0][1:] == ["4", "250.000", "0.00", "0.20"]  # 6 * 8192 bytes in a quarter of a second


def test_function_with_a_wrong_result_is_not_timed(
    timed: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    timed.setattr(gpu, "gram", lambda stack: [[1] * 4] * 4)
    assert bench.main(["aggregate-gpu"]) == 1
    assert capsys.readouterr().err == "not timed: wrong results in gram of 4 rows\n"
    timed.setattr(selftest, "find_failures", lambda backend: ["aggregate/mean"])
    assert bench.main(["aggregate-gpu"]) == 1 and "aggregate/mean" in capsys.readouterr().err


def test_interpreter_is_not_timed(capsys: pytest.CaptureFixture[str]) -> None:
    assert bench.main(["aggregate-gpu"]) == 2 and "TRITON_INTERPRET" in capsys.readouterr().err
