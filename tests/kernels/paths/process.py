"""The process of one execution path: `python -m tests.kernels.paths.process BACKEND [--tiled] [--ops OP,...]`.

Prints a line of JSON for what it took, one before each case, one after it, and one at its end, each at once, so that
a process which dies has said where. Without a self-test: what differs is for the reader of the lines to find.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import platform
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from kernels import dispatch, selftest
from kernels.samples import Case
from tests.kernels.paths import large


def main(arguments: list[str]) -> int:
    """Compute the cases and print; returns 1 if the back end cannot run here, or has no such case."""
    backend, is_tiled = arguments[0], "--tiled" in arguments
    ops = tuple(arguments[arguments.index("--ops") + 1].split(",")) if "--ops" in arguments else ()
    if backend == "gpu" and (problem := find_problem()):
        say(problem=problem)
        return 1
    cases = list(iter_cases(backend, ops))
    if not cases:
        say(problem="it computes none of these ops")
        return 1
    if is_tiled:
        tile_as_a_device()
    with dispatch.forced(backend):
        say(took=describe(backend, is_tiled))
        for name, case in cases:
            say(start=name)
            began = time.process_time()
            digest = compute_digest(case)
            say(case=name, digest=digest, cpu_s=round(time.process_time() - began, 3))
    say(cpu_s=round(time.process_time(), 1))
    return 0


def find_problem() -> str:
    """Why the gpu back end cannot run in this process; empty if it can."""
    if importlib.util.find_spec("triton") is None:
        return "triton is not installed"
    from kernels import device

    return device.find_problem()


def iter_cases(backend: str, ops: tuple[str, ...]) -> Iterator[tuple[str, Case]]:
    """Cases of the self-test and large ones: of `gpu` those that it computes itself; of `ops` alone, if given."""
    for name, case in {**selftest.CASES, **large.CASES}.items():
        op = name.split("/")[0]
        if (not ops or op in ops) and (backend != "gpu" or op not in dispatch.CPU_OPS):
            yield name, case


def compute_digest(case: Case) -> str:
    """SHA-256 of the case's bytes, or what it raised."""
    try:
        return hashlib.sha256(case()).hexdigest()
    except Exception as error:  # the other cases are told too
        return f"{type(error).__name__}: {error}"


def tile_as_a_device() -> None:
    """Let the interpreter run programs of the sizes, and as many, as a device has."""
    from kernels import device
    from kernels.aggregate import gpu_gram, gpu_planes, gpu_sums
    from kernels.gemm import gpu as gemm
    from kernels.loss import gpu as loss
    from kernels.mlp import gpu as mlp

    device.ELEMENTS_INTERPRETED = device.ELEMENTS_ON_DEVICE
    loss.COLUMNS_MAX = mlp.COLUMNS_MAX = device.ELEMENTS_ON_DEVICE
    on_device: Any = SimpleNamespace(**{**vars(device), "IS_INTERPRETED": False})
    sized: tuple[Any, ...] = (gemm, gpu_gram, gpu_planes, gpu_sums, mlp)
    for module in sized:
        module.device = on_device  # they ask for nothing but the sizes; launches stay the interpreter's


def describe(backend: str, is_tiled: bool) -> dict[str, str]:
    """What this process computes with; processes that say the same take the same path."""
    facts = {"backend": backend, "hash_seed": os.environ.get("PYTHONHASHSEED", ""), "python_O": str(sys.flags.optimize)}
    if backend == "ref":
        return facts
    if backend == "gpu":
        return {**facts, "device": describe_device(), "blocks": "a device's" if is_tiled else "the interpreter's"}
    from kernels import jit
    from kernels.gemm import cpu, engine

    _, processor, features = jit.numba.core.registry.cpu_target.target_context.codegen().magic_tuple()
    return {
        **facts,
        **describe_blas(),
        "engine": engine.choose(cpu.multiply_by),
        "threads": str(engine.count_threads()),
        "processor": processor,
        "features": hashlib.sha256(features.encode("ascii")).hexdigest()[:8],
        "optimised": str(jit.numba.config.OPT),
    }


def describe_device() -> str:
    """`interpreter`, or the device's name."""
    from kernels import device

    return "interpreter" if device.IS_INTERPRETED else str(device._torch().cuda.get_device_name())


def describe_blas() -> dict[str, str]:
    """The kernels and threads of numpy's BLAS, by threadpoolctl, which comes with scikit-learn."""
    import numpy  # noqa: F401  (loads its BLAS)
    import threadpoolctl

    blas = [pool for pool in threadpoolctl.threadpool_info() if pool["user_api"] == "blas"]
    pools = [pool for pool in blas if "numpy" in Path(pool["filepath"]).parts[-2]] or blas  # scipy brings one, too
    if not pools:
        return {"blas": f"of {platform.system()}", "blas_threads": ""}
    return {"blas": str(pools[0].get("architecture", "")), "blas_threads": str(pools[0]["num_threads"])}


def say(**line: object) -> None:
    """Print a line of JSON now."""
    print(json.dumps(line), flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
