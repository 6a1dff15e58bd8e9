"""The room's injected transactions: AuditVotes brings digests, AuditOpening the answer that they are of.

`check_x` is a function of the block and the state only (CometBFT requirements 4 and 5); `propose_x` is what a proposer
makes of the last commit's extensions and of the answers that it knows.
"""

from collections.abc import Iterator, Mapping

from abci_app.runtime.context import Ctx
from abci_app.runtime.module import ProposerSource
from abci_app.runtime.validators import FLAG_COMMIT
from abci_app.wire.audit import ANSWER_BYTES, Entry, ExtensionInvalid, decode_extension, extension_sign_bytes
from abci_app.wire.ed25519 import is_signed
from abci_app.wire.errors import ChainError
from abci_app.wire.pb.gradus.audits.v1.audits_pb2 import (
    AUDIT_STATUS_OPEN, MEMBER_VERDICT_RIGHT, MEMBER_VERDICT_WRONG, AuditVote,
)
from abci_app.wire.pb.gradus.audits.v1.tx_pb2 import (
    AuditOpening, AuditOpeningResponse, AuditVotes, AuditVotesResponse,
)
from abci_app.x.audits.errors import (
    AnswerEarly, AnswerMalformed, AuditNotOpen, ExtensionMalformed, ExtensionUnsigned, OpeningsExhausted, QuorumMissing,
    VoterAbsent, VotersUnordered, VotesCountInvalid, VotesMisplaced, VotesRepeated, VoteStale,
)
from abci_app.x.audits.keeper import Keeper
from abci_app.x.audits.types import OPENINGS_PER_BLOCK, READY_SCANNED_MAX, VOTES_PER_BLOCK


def check_votes(ctx: Ctx, keeper: Keeper, msg: AuditVotes) -> None:
    """Whether a block may carry these extensions.

    Checks, in consensus order: of the last commit, the block's only votes, 1 to 256; for each vote: behind the one
    before by address, in the last commit, a canonical extension, a digest that an open audit waits for, its signature.
    Raises: VotesMisplaced (audits/3), VotesRepeated (audits/4), VotesCountInvalid (audits/5), VotersUnordered
    (audits/6), VoterAbsent (audits/7), ExtensionMalformed (audits/8), VoteStale (audits/10), ExtensionUnsigned
    (audits/9).
    """
    if (msg.height, msg.round) != (ctx.height - 1, ctx.last_commit.round):
        raise VotesMisplaced(f"of height {msg.height} and round {msg.round}, the last commit's are {ctx.height - 1} "
                             f"and {ctx.last_commit.round}")
    if keeper.block_load(ctx).votes:
        raise VotesRepeated(f"block {ctx.height}")
    if not 1 <= len(msg.votes) <= VOTES_PER_BLOCK:
        raise VotesCountInvalid(f"{len(msg.votes)} given")
    flags, last = _read_flags(ctx), b""
    for vote in msg.votes:
        if vote.validator <= last:
            raise VotersUnordered(vote.validator.hex().upper())
        last = vote.validator
        _check_vote(ctx, keeper, flags, vote)


def run_votes(ctx: Ctx, keeper: Keeper, msg: AuditVotes) -> AuditVotesResponse:
    """Record what open audits wait for of checked votes; the rest of them is passed over.

    Emits: audits.digest_recorded for each.
    """
    load = keeper.block_load(ctx)
    load.votes += 1
    keeper.put_block_load(ctx, load)
    said: dict[bytes, dict[bytes, bytes]] = {}
    for vote in msg.votes:
        for subject, digest in _list_new(ctx, keeper, vote):
            said.setdefault(subject, {})[vote.validator] = digest
    for subject in sorted(said):
        keeper.record_digests(ctx, subject, said[subject])
    return AuditVotesResponse(recorded=sum(len(said[subject]) for subject in sorted(said)))


def propose_votes(ctx: Ctx, keeper: Keeper, source: ProposerSource) -> Iterator[AuditVotes]:
    """The last commit's extensions that bring something; who comes first changes from block to block."""
    height, round_number, known = source.votes()
    if not known or (height, round_number) != (ctx.height - 1, ctx.last_commit.round):
        return
    ordered, flags, chosen = sorted(known), _read_flags(ctx), list[AuditVote]()
    first = ctx.height * VOTES_PER_BLOCK % len(ordered)
    for validator, extension, signature in ordered[first:] + ordered[:first]:
        vote = AuditVote(validator=validator, extension=extension, signature=signature)
        try:
            _check_vote(ctx, keeper, flags, vote)
        except ChainError:
            continue
        chosen.append(vote)
        if len(chosen) == VOTES_PER_BLOCK:
            break
    if chosen:
        chosen.sort(key=lambda vote: vote.validator)
        yield AuditVotes(height=height, round=round_number, votes=chosen)


def check_opening(ctx: Ctx, keeper: Keeper, msg: AuditOpening) -> None:
    """Whether a block may carry this answer.

    Checks, in consensus order: room for one more in the block, audit there, open, 96 bytes, a quorum's digests, no
    member that may still answer.
    Raises: OpeningsExhausted (audits/14), AuditNotFound (audits/2), AuditNotOpen (audits/11), AnswerMalformed
    (audits/12), QuorumMissing (audits/13), AnswerEarly (audits/15).
    """
    if keeper.block_load(ctx).openings >= OPENINGS_PER_BLOCK:
        raise OpeningsExhausted(f"block {ctx.height}")
    audit = keeper.get_audit(ctx, msg.subject)
    if audit.status != AUDIT_STATUS_OPEN:
        raise AuditNotOpen(msg.subject.hex())
    if len(msg.answer) != ANSWER_BYTES:
        raise AnswerMalformed(f"{len(msg.answer)} bytes given")
    if not keeper.is_answer(audit, msg.answer):
        raise QuorumMissing(msg.subject.hex())
    if audit.ready_height > ctx.height:
        raise AnswerEarly(f"{msg.subject.hex()} can be decided from height {audit.ready_height} on")


def run_opening(ctx: Ctx, keeper: Keeper, msg: AuditOpening) -> AuditOpeningResponse:
    """Decide an audit by a checked answer.

    Emits: audits.audit_decided, audits.auditor_excluded for each member that is excluded.
    """
    load = keeper.block_load(ctx)
    load.openings += 1
    keeper.put_block_load(ctx, load)
    audit = keeper.get_audit(ctx, msg.subject)
    keeper.decide(ctx, audit, msg.answer)
    verdicts = [member.verdict for member in audit.members]
    return AuditOpeningResponse(right=verdicts.count(MEMBER_VERDICT_RIGHT), wrong=verdicts.count(MEMBER_VERDICT_WRONG))


def propose_openings(ctx: Ctx, keeper: Keeper, source: ProposerSource) -> Iterator[AuditOpening]:
    """Known answers of audits that have their quorum of digests."""
    for audit in keeper.iter_ready(ctx, READY_SCANNED_MAX):
        for answer in source.find_answers(audit.subject):
            if keeper.is_answer(audit, answer):
                yield AuditOpening(subject=audit.subject, answer=answer)
                break


def _read_flags(ctx: Ctx) -> dict[bytes, int]:
    return {vote.address: vote.flag for vote in ctx.last_commit.votes}


def _check_vote(ctx: Ctx, keeper: Keeper, flags: Mapping[bytes, int], vote: AuditVote) -> None:
    """Whether one vote may be brought; see check_votes."""
    named = vote.validator.hex().upper()
    validator = keeper.validators.find_validator(ctx, vote.validator)
    if validator is None or flags.get(vote.validator) != FLAG_COMMIT:
        raise VoterAbsent(named)
    if not _list_new(ctx, keeper, vote):
        raise VoteStale(named)
    signed = extension_sign_bytes(ctx.chain_id, ctx.height - 1, ctx.last_commit.round, vote.extension)
    if not is_signed(validator.pub_key, signed, vote.signature):
        raise ExtensionUnsigned(named)


def _list_new(ctx: Ctx, keeper: Keeper, vote: AuditVote) -> list[Entry]:
    """The digests of a vote that open audits wait for. Raises ExtensionMalformed."""
    try:
        extension = decode_extension(vote.extension)
    except ExtensionInvalid as error:
        raise ExtensionMalformed(f"{vote.validator.hex().upper()}: {error}") from None
    return [(subject, digest) for subject, digest in extension.digests
            if keeper.is_waiting(ctx, vote.validator, subject)]
