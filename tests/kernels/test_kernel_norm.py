"""The norm and its slope are the reference's, for every shape, exponent and magnitude."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from test_kernel_backends import POISON, assert_backends_agree

from kernels import array_samples, dispatch, norm
from kernels.tensor import Tensor


@POISON
@given(rows=st.integers(1, 5), width=st.integers(1, 140), exponent=st.integers(-60, 60), bits=st.integers(1, 23),
       is_wide=st.booleans(), slope_bits=st.integers(1, 28), label=st.text("ab", max_size=4))
def test_norm_of_any_shape_and_exponent_is_equal_on_both_backends(
    poisoned: None, rows: int, width: int, exponent: int, bits: int, is_wide: bool, slope_bits: int, label: str
) -> None:
    def run() -> bytes:
        op, shape = dispatch.implementation("norm"), (rows, width)
        h = array_samples.draw_array(label, shape, bits)
        y, r = op.forward(h)
        most, stored = (slope_bits + 8, "<i8") if is_wide else (slope_bits, "<i4")
        x = Tensor(array_samples.draw_array(label + " x", shape, most, stored), exponent)
        dh = Tensor(array_samples.draw_array(label + " dh", shape, 30), norm.SLOPE_EXPONENT)
        return array_samples.join_bytes(y, r, op.backward(x, h, r, None), op.backward(x, h, r, dh))

    assert_backends_agree(run)


def test_slope_reports_its_magnitude() -> None:
    with dispatch.forced("cpu"):
        op = dispatch.implementation("norm")
        h = array_samples.draw_array("h", (3, 40), 20)
        x = Tensor(array_samples.draw_array("x", (3, 40), 20), 25)
        slope = op.backward(x, h, op.forward(h)[1], None)
        assert slope.magnitude == abs(slope.values).max()


def test_root_is_the_floor_beside_every_square() -> None:
    from kernels.norm import cpu

    for root in (1, 2, 207, 2**13 - 1, 2**22, 2**23 - 1, 2**25, 2**26 - 1):
        for value in (root * root - 1, root * root, root * root + 1):
            assert cpu.root64(value) == (root - 1 if value < root * root else root)
