"""Ports that a process of this user has chosen and on which nothing listens yet.

Between the choice of a port and the moment when a node listens on it, another process that looks finds the port free.
So whoever chooses takes a lock for each port first, and everyone else takes a locked port for a busy one.

Writes: a file per claimed port in /tmp/gradus-<user id>, and removes it with the claim. The folder is the same
whatever the environment says, or two processes could look in different places.
"""

from __future__ import annotations

import fcntl
import os
import weakref
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import IO

from localnet.errors import PortInUse
from localnet.homes import make_private

TRIES = 100


class PortClaim:
    """Ports that no other process chooses while this is held; given up by release(), or with the last reference."""

    def __init__(self) -> None:
        self.locks: dict[int, IO[str]] = {}
        self.end = weakref.finalize(self, drop, self.locks)

    def take(self, ports: Iterable[int]) -> int | None:
        """Claim these ports in place of what is held; the first that another one claims, and nothing is held, or None.

        They are taken in ascending order, so that of two who want overlapping blocks at once one gets its own.
        """
        wanted = sorted(set(ports))
        drop(self.locks, [port for port in self.locks if port not in wanted])
        for port in wanted:
            lock = self.locks.get(port) or find_lock(claims_folder() / f"port-{port}")
            if lock is None:
                self.release()
                return port
            self.locks[port] = lock
        return None

    def release(self) -> None:
        """Give every port up."""
        drop(self.locks)


def claims_folder() -> Path:
    """Where the locks of this user lie."""
    return Path("/tmp") / f"gradus-{os.geteuid()}"


def find_lock(path: Path) -> IO[str] | None:
    """The lock that is a file in a folder of this user alone, taken; None when another process holds it."""
    for _ in range(TRIES):
        try:
            make_private(path.parent)
            lock = open(path, "a+")
        except FileNotFoundError:
            continue  # whoever gave up the last lock has just removed the folder
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.path.samestat(os.fstat(lock.fileno()), path.stat()):
                return lock
        except BlockingIOError:
            lock.close()
            return None
        except FileNotFoundError:
            pass  # its holder removed it between our opening and our locking
        lock.close()
    raise PortInUse(f"{path.name} cannot be claimed in {path.parent}", f"remove {path.parent}")


def drop(locks: dict[int, IO[str]], ports: Iterable[int] | None = None) -> None:
    """Give up some ports, all when None, and remove their files while they are still locked."""
    for port in list(locks if ports is None else ports):
        with suppress(FileNotFoundError):
            (claims_folder() / f"port-{port}").unlink()
        locks.pop(port).close()
    with suppress(OSError):
        claims_folder().rmdir()  # refused while another port is claimed
