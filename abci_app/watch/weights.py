"""Weights of disputed units, on disk: nodes keep a round's weights for as long as it can be challenged, and a dispute
that begins then lasts longer, over restarts of whoever plays it.

FOLDER/<root hex>.weights holds the bytes; the root says what they must be.
"""

from collections.abc import Iterable
from pathlib import Path

from abci_app.client.private import put_names
from kernels.chunks import chunk_root

SUFFIX = ".weights"


class KeptWeights:
    """A folder of weights under their roots, for one process."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def find(self, root: bytes) -> bytes | None:
        """The weights under a root (chunk root, 32 bytes); None when they are not here whole, or cannot be read."""
        try:
            data = self._path(root).read_bytes()
        except OSError:
            return None
        return data if chunk_root(data) == root else None

    def put(self, root: bytes, data: bytes) -> None:
        """Keep weights; nothing happens when they are here. OSError when they cannot be written."""
        if self.find(root) is not None:
            return
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        writing = self._path(root).with_suffix(".writing")
        writing.write_bytes(data)
        writing.rename(self._path(root))
        put_names(self.folder)

    def keep_only(self, roots: Iterable[bytes]) -> None:
        """Forget all weights but those under these roots. OSError when a file cannot be taken away."""
        kept = [self._path(root) for root in roots]
        for path in self.folder.glob(f"*{SUFFIX}"):
            if path not in kept:
                path.unlink(missing_ok=True)

    def _path(self, root: bytes) -> Path:
        return self.folder / f"{root.hex()}{SUFFIX}"
