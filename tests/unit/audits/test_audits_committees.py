"""Who judges: drawn by power, never the claimant's own, never who is excluded."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from abci_app.runtime.context import Ctx
from abci_app.wire.audit import compute_digest
from abci_app.wire.errors import InvariantBroken
from abci_app.wire.ints import u64_bytes
from abci_app.wire.pb.gradus.audits.v1.audits_pb2 import MEMBER_VERDICT_WRONG, Audit, Member
from abci_app.wire.seed import hash_fields
from abci_app.x.audits.types import draw_committee, is_final, is_quorum, is_whole, judge_member, list_matching
from tests.chain import PROPOSERS, new_test_key
from tests.court import ANSWER, NOBODY, OTHER, SEED, Court, subject_of

ONE, TWO = subject_of(1), subject_of(2)


def ask(court: Court, ctx: Ctx, subject: bytes, committee_max: int) -> int:
    """The size of the committee that is asked."""
    size, = court.keeper.open_audits(ctx, committee_max, [(subject, NOBODY, SEED)])
    return size


def test_committee_is_of_the_asked_size_and_rises_by_address(court: Court) -> None:
    court.open(ONE, committee_max=3)
    audit = court.audit(ONE)
    addresses = [member.consensus_address for member in audit.members]
    assert len(addresses) == 3 and addresses == sorted(addresses)
    assert audit.opened_height == 1 and not audit.ready_height and not audit.answer
    assert court.events("audit_opened") == [{"subject": ONE.hex(), "members": "3"}]


def test_operator_never_judges_its_own_claim(court: Court) -> None:
    for index in range(4):
        subject = subject_of(10 + index)
        court.open(subject, claimant=new_test_key(f"operator{index}").address)
        assert court.members(subject) == [other for other in range(4) if other != index]


def test_validator_that_earns_for_nobody_is_in_no_committee(court: Court) -> None:
    """Its operator is unknown, so it could be the claimant."""
    ctx = court.chain.ctx(1)
    ctx.state.store("rewards").delete(b"\x02" + PROPOSERS[2])
    assert ask(court, ctx, ONE, 4) == 3
    assert PROPOSERS[2] not in [member.consensus_address for member in court.keeper.get_audit(ctx, ONE).members]


def test_nothing_is_opened_where_nobody_may_judge(court: Court) -> None:
    ctx = court.chain.ctx(1)
    for proposer in PROPOSERS:
        ctx.state.store("rewards").delete(b"\x02" + proposer)
    assert ask(court, ctx, ONE, 4) == 0
    assert court.keeper.find_audit(ctx, ONE) is None and ctx.events == []


def test_opening_a_subject_twice_is_the_openers_bug(court: Court) -> None:
    court.open(ONE)
    with pytest.raises(InvariantBroken, match="opened twice"):
        ask(court, court.chain.ctx(2), ONE, 4)


def test_excluded_validator_is_in_no_new_committee_and_stays_in_open_ones(court: Court) -> None:
    court.open(ONE, TWO)
    court.decide({0: ANSWER, 1: ANSWER, 2: ANSWER, 3: OTHER}, ONE)
    assert court.auditor(3).excluded_until_height == 2 + 10_000
    assert 3 in court.members(TWO)
    court.open(subject_of(3))
    assert court.members(subject_of(3)) == [0, 1, 2]
    court.decide(dict.fromkeys(range(4), ANSWER), TWO)
    assert court.auditor(3).right == 1


@pytest.mark.parametrize("excluded, asked", [([3], [0, 1, 2]), ([2, 3], [0, 1]), ([1, 2, 3], [0, 1, 2, 3]),
                                             ([0, 1, 2, 3], [0, 1, 2, 3])])
def test_exclusions_leave_at_least_half_of_the_power_or_count_for_nothing(
        court: Court, excluded: list[int], asked: list[int]) -> None:
    """Who gets the others excluded must not be left to judge alone."""
    ctx = court.chain.ctx(5)
    for index in excluded:
        auditor = court.keeper.get_auditor(ctx, PROPOSERS[index])
        auditor.excluded_until_height = 6
        court.keeper.put_auditor(ctx, auditor)
    ask(court, ctx, ONE, 64)
    found = [PROPOSERS.index(one.consensus_address) for one in court.keeper.get_audit(ctx, ONE).members]
    assert sorted(found) == asked


def test_exclusion_ends_at_its_height(court: Court) -> None:
    court.open(ONE)
    court.decide({0: ANSWER, 1: ANSWER, 2: ANSWER, 3: OTHER}, ONE)
    until = court.auditor(3).excluded_until_height
    for height, size in ((until - 1, 3), (until, 4)):
        assert ask(court, court.chain.ctx(height), TWO, 4) == size


def test_validator_that_lost_its_power_is_in_no_new_committee(court: Court) -> None:
    ctx = court.chain.ctx(1)
    validator = court.chain.app.validators.find_validator(ctx, PROPOSERS[1])
    assert validator is not None
    validator.power, validator.removed_height = 0, 1
    court.chain.app.validators.put_validator(ctx, validator)
    assert ask(court, ctx, ONE, 4) == 3


def member(index: int, power: int) -> Member:
    return Member(consensus_address=index.to_bytes(20, "big"), power=power)


@given(st.lists(st.integers(1, 2**50), min_size=1, max_size=20), st.integers(1, 64), st.binary(min_size=1, max_size=32))
def test_draw_takes_each_at_most_once_and_as_many_as_there_are(powers: list[int], count: int, seed: bytes) -> None:
    eligible = [member(index, power) for index, power in enumerate(powers)]
    drawn = draw_committee(seed, ONE, eligible, count)
    addresses = [one.consensus_address for one in drawn]
    assert len(drawn) == min(count, len(powers)) and addresses == sorted(set(addresses))
    assert all(one in eligible for one in drawn)
    assert drawn == draw_committee(seed, ONE, eligible, count)


def test_draw_follows_power() -> None:
    """1 of 10 has half of the power: of 2,000 draws of one it gets 1,000, give or take five standard deviations."""
    eligible = [member(0, 9)] + [member(index, 1) for index in range(1, 10)]
    first = sum(draw_committee(SEED, subject_of(number), eligible, 1)[0].power == 9 for number in range(2_000))
    assert 888 < first < 1_112


def test_draws_never_change() -> None:
    """They decide who judges; another draw would split the chain. Written here a second time, with lots for power."""
    lots = [index for index in range(10) for _ in range(1 + index)]
    key, drawn = hash_fields("gradus/committee", SEED, ONE), list[int]()
    for counter in range(2):
        block = hash_fields("gradus/draw", key, u64_bytes(counter))
        for half in (block[:16], block[16:]):
            drawn.append(lots[int.from_bytes(half, "big") % len(lots)])
            lots = [index for index in lots if index != drawn[-1]]
    found = draw_committee(SEED, ONE, [member(index, 1 + index) for index in range(10)], 4)
    assert [int.from_bytes(one.consensus_address, "big") for one in found] == sorted(drawn) == [0, 6, 7, 8]


def test_committee_depends_on_seed_and_subject() -> None:
    eligible = [member(index, 1) for index in range(40)]
    committees = [draw_committee(seed, subject, eligible, 4) for seed in (SEED, b"") for subject in (ONE, TWO)]
    assert all(one != other for place, one in enumerate(committees) for other in committees[:place])


@given(st.lists(st.integers(1, 2**40), min_size=1, max_size=64), st.integers(1, 64), st.data())
def test_nothing_is_final_without_two_thirds_of_the_power_of_all_who_may_judge(
        powers: list[int], committee_max: int, data: st.DataObject) -> None:
    """Whoever says what in a committee of any size, of validators of any powers, up to 64 of them."""
    eligible = [member(index, power) for index, power in enumerate(powers)]
    committee = draw_committee(data.draw(st.binary(min_size=1, max_size=8)), ONE, eligible, min(committee_max, 63))
    hostile = data.draw(st.lists(st.booleans(), min_size=len(powers), max_size=len(powers)))
    audit = Audit(subject=ONE, members=committee, eligible_power=sum(powers), answer=OTHER, ready_height=9)
    for one in audit.members:
        is_hostile = hostile[int.from_bytes(one.consensus_address, "big")]
        one.digest = compute_digest(one.consensus_address, ONE, OTHER if is_hostile else ANSWER)
    power = sum(power for power, is_hostile in zip(powers, hostile) if is_hostile)
    has_two_thirds = 3 * power > 2 * sum(powers)
    verdicts = [judge_member(audit, one) for one in audit.members]
    assert has_two_thirds or not is_final(audit) and MEMBER_VERDICT_WRONG not in verdicts
    everybody = Audit(subject=ONE, members=eligible, eligible_power=sum(powers), answer=OTHER)
    for one, is_hostile in zip(everybody.members, hostile):
        one.digest = compute_digest(one.consensus_address, ONE, OTHER if is_hostile else ANSWER)
    if len(powers) < 64:
        assert is_whole(everybody) and is_final(everybody) == has_two_thirds
        assert is_quorum(list_matching(everybody, OTHER), everybody) == has_two_thirds


def test_one_validator_with_much_power_does_not_decide_for_a_committee_of_small_ones() -> None:
    committee = [member(0, 30), *(member(index, 1) for index in range(1, 4))]
    audit = Audit(subject=ONE, members=committee, eligible_power=100)
    assert not is_quorum(committee[:1], audit) and not is_quorum(committee[:2], audit)
    assert is_quorum(committee[:3], audit) and not is_quorum(committee[1:], audit)
    audit.eligible_power = 33
    assert is_quorum(committee[:1], audit), "everybody together decides by power alone"
