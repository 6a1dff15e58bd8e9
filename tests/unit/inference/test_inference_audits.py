"""Answers that auditors judge: where hosts differ surely, where they agree by lot; who is slashed, and who is not."""

from collections.abc import Callable

import pytest

from abci_app.runtime.fee import compute_judging_cost
from abci_app.wire.pb.gradus.audits.v1.audits_pb2 import Audit
from abci_app.wire.pb.gradus.inference.v1.inference_pb2 import (
    HOST_STATUS_ACTIVE, HOST_STATUS_SLASHED, REQUEST_STATUS_ANSWERED, REQUEST_STATUS_ASK, REQUEST_STATUS_AUDIT,
    REQUEST_STATUS_DRAW, REQUEST_STATUS_FAILED, Host, Params,
)
from abci_app.x.audits import types as audits
from abci_app.x.inference.types import compute_burnt, is_drawn, new_offer
from tests.auditors import NOTHING, RIGHT
from tests.chain import SIGNERS
from tests.unit.inference.desk import (
    HOST_BOND_UGRAD, HOSTS, MAX_FEE_UGRAD, Desk, attribute, find_event, kinds, new_policy,
)

OPERATORS = tuple(f"operator{index}" for index in range(4))
ALWAYS = 10**6


def silent(validator: bytes, audit: Audit) -> str:
    """Nobody computes anything."""
    return NOTHING


def judge(desk: Desk) -> list[str]:
    """The block that asks, and the one that brings the auditors' answers; the events' kinds of the latter."""
    desk.block()
    return kinds(desk.block(votes=True))


def test_the_odd_one_out_is_audited_and_slashed_and_the_others_are_paid(desk: Desk) -> None:
    desk.ask()
    before = [desk.balance(name) for name in OPERATORS]
    desk.answer_all(lies={"hex": "lie"})
    assert desk.request().status == REQUEST_STATUS_DRAW
    desk.block()
    assert desk.request().status == REQUEST_STATUS_AUDIT
    events = desk.block(votes=True)
    assert desk.statuses() == {"hal": "paid", "hex": "wrong", "hob": "paid"}
    request, slash = desk.request(), find_event(events, "host_slashed")
    assert request.status == REQUEST_STATUS_ANSWERED and request.audited and request.answer == desk.answer()
    taken_ugrad = HOST_BOND_UGRAD // 10
    assert int(attribute(slash, "amount_ugrad")) == taken_ugrad == desk.seats()["hex"].slashed_ugrad
    assert int(attribute(slash, "burnt_ugrad")) == taken_ugrad // 2
    assert desk.host("hex").status == HOST_STATUS_SLASHED
    assert desk.host("hex").bond_ugrad == HOST_BOND_UGRAD - taken_ugrad and desk.host("hex").wrong == 1
    gains = [desk.balance(name) - had for name, had in zip(OPERATORS, before)]
    assert min(gains) >= taken_ugrad // 8


def test_a_liar_in_the_majority_gains_nothing_where_answers_differ(desk: Desk) -> None:
    desk.ask()
    desk.answer_all(lies={"hex": "lie", "hob": "lie"})
    judge(desk)
    assert desk.statuses() == {"hal": "paid", "hex": "wrong", "hob": "wrong"}
    assert desk.request().answer == desk.answer()


def test_hosts_who_agree_on_a_lie_are_found_by_the_draw(new_desk: Callable[..., Desk]) -> None:
    desk = new_desk(audit_ppm=ALWAYS)
    desk.ask()
    before = desk.balance("una")
    desk.answer_all(lies=dict.fromkeys(HOSTS, "lie"))
    assert kinds(desk.block()) == ["phase_entered"]
    assert "request_failed" in kinds(desk.block(votes=True))
    assert desk.statuses() == dict.fromkeys(HOSTS, "wrong")
    assert desk.request().status == REQUEST_STATUS_FAILED and desk.request().reason == "wrong"
    assert desk.balance("una") - before == MAX_FEE_UGRAD


def test_an_audit_that_finds_nothing_wrong_pays_all(new_desk: Callable[..., Desk]) -> None:
    desk = new_desk(audit_ppm=ALWAYS)
    desk.ask()
    desk.answer_all()
    assert "request_answered" in judge(desk)
    assert desk.statuses() == dict.fromkeys(HOSTS, "paid") and desk.request().audited


def test_where_auditors_are_silent_the_majority_is_paid_and_nobody_slashed(new_desk: Callable[..., Desk]) -> None:
    desk = new_desk(choose=silent)
    desk.ask()
    desk.answer_all(lies={"hex": "lie"})
    desk.block()
    desk.wait_for(desk.request().due_height)
    assert desk.statuses() == {"hal": "paid", "hex": "unpaid", "hob": "paid"}
    assert desk.request().status == REQUEST_STATUS_ANSWERED and not desk.request().audited
    assert desk.host("hex").bond_ugrad == HOST_BOND_UGRAD and desk.host("hex").status == HOST_STATUS_ACTIVE
    assert list(desk.chain.app.audits.iter_audits(desk.chain.ctx())) == []


def test_where_auditors_are_silent_and_no_answer_has_a_majority_nobody_is_paid(new_desk: Callable[..., Desk]) -> None:
    desk = new_desk(choose=silent)
    desk.ask(desk.request_msg(replicas=2))
    desk.answer_all(lies={min(desk.seats()): "lie"})
    desk.block()
    desk.wait_for(desk.request().due_height)
    assert list(desk.statuses().values()) == ["unpaid", "unpaid"]
    assert desk.request().reason == "undecided" and desk.request().refund_ugrad == MAX_FEE_UGRAD


def test_auditors_decide_late_but_within_the_blocks_of_the_contract(new_desk: Callable[..., Desk]) -> None:
    lazy = SIGNERS[0].address
    desk = new_desk(choose=lambda validator, audit: NOTHING if validator == lazy else RIGHT)
    desk.ask()
    desk.answer_all(lies={"hob": "lie"})
    desk.block()
    while desk.request().status == REQUEST_STATUS_AUDIT:
        desk.block(votes=True)
    assert desk.statuses()["hob"] == "wrong" and desk.chain.height < desk.request().opened_height + 20


def test_where_nobody_may_judge_the_majority_is_believed(new_desk: Callable[..., Desk]) -> None:
    desk = new_desk(names=("operator0",), validators=1, hosts=())
    desk.block(*(desk.register_msg(name) for name in ("operator0", "hal", "hex")))
    desk.block()
    desk.ask()
    claimant = desk.names[desk.request().seats[0].host]
    desk.answer_all(lies={"hal": "lie"})
    desk.block()
    is_judged = claimant != "operator0"
    assert (desk.request().status == REQUEST_STATUS_AUDIT) == is_judged


def test_a_slashed_host_answers_what_it_has_open_and_can_then_only_leave(desk: Desk) -> None:
    first, second = desk.ask(desk.request_msg(), desk.request_msg("uwe", deadline_blocks=50))
    desk.answer_all(first, lies={"hob": "lie"})
    judge(desk)
    assert desk.refusal(desk.update_msg("hob")) == ("inference", 11)
    assert desk.refusal(desk.leave_msg("hob")) == ("inference", 12)
    desk.answer_all(second)
    desk.block()
    assert desk.statuses(second)["hob"] == "paid" and desk.host("hob").status == HOST_STATUS_SLASHED
    assert desk.refusal(desk.leave_msg("hob")) == ("", 0)
    assert desk.refusal(desk.register_msg("hob")) == ("", 0)


def test_a_request_of_a_single_replica_is_audited_by_lot_alone(new_desk: Callable[..., Desk]) -> None:
    desk = new_desk(audit_ppm=500_000)
    audited = 0
    for _ in range(12):
        (request_id,) = desk.ask(desk.request_msg(replicas=1))
        desk.answer_all(request_id)
        desk.block()
        audited += desk.request(request_id).status == REQUEST_STATUS_AUDIT
        desk.block(votes=True)
        assert desk.request(request_id).status == REQUEST_STATUS_ANSWERED
    assert 1 <= audited <= 11


def test_auditors_are_asked_in_turn_while_they_have_time_and_nobody_gets_a_second_lot(
        new_desk: Callable[..., Desk], monkeypatch: pytest.MonkeyPatch) -> None:
    desk = new_desk(audit_ppm=ALWAYS)
    ids = desk.ask(*(desk.request_msg(replicas=1, deadline_blocks=50) for _ in range(3)))
    monkeypatch.setattr(audits, "ASKED_WORK_PER_BLOCK", audits.AUDIT_FIXED_WORK + desk.request().work - 1)
    desk.block(*(desk.commit_msg(name, one) for one in ids for name in desk.seats(one)))
    desk.block(*(desk.reveal_msg(name, one) for one in ids for name in desk.seats(one)))
    for audited in (1, 2, 3):
        desk.block()
        statuses = [desk.request(one).status for one in ids]
        assert statuses == [REQUEST_STATUS_AUDIT] * audited + [REQUEST_STATUS_ASK] * (3 - audited)


def test_a_flood_of_audits_leaves_no_drawn_lie_undecided(new_desk: Callable[..., Desk],
                                                         monkeypatch: pytest.MonkeyPatch) -> None:
    """More answers than auditors have time for, of whom one is silent; the last is a lie, and its host is slashed."""
    lazy = SIGNERS[0].address
    desk = new_desk(audit_ppm=ALWAYS, audit_blocks=10,
                    choose=lambda validator, audit: NOTHING if validator == lazy else RIGHT)
    ids = desk.ask(*(desk.request_msg(replicas=1, deadline_blocks=50) for _ in range(5)))
    monkeypatch.setattr(audits, "ASKED_WORK_PER_BLOCK", (audits.AUDIT_FIXED_WORK + desk.request().work) // 4)
    (liar,), lies = desk.seats(ids[-1]), dict.fromkeys(ids, "") | {ids[-1]: "lie"}
    desk.block(*(desk.commit_msg(name, one, lies[one]) for one in ids for name in desk.seats(one)))
    desk.block(*(desk.reveal_msg(name, one, lies[one]) for one in ids for name in desk.seats(one)))
    for _ in range(60):
        desk.block(votes=True)
    assert [list(desk.statuses(one).values()) for one in ids] == [["paid"]] * 4 + [["wrong"]]
    assert all(desk.request(one).audited for one in ids) and desk.host(liar).wrong == 1


def test_a_stake_covers_what_judging_costs_however_cheap_the_answer_is() -> None:
    work, policy = 1 << 34, new_policy(audit_ppm=500_000)
    host, judging_ugrad = Host(price_ugrad_per_gma=1), compute_judging_cost(1 << 34, 1)
    assert judging_ugrad == 1_100 and new_offer(policy, work, host, judging_ugrad).stake_ugrad == judging_ugrad
    host.price_ugrad_per_gma = 1_000
    assert new_offer(policy, work, host, judging_ugrad).stake_ugrad > judging_ugrad
    assert compute_burnt(Params(request_price_ugrad=7), policy, work, 1) == 557 and compute_judging_cost(1, 0) == 0


def test_the_draw_has_the_chance_that_the_contract_says() -> None:
    drawn = sum(is_drawn(index.to_bytes(32, "big"), 50_000) for index in range(4_000))
    assert 150 < drawn < 250  # 200 expected, more than 3 standard deviations
    assert not is_drawn(bytes(32), 0) and is_drawn(bytes(32), ALWAYS)
