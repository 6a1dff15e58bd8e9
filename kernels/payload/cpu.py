"""The payload codec in compiled loops.  Same functions as ref.py."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from kernels import arrays, gin1
from kernels.elementwise import bound, random_word
from kernels.jit import compiled
from kernels.payload.ref import BLOCK_VALUES

_OPERAND_MAX = gin1.OPERAND_MAX


@compiled("void(int64[::1], int64, int64, uint8[::1], int8[::1])")
def encode_blocks(
    values: NDArray[np.int64], key0: int, key1: int, exponents: NDArray[np.uint8], operands: NDArray[np.int8]
) -> None:
    """Exponent and operands of every block."""
    for block in range(exponents.size):
        start = block * BLOCK_VALUES
        end = min(start + BLOCK_VALUES, values.size)
        largest = np.int64(0)
        for index in range(start, end):
            largest = max(largest, abs(values[index]))
        shift = np.int64(0)
        while (largest >> shift) > _OPERAND_MAX:
            shift += 1
        exponents[block] = shift
        mask = (np.int64(1) << shift) - 1
        for index in range(start, end):
            noise = random_word(index, key0, key1) & mask
            operands[index] = bound((values[index] + noise) >> shift, _OPERAND_MAX)


@compiled("void(uint8[::1], int8[::1], int64[::1])")
def decode_blocks(
    exponents: NDArray[np.uint8], operands: NDArray[np.int8], values: NDArray[np.int64]
) -> None:
    """Values of every block."""
    for index in range(operands.size):
        values[index] = np.int64(operands[index]) << np.int64(exponents[index // BLOCK_VALUES])


def encode(values: NDArray[np.int64], keys: tuple[int, int]) -> tuple[NDArray[np.uint8], NDArray[np.int8]]:
    """(exponents, operands) of a delta whose magnitudes are below 2**32."""
    exponents = arrays.new_array((values.size + BLOCK_VALUES - 1) // BLOCK_VALUES, np.uint8)
    operands = arrays.new_array(values.size, np.int8)
    encode_blocks(values, keys[0], keys[1], exponents, operands)
    return exponents, operands


def decode(exponents: NDArray[np.uint8], operands: NDArray[np.int8]) -> NDArray[np.int64]:
    """The delta of checked exponents and operands."""
    values = arrays.new_array(operands.size, np.int64)
    decode_blocks(exponents, operands, values)
    return values
