"""Where the fast back ends get memory for results, so that a test can poison it.

A kernel must write every element that it hands on; `new_array` promises nothing about the content.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray


def new_array(shape: int | tuple[int, ...], dtype: DTypeLike) -> NDArray[Any]:
    """An uninitialised row-major array."""
    return np.empty(shape, dtype=dtype)
