"""Reference of aggregation in numpy int64: the truth.  Source: kernels/README.md section 9."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from kernels.payload.types import BLOCK_VALUES


def trimmed_mean(
    exponents: NDArray[np.uint8], operands: NDArray[np.int8], dropped: int
) -> NDArray[np.int64]:
    """Mean of each coordinate without its `dropped` lowest and highest values; 2 * dropped < workers."""
    scales = np.repeat(exponents.astype(np.int64), BLOCK_VALUES, axis=1)[:, :operands.shape[1]]
    deltas = operands.astype(np.int64) << scales
    kept: NDArray[np.int64] = np.sort(deltas, axis=0)[dropped:len(deltas) - dropped]
    count = np.int64(len(kept))
    total: NDArray[np.int64] = kept.sum(axis=0)
    size = (2 * np.abs(total) + count) // (2 * count)
    signed: NDArray[np.int64] = np.where(total < 0, -size, size)
    return signed
