"""Vote extensions: what this node says with its precommits, and what others said with theirs.

An extension is made of finished answers, from files: nothing is computed for it but digests. Whether one is accepted
is a function of its bytes (CometBFT requirements 6 to 8): refusing a precommit for what it says would cost the chain
that vote. What a digest is worth is judged in the block that brings it.
Source: abci_app/x/audits/README.md; CometBFT v0.38 spec/abci, ExtendVote and VerifyVoteExtension.
"""

from abci_app.abci.answers import Answers
from abci_app.app import App
from abci_app.runtime.context import Ctx
from abci_app.runtime.module import LastVotes
from abci_app.runtime.validators import FLAG_COMMIT, CommitVote, LastCommit
from abci_app.wire.audit import (
    ANSWER_BYTES, DIGEST_BYTES, DIGESTS_MAX, EXTENSION_BYTES_MAX, HEAD_BYTES, SUBJECT_BYTES, ExtensionInvalid,
    compute_digest, decode_extension, encode_extension,
)
from abci_app.wire.pb.tendermint.abci import types_pb2 as abci
from abci_app.x.audits.types import ANSWER_KINDS

OPENINGS_SAID_MAX = 4  # of one vote: as a proposer who lacks an answer gets it from any member
READY_LOOKED_AT_MAX = 256


def read_last_commit(commit: abci.CommitInfo | abci.ExtendedCommitInfo) -> LastCommit:
    """Who signed the block before, of the request about a block."""
    votes = tuple(CommitVote(vote.validator.address, vote.validator.power, vote.block_id_flag)
                  for vote in commit.votes)
    return LastCommit(commit.round, votes)


def read_last_votes(height: int, commit: abci.ExtendedCommitInfo) -> LastVotes:
    """What the precommits for the block before `height` said, of those that said something."""
    votes = tuple((vote.validator.address, vote.vote_extension, vote.extension_signature) for vote in commit.votes
                  if vote.block_id_flag == FLAG_COMMIT and vote.vote_extension)
    return height - 1, commit.round, votes


def list_openings(votes: LastVotes) -> dict[bytes, tuple[bytes, ...]]:
    """The answers that votes tell, by subject, each once."""
    told: dict[bytes, tuple[bytes, ...]] = {}
    for _, extension, _ in votes[2]:
        try:
            openings = decode_extension(extension).openings
        except ExtensionInvalid:
            continue
        for subject, answer in openings:
            if answer not in told.get(subject, ()):
                told[subject] = (*told.get(subject, ()), answer)
    return told


def extend(app: App, ctx: Ctx, validator: bytes, answers: Answers) -> bytes:
    """What this validator (consensus address, 20 bytes) says with its precommit, over the state that its block leaves.

    Answers that only they lack to decide an audit, then digests that audits wait for, the earliest opened first: those
    of answers, of which a block asks fewer than a vote says, then those of training. None of an answer to another seed.
    """
    openings = []
    for audit in app.audits.iter_ready(ctx, READY_LOOKED_AT_MAX):
        answer = answers.find(audit.subject)
        if answer is not None and app.audits.is_answer(audit, answer):
            openings.append((audit.subject, answer))
        if len(openings) == OPENINGS_SAID_MAX:
            break
    room = EXTENSION_BYTES_MAX - HEAD_BYTES - len(openings) * (SUBJECT_BYTES + ANSWER_BYTES)
    count = min(DIGESTS_MAX, room // (SUBJECT_BYTES + DIGEST_BYTES))  # rounded down
    waiting = []
    for subject in answers.list_subjects():
        height = app.audits.find_waiting_height(ctx, validator, subject)
        if height is not None:
            waiting.append((subject[0] not in ANSWER_KINDS, height, subject))
    digests = []
    for *_, subject in sorted(waiting):
        answer = answers.find(subject, app.audits.get_audit(ctx, subject).seed)
        if answer is not None:
            digests.append((subject, compute_digest(validator, subject, answer)))
        if len(digests) == count:
            break
    return encode_extension(sorted(digests), sorted(openings))


def is_acceptable(extension: bytes) -> bool:
    """Whether an extension is in its one form; a function of its bytes."""
    try:
        decode_extension(extension)
    except ExtensionInvalid:
        return False
    return True
