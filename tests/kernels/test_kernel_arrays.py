"""Memory that a step frees is there for the next step, without pages fetched anew."""

from __future__ import annotations

import resource

import numpy as np
import pytest

from kernels import arrays


def count_faults(rounds: int) -> int:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(rounds):
        arrays.new_array(40 * 2**20, np.int8)[:] = 1
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before


def test_freed_arrays_are_used_again_without_page_faults() -> None:
    if not arrays.keep_freed_memory():
        pytest.skip("this C library has no mallopt")
    count_faults(2)
    assert count_faults(8) < 256  # 8 arrays that the system hands out anew cost thousands, with huge pages too
