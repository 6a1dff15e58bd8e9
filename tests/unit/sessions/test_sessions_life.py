"""A session from its opening to its settlement: who closes when, with which receipt, and where every coin goes."""

from collections.abc import Callable

from abci_app.runtime.fee import compute_auditors_pay, compute_session_stake, split_fee
from abci_app.runtime.question import compute_work
from abci_app.wire.address import module_address
from abci_app.wire.ints import ppm_floor
from abci_app.wire.pb.gradus.inference.v1.inference_pb2 import HOST_STATUS_SLASHED
from abci_app.wire.pb.gradus.sessions.v1.sessions_pb2 import (
    SESSION_STATUS_CLOSING, SESSION_STATUS_DRAW, SESSION_STATUS_OPEN, SESSION_STATUS_SETTLED, SESSION_STATUS_SHOWING,
)
from tests.chain import address_of
from tests.unit.sessions.desk import (
    BOND_UGRAD, CLOSE_BLOCKS, DEPOSIT_UGRAD, HOST, KEPT_BLOCKS, OTHER, SHOW_BLOCKS, USER, Deal, Desk, find,
)

NewDesk = Callable[..., Desk]
SELDOM = {"audit_ppm": 1_000}  # by the seeds of these tests: never
ALWAYS = {"audit_ppm": 1_000_000}
GAS_FEE_UGRAD = 1_000
BURNT_UGRAD = 1  # beside a deposit that buys so little


def open_count(desk: Desk) -> tuple[int, int]:
    """What the host has open, and staked."""
    return desk.host().open_count, desk.host().staked_ugrad


def test_open_session_moves_the_deposit_and_binds_the_hosts_bond(new_desk: NewDesk) -> None:
    desk = new_desk()
    before = desk.chain.balance(USER)
    deal = desk.open()
    assert desk.chain.balance(USER) == before - DEPOSIT_UGRAD - BURNT_UGRAD - GAS_FEE_UGRAD
    assert desk.chain.app.bank.balance(desk.chain.ctx(), module_address("sessions")) == DEPOSIT_UGRAD
    stake_ugrad = compute_session_stake(desk.spec.inference, DEPOSIT_UGRAD)
    assert open_count(desk) == (1, stake_ugrad) and deal.record.stake_ugrad == stake_ugrad
    assert deal.status == SESSION_STATUS_OPEN and deal.record.statement_key == desk.host().statement_key
    assert len(deal.record.seed) == 32 and deal.record.round == 0


def test_both_close_and_the_receipt_is_paid_at_once(new_desk: NewDesk) -> None:
    desk = new_desk(**SELDOM)
    deal = desk.open()
    deal.answer(3)
    total_ugrad = deal.state().total_ugrad
    ask_ugrad = ppm_floor(total_ugrad, desk.spec.inference.hosts_ppm)
    parts = split_fee(desk.spec.inference, total_ugrad, ask_ugrad)
    supply, user, host = desk.supply(), desk.chain.balance(USER), desk.chain.balance(HOST)
    desk.send(deal.close_msg(USER, 2))
    assert deal.status == SESSION_STATUS_CLOSING and deal.record.receipt.count == 2
    desk.send(deal.close_msg(HOST))
    assert deal.status == SESSION_STATUS_DRAW and deal.record.receipt.count == 3
    settled = find(desk.block(), "session_settled")
    assert (settled["outcome"], int(settled["paid_ugrad"])) == ("paid", total_ugrad)
    assert desk.chain.balance(USER) == user + DEPOSIT_UGRAD - total_ugrad - GAS_FEE_UGRAD
    assert desk.chain.balance(HOST) == host + ask_ugrad - GAS_FEE_UGRAD
    assert desk.supply() == supply - parts.burnt_ugrad
    assert open_count(desk) == (0, 0) and desk.host().earned_ugrad == ask_ugrad
    assert ask_ugrad >= sum(ppm_floor(entry.fee_ugrad, desk.spec.inference.hosts_ppm) for entry in deal.entries)


def test_user_that_closes_with_an_old_receipt_pays_the_later_one_that_the_host_shows(new_desk: NewDesk) -> None:
    desk = new_desk(**SELDOM)
    deal = desk.open()
    deal.answer(5)
    desk.send(deal.close_msg(USER, 1))
    desk.wait_for(deal.record.due_height - 1)
    desk.send(deal.close_msg(HOST, 5))
    desk.block()
    assert deal.record.outcome == "paid" and deal.record.paid_ugrad == deal.state().total_ugrad


def test_user_that_closes_with_nothing_pays_what_the_host_shows(new_desk: NewDesk) -> None:
    desk = new_desk(**SELDOM)
    deal = desk.open()
    deal.answer(2)
    desk.send(deal.close_msg(USER, 0))
    desk.send(deal.close_msg(HOST))
    desk.block()
    assert deal.record.paid_ugrad == deal.state().total_ugrad


def test_host_that_closes_waits_for_the_user_who_may_challenge_until_then(new_desk: NewDesk) -> None:
    desk = new_desk(**SELDOM)
    deal = desk.open()
    deal.answer()
    desk.send(deal.close_msg(HOST))
    assert deal.status == SESSION_STATUS_CLOSING
    due_height = deal.record.due_height
    assert due_height == desk.chain.height + CLOSE_BLOCKS
    desk.wait_for(due_height)
    assert deal.status == SESSION_STATUS_DRAW
    desk.block()
    assert deal.record.outcome == "paid"


def test_user_ends_the_wait_after_the_host_has_closed(new_desk: NewDesk) -> None:
    desk = new_desk(**SELDOM)
    deal = desk.open()
    deal.answer()
    desk.send(deal.close_msg(HOST))
    desk.send(deal.close_msg(USER, 0))
    assert deal.status == SESSION_STATUS_DRAW


def test_host_frees_its_bond_of_an_unused_session_in_one_transaction(new_desk: NewDesk) -> None:
    desk = new_desk()
    deal = desk.open()
    user = desk.chain.balance(USER)
    desk.send(deal.close_msg(HOST))
    assert deal.status == SESSION_STATUS_SETTLED and deal.record.outcome == "empty"
    assert open_count(desk) == (0, 0) and desk.chain.balance(USER) == user + DEPOSIT_UGRAD
    assert desk.host().answered == 0


def test_user_that_closes_an_unused_session_has_its_deposit_back_when_the_host_stays_silent(new_desk: NewDesk) -> None:
    desk = new_desk()
    deal = desk.open()
    user = desk.chain.balance(USER)
    desk.send(deal.close_msg(USER))
    desk.wait_for(deal.record.due_height)
    assert deal.record.outcome == "empty" and desk.chain.balance(USER) == user + DEPOSIT_UGRAD - GAS_FEE_UGRAD


def test_expired_session_closes_by_itself_and_both_sides_have_the_whole_wait(new_desk: NewDesk) -> None:
    desk = new_desk(**SELDOM)
    deal = desk.open(blocks=12)
    deal.answer(2)
    events = desk.wait_for(deal.record.expiry_height)
    assert find(events, "session_closing")["by"] == "expiry"
    assert deal.record.due_height == deal.record.expiry_height + CLOSE_BLOCKS
    desk.wait_for(deal.record.due_height - 1)
    desk.send(deal.close_msg(HOST))
    assert deal.status == SESSION_STATUS_DRAW  # the deadline was its block's end
    desk.block()
    assert deal.record.outcome == "paid"


def test_expired_session_of_a_host_that_never_comes_back_costs_the_user_nothing(new_desk: NewDesk) -> None:
    desk = new_desk()
    deal = desk.open(blocks=12)
    deal.answer(2)
    assert deal.settle().outcome == "empty"


def test_top_up_adds_to_deposit_and_stake(new_desk: NewDesk) -> None:
    desk = new_desk(**SELDOM)
    deal = desk.open()
    desk.send(deal.top_up_msg(777))
    assert deal.record.deposit_ugrad == DEPOSIT_UGRAD + 777
    assert deal.record.stake_ugrad == compute_session_stake(desk.spec.inference, DEPOSIT_UGRAD + 777)
    assert open_count(desk) == (1, deal.record.stake_ugrad)


def test_drawn_entry_is_shown_judged_right_and_all_is_paid(new_desk: NewDesk) -> None:
    desk = new_desk(**ALWAYS)
    deal = desk.open()
    deal.answer(7)
    desk.send(deal.close_msg(USER))
    desk.send(deal.close_msg(HOST, 0))
    drawn = find(desk.block(), "entry_drawn")
    assert 1 <= int(drawn["drawn_ugrad"]) <= int(drawn["total_ugrad"]) == deal.state().total_ugrad
    assert deal.status == SESSION_STATUS_SHOWING
    assert deal.settle().outcome == "paid"
    assert deal.record.paid_ugrad == deal.state().total_ugrad


def test_wrong_entry_that_is_drawn_costs_the_host_its_stake_and_the_user_nothing(new_desk: NewDesk) -> None:
    desk = new_desk(**ALWAYS)
    deal = desk.open()
    deal.answer(4, lie=True)
    desk.send(deal.close_msg(USER))
    desk.send(deal.close_msg(HOST, 0))
    user, stake_ugrad = desk.chain.balance(USER), deal.record.stake_ugrad
    record = deal.settle()
    assert record.outcome == "wrong" and desk.chain.balance(USER) == user + DEPOSIT_UGRAD
    assert record.slashed_ugrad == max(stake_ugrad, BOND_UGRAD // 10)
    assert desk.host().status == HOST_STATUS_SLASHED and desk.host().bond_ugrad == BOND_UGRAD - record.slashed_ugrad


def test_drawn_entry_that_nobody_shows_is_as_wrong(new_desk: NewDesk) -> None:
    desk = new_desk(**ALWAYS)
    deal = desk.open()
    deal.answer(4)
    desk.send(deal.close_msg(USER), deal.close_msg(HOST, 0))
    desk.block()
    due_height = deal.record.due_height
    assert due_height == desk.chain.height + SHOW_BLOCKS
    user = desk.chain.balance(USER)
    desk.wait_for(due_height)
    assert deal.record.outcome == "withheld" and desk.chain.balance(USER) == user + DEPOSIT_UGRAD
    assert desk.host().status == HOST_STATUS_SLASHED


def test_anybody_who_has_the_entry_may_show_it(new_desk: NewDesk) -> None:
    desk = new_desk(**ALWAYS)
    deal = desk.open()
    deal.answer(4)
    desk.send(deal.close_msg(USER), deal.close_msg(HOST, 0))
    desk.block()
    desk.send(deal.show_msg(OTHER))
    assert deal.settle(shows=False).outcome == "paid"


def test_auditors_of_a_drawn_entry_are_paid_out_of_the_pool_that_fees_have_filled(new_desk: NewDesk) -> None:
    desk = new_desk(**ALWAYS)

    def fees() -> list[int]:
        return [auditor.fees_ugrad for auditor in desk.chain.app.audits.iter_auditors(desk.chain.ctx())]

    paid = []
    for _ in range(2):
        deal = desk.open()
        deal.answer(4)
        close_both(desk, deal)
        assert deal.settle().outcome == "paid"
        paid.append(fees())
    price = desk.chain.app.models.params(desk.chain.ctx()).audit_price_ugrad_per_gma
    each_ugrad = compute_auditors_pay(compute_work(desk.spec, deal.questions[0]), price, 1)
    assert price > 0 and paid == [[0] * 4, [each_ugrad] * 4]


def test_entry_that_no_auditor_judges_is_paid(new_desk: NewDesk) -> None:
    desk = new_desk(**ALWAYS)
    deal = desk.open()
    deal.answer(4, lie=True)
    desk.send(deal.close_msg(USER), deal.close_msg(HOST, 0))
    desk.block()
    desk.send(deal.show_msg())
    desk.block(votes=False)
    assert deal.record.audit_seed
    desk.wait_for(deal.record.due_height, votes=False)
    assert deal.record.outcome == "paid" and desk.host().wrong == 0


def test_settled_session_is_forgotten_after_a_while(new_desk: NewDesk) -> None:
    desk = new_desk()
    deal = desk.open()
    desk.send(deal.close_msg(HOST))
    desk.wait_for(desk.chain.height + KEPT_BLOCKS)
    ctx = desk.chain.ctx()
    assert desk.chain.app.sessions.find_session(ctx, deal.id) is None
    assert [key for key, _ in ctx.state.store("sessions").iter(b"")] == [b"\x02", b"\x08"]
    assert desk.open().id == deal.id + 1


def test_weights_stay_until_the_session_is_over(new_desk: NewDesk) -> None:
    desk = new_desk()
    deal = desk.open()
    desk.chain.app.models.drop_weights(ctx := desk.chain.ctx(), 1, 0)
    assert desk.chain.app.models.load_weights(ctx, 1, 0)
    desk.chain.app.sessions.settle_empty(ctx, deal.record)
    assert desk.chain.app.models.find_weights(ctx, 1, 0) is None


def test_host_that_was_slashed_for_one_session_still_answers_for_the_others(new_desk: NewDesk) -> None:
    desk = new_desk(**ALWAYS)
    lied, kept = desk.open(), desk.open()
    lied.answer(2, lie=True)
    kept.answer(2)
    desk.send(lied.close_msg(USER), lied.close_msg(HOST, 0))
    lied.settle()
    assert open_count(desk) == (1, kept.record.stake_ugrad)
    assert desk.refusal(kept.top_up_msg(1)) == ("sessions", 29)
    assert desk.refusal(desk.open_msg()) == ("inference", 13)
    desk.send(kept.close_msg(USER), kept.close_msg(HOST, 0))
    assert kept.settle().outcome == "paid"
    assert open_count(desk) == (0, 0)


def test_sessions_are_listed_by_their_parties(new_desk: NewDesk) -> None:
    desk = new_desk()
    first = desk.open()
    desk.send(desk.open_msg(user=address_of(OTHER)))
    kind = desk.chain.app.router.queries["/gradus.sessions.v1.Query/Sessions"].request
    for fields, ids in (({}, [1, 2]), ({"user": address_of(USER)}, [1]), ({"host": address_of(HOST)}, [1, 2]),
                        ({"user": address_of(OTHER), "host": address_of(HOST)}, [2]),
                        ({"host": address_of(USER)}, [])):
        found = desk.chain.query("/gradus.sessions.v1.Query/Sessions", kind(**fields))
        assert [session.id for session in found.sessions] == ids, fields
    assert first.record.id == 1


def close_both(desk: Desk, deal: Deal) -> None:
    """Both sides at once, with all that was signed."""
    desk.send(deal.close_msg(USER), deal.close_msg(HOST, 0))
