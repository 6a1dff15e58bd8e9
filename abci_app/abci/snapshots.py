"""The snapshots of this node: taken beside consensus, kept in a folder, handed out to peers.

    <folder>/<height>/metadata, 000000, 000001, ...    one snapshot, whole
    <folder>/.tmp-<height>, .checkpoint-<height>       one in the making; removed when the node starts

At a height of the interval, Commit makes a checkpoint of the database, by hard links, and goes on. A process of its
own (`export.py`), of lowest priority, reads the state from there, writes the chunks, and renames the folder when all
are on the disk. One at a time. Whatever goes wrong costs a snapshot, never the node.
Source: store/snapshot.py for the bytes; CometBFT v0.38 statesync/messages.go for the limits.
"""

import logging
import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path

from abci_app.store.disk import Database
from abci_app.store.errors import SnapshotInvalid, StoreError
from abci_app.store.snapshot import FORMAT, compute_hash, decode_metadata
from abci_app.wire.pb.tendermint.abci import types_pb2 as abci

LISTED_MAX = 10  # the engine passes no more on
METADATA_FILE = "metadata"
UNFINISHED = (".tmp-", ".checkpoint-")
STOP_SECONDS = 5.0
CODE_ROOT = Path(__file__).resolve().parents[2]

_log = logging.getLogger("gradus.abci")


class Snapshots:
    """A folder of snapshots. interval: heights between two, 0 takes none. keep: how many stay, at least 1."""

    def __init__(self, folder: Path, interval: int, keep: int) -> None:
        self._folder, self._interval, self._keep = folder, interval, keep
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._thread: threading.Thread | None = None
        self._height: int | None = None  # of the one in the making
        self._is_closed = False
        self._sweep()

    def take(self, database: Database) -> None:
        """Begin to make the snapshot of the state just committed, if its height is one of the interval.

        To be called where blocks are committed, so that the checkpoint is of exactly that height.
        """
        height = database.height
        if not self._interval or height % self._interval:
            return
        if self._thread is not None and self._thread.is_alive():
            _log.warning("no snapshot of height %d: that of %s is still being made; a longer snapshot_interval helps",
                         height, self._height)
            return
        checkpoint = self._folder / f".checkpoint-{height}"
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._sweep()
            database.checkpoint(checkpoint)
        except (OSError, StoreError) as error:
            _log.error("no snapshot of height %d: %s", height, error)
            return
        self._height = height
        command = [sys.executable, "-m", "abci_app.abci.export", str(checkpoint), str(height), str(self._keep),
                   *database.store_names]
        self._thread = threading.Thread(target=self._make, args=(command, height), name="snapshot", daemon=True)
        self._thread.start()

    def list_newest(self, height: int) -> list[abci.Snapshot]:
        """The newest whole snapshots of heights up to `height`, newest first, at most LISTED_MAX."""
        found: list[abci.Snapshot] = []
        for one in reversed(find_heights(self._folder)):
            snapshot = self._find(one) if one <= height and len(found) < LISTED_MAX else None
            if snapshot is not None:
                found.append(snapshot)
        return found

    def describe(self, height: int) -> dict[str, int | list[int]]:
        """How often one is taken, and the heights that are listed, rising."""
        return {"interval": self._interval,
                "heights": [one for one in find_heights(self._folder) if one <= height][-LISTED_MAX:]}

    def load_chunk(self, height: int, number_format: int, index: int) -> bytes:
        """The bytes of a chunk; empty when there is no such chunk."""
        try:
            return chunk_path(self._folder / str(height), index).read_bytes() if number_format == FORMAT else b""
        except OSError:
            return b""

    def find_oldest(self) -> int | None:
        """The lowest height of a snapshot, of the one in the making too; None without any."""
        height = self._height
        return min(find_heights(self._folder) + ([] if height is None else [height]), default=None)

    def wait(self) -> None:
        """Until no snapshot is in the making."""
        if self._thread is not None:
            self._thread.join()

    def close(self) -> None:
        """End the snapshot in the making and take no more."""
        with self._lock:
            self._is_closed = True
            process = self._process
        if process is not None:
            process.terminate()
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
        self.wait()

    def _make(self, command: list[str], height: int) -> None:
        """Run the process that writes the snapshot of `height`, and tidy up behind it."""
        try:
            with self._lock:
                if self._is_closed:
                    return
                self._process = subprocess.Popen(command, stdin=subprocess.PIPE, env=child_environment())
            status = self._process.wait()
            if status and not self._is_closed:
                _log.error("no snapshot of height %d: its process ended with status %d", height, status)
        except OSError as error:
            _log.error("no snapshot of height %d: %s", height, error)
        finally:
            if self._process is not None and self._process.stdin is not None:
                self._process.stdin.close()
            self._process = None
            self._sweep()
            self._height = None

    def _sweep(self) -> None:
        """Remove what unfinished snapshots left."""
        for path in self._folder.glob(".*-*"):
            if path.name.startswith(UNFINISHED):
                shutil.rmtree(path, ignore_errors=True)

    def _find(self, height: int) -> abci.Snapshot | None:
        """The snapshot in a folder; None when it is not one, or was just removed."""
        try:
            data = (self._folder / str(height) / METADATA_FILE).read_bytes()
            metadata = decode_metadata(data)
        except (OSError, SnapshotInvalid) as error:
            _log.warning("the snapshot of height %d cannot be read: %s", height, error)
            return None
        return abci.Snapshot(height=height, format=FORMAT, chunks=len(metadata.chunk_hashes), hash=compute_hash(data),
                             metadata=data)


def find_heights(folder: Path) -> list[int]:
    """The heights of the whole snapshots in a folder, rising; none where it cannot be read."""
    try:
        return sorted(int(name) for name in os.listdir(folder) if name.isascii() and name.isdigit())
    except OSError:
        return []


def chunk_path(snapshot: Path, index: int) -> Path:
    """The file of one chunk of a snapshot."""
    return snapshot / f"{index:06d}"


def child_environment() -> dict[str, str]:
    """This process's environment, in which the program is found again wherever it was started."""
    paths = [str(CODE_ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
