"""Mean and trimmed mean against plain Python, and their independence of order."""

from __future__ import annotations

import itertools
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kernels import aggregate, payload, samples
from kernels.errors import KernelInputError

CODEC = "int8/256"


def send(delta: list[int]) -> bytes:
    return payload.encode(samples.pack(delta, 8), len(delta), samples.SEED, CODEC)


def combine(rule: str, sent: list[bytes], count: int, trim: int) -> list[int]:
    data = aggregate.aggregate(rule, sent, count, trim, CODEC)
    return [value for (value,) in struct.iter_unpack("<q", data)]


@settings(deadline=None)
@given(deltas=st.lists(st.lists(st.integers(1 - 2**32, 2**32 - 1), min_size=3, max_size=3), min_size=1, max_size=8),
       trim=st.integers(0, 5))
def test_trimmed_mean_is_what_plain_python_computes(deltas: list[list[int]], trim: int) -> None:
    sent = [send(delta) for delta in deltas]
    decoded = [struct.unpack("<3q", payload.decode(item, 3, CODEC)) for item in sent]
    dropped = trim if 2 * trim < len(sent) else (len(sent) - 1) // 2
    expected = []
    for column in zip(*decoded):
        kept = sorted(column)[dropped:len(column) - dropped]
        size = (2 * abs(sum(kept)) + len(kept)) // (2 * len(kept))
        expected.append(-size if sum(kept) < 0 else size)
    assert combine("trimmed_mean", sent, 3, trim) == expected


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
    ("median", [b"\x00\x01"], 0), ("mean", [], 0), ("mean", [b"\x00\x01"] * 65, 0), ("mean", [b"\x00\x80"], 0),
    ("mean", [b"\x00\x01"], -1), ("mean", [b"\x00\x01"], 65), ("mean", (b"\x00\x01",), 0), ("mean", [b"\x00"], 0),
])
def test_bad_aggregation_is_refused(rule: str, sent: list[bytes], trim: int) -> None:
    with pytest.raises(KernelInputError):
        aggregate.aggregate(rule, sent, 1, trim, CODEC)
