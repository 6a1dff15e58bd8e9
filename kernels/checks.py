"""Checks of arguments, and the two conversions between bytes and arrays.

Reads/Writes: nothing. numpy is imported by the functions that need it, never by the module.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kernels import gin1
from kernels.errors import KernelInputError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

LAYERS_MIN = 2
LAYERS_MAX = 8
WIDTH_MAX = 65536
PARAMS_MAX = 2**26
DELTA_PARAMS_MAX = 2**28


def check_int(name: str, value: object, low: int, high: int) -> int:
    """Return `value` if it is an int in [low, high]."""
    if not isinstance(value, int) or isinstance(value, bool):
        raise KernelInputError(f"{name} must be an integer, not {type(value).__name__}")
    if not low <= value <= high:
        raise KernelInputError(f"{name} must be in {low}..{high}")
    return value


def check_bytes(name: str, value: object, length: int | None = None) -> bytes:
    """Return `value` if it is bytes, of `length` where one is given."""
    if not isinstance(value, bytes):
        raise KernelInputError(f"{name} must be bytes, not {type(value).__name__}")
    if length is not None and len(value) != length:
        raise KernelInputError(f"{name} must have {length} bytes and has {len(value)}")
    return value


def check_seed(name: str, value: object) -> bytes:
    """Return `value` if it is 32 bytes."""
    return check_bytes(name, value, gin1.SEED_BYTES)


def check_widths(widths: object) -> tuple[int, ...]:
    """Return `widths` if it describes a classifier: (inputs, hidden..., classes)."""
    if not isinstance(widths, tuple) or not LAYERS_MIN <= len(widths) <= LAYERS_MAX:
        raise KernelInputError(f"widths must be a tuple of {LAYERS_MIN}..{LAYERS_MAX} layer widths")
    for index, width in enumerate(widths):
        check_int(f"widths[{index}]", width, 1, WIDTH_MAX)
    count = compute_param_count(widths)
    if count > PARAMS_MAX:
        raise KernelInputError(f"widths give {count} parameters, more than {PARAMS_MAX}: use narrower layers")
    return widths


def compute_param_count(widths: tuple[int, ...]) -> int:
    """Weights and biases of all layers."""
    return sum((fan_in + 1) * fan_out for fan_in, fan_out in zip(widths, widths[1:]))


def check_param_count(count: object) -> int:
    """Return `count` if a model can have that many parameters."""
    return check_int("param_count", count, 1, DELTA_PARAMS_MAX)


def check_features(name: str, features: object, rows: int, inputs: int) -> bytes:
    """Return `features` if it holds rows * inputs int8 values in -127..127."""
    data = check_bytes(name, features, rows * inputs)
    if b"\x80" in data:
        raise KernelInputError(f"{name} holds -128: values are -127..127")
    return data


def check_labels(labels: object, rows: int, classes: int) -> bytes:
    """Return `labels` if it holds `rows` uint16 labels below `classes`."""
    data = check_bytes("labels", labels, 2 * rows)
    if rows and int(read_array(data, "<u2").max()) >= classes:
        raise KernelInputError(f"labels holds a label that is not below {classes}, the number of classes")
    return data


def check_bound(name: str, array: NDArray[np.int64], limit: int) -> None:
    """Refuse an int64 array that leaves [-limit, limit]."""
    if array.size and (int(array.max()) > limit or int(array.min()) < -limit):
        raise KernelInputError(f"{name} holds a value outside -{limit}..{limit}")


def read_array(data: bytes, dtype: str) -> NDArray[Any]:
    """A native-order copy of little-endian `data`; writable and contiguous."""
    import numpy as np

    stored = np.frombuffer(data, dtype=np.dtype(dtype))
    return stored.astype(stored.dtype.newbyteorder("="), copy=True)


def view_bytes(array: NDArray[Any]) -> memoryview:
    """Little-endian bytes of a contiguous `array`, in one dimension; a view of it where the machine allows."""
    view: memoryview = array.astype(array.dtype.newbyteorder("<"), copy=False).reshape(-1).view("u1").data
    return view


def write_array(array: NDArray[Any]) -> bytes:
    """Little-endian bytes of `array`, row-major."""
    return array.astype(array.dtype.newbyteorder("<"), copy=False).tobytes()
