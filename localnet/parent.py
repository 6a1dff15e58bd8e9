"""Children that do not outlive their parent, even one that was killed."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from collections.abc import Callable

SET_PARENT_DEATH_SIGNAL = 1  # PR_SET_PDEATHSIG of prctl(2)


def die_with_parent() -> Callable[[], None] | None:
    """For Popen's preexec_fn: has the kernel kill the child when the calling thread ends.

    Call it from a thread that lives as long as the child should: the main one. None where the system has no such
    thing; there a child can outlive a parent that got SIGKILL.
    """
    if sys.platform != "linux":
        return None
    parent, libc = os.getpid(), ctypes.CDLL(None, use_errno=True)

    def arm() -> None:
        libc.prctl(SET_PARENT_DEATH_SIGNAL, signal.SIGKILL)
        if os.getppid() != parent:  # it died before the signal was armed
            os._exit(1)

    return arm
