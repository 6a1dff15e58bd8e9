"""Files that their owner alone may read and that are never replaced, such as keys.

Writes: the file, by way of an unfinished one beside it; a crash leaves the whole file or none under its name.
"""

from __future__ import annotations

import errno
import os
import tempfile
from pathlib import Path


def put_private_file(path: Path, text: str) -> None:
    """Write a new file of mode 0600, on the disk with its name when this returns.

    Raises: FileExistsError when there is one already, OSError when it cannot be written; then nothing is left behind.
    """
    handle, unfinished = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(unfinished, path)
        except FileExistsError:
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path)) from None
    finally:
        os.unlink(unfinished)
    put_names(path.parent)


def put_names(folder: Path) -> None:
    """Have the names in a folder on the disk, as a file's fsync does with its bytes."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
