"""Queries: committed states at kept heights, with proofs that a header confirms (I48 to I50)."""

import json
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from abci_app.client.txs import TxTerms, unsigned_tx
from abci_app.runtime.context import Ctx
from abci_app.runtime.module import Invariant, Module
from abci_app.store.branch import Branch
from abci_app.store.errors import DatabaseDamaged
from abci_app.wire.ics23 import verify_commitments
from abci_app.wire.pb.cosmos.auth.v1beta1 import query_pb2 as auth_query
from abci_app.wire.pb.cosmos.bank.v1beta1 import query_pb2 as bank_query
from abci_app.wire.pb.cosmos.tx.v1beta1.service_pb2 import SimulateRequest, SimulateResponse
from abci_app.wire.pb.cosmos.tx.v1beta1.tx_pb2 import Tx
from abci_app.wire.pb.tendermint.abci import types_pb2 as abci
from abci_app.wire.proof import ProofInvalid, verify_value_ops
from abci_app.x.bank.keys import balance_key
from tests.abci.engine import CHAIN_ID, Node
from tests.chain import address_of, new_test_key

BALANCE = "/cosmos.bank.v1beta1.Query/Balance"
ACCOUNT = "/cosmos.auth.v1beta1.Query/Account"
SIMULATE = "/cosmos.tx.v1beta1.Service/Simulate"


@pytest.fixture
def chain(node: Node) -> tuple[Node, dict[int, bytes]]:
    """A node with five blocks, in each of which bob gets coins; and the app hash of every height."""
    return node, {height: node.block([node.send_tx("alice", "bob", height)]).app_hash for height in range(1, 6)}


def key_of(name: str) -> bytes:
    return balance_key(new_test_key(name).address, "ugrad")


def ops_of(answer: abci.ResponseQuery) -> list[tuple[str, bytes, bytes]]:
    return [(op.type, op.key, op.data) for op in answer.proof_ops.ops]


def test_i48_every_peer_is_welcome(node: Node) -> None:
    assert node.query("/p2p/filter/addr/127.0.0.1:26656").code == 0
    assert node.query("/p2p/filter/id/deadbeef").code == 0


def test_i49_height_0_is_the_latest_and_others_are_kept(chain: tuple[Node, dict[int, bytes]]) -> None:
    node, _ = chain
    assert node.balance("bob") == node.balance("bob", 5) == 10**9 + 15
    assert [node.balance("bob", height) - 10**9 for height in range(1, 6)] == [1, 3, 6, 10, 15]


@pytest.mark.parametrize("height", [6, 10**12, -1])
def test_i49_height_that_is_not_there_is_an_error(chain: tuple[Node, dict[int, bytes]], height: int) -> None:
    for path in (BALANCE, "/store/bank/key", "store/bank/key"):
        answer = chain[0].query(path, key_of("bob"), height)
        assert (answer.codespace, answer.code, answer.height) == ("sdk", 26, 5)


def test_i49_pruned_height_is_an_error(tmp_path: Path) -> None:
    with Node(tmp_path / "state", keep_versions=3) as node:
        node.init_chain()
        for _ in range(6):
            node.block()
        assert [node.query("/store/bank/key", key_of("bob"), height).code for height in range(1, 7)] == [
            26, 26, 26, 0, 0, 0]
        assert "4 to 6" in node.query(BALANCE, b"", 2).log


def test_i49_every_answer_has_a_height(chain: tuple[Node, dict[int, bytes]]) -> None:
    node, _ = chain
    paths = [BALANCE, ACCOUNT, SIMULATE, "/store/bank/key", "store/bank/key", "/app/version", "/app/invariants",
             "/p2p/filter/id/x", "/nothing", ""]
    assert [path for path in paths if node.query(path).height != 5] == []


def test_before_the_first_block_there_is_nothing_to_ask(node: Node) -> None:
    for path in (BALANCE, "/store/bank/key", SIMULATE, "/app/invariants"):
        answer = node.query(path, key_of("bob"))
        assert (answer.codespace, answer.code) == ("sdk", 26)
        assert "no block is committed yet" in answer.log


def test_i50_queries_never_see_what_is_not_committed(chain: tuple[Node, dict[int, bytes]]) -> None:
    node, _ = chain
    tx = node.send_tx("alice", "bob", 100)
    node.check(tx)
    node.accepts([tx])
    node.finalize([tx])
    assert node.balance("bob") == 10**9 + 15
    node.commit()
    assert node.balance("bob") == 10**9 + 115


def test_i50_stock_proof_is_of_the_state_before_the_latest_and_under_the_next_header(
        chain: tuple[Node, dict[int, bytes]]) -> None:
    node, hashes = chain
    answer = node.query("/store/bank/key", key_of("bob"), prove=True)
    assert (answer.code, answer.height, answer.key) == (0, 4, key_of("bob"))
    verify_value_ops(ops_of(answer), hashes[4], "bank", key_of("bob"), answer.value)
    assert answer.value == str(10**9 + 10).encode()
    with pytest.raises(ProofInvalid):
        verify_value_ops(ops_of(answer), hashes[5], "bank", key_of("bob"), answer.value)


@pytest.mark.parametrize("height", [1, 3, 5])
def test_i50_proof_at_a_height_is_under_that_heights_hash(chain: tuple[Node, dict[int, bytes]], height: int) -> None:
    node, hashes = chain
    for key, is_there in ((key_of("bob"), True), (b"\xffnobody", False)):
        answer = node.query("store/bank/key", key, height, prove=True)
        assert (answer.code, answer.height, bool(answer.value)) == (0, height, is_there)
        proofs = [op.data for op in answer.proof_ops.ops]
        verify_commitments(proofs, hashes[height], "bank", key, answer.value or None)
        with pytest.raises(ProofInvalid):
            verify_commitments(proofs, hashes[2], "bank", key, answer.value or None)


def test_stock_path_says_how_absence_is_proved(chain: tuple[Node, dict[int, bytes]]) -> None:
    answer = chain[0].query("/store/bank/key", b"\xffnobody", prove=True)
    assert (answer.codespace, answer.code) == ("sdk", 22)
    assert "store/bank/key" in answer.log
    assert not answer.proof_ops.ops


def test_record_is_answered_without_a_proof_too(chain: tuple[Node, dict[int, bytes]]) -> None:
    answer = chain[0].query("/store/bank/key", key_of("bob"))
    assert (answer.value, answer.height, len(answer.proof_ops.ops)) == (str(10**9 + 15).encode(), 5, 0)


def test_latest_state_cannot_be_proved_at_the_first_block(node: Node) -> None:
    node.block()
    answer = node.query("/store/bank/key", key_of("bob"), prove=True)
    assert (answer.codespace, answer.code) == ("sdk", 26)
    assert node.query("/store/bank/key", key_of("bob"), 1, prove=True).code == 0


@pytest.mark.parametrize(("path", "code"), [
    ("/store/nowhere/key", 18), ("/store/bank/subspace", 6), ("/store/bank", 6), ("store//key", 18),
    ("/cosmos.bank.v1beta1.Query/Nothing", 6), ("", 6), ("/", 6), ("/app/nothing", 6)])
def test_unknown_path_is_an_error_with_a_code(chain: tuple[Node, dict[int, bytes]], path: str, code: int) -> None:
    answer = chain[0].query(path, b"k")
    assert (answer.codespace, answer.code) == ("sdk", code)
    assert answer.log != ""


@pytest.mark.parametrize("key", [b"", b"\x00", b"x:00"])
def test_key_that_no_store_takes_has_no_proof(chain: tuple[Node, dict[int, bytes]], key: bytes) -> None:
    for path in ("/store/bank/key", "store/bank/key"):
        assert chain[0].query(path, key, prove=True).code in (0, 18, 22)
    assert chain[0].query("store/bank/key", b"", prove=True).code == 18


def test_unknown_account_has_the_words_that_stock_clients_look_for(chain: tuple[Node, dict[int, bytes]]) -> None:
    question = auth_query.QueryAccountRequest(address=address_of("nobody"))
    answer = chain[0].query(ACCOUNT, question.SerializeToString())
    assert (answer.codespace, answer.code) == ("sdk", 22)
    assert "rpc error: code = NotFound" in answer.log


def test_malformed_question_is_an_error(chain: tuple[Node, dict[int, bytes]]) -> None:
    for path in (BALANCE, SIMULATE):
        assert chain[0].query(path, b"\xff\xff").code == 18


def test_question_with_fields_of_a_newer_client_is_answered(chain: tuple[Node, dict[int, bytes]]) -> None:
    question = bank_query.QueryBalanceRequest(address=address_of("bob"), denom="ugrad").SerializeToString()
    assert chain[0].query(BALANCE, question + b"\x78\x01").code == 0


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from([BALANCE, ACCOUNT, SIMULATE, "/store/bank/key", "store/work/key", "/gradus.work.v1.Query/Round",
                        "/gradus.models.v1.Query/Model"]) | st.text(max_size=30),
       st.binary(max_size=60), st.integers(-2, 8), st.booleans())
def test_no_question_stops_the_node(chain: tuple[Node, dict[int, bytes]], path: str, data: bytes, height: int,
                                    prove: bool) -> None:
    node, _ = chain
    answer = node.query(path, data, height, prove)
    assert answer.codespace != "internal", (path, data)
    assert answer.height != 0


def simulate(node: Node, **terms: int) -> abci.ResponseQuery:
    account = node.account("alice")
    chosen = {"sequence": account.sequence, "gas_limit": 0, "fee_ugrad": 0} | terms
    raw = unsigned_tx(new_test_key("alice").public, [node.send_msg("alice", "bob", 5)],
                      TxTerms(chain_id=CHAIN_ID, account_number=account.account_number, **chosen))
    return node.query(SIMULATE, SimulateRequest(tx_bytes=raw).SerializeToString())


def test_simulation_tells_the_gas_and_changes_nothing(chain: tuple[Node, dict[int, bytes]]) -> None:
    node, _ = chain
    before = node.balance("bob")
    answer = SimulateResponse.FromString(simulate(node).value)
    used = answer.gas_info.gas_used
    assert [one.type_url for one in answer.result.msg_responses] == ["/cosmos.bank.v1beta1.MsgSendResponse"]
    assert node.balance("bob") == before
    gas_limit = used * 14 // 10  # what CosmJS asks for
    result = node.block([node.send_tx("alice", "bob", 5, gas_limit=gas_limit)]).tx_results[0]
    assert result.code == 0
    assert used <= result.gas_used <= gas_limit


def test_simulation_of_what_would_fail_says_why(chain: tuple[Node, dict[int, bytes]]) -> None:
    answer = simulate(chain[0], timeout_height=2)
    assert (answer.codespace, answer.code) == ("sdk", 30)
    assert "block 6 is past the timeout 2" in answer.log
    assert simulate(chain[0], sequence=77).code == 0  # wallets do not look their sequence up for an estimate


def test_simulation_takes_the_older_form_of_the_request(chain: tuple[Node, dict[int, bytes]]) -> None:
    node, _ = chain
    signed = Tx.FromString(node.send_tx("alice", "bob", 5))
    assert node.query(SIMULATE, SimulateRequest(tx=signed).SerializeToString()).code == 0


def test_invariants_can_be_asked_for(chain: tuple[Node, dict[int, bytes]]) -> None:
    node, _ = chain
    assert json.loads(node.query("/app/invariants").value) == {"height": 5, "broken": []}
    node.block()
    assert json.loads(node.query("/app/invariants").value) == {"height": 6, "broken": []}


def test_invariants_of_another_height_than_the_latest_are_not_told(chain: tuple[Node, dict[int, bytes]]) -> None:
    node, _ = chain
    for height in (1, 4, 6):
        answer = node.query("/app/invariants", height=height)
        assert (answer.codespace, answer.code) == ("sdk", 26)
    assert json.loads(node.query("/app/invariants", height=5).value) == {"height": 5, "broken": []}


def with_check(node: Node, check: Callable[[Ctx], str | None]) -> None:
    """Put another invariant behind the rooms'."""
    app = node.application._app
    empty = Module("watch", lambda ctx, state: None, lambda ctx: {}, invariants=(Invariant("watch/test", check),))
    object.__setattr__(app, "modules", (*app.modules, empty))


def change_blob(node: Node) -> None:
    """One more block, of another blob than before."""
    database = node.database
    branch = Branch(database.latest())
    branch.blobs.set(b"test/blob", b"%d" % database.height)
    database.commit(database.stage(branch, database.height + 1))


def test_check_that_needs_a_blob_which_a_block_changed_meanwhile_begins_again(
        chain: tuple[Node, dict[int, bytes]]) -> None:
    node, _ = chain
    seen: list[int] = []
    change_blob(node)

    def disturb(ctx: Ctx) -> str | None:
        seen.append(ctx.height)
        if len(seen) <= 2:
            change_blob(node)
        return None if ctx.state.blobs.get(b"test/blob") == b"%d" % (ctx.height - 1) else "half is of the next block"

    with_check(node, disturb)
    other = node.connect()
    answer = other.ask("query", abci.RequestQuery(path="/app/invariants"))
    assert (json.loads(answer.value), seen) == ({"height": 8, "broken": []}, [6, 7, 8])


def test_blocks_that_change_no_blob_do_not_disturb_a_check(chain: tuple[Node, dict[int, bytes]]) -> None:
    node, _ = chain

    def disturb(ctx: Ctx) -> str | None:
        node.block([node.send_tx("alice", "bob", 1)])
        return f"height {ctx.height}, {node.application._app.bank.balance(ctx, new_test_key('bob').address)} ugrad"

    with_check(node, disturb)
    answer = json.loads(node.connect().ask("query", abci.RequestQuery(path="/app/invariants")).value)
    assert answer == {"height": 5, "broken": [f"watch/test: height 5, {node.balance('bob') - 1} ugrad"]}


def test_invariants_are_not_told_when_a_blob_changes_in_every_attempt(chain: tuple[Node, dict[int, bytes]]) -> None:
    node, _ = chain
    change_blob(node)

    def disturb(ctx: Ctx) -> str | None:
        change_blob(node)
        return repr(ctx.state.blobs.get(b"test/blob"))

    with_check(node, disturb)
    answer = node.connect().ask("query", abci.RequestQuery(path="/app/invariants"))
    assert (answer.codespace, answer.code) == ("sdk", 26)
    assert "ask again" in answer.log


def test_check_of_the_invariants_that_failed_is_made_again(chain: tuple[Node, dict[int, bytes]]) -> None:
    node, _ = chain
    faults = [DatabaseDamaged("a record is missing")]

    def fail_once(ctx: Ctx) -> str | None:
        if faults:
            raise faults.pop()
        return None

    with_check(node, fail_once)
    assert node.query("/app/invariants").codespace == "internal"
    assert json.loads(node.query("/app/invariants").value) == {"height": 5, "broken": []}


@pytest.mark.parametrize("path", ["/" + "x" * 100_000, "/store/" + "x" * 100_000 + "/key"])
def test_answer_shows_only_the_beginning_of_a_long_path(chain: tuple[Node, dict[int, bytes]], path: str) -> None:
    answer = chain[0].query(path)
    assert answer.code and len(answer.log) < 300


def test_version_can_be_asked_for(node: Node) -> None:
    assert node.query("/app/version").value.decode() == node.info().version != ""


def test_queries_go_on_while_blocks_are_committed(node: Node) -> None:
    node.block()
    wrong: list[object] = []
    is_done = threading.Event()

    def ask() -> None:
        connection = node.connect()
        while not is_done.is_set():
            question = bank_query.QueryBalanceRequest(address=address_of("bob"), denom="ugrad").SerializeToString()
            answer = connection.ask("query", abci.RequestQuery(path=BALANCE, data=question))
            amount = int(bank_query.QueryBalanceResponse.FromString(answer.value).balance.amount)
            if amount != 10**9 + answer.height - 1:
                wrong.append((answer.height, amount))

    threads = [threading.Thread(target=ask) for _ in range(3)]
    for thread in threads:
        thread.start()
    for _ in range(40):
        node.block([node.send_tx("alice", "bob", 1)])
    is_done.set()
    for thread in threads:
        thread.join(20)
    assert wrong == []
