"""Sums of products of rows with 512-bit vpdpbusd.  To import is to compile: only where the processor has it.

Source: loops.py.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from kernels.aggregate.gram import loops
from kernels.jit import entry


@entry(*loops.RUN_SIGNATURE)
def run(
    places: NDArray[np.int64], tiles: NDArray[np.int32], lines: NDArray[np.int32], totals: NDArray[np.int64]
) -> None:
    """As loops.run_blocks."""
    loops.run_blocks(np.int16(0), places, tiles, lines, totals)
