"""numba, set up for kernels: compiled ahead by explicit signatures, cached on disk, without the GIL.

Reads: NUMBA_CACHE_DIR (set to the user's cache folder if unset).
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, TypeVar, cast

from kernels import dispatch

dispatch.prepare_numba()

import numba  # noqa: E402  (the cache folder is read when numba is imported)
import numba.core.registry  # noqa: E402
import numba.extending  # noqa: E402

types: Any = numba.types
carray: Any = getattr(numba, "carray")  # noqa: B009  (not in the published types)
intrinsic: Any = numba.extending.intrinsic
_njit: Any = numba.njit  # the published types do not know all of its options
Function = TypeVar("Function", bound=Callable[..., Any])
_VECTORS = ("sse", "sse2", "sse3", "ssse3", "sse4.1", "sse4.2", "avx")
Scalar = Any  # an int outside compiled code; inside, int64 or uint32 as the comments say


def cache_folder() -> str:
    """Where numba keeps what it compiled."""
    return os.environ["NUMBA_CACHE_DIR"]


def find_features() -> tuple[str, ...]:
    """Names of the instruction sets that compiled code may use, as LLVM has them; on x86 alone.

    They are the processor's, or those of NUMBA_CPU_FEATURES: an instruction beyond them would end the process.
    """
    triple, _, features = numba.core.registry.cpu_target.target_context.codegen().magic_tuple()
    if not triple.startswith(("x86_64", "amd64", "i686")):
        return ()
    return parse_features(features)


def parse_features(text: str) -> tuple[str, ...]:
    """The features that LLVM has on after reading a list such as "+avx2,-fma": a minus takes back what came before.

    It takes back what is built on its feature, too; a plus turns on more than it names, of which nothing is said here.
    """
    found: list[str] = []
    for feature in text.split(","):
        sign, name = feature[:1], feature[1:]
        if sign == "-":
            found = [other for other in found if other != name and not _is_built_on(other, name)]
        elif sign == "+":
            found.append(name)
    return tuple(found)


def _is_built_on(name: str, base: str) -> bool:
    if name.startswith("avx512"):
        return base in (*_VECTORS, "avx2", "avx512f", "evex512", "f16c", "fma")
    return name.startswith("avx") and base in (*_VECTORS, "avx2")


def compiled(signature: Any) -> Callable[[Function], Function]:
    """Decorator: compile for `signature` (text, numba's types, or a list of either) when imported, or load it."""
    return cast(Callable[[Function], Function], numba.njit(signature, cache=True, nogil=True, error_model="numpy"))


def inlined(function: Function) -> Function:
    """Decorator for small functions that compiled kernels call."""
    return cast(Function, numba.njit(function, cache=True, nogil=True))


def pasted(function: Function) -> Function:
    """As `inlined`, for a function with one caller: it is compiled as a part of that one alone."""
    return cast(Function, _njit(function, inline="always"))


def typed(*signature: Any) -> Callable[[Function], Function]:
    """Decorator for a function of a set of kernels: (result, arguments ...), numba's types, compiled when imported.

    It may not allocate and is never called from plain Python, so nothing is compiled for either.
    """
    return cast(
        Callable[[Function], Function],
        _njit(
            signature[0](*signature[1:]),
            cache=True,
            nogil=True,
            no_cpython_wrapper=True,
            no_cfunc_wrapper=True,
            error_model="numpy",
            no_rewrites=True,
            _nrt=False,
        ),
    )


def entry(*signature: Any) -> Callable[[Function], Function]:
    """Decorator: as `typed`, and plain Python calls it."""
    return cast(
        Callable[[Function], Function],
        _njit(signature[0](*signature[1:]), cache=True, nogil=True, no_cfunc_wrapper=True, error_model="numpy"),
    )
