"""Reference of the check in numpy int64: the truth.  Source: README.md beside this file."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def agrees(
    left: NDArray[Any], right: NDArray[Any], claimed: NDArray[Any], vectors: NDArray[np.int32]
) -> bool:
    """Whether claimed @ x = left @ (right @ x) modulo 2**64 for each vector x; numpy's int64 wraps."""
    wide = [matrix.astype(np.int64) for matrix in (left, right, claimed)]
    for vector in vectors.astype(np.int64):
        if not np.array_equal(wide[2] @ vector, wide[0] @ (wide[1] @ vector)):
            return False
    return True
