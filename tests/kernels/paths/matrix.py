"""The execution paths: environments in which a process computes the same cases by other instructions.

A path names what its process must say that it took (`expects`); what it says is in process.py. A path that the host
cannot take is not an error. Numba's names are LLVM's, OpenBLAS's are its own.
"""

from __future__ import annotations

from dataclasses import dataclass, field

VARIABLES = (
    "GRADUS_KERNELS_BACKEND", "GRADUS_KERNELS_GEMM", "GRADUS_KERNELS_THREADS", "NUMBA_CPU_FEATURES", "NUMBA_CPU_NAME",
    "NUMBA_ENABLE_AVX", "NUMBA_OPT", "OMP_NUM_THREADS", "OPENBLAS_CORETYPE", "OPENBLAS_NUM_THREADS", "PYTHONHASHSEED",
    "PYTHONOPTIMIZE", "TRITON_INTERPRET",
)  # a path's process has those that the path names, and no other of these
HOST = ""  # compiled for this processor, in the user's own cache
_VNNI = "+avx512f,+avx512bw,+avx512dq,+avx512vl,+avx512vnni"
_AVX_VNNI = "+avx2,+fma,+avxvnni"
_AVX512 = ("avx512f", "avx512bw", "avx512dq", "avx512vl")


@dataclass(frozen=True)
class ExecutionPath:
    """One way to compute the cases.

    name: in tables. backend: of kernels.dispatch. environment: variables of its process. target: a name for code that
    numba compiles for another processor, which has a cache of its own; HOST otherwise. needs: features that the
    processor must have, as LLVM names them. expects: facts that the process must state. is_tiled: in the interpreter,
    with the block sizes of a device. is_fast: `make test` takes it, on the cases of `fast_ops` (all, if empty).
    """

    name: str
    backend: str = "cpu"
    environment: dict[str, str] = field(default_factory=dict)
    target: str = HOST
    needs: tuple[str, ...] = ()
    expects: dict[str, str] = field(default_factory=dict)
    is_tiled: bool = False
    is_fast: bool = False
    fast_ops: tuple[str, ...] = ()


def list_paths() -> list[ExecutionPath]:
    """Every path, those that say most first: one that repeats another is listed as such."""
    return [
        ExecutionPath("ref", "ref", expects={"backend": "ref"}),
        *_list_engines(), *_list_threads(), *_list_blas(), *_list_interpreters(), *_list_targets(), *_list_devices(),
    ]


def _list_engines() -> list[ExecutionPath]:
    return [
        ExecutionPath(f"cpu {engine}", environment={"GRADUS_KERNELS_GEMM": engine}, expects={"engine": engine},
                      is_fast=engine == "vnni256")
        for engine in ("vnni512", "vnni256", "blas")
    ]


def _list_threads() -> list[ExecutionPath]:
    """Threads among which products cut their rows, and those among which OpenBLAS does."""
    return [
        ExecutionPath(f"cpu, {threads} threads", environment={"GRADUS_KERNELS_THREADS": threads},
                      expects={"threads": threads}, is_fast=threads == "3")
        for threads in ("1", "2", "3", "7")
    ] + [
        ExecutionPath(f"cpu blas, {threads} threads of OpenBLAS", expects={"blas_threads": threads},
                      environment={"GRADUS_KERNELS_GEMM": "blas", "OPENBLAS_NUM_THREADS": threads},
                      is_fast=threads == "2")
        for threads in ("1", "2")
    ]


def _list_blas() -> list[ExecutionPath]:
    """The float32 products of other processors, on one thread each.  OpenBLAS takes a lower one if it must."""
    cores: dict[str, tuple[str, ...]] = {
        "Prescott": (), "Nehalem": ("sse4.2",), "Sandybridge": ("avx",), "Haswell": ("avx2", "fma"),
        "Zen": ("avx2", "fma"), "SkylakeX": _AVX512, "Cooperlake": (*_AVX512, "avx512bf16"),
        "SapphireRapids": (*_AVX512, "amx-bf16"),
    }
    return [
        ExecutionPath(f"cpu blas, OpenBLAS for {core}", needs=needs, is_fast=core == "Prescott", environment={
            "GRADUS_KERNELS_GEMM": "blas", "OPENBLAS_CORETYPE": core, "OPENBLAS_NUM_THREADS": "1",
        })
        for core, needs in cores.items()
    ]


def _list_interpreters() -> list[ExecutionPath]:
    return [
        ExecutionPath("cpu, python -O and another hash seed", is_fast=True,
                      environment={"PYTHONHASHSEED": "7", "PYTHONOPTIMIZE": "1"}),
        ExecutionPath("ref, python -O and another hash seed", "ref",
                      environment={"PYTHONHASHSEED": "7", "PYTHONOPTIMIZE": "1"}),
    ]


def _list_targets() -> list[ExecutionPath]:
    """Code that numba compiles for others: from SSE2, which every x86-64 processor has, to AVX-512 with VNNI."""
    targets: dict[str, tuple[str, str, tuple[str, ...]]] = {
        "generic": ("SSE2", "", ("sse2",)),
        "nehalem": ("SSE4.2", "", ("sse4.2", "popcnt")),
        "sandybridge": ("AVX", "", ("avx",)),
        "haswell": ("AVX2", "", ("avx2", "fma", "bmi2", "lzcnt")),
        "skylake-avx512": ("AVX-512", "", _AVX512),
        "icelake-server": ("AVX-512 VNNI", _VNNI, (*_AVX512, "avx512vnni", "avx512bitalg", "avx512vbmi2")),
        "alderlake": ("AVX-VNNI", _AVX_VNNI, ("avx2", "avxvnni")),
    }
    return [
        ExecutionPath(
            f"cpu compiled for {name}, {words}", target=name, needs=needs, is_fast=name == "generic",
            environment={"NUMBA_CPU_NAME": name, "NUMBA_CPU_FEATURES": features}, expects={"processor": name},
            fast_ops=("norm", "outer", "payload", "quantise", "residual"),
        )
        for name, (words, features, needs) in targets.items()
    ] + [
        ExecutionPath("cpu compiled without optimisation", target="opt-0", environment={"NUMBA_OPT": "0"}),
        ExecutionPath("cpu compiled with NUMBA_ENABLE_AVX=0", target="no-avx", environment={"NUMBA_ENABLE_AVX": "0"},
                      expects={"engine": "blas"}),
    ]


def _list_devices() -> list[ExecutionPath]:
    """Triton's interpreter covers a program's rows at once, or by the blocks that a device has."""
    interpreted = {"TRITON_INTERPRET": "1"}
    return [
        ExecutionPath("gpu in Triton's interpreter", "gpu", interpreted, expects={"device": "interpreter"}),
        ExecutionPath("gpu in Triton's interpreter, a device's blocks", "gpu", interpreted, is_tiled=True,
                      expects={"device": "interpreter"}),
        ExecutionPath("gpu on a CUDA device", "gpu"),
    ]
