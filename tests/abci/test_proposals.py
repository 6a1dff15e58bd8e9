"""PrepareProposal and ProcessProposal: one predicate, two bounds, no traces (I12 to I19)."""

from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from abci_app.abci.application import new_timer
from abci_app.abci.candidates import read_header
from abci_app.abci.proposal import prepare, proto_bytes
from abci_app.wire.pb.tendermint.abci import types_pb2 as abci
from abci_app.wire.tx import INJECTED_MARK
from tests.abci.engine import Node
from tests.votes import Source


def candidates(node: Node) -> list[bytes]:
    """Good and bad, of two accounts, some out of order, some too dear, some no transactions at all."""
    return [
        node.send_tx("alice", "bob", 5, 0), b"garbage", node.send_tx("bob", "carol", 7, 0),
        node.send_tx("alice", "bob", 6, 2), node.send_tx("alice", "bob", 6, 1), node.send_tx("alice", "bob", 5, 0),
        node.send_tx("bob", "alice", 1, 1, memo="m" * 200), b"", INJECTED_MARK + b"x",
        node.send_tx("alice", "bob", 1, 2),
        node.send_tx("bob", "alice", 1, 2, chain_id="another"), node.send_tx("bob", "alice", 10**15, 2),
    ]


def test_i12_size_is_counted_as_the_engine_counts_it() -> None:
    for size in (0, 1, 127, 128, 300, 20_000, 1 << 20):
        raw = bytes(size)
        field = abci.ResponsePrepareProposal(txs=[raw])
        assert proto_bytes(raw) == len(field.SerializeToString())


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, 3_000))
def test_i12_proposal_never_exceeds_its_bytes(node: Node, max_tx_bytes: int) -> None:
    txs = node.prepare(candidates(node), max_tx_bytes)
    assert sum(proto_bytes(tx) for tx in txs) <= max_tx_bytes
    assert node.accepts(txs)


def test_time_of_a_proposal_begins_with_its_first_transaction_of_a_user() -> None:
    assert new_timer(0.0)() and not new_timer(3600.0)()


def test_i12_proposal_takes_what_fits_exactly(node: Node) -> None:
    txs = [node.send_tx("alice", "bob", 5, ahead) for ahead in range(4)]
    room = sum(proto_bytes(tx) for tx in txs[:3])
    assert node.prepare(txs, room) == txs[:3]
    assert node.prepare(txs, room - 1) == txs[:2]


def test_i13_proposal_stays_within_the_gas_of_a_block(tmp_path: Path) -> None:
    with Node(tmp_path / "state", block_gas=250_000) as node:
        node.init_chain()
        txs = [node.send_tx("alice", "bob", 5, ahead) for ahead in range(4)]
        assert node.prepare(txs) == txs[:2]
        assert node.accepts(txs[:2])
        assert not node.accepts(txs[:3])


def test_proposal_ends_with_its_time_and_the_next_one_takes_the_rest(node: Node) -> None:
    txs = [node.send_tx("alice", "bob", 5, ahead) for ahead in range(3)]
    request, source = node.finalize_request(), Source()
    with node.application._consensus:
        candidate, chain = node.application._begin(read_header(request, request.decided_last_commit))
    prepare(node.application._app, chain, candidate, txs, 10_000, source, iter([False, True]).__next__)
    assert candidate.txs == txs[:1]
    prepare(node.application._app, chain, candidate, txs[1:], 10_000, source, new_timer(1_000.0))
    assert candidate.txs == txs


def test_i14_what_one_node_proposes_another_accepts(tmp_path: Path) -> None:
    with Node(tmp_path / "one") as one, Node(tmp_path / "two") as two:
        one.init_chain()
        two.init_chain()
        for _ in range(3):
            txs = one.prepare(candidates(one))
            assert len(txs) >= 5
            assert two.accepts(txs)
            assert one.block(txs).app_hash == two.block(txs).app_hash


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.permutations(list(range(12))), st.integers(0, 12))
def test_i14_proposals_of_any_mempool_are_accepted(node: Node, order: list[int], count: int) -> None:
    pool = candidates(node)
    txs = node.prepare([pool[index] for index in order[:count]])
    assert node.accepts(txs)
    results = node.finalize(txs).tx_results
    assert all(result.gas_wanted > 0 for result in results)


def test_i15_decision_depends_on_block_and_state_alone(tmp_path: Path) -> None:
    with Node(tmp_path / "quiet") as quiet, Node(tmp_path / "busy") as busy:
        quiet.init_chain()
        busy.init_chain()
        busy.check(busy.send_tx("alice", "carol", 10**9 - 200))
        busy.prepare([busy.send_tx("alice", "carol", 1)])
        for txs in ([quiet.send_tx("alice", "bob", 5)], [quiet.send_tx("alice", "bob", 5, 1)], [b"garbage"]):
            assert quiet.accepts(txs) == busy.accepts(txs)


def test_i16_proposals_of_any_number_and_order_leave_the_state_as_it_was(node: Node) -> None:
    txs = [node.send_tx("alice", "bob", 5)]
    others = [node.send_tx("alice", "carol", 9)]
    for _ in range(3):
        assert node.accepts(others)
        assert node.prepare(txs) == txs
        assert not node.accepts([*txs, *others])
        assert node.accepts(txs)
    assert [result.code for result in node.block(others).tx_results] == [0]  # never seen by Prepare


def test_i17_malformed_proposal_is_rejected_and_its_block_still_runs(node: Node) -> None:
    for bad in (b"garbage", b"", INJECTED_MARK, INJECTED_MARK + b"\x0a\x02/x", node.send_tx("alice", "bob", 5, 3)):
        assert not node.accepts([node.send_tx("alice", "bob", 1), bad])
        assert len(node.finalize([node.send_tx("alice", "bob", 1), bad]).tx_results) == 2


def test_i17_empty_proposal_is_accepted(node: Node) -> None:
    assert node.prepare([]) == []
    assert node.accepts([])


def test_i18_whole_mempool_may_be_offered(node: Node) -> None:
    txs = [node.send_tx("alice", "bob", 1, ahead) for ahead in range(300)]
    taken = node.prepare(txs, 20_000)
    assert taken == txs[:len(taken)]
    assert 20_000 - sum(map(proto_bytes, taken)) < proto_bytes(txs[0])


def test_i19_proposals_have_no_side_effects_on_the_committed_state(node: Node) -> None:
    node.block()
    before = node.info()
    txs = node.prepare([node.send_tx("alice", "bob", 5)])
    node.accepts(txs)
    request = abci.RequestExtendVote(hash=bytes(32), height=2)
    node.engine.ask("extend_vote", request)
    assert node.info() == before
    assert node.balance("alice") == 10**9
    assert node.check(node.send_tx("alice", "bob", 5)).code == 0
