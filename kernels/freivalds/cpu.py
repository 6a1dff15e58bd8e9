"""The check on the CPU: one pass over each matrix for both vectors.  Same functions as ref.py."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from kernels import arrays
from kernels.jit import compiled, types


def _list_signatures() -> list[Any]:
    kinds = ((types.int8, types.int32), (types.int16, types.int32), (types.int32, types.int32),
             (types.int64, types.int32), (types.int8, types.int64), (types.int16, types.int64))
    sums = types.Array(types.int64, 2, "C")
    return [
        types.void(types.Array(matrix, 2, "C", readonly=True), types.Array(vector, 2, "C"), sums)
        for matrix, vector in kinds
    ]


@compiled(_list_signatures())
def multiply_vectors(matrix: NDArray[Any], vectors: NDArray[Any], out: NDArray[np.int64]) -> None:
    """out [2, rows] = vectors [2, columns] @ transpose(matrix [rows, columns]), modulo 2**64."""
    one, two = vectors[0], vectors[1]
    for row in range(matrix.shape[0]):
        values = matrix[row]
        first, second = np.int64(0), np.int64(0)
        for column in range(values.size):
            value = np.int64(values[column])
            first += value * np.int64(one[column])
            second += value * np.int64(two[column])
        out[0, row], out[1, row] = first, second


def agrees(
    left: NDArray[Any], right: NDArray[Any], claimed: NDArray[Any], vectors: NDArray[np.int32]
) -> bool:
    """Whether claimed @ x = left @ (right @ x) modulo 2**64 for both vectors x."""
    inside = arrays.new_array((len(vectors), len(right)), np.int64)
    expected, found = (arrays.new_array((len(vectors), len(left)), np.int64) for _ in range(2))
    multiply_vectors(right, vectors, inside)
    multiply_vectors(left, inside, expected)
    multiply_vectors(claimed, vectors, found)
    return bool(np.array_equal(expected, found))
