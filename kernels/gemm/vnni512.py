"""Products of int8 matrices with 512-bit vpdpbusd.  To import is to compile: only where the processor has it.

Source: vnni.py.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from kernels.gemm import vnni
from kernels.jit import entry


@entry(*vnni.RUN_SIGNATURE)
def run(
    left: NDArray[np.int8], right: NDArray[np.int8], out: NDArray[np.int32], packed: NDArray[np.uint8],
    scratch: NDArray[np.uint8], stages: int,
) -> None:
    """out = left @ right.  stages: 1 fills `packed` from right, 2 multiplies by what it holds, 3 does both."""
    vnni.run_stages(np.int16(0), left, right, out, packed, scratch, stages)
