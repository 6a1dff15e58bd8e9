"""What the export of a snapshot leaves on the disk. Reads /proc, so it runs on Linux."""

import os
from pathlib import Path

import pytest

from abci_app.abci.export import write_snapshot
from abci_app.store.branch import Branch
from abci_app.store.disk import Database
from abci_app.store.snapshot import CHUNK_BYTES


def test_every_byte_of_a_snapshot_is_on_the_disk_before_its_folder_has_its_name(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: dict[str, int] = {}
    fsync = os.fsync

    def note(descriptor: int) -> None:
        path = Path(os.readlink(f"/proc/self/fd/{descriptor}"))
        synced[path.name] = os.fstat(descriptor).st_size if path.is_file() else -1
        fsync(descriptor)

    with Database.open(tmp_path / "state", ("bank",)) as database:
        branch = Branch(database.latest())
        branch.store("bank").set(b"alice", b"5")
        branch.blobs.set(b"models/w", os.urandom(CHUNK_BYTES + 4099))
        database.commit(database.stage(branch, 1))
        monkeypatch.setattr(os, "fsync", note)
        size = write_snapshot(database.latest(), tmp_path / "made")
    files = {path.name: path.stat().st_size for path in (tmp_path / "made").iterdir()}
    assert len(files) > 2 and size > CHUNK_BYTES
    assert synced == {**files, "made": -1}
