"""Every rule of aggregation against exact fractions, its independence of order, its ends and what it withstands."""

from __future__ import annotations

import itertools
import struct

import plain_aggregate as plain
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kernels import aggregate, dispatch, payload, samples
from kernels.errors import KernelInputError

CODEC = "int8/256"
QUICK = settings(deadline=None, max_examples=30)


def send(delta: list[int]) -> bytes:
    return payload.encode(samples.pack(delta, 8), len(delta), samples.SEED, CODEC)


def combine(rule: str, sent: list[bytes], count: int, trim: int) -> list[int]:
    data = aggregate.aggregate(rule, sent, count, trim, CODEC)
    return [value for (value,) in struct.iter_unpack("<q", data)]


def expect(rule: str, sent: list[bytes], count: int, trim: int) -> list[int]:
    blocks = (count + 255) // 256
    parts = [(item, list(item[:blocks]), list(struct.unpack(f"<{count}q", payload.decode(item, count, CODEC))))
             for item in sent]
    return plain.aggregate(rule, parts, CODEC, trim)


def draw_deltas(count: int, workers: int = 9) -> st.SearchStrategy[list[list[int]]]:
    """Deltas of every magnitude, zeros and copies among them."""
    size = st.integers(0, 32)
    value = size.flatmap(lambda bits: st.integers(-2**bits + 1, 2**bits - 1) if bits else st.just(0))
    delta = st.lists(value, min_size=count, max_size=count)
    return st.lists(delta, min_size=1, max_size=workers).flatmap(
        lambda drawn: st.lists(st.sampled_from(drawn), min_size=1, max_size=workers))


@pytest.mark.parametrize("rule", aggregate.RULES)
@QUICK
@given(deltas=draw_deltas(3), trim=st.integers(0, 5))
def test_rule_is_what_exact_fractions_give(rule: str, deltas: list[list[int]], trim: int) -> None:
    sent = [send(delta) for delta in deltas]
    expected = expect(rule, sent, 3, trim)
    for name in ("ref", "cpu"):
        with dispatch.forced(name):
            assert combine(rule, sent, 3, trim) == expected


def test_mean_rounds_half_away_from_zero_on_both_sides(backend: str) -> None:
    assert combine("mean", [send([1, -1, 2, 100, -3]), send([2, -2, 2, -101, 0])], 5, 0) == [2, -2, 2, -1, -2]


@pytest.mark.parametrize("rule", aggregate.RULES)
def test_order_of_payloads_does_not_matter(rule: str, backend: str) -> None:
    sent = [send([10**8 * sign + worker, worker, -worker]) for worker, sign in enumerate((1, -1, 1, 0, 1))]
    answers = {tuple(combine(rule, list(order), 3, 1)) for order in itertools.permutations(sent)}
    assert len(answers) == 1


def test_trimmed_mean_ignores_one_absurd_worker_where_the_mean_does_not(backend: str) -> None:
    sent = [send([100]), send([101]), send([102]), send([2**32 - 1])]
    assert combine("trimmed_mean", sent, 1, 1) == [102]
    assert combine("mean", sent, 1, 1)[0] > 10**9


def test_trim_that_would_leave_nothing_becomes_the_median(backend: str) -> None:
    assert combine("trimmed_mean", [send([5]), send([1]), send([9])], 1, 64) == [5]
    assert combine("trimmed_mean", [send([5]), send([1]), send([9]), send([7])], 1, 2) == [6]


@pytest.mark.parametrize("rule, sent, trim", [
    ("mode", [b"\x00\x01"], 0), ("mean", [], 0), ("mean", [b"\x00\x01"] * 65, 0), ("mean", [b"\x00\x80"], 0),
    ("mean", [b"\x00\x01"], -1), ("mean", [b"\x00\x01"], 65), ("mean", (b"\x00\x01",), 0), ("mean", [b"\x00"], 0),
])
def test_bad_aggregation_is_refused(rule: str, sent: list[bytes], trim: int) -> None:
    with pytest.raises(KernelInputError):
        aggregate.aggregate(rule, sent, 1, trim, CODEC)
