"""Names and limits of the room, and its pure rules: who is drawn, what a quorum is, how a member did.

Reads/Writes: nothing.
"""

from collections.abc import Iterable

from abci_app.wire.audit import compute_digest
from abci_app.wire.pb.gradus.audits.v1.audits_pb2 import (
    MEMBER_VERDICT_LATE, MEMBER_VERDICT_MISSING, MEMBER_VERDICT_RIGHT, MEMBER_VERDICT_WRONG, Audit, Member,
    MemberVerdict, Params,
)
from abci_app.wire.seed import hash_fields, iter_u64

STORE = "audits"
ADDRESS_BYTES = 20
COMMITTEE_MAX = 64
VOTES_PER_BLOCK = 256
OPENINGS_PER_BLOCK = 256
DECIDED_PER_BLOCK = 256  # handed to whoever opened them
READY_SCANNED_MAX = 1_024  # audits that a proposer looks for answers of
PATIENCE_BLOCKS = 8  # for those of a committee whose digests are missing when the others' are there
PARAMS_DEFAULT = Params(missed_max=8, missed_excluded_blocks=1_000, wrong_excluded_blocks=10_000)
EXCLUDED_BLOCKS_MAX = 10_000_000
MISSED_MAX = 10_000


def draw_committee(seed: bytes, subject: bytes, eligible: list[Member], count: int) -> list[Member]:
    """At most `count` of the eligible (by rising address), drawn by power without replacement; by rising address.

    A draw is 128 bits modulo the power that is left, which is at most 2^60: the bias is below 2^-67.
    """
    left, drawn = list(eligible), list[Member]()
    draws = iter_u64(hash_fields("gradus/committee", seed, subject))
    while left and len(drawn) < count:
        point = (next(draws) << 64 | next(draws)) % sum(member.power for member in left)
        place = 0
        while point >= left[place].power:
            point -= left[place].power
            place += 1
        drawn.append(left.pop(place))
    return sorted(drawn, key=lambda member: member.consensus_address)


def compute_power(members: Iterable[Member]) -> int:
    """The power of these members together."""
    return sum(member.power for member in members)


def is_quorum(members: Iterable[Member], audit: Audit) -> bool:
    """Whether these members of its committee have more than 2/3 of its power."""
    return 3 * compute_power(members) > 2 * compute_power(audit.members)


def is_answerable(audit: Audit) -> bool:
    """Whether enough members have given digests to hold it against the others that they have not.

    Of an audit that hardly anybody answers it is the opener's data that is missing, as likely as the members' work: who
    asks about data that nobody has must not get all auditors excluded. One member alone could be in league with it.
    """
    given = [member for member in audit.members if member.digest]
    return len(given) > 1 and 3 * compute_power(given) > compute_power(audit.members)


def compute_ready_height(audit: Audit, height: int) -> int:
    """From which height on the answer may be told, by what is recorded at `height`; 0 without a quorum of digests.

    Once all members have given theirs there is nobody left who could copy the answer. Else those who are missing have
    PATIENCE_BLOCKS from the opening on, so that a prompt majority does not make the others look idle.
    """
    given = [member for member in audit.members if member.digest]
    if not is_quorum(given, audit):
        return 0
    if len(given) == len(audit.members):
        return min(height, audit.ready_height or height)
    return audit.ready_height or max(height, audit.opened_height + PATIENCE_BLOCKS)


def list_matching(audit: Audit, answer: bytes) -> list[Member]:
    """The members whose digests are of the answer."""
    return [member for member in audit.members
            if member.digest and member.digest == compute_digest(member.consensus_address, audit.subject, answer)]


def judge_member(audit: Audit, member: Member) -> MemberVerdict:
    """How a member of a ready audit has answered. What came when the answer could be told may have been copied."""
    if not member.digest:
        return MEMBER_VERDICT_MISSING
    if member.digest != compute_digest(member.consensus_address, audit.subject, audit.answer):
        return MEMBER_VERDICT_WRONG
    return MEMBER_VERDICT_RIGHT if member.digest_height <= audit.ready_height else MEMBER_VERDICT_LATE
