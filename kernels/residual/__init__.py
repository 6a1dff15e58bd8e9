"""The residual stream: a sum of what every block adds to it, saturating.

An op of the array level: `dispatch.implementation("residual")` gives add on the back end in use.
Source: kernels/decoder/README.md section 15.

    add(h, x) -> new h
        h: int32 [rows, width] at exponent 16, |h| <= 2**23 - 1; left as it is. x: Tensor int32 [rows, width].
"""
