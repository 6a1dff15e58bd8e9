"""Stack: the aligned values of all payloads, block by block, as the rules of aggregation read them.

Reads/Writes: nothing. Needs neither numpy nor numba. Source: kernels/README.md section 9.
"""

from __future__ import annotations

from typing import Any, NamedTuple

PAYLOADS_MAX = 64
WEIGHT_ONE = 2**14  # the largest weight of a row in a weighted sum


class Stack(NamedTuple):
    """Value i of row r is values[i // 256, r, i % 256] * 2**exponents[i // 256].

    values: int8 in -127..127, [blocks, n, 256], row-major, an array of the back end in use; zeros from `count` on.
    exponents: uint8 [blocks] of numpy, on every back end: one for all rows of a block, in 0..25.
    count: P, the coordinates of a delta; blocks = ceil(P / 256), n = 1..64 rows in the canonical order.
    """

    values: Any
    exponents: Any
    count: int  # type: ignore[assignment]  # a tuple's own `count` is of no use here
