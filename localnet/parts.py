"""The programs that a supervisor runs: what one is, its process and log, and how it ends."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from localnet.logs import BoundedLog

HONEST = "honest"  # how an auditor behaves, unless a test network wants another one


@dataclass(frozen=True)
class Command:
    """One part to run. name: app, engine or auditor. socket: what the part makes when it is ready, None if nothing.

    environment: what it runs with; None for this process's.
    """

    name: str
    argv: tuple[str, ...]
    socket: Path | None = None
    environment: Mapping[str, str] | None = None


@dataclass
class Part:
    """A part that has been started, with its output."""

    command: Command
    process: subprocess.Popen[bytes]
    log: BoundedLog
    started_s: float = field(default_factory=time.monotonic)


def is_ready(part: Part) -> bool:
    """Whether a part listens, has nothing to listen on, or has ended."""
    socket = part.command.socket
    return socket is None or socket.is_socket() or part.process.poll() is not None


def signal_group(process: subprocess.Popen[bytes], number: int) -> None:
    """Signal a part and everything it has started; nothing happens when all of that is gone."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, number)


def describe_exit(status: int | None) -> str:
    """An exit status in words."""
    if status is None:
        return "still running"
    if status < 0:
        return f"killed by {signal.Signals(-status).name}"
    return f"exit status {status}"
