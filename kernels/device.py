"""Triton and the memory its kernels use: torch tensors on a CUDA device, numpy arrays in Triton's interpreter.

Reads: TRITON_INTERPRET, when triton is imported. Only gpu.py files import this module, so that importing kernels
imports neither triton nor torch; torch is imported on a device alone, where it holds buffers and computes nothing.

A kernel is a function under `@jit`; `launch` runs it. An array of this back end is `Array`: a numpy array in the
interpreter, a torch tensor on a device. Both have `shape`, `dtype`, `reshape`, slices of rows and `T`; composing code
needs no more. Numbers that a kernel computes for the next one, such as exponents and magnitudes, stay on the device
as arrays of one element (`new_scalar`), so that a step never waits for the host.
"""

from __future__ import annotations

import importlib.util
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kernels import arrays, gin1

os.environ.setdefault("TRITON_DEFAULT_FP_FUSION", "0")  # fuses floats, of which kernels have none; unset, it warns

import triton  # noqa: E402  (reads its environment)
import triton.language as tl  # noqa: E402

Recorder = Callable[[Any, tuple[Any, ...], dict[str, Any]], None]
Array = Any  # numpy array or torch tensor
Kernel = Any  # what `jit` makes
constexpr: Any = tl.constexpr
IS_INTERPRETED = bool(triton.knobs.runtime.interpret)
_recorder: Recorder | None = None
_lock = threading.Lock()
_magnitudes: list[Array] = []
_kept: list[Any] = []
MAGNITUDES = 4096
DEVICE = "cuda"
ELEMENTS_ON_DEVICE = 1024
ELEMENTS_INTERPRETED = 2**16
NO_DEVICE = (
    "no CUDA device: install the extra `gpu` (in a clone of Gradus: pip install '.[gpu]') on a machine with an NVIDIA "
    "driver, or set TRITON_INTERPRET=1 to run the kernels in Triton's interpreter, which is slow and meant for tests"
)


class Pointer:
    """A numpy array as Triton's interpreter takes tensors: it asks for an address and a type, and copies nothing."""

    def __init__(self, array: NDArray[Any]) -> None:
        self.array = array

    def data_ptr(self) -> int:
        """Address of the first element."""
        return self.array.ctypes.data

    @property
    def dtype(self) -> Any:
        """Type of the elements; its name is the one Triton knows."""
        return self.array.dtype

    def untyped_storage(self) -> Pointer:
        """The memory itself."""
        return self

    def cpu(self) -> Pointer:
        """The memory as the host sees it: the same."""
        return self

    def new_empty(self, size: int, device: str) -> Pointer:
        """A pointer to be `set_`, of this type: two arguments may be views of one memory."""
        return Pointer(self.array)

    def set_(self, storage: Pointer, offset: int, size: Any, stride: Any) -> None:
        """Point to `storage`, which is where this points already."""
        assert storage.data_ptr() == self.data_ptr()

    def storage_offset(self) -> int:
        """Elements before the first one: none."""
        return 0

    def size(self) -> tuple[int, ...]:
        """Shape."""
        return self.array.shape

    def stride(self) -> tuple[int, ...]:
        """Elements from one index to the next, by axis."""
        return tuple(step // self.array.itemsize for step in self.array.strides)

    def copy_(self, source: Pointer) -> None:
        """Take over what kernels wrote: they wrote here."""
        assert source.data_ptr() == self.data_ptr()


def jit(function: Callable[..., Any]) -> Kernel:
    """Decorator of a kernel, or of a function that kernels call."""
    return triton.jit(function)


def jit_changing(*names: str) -> Callable[[Callable[..., Any]], Kernel]:
    """Decorator of a kernel whose int arguments `names` change from call to call, as keys and rates do.

    Triton compiles a kernel anew where an int is 1 or divides by 16 for the first time, but not for these.
    """
    def decorate(function: Callable[..., Any]) -> Kernel:
        return triton.jit(function, do_not_specialize=list(names))
    return decorate


def launch(kernel: Kernel, grid: tuple[int, ...], *args: Any, **settings: Any) -> None:
    """Run one program of `kernel` for each point of `grid` (at most 3 axes).

    args: contiguous arrays, ints and, by name in `settings`, constexpr values. On a device the call returns before
    the kernel is done. num_warps and num_stages among the settings matter on a device alone.
    """
    if not prod(grid):
        return
    if _recorder is not None:
        _recorder(kernel, args, settings)
    elif IS_INTERPRETED:
        args = tuple(Pointer(_check_contiguous(arg)) if isinstance(arg, np.ndarray) else arg for arg in args)
        kernel[grid](*args, **settings)
    else:
        kernel[grid](*(arg if isinstance(arg, int) else _check_contiguous(arg) for arg in args), **settings)


@contextmanager
def recorded(recorder: Recorder) -> Iterator[None]:
    """Hand every launch to `recorder` instead of running it; arrays are numpy's and full of zeros.

    This process needs no device: kernels.cubins learns so which kernels with which types a computation launches.
    """
    global _recorder
    forget_constants()
    _recorder = recorder
    try:
        yield
    finally:
        _recorder = None
        forget_constants()


def find_problem() -> str:
    """Why kernels cannot run in this process; empty if they can."""
    if IS_INTERPRETED:
        return ""
    return "" if has_device() else NO_DEVICE


def has_device() -> bool:
    """Whether torch is installed and sees a CUDA device."""
    if importlib.util.find_spec("torch") is None:
        return False
    return bool(_torch().cuda.is_available())


def new_array(shape: int | tuple[int, ...], dtype: Any) -> Array:
    """An uninitialised row-major array; dtype as in numpy. Tests fill it with garbage first."""
    if _recorder is not None:
        return np.zeros(shape, dtype=dtype)
    if IS_INTERPRETED:
        return arrays.new_array(shape, dtype)
    return _torch().empty(shape, dtype=_find_dtype(dtype), device=DEVICE)


def new_zeros(shape: int | tuple[int, ...], dtype: Any) -> Array:
    """A row-major array of zeros."""
    if _is_numpy():
        return np.zeros(shape, dtype=dtype)
    return _torch().zeros(shape, dtype=_find_dtype(dtype), device=DEVICE)


def new_scalar(dtype: Any = np.int32) -> Array:
    """An uninitialised array of one element, for a kernel to write."""
    return new_array(1, dtype)


def kept(size: int) -> Callable[[Callable[..., Any]], Any]:
    """Decorator of a function that makes arrays nobody writes to: its last `size` results are kept."""
    def decorate(function: Callable[..., Any]) -> Any:
        _kept.append(lru_cache(maxsize=size)(function))
        return _kept[-1]
    return decorate


def forget_constants() -> None:
    """Drop what `kept` functions made: arrays of another memory than the one that is used from here on."""
    for function in _kept:
        function.cache_clear()


@kept(256)
def constant(value: int, dtype: Any = np.int32) -> Array:
    """`value` as an array of one element that nobody may write: a static exponent, for instance."""
    return to_device(np.array([value], dtype=dtype))


def hold_exponent(exponent: Any) -> Array:
    """An exponent as int32 [1] on the device: as it is, or of an int that the host knows."""
    return constant(exponent) if isinstance(exponent, int) else exponent


def hold_magnitude(magnitude: Any) -> Array:
    """A magnitude as int64 [1] on the device: as it is, or of an int that the host knows."""
    return constant(magnitude, np.int64) if isinstance(magnitude, int) else magnitude


@kept(1)
def power_table() -> Array:
    """gin1.power_table() as int32 [1024]."""
    return to_device(np.array(gin1.power_table(), dtype=np.int32))


def new_magnitude() -> Array:
    """An array int64 [1] of zero, for kernels to raise to the largest absolute value by atomic maxima."""
    if _is_numpy():
        return np.zeros(1, dtype=np.int64)
    with _lock:
        if not _magnitudes:  # one launch zeroes many; each stands at 16 bytes, so kernels are compiled once
            _magnitudes.extend(new_zeros((MAGNITUDES, 2), np.int64)[:, :1].unbind(0))
        return _magnitudes.pop()


def to_signed(keys: tuple[int, int]) -> tuple[int, int]:
    """uint32 keys as the int32 of the same bits: so a kernel is compiled for one type, whatever the keys are."""
    first, second = ((key ^ 2**31) - 2**31 for key in keys)
    return first, second


def to_device(array: NDArray[Any]) -> Array:
    """A copy of a host array in memory for kernels; does not wait for the kernels that were launched before."""
    if _is_numpy():
        return np.array(array, order="C")
    is_pinned = DEVICE == "cuda"
    staged = _torch().empty(array.shape, dtype=_find_dtype(array.dtype), pin_memory=is_pinned)
    staged.numpy()[...] = array
    return staged.to(DEVICE, non_blocking=True, copy=True)


def hold(array: Any) -> Array:
    """An array of the host or of the device, on the device."""
    return to_device(array) if isinstance(array, np.ndarray) and not _is_numpy() else array


def to_host(array: Array) -> NDArray[Any]:
    """A copy as a numpy array; waits for the kernels that write it."""
    if _is_numpy():
        return np.array(array, order="C")
    host: NDArray[Any] = array.to("cpu", copy=True).numpy()
    return host


def view(array: Array, dtype: Any) -> Array:
    """The same memory as elements of another width; the last axis holds a whole number of them."""
    return array.view(np.dtype(dtype) if isinstance(array, np.ndarray) else _find_dtype(dtype))


def count_elements(array: Array) -> int:
    """How many elements an array has."""
    return prod(array.shape)


def count_bytes(array: Array) -> int:
    """Bytes of one element."""
    return int(array.dtype.itemsize)


def copy(array: Array) -> Array:
    """A contiguous copy in memory for kernels."""
    return np.array(array, order="C") if _is_numpy() else array.contiguous().clone()


def wait() -> None:
    """Wait until every kernel that was launched is done; a benchmark needs it."""
    if not _is_numpy():
        _torch().cuda.synchronize()


def find_elements(count: int) -> int:
    """How many elements a program of a flat pass takes: a power of two.

    The interpreter pays for each operation of each program, a device for idle multiprocessors.
    """
    if IS_INTERPRETED:
        return min(ELEMENTS_INTERPRETED, find_power(count))
    return ELEMENTS_ON_DEVICE


def find_power(count: int) -> int:
    """The lowest power of two that is at least `count`, and at least 1."""
    return 1 << max(0, count - 1).bit_length()


def count_programs(count: int, block: int) -> int:
    """Programs of `block` elements that cover `count`."""
    return (count + block - 1) // block


def _is_numpy() -> bool:
    return IS_INTERPRETED or _recorder is not None


def _check_contiguous(array: Array) -> Array:
    is_contiguous = array.flags.c_contiguous if IS_INTERPRETED else array.is_contiguous()
    if not is_contiguous:
        raise ValueError("a kernel takes contiguous arrays: use device.copy")
    return array


def _find_dtype(dtype: Any) -> Any:
    return getattr(_torch(), np.dtype(dtype).name)


def _torch() -> Any:
    import torch  # only on a device

    return torch
