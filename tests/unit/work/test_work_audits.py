"""Audits: when they are drawn, what committees decide in time, late or not at all, and who earns by it."""

from collections.abc import Callable

import pytest

from abci_app.wire.address import decode_address
from abci_app.wire.audit import (
    CONFIRMATION, UNIT, compute_digest, confirmation_of, decode_subject, encode_extension,
)
from abci_app.wire.pb.gradus.audits.v1.audits_pb2 import Audit
from abci_app.wire.pb.gradus.work.v1.work_pb2 import (
    AUDIT_VERDICT_EXPIRED, AUDIT_VERDICT_MATCH, AUDIT_VERDICT_MISMATCH, AUDIT_VERDICT_PENDING,
    AUDIT_VERDICT_UNSPECIFIED, ROUND_PHASE_AUDIT, ROUND_PHASE_REVEAL, SLASH_REASON_MISMATCH, SLASH_REASON_WITHHELD,
    TRAINER_STATUS_SLASHED, UNIT_STATUS_ACCEPTED, UNIT_STATUS_REJECTED,
)
from abci_app.wire.seed import audit_seed, reveal_hash, shuffle
from kernels.payload import check as check_payload
from tests.auditors import NOTHING, RIGHT, WRONG
from tests.chain import CHAIN_ID, PROPOSERS, Chain, address_of, new_test_key
from tests.sim.claims import Claim, new_commit, new_reveal, new_salt
from tests.unit.work.market import BOND_UGRAD, TRAINERS, Market, attribute, kinds

NewMarket = Callable[..., Market]
OPERATORS = tuple(f"operator{index}" for index in range(4))


def saying(**chosen: str) -> Callable[[bytes, Audit], str]:
    """What validators say, by the names of their operators; the others are right."""
    said = {PROPOSERS[int(name.removeprefix("operator"))]: chosen[name] for name in chosen}
    return lambda validator, audit: said.get(validator, RIGHT)


def balances(market: Market) -> list[int]:
    return [market.chain.balance(name) for name in OPERATORS]


def supply(market: Market) -> int:
    return market.chain.app.bank.supply(market.chain.ctx())


def test_audits_are_drawn_from_all_salts_and_the_hash_of_the_block_that_ended_the_commits(
        new_market: NewMarket) -> None:
    market = new_market()
    market.commit_all()
    assert (market.round().phase, market.round().reveal_hash) == (ROUND_PHASE_REVEAL, b"")
    ending = market.chain.ctx()
    assert (ending.last_app_hash, ending.last_block_hash != b"") == (market.chain.app_hash, True)
    market.reveal_all()
    assert market.round().reveal_hash == reveal_hash(ending.last_app_hash, ending.last_block_hash)
    assert (market.round().phase, market.round().audit_seed) == (ROUND_PHASE_AUDIT, b"")
    assert [unit.verdict for unit in market.units()] == [AUDIT_VERDICT_UNSPECIFIED] * 4
    assert [unit.salt for unit in market.units()] == [new_salt(unit) for unit in market.units()]
    market.block()
    seed = audit_seed(CHAIN_ID, 1, 1, 0, market.round().reveal_hash, enumerate(map(new_salt, market.units())))
    assert market.round().audit_seed == seed
    drawn = sorted(shuffle(seed, 4)[:2])  # 40 % of four, rounded up
    assert [unit.index for unit in market.units() if unit.verdict == AUDIT_VERDICT_PENDING] == drawn
    assert market.round().deadline_height == market.chain.height + 4


def test_nobody_changes_the_draw_by_when_and_in_which_blocks_it_reveals(new_market: NewMarket) -> None:
    """Whoever proposes the block of the last reveal can try out its order, time and transactions, and gains nothing."""
    seeds, hashes = [], []
    for order in (TRAINERS, TRAINERS[::-1]):
        market = new_market()
        market.commit_all()
        for name in order:
            unit = market.unit_of(name)
            market.block(new_reveal(unit, market.claim(unit)))
        hashes.append(market.chain.ctx().last_block_hash)
        market.block()
        seeds.append(market.round().audit_seed)
    assert seeds[0] == seeds[1] != b"" and hashes[0] != hashes[1]


def test_block_that_ends_the_commits_changes_the_draw(new_market: NewMarket) -> None:
    """Whoever has chosen all salts does not know the draw before it has committed."""
    seeds = []
    for order in (TRAINERS, TRAINERS[::-1]):
        market = new_market()
        market.block(*(new_commit(market.unit_of(name), market.claim(market.unit_of(name))) for name in order))
        market.reveal_all()
        market.block()
        seeds.append(market.round().audit_seed)
    assert seeds[0] != seeds[1]


def test_hash_of_the_end_of_the_commits_is_taken_by_a_chain_that_begins_there(
        new_market: NewMarket, tmp_path_factory: pytest.TempPathFactory) -> None:
    market = new_market()
    market.commit_all()
    exported = market.chain.app.export_genesis(market.chain.ctx())
    with Chain(tmp_path_factory.mktemp("again"), app_state=exported) as again:
        assert again.app.export_genesis(again.ctx()) == exported
        again.block()
        assert len(again.app.work.get_round(again.ctx(), 1, 1).reveal_hash) == 32
        assert again.check_invariants() == []


def test_where_a_reveal_was_withheld_all_others_are_audited_and_auditors_have_as_long_for_each(
        new_market: NewMarket) -> None:
    """Whoever reveals last knows the draw: another one, for a withheld reveal, must not suit it better."""
    market = new_market(rate_ppm=400_000, reveal_blocks=3, audit_blocks=5)
    market.commit_all()
    market.reveal_all(absent=("ann",))
    assert market.round().withheld_count == 1
    market.block()
    verdicts = {market.names[unit.trainer]: unit.verdict for unit in market.units()}
    assert verdicts == {"ann": AUDIT_VERDICT_UNSPECIFIED, "ben": AUDIT_VERDICT_PENDING, "cat": AUDIT_VERDICT_PENDING,
                        "dan": AUDIT_VERDICT_PENDING}
    assert market.round().deadline_height == market.chain.height + 2 * 5  # of 4 units 2 are drawn else
    revealed = [(unit.index, unit.salt) for unit in market.units() if unit.salt]
    assert len(revealed) == 3
    assert market.round().audit_seed == audit_seed(CHAIN_ID, 1, 1, 0, market.round().reveal_hash, revealed)


def test_puppets_of_one_hand_are_all_found_when_one_of_them_withholds(new_market: NewMarket) -> None:
    market = new_market(rate_ppm=250_000, reveal_blocks=3, mismatch_slash_ppm=1_000_000, withhold_slash_ppm=500_000)
    claims = {name: market.wrong_claim(name) for name in ("ann", "ben", "cat")}
    market.commit_all(claims)
    market.reveal_all(claims, absent=("cat",))
    market.block()
    market.wait_for_answers()
    assert {market.names[slash.trainer]: slash.reason for slash in market.slashes()} == {
        "cat": SLASH_REASON_WITHHELD, "ann": SLASH_REASON_MISMATCH, "ben": SLASH_REASON_MISMATCH}


def test_committee_that_agrees_slashes_wrong_claims_and_shares_what_is_not_burnt(new_market: NewMarket) -> None:
    market = new_market(rate_ppm=1_000_000, mismatch_slash_ppm=500_000, burn_ppm=400_000, audit_fee_ppm=1,
                        audit_blocks=12)
    market.auditors.choose = saying(operator3=NOTHING)
    market.reach_audit({name: market.wrong_claim(name) for name in ("ann", "ben")})
    before, coins = balances(market), supply(market)
    events = market.wait_for_answers()
    proposer = market.chain.height % 4
    verdicts = {market.names[unit.trainer]: (unit.verdict, unit.status) for unit in market.units(1)}
    assert verdicts == {"ann": (AUDIT_VERDICT_MISMATCH, UNIT_STATUS_REJECTED),
                        "ben": (AUDIT_VERDICT_MISMATCH, UNIT_STATUS_REJECTED),
                        "cat": (AUDIT_VERDICT_MATCH, UNIT_STATUS_ACCEPTED),
                        "dan": (AUDIT_VERDICT_MATCH, UNIT_STATUS_ACCEPTED)}
    lost = BOND_UGRAD // 2
    share = (lost - lost * 4 // 10) // 3
    assert [(slash.reason, slash.amount_ugrad, slash.burnt_ugrad) for slash in market.slashes()] == [
        (SLASH_REASON_MISMATCH, lost, lost - 3 * share)] * 2
    assert supply(market) == coins - 2 * (lost - 3 * share)
    gained = [after - held for after, held in zip(balances(market), before)]
    assert gained == [2 * share, 2 * share, 2 * share, 0], f"the proposer, operator{proposer}, gets nothing for it"
    assert market.trainer("ann").status == TRAINER_STATUS_SLASHED
    assert market.round(1).accepted_count == 2
    assert kinds(events).count("trainer_slashed") == 2
    assert [event.type for event in events].count("audits.audit_closed") == 4


def test_one_bit_of_the_payload_or_of_the_trace_is_enough(new_market: NewMarket) -> None:
    market = new_market(rate_ppm=1_000_000)
    ann, ben = market.claim(market.unit_of("ann")), market.claim(market.unit_of("ben"))
    last = (ann.payload[-1] + 1) % 256 if ann.payload[-1] != 127 else 126
    nearly = ann.payload[:-1] + bytes([last if last != 128 else 1])
    check_payload(nearly, 43, "int8/256")
    wrong = {"ann": Claim(nearly, ann.trace_root),
             "ben": Claim(ben.payload, bytes([ben.trace_root[0] ^ 1]) + ben.trace_root[1:])}
    market.run_round(wrong)
    assert sorted(market.names[slash.trainer] for slash in market.slashes()) == ["ann", "ben"]


def test_audit_fee_goes_in_equal_parts_to_right_digests_and_the_rest_stays_in_the_escrow(
        new_market: NewMarket) -> None:
    market = new_market(rate_ppm=1_000_000, round_reward_ugrad=1_000_003, audit_fee_ppm=100_000, audit_blocks=12)
    market.auditors.choose = saying(operator0=NOTHING)
    market.reach_audit()
    before = balances(market)
    market.wait_for_answers()
    part = 100_000 // 12  # four audits of three right digests
    assert [after - held for after, held in zip(balances(market), before)] == [0, 4 * part, 4 * part, 4 * part]
    assert market.model().escrow_ugrad == 100_000_000 - 4 * (1_000_003 // 4) - 12 * part
    found = market.chain.app.audits.find_auditor(market.chain.ctx(), PROPOSERS[1])
    assert found is not None and (found.right, found.fees_ugrad) == (4, 4 * part)


def test_unit_without_a_verdict_in_time_is_accepted_unaudited_and_earns_auditors_nothing(new_market: NewMarket) -> None:
    market = new_market(rate_ppm=1_000_000, audit_blocks=3, audit_fee_ppm=100_000)
    market.auditors.choose = saying(operator0=NOTHING, operator1=NOTHING)
    market.reach_audit()
    before = balances(market)
    events = [event for _ in range(3) for event in market.block(votes=True)]
    assert [attribute(event, "verdict") for event in events if event.type == "work.unit_audited"] == ["expired"] * 4
    assert [unit.verdict for unit in market.units(1)] == [AUDIT_VERDICT_EXPIRED] * 4
    assert [unit.status for unit in market.units(1)] == [UNIT_STATUS_ACCEPTED] * 4
    assert (market.round(1).accepted_count, balances(market)) == (4, before)
    assert market.slashes() == []


def test_late_verdict_slashes_and_takes_the_pay_back(new_market: NewMarket) -> None:
    market = new_market(rate_ppm=1_000_000, audit_blocks=3, challenge_blocks=6, burn_ppm=500_000,
                        mismatch_slash_ppm=500_000)
    market.auditors.choose = saying(operator0=NOTHING, operator1=NOTHING)
    market.reach_audit({"ann": market.wrong_claim("ann")})
    for _ in range(3):
        market.block(votes=True)
    closed, ann = market.round(1), market.unit_of("ann")
    assert market.trainer("ann").units_accepted == 1
    vested = market.chain.app.rewards.find_vesting(market.chain.ctx(), 1, 1)
    assert vested is not None and len(vested.units) == 4
    weights, escrow = market.model().weights_root, market.model().escrow_ugrad
    market.auditors.choose = saying()
    events = market.block(votes=True)
    assert [attribute(event, "verdict") for event in events if event.type == "work.unit_audited"].count("mismatch") == 1
    units = {market.names[unit.trainer]: unit for unit in market.units(1)}
    assert (units["ann"].verdict, units["ann"].status) == (AUDIT_VERDICT_MISMATCH, UNIT_STATUS_REJECTED)
    assert [units[name].verdict for name in ("ben", "cat", "dan")] == [AUDIT_VERDICT_MATCH] * 3
    assert [market.names[slash.trainer] for slash in market.slashes()] == ["ann"]
    assert market.trainer("ann").units_accepted == 0
    assert market.model().weights_root == weights, "the weights stay: the rule of aggregation carries it"
    assert (market.round(1).accepted_count, units["ann"].aggregated) == (4, True)
    share = market.model().spec.economy.round_reward_ugrad // 4
    assert market.model().escrow_ugrad == escrow + share
    assert market.chain.app.rewards.find_contribution(market.chain.ctx(), 1, new_test_key("ann").address) is None
    assert list(market.chain.app.audits.iter_audits(market.chain.ctx())) == []
    before = {name: market.chain.balance(name) for name in ("ann", "ben")}
    market.wait_for(closed.settle_height)
    assert {name: market.chain.balance(name) - before[name] for name in before} == {"ann": 0, "ben": share}
    assert ann.round == 2


def test_unit_of_a_trainer_that_was_slashed_since_is_left_out_of_its_round(new_market: NewMarket) -> None:
    """Its bond is gone, so nothing deters it any more."""
    market = new_market(rate_ppm=1_000_000, audit_blocks=3, challenge_blocks=6)
    market.auditors.choose = saying(operator0=NOTHING, operator1=NOTHING)
    market.reach_audit({"ann": market.wrong_claim("ann")})
    for _ in range(3):
        market.block(votes=True)
    market.commit_all()
    market.auditors.choose = saying()
    market.reveal_all()
    market.block(votes=True)
    assert market.trainer("ann").status == TRAINER_STATUS_SLASHED
    market.block(votes=True)
    assert {market.names[unit.trainer]: unit.status for unit in market.units(2)} == {
        "ann": UNIT_STATUS_REJECTED, "ben": UNIT_STATUS_ACCEPTED, "cat": UNIT_STATUS_ACCEPTED,
        "dan": UNIT_STATUS_ACCEPTED}
    assert len(market.slashes()) == 1


def test_audit_that_never_decides_is_closed_when_the_round_is_settled(new_market: NewMarket) -> None:
    market = new_market(rate_ppm=1_000_000, audit_blocks=3, challenge_blocks=6, trainers=("ann", "ben"))
    market.auditors.choose = saying(operator0=NOTHING, operator1=NOTHING)
    market.reach_audit()
    for _ in range(3):
        market.block(votes=True)
    number = len(list(market.chain.app.audits.iter_audits(market.chain.ctx())))
    market.settle(1)
    assert (number, list(market.chain.app.audits.iter_audits(market.chain.ctx()))) == (2, [])
    missed = market.chain.app.audits.find_auditor(market.chain.ctx(), PROPOSERS[0])
    assert missed is not None and missed.missed == 2
    market.auditors.choose = saying()
    market.block(votes=True)
    assert [unit.verdict for unit in market.units(1)] == [AUDIT_VERDICT_EXPIRED] * 2


def test_committee_of_liars_is_believed_and_one_liar_is_excluded(new_market: NewMarket) -> None:
    """What 2/3 of the power say counts, so a dispute can go on above them; fewer cannot lie."""
    market = new_market(rate_ppm=1_000_000)
    market.auditors.choose = saying(operator2=WRONG)
    market.run_round()
    assert market.slashes() == []
    excluded = market.chain.app.audits.find_auditor(market.chain.ctx(), PROPOSERS[2])
    assert excluded is not None and excluded.excluded_until_height > market.chain.height + 1_000
    market.auditors.choose = saying(operator0=WRONG, operator1=WRONG, operator3=WRONG)
    market.run_round()
    assert len(market.slashes()) == 4


def test_claimant_is_not_judged_by_its_own_validator(new_market: NewMarket) -> None:
    market = new_market(trainers=(), rate_ppm=1_000_000, committee_max=64)
    market.names.update({address_of(name): name for name in OPERATORS})
    market.block(*(market.chain.send_msg("boss", name, 100_000_000) for name in OPERATORS[:2]))
    market.block(*(market.enroll_msg(name) for name in OPERATORS[:2]))
    market.block()
    market.reach_audit()
    audits = list(market.chain.app.audits.iter_audits(market.chain.ctx()))
    assert len(audits) == 2
    for audit in audits:
        own = PROPOSERS[[new_test_key(name).address for name in OPERATORS].index(decode_address(audit.claimant))]
        members = [member.consensus_address for member in audit.members]
        assert sorted(members) == sorted(address for address in PROPOSERS if address != own)


def test_unit_for_which_there_is_no_committee_is_accepted_unaudited_at_once(
        new_market: NewMarket, monkeypatch: pytest.MonkeyPatch) -> None:
    """As where nobody has told the chain which account a validator earns for."""
    market = new_market(rate_ppm=1_000_000)
    monkeypatch.setattr(type(market.chain.app.rewards), "find_operator", lambda *args: None)
    events = market.reach_audit()
    assert kinds(events)[:4] == ["unit_audited"] * 4
    assert market.model().rounds_closed == 1
    assert [unit.verdict for unit in market.units(1)] == [AUDIT_VERDICT_EXPIRED] * 4
    assert market.settle(1)[-1].type != "" and market.round(1).settled_height == market.round(1).settle_height


def test_round_that_fails_forgets_its_audits_and_pays_for_those_that_were_decided(new_market: NewMarket) -> None:
    market = new_market(trainers=("ann", "ben", "cat"), trainers_min=3, trim=1, rate_ppm=1_000_000,
                        round_reward_ugrad=1_000_003, audit_fee_ppm=100_000)
    market.reach_audit({"ann": market.wrong_claim("ann")})
    before = balances(market)
    events = market.block(votes=True)
    assert [attribute(event, "reason") for event in events if event.type == "work.round_failed"] == ["too few"]
    assert list(market.chain.app.audits.iter_audits(market.chain.ctx())) == []
    part = 100_000 // 12  # three audits of four right digests
    lost = market.slashes()[0].amount_ugrad - market.slashes()[0].burnt_ugrad
    assert [after - held for after, held in zip(balances(market), before)] == [3 * part + lost // 4] * 4
    assert market.model().escrow_ugrad == 100_000_000 - 12 * part, "no round closed, so no trainer has earned"


def members(market: Market) -> dict[int, set[str]]:
    """By kind of subject the operators that are asked about ann's unit."""
    unit = market.unit_of("ann").index
    names = dict(zip(PROPOSERS, OPERATORS))
    return {decode_subject(audit.subject).kind: {names[member.consensus_address] for member in audit.members}
            for audit in market.chain.app.audits.iter_audits(market.chain.ctx())
            if decode_subject(audit.subject).index == unit}


def hostile(market: Market) -> str:
    """The one operator in the committee of ann's unit, which says that all claims are wrong; the others are honest."""
    liar, = members(market)[UNIT]
    market.auditors.choose = saying(**{liar: WRONG})
    return liar


def test_committee_of_a_part_of_the_power_slashes_nobody_and_liars_in_it_are_excluded(new_market: NewMarket) -> None:
    market = new_market(rate_ppm=1_000_000, committee_max=1, audit_blocks=12)
    market.reach_audit()
    liar = hostile(market)
    events = market.block(votes=True)
    assert "unit_contested" in kinds(events) and "trainer_slashed" not in kinds(events)
    assert market.round(1).phase == ROUND_PHASE_AUDIT
    assert members(market) == {UNIT: {liar}, CONFIRMATION: set(OPERATORS)}
    market.wait_for_answers()
    assert [(unit.verdict, unit.status) for unit in market.units(1)] == [
        (AUDIT_VERDICT_MATCH, UNIT_STATUS_ACCEPTED)] * 4
    assert market.slashes() == []
    found = market.chain.app.audits.get_auditor(market.chain.ctx(), PROPOSERS[OPERATORS.index(liar)])
    assert found.right == 0 and found.wrong > 0 and found.excluded_until_height > market.chain.height


def test_wrong_claim_is_slashed_once_everybody_has_confirmed_it_and_both_are_paid(new_market: NewMarket) -> None:
    market = new_market(rate_ppm=1_000_000, committee_max=1, audit_blocks=12, audit_fee_ppm=1, burn_ppm=400_000)
    market.reach_audit({"ann": market.wrong_claim("ann")})
    asked, = members(market)[UNIT]
    before = balances(market)
    contested = market.block(votes=True)
    assert kinds(contested).count("unit_contested") == 1 and market.slashes() == []
    first = [market.chain.app.audits.get_audit(market.chain.ctx(), audit.subject).seed
             for audit in market.chain.app.audits.iter_audits(market.chain.ctx())]
    assert len(dict.fromkeys(first)) == 2, "everybody is asked for another witness than the committee"
    market.wait_for_answers()
    slash, = market.slashes()
    assert market.names[slash.trainer] == "ann" and market.round(1).accepted_count == 3
    share = (slash.amount_ugrad - slash.burnt_ugrad) // 5
    gained = {name: after - held for name, after, held in zip(OPERATORS, balances(market), before)}
    assert gained == {name: 2 * share if name == asked else share for name in OPERATORS}


def test_member_that_differs_from_a_match_is_excluded_once_everybody_has_said_so(new_market: NewMarket) -> None:
    market = new_market(rate_ppm=400_000, committee_max=4, audit_blocks=12, validators=10)
    market.reach_audit()
    audits = market.chain.app.audits
    first, *_ = audits.iter_audits(market.chain.ctx())
    liar = first.members[0].consensus_address
    unit = decode_subject(first.subject).index
    market.auditors.choose = lambda validator, audit: (  # those of the other units are late, so that the round goes on
        NOTHING if decode_subject(audit.subject).index != unit else WRONG if validator == liar else RIGHT)
    events = market.block(votes=True)
    assert "unit_contested" in kinds(events)
    assert audits.get_auditor(market.chain.ctx(), liar).excluded_until_height == 0, "four of ten exclude nobody"
    market.block(votes=True)
    assert audits.get_auditor(market.chain.ctx(), liar).wrong > 0 and market.round(1).phase == ROUND_PHASE_AUDIT
    market.auditors.choose = lambda validator, _audit: WRONG if validator == liar else RIGHT
    market.wait_for_answers()
    assert market.slashes() == [] and market.round(1).accepted_count == 4
    found = audits.get_auditor(market.chain.ctx(), liar)
    assert found.wrong > 0 and found.excluded_until_height > market.chain.height
    assert [one.consensus_address for one in audits.iter_auditors(market.chain.ctx()) if one.wrong] == [liar]


@pytest.mark.parametrize("hostile_count", [3, 4, 6])
def test_validators_without_two_thirds_of_the_power_have_nobody_slashed_or_excluded(
        new_market: NewMarket, hostile_count: int) -> None:
    """They sit in whole committees, say that every claim is wrong, and agree on another answer."""
    market = new_market(rate_ppm=1_000_000, committee_max=3, audit_blocks=4, challenge_blocks=4, validators=10)
    signers = [signer.address for signer in market.chain.signers]
    hostile = signers[:hostile_count]
    market.auditors.choose = lambda validator, _audit: WRONG if validator in hostile else RIGHT
    for number in (1, 2, 3):
        market.reach_audit()
        while market.round(number).phase == ROUND_PHASE_AUDIT:
            market.block(votes=True)
        assert market.slashes() == [] and market.round(number).accepted_count == 4
    judged = {one.consensus_address: one for one in market.chain.app.audits.iter_auditors(market.chain.ctx())}
    assert not any(judged[address].wrong for address in signers[hostile_count:] if address in judged)
    assert any(judged[address].wrong for address in hostile if address in judged) == (hostile_count == 3)


def test_few_who_agree_on_a_witness_that_they_made_up_do_not_have_the_honest_one_among_them_excluded(
        new_market: NewMarket) -> None:
    """Their roots are the claim's, so that the verdict is right; the honest one's digest differs all the same."""
    market = new_market(rate_ppm=400_000, committee_max=4, audit_blocks=12, validators=10)
    market.reach_audit()
    audits = market.chain.app.audits
    first, *_ = audits.iter_audits(market.chain.ctx())
    liars = [member.consensus_address for member in first.members[:3]]
    right = market.find_answer(first)
    forged = right[:64] + bytes(32)
    said = {member.consensus_address: encode_extension([(first.subject, compute_digest(
        member.consensus_address, first.subject, forged if member.consensus_address in liars else right))])
        for member in first.members}
    market.chain.block(market.chain.propose(votes=market.chain.sign_votes(said), answers={first.subject: forged}))
    found = audits.get_audit(market.chain.ctx(), confirmation_of(first.subject))
    assert len(found.members) == 10
    market.wait_for_answers()
    assert market.slashes() == [] and market.round(1).accepted_count == 4
    wrong = [one.consensus_address for one in audits.iter_auditors(market.chain.ctx()) if one.wrong]
    assert wrong == sorted(liars)


def test_contested_unit_on_which_nobody_agrees_is_accepted_and_its_phase_ends(new_market: NewMarket) -> None:
    market = new_market(rate_ppm=1_000_000, committee_max=1, audit_blocks=3)
    market.reach_audit()
    hostile(market)
    opened = market.chain.height
    market.block(votes=True)
    market.auditors.choose = saying(**dict.fromkeys(OPERATORS, NOTHING))
    while market.round(1).phase == ROUND_PHASE_AUDIT:
        market.block(votes=True)
        assert market.chain.height <= opened + 2 * 3 + 1
    assert market.slashes() == [] and market.round(1).accepted_count == 4


def test_everybody_is_asked_instead_of_a_committee_that_never_answered(new_market: NewMarket) -> None:
    market = new_market(rate_ppm=1_000_000, committee_max=1, audit_blocks=3, challenge_blocks=4)
    market.reach_audit({"ann": market.wrong_claim("ann")})
    market.auditors.choose = saying(**dict.fromkeys(OPERATORS, NOTHING))
    while market.round(1).phase == ROUND_PHASE_AUDIT:
        market.block(votes=True)
    assert members(market) == {CONFIRMATION: set(OPERATORS)} and market.slashes() == []
    market.auditors.choose = saying()
    market.block(votes=True)
    assert [market.names[slash.trainer] for slash in market.slashes()] == ["ann"]


def test_round_closes_with_the_last_verdict_and_not_before(new_market: NewMarket) -> None:
    market = new_market(rate_ppm=1_000_000, audit_blocks=9)
    market.reach_audit()
    first = min(audit.subject for audit in market.chain.app.audits.iter_audits(market.chain.ctx()))
    market.auditors.choose = lambda validator, audit: RIGHT if audit.subject == first else NOTHING
    market.block(votes=True)
    assert (market.round().phase, market.round().waiting_count) == (ROUND_PHASE_AUDIT, 3)
    market.auditors.choose = saying()
    market.block(votes=True)
    assert market.model().rounds_closed == 1
