"""Logs of bounded size: a file, and the one before it."""

from __future__ import annotations

import os
import time
from contextlib import suppress
from pathlib import Path

LOG_BYTES_MAX = 8 * 1024 * 1024


class BoundedLog:
    """An append-only log that never holds more than twice `bytes_max` on the disk.

    A full file becomes `<name>.1`, replacing the one before. A program's output is written as it came. What the disk
    does not take is dropped, for whatever speaks must not die of its log; dropped_bytes: how much that was.
    """

    def __init__(self, path: Path, bytes_max: int = LOG_BYTES_MAX) -> None:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.path = path
        self.bytes_max = bytes_max
        self.dropped_bytes = 0
        self.file = open(path, "ab", buffering=0)

    def write(self, data: bytes) -> None:
        """Append, turning the file over first when it would grow past its bound."""
        data, written = data[-self.bytes_max:], 0
        with suppress(OSError):
            if self.file.tell() and self.file.tell() + len(data) > self.bytes_max:
                self.turn_over()
            written = self.file.write(data)
        self.dropped_bytes += len(data) - written

    def turn_over(self) -> None:
        """Put the file aside and begin a new one; OSError leaves the old one open, and the next call tries again."""
        with suppress(FileNotFoundError):  # it is aside already when a new one could not be opened the last time
            os.replace(self.path, previous(self.path))
        full, self.file = self.file, open(self.path, "ab", buffering=0)
        full.close()

    def note(self, text: str) -> None:
        """Append a dated line of the supervisor's own."""
        stamp = time.strftime("%Y-%m-%d %H:%M:%S")
        self.write(f"{stamp} gradus: {text}\n".encode())

    def close(self) -> None:
        """Close the file."""
        with suppress(OSError):
            self.file.close()


def previous(path: Path) -> Path:
    """The file that a full log was moved to."""
    return path.with_name(path.name + ".1")


def tail(path: Path, count: int) -> list[str]:
    """The last `count` lines of a log, empty when there is none."""
    try:
        with open(path, "rb") as file:
            file.seek(0, os.SEEK_END)
            file.seek(max(0, file.tell() - 400 * max(count, 10)))
            lines = file.read().decode(errors="replace").splitlines()
    except FileNotFoundError:
        return []
    return lines[-count:] if count else []


class Follower:
    """Reads what is appended to a log from now on, across its turning over."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.file = open(path, "rb") if path.exists() else None
        if self.file:
            self.file.seek(0, os.SEEK_END)

    def read_lines(self) -> list[str]:
        """The whole lines that came since the last call, without their ends."""
        lines: list[str] = []
        while self.file or self.path.exists():
            self.file = self.file or open(self.path, "rb")
            line = self.file.readline()
            if line.endswith(b"\n"):
                lines.append(line.decode(errors="replace").rstrip("\n"))
                continue
            self.file.seek(-len(line), os.SEEK_CUR)  # half a line: read it again when the rest is there
            if not self.is_turned_over():
                break
            self.close()
        return lines

    def is_turned_over(self) -> bool:
        """Whether the path now names another file than the one that is open."""
        try:
            return self.file is not None and os.fstat(self.file.fileno()).st_ino != self.path.stat().st_ino
        except FileNotFoundError:
            return False

    def close(self) -> None:
        """Close the file."""
        if self.file:
            self.file.close()
        self.file = None
