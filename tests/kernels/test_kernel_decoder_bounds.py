"""Decoders at the ends of their ranges: nothing overflows, and every back end agrees there too."""

from __future__ import annotations

from dataclasses import replace
from math import isqrt

import numpy as np
import pytest

from kernels import decoder, dispatch, norm, samples, unit
from kernels.array_samples import join_bytes
from kernels.decoder import Decoder
from kernels.decoder.types import KINDS
from kernels.norm import ref as norm_ref
from kernels.tensor import Tensor
from kernels.unit.cases import run

WIDTH = 16384
ENDS = (2**31 - 1, -2**31)
EXTREMES = [
    (Decoder(65536, 3, 8, 1, 3, 1), 2), (Decoder(5, 3, 8, 1, 65536, 1, "rotary"), 2),
    (Decoder(3, 16, 8, 1, 4, 1), 4096), (Decoder(3, 1500, 8, 1, 4, 1, "rotary"), 1),
    (Decoder(4, 5, 256, 1, 7, 1, "rotary"), 3), (Decoder(4, 5, 520, 65, 7, 1), 1), (Decoder(4, 2, 8, 1, 3, 60), 2),
]


def build_rows() -> np.ndarray:
    """Rows of one spike, of the largest value, of either sign, of ones, and of zeros."""
    rows = np.zeros((6, WIDTH), dtype=np.int64)
    rows[0, 5], rows[1] = norm.STREAM_MAX, norm.STREAM_MAX
    rows[2, ::2], rows[2, 1::2] = norm.STREAM_MAX, -norm.STREAM_MAX
    rows[3], rows[4, :77] = 1, -207
    return rows


def normalise_in_python(h: list[int], dy: list[int]) -> list[int]:
    """Section 16 on integers of any size: the slope that a row adds to the stream's."""
    d = len(h)
    r = 2**32 // isqrt(sum(x * x for x in h) // d + 42950)
    yh = [(x * r + 2**19) >> 20 for x in h]
    assert all(abs(y) < 2**20 for y in yh)
    total = sum(a * b for a, b in zip(dy, yh))
    assert abs(total) < 2**57
    size = (2 * abs(total) + d) // (2 * d)
    t = ((size if total >= 0 else -size) + 2**11) >> 12
    slopes = [(a - ((t * y + 2**11) >> 12)) * r for a, y in zip(dy, yh)]
    assert abs(t) < 2**31 and all(abs(slope) < 2**62 for slope in slopes)
    return [max(min((slope + 2**15) >> 16, 2**30 - 1), 1 - 2**30) for slope in slopes]


@pytest.mark.parametrize("aligned", [1, -1, 0])
def test_slope_of_the_widest_rows_fits_64_bits_with_the_largest_slopes(aligned: int) -> None:
    """dy along y, against it, and of one sign: the sums are as large as they can be."""
    rows = build_rows()
    dy = np.where(rows < 0, -1, 1) * aligned if aligned else np.ones_like(rows)
    dy = dy * np.int64(norm.SLOPE_MAX)
    y, r = norm_ref.forward(rows)
    slope = norm_ref.backward(Tensor(dy, norm.SLOPE_EXPONENT), rows, r, None)
    for h, given, got in zip(rows.tolist(), dy.tolist(), slope.values.tolist()):
        assert got == normalise_in_python(h, given)
    with dispatch.forced("cpu"):
        op = dispatch.implementation("norm")
        narrow = rows.astype(np.int32)
        fast_y, fast_r = op.forward(narrow)
        fast = op.backward(Tensor(dy.astype(np.int32), norm.SLOPE_EXPONENT), narrow, fast_r, None)
        got_bytes = join_bytes(fast_y, fast_r, fast)
    with dispatch.forced("ref"):
        assert got_bytes == join_bytes(y, r, slope)


@pytest.mark.parametrize("is_wide", [False, True], ids=["int8", "wide"])
@pytest.mark.parametrize("model, rows", EXTREMES, ids=lambda value: str(value))
def test_decoder_survives_the_largest_and_smallest_of_everything(model: Decoder, rows: int, is_wide: bool) -> None:
    """Sums at the bounds of section 21: all weights at an end or of either sign, at the highest rates."""
    model = replace(model, wide=KINDS) if is_wide else model
    count = decoder.param_count(model)
    policy = unit.UnitPolicy(model, unit.Sgd(2**20, 65535), unit.Schedule(), 2, rows, 1, "int8/256")
    signs = samples.sample_signs("ends", 1000) * (count // 1000 + 1)
    for weights in (samples.pack([ENDS[0]], 4) * count, samples.pack([ENDS[1]], 4) * count, signs[:4 * count]):
        with dispatch.forced("ref"):
            expected = run(policy, "ends", weights)
        with dispatch.forced("cpu"):
            assert run(policy, "ends", weights) == expected
