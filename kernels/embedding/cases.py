"""Cases of the embedding: repeated, missing and last tokens, extreme tables and slopes."""

from __future__ import annotations

import numpy as np

from kernels import dispatch, norm
from kernels.array_samples import draw_array, draw_tokens, fill_array, join_bytes, put
from kernels.samples import Case
from kernels.tensor import Tensor


def _embed_case(
    label: str, batch: int, length: int, vocab: int, width: int, context: int, bits: int = 26
) -> Case:
    def run() -> bytes:
        op = dispatch.implementation("embedding")
        tokens = draw_tokens(label, batch, length, vocab)
        embed = draw_array(label + " e", (vocab, width), bits)
        positions = draw_array(label + " p", (context, width), bits) if context else None
        dh = Tensor(draw_array(label + " dh", (batch * length, width), 30), norm.SLOPE_EXPONENT)
        h = op.forward(embed, positions, tokens)
        gradient, by_position = op.backward(dh, tokens, vocab, bool(context))
        head = draw_array(label + " head", (vocab, width), 30), draw_array(label + " wide", (vocab, width), 38, "<i8")
        tied = [op.add(gradient, Tensor(sums, exponent)) for sums in head for exponent in (-53, 20, 24, 25, 68)]
        return join_bytes(h, gradient, by_position, *tied)
    return run


def _ends_case(value: int, slope: int) -> Case:
    def run() -> bytes:
        op = dispatch.implementation("embedding")
        tokens = put(np.full((3, 5), 6, dtype="<u2"))
        table = fill_array(value, (7, 9))
        dh = Tensor(fill_array(slope, (15, 9)), norm.SLOPE_EXPONENT)
        results = [op.forward(table, table, tokens), op.forward(table, None, tokens)]
        return join_bytes(*results, *op.backward(dh, tokens, 7, True))
    return run


CASES: dict[str, Case] = {
    "embedding/usual": _embed_case("usual", 3, 16, 50, 32, 20),
    "embedding/rotary": _embed_case("rotary", 3, 16, 50, 32, 0),
    "embedding/odd": _embed_case("odd", 5, 7, 3, 13, 7, 31),
    "embedding/one_token": _embed_case("one", 1, 1, 2, 1, 1),
    "embedding/every_token": _embed_case("every", 1, 1, 65536, 1, 1),
    "embedding/largest": _ends_case(2**31 - 1, norm.SLOPE_MAX),
    "embedding/lowest": _ends_case(-2**31, -norm.SLOPE_MAX),
    "embedding/zero": _ends_case(0, 0),
}
