"""Sampling: tokens come as often as their weights say, ties and ends by the exact rules, everything from the seed."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernels import dispatch, generate
from kernels.samples import SEED, pack, sample

ONE = 65536
DRAWS = 12_000
# Of chi-square with n degrees of freedom, the value that one in a million exceeds.
LIMITS = {1: 23.93, 2: 27.63, 4: 33.38, 7: 40.52}


@pytest.fixture(autouse=True)
def on_cpu() -> Iterator[None]:
    """Tests that name no back end run on this one, without a self-test."""
    with dispatch.forced("cpu"):
        yield


def draw(logits: list[int], seed: bytes, tau: int = ONE, top_k: int = 0, count: int = DRAWS) -> Counter[int]:
    packed = pack(logits, 4)
    return Counter(generate.sample(packed, seed, position, tau, top_k) for position in range(count))


def chi_square(drawn: Counter[int], shares: list[float]) -> float:
    total = sum(drawn.values())
    return sum((drawn[token] - total * share)**2 / (total * share) for token, share in enumerate(shares) if share)


def softmax(logits: list[int], tau: int = ONE) -> list[float]:
    grown = [math.exp((logit - max(logits)) / tau) for logit in logits]
    return [one / sum(grown) for one in grown]


@pytest.mark.parametrize("tau", [ONE // 2, ONE, 3 * ONE])
@pytest.mark.parametrize("label", ["one", "two"])
def test_tokens_come_as_often_as_the_softmax_says(label: str, tau: int) -> None:
    logits = [0, ONE // 2, -ONE, ONE, ONE // 3, -ONE // 3, ONE // 4, ONE]
    drawn = draw(logits, sample(label, 32), tau)
    assert chi_square(drawn, softmax(logits, tau)) < LIMITS[7]


def test_the_test_of_shares_fails_for_a_temperature_a_little_off() -> None:
    logits = [0, ONE // 2, -ONE, ONE, ONE // 3, -ONE // 3, ONE // 4, ONE]
    drawn = draw(logits, sample("one", 32))
    assert chi_square(drawn, softmax(logits, ONE * 5 // 4)) > LIMITS[7]
    assert chi_square(drawn, softmax(logits[:-1] + [ONE - ONE // 8])) > LIMITS[7]


def test_top_k_keeps_the_shares_of_those_that_are_left() -> None:
    logits = [3 * ONE, ONE, 2 * ONE, 0, 2 * ONE]
    drawn = draw(logits, sample("top", 32), ONE, 3)
    expected = softmax([3 * ONE, 2 * ONE, 2 * ONE])
    assert sorted(drawn) == [0, 2, 4]
    assert chi_square(drawn, [expected[0], 0, expected[1], 0, expected[2]]) < LIMITS[2]


def test_draws_at_neighbouring_positions_are_independent() -> None:
    """Pairs of draws of a fair coin, the first at an even position."""
    coins = [generate.sample(bytes(8), SEED, position) for position in range(2 * DRAWS)]
    drawn = Counter(2 * first + second for first, second in zip(coins[::2], coins[1::2]))
    assert chi_square(drawn, [0.25] * 4) < LIMITS[4]


def test_equal_logits_are_cut_by_top_k_from_the_lowest_token(backend: str) -> None:
    assert sorted(draw([5, 9, 9, 9, 5, 9], SEED, ONE, 3, 200)) == [1, 2, 3]
    assert sorted(draw([5, 9, 9, 9, 5, 9], SEED, ONE, 5, 400)) == [0, 1, 2, 3, 5]
    assert sorted(draw([7] * 6, SEED, ONE, 2, 200)) == [0, 1]


def test_top_k_of_the_vocabulary_or_more_is_all(backend: str) -> None:
    logits = [ONE, 0, -ONE]
    everything = draw(logits, SEED, ONE, 0, 300)
    assert sorted(everything) == [0, 1, 2]
    for top_k in (3, 4, 65536):
        assert draw(logits, SEED, ONE, top_k, 300) == everything


@pytest.mark.parametrize("logits, best", [([3, 9, 9, 2], 1), ([-2**31] * 3, 0), ([-2**31, 2**31 - 1], 1), ([4], 0)])
def test_greedy_is_the_lowest_token_of_the_largest_logit(logits: list[int], best: int, backend: str) -> None:
    packed = pack(logits, 4)
    for seed in (SEED, sample("other", 32)):
        assert generate.sample(packed, seed, 5, 0) == generate.sample(packed, seed, 5, ONE, 1) == best


def test_coldest_temperature_draws_among_the_largest_alone(backend: str) -> None:
    """At temperature 2**-16 one step of a logit is one nat: 12 steps below nothing is left."""
    assert sorted(draw([8, 9, 9, 2**31 - 1, 0, 2**31 - 1], SEED, 1, 0, 200)) == [3, 5]
    assert sorted(draw([2**31 - 1, -2**31, 2**31 - 13], SEED, 1, 0, 200)) == [0]


def test_hottest_temperature_still_drops_what_is_far_below(backend: str) -> None:
    """At temperature 16 a logit 16 nats below has 1/e of the largest's share; one 200 nats below has none."""
    drawn = draw([0, -16 * ONE, -200 * ONE, -2**31], SEED, 2**20, 0, 4000)
    assert sorted(drawn) == [0, 1]
    assert chi_square(drawn, [1 / (1 + math.exp(-1)), 1 / (1 + math.e)]) < LIMITS[1]


def test_token_of_weight_zero_is_never_drawn(backend: str) -> None:
    logits = [-40 * ONE, 0, -40 * ONE, 0, -40 * ONE]
    assert sorted(draw(logits, SEED, ONE, 0, 500)) == [1, 3]


def test_first_and_last_of_a_large_vocabulary_can_be_drawn() -> None:
    logits = [0] + [-30 * ONE] * 65534 + [0]
    assert sorted(draw(logits, SEED, ONE, 0, 20)) == [0, 65535]


@given(logits=st.lists(st.one_of(st.integers(-2**31, 2**31 - 1), st.integers(-9, 9)), min_size=1, max_size=40),
       tau=st.one_of(st.integers(0, 9), st.integers(0, 2**20)), top_k=st.integers(0, 45),
       position=st.integers(0, 2**32 - 1), seed=st.binary(min_size=32, max_size=32))
def test_any_logits_give_the_same_token_on_every_backend_and_one_of_the_largest_k(
    logits: list[int], tau: int, top_k: int, position: int, seed: bytes
) -> None:
    found = []
    for backend in ("ref", "cpu"):
        with dispatch.forced(backend):
            found.append(generate.sample(pack(logits, 4), seed, position, tau, top_k))
    assert found[0] == found[1]
    if top_k:
        assert found[0] in sorted(range(len(logits)), key=lambda token: (-logits[token], token))[:top_k]
