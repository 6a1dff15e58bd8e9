"""A block runs once, and what ran is used for that very block only (I14, I16, I19, I24, I25)."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from abci_app.abci.candidates import CANDIDATES_MAX
from abci_app.runtime.context import Ctx
from abci_app.runtime.module import Module
from abci_app.wire.pb.tendermint.abci import types_pb2 as abci
from tests.abci.engine import BLOCK_BYTES, GENESIS_SECONDS, Node, block_hash


class Counted(Node):
    """A node that counts how often it begins to run a block."""

    def count(self) -> list[int]:
        """From now on: the heights of the blocks that it begins."""
        begun: list[int] = []

        def note(ctx: Ctx) -> None:
            begun.append(ctx.height)

        app = self.application._app
        watch = Module("watch", lambda ctx, state: None, lambda ctx: {}, begin_block=note)
        object.__setattr__(app, "modules", (*app.modules, watch))
        return begun


@pytest.fixture
def counted(tmp_path: Path) -> Iterator[Counted]:
    with Counted(tmp_path / "state") as node:
        node.init_chain()
        yield node


def process(node: Node, txs: list[bytes], **fields: Any) -> int:
    """ProcessProposal's status for a block that differs from the usual one in `fields`."""
    request = abci.RequestProcessProposal(
        **{**node.block_fields(), "txs": txs, "hash": block_hash(node.next_height()), **fields})
    return int(node.engine.ask("process_proposal", request).status)


def test_block_that_a_node_proposed_runs_once(counted: Counted, tmp_path: Path) -> None:
    begun = counted.count()
    txs = counted.prepare([counted.send_tx("alice", "bob", 5), b"garbage"])
    assert counted.accepts(txs)
    answer = counted.finalize(txs)
    counted.commit()
    assert begun == [1]
    with Node(tmp_path / "replayed") as replayed:
        replayed.init_chain()
        assert replayed.finalize(txs) == answer


def test_block_of_another_runs_once(counted: Counted, tmp_path: Path) -> None:
    begun = counted.count()
    txs = [counted.send_tx("alice", "bob", 10**12), counted.send_tx("bob", "alice", 5)]  # the first one fails, and pays
    assert counted.accepts(txs)
    answer = counted.finalize(txs)
    counted.commit()
    assert begun == [1] and [one.code for one in answer.tx_results] == [5, 0]
    with Node(tmp_path / "replayed") as replayed:
        replayed.init_chain()
        assert replayed.finalize(txs) == answer


def test_i24_block_that_was_run_before_can_be_finalized_twice(counted: Counted) -> None:
    txs = counted.prepare([counted.send_tx("alice", "bob", 5)])
    assert counted.accepts(txs)
    first = counted.finalize(txs)
    counted.finalize([counted.send_tx("alice", "carol", 9)])
    assert counted.finalize(txs) == first
    counted.commit()
    assert counted.info().last_block_app_hash == first.app_hash
    assert (counted.balance("bob"), counted.balance("carol")) == (10**9 + 5, 0)


@pytest.mark.parametrize("change", ["time", "proposer_address", "misbehavior", "order", "byte", "fewer", "more"])
def test_i25_block_of_the_same_hash_and_another_content_is_run_anew(
        tmp_path: Path, counted: Counted, change: str) -> None:
    """A hash is the engine's word; what was run is compared with what is to be run."""
    txs = [counted.send_tx("alice", "bob", 5), counted.send_tx("bob", "alice", 7)]
    assert counted.prepare(txs) == txs
    assert counted.accepts(txs)
    request = counted.finalize_request(txs)
    if change == "time":
        request.time.CopyFrom(Timestamp(seconds=GENESIS_SECONDS + 50, nanos=1))
    elif change == "proposer_address":
        request.proposer_address = b"\x07" * 20
    elif change == "misbehavior":
        request.misbehavior.add(type=abci.DUPLICATE_VOTE, height=1, total_voting_power=10).validator.power = 10
    elif change == "order":
        request.txs[:] = txs[::-1]
    elif change == "byte":
        request.txs[1] = txs[1][:-1] + bytes([txs[1][-1] ^ 1])
    elif change == "fewer":
        request.txs[:] = txs[:1]
    else:
        request.txs.append(b"")
    begun = counted.count()
    answer = counted.engine.ask("finalize_block", request)
    assert begun == [1]
    with Node(tmp_path / "fresh") as fresh:
        fresh.init_chain()
        assert fresh.engine.ask("finalize_block", request) == answer


def test_i25_rejected_block_is_rejected_again_and_runs_when_it_is_decided(counted: Counted) -> None:
    txs = [counted.send_tx("alice", "bob", 5), b"garbage"]
    assert not counted.accepts(txs)
    assert [one.code for one in counted.finalize(txs).tx_results] == [0, 2]
    assert not counted.accepts(txs)
    counted.commit()
    assert counted.balance("bob") == 10**9 + 5


def test_i16_only_the_last_few_blocks_are_kept(counted: Counted) -> None:
    blocks = [[counted.send_tx("alice", "bob", amount)] for amount in range(1, 3 * CANDIDATES_MAX)]
    for txs in blocks:
        assert counted.accepts(txs)
    assert len(counted.application._candidates._kept) == CANDIDATES_MAX
    begun = counted.count()
    for txs in blocks[-CANDIDATES_MAX:]:
        assert counted.accepts(txs)
    assert begun == []
    assert counted.accepts(blocks[0])
    assert begun == [1]
    counted.block(blocks[-1])
    assert counted.application._candidates._kept == []
    assert counted.balance("bob") == 10**9 + len(blocks)


def test_block_that_was_run_before_a_commit_is_not_taken_after_it(counted: Counted) -> None:
    txs = [counted.send_tx("alice", "bob", 5)]
    assert counted.accepts(txs)
    counted.block([])
    assert process(counted, txs, height=2) == abci.ResponseProcessProposal.ACCEPT
    counted.block(txs)
    assert process(counted, txs, height=3) == abci.ResponseProcessProposal.REJECT  # its sequence is used up


def test_i9_genesis_that_comes_again_forgets_what_ran_on_the_first(counted: Counted) -> None:
    txs = [counted.send_tx("alice", "bob", 5)]
    assert counted.accepts(txs)
    counted.init_chain()
    begun = counted.count()
    counted.block(txs)
    assert begun == [1]


def test_i14_transaction_that_the_ones_before_it_leave_without_its_fee_is_left_out(counted: Counted) -> None:
    all_of_it = counted.send_tx("alice", "bob", 10**9 - 100)
    txs = [all_of_it, counted.send_tx("alice", "bob", 1, ahead=1)]
    assert [counted.check(tx).code for tx in txs] == [0, 0]  # the mempool runs no messages
    assert counted.prepare(txs) == [all_of_it]
    assert not counted.accepts(txs)


CALLS = ["prepare", "process", "finalize", "check"]
STEPS = st.lists(st.tuples(st.sampled_from(CALLS), st.integers(0, 5)), max_size=12)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(STEPS, min_size=1, max_size=3))
def test_i16_state_follows_the_decided_blocks_whatever_was_proposed_between(
        tmp_path_factory: pytest.TempPathFactory, heights: list[list[tuple[str, int]]]) -> None:
    folder = tmp_path_factory.mktemp("twins")
    with Node(folder / "busy") as busy, Node(folder / "quiet") as quiet:
        busy.init_chain()
        quiet.init_chain()
        for steps in heights:
            alice, bob = ([busy.send_tx(name, "carol", 3, ahead) for ahead in range(2)] for name in ("alice", "bob"))
            blocks = [[], alice, bob, [*bob, *alice], [alice[0], b"x", bob[0]], [alice[1], alice[0], alice[1]]]
            for step, at in steps:
                if step == "prepare":
                    assert busy.accepts(busy.prepare(blocks[at], BLOCK_BYTES))
                elif step == "process":
                    assert busy.accepts(blocks[at]) == (at < 4)
                elif step == "finalize":
                    busy.finalize(blocks[at])
                else:
                    busy.check((blocks[at] or [b""])[0])
            decided = blocks[steps[-1][1] if steps else 3]
            assert busy.finalize(decided) == quiet.finalize(decided)
            busy.commit()
            quiet.commit()
            assert busy.info() == quiet.info()
