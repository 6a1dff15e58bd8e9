"""Who pays for the audits that may be drawn: the user ahead, beside the deposit; never who shows what was drawn."""

from collections.abc import Callable

from hypothesis import given
from hypothesis import strategies as st

from abci_app.runtime.fee import compute_fee
from abci_app.runtime.gas import TX_BYTE_GAS
from abci_app.runtime.question import WORK_MAX, compute_ask
from abci_app.wire.ints import U64_MAX
from abci_app.wire.pb.gradus.models.v1.models_pb2 import InferencePolicy
from abci_app.wire.pb.gradus.sessions.v1.sessions_pb2 import SESSION_STATUS_SHOWING
from abci_app.x.sessions.types import compute_burnt, compute_largest_work
from tests.unit.sessions.desk import HOST, OTHER, USER, Deal, Desk, find

NewDesk = Callable[..., Desk]
ALWAYS = {"audit_ppm": 1_000_000}
GAS_FEE_UGRAD = 1_000


@given(st.integers(1, U64_MAX), st.integers(1, 1 << 50), st.integers(100_000, 1_000_000))
def test_largest_work_is_what_the_deposit_bears_and_no_more(deposit_ugrad: int, price: int, hosts_ppm: int) -> None:
    policy = InferencePolicy(hosts_ppm=hosts_ppm)
    work = compute_largest_work(policy, deposit_ugrad, price)
    assert not work or compute_fee(policy, compute_ask(work, price)) <= deposit_ugrad
    assert work == WORK_MAX or compute_fee(policy, compute_ask(work + 1, price)) > deposit_ugrad


@given(st.integers(1, 10**6), st.integers(1, 10**6), st.integers(1, 10**4), st.integers(1_000, 1_000_000))
def test_what_is_burnt_never_falls_while_a_deposit_grows(deposit_ugrad: int, added_ugrad: int, price: int,
                                                         audit_ppm: int) -> None:
    policy = InferencePolicy(hosts_ppm=700_000, audit_ppm=audit_ppm)
    assert 0 <= compute_burnt(policy, deposit_ugrad, price, 1) <= compute_burnt(
        policy, deposit_ugrad + added_ugrad, price, 1)


def test_audits_of_the_largest_question_are_paid_by_the_lots_chance() -> None:
    """64 auditors for 2^34 multiply-adds are worth 1,100 ugrad: 55 where one of 20 sessions is audited."""
    policy = InferencePolicy(hosts_ppm=700_000, audit_ppm=50_000)
    assert compute_burnt(policy, 10**6, 1, 1) == 55
    assert compute_burnt(policy, 10**6, 1, 0) == 0


def test_user_burns_what_judging_may_cost_and_the_difference_when_it_adds(new_desk: NewDesk) -> None:
    desk = new_desk(price_ugrad=1_000, **ALWAYS)
    before, supply = desk.chain.balance(USER), desk.supply()
    opened = find(desk.send(desk.open_msg(deposit={"denom": "ugrad", "amount": "5000"})), "session_opened")
    first_ugrad = compute_burnt(desk.spec.inference, 5_000, 1_000, 1)
    assert first_ugrad == int(opened["burnt_ugrad"]) == 224  # 3,500 ugrad to the host, 3.5 * 10^9 multiply-adds
    assert desk.chain.balance(USER) == before - 5_000 - first_ugrad - GAS_FEE_UGRAD
    assert desk.supply() == supply - first_ugrad
    topped = find(desk.send(Deal(desk, 1).top_up_msg(5_000)), "session_topped_up")
    assert int(topped["burnt_ugrad"]) == 224 and desk.supply() == supply - 448


def test_who_shows_pays_for_bytes_whatever_the_question_takes(new_desk: NewDesk) -> None:
    rest = []
    for rows in (1, 256):
        desk = new_desk(price_ugrad=1_000, **ALWAYS)
        deal = desk.open()
        asked = deal.new_question()
        asked.rows, asked.features = rows, asked.features * rows
        deal.answer(question=asked)
        deal.entries[0].fee_ugrad = deal.entries[0].total_ugrad = deal.compute_fee(asked)
        desk.send(deal.close_msg(USER))
        desk.send(deal.close_msg(HOST, 0))
        desk.block()
        raw = desk.chain.sign(HOST, deal.show_msg())
        (result,) = desk.chain.block([raw])
        assert result.code == 0
        rest.append(result.gas_used - TX_BYTE_GAS * len(raw))
    assert rest[0] == rest[1]


def test_entry_that_costs_more_than_the_receipt_pays_is_not_shown(new_desk: NewDesk) -> None:
    """User and host in league could else have judged what no deposit has paid for."""
    desk = new_desk(**ALWAYS)
    deal = desk.open()
    deal.answer()
    desk.send(deal.close_msg(USER, total_ugrad=deal.entries[0].fee_ugrad - 1))
    desk.send(deal.close_msg(HOST, 0))
    desk.block()
    assert deal.status == SESSION_STATUS_SHOWING
    assert desk.refusal(deal.show_msg(OTHER)) == ("sessions", 27)
    assert deal.settle(shows=False).outcome == "withheld"
