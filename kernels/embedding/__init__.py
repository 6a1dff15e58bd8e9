"""Embedding of tokens and positions, and their gradients.

An op of the array level: `dispatch.implementation("embedding")` gives forward and backward on the back end in use.
Source: kernels/decoder/README.md section 15.

    forward(embed, positions, tokens) -> h
        embed: int32 [vocab, width] and positions: int32 [context, width] or None, at exponent 24, any values.
        tokens: uint16 [batch, length], below vocab, length <= context.
        h: int32 [batch * length, width] at exponent 16, |h| <= 2**23 - 1.
    backward(dh, tokens, vocab, has_positions) -> (gradient of embed, gradient of positions or None)
        dh: Tensor int32 [batch * length, width] at exponent 20. Both gradients: Tensor int64 at exponent 24,
        |value| <= 2**40; that of positions has `length` rows.
    add(gradient, head) -> gradient
        gradient: of embed, from backward. head: Tensor int32 or int64 [vocab, width], sums at any exponent: what a
        tied head adds. Result: Tensor int64 at exponent 24, |value| <= 2**41.
"""

from __future__ import annotations

SHIFT = 8
GRADIENT_SHIFT = -4
