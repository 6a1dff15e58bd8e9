"""What units are answered from, on disk, over restarts: weights that rounds begin with, and traces of units.

Whoever has the weights of a round need not find a node in time that is whole; who has the trace of its own unit answers
a challenge at once.

FOLDER/<model>-<round>-<root hex>.weights holds what a round begins with, .trace the digests of a unit's trace, one
behind the other. The root says what the bytes must be: a file that is torn or changed is none.
"""

import re
from collections.abc import Sequence
from pathlib import Path

from abci_app.client.private import put_names
from abci_app.wire.merkle import HASH_BYTES, merkle_root
from abci_app.wire.pb.gradus.work.v1.work_pb2 import Round
from kernels.chunks import chunk_root

WEIGHTS, TRACE = "weights", "trace"
_NAME = re.compile(rf"([0-9]+)-([0-9]+)-[0-9a-f]{{64}}\.(?:{WEIGHTS}|{TRACE})")


class KeptRounds:
    """A folder of weights that rounds begin with, and of traces of their units, for one process."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def find_weights(self, owner: Round) -> bytes | None:
        """The weights under a round's root; None when they are not here whole, or cannot be read."""
        data = self._read(self._path(owner, owner.weights_root, WEIGHTS))
        return data if data is not None and chunk_root(data) == owner.weights_root else None

    def put_weights(self, owner: Round, data: bytes) -> None:
        """Keep weights; nothing happens when they are here. OSError when they cannot be written."""
        if self.find_weights(owner) is None:
            self._write(self._path(owner, owner.weights_root, WEIGHTS), data)

    def find_trace(self, owner: Round, trace_root: bytes) -> tuple[bytes, ...]:
        """The digests under a unit's trace root; empty when they are not here whole, or cannot be read."""
        data = self._read(self._path(owner, trace_root, TRACE)) or b""
        digests = tuple(data[at:at + HASH_BYTES] for at in range(0, len(data), HASH_BYTES))
        return digests if digests and merkle_root(digests) == trace_root else ()

    def put_trace(self, owner: Round, trace: Sequence[bytes]) -> None:
        """Keep the digests of a trace, one at least. OSError when they cannot be written."""
        root = merkle_root(trace)
        if not self.find_trace(owner, root):
            self._write(self._path(owner, root, TRACE), b"".join(trace))

    def list_rounds(self) -> list[tuple[int, int]]:
        """(model, round) of all of which something is kept, rising."""
        names = (_NAME.fullmatch(path.name) for path in self.folder.glob("*"))
        return sorted({(int(name[1]), int(name[2])) for name in names if name})

    def drop(self, model_id: int, number: int) -> None:
        """Forget what is kept of a round. OSError when a file cannot be taken away."""
        for path in self.folder.glob(f"{model_id}-{number}-*"):
            path.unlink(missing_ok=True)

    def _read(self, path: Path) -> bytes | None:
        try:
            return path.read_bytes()
        except OSError:
            return None

    def _write(self, path: Path, data: bytes) -> None:
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        writing = path.with_suffix(".writing")
        writing.write_bytes(data)
        writing.rename(path)
        put_names(self.folder)

    def _path(self, owner: Round, root: bytes, kind: str) -> Path:
        return self.folder / f"{owner.model_id}-{owner.number}-{root.hex()}.{kind}"
