"""The contract on real engines: votes, timing of validator updates, evidence, params, the order of calls."""

import hashlib
import json
import subprocess
import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from abci_app.client.errors import NodeRefused
from abci_app.client.keys import get_key
from abci_app.client.txs import TxTerms, compute_fee_ugrad, sign_tx
from abci_app.wire.coin import base_coin, coin_pb
from abci_app.wire.pb.cosmos.bank.v1beta1.tx_pb2 import MsgSend
from abci_app.wire.pb.gradus.audits.v1.audits_pb2 import MEMBER_VERDICT_RIGHT
from abci_app.wire.pb.gradus.validators.v1 import query_pb2
from abci_app.wire.pb.gradus.validators.v1.validators_pb2 import MISBEHAVIOUR_KIND_DUPLICATE_VOTE
from abci_app.wire.pb.tendermint.abci import types_pb2 as abci
from abci_app.wire.pb.tendermint.types.validator_pb2 import (
    BLOCK_ID_FLAG_ABSENT, BLOCK_ID_FLAG_COMMIT, BLOCK_ID_FLAG_NIL,
)
from localnet import checks
from tests.abci.grammar import check_trace
from tests.chain import address_of
from tests.court import ANSWER, subject_of
from tests.net.evidence import new_double_vote
from tests.net.recorded import Recorded

pytestmark = pytest.mark.net
POWERS = (40, 10, 30, 20)  # of nodes 0 to 3; the engine orders by power
LIAR = 1
OPENED_HEIGHT = 5
SUBJECT = subject_of(1)


@pytest.fixture(scope="module")
def net(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Recorded]:
    """Four validators of different power."""
    opened = {OPENED_HEIGHT: [SUBJECT]}
    with Recorded.new(tmp_path_factory.mktemp("contract") / "net", POWERS, opened=opened) as one:
        one.wait_height(4)
        yield one


def addresses(net: Recorded) -> list[bytes]:
    """Consensus addresses of the nodes."""
    return [bytes.fromhex(node.address) for node in net.net.manifest.nodes]


def finalized(net: Recorded, index: int = 0) -> dict[int, abci.RequestFinalizeBlock]:
    """The blocks that a node ran, by height."""
    return {request.height: request for request in net.requests(index, "finalize_block")}


def member_count(net: Recorded, height: int) -> int:
    """How many validators sign the block of a height."""
    return int(net.rpc().validators(height)["total"])


def header(net: Recorded, height: int) -> dict[str, Any]:
    """A header in the engine's JSON."""
    found: dict[str, Any] = net.rpc().block(height)["block"]["header"]
    return found


def test_last_commit_is_empty_at_the_first_height_and_lists_all_validators_by_power_after(net: Recorded) -> None:
    """I31: decided_last_commit: empty at the initial height, by descending power, flags 1 to 3."""
    blocks = finalized(net)
    assert list(blocks[1].decided_last_commit.votes) == []
    for height in range(2, 5):
        votes = blocks[height].decided_last_commit.votes
        assert [vote.validator.power for vote in votes] == sorted(POWERS, reverse=True)
        assert sorted(vote.validator.address for vote in votes) == sorted(addresses(net))
        assert all(vote.block_id_flag in (BLOCK_ID_FLAG_ABSENT, BLOCK_ID_FLAG_COMMIT, BLOCK_ID_FLAG_NIL)
                   for vote in votes)
        signed = sum(vote.validator.power for vote in votes if vote.block_id_flag == BLOCK_ID_FLAG_COMMIT)
        assert 3 * signed > 2 * sum(POWERS)


def test_first_header_has_the_hash_and_the_app_version_that_the_application_answered(net: Recorded) -> None:
    """I8: Info's app version; I9: InitChain's hash, the same from all nodes."""
    first, = {answer.app_hash for index in range(4) for answer in net.answers(index, "init_chain")}
    assert header(net, 1)["app_hash"] == first.hex().upper()
    assert header(net, 1)["version"]["app"] == str(net.apps[0].info(abci.RequestInfo()).app_version)


def test_next_header_has_the_hash_of_the_deterministic_part_of_the_results(net: Recorded) -> None:
    """I21: code, data, gas wanted and gas used, and nothing else; I20: one each."""
    node = net.net.manifest.nodes[0]
    key = get_key(node.paths.operator)
    message = MsgSend(from_address=key.bech32, to_address=address_of("someone"), amount=[coin_pb(base_coin(5))])
    account = net.apps[0]._app.auth.find_account(net.apps[0]._new_check_ctx(), key.address)
    assert account is not None
    raw = sign_tx(key, [message], TxTerms(chain_id=net.net.manifest.chain_id, account_number=account.account_number,
                                          sequence=0, gas_limit=200_000, fee_ugrad=compute_fee_ugrad(200_000, 1_000)))
    assert net.rpc().broadcast_tx(raw).code == 0
    checks.wait_until(lambda: any(request.txs for request in net.requests(0, "finalize_block")), 30, "the transaction")
    at = next(request.height for request in net.requests(0, "finalize_block") if request.txs)
    net.wait_height(at + 1)
    result, = net.answers(0, "finalize_block")[at - 1].tx_results
    assert (result.code, result.gas_wanted) == (0, 200_000) and result.data and result.events
    hashed = abci.ExecTxResult(code=result.code, data=result.data, gas_wanted=result.gas_wanted,
                               gas_used=result.gas_used)
    root = hashlib.sha256(b"\x00" + hashed.SerializeToString(deterministic=True)).hexdigest().upper()
    assert header(net, at + 1)["last_results_hash"] == root
    assert header(net, at + 1)["app_hash"] == net.answers(0, "finalize_block")[at - 1].app_hash.hex().upper()


def test_all_nodes_are_asked_to_run_the_same_blocks_and_answer_the_same(net: Recorded) -> None:
    """I22, I25: one sequence of requests, one sequence of hashes, on every node."""
    runs = [finalized(net, index) for index in range(4)]
    hashes = [[answer.app_hash for answer in net.answers(index, "finalize_block")][:4] for index in range(4)]
    for height in range(1, 5):
        assert len({run[height].SerializeToString(deterministic=True) for run in runs}) == 1
    assert hashes[0] == hashes[1] == hashes[2] == hashes[3]


def test_proposal_and_decided_block_are_the_same_request(net: Recorded) -> None:
    """I14, I25: what was processed under a hash is what is finalized under it, evidence and time included."""
    processed = {request.hash: request for request in net.requests(0, "process_proposal")}
    matched = 0
    for request in finalized(net).values():
        proposal = processed.get(request.hash)
        if proposal is not None:
            matched += 1
            assert (list(proposal.txs), proposal.time, proposal.proposer_address) == (
                list(request.txs), request.time, request.proposer_address)
            assert list(proposal.misbehavior) == list(request.misbehavior)
    assert matched > 0
    assert all(answer.status == abci.ResponseProcessProposal.ACCEPT for answer in net.answers(0, "process_proposal"))


def test_audit_is_decided_by_extensions_that_the_engines_signed(net: Recorded) -> None:
    """I34, I35, I36: said with precommits, accepted, brought by a proposer, verified and tallied by every node."""
    net.wait_height(OPENED_HEIGHT)
    opened = net.find_audit(SUBJECT)
    assert opened is not None and len(opened.members) == 4
    for index in range(4):
        net.answer(index, SUBJECT, ANSWER)
    checks.wait_until(lambda: all((net.find_audit(SUBJECT, index) or opened).decided_height for index in range(4)), 40,
                      "the audit's answer")
    audits = [net.find_audit(SUBJECT, index) for index in range(4)]
    assert audits[0] is not None and audits[0].answer == ANSWER and audits == [audits[0]] * 4
    assert sorted(member.power for member in audits[0].members) == sorted(POWERS)
    right = sum(member.power for member in audits[0].members if member.verdict == MEMBER_VERDICT_RIGHT)
    assert 3 * right > 2 * sum(POWERS)
    said = [answer.vote_extension for index in range(4) for answer in net.answers(index, "extend_vote")]
    assert any(said) and max(map(len, said)) <= 2_048
    verified = [answer.status for index in range(4) for answer in net.answers(index, "verify_vote_extension")]
    assert verified and all(status == abci.ResponseVerifyVoteExtension.ACCEPT for status in verified)
    brought = [result for answer in net.answers(0, "finalize_block") for result in answer.tx_results
               if any(event.type == "audits.digest_recorded" for event in result.events)]
    assert brought and all(result.code == 0 for result in brought)


def test_extensions_are_on_from_the_first_block_and_no_params_change(net: Recorded) -> None:
    """I27, I28: no parameter is ever updated."""
    for index in range(4):
        assert not any(answer.HasField("consensus_param_updates") for answer in net.answers(index, "finalize_block"))
    first, later = (net.rpc().consensus_params(height)["consensus_params"] for height in (1, net.height() - 1))
    assert first == later
    assert str(first["abci"]["vote_extensions_enable_height"]) == "1"


def test_stopped_validator_is_absent_from_the_last_commit(net: Recorded) -> None:
    """I31: ABSENT is 1, and the validator keeps its place."""
    net.stop_engine(3)
    stopped_at = net.height()
    net.wait_height(stopped_at + 4, nodes=(0, 1, 2))
    votes = finalized(net)[stopped_at + 4].decided_last_commit.votes
    assert [vote.block_id_flag for vote in votes if vote.validator.address == addresses(net)[3]] \
        == [BLOCK_ID_FLAG_ABSENT]
    assert [vote.validator.power for vote in votes] == sorted(POWERS, reverse=True)
    net.start_engine(3)
    net.wait_height(net.height())


def test_double_vote_costs_a_validator_its_power_at_the_engines_own_pace(net: Recorded) -> None:
    """I29, I30, I32: evidence is committed, the removal is answered at H, in NextValidatorsHash of H + 1, signs until
    H + 1, appears in last commits until H + 2."""
    node, height = net.net.manifest.nodes[LIAR], 2
    members = net.rpc().validators(height)["validators"]
    place = [one["address"] for one in members].index(node.address)
    evidence = new_double_vote(node.paths.validator_key, net.net.manifest.chain_id, height,
                               header(net, height)["time"], place, POWERS[LIAR], sum(POWERS))
    spoilt = {**evidence, "value": {**evidence["value"], "ValidatorPower": "11"}}
    with pytest.raises(NodeRefused):
        net.rpc().call("broadcast_evidence", evidence=spoilt)
    net.rpc().call("broadcast_evidence", evidence=evidence)
    checks.wait_until(lambda: any(request.misbehavior for request in net.requests(0, "finalize_block")), 60,
                      "the evidence in a block")
    decided = next(request.height for request in net.requests(0, "finalize_block") if request.misbehavior)
    net.wait_height(decided + 5)

    entry, = finalized(net)[decided].misbehavior
    assert (entry.type, entry.validator.address, entry.validator.power, entry.height, entry.total_voting_power) == (
        MISBEHAVIOUR_KIND_DUPLICATE_VOTE, addresses(net)[LIAR], 10, height, 100)
    for index in range(4):  # every node's answer, proposers' and processors' requests had the entry too
        answers = {request.height: answer for request, answer in zip(
            net.requests(index, "finalize_block"), net.answers(index, "finalize_block"))}
        assert [(one.power, len(one.pub_key.ed25519)) for one in answers[decided].validator_updates] == [(0, 32)]
        assert all(not answers[other].validator_updates for other in answers if other != decided)
    assert header(net, decided)["next_validators_hash"] == header(net, decided)["validators_hash"]
    assert header(net, decided + 1)["next_validators_hash"] != header(net, decided + 1)["validators_hash"]
    assert header(net, decided + 2)["validators_hash"] == header(net, decided + 1)["next_validators_hash"]
    assert [member_count(net, decided + ahead) for ahead in (0, 1, 2, 3)] == [4, 4, 3, 3]
    commits = {ahead: len(finalized(net)[decided + ahead].decided_last_commit.votes) for ahead in (1, 2, 3, 4)}
    assert commits == {1: 4, 2: 4, 3: 3, 4: 3}
    checks.check_same_block(net.net.rpcs, decided + 5)


def test_evidence_is_told_by_queries_and_counts_once(net: Recorded) -> None:
    """I32: the same misbehaviour only once, also when it is handed in again."""
    path, request = "/gradus.validators.v1.Query/Misbehaviour", query_pb2.QueryMisbehaviourRequest()
    answer = query_pb2.QueryMisbehaviourResponse.FromString(
        net.rpc(2).abci_query(path, request.SerializeToString()).value)
    record, = answer.misbehaviours
    assert (record.consensus_address, record.height, record.power) == (addresses(net)[LIAR], 2, 10)
    assert [bool(one.misbehavior) for one in finalized(net).values()].count(True) == 1
    assert list(finalized(net)[record.recorded_height].misbehavior) != []


def test_commands_show_validators_and_what_they_did(net: Recorded) -> None:
    def ask(name: str) -> list[dict[str, Any]]:
        command = [sys.executable, "-m", "abci_app.cli", "query", "validators", name, "--node", net.rpc().url]
        done = subprocess.run([*command, "--output", "json"], text=True, capture_output=True, check=True)
        shown = subprocess.run(command, text=True, capture_output=True, check=True)
        rows: list[dict[str, Any]] = json.loads(done.stdout)
        assert all(row["consensus_address"] in shown.stdout for row in rows)
        return rows

    listed = {row["consensus_address"]: row["power"] for row in ask("list")}
    assert listed == {node.address: power * (index != LIAR) for index, (node, power) in enumerate(
        zip(net.net.manifest.nodes, POWERS, strict=True))}
    record, = ask("misbehaviour")
    assert (record["consensus_address"], record["kind"]) == (
        net.net.manifest.nodes[LIAR].address, "duplicate vote")


def test_chain_that_begins_at_height_1000_begins_and_goes_on_after_a_restart_of_the_engine(tmp_path: Path) -> None:
    """I10: initial_height; I31: no last commit at it; I7: the handshake finds what the last Commit left."""
    with Recorded.new(tmp_path / "net", (10,), initial_height=1000) as one:
        one.wait_height(1002)
        blocks = finalized(one)
        assert min(blocks) == 1000 and list(blocks[1000].decided_last_commit.votes) == []
        assert [vote.validator.power for vote in blocks[1001].decided_last_commit.votes] == [10]
        one.stop_engine(0)
        stopped_at = one.height()
        one.start_engine(0)
        one.wait_height(stopped_at + 2)
        heights = [request.height for request in one.requests(0, "finalize_block")]
        assert sorted(set(heights)) == list(range(1000, max(heights) + 1))
        assert len(one.requests(0, "init_chain")) == 1


def test_calls_of_four_validators_are_in_the_protocols_order(net: Recorded) -> None:
    """I16, I20, I26: rounds, one FinalizeBlock, one Commit, and an Info with InitChain before all that."""
    for index in (0, 1, 2):
        text = (net.net.manifest.nodes[index].paths.path / "abci.trace").read_text()
        assert check_trace(text) > 20
        assert all(letter in text for letter in "iIprxvfC")
    heights = [request.height for request in net.requests(0, "finalize_block")]
    assert all(later == earlier + 1 for earlier, later in pairwise(heights))
