"""Gram matrices, weighted sums and means of neighbours on the CPU: the reference's integers on every engine."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from test_kernel_backends import POISON

from kernels import threads
from kernels.aggregate import cpu, ref
from kernels.aggregate.gram import loops, mix, squares, tiles
from kernels.aggregate.types import PAYLOADS_MAX, WEIGHT_ONE, Stack
from kernels.gemm import engine

ENGINES = engine.list_engines()
PATTERNS = ("one", "alternating", "extremes", "drawn", "rising")
FILLS = ("drawn", "signs", "largest", "lowest", "small")
SHAPES = st.tuples(st.integers(1, 7), st.integers(1, 70).map(lambda rows: min(rows, PAYLOADS_MAX)))


def draw_stack(blocks: int, rows: int, fill: str, pattern: str, seed: int) -> Stack:
    draw = np.random.default_rng(seed)
    values = {
        "drawn": lambda: draw.integers(-127, 128, (blocks, rows, 256)),
        "signs": lambda: 127 - 254 * draw.integers(0, 2, (blocks, rows, 256)),
        "largest": lambda: np.full((blocks, rows, 256), 127),
        "lowest": lambda: np.full((blocks, rows, 256), -127),
        "small": lambda: draw.integers(-1, 2, (blocks, rows, 256)),
    }[fill]().astype(np.int8)
    exponents = {
        "one": lambda: np.full(blocks, seed % 26),
        "alternating": lambda: np.arange(blocks) % 26,
        "extremes": lambda: 25 * (np.arange(blocks) % 2),
        "drawn": lambda: draw.integers(0, 26, blocks),
        "rising": lambda: np.arange(blocks) * 25 // blocks,
    }[pattern]().astype(np.uint8)
    values.flags.writeable = bool(seed % 2)
    return Stack(values, exponents, 256 * blocks)


def draw_neighbours(rows: int, chosen: int, seed: int) -> NDArray[np.uint8]:
    ranks = np.random.default_rng(seed).permuted(np.tile(np.arange(rows), (rows, 1)), axis=1)
    return (ranks < chosen).astype(np.uint8)


@pytest.fixture(params=(1, 3))
def cut(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """However little there is to do, one thread does it, or three."""
    monkeypatch.setenv(engine.THREADS_VARIABLE, str(request.param))
    monkeypatch.setattr(threads, "SPAN_COST_MIN", 1)


@POISON
@given(shape=SHAPES, name=st.sampled_from(ENGINES), fill=st.sampled_from(FILLS), pattern=st.sampled_from(PATTERNS),
       seed=st.integers(0, 2**32))
def test_every_function_gives_the_references_integers(
    poisoned: None, cut: None, shape: tuple[int, int], name: str, fill: str, pattern: str, seed: int
) -> None:
    stack = draw_stack(*shape, fill, pattern, seed)
    rows = shape[1]
    weights = np.random.default_rng(seed).integers(0, WEIGHT_ONE + 1, rows).tolist()
    neighbours = draw_neighbours(rows, 1 + seed % rows, seed)
    with engine.forced(name):
        products = cpu.gram(stack)
        mixed = cpu.mix(stack, neighbours)
    assert products == ref.gram(stack)
    assert all(type(value) is int for row in products for value in row)
    assert cpu.squares(stack) == [row[index] for index, row in enumerate(products)]
    sums = cpu.sum_weighted(stack, weights)
    assert sums.dtype == np.int32 and np.array_equal(sums, ref.sum_weighted(stack, weights))
    assert mixed.values.dtype == np.int8 and np.array_equal(mixed.values, ref.mix(stack, neighbours).values)
    assert mixed.values.flags.c_contiguous and mixed[1:] == stack[1:]


@pytest.mark.parametrize("rows", range(1, PAYLOADS_MAX + 1))
def test_every_number_of_rows_is_exact_on_every_engine(poisoned: None, rows: int) -> None:
    stack = draw_stack(5, rows, "drawn", "alternating", rows)
    weights = [WEIGHT_ONE] * rows
    for name in ENGINES:
        with engine.forced(name):
            assert cpu.gram(stack) == ref.gram(stack), name
    assert np.array_equal(cpu.sum_weighted(stack, weights), ref.sum_weighted(stack, weights))
    for chosen in {1, (rows + 1) // 2, rows - rows // 4, rows}:
        neighbours = draw_neighbours(rows, chosen, rows)
        assert np.array_equal(cpu.mix(stack, neighbours).values, ref.mix(stack, neighbours).values), chosen


@pytest.mark.parametrize("name", ENGINES)
@pytest.mark.parametrize("value", (127, -127))
def test_largest_sums_do_not_wrap_at_or_beside_any_flush(name: str, value: int) -> None:
    group, most = loops.GROUP_MAX, tiles.BLOCKS_MAX
    for blocks in (1, group - 1, group, group + 1, most - 1, most, most + 1, 2 * most, 2 * most + group + 1):
        stack = Stack(np.full((blocks, 5, 256), value, np.int8), np.zeros(blocks, np.uint8), 256 * blocks)
        with engine.forced(name):
            assert cpu.gram(stack) == [[blocks * 256 * 127**2] * 5] * 5, blocks


def test_largest_squares_do_not_wrap_at_or_beside_a_flush() -> None:
    most = squares.BLOCKS_MAX
    for blocks in (most - 1, most, most + 1, 2 * most + 1):
        stack = Stack(np.full((blocks, 2, 256), -127, np.int8), np.full(blocks, 25, np.uint8), 256 * blocks)
        assert cpu.squares(stack) == [blocks * 256 * 127**2 * 4**25] * 2, blocks


def test_sums_of_a_tile_fit_int32_even_of_bytes_that_no_payload_has() -> None:
    assert tiles.BLOCKS_MAX * tiles.ROW_BYTES * 255 * 128 < 2**31
    assert squares.BLOCKS_MAX * tiles.ROW_BYTES // squares.LANES * 128**2 < 2**31


@pytest.mark.parametrize("name", ENGINES)
def test_block_exponents_that_change_every_block_are_joined_exactly(name: str) -> None:
    blocks = 26 * 12
    values = np.full((blocks, 3, 256), 127, np.int8)
    stack = Stack(values, (np.arange(blocks) * 7 % 26).astype(np.uint8), 256 * blocks)
    total = 12 * 256 * 127**2 * sum(4**exponent for exponent in range(26))
    with engine.forced(name):
        assert cpu.gram(stack) == [[total] * 3] * 3
    assert cpu.squares(stack) == [total] * 3


@pytest.mark.parametrize("chosen", range(2, PAYLOADS_MAX + 1))
def test_reciprocal_divides_every_possible_sum_exactly(chosen: int) -> None:
    start, half, factor, shift = mix.find_constants(chosen)
    sums = np.arange(-127 * chosen, 127 * chosen + 1)
    shifted = start + sums
    assert factor < 2**16 and shifted.min() >= 1 and shifted.max() < 2**15
    means = ((shifted - (shifted < half)) * factor >> 16 >> shift) - 128
    assert np.array_equal(means, np.sign(sums) * ((2 * np.abs(sums) + chosen) // (2 * chosen)))


@pytest.mark.parametrize("rows, chosen", ((64, 63), (64, 48), (64, 2), (63, 32), (62, 31), (6, 4)))
def test_means_of_extremes_are_exact_for_every_number_of_signs(rows: int, chosen: int) -> None:
    """Column c of a row's neighbours has c of one sign, so that every sum of that many +-127 and +-1 comes up."""
    signs = np.where(np.arange(rows)[:, None] < np.arange(256) % (rows + 1), 1, -1)
    values = np.stack([signs, 127 * signs, -127 * signs]).astype(np.int8)
    stack = Stack(values, np.zeros(3, np.uint8), 3 * 256)
    neighbours = draw_neighbours(rows, chosen, rows)
    assert np.array_equal(cpu.mix(stack, neighbours).values, ref.mix(stack, neighbours).values)
