"""Every rule of aggregation against exact fractions, its independence of order, its ends and what it withstands."""

from __future__ import annotations

import itertools
import struct

import numpy as np
import plain_aggregate as plain
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kernels import aggregate, dispatch, payload, samples
from kernels.aggregate import rules
from kernels.errors import KernelInputError
from kernels.payload import ref as payload_ref

CODEC = "int8/256"
QUICK = settings(deadline=None, max_examples=15)
BY_GRAM = [rule for rule in aggregate.RULES if rule not in ("mean", "trimmed_mean", "median", "sign_vote")]

rules_drawn = st.sampled_from(aggregate.RULES)
codecs_drawn = st.sampled_from(payload.CODECS)


def send(delta: list[int], codec: str = CODEC) -> bytes:
    return payload.encode(samples.pack(delta, 8), len(delta), samples.SEED, codec)


def combine(rule: str, sent: list[bytes], count: int, trim: int, codec: str = CODEC) -> list[int]:
    data = aggregate.aggregate(rule, sent, count, trim, codec)
    return list(struct.unpack(f"<{count}q", data))


def read(sent: bytes, count: int, codec: str) -> tuple[bytes, list[int], list[int]]:
    exponents = payload_ref.read_exponents(np.frombuffer(sent, np.uint8), count, codec)
    return sent, exponents.tolist(), list(struct.unpack(f"<{count}q", payload.decode(sent, count, codec)))


def expect(rule: str, sent: list[bytes], count: int, trim: int, codec: str = CODEC) -> list[int]:
    return plain.aggregate(rule, [read(item, count, codec) for item in sent], codec, trim)


def draw_values(count: int) -> st.SearchStrategy[list[int]]:
    """Of every magnitude."""
    value = st.integers(0, 32).flatmap(lambda bits: st.integers(-2**bits + 1, 2**bits - 1))
    return st.lists(value, min_size=count, max_size=count)


def draw_deltas(count: int, workers: int = 9) -> st.SearchStrategy[list[list[int]]]:
    """Deltas of which some are copies."""
    return st.lists(draw_values(count), min_size=1, max_size=workers).flatmap(
        lambda drawn: st.lists(st.sampled_from(drawn), min_size=1, max_size=workers))


def draw_long(label: str, count: int, workers: int, codec: str) -> list[bytes]:
    """Payloads near to each other and one far away, with blocks of every exponent."""
    common = np.frombuffer(samples.sample_ints(label, count, 8, 24), "<i8")
    noise = [np.frombuffer(samples.sample_ints(f"{label} {i}", count, 8, 20 + 9 * (i == 1)), "<i8")
             for i in range(workers)]
    falling = 2 ** (np.arange(count) // 256 % 24)
    return [payload.encode(((common + part) // falling).astype("<i8").tobytes(), count, samples.SEED, codec)
            for part in noise]


@pytest.mark.parametrize("rule", aggregate.RULES)
@QUICK
@given(deltas=draw_deltas(3), trim=st.integers(0, 5), codec=codecs_drawn)
def test_rule_is_what_exact_fractions_give(rule: str, deltas: list[list[int]], trim: int, codec: str) -> None:
    sent = [send(delta, codec) for delta in deltas]
    expected = expect(rule, sent, 3, trim, codec)
    for name in ("ref", "cpu"):
        with dispatch.forced(name):
            assert combine(rule, sent, 3, trim, codec) == expected


@pytest.mark.parametrize("codec", payload.CODECS)
@pytest.mark.parametrize("count", [1, 255, 256, 257, 4097])
def test_blocks_and_chunks_and_their_ends_are_as_exact_fractions_have_them(count: int, codec: str) -> None:
    sent = draw_long("ends", count, 5, codec)
    for rule in aggregate.RULES if count == 257 else ("trimmed_mean", "sign_vote", "centered_clip", "nnm+median"):
        assert combine(rule, sent, count, 1, codec) == expect(rule, sent, count, 1, codec), rule


@pytest.mark.parametrize("codec", payload.CODECS)
@pytest.mark.parametrize("rule", ["mean", "trimmed_mean", "median", "sign_vote"])
def test_regions_are_aggregated_each_for_itself_by_rules_of_coordinates(rule: str, codec: str) -> None:
    sent, size = draw_long("regions", 65537, 3, codec), payload.region_bytes(codec)
    first = combine(rule, [item[:size] for item in sent], 65536, 1, codec)
    second = combine(rule, [item[size:] for item in sent], 1, 1, codec)
    assert combine(rule, sent, 65537, 1, codec) == first + second


@pytest.mark.parametrize("rule", aggregate.RULES)
def test_order_of_payloads_does_not_matter(rule: str, backend: str) -> None:
    sent = [send([10**8 * sign + worker, worker, -worker]) for worker, sign in enumerate((1, -1, 1, 0, 1))]
    answers = {tuple(combine(rule, list(order), 3, 1)) for order in itertools.permutations(sent)}
    assert len(answers) == 1


@settings(deadline=None, max_examples=100)
@given(data=st.data(), deltas=draw_deltas(4, 16), rule=rules_drawn, trim=st.integers(0, 8), codec=codecs_drawn)
def test_order_of_any_payloads_does_not_matter(
    data: st.DataObject, deltas: list[list[int]], rule: str, trim: int, codec: str
) -> None:
    sent = [send(delta, codec) for delta in deltas]
    shuffled = data.draw(st.permutations(sent))
    assert combine(rule, shuffled, 4, trim, codec) == combine(rule, sent, 4, trim, codec)


def test_mean_rounds_half_away_from_zero_on_both_sides(backend: str) -> None:
    assert combine("mean", [send([1, -1, 2, 100, -3]), send([2, -2, 2, -101, 0])], 5, 0) == [2, -2, 2, -1, -2]


def test_coarser_payload_rounds_the_finer_one_half_to_even(backend: str) -> None:
    fine, coarse = [1, 2, 3, -1, -2, -3, 5, 6], [256] + 7 * [0]
    assert combine("mean", [send(fine), send(coarse)], 8, 0) == [128, 0, 2, 0, 0, -2, 2, 4]


def test_even_count_has_the_mean_of_both_middles_for_its_median(backend: str) -> None:
    assert combine("median", [send([value]) for value in (1, 5, 8, 100)], 1, 0) == [7]
    assert combine("median", [send([value]) for value in (-1, -5, -8, -100)], 1, 1) == [-7]


def test_trimmed_mean_ignores_one_absurd_worker_where_the_mean_does_not(backend: str) -> None:
    sent = [send([100]), send([101]), send([102]), send([2**32 - 1])]
    assert combine("trimmed_mean", sent, 1, 1) == [102]
    assert combine("mean", sent, 1, 1)[0] > 10**9


def test_trim_that_would_leave_nothing_becomes_the_median(backend: str) -> None:
    assert combine("trimmed_mean", [send([5]), send([1]), send([9])], 1, 64) == [5]
    assert combine("trimmed_mean", [send([5]), send([1]), send([9]), send([7])], 1, 2) == [6]


@pytest.mark.parametrize("codec", payload.CODECS)
@pytest.mark.parametrize("rule", [rule for rule in aggregate.RULES if not rule.endswith("sign_vote")])
def test_copies_of_one_payload_give_it_back(rule: str, codec: str) -> None:
    """Centred clipping rounds n shares of 2**14 down; four share it evenly."""
    sent = draw_long("copies", 300, 1, codec)[0]
    for workers in (1, 2, 4):
        assert combine(rule, [sent] * workers, 300, 1, codec) == read(sent, 300, codec)[2]


@pytest.mark.parametrize("rule", aggregate.RULES)
def test_nothing_but_zeros_gives_zeros(rule: str, backend: str) -> None:
    for workers in (1, 2, 3, 64):
        assert combine(rule, [send([0, 0])] * workers, 2, workers // 3) == [0, 0]


@pytest.mark.parametrize("codec", payload.CODECS)
@pytest.mark.parametrize("rule", aggregate.RULES)
def test_largest_of_everything_stays_exact(rule: str, codec: str, backend: str) -> None:
    """64 workers at the highest exponents: the bounds of section 12."""
    high, low = send([2**32 - 1, 1 - 2**32], codec), send([1 - 2**32, 2**32 - 1], codec)
    for sent in ([high] * 64, [high] * 33 + [low] * 31, [high] * 21 + [low] * 22 + [send([0, 0], codec)] * 21):
        found = combine(rule, sent, 2, 16, codec)
        assert found == expect(rule, sent, 2, 16, codec)
        assert all(abs(value) <= 127 * 2**25 for value in found)


def read_aligned(sent: list[bytes], count: int, dropped: int, codec: str) -> tuple[list[list[int]], list[int]]:
    """(aligned rows scaled to the delta's units, in the order given; the grid)."""
    parts = [read(item, count, codec) for item in sent]
    grid = plain.compute_grid([part[1] for part in parts], dropped, plain.HEADROOM[codec])
    return plain.scale_rows([plain.align(part[2], grid) for part in parts], grid), grid


@settings(deadline=None, max_examples=60)
@given(honest=st.lists(draw_values(2), min_size=3, max_size=7), liars=st.lists(draw_values(2), min_size=1, max_size=2),
       rule=st.sampled_from(("trimmed_mean", "median")), codec=codecs_drawn)
def test_liars_cannot_leave_the_range_of_honest_values_nor_raise_the_grid(
    honest: list[list[int]], liars: list[list[int]], rule: str, codec: str
) -> None:
    sent = [send(delta, codec) for delta in honest + liars]
    rows, grid = read_aligned(sent, 2, len(liars), codec)
    found = combine(rule, sent, 2, len(liars), codec)
    for value, column in zip(found, zip(*rows[:len(honest)])):
        assert min(column) <= value <= max(column)
    _, honest_grid = read_aligned(sent[:len(honest)], 2, 0, codec)
    assert grid[0] <= honest_grid[0]
    clipped = [item for item in sent[:len(honest)] if read(item, 2, codec)[1][0] > grid[0] + plain.HEADROOM[codec]]
    assert len(clipped) <= len(liars)


@QUICK
@given(centre=draw_values(6), liar=draw_values(6), codec=st.sampled_from(("int8/256", "int4/256")))
def test_fewer_liars_than_copies_of_the_truth_have_no_part_in_the_answer(
    centre: list[int], liar: list[int], codec: str
) -> None:
    """Seven copies of the truth and three of anything else: the answer is the truth, as the grid has it."""
    sent = [send(centre, codec)] * 7 + [send(liar, codec)] * 3
    rows, _ = read_aligned(sent, 6, 3, codec)
    for rule in ("trimmed_mean", "median", "krum", "multi_krum"):
        for mixing in ("", "nnm+"):
            assert combine(mixing + rule, sent, 6, 3, codec) == rows[0], mixing + rule


def test_krum_takes_a_member_of_the_honest_cluster_and_not_the_copies_of_a_liar(backend: str) -> None:
    honest = [send([1000 + noise, 1000 - noise]) for noise in (0, 7, -9, 4, -3, 8, -6)]
    found = combine("krum", [*honest, *[send([-1000, -1000])] * 2], 2, 2)
    assert found in [read(item, 2, CODEC)[2] for item in honest]


@QUICK
@given(squares=st.lists(st.integers(0, 2**92), min_size=1, max_size=64))
def test_no_row_weighs_more_than_the_median_length_after_clipping(squares: list[int]) -> None:
    middle = sorted(squares)[(len(squares) - 1) // 2]
    for square, weight in zip(squares, rules.weigh_by_length(squares)):
        assert 0 <= weight <= 2**14 and weight * weight * square <= 2**28 * middle
        assert weight == 2**14 or (weight + 1) ** 2 * square > 2**28 * middle


@QUICK
@given(rows=st.lists(st.lists(st.integers(-127 * 2**25, 127 * 2**25), min_size=2, max_size=2), min_size=1, max_size=64))
def test_weights_stay_in_the_ranges_that_sums_of_32_bits_bear(rows: list[list[int]]) -> None:
    gram = [[sum(a * b for a, b in zip(left, right)) << 24 for right in rows] for left in rows]
    found = rules.weigh_by_distance(gram)
    assert max(found) == 2**14 and min(found) >= 0
    centred = rules.weigh_by_clipping(gram)
    assert min(centred) >= 0 and sum(centred) <= 2**14


NO_RULES = (None, b"mean", "Mean", np.array("mean"), np.array(["mean", "krum"]), ["mean"])


@pytest.mark.parametrize("rule", NO_RULES, ids=repr)
def test_rule_is_a_name_and_nothing_that_compares_like_one(rule: object) -> None:
    sent = [payload.encode(bytes(8), 1, samples.SEED, CODEC)]
    for call in (lambda: aggregate.aggregate(rule, sent, 1, 0, CODEC), lambda: aggregate.payloads_needed(rule, 0),
                 lambda: aggregate.cost(rule, 1, 1, CODEC), lambda: aggregate.is_suited(rule, CODEC)):
        with pytest.raises(KernelInputError, match="rule must be one of"):
            call()


def test_rules_keep_their_places_and_names() -> None:
    """Contracts name them for ever: the list only grows."""
    plain_rules = ("mean", "trimmed_mean", "median", "krum", "multi_krum", "geometric_median", "clipped_mean",
                   "centered_clip", "sign_vote")
    assert aggregate.RULES[:18] == (*plain_rules, *("nnm+" + rule for rule in plain_rules))


@pytest.mark.parametrize("rule, trim, needed", [
    ("mean", 0, 1), ("trimmed_mean", 0, 1), ("trimmed_mean", 3, 7), ("krum", 0, 3), ("multi_krum", 2, 7),
    ("nnm+krum", 1, 5), ("nnm+trimmed_mean", 1, 3), ("nnm+mean", 2, 5), ("sign_vote", 4, 9),
])
def test_payloads_needed_leave_an_honest_majority_and_krum_its_neighbours(rule: str, trim: int, needed: int) -> None:
    assert aggregate.payloads_needed(rule, trim) == needed


@pytest.mark.parametrize("rule", aggregate.RULES)
def test_cost_grows_with_payloads_and_parameters_and_with_what_a_rule_does(rule: str) -> None:
    costs = [aggregate.cost(rule, workers, 1000, CODEC) for workers in range(1, 65)]
    assert sorted(dict.fromkeys(costs)) == costs and costs[0] > 0
    assert aggregate.cost(rule, 9, 2000, CODEC) > aggregate.cost(rule, 9, 1000, CODEC)
    mixed = "nnm+" + rule.removeprefix("nnm+")
    assert rule == mixed or aggregate.cost(mixed, 9, 1000, CODEC) > costs[8]


@pytest.mark.parametrize("rule, sent, trim", [
    ("mode", [b"\x00\x01"], 0), ("mean", [], 0), ("mean", [b"\x00\x01"] * 65, 0), ("mean", [b"\x00\x80"], 0),
    ("mean", [b"\x00\x01"], -1), ("mean", [b"\x00\x01"], 65), ("mean", (b"\x00\x01",), 0), ("mean", [b"\x00"], 0),
    ("mean", [b"\x00\x01", None], 0), ("nnm+nnm+mean", [b"\x00\x01"], 0), (None, [b"\x00\x01"], 0),
    ("nnm+krum", [b"\xff\x01"], 0),
])
def test_bad_aggregation_is_refused(rule: str, sent: list[bytes], trim: int, backend: str) -> None:
    with pytest.raises(KernelInputError):
        aggregate.aggregate(rule, sent, 1, trim, CODEC)


@pytest.mark.parametrize("rule", ["median", "clipped_mean"])
@pytest.mark.parametrize("codec", payload.CODECS)
def test_refusal_names_the_payload_by_its_place_in_the_list(codec: str, rule: str) -> None:
    good = send([5] * 300, codec)
    for bad in (b"\xff" + good[1:], good + b"\0"):
        with pytest.raises(KernelInputError, match=r"^payloads\[1\] (has|must have) "):
            aggregate.aggregate(rule, [good, bad, good], 300, 1, codec)


@pytest.mark.parametrize("rule", aggregate.SPARSE_RULES)
def test_rule_that_needs_no_stack_gives_what_the_stack_gives(rule: str) -> None:
    """A sparse payload's entries alone, in two regions, against all coordinates of all workers."""
    codec, count = "top64/4096", 70001
    sent = draw_long("sparse", count, 5, codec)
    dropped = 0 if rule == "mean" else 1
    for name in ("ref", "cpu"):
        with dispatch.forced(name):
            stack = aggregate.build_stack(sent, count, codec, dropped)
            expected = aggregate.reduce_stack(rule, stack, dropped)
            assert combine(rule, sent, count, 1, codec) == expected.tolist()
