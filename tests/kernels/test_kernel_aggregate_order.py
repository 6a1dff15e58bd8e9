"""Sums of ranks, rows, signs and magnitudes, and the expansion, on the CPU: the reference's integers, always."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from test_kernel_backends import POISON

from kernels import aggregate, samples, threads
from kernels.aggregate import cpu, ref
from kernels.aggregate.order import networks
from kernels.aggregate.order import sums as order_sums
from kernels.aggregate.types import Stack
from kernels.gemm import engine

SUM_MAX = {np.int16: 64 * 127, np.int32: 64 * 2**14 * 127}
DRAWN = settings(POISON, max_examples=60)
patterns = st.sampled_from(("any", "equal", "extreme", "few", "lowest", "highest"))


def new_stack(blocks: int, rows: int, pattern: str, label: str = "") -> Stack:
    raw = np.frombuffer(samples.sample(f"stack {label}", blocks * rows * 256), np.int8).reshape(blocks, rows, 256)
    values = np.maximum(raw, -127)
    values = {
        "any": values, "equal": np.broadcast_to(values[:, :1], values.shape), "few": values % 3 - 1,
        "extreme": np.where(values < 0, -127, 127), "lowest": np.full_like(values, -127),
        "highest": np.full_like(values, 127),
    }[pattern]
    return Stack(np.ascontiguousarray(values, dtype=np.int8), np.zeros(blocks, np.uint8), blocks * 256)


def assert_equal(found: Any, expected: Any) -> None:
    assert found.dtype == expected.dtype
    assert np.array_equal(found, expected)


@DRAWN
@given(blocks=st.integers(1, 3), rows=st.integers(1, 64), ranks=st.tuples(st.integers(0, 64), st.integers(1, 65)),
       pattern=patterns, label=st.text("ab", max_size=2))
@example(blocks=1, rows=64, ranks=(31, 33), pattern="any", label="")
@example(blocks=1, rows=63, ranks=(31, 32), pattern="any", label="")
@example(blocks=1, rows=1, ranks=(0, 1), pattern="any", label="")
def test_any_ranks_of_any_number_of_rows_are_summed(
    poisoned: None, blocks: int, rows: int, ranks: tuple[int, int], pattern: str, label: str
) -> None:
    low = ranks[0] % rows
    high = low + 1 + ranks[1] % (rows - low)
    stack = new_stack(blocks, rows, pattern, label)
    assert_equal(cpu.sum_ranks(stack, low, high), ref.sum_ranks(stack, low, high))


@pytest.mark.parametrize("rows", range(1, 65))
def test_median_and_every_trimmed_sum_of_every_number_of_rows(rows: int) -> None:
    stack = new_stack(1, rows, "any")
    ordered = np.sort(stack.values[0].astype(np.int64), axis=0)
    ranks = [((rows - 1) // 2, rows // 2 + 1), *((trim, rows - trim) for trim in range((rows + 1) // 2))]
    for low, high in ranks:
        assert np.array_equal(cpu.sum_ranks(stack, low, high), ordered[low:high].sum(axis=0)), (low, high)


@DRAWN
@given(blocks=st.integers(1, 3), rows=st.integers(1, 64), pattern=patterns, data=st.data())
def test_chosen_rows_signs_and_magnitudes_are_summed(
    poisoned: None, blocks: int, rows: int, pattern: str, data: st.DataObject
) -> None:
    stack = new_stack(blocks, rows, pattern)
    chosen = data.draw(st.lists(st.integers(0, rows - 1), min_size=1, max_size=rows, unique=True))
    assert_equal(cpu.sum_chosen(stack, chosen), ref.sum_chosen(stack, chosen))
    assert_equal(cpu.sum_signs(stack), ref.sum_signs(stack))
    assert_equal(cpu.sum_magnitudes(stack), ref.sum_magnitudes(stack))


@pytest.mark.parametrize("count", ["1", "2", "3"])
@pytest.mark.parametrize("streamed_bytes", [0, 2**62])
def test_neither_threads_nor_the_way_of_writing_changes_a_sum(
    poisoned: None, monkeypatch: pytest.MonkeyPatch, count: str, streamed_bytes: int
) -> None:
    monkeypatch.setenv(engine.THREADS_VARIABLE, count)
    monkeypatch.setattr(threads, "SPAN_COST_MIN", 2**8)
    monkeypatch.setattr(order_sums, "STREAM_BYTES_MIN", streamed_bytes)
    stack = new_stack(259, 5, "any")
    for low, high in ((2, 3), (1, 4), (0, 2)):
        assert_equal(cpu.sum_ranks(stack, low, high), ref.sum_ranks(stack, low, high))
    assert_equal(cpu.sum_chosen(stack, [4, 1]), ref.sum_chosen(stack, [4, 1]))
    assert_equal(cpu.sum_signs(stack), ref.sum_signs(stack))
    assert_equal(cpu.sum_magnitudes(stack), ref.sum_magnitudes(stack))
    sums, exponents = ref.sum_chosen(stack, [0, 1, 2]), (np.arange(259) % 26).astype(np.uint8)
    assert_equal(cpu.expand(sums, 3, exponents, 66000), ref.expand(sums, 3, exponents, 66000))
    scales, signs = np.arange(259, dtype=np.int32), ref.sum_signs(stack)
    assert_equal(cpu.expand_votes(signs, scales, exponents, 66000), ref.expand_votes(signs, scales, exponents, 66000))


@pytest.mark.parametrize("rows", [1, 7, 64])
def test_stack_at_any_address_is_read(rows: int) -> None:
    stack = new_stack(2, rows, "any")
    memory = np.empty(stack.values.size + 3, np.int8)
    moved = stack._replace(values=memory[3:].reshape(stack.values.shape))
    moved.values[...] = stack.values
    assert_equal(cpu.sum_ranks(moved, rows // 3, rows), ref.sum_ranks(stack, rows // 3, rows))
    assert_equal(cpu.sum_chosen(moved, [rows - 1]), ref.sum_chosen(stack, [rows - 1]))
    assert_equal(cpu.sum_magnitudes(moved), ref.sum_magnitudes(stack))


@pytest.mark.parametrize("size", [*range(1, 17), 24, 32])
def test_network_sorts_all_zeros_and_ones_and_so_everything(size: int) -> None:
    """Of more than 16 rows the halves are sorted by the network of 16; all pairs of sorted halves are merged."""
    if size <= 16:
        rows = [(np.arange(2**size) >> row) & 1 for row in range(size)]
    else:
        ones = np.arange(17 * (size - 15))
        rows = [ones % 17 > row for row in range(16)] + [ones // 17 > row for row in range(size - 16)]
        rows = [rows[(row + 5) % 16 if row < 16 else row] for row in range(size)]
    for low, high in networks.compute_network(size):
        rows[low], rows[high] = np.minimum(rows[low], rows[high]), np.maximum(rows[low], rows[high])
    assert all((rows[row] <= rows[row + 1]).all() for row in range(size - 1))


@DRAWN
@given(kind=st.sampled_from((np.int16, np.int32)), divisor=st.one_of(st.integers(1, 64), st.integers(1, 2**20)),
       exponent=st.integers(0, 25), count=st.integers(1, 512), label=st.text("ab", max_size=2))
@example(kind=np.int32, divisor=1, exponent=25, count=512, label="")
@example(kind=np.int32, divisor=2**20, exponent=25, count=512, label="")
def test_expansion_of_any_sums_is_the_exact_quotient(
    poisoned: None, kind: Any, divisor: int, exponent: int, count: int, label: str
) -> None:
    largest = SUM_MAX[kind]
    raw = np.frombuffer(samples.sample(f"sums {label}", 4 * 512), "<i4").astype(np.int64)
    sums = (raw % (2 * largest + 1) - largest).astype(kind)
    sums[:6] = largest, -largest, largest - 1, 0, 1, -1
    exponents = np.array([exponent, 25 - exponent], np.uint8)[:(count + 255) // 256]
    sums = sums[:256 * exponents.size]
    assert_equal(cpu.expand(sums, divisor, exponents, count), ref.expand(sums, divisor, exponents, count))


@given(divisor=st.integers(3, 2**20).map(lambda number: number | 1).filter(lambda number: number <= 2**20),
       exponent=st.integers(0, 25), kind=st.sampled_from((np.int16, np.int32)))
def test_quotients_beside_a_whole_number_are_not_rounded_to_it(divisor: int, exponent: int, kind: Any) -> None:
    """Sums as large as they come whose quotient is the last below, or the first at, a rounding step."""
    inverse = pow(2**exponent, -1, divisor)
    residues = [(divisor - 1) // 2 * inverse % divisor, (divisor + 1) // 2 * inverse % divisor, 0]
    found = [largest for residue in residues for largest in (
        (SUM_MAX[kind] - residue) // divisor * divisor + residue, residue - divisor)]
    sums = np.zeros(256, kind)
    usable = [number for number in found if abs(number) <= SUM_MAX[kind]]
    sums[:len(usable)] = usable
    exponents = np.array([exponent], np.uint8)
    result = cpu.expand(sums, divisor, exponents, 256).tolist()
    for number, quotient in zip(sums.tolist(), result):
        whole = (2 * (abs(number) << exponent) + divisor) // (2 * divisor)
        assert quotient == (whole if number >= 0 else -whole)


@DRAWN
@given(exponents=st.lists(st.integers(0, 25), min_size=1, max_size=3), label=st.text("ab", max_size=2),
       rest=st.integers(0, 255))
def test_votes_are_expanded_by_their_scales(poisoned: None, exponents: list[int], label: str, rest: int) -> None:
    signs = np.frombuffer(samples.sample(f"signs {label}", 256 * len(exponents)), np.int8) % 65
    signs[::3] *= -1
    scales = np.frombuffer(samples.sample(label, 4 * len(exponents)), "<i4") % 128
    arguments = signs, scales.astype(np.int32), np.array(exponents, np.uint8), signs.size - rest
    assert_equal(cpu.expand_votes(*arguments), ref.expand_votes(*arguments))


@given(rows=st.integers(1, 64), label=st.text("ab", max_size=3), data=st.data())
def test_exponent_of_any_rank_is_found(rows: int, label: str, data: st.DataObject) -> None:
    exponents = (np.frombuffer(samples.sample(f"grid {label}", 40 * rows), np.uint8) % 32).reshape(rows, 40)
    rank = data.draw(st.integers(0, rows - 1))
    assert_equal(aggregate._select(exponents, rank), np.sort(exponents, axis=0)[rank])
