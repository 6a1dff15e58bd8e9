"""The embedding and its gradients are the reference's, for every shape and for repeated tokens."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from test_kernel_backends import POISON, assert_backends_agree

from kernels import array_samples, dispatch, norm
from kernels.tensor import Tensor


@POISON
@given(batch=st.integers(1, 4), length=st.integers(1, 9), context=st.integers(0, 3), width=st.integers(1, 40),
       vocab=st.integers(2, 300), has_positions=st.booleans(), bits=st.integers(1, 31),
       exponent=st.integers(-30, 50), is_wide=st.booleans(), label=st.text("ab", max_size=4))
def test_embedding_of_any_shape_is_equal_on_both_backends(
    poisoned: None, batch: int, length: int, context: int, width: int, vocab: int, has_positions: bool, bits: int,
    exponent: int, is_wide: bool, label: str,
) -> None:
    def run() -> bytes:
        op = dispatch.implementation("embedding")
        tokens = array_samples.draw_tokens(label, batch, length, vocab)
        embed = array_samples.draw_array(label + " e", (vocab, width), bits)
        positions = array_samples.draw_array(label + " p", (length + context, width), bits) if has_positions else None
        dh = Tensor(array_samples.draw_array(label + " dh", (batch * length, width), 30), norm.SLOPE_EXPONENT)
        most, stored = (36, "<i8") if is_wide else (28, "<i4")
        head = Tensor(array_samples.draw_array(label + " head", (vocab, width), most, stored), exponent)
        gradients = op.backward(dh, tokens, vocab, has_positions)
        return array_samples.join_bytes(op.forward(embed, positions, tokens), *gradients, op.add(gradients[0], head))

    assert_backends_agree(run)
