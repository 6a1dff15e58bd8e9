"""Files that are replaced in one step, on the disk when that is done."""

from __future__ import annotations

import os
from pathlib import Path

from abci_app.client.private import put_names


def replace_text(path: Path, text: str) -> None:
    """Write a file so that a reader sees the old text or the new one, never a part, even after a power cut.

    OSError leaves the old one.
    """
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with open(unfinished, "w") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(unfinished, path)
        put_names(path.parent)
    except OSError:
        unfinished.unlink(missing_ok=True)
        raise
