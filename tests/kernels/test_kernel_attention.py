"""Attention and its slope are the reference's, for every shape, exponent and magnitude; both softmax paths."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_kernel_backends import POISON, assert_backends_agree

from kernels import array_samples, attention, dispatch
from kernels.attention import Keys, Shape
from kernels.tensor import Tensor

KEYS = Keys((3, 4), (0, 0xFFFFFFFF), (0x12345678, 0x9ABCDEF0))


def run_attention(
    label: str, shape: Shape, rotary: bool, bits: int, exponent: int, slope_bits: int, slope_exponent: int
) -> bytes:
    op = dispatch.implementation("attention")
    rows, width = shape.batch * shape.length, shape.heads * shape.head_dim
    x = Tensor(array_samples.draw_array(label, (rows, 3 * width), bits), exponent)
    o, saved = op.forward(x, shape, rotary)
    stored = "<i8" if slope_bits > 28 else "<i4"
    slope = Tensor(array_samples.draw_array(label + " x", (rows, width), slope_bits, stored), slope_exponent)
    return array_samples.join_bytes(o, op.backward(slope, saved, KEYS))


@POISON
@given(batch=st.integers(1, 3), length=st.integers(1, 37), heads=st.integers(1, 3),
       head_dim=st.sampled_from(attention.HEAD_DIMS[:4]), rotary=st.booleans(), bits=st.integers(1, 28),
       exponent=st.integers(-7, 29), slope_bits=st.integers(1, 36), slope_exponent=st.integers(-12, 44),
       label=st.text("ab", max_size=4))
def test_attention_of_any_shape_and_exponent_is_equal_on_both_backends(
    poisoned: None, batch: int, length: int, heads: int, head_dim: int, rotary: bool, bits: int, exponent: int,
    slope_bits: int, slope_exponent: int, label: str,
) -> None:
    shape = Shape(batch, length, heads, head_dim)
    assert_backends_agree(
        lambda: run_attention(label, shape, rotary, bits, exponent, slope_bits, slope_exponent)
    )


@pytest.mark.parametrize("head_dim", attention.HEAD_DIMS)
@pytest.mark.parametrize("exponent", range(-8, 30, 3))
def test_softmax_of_every_exponent_is_equal_on_both_backends(poisoned: None, head_dim: int, exponent: int) -> None:
    """Exponents of the scores run from where every difference is the largest power to where none matters."""
    assert_backends_agree(lambda: run_attention("soft", Shape(1, 6, 1, head_dim), False, 9, exponent, 20, 30))


@pytest.mark.parametrize("head_dim", attention.HEAD_DIMS)
def test_powers_stay_in_32_bits_wherever_the_narrow_path_is_taken(head_dim: int) -> None:
    from kernels.attention import cpu

    factor, furthest = attention.POWER_SCALES[head_dim], 2 * head_dim * 127**2
    taken = []
    for shift in range(-60, 61):
        cap, is_narrow = cpu.find_cap(head_dim, shift)
        if not is_narrow:
            continue
        taken.append(shift)
        half = (1 << shift) >> 1
        assert cap * factor < 2**32 - 1
        assert cap == furthest or (cap * factor + half) >> shift >= attention.POWER_MAX
    assert set(range(18)) <= set(taken)
