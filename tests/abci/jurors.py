"""Nodes of a chain of four validators whose audits are opened at fixed heights, and the engine's words about votes."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from abci_app.abci.candidates import read_header
from abci_app.app import new_app
from abci_app.genesis import new_genesis
from abci_app.wire.answer_file import encode_answer_file, file_name
from abci_app.wire.audit import Entry, compute_digest, encode_extension
from abci_app.wire.pb.tendermint.abci import types_pb2 as abci
from abci_app.wire.pb.tendermint.types.validator_pb2 import BLOCK_ID_FLAG_ABSENT, BLOCK_ID_FLAG_COMMIT
from tests.abci.engine import CHAIN_ID, Node, block_hash
from tests.chain import SIGNERS, address_of
from tests.court import ANSWER, NOBODY, SEED, Opener, subject_of

SUBJECTS = [subject_of(number) for number in range(60)]
MANY_HEIGHT = 4  # at which all but the first two are opened


class Juror(Node):
    """The node of a validator (0 to 3). Audits of SUBJECTS: the first is opened at height 2, the second at 3."""

    def __init__(self, folder: Path, index: int = 0, initial_height: int = 1) -> None:
        first = initial_height
        opened = {first + 1: SUBJECTS[:1], first + 2: SUBJECTS[1:2], first + MANY_HEIGHT - 1: SUBJECTS[2:]}
        opener = Opener(new_app(), {height: [(one, NOBODY, 4) for one in subjects]
                                    for height, subjects in opened.items()})
        super().__init__(folder, initial_height=initial_height, app=opener.new_app(),
                         validator=SIGNERS[index].address)

    def genesis_request(self) -> abci.RequestInitChain:
        """See Node."""
        request = super().genesis_request()
        del request.validators[:]
        for signer in SIGNERS:
            request.validators.add(power=10).pub_key.ed25519 = signer.pub_key
        payouts = [{"consensus_address_hex": signer.address.hex(), "operator": address_of(f"operator{index}")}
                   for index, signer in enumerate(SIGNERS)]
        coins = {address_of(name): ugrad for name, ugrad in self.accounts.items()}
        request.app_state_bytes = json.dumps(new_genesis(CHAIN_ID, payouts, coins)).encode()
        return request

    def answer(self, *subjects: bytes, answer: bytes = ANSWER, seed: bytes = SEED) -> None:
        """Answers that the auditor beside this node has finished."""
        self.answers.mkdir(exist_ok=True)
        for subject in subjects:
            (self.answers / file_name(subject)).write_bytes(encode_answer_file(subject, answer, seed))

    def extended_commit(self, said: Mapping[int, bytes], absent: Sequence[int] = (),
                        round_number: int = 0) -> abci.ExtendedCommitInfo:
        """What the proposer of the next block has of the last votes: extensions by validator."""
        commit = abci.ExtendedCommitInfo(round=round_number)
        height = self.next_height() - 1
        if height < self.initial_height:
            return commit
        for index in sorted(range(4), key=lambda one: SIGNERS[one].address):
            vote = commit.votes.add(block_id_flag=BLOCK_ID_FLAG_ABSENT if index in absent else BLOCK_ID_FLAG_COMMIT)
            vote.validator.address, vote.validator.power = SIGNERS[index].address, 10
            if said.get(index) and index not in absent:
                vote.vote_extension = said[index]
                vote.extension_signature = SIGNERS[index].sign(CHAIN_ID, height, round_number, said[index])
        return commit

    def commit_info(self, absent: Sequence[int] = (), round_number: int = 0) -> abci.CommitInfo:
        """The last commit as the next block carries it."""
        extended = self.extended_commit({}, absent, round_number)
        commit = abci.CommitInfo(round=extended.round)
        for vote in extended.votes:
            commit.votes.add(validator=vote.validator, block_id_flag=vote.block_id_flag)
        return commit

    def propose(self, said: Mapping[int, bytes], txs: Sequence[bytes] = (), absent: Sequence[int] = (),
                room: int = 1 << 20) -> list[bytes]:
        """PrepareProposal's transactions. room: the bytes that they may take."""
        request = abci.RequestPrepareProposal(txs=txs, max_tx_bytes=room, **self.block_fields(),
                                              local_last_commit=self.extended_commit(said, absent))
        return list(self.engine.ask("prepare_proposal", request).txs)

    def process(self, txs: Sequence[bytes], absent: Sequence[int] = (), round_number: int = 0) -> bool:
        """Whether ProcessProposal accepts."""
        request = abci.RequestProcessProposal(txs=txs, hash=block_hash(self.next_height()), **self.block_fields(),
                                              proposed_last_commit=self.commit_info(absent, round_number))
        return bool(self.engine.ask("process_proposal", request).status == abci.ResponseProcessProposal.ACCEPT)

    def extend(self, txs: Sequence[bytes] = ()) -> bytes:
        """What the node says with its precommit for the next block."""
        request = abci.RequestExtendVote(txs=txs, hash=block_hash(self.next_height()), **self.block_fields(),
                                         proposed_last_commit=self.commit_info())
        return bytes(self.engine.ask("extend_vote", request).vote_extension)

    def verify(self, extension: bytes) -> bool:
        """Whether the node accepts another's precommit that says this."""
        request = abci.RequestVerifyVoteExtension(height=self.next_height(), hash=block_hash(self.next_height()),
                                                  validator_address=SIGNERS[1].address, vote_extension=extension)
        status = self.engine.ask("verify_vote_extension", request).status
        return bool(status == abci.ResponseVerifyVoteExtension.ACCEPT)

    def decide(self, txs: Sequence[bytes] = (), absent: Sequence[int] = ()) -> abci.ResponseFinalizeBlock:
        """FinalizeBlock without Commit."""
        request = self.finalize_request(txs)
        request.decided_last_commit.CopyFrom(self.commit_info(absent))
        answer: abci.ResponseFinalizeBlock = self.engine.ask("finalize_block", request)
        return answer

    def run(self, txs: Sequence[bytes] = (), absent: Sequence[int] = ()) -> abci.ResponseFinalizeBlock:
        """FinalizeBlock and Commit."""
        answer = self.decide(txs, absent)
        self.commit()
        return answer

    def is_kept(self, txs: Sequence[bytes], absent: Sequence[int] = ()) -> bool:
        """Whether a candidate of the next block with these transactions is kept."""
        header = read_header(self.finalize_request(txs), self.commit_info(absent))
        return self.application._candidates.find(header, list(txs)) is not None


def digests_of(index: int, *subjects: bytes, answer: bytes = ANSWER) -> list[Entry]:
    """A validator's digests of an answer."""
    return [(subject, compute_digest(SIGNERS[index].address, subject, answer)) for subject in sorted(subjects)]


def say(index: int, *subjects: bytes, answer: bytes = ANSWER) -> bytes:
    """An extension with a validator's digests of an answer."""
    return encode_extension(digests_of(index, *subjects, answer=answer))
