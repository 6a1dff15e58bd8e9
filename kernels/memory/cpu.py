"""Arrays of the cpu back end: numpy arrays of the narrowest type that each op names."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from kernels import arrays


def put(array: NDArray[Any]) -> NDArray[Any]:
    """The array itself where it is contiguous and writable, as compiled loops ask for, else a copy."""
    return np.require(array, requirements=("C", "W"))


def new(shape: tuple[int, ...], dtype: Any) -> NDArray[Any]:
    """An uninitialised array."""
    return arrays.new_array(shape, dtype)


def take(array: NDArray[Any]) -> NDArray[Any]:
    """The array itself."""
    return array


def number(scalar: int) -> int:
    """The integer itself."""
    return int(scalar)
