"""Reference of the payload codec in numpy int64: the truth.  Source: kernels/README.md section 8."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from kernels import exact, gin1

BLOCK_VALUES = 256


def encode(values: NDArray[np.int64], keys: tuple[int, int]) -> tuple[NDArray[np.uint8], NDArray[np.int8]]:
    """(exponents, operands) of a delta whose magnitudes are below 2**32."""
    words = exact.random_words(values.size, keys)
    exponents = []
    operands = np.zeros(values.size, dtype=np.int8)
    for start in range(0, values.size, BLOCK_VALUES):
        block = slice(start, start + BLOCK_VALUES)
        shift = max(0, exact.magnitude(values[block]).bit_length() - gin1.OPERAND_BITS)
        noise = words[block] & np.int64((1 << shift) - 1)
        exponents.append(shift)
        operands[block] = exact.clip((values[block] + noise) >> np.int64(shift), gin1.OPERAND_MAX)
    return np.array(exponents, dtype=np.uint8), operands


def decode(exponents: NDArray[np.uint8], operands: NDArray[np.int8]) -> NDArray[np.int64]:
    """The delta of checked exponents and operands."""
    shifts = np.repeat(exponents.astype(np.int64), BLOCK_VALUES)[: operands.size]
    return operands.astype(np.int64) << shifts
