"""Quantisers: 32-bit lanes give what int64 gives, for every width, shift and end of the range."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_kernel_backends import POISON, assert_backends_agree

from kernels import array_samples, dispatch
from kernels.errors import KernelInputError
from kernels.quantise import cpu, ref
from kernels.tensor import Tensor

int32_drawn = st.one_of(
    st.integers(1 - 2**31, 2**31 - 1), st.integers(-300, 300), st.sampled_from((2**31 - 1, 1 - 2**31))
)
keys_drawn = st.tuples(st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1))


@POISON
@given(values=st.lists(int32_drawn, min_size=1, max_size=70), exponent=st.integers(-60, 55),
       width=st.sampled_from((7, 15)), keys=keys_drawn, clip_bits=st.integers(0, 1), knows=st.booleans())
def test_operands_of_any_values_are_equal_on_both_backends(
    poisoned: None, values: list[int], exponent: int, width: int, keys: tuple[int, int], clip_bits: int, knows: bool
) -> None:
    def run() -> bytes:
        op = dispatch.implementation("quantise")
        magnitude = max(map(abs, values)) if knows else None
        x = Tensor(array_samples.put(np.array([values], dtype="<i4")), exponent, magnitude)
        return array_samples.join_bytes(op.nearest(x, width), op.draw(x, keys, width, clip_bits=clip_bits))

    assert_backends_agree(run)


@pytest.mark.parametrize("value", [2**31 - 1, 1 - 2**31, 2**31 - 2])
@pytest.mark.parametrize("exponent", range(-24, 9))
def test_largest_values_under_a_cap_of_the_shift_keep_their_sign(value: int, exponent: int) -> None:
    """A shift of 1 leaves no bit for what rounding adds."""
    def run() -> bytes:
        x = Tensor(array_samples.put(np.array([value, 1], dtype="<i4")), exponent)
        return array_samples.join_bytes(dispatch.implementation("quantise").nearest(x, lowest=-24))

    assert_backends_agree(run)


@POISON
@given(values=st.lists(st.integers(-2**31, 2**31 - 1), min_size=1, max_size=40))
def test_views_of_any_weights_are_equal_on_both_backends(poisoned: None, values: list[int]) -> None:
    def run() -> bytes:
        weights = array_samples.put(np.array([values], dtype="<i4"))
        return array_samples.join_bytes(dispatch.implementation("quantise").view(weights))

    assert_backends_agree(run)


def test_every_shift_rounds_half_up_and_stays_within_the_operands(backend: str) -> None:
    """Against fractions: the text of the rule, with no integer trick."""
    op = dispatch.implementation("quantise")
    values = [0, 1, -1, 63, 64, 65, -64, 2**20 + 1, -2**20, 2**24 + 2**16, 2**31 - 1, 1 - 2**31]
    for exponent in range(-2, 60):
        x = Tensor(array_samples.put(np.array(values, dtype="<i4")), exponent)
        result = op.nearest(x)
        shift = exponent - result.exponent
        assert shift == max(0, 31 - 7, exponent - 24)
        rounded = [(Fraction(value, 2**shift) + Fraction(1, 2)).__floor__() if shift else value for value in values]
        assert list(result.values) == [min(max(value, -127), 127) for value in rounded]


def test_stochastic_rounding_is_right_on_average() -> None:
    x = Tensor(np.full(40000, 1000 * 2**10 + 300, dtype=np.int32), 20, 127 << 20)
    drawn = cpu.draw(Tensor(x.values, x.exponent, 2**17 - 1), (1, 2), 15)
    assert x.exponent - drawn.exponent == 2
    drawn = cpu.draw(Tensor(x.values, 34, 2**15 - 1), (1, 2), 15)
    assert 34 - drawn.exponent == 10
    share = (drawn.values == 1001).mean()
    assert frozenset(drawn.values.tolist()) == {1000, 1001} and abs(share - 300 / 1024) < 0.01


def test_shift_of_more_bits_than_a_word_has_is_refused() -> None:
    with pytest.raises(KernelInputError, match="at most 55"):
        cpu.draw(Tensor(np.ones(3, dtype=np.int32), 56), (1, 2))


def test_reference_does_not_trust_the_magnitude() -> None:
    x = Tensor(np.array([1000, -5]), 10, 1)
    assert ref.nearest(x).exponent == 7
