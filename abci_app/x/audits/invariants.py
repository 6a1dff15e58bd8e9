"""What always holds of audits."""

from abci_app.runtime.context import Ctx
from abci_app.wire.address import decode_address
from abci_app.wire.ints import u64_bytes
from abci_app.wire.pb.gradus.audits.v1.audits_pb2 import (
    AUDIT_STATUS_DECIDED, AUDIT_STATUS_OPEN, MEMBER_VERDICT_UNSPECIFIED, Audit,
)
from abci_app.x.audits import keys
from abci_app.x.audits.keeper import Keeper
from abci_app.x.audits.types import ARREARS_PER_MISS, compute_power, is_quorum, judge_member, list_matching


def check_marks(ctx: Ctx, keeper: Keeper) -> str | None:
    """What waits for digests, for answers and for its opener is what the records say."""
    waiting, ready, decided = [], [], []
    for audit in keeper.iter_audits(ctx):
        if audit.status == AUDIT_STATUS_OPEN:
            waiting += [member.consensus_address + audit.subject for member in audit.members if not member.digest]
            ready += [u64_bytes(audit.ready_height) + audit.subject] if audit.ready_height else []
        elif audit.status == AUDIT_STATUS_DECIDED:
            decided.append(audit.subject)
    for name, prefix, expected in (("waiting", keys.WAITING, sorted(waiting)), ("ready", keys.READY, sorted(ready)),
                                   ("decided", keys.DECIDED, decided)):
        if keeper.list_marks(ctx, prefix) != expected:
            return f"the index of {name} audits is not that of the records"
    return None


def check_committees(ctx: Ctx, keeper: Keeper) -> str | None:
    """Members are validators of other operators, each once, and have no more than the power of all who may judge; a
    decided audit has its quorum, and is judged by it."""
    for audit in keeper.iter_audits(ctx):
        problem = _find_problem(ctx, keeper, audit)
        if problem is not None:
            return f"audit {audit.subject.hex()}: {problem}"
    return None


def check_auditors(ctx: Ctx, keeper: Keeper) -> str | None:
    """Who was judged is a validator, and is excluded before its arrears are what the parameters allow."""
    params = keeper.params(ctx)
    for auditor in keeper.iter_auditors(ctx):
        named = auditor.consensus_address.hex().upper()
        if keeper.validators.find_validator(ctx, auditor.consensus_address) is None:
            return f"{named} is no validator"
        if auditor.arrears >= ARREARS_PER_MISS * min(params.missed_max, auditor.missed + 1):
            return f"{named} has arrears of {auditor.arrears} for {auditor.missed} missed audits"
    return None


def _find_problem(ctx: Ctx, keeper: Keeper, audit: Audit) -> str | None:
    last, claimant = b"", decode_address(audit.claimant)
    for member in audit.members:
        if member.consensus_address <= last or member.power == 0:
            return "its members do not rise, or have no power"
        last = member.consensus_address
        if keeper.validators.find_validator(ctx, member.consensus_address) is None:
            return f"{member.consensus_address.hex().upper()} is no validator"
        if decode_address(member.operator) == claimant:
            return "its claimant judges itself"
        if bool(member.digest) != (member.digest_height > 0):
            return "a digest has a height, and no digest has none"
    if compute_power(audit.members) > audit.eligible_power:
        return f"its members have more power than the {audit.eligible_power} of all who may judge"
    has_digests = is_quorum([member for member in audit.members if member.digest], audit)
    if has_digests != (audit.ready_height > 0):
        return "its quorum of digests and its ready height contradict each other"
    if audit.status == AUDIT_STATUS_OPEN:
        is_judged = any(member.verdict != MEMBER_VERDICT_UNSPECIFIED for member in audit.members)
        return "it is open, but judged" if is_judged or audit.decided_height else None
    if not is_quorum(list_matching(audit, audit.answer), audit):
        return "its answer has no quorum"
    if any(member.verdict != judge_member(audit, member) for member in audit.members):
        return "its members are not judged by its answer"
    return None
