"""Chooses the back end, once per process, and proves it before use.

Reads: the environment variables GRADUS_KERNELS_BACKEND (`ref`, `cpu`, `gpu` or `auto`, default `cpu`) and
NUMBA_CACHE_DIR. `auto` is `gpu` where torch sees a CUDA device, else `cpu`. Every back end gives the same bytes: the
choice changes speed only. A fast back end that cannot be loaded, or that fails its self-test, is reported on the log as
an error and replaced by the next of `cpu` and `ref`.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import logging
import os
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kernels.errors import KernelInputError

if TYPE_CHECKING:
    from kernels.unit import UnitPolicy

BACKENDS = ("ref", "cpu", "gpu")
AUTO = "auto"
DEFAULT_BACKEND = "cpu"
GPU_OPS = (
    "activation", "aggregate", "attention", "embedding", "gemm", "loss", "memory", "mlp", "norm", "optimiser", "outer",
    "payload", "quantise", "residual",
)
CPU_OPS = ("freivalds", "generate")  # `cpu` computes these on a `gpu` back end
NO_TRITON = "triton is not installed: install the extra `gpu` (in a clone of Gradus: pip install '.[gpu]')"
BACKEND_VARIABLE = "GRADUS_KERNELS_BACKEND"
Progress = Callable[[str, int, int], None]

_log = logging.getLogger("gradus.kernels")


@dataclass(frozen=True)
class Choice:
    """The back end in use; `problem` says why it is not the one that was asked for."""

    backend: str
    asked: str
    problem: str = ""


_forced: ContextVar[str | None] = ContextVar("gradus_kernels_backend", default=None)
_lock = threading.Lock()
_choice: Choice | None = None


def implementation(op: str) -> Any:
    """The module that computes `op` on the back end in use; all have the same functions.

    Those in CPU_OPS take and give host arrays on a `gpu` back end too.
    """
    name = backend()
    return importlib.import_module(f"kernels.{op}.{'cpu' if name == 'gpu' and op in CPU_OPS else name}")


def backend() -> str:
    """The name of the back end in use; the first call in a process chooses and tests it."""
    return _forced.get() or choose().backend


def choose(progress: Progress | None = None) -> Choice:
    """Choose the back end by environment and self-test; later calls return the same choice.

    Raises: KernelInputError if GRADUS_KERNELS_BACKEND names no back end, or a setting of the products
    (kernels/gemm/engine.py) means nothing.
    """
    global _choice
    with _lock:
        if _choice is None:
            _choice = _choose(os.environ.get(BACKEND_VARIABLE, "") or DEFAULT_BACKEND, progress)
        return _choice


@contextmanager
def forced(name: str) -> Iterator[None]:
    """Use back end `name` inside the block, in this thread or task, without a self-test."""
    _check_backend(name)
    token = _forced.set(name)
    try:
        yield
    finally:
        _forced.reset(token)


def warm(policy: UnitPolicy | None = None, progress: Progress | None = None) -> Choice:
    """Compile and test everything, so that the first real call is fast.

    About 2 s; on an empty cache half a minute to a minute.

    policy: a fast back end must also give the reference's bytes for one local step of this shape; otherwise `ref`
    takes over for the rest of the process. progress(what, done, total) is told each step.
    """
    global _choice
    chosen = choose(progress)
    while policy is not None and chosen.backend != "ref":
        problem = _find_step_problem(chosen.backend, policy, progress)
        if not problem:
            break
        with _lock:
            chosen = _choice = _replace(chosen, problem, progress)
    return chosen


def prepare_numba() -> None:
    """Point numba's cache at a folder of this source's own; must run before numba is imported.

    numba does not notice a change in a function that a cached one calls, so the folder is named by a hash
    of all sources. Where the user's cache folder cannot be written, a private temporary one serves.
    """
    if os.environ.get("NUMBA_CACHE_DIR"):
        return
    cache = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache")
    try:
        folder = cache.expanduser() / "gradus" / "numba" / _hash_sources()
        folder.mkdir(parents=True, exist_ok=True)
        is_usable = os.access(folder, os.W_OK | os.X_OK)
    except (OSError, RuntimeError):
        is_usable = False
    if not is_usable:
        _log.warning("kernels: the cache folder for compiled code, %s, cannot be written: everything is compiled anew "
                     "now, which takes a minute. Make it writable, or name another by NUMBA_CACHE_DIR.", cache)
    os.environ["NUMBA_CACHE_DIR"] = str(folder) if is_usable else tempfile.mkdtemp(prefix="gradus-numba-")


def _hash_sources() -> str:
    digest = hashlib.sha256()
    for source in sorted(Path(__file__).parent.rglob("*.py")):
        digest.update(source.read_bytes())
    return digest.hexdigest()[:16]


def _check_backend(name: str) -> None:
    if name not in BACKENDS:
        known = ", ".join((*BACKENDS, AUTO))
        raise KernelInputError(f"unknown back end {name!r}: {BACKEND_VARIABLE} is one of {known}")


def _choose(asked: str, progress: Progress | None) -> Choice:
    name = _find_best() if asked == AUTO else asked
    _check_backend(name)
    if name != "ref":
        from kernels.gemm import engine

        engine.check_environment()
    choice = Choice(name, asked)
    problem = _find_problem(name, progress)
    return _replace(choice, problem, progress) if problem else choice


def _find_best() -> str:
    """`gpu` where torch is installed and sees a CUDA device; triton is not imported to find out."""
    if importlib.util.find_spec("torch") is None or importlib.util.find_spec("triton") is None:
        return "cpu"
    try:
        return "gpu" if importlib.import_module("torch").cuda.is_available() else "cpu"
    except Exception:  # a broken installation of torch is no device
        return "cpu"


def _replace(choice: Choice, problem: str, progress: Progress | None) -> Choice:
    """The next back end after one with a problem, tested; `ref` needs no test."""
    following = BACKENDS[BACKENDS.index(choice.backend) - 1]
    _log.error("kernels: back end %s is not used: %s. The %s back end takes over; results are the same.",
               choice.backend, problem, "slow reference" if following == "ref" else following)
    problems = "; ".join(filter(None, (choice.problem, problem)))
    replaced = Choice(following, choice.asked, problems)
    more = _find_problem(following, progress)
    return _replace(replaced, more, progress) if more else replaced


def _find_problem(name: str, progress: Progress | None) -> str:
    if name == "ref":
        return ""
    from kernels import selftest

    try:
        if name == "gpu" and (problem := _find_device_problem()):
            return problem
        failed = selftest.find_failures(name, progress)
    except Exception as error:  # any failure of a compiler or library means: do not use this back end
        return f"{type(error).__name__}: {error}"
    return f"wrong results in the self-test of {', '.join(failed)}" if failed else ""


def _find_device_problem() -> str:
    if importlib.util.find_spec("triton") is None:
        return NO_TRITON
    from kernels import device

    return device.find_problem()


def _find_step_problem(name: str, policy: UnitPolicy, progress: Progress | None) -> str:
    from kernels import selftest

    what = f"a local step of a {policy.model}"
    if progress is not None:
        progress(what, 0, 1)
    try:
        is_equal = selftest.is_step_equal(name, policy)
    except KernelInputError:
        raise
    except Exception as error:  # as in _find_problem
        return f"{what}: {type(error).__name__}: {error}"
    if progress is not None:
        progress("done", 1, 1)
    return "" if is_equal else f"wrong results in {what}"
