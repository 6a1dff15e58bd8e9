"""Host arrays to arrays of the back end in use, and back: cases, tests and whole models hand data over here.

Reads/Writes: nothing. `ref` holds every integer as int64, `cpu` as the type that is named, `gpu` the same in memory
of the device (kernels/device.py).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from kernels import dispatch
from kernels.tensor import Tensor


def to_backend(values: NDArray[Any], dtype: Any) -> Any:
    """A contiguous copy of integers for the back end in use; they must fit `dtype`, which `ref` widens to int64."""
    name = dispatch.backend()
    held = np.array(values, dtype=np.int64 if name == "ref" else dtype, order="C")
    if name != "gpu":
        return held
    from kernels import device

    return device.to_device(held)


def to_host(array: Any) -> NDArray[Any]:
    """An array of the back end in use as a numpy array, of the type the back end holds; waits for a device."""
    if dispatch.backend() != "gpu":
        return np.asarray(array)
    from kernels import device

    return device.to_host(array)


def new_tensor(values: NDArray[Any], exponent: int, dtype: Any = np.int32, magnitude: int | None = None) -> Tensor:
    """A Tensor of the back end in use from host integers; `magnitude` only where it is the largest |value|."""
    held = to_backend(values, dtype)
    if dispatch.backend() != "gpu":
        return Tensor(held, exponent, magnitude)
    from kernels import device

    known = None if magnitude is None else device.to_device(np.array([magnitude], dtype=np.int64))
    return Tensor(held, device.constant(exponent), known)


def read_tensor(tensor: Tensor) -> tuple[NDArray[np.int64], int]:
    """(values int64, exponent) of a Tensor of the back end in use."""
    return to_host(tensor.values).astype(np.int64), read_int(tensor.exponent)


def read_int(number: Any) -> int:
    """An exponent or magnitude of the back end in use as an int."""
    return number if isinstance(number, int) else int(to_host(number).reshape(-1)[0])


def pack_tensor(tensor: Tensor) -> bytes:
    """A Tensor as bytes that are equal on every back end: values int64, then the exponent int64, little-endian.

    A magnitude, where the producer gives one, must be right; it is no part of the bytes.
    Raises: AssertionError if a magnitude is not the largest |value|.
    """
    values, exponent = read_tensor(tensor)
    if tensor.magnitude is not None:
        largest = int(np.abs(values).max()) if values.size else 0
        assert read_int(tensor.magnitude) == largest, f"magnitude {read_int(tensor.magnitude)}, values reach {largest}"
    return values.astype("<i8").tobytes() + exponent.to_bytes(8, "little", signed=True)
