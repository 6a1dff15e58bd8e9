"""A request from its question to its answer: who is dealt it, who is paid, what comes back, what is kept."""

from collections.abc import Callable

import pytest

from abci_app.runtime.fee import compute_fee, compute_request_stake
from abci_app.runtime.question import WORK_MAX, compute_work
from abci_app.wire.pb.gradus.inference.v1.inference_pb2 import (
    HOST_STATUS_ACTIVE, HOST_STATUS_STOOD_DOWN, REQUEST_STATUS_ANSWERED, REQUEST_STATUS_COMMIT, REQUEST_STATUS_FAILED,
    REQUEST_STATUS_PENDING, REQUEST_STATUS_REVEAL, Params,
)
from abci_app.wire.pb.gradus.models.v1.tx_pb2 import MsgCloseModel
from abci_app.x.inference import block, types
from abci_app.x.inference.errors import AnswerMismatch, AnswerMissing, DeadlineInvalid
from abci_app.x.inference.msgs import host as host_msgs
from abci_app.x.inference.types import (
    REVEAL_BLOCKS, compute_commit_blocks, compute_last_dealing, compute_least_deadline, compute_next_try,
)
from tests.chain import address_of
from tests.sim.rows import new_rows
from tests.unit.inference.desk import (
    HOST_BOND_UGRAD, HOSTS, MAX_FEE_UGRAD, PRICE, Desk, attribute, find_event, kinds, new_policy, new_question,
)
from tests.unit.work.market import small_spec

IMPATIENT = Params(kept_blocks=5, missed_max=2, return_blocks=9)
BURNT_UGRAD = 101  # the price of a request, and of the audit that may be drawn
ONE_ROW_WORK = compute_work(small_spec(), new_question())


def test_an_answer_on_which_all_agree_is_paid_and_the_rest_comes_back(desk: Desk) -> None:
    before = desk.balance("una")
    desk.ask()
    desk.answer_all()
    events = desk.block()
    request, gas_ugrad = desk.request(), 1_000
    assert request.status == REQUEST_STATUS_ANSWERED and request.answer == desk.answer()
    assert desk.statuses() == dict.fromkeys(HOSTS, "paid")
    assert request.fee_ugrad == 3 * compute_fee(new_policy(), ONE_ROW_WORK)
    assert request.fee_ugrad + request.refund_ugrad == request.escrow_ugrad == MAX_FEE_UGRAD
    assert attribute(find_event(events, "request_answered"), "audited") == "false"
    assert before - desk.balance("una") == request.fee_ugrad + BURNT_UGRAD + gas_ugrad
    host = desk.host("hal")
    assert (host.answered, host.earned_ugrad, host.staked_ugrad, host.open_count) == (1, ONE_ROW_WORK, 0, 0)


def test_while_a_request_is_open_its_stakes_are_bound(desk: Desk) -> None:
    desk.ask()
    host, seat = desk.host("hal"), desk.seats()["hal"]
    assert seat.ask_ugrad == ONE_ROW_WORK and seat.stake_ugrad == compute_request_stake(new_policy(), ONE_ROW_WORK)
    assert (host.open_count, host.staked_ugrad) == (1, seat.stake_ugrad)


def test_who_misses_the_commits_earns_nothing_and_stands_down_after_several(new_desk: Callable[..., Desk]) -> None:
    desk = new_desk(params=IMPATIENT)
    for request_id in (1, 2):
        desk.ask()
        desk.answer_all(request_id, absent=("hex",))
        desk.block()
        assert desk.statuses(request_id) == {"hal": "paid", "hex": "missed", "hob": "paid"}
        expected = HOST_STATUS_ACTIVE if request_id == 1 else HOST_STATUS_STOOD_DOWN
        assert desk.host("hex").status == expected and desk.host("hex").bond_ugrad == HOST_BOND_UGRAD
    assert desk.refusal(desk.update_msg("hex")) == desk.refusal(desk.leave_msg("hex")) == ("inference", 35)
    desk.wait_for(desk.host("hex").return_height - 1)
    desk.block(desk.update_msg("hex"))
    host = desk.host("hex")
    assert (host.status, host.missed_in_a_row, host.return_height) == (HOST_STATUS_ACTIVE, 0, 0)


def test_what_was_missed_cannot_be_washed_off(new_desk: Callable[..., Desk]) -> None:
    desk = new_desk(params=IMPATIENT)
    desk.ask()
    desk.answer_all(absent=("hex",))
    assert desk.refusal(desk.update_msg("hex", capacity=9)) == ("", 0), "an active host goes on as it wants"
    assert desk.refusal(desk.leave_msg("hex")) == ("inference", 35)
    desk.block(desk.drain_msg("hex"))
    assert desk.refusal(desk.update_msg("hex")) == desk.refusal(desk.leave_msg("hex")) == ("inference", 35)
    desk.wait_for(desk.host("hex").return_height - 1)
    assert desk.host("hex").missed_in_a_row == 1
    assert desk.refusal(desk.update_msg("hex")) == ("", 0)
    assert (desk.host("hex").missed_in_a_row, desk.host("hex").return_height) == (0, 0)


def test_who_is_outbid_keeps_what_it_missed(new_desk: Callable[..., Desk], monkeypatch: pytest.MonkeyPatch) -> None:
    desk = new_desk(params=IMPATIENT)
    desk.ask()
    desk.answer_all(absent=("hex",))
    desk.block(desk.update_msg("hex", PRICE + 1))
    monkeypatch.setattr(host_msgs, "HOSTS_MAX", 3)
    desk.block(desk.register_msg("eve"))
    assert desk.host("hex").status == HOST_STATUS_STOOD_DOWN
    assert desk.refusal(desk.update_msg("hex", PRICE - 1)) == ("inference", 35)
    assert desk.host("hex").missed_in_a_row == 1


def test_who_was_paid_since_its_miss_may_leave(new_desk: Callable[..., Desk]) -> None:
    desk = new_desk(params=Params(kept_blocks=5, missed_max=2, return_blocks=1_000))
    for absent in (("hex",), ()):
        (request_id,) = desk.ask()
        desk.answer_all(request_id, absent=absent)
        desk.block()
    assert desk.refusal(desk.leave_msg("hex")) == ("", 0)


def test_an_answer_that_was_paid_ends_a_row_of_misses(new_desk: Callable[..., Desk]) -> None:
    desk = new_desk(params=IMPATIENT)
    for absent in (("hex",), (), ("hex",)):
        (request_id,) = desk.ask()
        desk.answer_all(request_id, absent=absent)
        desk.block()
    assert desk.host("hex").status == HOST_STATUS_ACTIVE and desk.host("hex").missed_in_a_row == 1


def test_a_request_that_nobody_answers_gives_everything_back(desk: Desk) -> None:
    before = desk.balance("una")
    desk.ask()
    events = desk.wait_for(desk.request().due_height)
    assert desk.request().status == REQUEST_STATUS_FAILED and desk.request().refund_ugrad == MAX_FEE_UGRAD
    assert attribute(find_event(events, "request_failed"), "reason") == "missed"
    assert before - desk.balance("una") == BURNT_UGRAD + 1_000  # of gas


def test_who_commits_and_does_not_reveal_loses_part_of_its_stake(desk: Desk) -> None:
    desk.ask()
    events = desk.answer_all(withheld=("hob",))
    stake_ugrad = desk.seats()["hob"].stake_ugrad
    slash = find_event(events, "host_slashed")
    assert int(attribute(slash, "amount_ugrad")) == int(attribute(slash, "burnt_ugrad")) == stake_ugrad // 2
    assert desk.host("hob").bond_ugrad == HOST_BOND_UGRAD - stake_ugrad // 2 and desk.host("hob").withheld == 1
    assert desk.host("hob").status == HOST_STATUS_STOOD_DOWN
    assert desk.host("hob").return_height == desk.chain.height + 100
    desk.block()
    assert desk.statuses() == {"hal": "paid", "hex": "paid", "hob": "withheld"}


def test_a_request_of_which_nothing_is_revealed_fails(desk: Desk) -> None:
    desk.ask()
    events = desk.answer_all(withheld=HOSTS)
    assert attribute(find_event(events, "request_failed"), "reason") == "withheld"
    assert desk.request().refund_ugrad == MAX_FEE_UGRAD and desk.host("hal").open_count == 0


def test_a_request_waits_for_room_and_is_dealt_when_there_is_some(new_desk: Callable[..., Desk]) -> None:
    desk = new_desk(capacity=1)
    desk.ask(desk.request_msg(), desk.request_msg("uwe", deadline_blocks=100))
    assert [desk.request(one).status for one in (1, 2)] == [REQUEST_STATUS_COMMIT, REQUEST_STATUS_PENDING]
    desk.answer_all()
    desk.block()
    assert desk.request(2).status == REQUEST_STATUS_PENDING  # the room was made in this block, after its dealing
    desk.block()
    assert desk.request(2).status == REQUEST_STATUS_COMMIT


def test_a_request_waits_for_a_bond_that_is_free(new_desk: Callable[..., Desk]) -> None:
    desk = new_desk(hosts=())
    stake_ugrad = compute_request_stake(new_policy(), 100 * ONE_ROW_WORK)
    desk.block(desk.register_msg("hal", PRICE * 100, bond_ugrad=2 * stake_ugrad - 1))
    messages = [desk.request_msg(replicas=1, max_fee_ugrad=10**9) for _ in range(2)]
    desk.ask(*messages)
    assert [desk.request(one).status for one in (1, 2)] == [REQUEST_STATUS_COMMIT, REQUEST_STATUS_PENDING]


def test_a_request_that_finds_no_hosts_in_time_fails(new_desk: Callable[..., Desk]) -> None:
    desk = new_desk(capacity=1)
    desk.ask(desk.request_msg(deadline_blocks=1_000), desk.request_msg("uwe", deadline_blocks=40))
    events = desk.wait_for(compute_last_dealing(desk.request(2)) + 1)
    failed = find_event(events, "request_failed")
    assert attribute(failed, "reason") == "no hosts" and desk.request(2).refund_ugrad == MAX_FEE_UGRAD
    assert desk.request(2).closed_height == compute_last_dealing(desk.request(2)) + 1


def test_a_request_that_waits_is_asked_less_and_less_often_and_at_last_in_time(desk: Desk) -> None:
    desk.block(desk.request_msg(deadline_blocks=100))
    request, height, tries = desk.request(), desk.request().opened_height + 1, 0
    while height <= compute_last_dealing(request):
        height, tries = compute_next_try(request, height), tries + 1
    assert height == compute_last_dealing(request) + 1 and 20 < tries < 40


def test_whoever_is_dealt_a_question_has_time_to_compute_it(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    assert [compute_commit_blocks(work) for work in (1, 1 << 28, (1 << 28) + 1, WORK_MAX)] == [5, 5, 6, 68]
    monkeypatch.setattr(types, "COMMIT_WORK_PER_BLOCK", ONE_ROW_WORK)
    least = compute_least_deadline(compute_work(small_spec(), new_question(3)))
    assert least > compute_least_deadline(1) == 10
    assert desk.refusal(desk.request_msg(rows=3, deadline_blocks=least - 1)) == ("inference", DeadlineInvalid.code)
    desk.ask(desk.request_msg(rows=3, deadline_blocks=least))
    request = desk.request()
    assert request.status == REQUEST_STATUS_COMMIT and compute_last_dealing(request) == desk.chain.height
    assert request.due_height - desk.chain.height == compute_commit_blocks(request.work)
    assert request.deadline_height - request.due_height == REVEAL_BLOCKS


def test_nobody_answers_its_own_question(new_desk: Callable[..., Desk]) -> None:
    desk = new_desk(hosts=("hal", "una"))
    desk.ask(desk.request_msg("una", replicas=1))
    assert list(desk.seats()) == ["hal"]
    assert desk.refusal(desk.request_msg("una", replicas=2)) == ("inference", 21)


def test_a_fee_that_only_the_busy_hosts_take_waits_for_them(new_desk: Callable[..., Desk]) -> None:
    desk = new_desk(hosts=("hal",), capacity=1)
    desk.block(desk.register_msg("hex", 1_000 * PRICE))
    fee_ugrad = compute_fee(new_policy(), ONE_ROW_WORK)
    messages = [desk.request_msg(user, replicas=1, max_fee_ugrad=fee_ugrad, deadline_blocks=30)
                for user in ("una", "uwe")]
    desk.ask(*messages)
    assert list(desk.seats(1)) == ["hal"] and desk.request(2).status == REQUEST_STATUS_PENDING
    desk.answer_all(1)
    desk.wait_for(desk.chain.height + 2)
    assert list(desk.seats(2)) == ["hal"]


def test_the_first_who_reveals_an_answer_shows_it_and_the_others_need_not(desk: Desk) -> None:
    desk.ask()
    desk.block(*(desk.commit_msg(name) for name in HOSTS))
    assert desk.refusal(desk.reveal_msg("hal", is_shown=False)) == ("inference", AnswerMissing.code)
    desk.block(desk.reveal_msg("hal"), desk.reveal_msg("hex", is_shown=False), desk.reveal_msg("hob", is_shown=False))
    desk.block()
    assert desk.request().status == REQUEST_STATUS_ANSWERED and desk.request().answer == desk.answer()


def test_a_long_answer_stands_on_the_chain_by_its_hash_alone(desk: Desk) -> None:
    spec = small_spec(new_rows("wide", 32, 8, 4, 16))
    spec.inference.CopyFrom(new_policy())
    desk.create(spec)
    desk.block(*(desk.register_msg(name, model_id=2) for name in HOSTS))
    desk.block()
    desk.ask(desk.request_msg(model_id=2, rows=100))
    desk.block(*(desk.commit_msg(name) for name in HOSTS))
    events = desk.block(*(desk.reveal_msg(name) for name in HOSTS))
    assert kinds(events).count("answer_revealed") == 3
    desk.block()
    assert len(desk.answer()) == 6_600 and desk.request().answer == b""
    assert desk.request().status == REQUEST_STATUS_ANSWERED


def test_an_answer_of_another_size_is_refused_whatever_was_committed(desk: Desk) -> None:
    desk.ask()
    right = Desk.answer
    try:
        Desk.answer = lambda self, request_id=1, lie="": right(self, request_id) + b"."  # type: ignore[method-assign]
        desk.block(*(desk.commit_msg(name) for name in HOSTS))
        assert desk.refusal(desk.reveal_msg("hal")) == ("inference", AnswerMismatch.code)
    finally:
        Desk.answer = right  # type: ignore[method-assign]


def test_a_phase_ends_with_the_block_in_which_nobody_has_to_act_any_more(desk: Desk) -> None:
    desk.ask(desk.request_msg(deadline_blocks=1_000))
    desk.block(*(desk.commit_msg(name) for name in HOSTS))
    assert desk.request().status == REQUEST_STATUS_REVEAL
    desk.block(*(desk.reveal_msg(name) for name in HOSTS))
    desk.block()
    assert desk.request().status == REQUEST_STATUS_ANSWERED


def test_pinned_weights_stay_while_a_request_needs_them(desk: Desk) -> None:
    desk.block(desk.request_msg(is_pinned=True, round=0), desk.request_msg(is_pinned=True, round=1))
    assert [result.code for result in desk.results] == [0, 3]
    (hold,) = desk.chain.app.models.iter_holds(desk.chain.ctx())
    assert (hold.round, hold.count) == (0, 1)
    desk.wait_for(desk.request().deadline_height)
    assert list(desk.chain.app.models.iter_holds(desk.chain.ctx())) == []


def test_what_one_block_does_not_bear_is_done_in_the_next(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(block, "ENDED_PER_BLOCK", 1)
    monkeypatch.setattr(block, "DRAWN_PER_BLOCK", 1)
    for request_id in desk.ask(*(desk.request_msg(replicas=1, deadline_blocks=20) for _ in range(3))):
        desk.answer_all(request_id)
    desk.ask(*(desk.request_msg(replicas=1, deadline_blocks=10) for _ in range(3)))
    desk.wait_for(desk.chain.height + 10)
    assert [desk.request(one).status for one in range(1, 7)] == [REQUEST_STATUS_ANSWERED] * 3 + [
        REQUEST_STATUS_FAILED] * 3
    assert len({desk.request(one).closed_height for one in (4, 5, 6)}) == 3


def test_a_retired_model_is_asked_nothing_new_and_answers_what_is_open(desk: Desk) -> None:
    desk.ask(desk.request_msg(deadline_blocks=20))
    desk.block(MsgCloseModel(admin=address_of("boss"), model_id=1))
    assert desk.results[0].code == 0, desk.results[0].log
    assert desk.refusal(desk.request_msg()) == desk.refusal(desk.register_msg("eve")) == ("inference", 7)
    desk.answer_all()
    desk.block()
    assert desk.request().status == REQUEST_STATUS_ANSWERED
    assert desk.refusal(desk.leave_msg("hal")) == ("", 0)
