"""What this version leaves out, and that it says so in the protocol's words."""

from abci_app.wire.pb.tendermint.abci import types_pb2 as abci
from tests.abci.engine import Node


def test_i34_vote_extension_is_empty(node: Node) -> None:
    assert node.engine.ask("extend_vote", abci.RequestExtendVote(height=1)).vote_extension == b""


def test_i35_only_the_empty_extension_is_accepted_and_honest_ones_always_are(node: Node) -> None:
    def verify(extension: bytes) -> int:
        request = abci.RequestVerifyVoteExtension(height=1, hash=bytes(32), vote_extension=extension)
        return int(node.engine.ask("verify_vote_extension", request).status)

    honest = node.engine.ask("extend_vote", abci.RequestExtendVote(height=1)).vote_extension
    assert verify(honest) == abci.ResponseVerifyVoteExtension.ACCEPT
    assert verify(b"x") == abci.ResponseVerifyVoteExtension.REJECT


def test_i43_no_snapshot_is_offered_to_others(node: Node) -> None:
    node.block()
    assert list(node.engine.ask("list_snapshots", abci.RequestListSnapshots()).snapshots) == []
    assert node.engine.ask("load_snapshot_chunk", abci.RequestLoadSnapshotChunk(height=1)).chunk == b""


def test_i45_no_snapshot_is_taken_from_others(fresh: Node) -> None:
    offer = abci.RequestOfferSnapshot(snapshot=abci.Snapshot(height=5, format=1, chunks=1), app_hash=bytes(32))
    assert fresh.engine.ask("offer_snapshot", offer).result == abci.ResponseOfferSnapshot.REJECT
    chunk = abci.RequestApplySnapshotChunk(chunk=b"x")
    assert fresh.engine.ask("apply_snapshot_chunk", chunk).result == abci.ResponseApplySnapshotChunk.REJECT_SNAPSHOT
    assert fresh.info().last_block_height == 0
