"""Info and InitChain: what a node says of itself, and how a chain begins (I7 to I11)."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from abci_app.abci.chain import BLOCK_BYTES_MAX, new_chain
from abci_app.abci.errors import ConfigProblem
from abci_app.runtime.context import Ctx
from abci_app.wire.address import encode_address, module_address
from abci_app.wire.pb.tendermint.abci import types_pb2 as abci
from abci_app.wire.tx import TX_BYTES_MAX
from tests.abci.engine import Node


def refusal(node: Node, request: abci.RequestInitChain) -> str:
    node.engine.put("init_chain", request)
    error = str(node.engine.read().exception.error)
    node.thread.join(20)
    assert str(node.failure) in error
    return error


def test_i7_info_says_height_0_until_the_first_commit(fresh: Node) -> None:
    empty = abci.ResponseInfo(data="gradus", version=fresh.info().version, app_version=1)
    assert fresh.info() == empty
    fresh.init_chain()
    assert fresh.info() == empty
    fresh.finalize()
    assert fresh.info() == empty
    fresh.commit()
    assert fresh.info().last_block_height == 1


def test_i7_info_is_the_last_commit_whatever_was_finalized_since(node: Node) -> None:
    app_hash = node.block().app_hash
    node.finalize([node.send_tx("alice", "bob", 5)])
    assert (node.info().last_block_height, node.info().last_block_app_hash) == (1, app_hash)
    assert node.info() == node.info()


def test_i8_app_version_is_that_of_the_headers(node: Node) -> None:
    assert node.info().app_version == 1


def test_i9_init_chain_answers_a_hash_of_32_bytes_and_the_same_validators(fresh: Node) -> None:
    answer = fresh.init_chain()
    assert len(answer.app_hash) == 32
    assert list(answer.validators) == list(fresh.genesis_request().validators)
    assert not answer.HasField("consensus_params")


def test_i9_init_chain_may_come_again_and_answers_the_same(fresh: Node, tmp_path: Path) -> None:
    first = fresh.init_chain()
    fresh.finalize([fresh.send_tx("alice", "bob", 5)])
    assert fresh.init_chain() == first
    with Node(tmp_path / "other") as other:
        assert other.init_chain() == first
        assert other.block().app_hash == fresh.block().app_hash


def test_i9_genesis_of_another_chain_has_another_hash(fresh: Node) -> None:
    first = fresh.init_chain()
    fresh.accounts["alice"] += 1
    assert fresh.init_chain().app_hash != first.app_hash


def test_i9_init_chain_after_a_block_is_refused(node: Node) -> None:
    node.block()
    node.engine.put("init_chain", node.genesis_request())
    assert node.engine.read().exception.error == "CallOutOfPlace: InitChain, but the state is at height 1"
    assert node.server.failure is None


@pytest.mark.parametrize("initial_height", [1, 1000])
def test_i10_chain_begins_at_its_initial_height(tmp_path: Path, initial_height: int) -> None:
    with Node(tmp_path / "state", initial_height=initial_height) as node:
        node.init_chain()
        assert node.accepts([])
        node.block([node.send_tx("alice", "bob", 5)])
        node.block()
        assert node.info().last_block_height == initial_height + 1
        assert node.balance("bob", initial_height) == 10**9 + 5


def test_i10_initial_height_of_0_is_1(tmp_path: Path) -> None:
    with Node(tmp_path / "state") as node:
        request = node.genesis_request()
        request.initial_height = 0
        node.engine.ask("init_chain", request)
        node.block()
        assert node.info().last_block_height == 1


def test_i11_restart_goes_on_from_the_last_commit(tmp_path: Path) -> None:
    with Node(tmp_path / "state") as node:
        node.init_chain()
        node.block([node.send_tx("alice", "bob", 5)])
        last = node.info()
        node.finalize([node.send_tx("alice", "bob", 6)])  # lost: it was never committed
    with Node(tmp_path / "state") as again:
        assert again.info() == last
        assert again.balance("bob") == 10**9 + 5
        assert again.check(again.send_tx("alice", "bob", 7)).code == 0
        assert again.block([again.send_tx("alice", "bob", 7)]).tx_results[0].code == 0
        assert again.balance("bob") == 10**9 + 12


def test_i11_restart_before_the_first_commit_begins_again(tmp_path: Path) -> None:
    with Node(tmp_path / "state") as node:
        first = node.init_chain()
        node.finalize()
    with Node(tmp_path / "state") as again:
        assert again.info().last_block_height == 0
        assert again.init_chain() == first


def test_i11_replay_of_all_blocks_gives_the_same_hashes(tmp_path: Path) -> None:
    blocks, hashes = [], []
    with Node(tmp_path / "one") as node:
        node.init_chain()
        for height in range(1, 8):
            txs = [node.send_tx("alice", f"new{height}", height), b"garbage", node.send_tx("bob", "alice", 1)]
            blocks.append(node.finalize_request(txs))
            hashes.append(node.block(txs).app_hash)
    with Node(tmp_path / "two") as other:
        other.init_chain()
        for request, app_hash in zip(blocks, hashes, strict=True):
            assert other.engine.ask("finalize_block", request).app_hash == app_hash
            other.commit()


def test_block_before_init_chain_is_refused(fresh: Node) -> None:
    fresh.engine.put("finalize_block", fresh.finalize_request([], 1))
    assert fresh.engine.read().exception.error == "CallOutOfPlace: a block before InitChain"


def test_transaction_for_a_node_without_a_state_is_refused_and_stops_nothing(fresh: Node) -> None:
    """The engine passes on what its RPC is sent while the state is still being restored."""
    answer = fresh.engine.ask("check_tx", abci.RequestCheckTx(tx=b"x"))
    assert (answer.codespace, answer.code) == ("sdk", 18) and "no state yet" in answer.log
    fresh.init_chain()


@pytest.mark.parametrize("max_bytes", [-1, 0, 1, TX_BYTES_MAX, 2 * TX_BYTES_MAX - 1, BLOCK_BYTES_MAX + 1])
def test_genesis_without_a_bound_on_bytes_is_refused_with_a_hint(fresh: Node, max_bytes: int) -> None:
    request = fresh.genesis_request()
    request.consensus_params.block.max_bytes = max_bytes
    assert f"block.max_bytes = {max_bytes}" in refusal(fresh, request)
    assert getattr(fresh.failure, "hint") == "set it between 2097152 and 67108864"


def test_smallest_block_has_room_for_the_largest_transaction_and_the_largest_evidence(fresh: Node) -> None:
    request = fresh.genesis_request()
    request.consensus_params.block.max_bytes = 2 * TX_BYTES_MAX
    chain = new_chain(request)
    assert chain.injected_bytes_max == chain.block_bytes_max - chain.injected_bytes_max == TX_BYTES_MAX


@pytest.mark.parametrize("max_gas", [-1, 0])
def test_genesis_without_a_bound_on_gas_is_refused(fresh: Node, max_gas: int) -> None:
    request = fresh.genesis_request()
    request.consensus_params.block.max_gas = max_gas
    assert f"block.max_gas = {max_gas}" in refusal(fresh, request)


@pytest.mark.parametrize("app_state", [b"", b"{", b"[]", b'{"auth": {}}', b"[" * 100_000])
def test_genesis_that_cannot_start_a_chain_is_named(fresh: Node, app_state: bytes) -> None:
    request = fresh.genesis_request()
    request.app_state_bytes = app_state
    assert refusal(fresh, request).startswith("ConfigProblem: the genesis")


def test_genesis_whose_parts_contradict_each_other_is_refused(fresh: Node) -> None:
    request = fresh.genesis_request()
    state = json.loads(request.app_state_bytes)
    state["bank"]["balances"].append({"address": encode_address(module_address("models")),
                                      "coins": [{"denom": "ugrad", "amount": "5"}]})
    state["bank"]["balances"].sort(key=lambda one: str(one["address"]))
    del state["bank"]["supply"]
    request.app_state_bytes = json.dumps(state).encode()
    assert "models/escrow: escrows of 0 ugrad stand against 5" in refusal(fresh, request)
    assert isinstance(fresh.failure, ConfigProblem)
    assert fresh.failure.hint == "the parts contradict each other; export it again"


def test_bug_in_a_rooms_genesis_is_not_told_as_a_mistake_in_the_file(fresh: Node) -> None:
    app = fresh.application._app

    def fail(ctx: Ctx, state: object) -> None:
        raise ValueError("a bug")

    object.__setattr__(app, "modules", (replace(app.modules[0], init_genesis=fail), *app.modules[1:]))
    assert refusal(fresh, fresh.genesis_request()) == "ValueError: a bug"
