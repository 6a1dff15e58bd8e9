"""Who may work with a key beside whom, on this machine's own locks."""

from pathlib import Path

import pytest

from abci_app.client.key_lock import KeyBusy, KeyLock


def lock(folder: Path, what: str, is_shared: bool = False, chain_id: str = "test/1", address: str = "ann") -> KeyLock:
    return KeyLock(folder, chain_id, address, what, is_shared)


def test_watcher_of_a_key_works_beside_no_other_of_it(tmp_path: Path) -> None:
    with lock(tmp_path, "gradus watch"):
        for is_shared in (False, True):
            with pytest.raises(KeyBusy, match="the key ann is at work already: gradus watch, process [0-9]+"):
                lock(tmp_path, "second", is_shared).__enter__()
        with lock(tmp_path, "other", address="ben"), lock(tmp_path, "other", chain_id="test/2"):
            pass
    with lock(tmp_path, "again"):
        pass


def test_miners_of_a_key_work_side_by_side_and_beside_no_watcher(tmp_path: Path) -> None:
    with lock(tmp_path, "gradus miner start 1", True), lock(tmp_path, "gradus miner start 22", True):
        with pytest.raises(KeyBusy, match="gradus miner start 22, process"):
            lock(tmp_path, "gradus watch").__enter__()
    with lock(tmp_path, "gradus watch"):
        pass
