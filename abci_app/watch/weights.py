"""Weights that units begin with, on disk: nodes keep those of the last rounds only, and disputes can hold a round open
for longer, over restarts of whoever plays them.

FOLDER/<model>-<round>-<root hex>.weights holds the bytes; the root says what they must be.
"""

import re
from pathlib import Path

from abci_app.client.private import put_names
from abci_app.wire.pb.gradus.work.v1.work_pb2 import Round
from kernels.chunks import chunk_root

_NAME = re.compile(r"([0-9]+)-([0-9]+)-[0-9a-f]{64}\.weights")


class KeptWeights:
    """A folder of the weights that rounds begin with, for one process."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def find(self, owner: Round) -> bytes | None:
        """The weights under a round's root; None when they are not here whole, or cannot be read."""
        try:
            data = self._path(owner).read_bytes()
        except OSError:
            return None
        return data if chunk_root(data) == owner.weights_root else None

    def put(self, owner: Round, data: bytes) -> None:
        """Keep weights; nothing happens when they are here. OSError when they cannot be written."""
        if self.find(owner) is not None:
            return
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        writing = self._path(owner).with_suffix(".writing")
        writing.write_bytes(data)
        writing.rename(self._path(owner))
        put_names(self.folder)

    def list_rounds(self) -> list[tuple[int, int]]:
        """(model, round) of all that is kept, rising."""
        names = (_NAME.fullmatch(path.name) for path in self.folder.glob("*.weights"))
        return sorted({(int(name[1]), int(name[2])) for name in names if name})

    def drop(self, model_id: int, number: int) -> None:
        """Forget what a round began with. OSError when a file cannot be taken away."""
        for path in self.folder.glob(f"{model_id}-{number}-*.weights"):
            path.unlink(missing_ok=True)

    def _path(self, owner: Round) -> Path:
        return self.folder / f"{owner.model_id}-{owner.number}-{owner.weights_root.hex()}.weights"
