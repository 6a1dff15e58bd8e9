"""numba, set up for kernels: compiled ahead by explicit signatures, cached on disk, without the GIL.

Reads: NUMBA_CACHE_DIR (set to the user's cache folder if unset).
"""

from __future__ import annotations

from typing import Any

from kernels import dispatch

dispatch.prepare_numba()

import numba  # noqa: E402  (the cache folder is read when numba is imported)


def compiled(*signatures: str) -> Any:
    """Decorator: compile for `signatures` when first imported, or load from the cache."""
    return numba.njit(list(signatures), cache=True, nogil=True)


def inlined(function: Any) -> Any:
    """Decorator for small functions that compiled kernels call."""
    return numba.njit(function, cache=True, nogil=True)


def version() -> str:
    """numba's version."""
    return str(numba.__version__)
