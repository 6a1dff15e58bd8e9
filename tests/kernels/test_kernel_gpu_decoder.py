"""A decoder's ops, blocks and units in Triton's interpreter: equal to the reference to the bit, in poisoned memory."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

pytest.importorskip("triton", reason="Triton has no wheel for this system")

import triton.language as tl  # noqa: E402

from kernels import attention, device, dispatch, exact, selftest  # noqa: E402
from kernels.array_samples import draw_array, draw_tokens, join_bytes  # noqa: E402
from kernels.attention import gpu_scores  # noqa: E402
from kernels.attention.ref import compute_weights  # noqa: E402
from kernels.device import jit  # noqa: E402
from kernels.samples import Case  # noqa: E402
from kernels.tensor import Tensor  # noqa: E402

pytestmark = pytest.mark.usefixtures("poisoned")
OPS = ("activation", "attention", "embedding", "norm", "residual")
STEPS = [f"decoder/{name}" for name in (
    "unit_tied", "unit_rotary", "unit_tied_rotary_wide", "unit_odd", "unit_one_token",
    "block", "block_rotary", "block_wide", "block_large", "first_block", "last_block",
)]
CASES = {name: case for name, case in selftest.CASES.items() if name.split("/")[0] in OPS}
KEYS = attention.Keys((1, 2**32 - 1), (2**31, 16), (77, 1))


def assert_equal_to_ref(case: Case) -> None:
    with dispatch.forced("ref"):
        expected = case()
    with dispatch.forced("gpu"):
        assert case() == expected


@pytest.mark.parametrize("name", CASES)
def test_case_of_a_decoders_op_is_equal_on_the_gpu_back_end(name: str) -> None:
    assert_equal_to_ref(CASES[name])


@pytest.mark.parametrize("name", STEPS)
def test_units_and_single_blocks_of_decoders_are_equal_on_the_gpu_back_end(name: str) -> None:
    """Learned and rotary positions, tied and untied, wide slopes, every optimiser; streams at a stage's boundaries."""
    assert_equal_to_ref(selftest.CASES[name])


@jit
def weigh_differences(
    below: tl.tensor, exponents: tl.tensor, out: tl.tensor, factor: tl.constexpr, block: tl.constexpr
) -> None:
    """The weights of differences of scores."""
    index = tl.arange(0, block)
    limit, scale, split, half, rest = gpu_scores.prepare_powers(exponents, factor)
    tl.store(out + index, gpu_scores.weigh(tl.load(below + index), limit, scale, split, half, rest))


def find_weights(below: NDArray[np.int32], exponent: int, head_dim: int) -> NDArray[np.int64]:
    """The reference's weights of one score beside the largest, which is zero."""
    scores = np.zeros((len(below), 2, 2), dtype=np.int64)
    scores[:, 1, 1] = -below.astype(np.int64)
    return compute_weights(Tensor(scores, exponent), head_dim)[:, 1, 1]


@pytest.mark.parametrize("head_dim", [8, 256])
def test_weights_of_32_bits_are_those_of_the_text_at_every_exponent(head_dim: int) -> None:
    largest = 2 * head_dim * 127**2
    drawn = np.random.default_rng(head_dim)
    below = drawn.integers(0, largest + 1, 1024) >> drawn.integers(0, 23, 1024)
    below[:258] = [largest, largest - 1, *range(256)]
    below = below.astype(np.int32)
    for exponent in range(-50, 49):
        out = device.new_array(1024, np.int32)
        device.launch(weigh_differences, (1,), below, np.array([exponent - 9, 9], dtype=np.int32), out,
                      factor=attention.POWER_SCALES[head_dim], block=1024)
        assert (out == find_weights(below, exponent, head_dim)).all()


@pytest.mark.parametrize("width", [40, 96])
def test_rows_and_columns_cut_into_many_blocks_give_the_same(width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(device, "ELEMENTS_INTERPRETED", 64)

    def run() -> bytes:
        op = {name: dispatch.implementation(name) for name in OPS}
        tokens = draw_tokens("blocks", 2, 3, 5)
        table, positions = draw_array("table", (5, width), 26), draw_array("positions", (3, width), 26)
        h = op["embedding"].forward(table, positions, tokens)
        y, r = op["norm"].forward(h)
        slope = Tensor(draw_array("slope", (6, width), 28), 27)
        dh = op["norm"].backward(slope, h, r, None)
        dh = op["norm"].backward(slope, h, r, dh)
        a, saved = op["activation"].forward(Tensor(draw_array("sums", (6, width), 28), 20))
        results = h, y, r, dh, a, op["activation"].backward(slope, saved), op["residual"].add(h, slope)
        return join_bytes(*results, *op["embedding"].backward(dh, tokens, 5, True))

    assert_equal_to_ref(run)


@pytest.mark.parametrize("length", [64, 65, 130])
def test_attention_over_several_blocks_of_rows_and_columns_is_equal(length: int) -> None:
    def run() -> bytes:
        op = dispatch.implementation("attention")
        shape = attention.Shape(1, length, 2, 16)
        o, saved = op.forward(Tensor(draw_array("x", (length, 96), 20), 14), shape, True)
        return join_bytes(o, op.backward(Tensor(draw_array("slope", (length, 32), 26), 24), saved, KEYS))

    assert_equal_to_ref(run)


def test_sums_by_token_do_not_depend_on_the_order_of_programs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(device, "ELEMENTS_INTERPRETED", 16)
    dh = np.random.default_rng(3).integers(-2**30 + 1, 2**30, (40, 8)).astype(np.int32)
    tokens = np.random.default_rng(4).integers(0, 3, (40, 1)).astype(np.uint16)
    order = np.random.default_rng(5).permutation(40)
    from kernels.embedding import gpu as op
    first, _ = op.backward(Tensor(dh, 20), tokens, 3, False)
    second, _ = op.backward(Tensor(dh[order], 20), tokens[order], 3, False)
    assert (first.values == second.values).all()
    by_token = np.stack([dh[tokens[:, 0] == token].astype(np.int64).sum(axis=0) for token in range(3)])
    assert (first.values == exact.scale(by_token, -4)).all()
