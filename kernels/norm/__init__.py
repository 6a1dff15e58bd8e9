"""RMS normalisation without parameters: rows of the residual stream to operands, and its slope.

An op of the array level: `dispatch.implementation("norm")` gives forward and backward on the back end in use.
Source: kernels/decoder/README.md section 16.

    forward(h) -> (y, r)
        h: int32 [rows, width] at exponent 16, |h| <= 2**23 - 1. y: Tensor int8 [rows, width] at exponent 5.
        r: int32 [rows], 2**32 over the root mean square; for backward.
    backward(x, h, r, dh) -> new dh
        x: Tensor int32 or int64 [rows, width], the slope of y. dh: Tensor int32 [rows, width] at exponent 20,
        |dh| <= 2**30 - 1, or None for zeros; the result is the same kind, with its magnitude where that is known.
"""

from __future__ import annotations

STREAM_EXPONENT = 16
STREAM_MAX = 2**23 - 1
SLOPE_EXPONENT = 20
SLOPE_MAX = 2**30 - 1
OPERAND_EXPONENT = 5
EPSILON = 42_950
INVERSE_BITS = 32
FINE_SHIFT = 20
FINE_EXPONENT = 12
