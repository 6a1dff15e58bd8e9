"""AuditOpening and what a decision does: who was right, wrong, late or missing, and what that costs."""

import pytest

from abci_app.wire.address import encode_address
from abci_app.wire.errors import InvariantBroken
from abci_app.wire.pb.gradus.audits.v1.audits_pb2 import (
    AUDIT_STATUS_DECIDED, AUDIT_STATUS_OPEN, AUDIT_STATUS_TAKEN, MEMBER_VERDICT_LATE, MEMBER_VERDICT_MISSING,
    MEMBER_VERDICT_RIGHT, MEMBER_VERDICT_WRONG,
)
from abci_app.wire.pb.gradus.audits.v1.tx_pb2 import AuditOpening
from abci_app.wire.tx import encode_injected
from abci_app.x.audits import msgs
from abci_app.x.audits.errors import AuditNotFound
from tests.chain import PROPOSERS, codes, new_test_key
from tests.court import ANSWER, KIND, OTHER, Court, subject_of

ONE, TWO = subject_of(1), subject_of(2)
OPERATORS = [new_test_key(f"operator{index}").address for index in range(4)]


def bring(court: Court, subject: bytes, answer: bytes) -> tuple[str, int]:
    """The code of a block with one opening."""
    return codes(court.chain.block([encode_injected(AuditOpening(subject=subject, answer=answer))]))[0]


def verdicts(court: Court, subject: bytes) -> dict[int, int]:
    """What became of each member, by index of PROPOSERS."""
    return {PROPOSERS.index(member.consensus_address): member.verdict for member in court.audit(subject).members}


def test_digests_of_all_and_their_answer_decide_in_one_block(court: Court) -> None:
    court.open(ONE)
    assert codes(court.decide(dict.fromkeys(range(4), ANSWER), ONE)) == [("", 0), ("", 0)]
    audit = court.audit(ONE)
    assert (audit.status, audit.answer, audit.ready_height, audit.decided_height) == (AUDIT_STATUS_TAKEN, ANSWER, 2, 2)
    assert verdicts(court, ONE) == dict.fromkeys(range(4), MEMBER_VERDICT_RIGHT)
    assert court.keeper.list_right(court.chain.ctx(), ONE) == [
        OPERATORS[PROPOSERS.index(address)] for address in sorted(PROPOSERS)]


def test_quorum_waits_eight_blocks_for_the_others_and_then_decides_without_them(court: Court) -> None:
    court.open(ONE)
    court.decide({0: ANSWER, 1: ANSWER, 2: ANSWER}, ONE)
    assert court.audit(ONE).ready_height == 1 + 8
    while court.chain.height < 8:
        assert court.chain.propose(answers={ONE: ANSWER}) == []
        assert bring(court, ONE, ANSWER) == ("audits", 15)
    opening = court.chain.propose(answers={ONE: ANSWER})
    assert codes(court.chain.block(opening)) == [("", 0)] and court.audit(ONE).decided_height == 9
    assert verdicts(court, ONE) == {0: MEMBER_VERDICT_RIGHT, 1: MEMBER_VERDICT_RIGHT, 2: MEMBER_VERDICT_RIGHT,
                                    3: MEMBER_VERDICT_MISSING}
    assert (court.auditor(3).missed, court.auditor(3).arrears) == (1, 8)


@pytest.mark.parametrize("blocks", [0, 6])
def test_slow_member_has_its_eight_blocks_and_ends_the_wait(court: Court, blocks: int) -> None:
    court.open(ONE)
    court.say({0: ANSWER, 1: ANSWER, 2: ANSWER}, ONE)
    court.wait(blocks)
    assert codes(court.decide({3: ANSWER}, ONE)) == [("", 0), ("", 0)]
    assert verdicts(court, ONE) == dict.fromkeys(range(4), MEMBER_VERDICT_RIGHT)
    assert court.auditor(3).missed == 0


def test_decided_audit_is_handed_out_until_it_is_taken(court: Court) -> None:
    court.opener.takes = False
    court.open(ONE, TWO)
    court.decide(dict.fromkeys(range(4), ANSWER), ONE, TWO)
    ctx = court.chain.ctx()
    assert court.audit(ONE).status == AUDIT_STATUS_DECIDED
    assert court.keeper.list_decided(ctx, KIND) == [(ONE, ANSWER), (TWO, ANSWER)]
    court.keeper.take(ctx, ONE)
    assert court.keeper.list_decided(ctx, KIND) == [(TWO, ANSWER)]
    with pytest.raises(InvariantBroken, match="taken before"):
        court.keeper.take(ctx, ONE)
    with pytest.raises(AuditNotFound):
        court.keeper.take(ctx, subject_of(3))


def test_open_audit_cannot_be_taken(court: Court) -> None:
    court.open(ONE)
    with pytest.raises(InvariantBroken, match="not decided"):
        court.keeper.take(court.chain.ctx(), ONE)


@pytest.mark.parametrize("said", [{}, {0: ANSWER}, {0: ANSWER, 1: ANSWER}, {0: ANSWER, 1: ANSWER, 2: OTHER, 3: OTHER}])
def test_two_thirds_of_the_power_or_less_decide_nothing(court: Court, said: dict[int, bytes]) -> None:
    court.open(ONE)
    court.decide(said, ONE)
    assert bring(court, ONE, ANSWER) == ("audits", 13)
    assert court.audit(ONE).status == AUDIT_STATUS_OPEN


def test_exactly_two_thirds_are_not_enough(court: Court) -> None:
    court.open(ONE, committee_max=3)
    members = court.members(ONE)
    court.decide(dict.fromkeys(members[:2], ANSWER), ONE)
    assert court.audit(ONE).ready_height == 0 and bring(court, ONE, ANSWER) == ("audits", 13)
    court.decide({members[2]: ANSWER}, ONE)
    assert court.audit(ONE).status == AUDIT_STATUS_TAKEN


def test_answer_that_no_quorum_gave_is_refused(court: Court) -> None:
    court.open(ONE)
    court.say(dict.fromkeys(range(4), ANSWER), ONE)
    for answer, code in ((OTHER, 13), (ANSWER[:-1], 12), (ANSWER + b"\x00", 12), (b"", 12)):
        assert bring(court, ONE, answer) == ("audits", code)
    assert bring(court, ONE, ANSWER) == ("", 0)
    assert bring(court, ONE, ANSWER) == ("audits", 11)


@pytest.mark.parametrize("subject", [TWO, b"", bytes(24), bytes(200)])
def test_answer_to_no_audit_is_refused(court: Court, subject: bytes) -> None:
    assert bring(court, subject, ANSWER) == ("audits", 2)


def test_answer_told_by_votes_decides_where_the_proposer_has_none(court: Court) -> None:
    """The proposers' side of it, LocalSource, is tested with the ABCI layer; here, that the block takes it."""
    court.open(ONE)
    court.say(dict.fromkeys(range(4), ANSWER), ONE)
    assert court.audit(ONE).ready_height == 2
    opening, = court.chain.propose(answers={ONE: ANSWER})
    assert codes(court.chain.block([opening])) == [("", 0)]
    assert court.audit(ONE).decided_height == 3


def test_block_opens_no_more_answers_than_its_bound(court: Court, monkeypatch: pytest.MonkeyPatch) -> None:
    court.open(ONE, TWO)
    court.say(dict.fromkeys(range(4), ANSWER), ONE, TWO)
    monkeypatch.setattr(msgs, "OPENINGS_PER_BLOCK", 1)
    both = [encode_injected(AuditOpening(subject=subject, answer=ANSWER)) for subject in (ONE, TWO)]
    assert codes(court.chain.block(both)) == [("", 0), ("audits", 14)]
    assert codes(court.chain.block(both[1:])) == [("", 0)]


def test_wrong_digest_excludes_its_validator_and_earns_nothing(court: Court) -> None:
    court.open(ONE)
    result = court.decide({0: ANSWER, 1: OTHER, 2: ANSWER, 3: ANSWER}, ONE)[1]
    assert verdicts(court, ONE)[1] == MEMBER_VERDICT_WRONG
    auditor = court.auditor(1)
    assert (auditor.wrong, auditor.right, auditor.excluded_until_height) == (1, 0, 10_002)
    assert OPERATORS[1] not in court.keeper.list_right(court.chain.ctx(), ONE)
    assert ("audits.auditor_excluded", (("validator", PROPOSERS[1].hex().upper()), ("reason", "wrong"),
                                        ("until_height", "10002"))) in result.events


def test_digest_copied_from_an_answer_that_was_told_is_late_and_earns_nothing(court: Court) -> None:
    court.open(ONE)
    court.say({0: ANSWER, 1: ANSWER, 2: ANSWER}, ONE)
    court.wait(7)
    court.decide({3: ANSWER}, ONE)
    assert verdicts(court, ONE)[3] == MEMBER_VERDICT_LATE
    assert court.auditor(3).right == court.auditor(3).wrong == 0 and court.auditor(3).missed == 1
    assert OPERATORS[3] not in court.keeper.list_right(court.chain.ctx(), ONE)


def test_late_digest_still_counts_for_the_quorum(court: Court) -> None:
    """Three gave digests, one of something else: the fourth, though late, brings the answer its quorum."""
    court.open(ONE)
    court.say({0: ANSWER, 1: ANSWER, 2: OTHER}, ONE)
    court.wait(7)
    assert bring(court, ONE, ANSWER) == ("audits", 13)
    court.decide({3: ANSWER}, ONE)
    assert court.audit(ONE).status == AUDIT_STATUS_TAKEN
    assert verdicts(court, ONE) == {0: MEMBER_VERDICT_RIGHT, 1: MEMBER_VERDICT_RIGHT, 2: MEMBER_VERDICT_WRONG,
                                    3: MEMBER_VERDICT_LATE}


def test_audit_that_is_closed_soon_is_missed_by_nobody(court: Court) -> None:
    court.open(ONE, TWO)
    court.say({0: ANSWER, 1: ANSWER}, ONE, TWO)
    court.wait(5)
    court.close(ONE)
    assert [court.auditor(index).missed for index in range(4)] == [0, 0, 0, 0]
    court.close(TWO)
    assert [court.auditor(index).missed for index in range(4)] == [0, 0, 1, 1]


@pytest.mark.parametrize("said", [{}, {0: ANSWER}, {1: OTHER}])
def test_audit_that_hardly_anybody_can_answer_is_missed_by_nobody(court: Court, said: dict[int, bytes]) -> None:
    """A contract over data that only its trainers have must not exclude those who would audit other contracts."""
    subjects = [subject_of(number) for number in range(9)]
    court.open(*subjects)
    court.say(said, *subjects)
    court.wait(8)
    court.close(*subjects)
    for index in range(4):
        assert (court.auditor(index).missed, court.auditor(index).excluded_until_height) == (0, 0)


def test_one_of_two_members_cannot_make_the_other_miss(court: Court) -> None:
    court.open(ONE, committee_max=2)
    first, second = court.members(ONE)
    court.say({first: OTHER}, ONE)
    court.wait(8)
    court.close(ONE)
    assert court.auditor(second).missed == 0


def test_closing_an_undecided_audit_counts_those_who_gave_nothing(court: Court) -> None:
    court.open(ONE)
    court.say({0: ANSWER, 1: OTHER}, ONE)
    court.wait(6)
    court.close(ONE)
    assert [court.auditor(index).missed for index in range(4)] == [0, 0, 1, 1]
    assert [court.auditor(index).wrong for index in range(4)] == [0, 0, 0, 0]  # nobody knows the answer
    assert court.keeper.find_audit(court.chain.ctx(), ONE) is None
    assert court.events("audit_closed") == [{"subject": ONE.hex(), "status": "open"}]
    assert court.keeper.list_right(court.chain.ctx(), ONE) == []


def test_closing_a_decided_audit_counts_nothing_again_and_a_closed_one_does_nothing(court: Court) -> None:
    court.open(ONE)
    court.wait(8)
    court.decide({0: ANSWER, 1: ANSWER, 2: ANSWER}, ONE)
    before = [court.auditor(index) for index in range(4)]
    court.close(ONE)
    court.close(ONE)
    assert [court.auditor(index) for index in range(4)] == before and before[3].missed == 1
    assert court.events("audit_closed") == []
    court.open(ONE)
    assert court.audit(ONE).status == AUDIT_STATUS_OPEN


def test_decided_audit_that_is_closed_untaken_is_handed_out_no_more(court: Court) -> None:
    court.opener.takes = False
    court.open(ONE)
    court.decide(dict.fromkeys(range(4), ANSWER), ONE)
    court.close(ONE)
    assert court.keeper.list_decided(court.chain.ctx(), KIND) == []


def test_eight_missed_audits_exclude_and_a_right_digest_makes_an_eighth_of_one_good(court: Court) -> None:
    subjects = [subject_of(number) for number in range(20)]
    court.open(*subjects)
    court.wait(8)
    court.decide({0: ANSWER, 1: ANSWER, 2: ANSWER}, *subjects[:7])
    assert (court.auditor(3).arrears, court.auditor(3).excluded_until_height) == (56, 0)
    court.decide(dict.fromkeys(range(4), ANSWER), subjects[7])
    assert court.auditor(3).arrears == 55
    court.decide({0: ANSWER, 1: ANSWER, 2: ANSWER}, subjects[8])
    assert (court.auditor(3).arrears, court.auditor(3).excluded_until_height) == (63, 0)
    results = court.decide({0: ANSWER, 1: ANSWER, 2: ANSWER}, subjects[9])
    auditor = court.auditor(3)
    assert (auditor.missed, auditor.arrears, auditor.right) == (9, 0, 1)
    assert auditor.excluded_until_height == court.chain.height + 1_000
    excluded = [event for result in results for event in result.events if event.type == "audits.auditor_excluded"]
    assert len(excluded) == 1 and ("reason", "missed") in excluded[0].attributes


def test_longer_exclusion_stands(court: Court) -> None:
    subjects = [subject_of(number) for number in range(9)]
    court.open(*subjects)
    court.decide({0: ANSWER, 1: ANSWER, 2: ANSWER, 3: OTHER}, subjects[0])
    until = court.auditor(3).excluded_until_height
    court.wait(7)
    court.decide({0: ANSWER, 1: ANSWER, 2: ANSWER}, *subjects[1:])
    assert court.auditor(3).missed == 8 and court.auditor(3).excluded_until_height == until


def test_fee_is_booked_for_those_who_were_right_in_time(court: Court) -> None:
    court.open(ONE)
    court.decide({0: ANSWER, 1: OTHER, 2: ANSWER, 3: ANSWER}, ONE)
    ctx = court.chain.ctx()
    court.keeper.book_fee(ctx, ONE, 7)
    court.keeper.book_fee(ctx, ONE, 5)
    court.keeper.book_fee(ctx, TWO, 5)
    assert [court.keeper.get_auditor(ctx, PROPOSERS[index]).fees_ugrad for index in range(4)] == [12, 0, 12, 12]


def test_claimant_stands_in_the_record(court: Court) -> None:
    court.open(ONE, claimant=OPERATORS[2])
    assert court.audit(ONE).claimant == encode_address(OPERATORS[2])


def test_proposer_with_a_wrong_answer_proposes_no_opening(court: Court) -> None:
    court.open(ONE)
    court.say(dict.fromkeys(range(4), ANSWER), ONE)
    assert court.chain.propose(answers={ONE: OTHER}) == []
