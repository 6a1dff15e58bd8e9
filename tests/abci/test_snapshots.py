"""State sync over the real socket: snapshots are taken, handed out, restored, and never believed (I43 to I47)."""

import json
import os
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import pytest

from abci_app.abci import snapshots as snapshots_module
from abci_app.abci.chain import find_block
from abci_app.app import CONSENSUS_STORE
from abci_app.store.branch import Branch
from abci_app.store.check import check_database
from abci_app.store.disk import Database
from abci_app.store.snapshot import CHUNK_BYTES, Metadata, cut, decode_metadata, encode_metadata, iter_stream
from abci_app.wire.pb.tendermint.abci import types_pb2 as abci
from tests.abci.engine import Node

ACCEPT, ABORT, REJECT, REJECT_FORMAT = (getattr(abci.ResponseOfferSnapshot, name) for name in (
    "ACCEPT", "ABORT", "REJECT", "REJECT_FORMAT"))
APPLIED, RETRY, REJECTED = (getattr(abci.ResponseApplySnapshotChunk, name) for name in (
    "ACCEPT", "RETRY", "REJECT_SNAPSHOT"))
WEIGHTS_BYTES = 9 << 20


def grow(node: Node, blocks: int) -> bytes:
    """Blocks with transfers, each to another account, and with garbage; returns the last app hash."""
    for _ in range(blocks):
        height = node.next_height()
        app_hash = node.block([node.send_tx("alice", f"new{height}", height), b"garbage"]).app_hash
        node.snapshots.wait()
    return bytes(app_hash)


def add_weights(node: Node) -> None:
    """One more block, that the application did not run: it writes blobs as rooms do, of more than a chunk together."""
    database, rng = node.database, random.Random(7)
    branch = Branch(database.latest())
    for number in range(3):
        branch.blobs.set(b"models/w/%d" % number, rng.randbytes(WEIGHTS_BYTES // 3 + number))
    branch.blobs.set(b"models/empty", b"")
    database.commit(database.stage(branch, node.next_height()))


@pytest.fixture
def donor(tmp_path: Path) -> Iterator[Node]:
    """A node at height 9 with snapshots of heights 4 and 8, of more than one chunk."""
    with Node(tmp_path / "donor", snapshot_interval=4) as node:
        node.init_chain()
        grow(node, 2)
        add_weights(node)
        grow(node, 6)
        yield node


def app_hash_of(node: Node, height: int) -> bytes:
    return node.database.version(height).app_hash


def restore(node: Node, donor: Node, snapshot: abci.Snapshot) -> None:
    """What the engine does with an honest peer."""
    assert node.offer(snapshot, app_hash_of(donor, snapshot.height)) == ACCEPT
    for index in range(snapshot.chunks):
        assert node.apply(index, donor.load_chunk(snapshot, index)).result == APPLIED


def files_of(node: Node, height: int) -> dict[str, bytes]:
    folder = node.folder.parent / f"{node.folder.name}-snapshots" / str(height)
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def running_process(node: Node) -> subprocess.Popen[bytes]:
    """The process that writes a snapshot now."""
    while (process := node.snapshots._process) is None:
        time.sleep(0.001)
    return process


def names_in(node: Node) -> list[str]:
    return sorted(os.listdir(node.folder.parent / f"{node.folder.name}-snapshots"))


def test_clients_are_told_where_a_new_node_can_begin(donor: Node, tmp_path: Path) -> None:
    """Snapshots of heights 4 and 8, every four blocks; a node that takes none says so."""
    assert json.loads(donor.query("/app/snapshots").value) == {"interval": 4, "heights": [4, 8]}
    with Node(tmp_path / "other", snapshot_interval=0) as other:
        assert json.loads(other.query("/app/snapshots").value) == {"interval": 0, "heights": []}


def test_i43_snapshots_of_the_interval_are_listed_newest_first_within_the_limits(donor: Node) -> None:
    listed = donor.list_snapshots()
    assert [(one.height, one.format) for one in listed] == [(8, 1), (4, 1)]
    for one in listed:
        chunks = [donor.load_chunk(one, index) for index in range(one.chunks)]
        assert one.chunks == len(decode_metadata(one.metadata).chunk_hashes) == 2
        assert [len(chunk) for chunk in chunks][:-1] == [CHUNK_BYTES] and 0 < len(chunks[-1]) <= CHUNK_BYTES <= 10**7
        assert one.hash == sha256(one.metadata).digest() and len(one.metadata) < 4_000_000
        assert decode_metadata(one.metadata).chunk_hashes == tuple(sha256(chunk).digest() for chunk in chunks)
        assert decode_metadata(one.metadata).app_hash == app_hash_of(donor, one.height)
    assert names_in(donor) == ["4", "8"]


def test_i43_only_the_newest_snapshots_stay(tmp_path: Path) -> None:
    with Node(tmp_path / "state", snapshot_interval=1, snapshot_keep=3) as node:
        node.init_chain()
        for _ in range(6):
            grow(node, 1)
        assert [one.height for one in node.list_snapshots()] == [6, 5, 4]
        assert names_in(node) == ["4", "5", "6"]


def test_i43_no_snapshot_is_taken_or_listed_without_an_interval(node: Node) -> None:
    grow(node, 3)
    assert node.list_snapshots() == [] and node.snapshots.find_oldest() is None


def test_i43_snapshot_is_the_same_on_every_node_whatever_it_keeps_and_however_it_came_there(
        donor: Node, tmp_path: Path) -> None:
    """One replays every block with another window and restarts, one begins from a snapshot; then all go on."""
    def replay(node: Node, until: int) -> None:
        for height in range(node.next_height(), until + 1):
            add_weights(node) if height == 3 else grow(node, 1)

    with Node(tmp_path / "twin", keep_versions=2, snapshot_interval=4) as twin:
        twin.init_chain()
        replay(twin, 2)
    with Node(tmp_path / "twin", keep_versions=0, snapshot_interval=4) as twin:
        if not twin.database.height:
            twin.init_chain()
        replay(twin, 6)
    with (Node(tmp_path / "twin", keep_versions=3, snapshot_interval=4) as twin,
          Node(tmp_path / "restored", snapshot_interval=4) as restored):
        replay(twin, 9)
        restore(restored, donor, donor.list_snapshots()[1])
        grow(restored, 5)
        for node in (donor, twin, restored):
            grow(node, 3)
        assert {app_hash_of(node, 12) for node in (donor, twin, restored)} == {app_hash_of(donor, 12)}
        assert files_of(twin, 8) == files_of(donor, 8) == files_of(restored, 8)
        assert files_of(twin, 12) == files_of(donor, 12) == files_of(restored, 12)


def test_i44_snapshot_is_of_exactly_its_height_whatever_is_committed_meanwhile(tmp_path: Path) -> None:
    with Node(tmp_path / "state", snapshot_interval=5) as node:
        node.init_chain()
        for _ in range(9):
            height = node.next_height()
            node.block([node.send_tx("alice", f"new{height}", height)])  # the process writes beside these
        node.snapshots.wait()
        snapshot = node.list_snapshots()[0]
        stream = b"".join(node.load_chunk(snapshot, index) for index in range(snapshot.chunks))
        assert snapshot.height == 5
        assert stream == b"".join(iter_stream(node.database.version(5)))
        block = find_block(node.database.version(5))
        assert block is not None and block.height == 5


def test_i44_second_snapshot_waits_for_its_turn_and_costs_no_block(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Node(tmp_path / "state", snapshot_interval=1) as node:
        node.init_chain()
        program = tmp_path / "waits"
        program.write_text("#!/bin/sh\nexec cat > /dev/null\n")
        program.chmod(0o755)
        monkeypatch.setattr(snapshots_module.sys, "executable", str(program))
        for _ in range(3):
            node.block()
        assert node.list_snapshots() == [] and node.database.height == 3
        assert node.snapshots.find_oldest() == 1
        monkeypatch.undo()
        running_process(node).kill()
        node.snapshots.wait()
        grow(node, 1)
        assert [one.height for one in node.list_snapshots()] == [4]


def test_chunk_that_is_not_there_is_empty(donor: Node) -> None:
    for height, number_format, chunk in [(8, 1, 2), (8, 1, 2**32 - 1), (8, 2, 0), (8, 0, 0), (5, 1, 0), (0, 1, 0),
                                         (2**63, 1, 0)]:
        request = abci.RequestLoadSnapshotChunk(height=height, format=number_format, chunk=chunk)
        assert donor.engine.ask("load_snapshot_chunk", request).chunk == b""


def test_i46_restored_node_is_at_the_height_and_hash_of_the_snapshot(donor: Node, fresh: Node) -> None:
    snapshot = donor.list_snapshots()[0]
    restore(fresh, donor, snapshot)
    info = fresh.info()
    assert (info.last_block_height, info.last_block_app_hash) == (8, app_hash_of(donor, 8))
    assert info.app_version == donor.info().app_version
    assert check_database(fresh.database).versions == 1
    assert list(fresh.database.latest().blobs.iter(b"")) == list(donor.database.version(8).blobs.iter(b""))
    assert "I" not in fresh.calls()


def test_i47_restored_node_goes_on_like_the_donor(donor: Node, fresh: Node) -> None:
    restore(fresh, donor, donor.list_snapshots()[0])
    tx = fresh.send_tx("alice", "bob", 5)
    assert fresh.check(tx).code == 0
    assert fresh.accepts(fresh.prepare([tx]))
    request = donor.finalize_request([fresh.send_tx("alice", "new9", 9), b"garbage"], 9)
    assert fresh.engine.ask("finalize_block", request).app_hash == app_hash_of(donor, 9)
    fresh.commit()
    for _ in range(4):
        assert grow(fresh, 1) == grow(donor, 1)
    assert fresh.balance("alice") == donor.balance("alice")
    assert fresh.query("/app/invariants").value == donor.query("/app/invariants").value


def test_i47_heights_before_the_snapshot_are_refused_politely(donor: Node, fresh: Node) -> None:
    restore(fresh, donor, donor.list_snapshots()[0])
    for height, prove in ((7, False), (1, False), (7, True), (0, True)):
        answer = fresh.query("/store/bank/key", b"k", height, prove)
        assert (answer.codespace, answer.code, answer.height) == ("sdk", 26, 8)
        assert "8 to 8 are" in answer.log
    grow(fresh, 1)
    assert fresh.balance("alice", 8) == donor.balance("alice", 8)


def test_i47_restored_node_restarts_where_it_is(donor: Node, tmp_path: Path) -> None:
    with Node(tmp_path / "state") as node:
        restore(node, donor, donor.list_snapshots()[0])
    with Node(tmp_path / "state") as again:
        assert again.info().last_block_height == 8
        assert grow(again, 1) == app_hash_of(donor, 9)


@pytest.mark.parametrize("chunks", [0, 1])
def test_node_that_dies_in_the_middle_of_a_restoration_is_empty_and_can_begin_again(
        donor: Node, tmp_path: Path, chunks: int) -> None:
    snapshot = donor.list_snapshots()[0]
    for number in range(2):
        with Node(tmp_path / "state") as node:
            assert node.info().last_block_height == 0
            assert node.offer(snapshot, app_hash_of(donor, 8)) == ACCEPT
            for index in range(chunks):
                assert node.apply(index, donor.load_chunk(snapshot, index)).result == APPLIED
    with Node(tmp_path / "state") as node:
        assert next(node.database.iter_records(b"b", b"f"), None) is None
        assert next(node.database.iter_records(b"m", b"s"), None) is None
        restore(node, donor, snapshot)
        assert grow(node, 1) == app_hash_of(donor, 9)
    with Node(tmp_path / "other") as node:
        node.offer(snapshot, app_hash_of(donor, 8))
        node.apply(0, donor.load_chunk(snapshot, 0))
        node.init_chain()  # the engine may as well replay the blocks
        grow(node, 2)
        assert app_hash_of(node, 2) == app_hash_of(donor, 2)
        assert check_database(node.database).versions == 2


def test_i45_offer_may_come_again_from_scratch_and_after_genesis(donor: Node, fresh: Node) -> None:
    newest, older = donor.list_snapshots()
    fresh.init_chain()
    assert fresh.offer(newest, app_hash_of(donor, 8)) == ACCEPT
    assert fresh.apply(0, donor.load_chunk(newest, 0)).result == APPLIED
    restore(fresh, donor, older)
    assert fresh.info().last_block_height == 4
    assert grow(fresh, 1) == app_hash_of(donor, 5)


def edited(snapshot: abci.Snapshot, **changes: object) -> abci.Snapshot:
    """A snapshot that a liar offers: other metadata, with the hash of them."""
    metadata = encode_metadata(decode_metadata(snapshot.metadata)._replace(**changes))
    return abci.Snapshot(height=snapshot.height, format=1, chunks=snapshot.chunks, metadata=metadata,
                         hash=sha256(metadata).digest())


def test_i45_offer_that_cannot_be_is_refused_in_the_protocols_words(donor: Node, fresh: Node) -> None:
    honest, app_hash = donor.list_snapshots()[0], app_hash_of(donor, 8)
    roots = decode_metadata(honest.metadata).roots

    def changed(**fields: object) -> abci.Snapshot:
        copy = abci.Snapshot.FromString(honest.SerializeToString())
        for name, value in fields.items():
            setattr(copy, name, value)
        return copy

    for number_format in (0, 2, 2**32 - 1):
        assert fresh.offer(changed(format=number_format), app_hash) == REJECT_FORMAT
    cut_short, longer = honest.metadata[:-1], honest.metadata + b"\0"
    other = edited(honest, roots=tuple((name, sha256(root).digest()) for name, root in roots))
    for snapshot in (
        changed(hash=bytes(32)), changed(height=7), changed(chunks=3), changed(chunks=0), changed(metadata=b""),
        changed(metadata=cut_short, hash=sha256(cut_short).digest()), other, edited(honest, height=7),
        changed(metadata=longer, hash=sha256(longer).digest()), edited(honest, roots=roots[:-1]),
        edited(honest, roots=(*roots, ("zoo", bytes(32)))),
    ):
        assert fresh.offer(snapshot, app_hash) == REJECT
    for wrong in (b"", bytes(32), app_hash_of(donor, 9)):
        assert fresh.offer(honest, wrong) == REJECT
    assert fresh.apply(0, donor.load_chunk(honest, 0)).result == REJECTED
    assert fresh.info().last_block_height == 0
    restore(fresh, donor, honest)


@pytest.mark.parametrize("restarts", [False, True])
@pytest.mark.parametrize("height", [4, 8])
def test_i45_restored_state_without_blocks_gives_way_to_another_offer(
        donor: Node, tmp_path: Path, restarts: bool, height: int) -> None:
    """The engine ended between the last chunk and its own first save: it begins state sync from scratch."""
    newest, older = donor.list_snapshots()
    wanted = newest if height == 8 else older
    node = Node(tmp_path / "state")
    with node:
        restore(node, donor, older)
        if not restarts:
            assert node.offer(wanted, bytes(32)) == REJECT
            assert node.info().last_block_height == 4  # an offer that is refused costs nothing
            assert node.offer(wanted, app_hash_of(donor, height)) == ACCEPT
            assert node.info().last_block_height == 0
            assert node.query("/app/snapshots").code == 0
            restore(node, donor, wanted)
            assert grow(node, 1) == app_hash_of(donor, height + 1)
    if restarts:
        with Node(tmp_path / "state") as again:
            assert again.info().last_block_height == 4
            assert again.offer(wanted, app_hash_of(donor, height)) == ACCEPT
        with Node(tmp_path / "state") as again:  # and may end in the middle of that
            assert again.info().last_block_height == 0
            assert next(again.database.iter_records(b"g", b"s"), None) is None
            restore(again, donor, wanted)
            assert grow(again, 1) == app_hash_of(donor, height + 1)
            assert check_database(again.database).versions == 2


def test_i45_offer_to_a_node_with_blocks_is_not_recoverable(donor: Node, tmp_path: Path) -> None:
    newest, older = donor.list_snapshots()
    with Node(tmp_path / "state") as node:
        restore(node, donor, older)
        assert grow(node, 1) == app_hash_of(donor, 5)
        before = node.info()
        assert node.offer(newest, app_hash_of(donor, 8)) == ABORT
        assert node.info() == before
    with Node(tmp_path / "state") as again:
        assert again.offer(newest, app_hash_of(donor, 8)) == ABORT
        assert again.info() == before and grow(again, 1) == app_hash_of(donor, 6)
    assert donor.offer(older, app_hash_of(donor, 4)) == ABORT


def test_i45_chunk_that_is_not_the_promised_one_is_fetched_again_from_others(donor: Node, fresh: Node) -> None:
    snapshot = donor.list_snapshots()[0]
    chunks = [donor.load_chunk(snapshot, index) for index in range(snapshot.chunks)]
    fresh.offer(snapshot, app_hash_of(donor, 8))
    for wrong in (b"", b"\0", chunks[1], chunks[0][:-1], chunks[0] + b"\0", b"\xff" + chunks[0][1:]):
        answer = fresh.apply(0, wrong, "liar")
        assert (answer.result, list(answer.refetch_chunks), list(answer.reject_senders)) == (RETRY, [0], ["liar"])
    answer = fresh.apply(1, chunks[1])  # too early
    assert (answer.result, list(answer.refetch_chunks), list(answer.reject_senders)) == (RETRY, [0], [])
    assert fresh.apply(0, chunks[0]).result == APPLIED
    assert fresh.apply(0, chunks[0]).result == APPLIED  # twice
    answer = fresh.apply(0, b"", "")
    assert (answer.result, list(answer.refetch_chunks), list(answer.reject_senders)) == (RETRY, [0], [])
    assert fresh.apply(1, chunks[1]).result == APPLIED
    assert fresh.info().last_block_height == 8
    assert fresh.apply(1, chunks[1]).result == REJECTED  # nothing is restored any more
    assert grow(fresh, 1) == app_hash_of(donor, 9)


def test_i45_index_beyond_the_chunks_is_refused(donor: Node, fresh: Node) -> None:
    snapshot = donor.list_snapshots()[0]
    fresh.offer(snapshot, app_hash_of(donor, 8))
    assert fresh.apply(snapshot.chunks, b"x").result == REJECTED
    assert fresh.apply(2**32 - 1, b"x").result == REJECTED


def test_i45_snapshot_whose_stream_is_not_its_state_is_refused_with_its_sender(donor: Node, fresh: Node) -> None:
    """The chunks are those of the metadata, and the metadata give the trusted hash; only the stream lies."""
    honest = donor.list_snapshots()[0]
    stream = b"".join(donor.load_chunk(honest, index) for index in range(honest.chunks))
    flipped = stream[:-1] + bytes([stream[-1] ^ 1])
    for lie in (stream[:-1], stream + b"\0", b"\xff" + stream[1:], flipped, b"\0", stream[1:]):
        chunks = [b"".join(pieces) for pieces in cut([lie])]
        metadata = decode_metadata(honest.metadata)._replace(
            chunk_hashes=tuple(sha256(chunk).digest() for chunk in chunks))
        data = encode_metadata(metadata)
        snapshot = abci.Snapshot(height=8, format=1, chunks=len(chunks), metadata=data, hash=sha256(data).digest())
        assert fresh.offer(snapshot, app_hash_of(donor, 8)) == ACCEPT
        answers = []
        for index, chunk in enumerate(chunks):
            answers.append(fresh.apply(index, chunk, "liar"))
            if answers[-1].result != APPLIED:
                break
        assert answers[-1].result == REJECTED and list(answers[-1].reject_senders) == ["liar"]
        assert fresh.info().last_block_height == 0
    restore(fresh, donor, honest)
    assert grow(fresh, 1) == app_hash_of(donor, 9)


def test_i46_state_that_says_another_height_than_was_offered_is_refused(tmp_path: Path, fresh: Node) -> None:
    """Its hash may be that of a header, but the blocks that follow would not be those of the engine."""
    with Database.open(tmp_path / "forged", [name for name in fresh.database.store_names if name != "blobs"]) as forged:
        branch = Branch(forged.latest())
        branch.store(CONSENSUS_STORE).set(b"block", abci.RequestFinalizeBlock(height=6).SerializeToString())
        version = forged.commit(forged.stage(branch, 7))
        chunk = b"".join(iter_stream(version))
        metadata = encode_metadata(Metadata(7, tuple(version.store_roots()), (sha256(chunk).digest(),)))
        snapshot = abci.Snapshot(height=7, format=1, chunks=1, metadata=metadata, hash=sha256(metadata).digest())
        assert fresh.offer(snapshot, version.app_hash) == ACCEPT
        assert fresh.apply(0, chunk).result == REJECTED
        assert fresh.info().last_block_height == 0


def test_unfinished_snapshots_go_when_the_node_starts(tmp_path: Path) -> None:
    folder = tmp_path / "state-snapshots"
    for name in (".tmp-4", ".checkpoint-8"):
        (folder / name).mkdir(parents=True)
        (folder / name / "000000").write_bytes(b"x")
    with Node(tmp_path / "state", snapshot_interval=2) as node:
        assert names_in(node) == []
        node.init_chain()
        grow(node, 2)
        assert names_in(node) == ["2"]


def test_snapshots_above_the_state_are_not_offered(donor: Node, tmp_path: Path) -> None:
    """A node that lost its state has the snapshots of its earlier life."""
    shutil.copytree(tmp_path / "donor-snapshots", tmp_path / "again-snapshots")
    with Node(tmp_path / "again", snapshot_interval=4) as node:
        node.init_chain()
        assert node.list_snapshots() == []
        grow(node, 2)
        assert node.list_snapshots() == []
        add_weights(node)
        grow(node, 1)
        assert [one.height for one in node.list_snapshots()] == [4]
        assert files_of(node, 4) == files_of(donor, 4)


@pytest.mark.parametrize("breakage", ["process", "program", "folder", "disk"])
def test_snapshot_that_cannot_be_made_costs_nothing_else(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch, breakage: str) -> None:
    with Node(tmp_path / "state", snapshot_interval=2) as node:
        node.init_chain()
        if breakage == "process":
            monkeypatch.setattr(snapshots_module.sys, "executable", shutil.which("false"))
        elif breakage == "program":
            monkeypatch.setattr(snapshots_module.sys, "executable", str(tmp_path / "nothing"))
        elif breakage == "folder":
            (tmp_path / "state-snapshots").write_bytes(b"a file where the folder should be")
        else:
            limited = tmp_path / "limited"
            limited.write_text(f"#!/bin/sh\nulimit -f 1000\nexec {sys.executable} \"$@\"\n")
            limited.chmod(0o755)
            monkeypatch.setattr(snapshots_module.sys, "executable", str(limited))
            grow(node, 1)
            add_weights(node)
            node.snapshots.take(node.database)
            node.snapshots.wait()
        grow(node, 3 - node.database.height)
        assert node.list_snapshots() == [] and node.database.height == 3
        assert breakage == "folder" or names_in(node) == []
        monkeypatch.undo()
        if breakage == "folder":
            (tmp_path / "state-snapshots").unlink()
        grow(node, 1)
        assert [one.height for one in node.list_snapshots()] == [4]
        assert names_in(node) == ["4"]


def test_process_that_is_killed_leaves_nothing_behind(tmp_path: Path) -> None:
    with Node(tmp_path / "state", snapshot_interval=2) as node:
        node.init_chain()
        node.block()
        node.block()
        running_process(node).kill()
        node.snapshots.wait()
        assert names_in(node) in ([], ["2"])  # nothing, or whole


def test_node_that_stops_ends_the_process_that_writes(tmp_path: Path) -> None:
    node = Node(tmp_path / "state", snapshot_interval=2)
    node.init_chain()
    node.block()
    node.block()
    process = running_process(node)
    node.close()
    assert process.poll() is not None
    assert names_in(node) in ([], ["2"])


def test_process_whose_node_is_gone_ends(tmp_path: Path) -> None:
    process = subprocess.Popen([sys.executable, "-c", (
        "import time; from abci_app.abci import export; import threading; "
        "threading.Thread(target=export.end_with_parent, daemon=True).start(); time.sleep(60)")],
        stdin=subprocess.PIPE, env=snapshots_module.child_environment())
    assert process.stdin is not None
    process.stdin.close()
    assert process.wait(20) == 1
