"""The outer step: averaging, momentum, and saturation instead of overflow."""

from __future__ import annotations

import struct

import pytest

from kernels import dispatch, outer, samples, threads
from kernels.errors import KernelInputError
from kernels.gemm import engine

ONE = 65536


def step(
    weights: list[int], momentum: list[int], delta: list[int], rate: int, decay: int
) -> tuple[list[int], list[int]]:
    packed = samples.pack(weights, 4), samples.pack(momentum, 8), samples.pack(delta, 8)
    after, velocity = outer.outer_step(*packed, rate, decay)
    return list(struct.unpack(f"<{len(weights)}i", after)), list(struct.unpack(f"<{len(weights)}q", velocity))


def test_rate_one_without_momentum_adds_the_mean_delta(backend: str) -> None:
    assert step([10, -10, 0], [0, 0, 0], [5, -7, 9], ONE, 0) == ([15, -17, 9], [5, -7, 9])


def test_nesterov_looks_ahead_by_the_decayed_momentum(backend: str) -> None:
    # velocity 100/2 + 10 = 60; ahead 60/2 + 10 = 40; times 0.5
    assert step([1000], [100], [10], ONE // 2, ONE // 2) == ([1020], [60])


def test_weights_and_momentum_saturate(backend: str) -> None:
    high, low = 2**31 - 1, -2**31
    largest = 2**32 - 1
    weights, momentum = step([high, low], [2**40, -2**40], [largest, -largest], 2**20, 65535)
    assert weights == [high, -high]
    assert momentum == [2**40, -2**40]


@pytest.mark.parametrize("weights, momentum, delta, rate, decay", [
    (b"", b"", b"", 0, 0), (bytes(3), bytes(8), bytes(8), 0, 0), (bytes(4), bytes(7), bytes(8), 0, 0),
    (bytes(4), bytes(8), bytes(9), 0, 0), (bytes(4), bytes(8), bytes(8), 2**20 + 1, 0),
    (bytes(4), bytes(8), bytes(8), 0, ONE),
    (bytes(4), bytes(8), bytes(8), -1, 0), (bytes(4), bytes(8), (2**32).to_bytes(8, "little"), 0, 0),
    (bytes(4), (2**40 + 1).to_bytes(8, "little"), bytes(8), 0, 0), (bytes(4), bytes(7) + b"\x80", bytes(8), 0, 0),
    (bytes(4), samples.pack([-2**40 - 1], 8), bytes(8), 0, 0), (bytes(4), bytes(8), samples.pack([-2**32], 8), 0, 0),
    (bytes(4), bytes(8), bytes(8), True, 0), (bytes(4), bytes(8), bytes(8), 0.5, 0),
])
def test_bad_outer_step_is_refused(weights: bytes, momentum: bytes, delta: bytes, rate: int, decay: int) -> None:
    with pytest.raises(KernelInputError):
        outer.outer_step(weights, momentum, delta, rate, decay)


@pytest.mark.parametrize("count", ["1", "2", "3"])
def test_number_of_threads_changes_no_parameter(
    poisoned: None, monkeypatch: pytest.MonkeyPatch, count: str
) -> None:
    monkeypatch.setenv(engine.THREADS_VARIABLE, count)
    monkeypatch.setattr(threads, "SPAN_COST_MIN", 2**8)
    size = 5000
    widths = (4, 31), (8, 40), (8, 32)
    weights, momentum, delta = (samples.sample_ints(f"outer {width}", size, *width) for width in widths)
    results = []
    for name in ("ref", "cpu"):
        with dispatch.forced(name):
            results.append(outer.outer_step(weights, momentum, delta, 45875, 32768))
    assert results[0] == results[1]
