"""Arrays of the reference: numpy int64 throughout."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from kernels import arrays
from kernels.exact import Ints


def put(array: NDArray[Any]) -> Ints:
    """An int64 copy."""
    return array.astype(np.int64)


def new(shape: tuple[int, ...], dtype: Any) -> NDArray[Any]:
    """An uninitialised array."""
    return arrays.new_array(shape, dtype)


def take(array: Ints) -> Ints:
    """The array itself."""
    return array


def number(scalar: int) -> int:
    """The integer itself."""
    return int(scalar)
