"""FinalizeBlock and Commit: a block whatever is in it, one result per transaction, one state (I20 to I26, I33)."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from abci_app.wire.pb.tendermint.abci import types_pb2 as abci
from abci_app.wire.tx import INJECTED_MARK
from tests.abci.engine import Node

GARBAGE = st.one_of(st.binary(max_size=100), st.binary(max_size=60).map(lambda data: INJECTED_MARK + data))


def test_i20_every_transaction_has_its_result_in_order(node: Node) -> None:
    txs = [node.send_tx("alice", "bob", 5), b"", b"garbage", node.send_tx("alice", "bob", 10**12, ahead=1),
           node.send_tx("bob", "carol", 7), INJECTED_MARK]
    results = node.block(txs).tx_results
    assert [(one.codespace, one.code) for one in results] == [
        ("", 0), ("sdk", 2), ("sdk", 2), ("sdk", 5), ("", 0), ("sdk", 6)]
    assert node.balance("carol") == 7


def test_i21_result_has_code_data_and_gas(node: Node) -> None:
    sent, refused = node.block([node.send_tx("alice", "bob", 5), b"garbage"]).tx_results
    assert (sent.gas_wanted, sent.gas_used > 0, len(sent.data) > 0, sent.log) == (100_000, True, True, "")
    assert (refused.gas_wanted, refused.gas_used, refused.data) == (0, 0, b"")
    assert refused.log != ""


def test_i21_events_have_keys_and_can_be_searched_for_but_by_amounts_and_places(node: Node) -> None:
    events = node.block([node.send_tx("alice", "bob", 5)]).tx_results[0].events
    assert "transfer" in [event.type for event in events]
    attributes = [attribute for event in events for attribute in event.attributes]
    assert all(attribute.key for attribute in attributes)
    assert sorted({attribute.key for attribute in attributes if not attribute.index}) == ["amount", "fee", "msg_index"]
    assert sorted({attribute.key for attribute in attributes if attribute.index}) == [
        "acc_seq", "action", "fee_payer", "module", "receiver", "recipient", "sender", "spender"]


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(GARBAGE, max_size=6))
def test_i17_decided_block_of_garbage_still_executes(node: Node, txs: list[bytes]) -> None:
    spent = node.balance("bob") if node.database.height else 0
    results = node.block(txs).tx_results
    assert len(results) == len(txs)
    assert all(one.code > 1 for one in results)  # 0 is success and 1 an internal error
    assert node.balance("bob") == (spent or 10**9)


def test_i22_hash_depends_on_the_block_alone(tmp_path: Path) -> None:
    with Node(tmp_path / "quiet") as quiet, Node(tmp_path / "busy") as busy:
        quiet.init_chain()
        busy.init_chain()
        for ahead in range(3):
            busy.check(busy.send_tx("alice", "bob", 1, ahead))
        busy.prepare([busy.send_tx("bob", "alice", 3)])
        busy.accepts([b"garbage"])
        busy.finalize([busy.send_tx("bob", "carol", 3)])
        txs = [quiet.send_tx("alice", "dave", 9)]
        assert quiet.block(txs).app_hash == busy.block(txs).app_hash


def test_i23_hash_depends_on_the_block(tmp_path: Path) -> None:
    with Node(tmp_path / "a") as first, Node(tmp_path / "b") as second:
        first.init_chain()
        second.init_chain()
        assert first.block([first.send_tx("alice", "bob", 1)]).app_hash != \
            second.block([second.send_tx("alice", "bob", 2)]).app_hash


def test_i24_finalize_twice_without_commit_gives_the_same(node: Node) -> None:
    txs = [node.send_tx("alice", "bob", 5), b"garbage"]
    first = node.finalize(txs)
    assert node.finalize(txs) == first
    node.commit()
    assert node.info().last_block_app_hash == first.app_hash
    assert node.balance("bob") == 10**9 + 5


def test_i25_block_that_was_finalized_last_is_the_one_committed(node: Node) -> None:
    node.finalize([node.send_tx("alice", "bob", 5)])
    kept = node.finalize([node.send_tx("alice", "bob", 6)])
    node.commit()
    assert node.info().last_block_app_hash == kept.app_hash
    assert node.balance("bob") == 10**9 + 6


def test_i26_commit_writes_once(node: Node) -> None:
    node.block()
    node.engine.put("commit", abci.RequestCommit())
    assert node.engine.read().exception.error == "CallOutOfPlace: Commit without FinalizeBlock"
    assert node.database.height == 1


@pytest.mark.parametrize("height", [0, 2, 7, -1])
def test_block_of_another_height_is_refused_and_changes_nothing(node: Node, height: int) -> None:
    request = node.finalize_request()
    request.height = height
    node.engine.put("finalize_block", request)
    assert node.engine.read().exception.error == f"CallOutOfPlace: a block of height {height}, but 1 is next"
    node.engine = node.connect()
    assert node.block().app_hash == node.info().last_block_app_hash


def test_i33_engine_keeps_all_blocks_unless_told_otherwise(node: Node) -> None:
    for _ in range(15):
        node.finalize()
        assert node.commit().retain_height == 0


def test_i33_engine_keeps_blocks_as_long_as_evidence_counts(tmp_path: Path) -> None:
    with (Node(tmp_path / "few", retain_blocks=3, fsync=True) as few,
          Node(tmp_path / "many", retain_blocks=12, fsync=True) as many):
        heights = []
        for node in (few, many):
            node.init_chain()
            node.block()
            heights.append([node.finalize() and node.commit().retain_height for _ in range(2, 15)])
    assert heights[0] == [0] * 9 + [1, 2, 3, 4]  # evidence counts for 10 blocks
    assert heights[1] == [0] * 11 + [1, 2]


def test_i33_engine_keeps_blocks_until_evidence_is_too_old_in_time_as_well(tmp_path: Path) -> None:
    """The engine drops evidence only when both ages are exceeded; blocks here are a second apart."""
    with Node(tmp_path / "state", retain_blocks=1, fsync=True, evidence_seconds=20) as node:
        node.init_chain()
        assert [node.finalize() and node.commit().retain_height for _ in range(30)] == [0] * 21 + list(range(1, 10))
    with Node(tmp_path / "state", retain_blocks=1, fsync=True) as again:
        assert again.finalize() and again.commit().retain_height == 10
    with Node(tmp_path / "other", retain_blocks=1, fsync=True, evidence_seconds=640) as other:  # eleven seconds a mark
        other.init_chain()
        assert [other.finalize() and other.commit().retain_height for _ in range(1000)] == (
            [0] * 641 + [(height - 642) // 11 * 11 + 1 for height in range(642, 1001)])
        marks = list(other.database.latest().store("consensus").iter(b"mark/"))
        assert len(marks) <= 66


def test_i33_engine_keeps_blocks_that_a_power_loss_would_need_again(tmp_path: Path) -> None:
    with Node(tmp_path / "state", retain_blocks=1) as node:  # commits are not synced
        node.init_chain()
        assert [node.finalize() and node.commit().retain_height for _ in range(14)] == [0] * 10 + [1] * 4
    with Node(tmp_path / "state", retain_blocks=1) as again:  # what was opened is on the disk
        assert [again.finalize() and again.commit().retain_height for _ in range(14)] == list(range(5, 16)) + [15] * 3


def test_i33_engine_keeps_blocks_from_the_oldest_snapshot_on(tmp_path: Path) -> None:
    with Node(tmp_path / "state", retain_blocks=1, snapshot_interval=8, snapshot_keep=3, fsync=True) as node:
        node.init_chain()
        retained = []
        for _ in range(24):
            node.finalize()
            retained.append(node.commit().retain_height)
            node.snapshots.wait()
        assert [one.height for one in node.list_snapshots()] == [24, 16, 8]
    assert retained == [0] * 10 + [1, 2, 3, 4, 5, 6, 7, 8] + [8] * 6
