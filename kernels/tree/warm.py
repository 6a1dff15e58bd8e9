"""Compiles the trees' code beside the program that will use it: one process for all programs of a machine.

Reads and writes: numba's cache folder, where a file says that all is compiled, and another is locked meanwhile.
Numba compiles with Python's lock held, so a thread of the program itself would slow down whatever else it does.
"""

import fcntl
import logging
import subprocess
import sys
import threading
from pathlib import Path
from types import TracebackType

from kernels.tree import find_batch, is_wanted

POLL_SECONDS = 0.2
COMPILE_SECONDS = 600  # then whoever compiles is hung, and the plain code goes on

_log = logging.getLogger("gradus.kernels")


class Warmer:
    """While it is open, a thread sees to it that `kernels.tree.get_ready` answers; closing ends all that it began."""

    def __init__(self) -> None:
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="compiled trees")

    def __enter__(self) -> "Warmer":
        if is_wanted():
            self._thread.start()
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self._stopped.set()
        if self._thread.ident is not None:
            self._thread.join()

    def _run(self) -> None:
        try:
            if self._fill_cache(_find_folder()) and not self._stopped.is_set():
                find_batch()
        except Exception as error:  # noqa: BLE001 - whatever went wrong, the plain code is right
            _log.error("kernels: compiled trees are not used: %r. The plain code takes over; results are the same.",
                       error)

    def _fill_cache(self, folder: Path) -> bool:
        """Whether the cache is filled: it was, or another program does it, or we."""
        done = folder / "tree-done"
        if done.exists():
            return True
        with open(folder / "tree-lock", "wb") as lock:
            while not _try_lock(lock.fileno()):
                if self._stopped.wait(POLL_SECONDS):
                    return False
            if done.exists():
                return True
            _log.info("kernels: compiling the trees' code in another process; the plain code serves meanwhile")
            if not self._compile():
                return False
            done.touch()
            return True

    def _compile(self) -> bool:
        """Compile in a process of its own; False if it was stopped. Raises RuntimeError when that fails."""
        with subprocess.Popen([sys.executable, "-m", "kernels.tree"], stdin=subprocess.DEVNULL) as child:
            for _ in range(int(COMPILE_SECONDS / POLL_SECONDS)):
                if self._stopped.wait(POLL_SECONDS):
                    break
                if child.poll() is not None:
                    if child.returncode:
                        raise RuntimeError(f"their compilation ended with {child.returncode}")
                    return True
            child.kill()
        if not self._stopped.is_set():
            raise RuntimeError("their compilation takes too long")
        return False


def _find_folder() -> Path:
    """The folder of numba's cache for these sources and this numba."""
    import numba

    from kernels import jit

    folder = Path(jit.cache_folder()) / f"tree-{numba.__version__}"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _try_lock(number: int) -> bool:
    try:
        fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
