"""The payload codecs in Triton.  Same functions as ref.py; payloads and deltas come from the host and go to it.

What a payload becomes on the device stays there: `fill_row` writes the row of a stack, `accumulate` its sums. Dense
codecs are in gpu_dense.py and gpu_encode.py, the sparse one in gpu_sparse.py. A payload is held as `hold` makes it.
Source: kernels/README.md sections 8 and 9.1.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from kernels import checks, device, gin1
from kernels.device import Array
from kernels.payload import gpu_dense, gpu_encode, gpu_sparse, ref, types
from kernels.payload.types import FORMATS

Bytes = NDArray[np.uint8]
add_residual = ref.add_residual  # on the host, where the delta and the residual are


def hold(data: Bytes) -> Array:
    """The bytes of a payload on the device, filled up with zeros to a multiple of 16."""
    aligned = gpu_dense.ALIGNED_BYTES
    return device.to_device(np.pad(data, (0, (aligned - data.size % aligned) % aligned)))


def encode(values: NDArray[np.int64], keys: tuple[int, int], codec: str) -> Bytes:
    """The payload of a delta.

    Raises: KernelInputError for a magnitude above 2**32 - 1.
    """
    checks.check_bound("delta", values, gin1.DELTA_MAX)
    form, held = FORMATS[codec], device.to_device(values)
    made = (gpu_sparse.encode if form.is_sparse else gpu_encode.encode)(held, values.size, keys, form)
    return device.to_host(made)


def decode(data: Bytes, count: int, codec: str) -> NDArray[np.int64]:
    """The delta of a payload."""
    form, held = FORMATS[codec], hold(data)
    return device.to_host((gpu_sparse.decode if form.is_sparse else gpu_encode.decode)(held, count, form))


def read_exponents(data: Bytes, count: int, codec: str) -> Bytes:
    """The exponent of every block of 256: on the host, where the grid is made of them."""
    return ref.read_exponents(data, count, codec)


def find_fault(data: Bytes, count: int, codec: str) -> int:
    """0 for a payload that is right; else the lowest number of a fault, as types.py has them."""
    form, fault = FORMATS[codec], gpu_dense.new_fault()
    (gpu_sparse if form.is_sparse else gpu_dense).check(hold(data), count, form, fault)
    return gpu_dense.read_fault(fault, data, count, form)


def fill_row(data: Bytes, count: int, codec: str, grid: Bytes, values: Array, row: int) -> int:
    """Write the aligned values of a payload to values[:, row] of values int8 [blocks, n, 256] on the device.

    One pass over the wire bytes. Returns find_fault; of a faulty payload the row is not defined.
    """
    form, fault = FORMATS[codec], gpu_dense.new_fault()
    launch_row(hold(data), count, codec, device.to_device(grid), values, row, fault)
    return gpu_dense.read_fault(fault, data, count, form)


def launch_row(data: Array, count: int, codec: str, grid: Array, values: Array, row: int, fault: Array) -> None:
    """fill_row of what lies on the device already, without waiting; fault: as gpu_dense.new_fault makes it."""
    form = FORMATS[codec]
    (gpu_sparse if form.is_sparse else gpu_dense).fill(data, count, form, fault, grid, values, row)


def accumulate(datas: list[Bytes], count: int, grid: Bytes, weights: list[int]) -> Array:
    """The sum of weight * aligned value over top64 payloads: int32 [blocks * 256] on the device."""
    held = device.to_device(np.stack(datas) if datas else np.zeros((0, 1), np.uint8))
    return gpu_sparse.accumulate(held, count, device.to_device(grid), weights)


def squares(data: Bytes, count: int, grid: Bytes) -> int:
    """The square of the norm of an aligned top64 payload, in units of 1."""
    return gpu_sparse.squares(hold(data), count, device.to_device(grid))


__all__ = ["accumulate", "add_residual", "decode", "encode", "fill_row", "find_fault", "hold", "launch_row",
           "read_exponents", "squares", "types"]
