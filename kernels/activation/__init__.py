"""relu squared: the activation of a decoder's hidden layer, and its slope.

An op of the array level: `dispatch.implementation("activation")` gives forward and backward on the back end in use.
Source: kernels/decoder/README.md section 18.

    forward(x) -> (a, saved)
        x: Tensor int32 [rows, hidden], |x| < 2**28. a: Tensor int8 [rows, hidden], 0..127.
        saved: for backward; each back end has its own.
    backward(x, saved) -> du
        x: Tensor int32, or int64 with wide gradients, [rows, hidden], the slope of a.
        du: Tensor int32 [rows, hidden], |du| < 2**30, with its magnitude where that is known.
"""

from __future__ import annotations

FINE_BITS = 15
FINE_MAX = 2**FINE_BITS - 1
SQUARE_BITS = 8  # of squares, before the clip to 7 bits: quantise/README.md, the clip bit
