"""Names and limits of the room, and its pure rules: who is drawn, what a quorum is, how a member did.

Reads/Writes: nothing.
"""

from collections.abc import Iterable, Sequence

from abci_app.wire.audit import ANSWER, STATEMENT, compute_digest
from abci_app.wire.pb.gradus.audits.v1.audits_pb2 import (
    MEMBER_VERDICT_DIFFERS, MEMBER_VERDICT_LATE, MEMBER_VERDICT_MISSING, MEMBER_VERDICT_RIGHT, MEMBER_VERDICT_WRONG,
    Audit, Member, MemberVerdict, Params,
)
from abci_app.wire.seed import hash_fields, iter_u64

STORE = "audits"
ADDRESS_BYTES = 20
SEED_BYTES = 32
COMMITTEE_MAX = 64
ARREARS_PER_MISS = 8  # right digests that make one missed audit good: who keeps up may miss one of nine
VOTES_PER_BLOCK = 256
OPENINGS_PER_BLOCK = 256
DECIDED_PER_BLOCK = 256  # handed to whoever opened them
READY_SCANNED_MAX = 1_024  # audits that a proposer looks for answers of
PATIENCE_BLOCKS = 8  # for those of a committee whose digests are missing when the others' are there
ANSWER_KINDS = (ANSWER, STATEMENT)  # of audits that are asked only while auditors have time for them
ASKED_WORK_PER_BLOCK = 1 << 29  # multiply-adds of each of these kinds; both in half a second of a slow core
AUDIT_FIXED_WORK = 1 << 26  # what an audit is counted as beside its answer: weights are fetched; so at most 8 of a kind
PARAMS_DEFAULT = Params(missed_max=8, missed_excluded_blocks=1_000, wrong_excluded_blocks=10_000)
EXCLUDED_BLOCKS_MAX = 10_000_000
MISSED_MAX = 10_000


def draw_committee(seed: bytes, subject: bytes, eligible: list[Member], count: int) -> list[Member]:
    """At most `count` of the eligible (by rising address), drawn by power without replacement; by rising address.

    A draw is 128 bits modulo the power that is left, which is at most 2^60: the bias is below 2^-67.
    """
    if len(eligible) <= count:
        return list(eligible)
    left, drawn, power = list(eligible), list[Member](), compute_power(eligible)
    draws = iter_u64(hash_fields("gradus/committee", seed, subject))
    while len(drawn) < count:
        point = (next(draws) << 64 | next(draws)) % power
        place = 0
        while point >= left[place].power:
            point -= left[place].power
            place += 1
        drawn.append(left.pop(place))
        power -= drawn[-1].power
    return sorted(drawn, key=lambda member: member.consensus_address)


def compute_power(members: Iterable[Member]) -> int:
    """The power of these members together."""
    return sum(member.power for member in members)


def is_whole(audit: Audit) -> bool:
    """Whether its committee is everybody who may judge."""
    return compute_power(audit.members) == audit.eligible_power


def is_quorum(members: Sequence[Member], audit: Audit) -> bool:
    """Whether these members of its committee decide: more than 2/3 of its power, and of its heads.

    The heads count because power weighs twice otherwise, in the draw and in the count: one validator with a third of
    all power would decide by itself for most committees of small ones. Everybody together is nobody's draw.
    """
    has_power = 3 * compute_power(members) > 2 * compute_power(audit.members)
    return has_power and (is_whole(audit) or 3 * len(members) > 2 * len(audit.members))


def is_final(audit: Audit) -> bool:
    """Whether the digests of its answer are enough to take something from somebody: a bond, or a place in committees.

    They have more than 2/3 of the power of all who may judge. Where these are more than COMMITTEE_MAX, the largest
    committee is as much as can be asked.
    """
    matching = compute_power(list_matching(audit, audit.answer))
    return 3 * matching > 2 * audit.eligible_power or len(audit.members) >= COMMITTEE_MAX


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
    PATIENCE_BLOCKS from when they could have begun, so that a prompt majority does not make the others look idle.
    """
    given = [member for member in audit.members if member.digest]
    if not is_quorum(given, audit):
        return 0
    if len(given) == len(audit.members):
        return min(height, audit.ready_height or height)
    return audit.ready_height or max(height, compute_begun_height(audit) + PATIENCE_BLOCKS)


def compute_begun_height(audit: Audit) -> int:
    """From when on its time counts: it is open, and what was asked before it is computed."""
    return max(audit.opened_height, audit.busy_height)


def compute_debt(debt: int, blocks: int) -> int:
    """What is left of a debt of multiply-adds after so many blocks."""
    return max(0, debt - blocks * ASKED_WORK_PER_BLOCK)


def compute_busy_blocks(debts: Iterable[int]) -> int:
    """How many blocks the debts of all ANSWER_KINDS take together, rounded up."""
    return -(-sum(debts) // (len(ANSWER_KINDS) * ASKED_WORK_PER_BLOCK))


def list_matching(audit: Audit, answer: bytes) -> list[Member]:
    """The members whose digests are of the answer."""
    return [member for member in audit.members
            if member.digest and member.digest == compute_digest(member.consensus_address, audit.subject, answer)]


def judge_member(audit: Audit, member: Member) -> MemberVerdict:
    """How a member of an audit that has its answer has done. What came when that could be told may have been copied."""
    if not member.digest:
        return MEMBER_VERDICT_MISSING
    if member.digest != compute_digest(member.consensus_address, audit.subject, audit.answer):
        return MEMBER_VERDICT_WRONG if is_final(audit) else MEMBER_VERDICT_DIFFERS
    return MEMBER_VERDICT_RIGHT if member.digest_height <= audit.ready_height else MEMBER_VERDICT_LATE
