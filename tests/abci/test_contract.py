"""What remains of the contract: params, validators, misbehaviour and extensions over the socket."""

import hashlib
import subprocess
import sys
from pathlib import Path

import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from abci_app.abci.chain import new_chain
from abci_app.abci.errors import ConfigProblem
from abci_app.wire.pb.gradus.validators.v1 import query_pb2
from abci_app.wire.pb.tendermint.abci import types_pb2 as abci
from abci_app.wire.pb.tendermint.types.validator_pb2 import BLOCK_ID_FLAG_ABSENT, BLOCK_ID_FLAG_COMMIT
from tests.abci.engine import GENESIS_SECONDS, Node

KEYS = tuple(bytes([index]) * 32 for index in range(1, 5))
ADDRESSES = tuple(hashlib.sha256(key).digest()[:20] for key in KEYS)


class Four(Node):
    """A node of a chain with four validators."""

    def genesis_request(self) -> abci.RequestInitChain:
        """See Node."""
        request = super().genesis_request()
        del request.validators[:]
        for key in KEYS:
            request.validators.add(power=10).pub_key.ed25519 = key
        return request

    def misbehaved(self, *indices: int, kind: abci.MisbehaviorType = abci.DUPLICATE_VOTE) -> list[abci.Misbehavior]:
        """Entries about validators, of height 1."""
        return [abci.Misbehavior(type=kind, validator=abci.Validator(address=ADDRESSES[index], power=10), height=1,
                                 time=Timestamp(seconds=GENESIS_SECONDS + 1), total_voting_power=40)
                for index in indices]

    def run_with(self, entries: list[abci.Misbehavior]) -> abci.ResponseFinalizeBlock:
        """A block with evidence, through Prepare, Process, FinalizeBlock and Commit."""
        prepare = abci.RequestPrepareProposal(max_tx_bytes=10_000, misbehavior=entries, **self.block_fields())
        assert list(self.engine.ask("prepare_proposal", prepare).txs) == []
        block = self.finalize_request()
        block.misbehavior.extend(entries)
        process = abci.RequestProcessProposal(hash=block.hash, misbehavior=entries, **self.block_fields())
        assert self.engine.ask("process_proposal", process).status == abci.ResponseProcessProposal.ACCEPT
        answer: abci.ResponseFinalizeBlock = self.engine.ask("finalize_block", block)
        self.commit()
        return answer


def refusal(node: Node, request: abci.RequestInitChain) -> str:
    node.engine.put("init_chain", request)
    error = str(node.engine.read().exception.error)
    node.thread.join(20)
    assert isinstance(node.failure, ConfigProblem) and node.failure.hint
    return error


def test_genesis_without_validators_is_refused(fresh: Node) -> None:
    """I9: the engine's set is used, so that there must be one."""
    request = fresh.genesis_request()
    del request.validators[:]
    assert "has no validators" in refusal(fresh, request)


@pytest.mark.parametrize(("change", "words"), [
    (lambda request: setattr(request.validators[0], "power", 2**60), "add up to"),
    (lambda request: setattr(request.validators[0], "power", 0), "power: 0"),
    (lambda request: setattr(request.validators[0].pub_key, "secp256k1", bytes(33)), "secp256k1"),
    (lambda request: request.validators.append(request.validators[0]), "twice"),
    (lambda request: request.consensus_params.validator.pub_key_types.pop(), "pub_key_types"),
])
def test_validators_that_the_engine_cannot_keep_are_refused_with_a_hint(
        tmp_path: Path, change: object, words: str) -> None:
    """I29: total power, key types and duplicates are checked at genesis."""
    with Four(tmp_path / "state") as node:
        request = node.genesis_request()
        change(request)  # type: ignore[operator]
        assert words in refusal(node, request)


AUTHORITY = b"\x32\x00"  # consensus parameter 6, which CometBFT 0.39 and later always send


def test_releases_of_the_engine_give_one_genesis_one_hash(tmp_path: Path) -> None:
    """I9, I22: a node of another release, or one that replays with a newer one, has the same state."""
    hashes = []
    for more in (b"", AUTHORITY):
        with Node(tmp_path / f"state{len(more)}") as node:
            request = node.genesis_request()
            request.consensus_params.MergeFromString(more)
            assert request.consensus_params.SerializeToString().endswith(more)
            hashes.append((node.engine.ask("init_chain", request).app_hash, node.block().app_hash))
    assert hashes[0] == hashes[1]


def test_evidence_removes_a_validator_on_every_path_of_a_block_and_after_a_restart(tmp_path: Path) -> None:
    """I29, I32: one update for several entries, none when it comes again; the set survives a restart."""
    with Four(tmp_path / "state") as node:
        node.init_chain()
        node.block()
        answer = node.run_with(node.misbehaved(2, 2))
        assert [(one.pub_key.ed25519, one.power) for one in answer.validator_updates] == [(KEYS[2], 0)]
        assert [event.type for event in answer.events if event.type.startswith("validators.")] == [
            "validators.misbehaviour_recorded", "validators.validator_removed", "validators.misbehaviour_ignored"]
    with Four(tmp_path / "state") as again:
        assert list(again.run_with(again.misbehaved(2)).validator_updates) == []
        raw = again.query("/gradus.validators.v1.Query/Validators").value
        listed = query_pb2.QueryValidatorsResponse.FromString(raw).validators
        assert {one.consensus_address: one.power for one in listed} == dict(zip(ADDRESSES, (10, 10, 0, 10)))


def test_evidence_against_everybody_leaves_one_validator(tmp_path: Path) -> None:
    """I29: an empty set would halt every node."""
    with Four(tmp_path / "state") as node:
        node.init_chain()
        answer = node.run_with(node.misbehaved(3, 1, 0, 2, kind=abci.LIGHT_CLIENT_ATTACK))
        removed = [one.pub_key.ed25519 for one in answer.validator_updates]
        assert sorted(removed) == sorted(KEYS[index] for index in (3, 1, 0))
        assert len(node.block().tx_results) == 0


def test_evidence_is_an_input_of_the_state_and_of_nothing_else_in_a_proposal(tmp_path: Path) -> None:
    """I15, I22, I25: a block with and without evidence gives two states, in whatever order they are tried."""
    hashes = []
    for tried in ((), (0,), (0, 1)):
        with Four(tmp_path / str(len(hashes))) as node:
            node.init_chain()
            for index in tried:
                process = abci.RequestProcessProposal(hash=bytes([index]) * 32, misbehavior=node.misbehaved(index),
                                                      **node.block_fields())
                node.engine.ask("process_proposal", process)
            plain, evil = node.finalize_request(), node.finalize_request()
            evil.misbehavior.extend(node.misbehaved(0))
            hashes.append(tuple(node.engine.ask("finalize_block", one).app_hash for one in (plain, evil, plain)))
    assert hashes[0] == hashes[1] == hashes[2]
    assert hashes[0][0] == hashes[0][2] != hashes[0][1]


def test_consensus_params_are_never_updated(node: Node) -> None:
    """I27: a message that is present would replace all its fields."""
    assert not node.init_chain().HasField("consensus_params")
    for txs in ([], [b"garbage"], [node.send_tx("alice", "bob", 5)]):
        assert not node.finalize(txs).HasField("consensus_param_updates")


@pytest.mark.parametrize("height", [0, 2, 1000])
def test_genesis_without_vote_extensions_from_its_first_block_is_refused_with_a_hint(fresh: Node, height: int) -> None:
    """I28: the height could never be unset again. Audits need extensions, so every chain has them from its start."""
    request = fresh.genesis_request()
    request.consensus_params.abci.vote_extensions_enable_height = height
    with pytest.raises(ConfigProblem) as caught:
        new_chain(request)
    assert caught.value.hint == 'set it to "1", the initial height: audits travel in vote extensions'
    assert f"vote_extensions_enable_height = {height}" in refusal(fresh, request)


def test_own_extension_is_accepted_for_any_block_and_round(node: Node) -> None:
    """I35, I37: newer engines verify the own extension too; honest ones are accepted, seen before or not."""
    for height, block_hash in ((1, bytes(32)), (1, b"\xff" * 32), (7, b"")):
        own = node.engine.ask("extend_vote", abci.RequestExtendVote(hash=block_hash, height=height)).vote_extension
        request = abci.RequestVerifyVoteExtension(hash=block_hash, validator_address=bytes(20), height=height,
                                                  vote_extension=own)
        answers = [node.engine.ask("verify_vote_extension", request) for _ in range(2)]
        assert [one.status for one in answers] == [abci.ResponseVerifyVoteExtension.ACCEPT] * 2


def test_extensions_in_the_last_commit_do_not_change_a_proposal(node: Node) -> None:
    """I36: they may be unverified."""
    txs = [node.send_tx("alice", "bob", 5)]
    request = abci.RequestPrepareProposal(txs=txs, max_tx_bytes=10_000, **node.block_fields())
    plain = node.engine.ask("prepare_proposal", request)
    request.local_last_commit.votes.add(vote_extension=b"\xff" * 1000, extension_signature=b"x",
                                        block_id_flag=BLOCK_ID_FLAG_COMMIT)
    assert node.engine.ask("prepare_proposal", request) == plain


def test_state_does_not_depend_on_who_signed(tmp_path: Path) -> None:
    """I23, I31: without votes among the transactions decided_last_commit changes nothing, whatever stands in it."""
    hashes = []
    for flag in (BLOCK_ID_FLAG_COMMIT, BLOCK_ID_FLAG_ABSENT):
        with Four(tmp_path / str(flag)) as node:
            node.init_chain()
            node.block()
            request = node.finalize_request([node.send_tx("alice", "bob", 5)])
            for address in ADDRESSES:
                request.decided_last_commit.votes.add(block_id_flag=flag).validator.address = address
            hashes.append(node.engine.ask("finalize_block", request).app_hash)
    assert hashes[0] == hashes[1]


def test_application_has_no_way_to_call_the_engine() -> None:
    """I42: a call of its RPC from inside Commit or CheckTx would never end."""
    script = ("import sys; import abci_app.abci.node, abci_app.abci.__main__\n"
              "print([name for name in sys.modules if name.split('.')[0] in ('httpx', 'websockets', 'urllib3')\n"
              "       or name.startswith('abci_app.client.rpc')])")
    done = subprocess.run([sys.executable, "-c", script], text=True, capture_output=True, check=True)
    assert done.stdout == "[]\n"
