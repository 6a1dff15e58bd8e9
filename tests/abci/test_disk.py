"""Disk use stays bounded, and the kept window exact, while blocks, rounds, pruning and snapshots go on."""

from pathlib import Path

from abci_app.app import STORE_NAMES
from abci_app.store.check import check_database
from abci_app.store.disk import JOURNAL_BYTES, Database
from tests.bench.disk import DiskRun, Usage


def test_disk_use_is_bounded_by_what_is_kept_not_by_what_was_written(tmp_path: Path) -> None:
    """The long form is `python -m tests.bench.disk`: 10 000 blocks at the sizes of a real node."""
    run = DiskRun(tmp_path, keep_versions=20, interval=40, hidden=320)
    found: list[Usage] = []
    try:
        while run.database.height < 240:
            run.step(sends=2)
            if run.database.height % 20 == 0:
                run.snapshots.wait()
                run.probe()
                found.append(run.measure())
    finally:
        run.close()
    settled = found[4:]
    assert run.database.oldest == 221
    assert settled[-1].written > 3 * max(usage.database for usage in settled)
    assert max(usage.live for usage in settled) < 2 * min(usage.live for usage in settled)
    assert max(usage.snapshots for usage in settled) < 3 * max(usage.live for usage in settled)
    assert max(usage.database for usage in settled[4:]) < 2 * max(usage.database for usage in settled[:4])
    assert max(usage.rest for usage in found) < 4 * JOURNAL_BYTES
    with Database.open(tmp_path / "state", STORE_NAMES, 20, fsync=False) as database:
        census = check_database(database)
        assert census.versions == 20 and census.pruning_backlog == 0
