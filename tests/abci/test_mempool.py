"""CheckTx: what is admitted, again and again, between blocks (I38 to I41)."""

import threading
from pathlib import Path

import pytest

from abci_app.store.disk import Staged
from abci_app.store.version import Version
from abci_app.wire.pb.tendermint.abci import types_pb2 as abci
from abci_app.wire.tx import INJECTED_MARK
from tests.abci.engine import BLOCK_GAS, FLUSH, Node


def test_admission_says_what_a_transaction_costs(node: Node) -> None:
    answer = node.check(node.send_tx("alice", "bob", 5))
    assert (answer.code, answer.gas_wanted, answer.gas_used > 0) == (0, 100_000, True)


def test_i38_transactions_of_one_account_follow_each_other(node: Node) -> None:
    assert [node.check(node.send_tx("alice", "bob", 5, ahead)).code for ahead in (0, 1, 2)] == [0, 0, 0]
    refused = node.check(node.send_tx("alice", "bob", 5, 5))
    assert (refused.codespace, refused.code) == ("sdk", 32)
    assert "account sequence mismatch, expected 3, got 5" in refused.log


def test_i38_commit_begins_a_new_state_and_the_rest_is_checked_again(node: Node) -> None:
    txs = [node.send_tx("alice", "bob", 5, ahead) for ahead in range(3)]
    assert [node.check(tx).code for tx in txs] == [0, 0, 0]
    node.block(txs[:1])
    assert [node.check(tx, abci.RECHECK).code for tx in txs[1:]] == [0, 0]
    assert node.check(txs[0], abci.RECHECK).code == 32
    node.block()
    assert [node.check(tx, abci.RECHECK).code for tx in txs[1:]] == [0, 0]


def test_i38_recheck_drops_what_can_no_longer_pay(tmp_path: Path) -> None:
    with Node(tmp_path / "state", accounts={"alice": 250, "bob": 0}) as node:
        node.init_chain()
        waiting = node.send_tx("alice", "bob", 1, ahead=1)
        assert [node.check(node.send_tx("alice", "bob", 1)).code, node.check(waiting).code] == [0, 0]
        node.block([node.send_tx("alice", "bob", 100)])
        assert (node.check(waiting, abci.RECHECK).codespace, node.check(waiting, abci.RECHECK).code) == ("sdk", 5)


def test_i39_what_is_admitted_is_admitted_in_a_block(node: Node) -> None:
    txs = [node.send_tx("alice", "bob", 5, 0), node.send_tx("bob", "alice", 5, 0), node.send_tx("alice", "bob", 1, 1)]
    assert [node.check(tx).code for tx in txs] == [0, 0, 0]
    assert node.accepts(txs)
    assert [result.code for result in node.block(txs).tx_results] == [0, 0, 0]


def test_i40_gas_limit_above_the_blocks_is_refused_with_words(node: Node) -> None:
    answer = node.check(node.send_tx("alice", "bob", 5, gas_limit=BLOCK_GAS + 1))
    assert (answer.codespace, answer.code) == ("sdk", 11)
    assert str(BLOCK_GAS) in answer.log
    assert node.check(node.send_tx("alice", "bob", 5, gas_limit=BLOCK_GAS)).code == 0


def test_i41_transaction_runs_once(node: Node) -> None:
    tx = node.send_tx("alice", "bob", 5)
    assert [result.code for result in node.block([tx, tx]).tx_results] == [0, 32]
    assert node.block([tx]).tx_results[0].code == 32
    assert node.check(tx).code == 32
    assert node.balance("bob") == 10**9 + 5


def test_injected_transactions_do_not_come_through_the_mempool(node: Node) -> None:
    answer = node.check(INJECTED_MARK + b"anything")
    assert (answer.codespace, answer.code) == ("sdk", 4)


def test_refused_transaction_changes_nothing(node: Node) -> None:
    elsewhere = node.send_tx("alice", "bob", 5, chain_id="another")
    for bad in (b"", b"garbage", elsewhere, node.send_tx("alice", "bob", 5, 9)):
        assert node.check(bad).code > 1
    assert node.check(node.send_tx("alice", "bob", 5)).code == 0


def test_checking_writes_nothing_that_queries_see(node: Node) -> None:
    node.block()
    node.check(node.send_tx("alice", "bob", 5))
    assert node.balance("alice") == 10**9


def test_admission_goes_on_while_a_block_is_written(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that takes its time delays no CheckTx; after Commit the new state answers (I26)."""
    begun, may_end, write = threading.Event(), threading.Event(), node.database.commit

    def slow_commit(staged: Staged) -> Version:
        begun.set()
        assert may_end.wait(20)
        return write(staged)

    first, second = (node.send_tx("alice", "bob", 5, ahead) for ahead in range(2))
    node.block()
    node.finalize([first])
    monkeypatch.setattr(node.database, "commit", slow_commit)
    node.engine.put("commit", abci.RequestCommit())
    node.engine.send(FLUSH)
    assert begun.wait(20)
    mempool = node.connect()
    answers = [mempool.ask("check_tx", abci.RequestCheckTx(tx=tx)).code for tx in (first, second)]
    may_end.set()
    assert node.engine.read().WhichOneof("value") == "commit"
    assert answers == [0, 0]
    assert [mempool.ask("check_tx", abci.RequestCheckTx(tx=tx)).code for tx in (first, second)] == [32, 0]
