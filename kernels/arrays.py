"""Where the fast back ends get memory for results, so that a test can poison it.

A kernel must write every element that it hands on; `new_array` promises nothing about the content.
"""

from __future__ import annotations

import ctypes
import math
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray


_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # of mallopt, malloc.h
_KEPT_BYTES = 2**28
_MAPPED_BYTES = 2**26
_ALIGNED_BYTES_MIN = 2**16
_LINE = 64


def keep_freed_memory() -> bool:
    """Have the C library keep up to 256 MiB of what is freed, for the next array; returns whether it does.

    A step frees and asks for the same sizes again and again. glibc would give pages back and get them anew, zeroed,
    which takes longer than most ops need for their content: a tenth to a fifth of a decoder's step. Other C libraries
    are left as they are.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):
        return False
    return bool(mallopt(_MMAP_THRESHOLD, _MAPPED_BYTES)) and bool(mallopt(_TRIM_THRESHOLD, _KEPT_BYTES))


keep_freed_memory()


def new_array(shape: int | tuple[int, ...], dtype: DTypeLike) -> NDArray[Any]:
    """An uninitialised row-major array; from 64 KiB on it begins at a multiple of 64 bytes, a line of the caches."""
    size = math.prod(shape if isinstance(shape, tuple) else (shape,)) * np.dtype(dtype).itemsize
    if size < _ALIGNED_BYTES_MIN:
        return np.empty(shape, dtype=dtype)
    memory = np.empty(size + _LINE, dtype=np.uint8)
    first = (_LINE - memory.ctypes.data % _LINE) % _LINE
    return memory[first:first + size].view(dtype).reshape(shape)
