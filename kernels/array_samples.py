"""Drawn arrays of the back end in use, and the bytes of results: for cases and tests of array-level ops.

Reads/Writes: nothing. The bytes are the same on every back end: int64 values, then the exponent.
"""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kernels import checks, dispatch, samples
from kernels.tensor import Tensor


def draw_numpy(label: str, shape: tuple[int, ...], bits: int, dtype: str = "<i4") -> NDArray[Any]:
    """Integers of either sign and of every magnitude below 2**bits."""
    raw = samples.sample_ints(label, prod(shape), 8, bits)
    values: NDArray[Any] = np.maximum(np.frombuffer(raw, "<i8"), 1 - 2**bits)
    return values.astype(np.dtype(dtype)).reshape(shape)


def draw_array(label: str, shape: tuple[int, ...], bits: int, dtype: str = "<i4") -> Any:
    """The same, in the memory of the back end in use."""
    return put(draw_numpy(label, shape, bits, dtype))


def fill_array(value: int, shape: tuple[int, ...], dtype: str = "<i4") -> Any:
    """One value everywhere."""
    return put(np.full(shape, value, dtype=dtype))


def draw_tokens(label: str, batch: int, length: int, vocab: int) -> Any:
    """uint16 [batch, length] below vocab."""
    raw = samples.sample_labels(label, batch * length, vocab)
    return put(np.frombuffer(raw, "<u2").reshape(batch, length))


def put(array: NDArray[Any]) -> Any:
    """A numpy array in the memory of the back end in use."""
    return dispatch.implementation("memory").put(array)


def join_bytes(*results: Any) -> bytes:
    """Canonical bytes of Tensors and arrays; None adds nothing.

    A magnitude is checked against the values, since it is promised to be exact where it is given.
    """
    memory = dispatch.implementation("memory")
    parts = []
    for result in results:
        if result is None:
            continue
        values = memory.take(result.values if isinstance(result, Tensor) else result).astype(np.int64)
        parts.append(checks.write_array(values))
        if isinstance(result, Tensor):
            parts.append(memory.number(result.exponent).to_bytes(8, "little", signed=True))
            if result.magnitude is not None and memory.number(result.magnitude) != int(np.abs(values).max()):
                parts.append(b"wrong magnitude")
    return b"".join(parts)
