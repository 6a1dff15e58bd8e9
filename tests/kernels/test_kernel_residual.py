"""The residual sum of every exponent and magnitude is the reference's."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from test_kernel_backends import POISON, assert_backends_agree

from kernels import array_samples, dispatch, norm
from kernels.tensor import Tensor


@POISON
@given(rows=st.integers(1, 5), width=st.integers(1, 70), exponent=st.integers(-60, 60), bits=st.integers(1, 28),
       label=st.text("ab", max_size=4))
def test_sum_of_any_shape_and_exponent_is_equal_on_both_backends(
    poisoned: None, rows: int, width: int, exponent: int, bits: int, label: str
) -> None:
    def run() -> bytes:
        h = array_samples.draw_array(label, (rows, width), 23)
        x = Tensor(array_samples.draw_array(label + " x", (rows, width), bits), exponent)
        return array_samples.join_bytes(dispatch.implementation("residual").add(h, x))

    assert_backends_agree(run)


def test_sum_at_the_ends_of_its_range_is_equal_on_both_backends(poisoned: None) -> None:
    def run() -> bytes:
        results = []
        for sign in (-1, 1):
            for exponent in (-24, 15, 16, 17, 46, 47, 48, 49):
                h = array_samples.fill_array(norm.STREAM_MAX, (2, 3))
                x = Tensor(array_samples.fill_array(sign * (2**31 - 2), (2, 3)), exponent)
                results.append(dispatch.implementation("residual").add(h, x))
        return array_samples.join_bytes(*results)

    assert_backends_agree(run)
