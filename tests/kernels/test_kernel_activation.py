"""relu squared and its slope are the reference's, for every shape, exponent and magnitude."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from test_kernel_backends import POISON, assert_backends_agree

from kernels import array_samples, dispatch
from kernels.tensor import Tensor


@POISON
@given(rows=st.integers(1, 5), width=st.integers(1, 140), exponent=st.integers(-12, 29), bits=st.integers(1, 28),
       is_wide=st.booleans(), slope_exponent=st.integers(-40, 48), label=st.text("ab", max_size=4))
def test_activation_of_any_shape_and_exponent_is_equal_on_both_backends(
    poisoned: None, rows: int, width: int, exponent: int, bits: int, is_wide: bool, slope_exponent: int, label: str
) -> None:
    def run() -> bytes:
        op, shape = dispatch.implementation("activation"), (rows, width)
        a, saved = op.forward(Tensor(array_samples.draw_array(label, shape, bits), exponent))
        most, stored = (bits + 8, "<i8") if is_wide else (bits, "<i4")
        x = Tensor(array_samples.draw_array(label + " x", shape, most, stored), slope_exponent)
        return array_samples.join_bytes(a, op.backward(x, saved))

    assert_backends_agree(run)


def test_activation_of_nothing_positive_is_zero(poisoned: None) -> None:
    def run() -> bytes:
        op = dispatch.implementation("activation")
        a, saved = op.forward(Tensor(array_samples.fill_array(-5, (2, 3)), 20))
        return array_samples.join_bytes(a, op.backward(Tensor(array_samples.fill_array(9, (2, 3)), 20), saved))

    assert_backends_agree(run)
