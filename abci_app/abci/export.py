"""`python -m abci_app.abci.export`: writes one snapshot from a checkpoint of the state; started by the node itself.

    export CHECKPOINT HEIGHT KEEP STORE...

Writes <folder>/.tmp-HEIGHT beside CHECKPOINT, syncs it, renames it to <folder>/HEIGHT, and removes the snapshots that
are older than the newest KEEP, and the checkpoint. Ends at once when its standard input ends: the node is gone then.
"""

import os
import shutil
import signal
import sys
import threading
import time
from hashlib import sha256
from pathlib import Path

from abci_app.abci.snapshots import METADATA_FILE, chunk_path, find_heights
from abci_app.client.private import put_names
from abci_app.store.disk import Database
from abci_app.store.errors import StoreError
from abci_app.store.snapshot import Metadata, cut, encode_metadata, iter_stream
from abci_app.store.version import Version

LOWEST_PRIORITY = 19


def write_snapshot(version: Version, folder: Path) -> int:
    """Write the snapshot of a version into `folder`, which must not exist, and sync it; returns its bytes."""
    folder.mkdir()
    hashes = []
    size = 0
    for index, pieces in enumerate(cut(iter_stream(version))):
        digest = sha256()
        with chunk_path(folder, index).open("wb") as file:
            for piece in pieces:
                digest.update(piece)
                file.write(piece)
            size += file.tell()
            file.flush()
            os.fsync(file.fileno())
        hashes.append(digest.digest())
    metadata = Metadata(version.height, tuple(version.store_roots()), tuple(hashes))
    with (folder / METADATA_FILE).open("wb") as file:
        file.write(encode_metadata(metadata))
        file.flush()
        os.fsync(file.fileno())
    put_names(folder)
    return size


def export(checkpoint: Path, height: int, keep: int, store_names: list[str]) -> int:
    """Make the snapshot of `height` whole, then remove what is too old; returns its bytes.

    Raises OSError, StoreError.
    """
    root = checkpoint.parent
    unfinished, target = root / f".tmp-{height}", root / str(height)
    with Database.open_checkpoint(checkpoint, store_names) as database:
        size = write_snapshot(database.version(height), unfinished)
    if target.exists():  # of an earlier life of this node
        shutil.rmtree(target)
    unfinished.rename(target)
    put_names(root)
    for old in find_heights(root)[:-keep]:
        shutil.rmtree(root / str(old))
    shutil.rmtree(checkpoint)
    return size


def end_with_parent() -> None:
    """Leave when the node that started this process is gone: nobody would remove what is written then."""
    while os.read(sys.stdin.fileno(), 1):
        pass
    os._exit(1)


def main(checkpoint: str, height: str, keep: str, *store_names: str) -> None:
    """Make one snapshot; exit status 1 with a line on stderr when it cannot be made."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the node, which then ends this
    os.nice(LOWEST_PRIORITY)
    threading.Thread(target=end_with_parent, daemon=True).start()
    started_s = time.monotonic()
    try:
        size = export(Path(checkpoint), int(height), int(keep), list(store_names))
    except (OSError, StoreError) as error:
        print(f"snapshot of height {height}: {error}", file=sys.stderr)
        sys.exit(1)
    print(f"snapshot of height {height}: {size} bytes in {time.monotonic() - started_s:.1f} s", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
