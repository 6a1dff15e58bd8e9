"""State sync between two processes as an operator runs them: settings from the file, a stop in the middle, the end."""

import signal
import time
from pathlib import Path

from abci_app.wire.pb.tendermint.abci import types_pb2 as abci
from tests.abci.engine import Connection, Node
from tests.abci.test_process import Process, info

SECONDS_MAX = 60.0


def list_snapshots(engine: Connection) -> list[abci.Snapshot]:
    """The snapshots, once there are some."""
    deadline_s = time.monotonic() + SECONDS_MAX
    while not (found := list(engine.ask("list_snapshots", abci.RequestListSnapshots()).snapshots)):
        assert time.monotonic() < deadline_s
        time.sleep(0.05)
    return found


def test_process_takes_snapshots_by_its_file_and_another_begins_with_one(tmp_path: Path) -> None:
    homes = [tmp_path / "donor", tmp_path / "new"]
    for home in homes:
        (home / "config").mkdir(parents=True)
    (homes[0] / "config" / "app.toml").write_text("snapshot_interval = 3\nsnapshot_keep = 1\n")
    donor, new = Process(homes[0]), Process(homes[1], "--snapshot-interval", "0")
    with Node(tmp_path / "template") as template:  # makes the requests
        template.init_chain()
        engine, other = donor.connect(), new.connect()
        engine.ask("init_chain", template.genesis_request())
        hashes = []
        for height in range(1, 6):
            request = template.finalize_request([template.send_tx("alice", f"new{height}", height)])
            hashes.append(engine.ask("finalize_block", request).app_hash)
            engine.ask("commit", abci.RequestCommit())
            template.block(request.txs)
        snapshot = list_snapshots(engine)[0]
        assert snapshot.height == 3
        offer = abci.RequestOfferSnapshot(snapshot=snapshot, app_hash=hashes[2])
        assert other.ask("offer_snapshot", offer).result == abci.ResponseOfferSnapshot.ACCEPT
        new.end(signal.SIGKILL)
        new = Process(homes[1])
        other = new.connect()
        assert info(other).last_block_height == 0
        assert other.ask("offer_snapshot", offer).result == abci.ResponseOfferSnapshot.ACCEPT
        for index in range(snapshot.chunks):
            chunk = engine.ask("load_snapshot_chunk", abci.RequestLoadSnapshotChunk(
                height=3, format=snapshot.format, chunk=index)).chunk
            applied = other.ask("apply_snapshot_chunk", abci.RequestApplySnapshotChunk(index=index, chunk=chunk))
            assert applied.result == abci.ResponseApplySnapshotChunk.ACCEPT
        assert (info(other).last_block_height, info(other).last_block_app_hash) == (3, hashes[2])
    for process in (donor, new):
        status, said, complained = process.end(signal.SIGTERM)
        assert (status, complained) == (0, ""), (said, complained)
    assert sorted(path.name for path in (homes[0] / "snapshots").iterdir()) == ["3"]
    assert not (homes[1] / "snapshots").exists()


def test_setting_that_cannot_be_ends_the_process_with_3_and_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "app.toml").write_text("snapshot_keep = 0\n")
    status, _, complained = Process(tmp_path).wait()
    assert status == 3
    assert "app.toml: snapshot_keep is 0" in complained and "hint:  give 1 to 10" in complained
