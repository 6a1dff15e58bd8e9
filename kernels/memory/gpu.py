"""Arrays of the gpu back end: torch tensors on a device, numpy arrays in the interpreter (kernels/device.py)."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from kernels import device
from kernels.device import Array


def put(array: NDArray[Any]) -> Array:
    """A copy in memory for kernels."""
    return device.to_device(array)


def new(shape: tuple[int, ...], dtype: Any) -> Array:
    """An uninitialised array in memory for kernels."""
    return device.new_array(shape, dtype)


def take(array: Array) -> NDArray[Any]:
    """A copy on the host; waits for the kernels that write it."""
    return device.to_host(array)


def number(scalar: Any) -> int:
    """The integer that a device holds, or the integer itself."""
    return scalar if isinstance(scalar, int) else int(device.to_host(scalar).reshape(-1)[0])
