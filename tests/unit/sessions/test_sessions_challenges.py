"""Challenges: what a user that has caught a host gets, what one that is wrong pays, that a liar cannot slip away."""

from collections.abc import Callable

from abci_app.runtime.gas import MULTIPLY_ADDS_PER_GAS, TX_BYTE_GAS
from abci_app.runtime.question import compute_work
from abci_app.wire.ints import mul_div_ceil
from abci_app.wire.pb.gradus.inference.v1.inference_pb2 import HOST_STATUS_ACTIVE, HOST_STATUS_SLASHED
from abci_app.wire.pb.gradus.sessions.v1.sessions_pb2 import (
    SESSION_STATUS_AUDIT, SESSION_STATUS_CLOSING, SESSION_STATUS_DRAW,
)
from abci_app.wire.question import statement_digest
from tests.unit.sessions.desk import (
    CHALLENGE_BOND_UGRAD, CLOSE_BLOCKS, DEPOSIT_UGRAD, HOST, OTHER, RECEIPT_KEY, USER, Desk, find,
)

NewDesk = Callable[..., Desk]
SELDOM = {"audit_ppm": 1_000}  # by the seeds of these tests: never
FEE_UGRAD = 1_000


def test_wrong_answer_that_is_challenged_costs_the_host_and_nobody_else(new_desk: NewDesk) -> None:
    desk = new_desk(**SELDOM)
    user = desk.chain.balance(USER)
    deal = desk.open()
    deal.answer(2)
    deal.answer(lie=True)
    desk.send(deal.challenge_msg(3))
    assert deal.status == SESSION_STATUS_AUDIT and deal.record.challenge_bond_ugrad == CHALLENGE_BOND_UGRAD
    operators = [desk.chain.balance(f"operator{index}") for index in range(4)]
    assert deal.settle().outcome == "wrong"
    assert desk.chain.balance(USER) == user - 2 * FEE_UGRAD - 1  # burnt beside the deposit
    assert desk.host().status == HOST_STATUS_SLASHED
    shares = [desk.chain.balance(f"operator{index}") - before for index, before in enumerate(operators)]
    assert min(shares) >= deal.record.slashed_ugrad // 2 // 4


def test_answer_that_was_never_paid_for_can_be_challenged_too(new_desk: NewDesk) -> None:
    desk = new_desk(**SELDOM)
    deal = desk.open()
    deal.answer(lie=True)
    desk.send(deal.challenge_msg(1))
    record = deal.settle()
    assert record.outcome == "wrong" and record.receipt.count == 0


def test_liar_that_closes_at_once_is_challenged_all_the_same(new_desk: NewDesk) -> None:
    desk = new_desk(**SELDOM)
    deal = desk.open()
    deal.answer(lie=True)
    desk.send(deal.close_msg(HOST))
    desk.wait_for(deal.record.due_height - 1)
    desk.send(deal.challenge_msg(1))
    assert deal.settle().outcome == "wrong"


def test_challenge_of_a_right_answer_pays_the_auditors_and_the_session_closes(new_desk: NewDesk) -> None:
    desk = new_desk(**SELDOM)
    deal = desk.open()
    deal.answer(3)
    operators, supply = [desk.chain.balance(f"operator{index}") for index in range(4)], desk.supply()
    events = desk.send(deal.challenge_msg(2))
    while deal.status == SESSION_STATUS_AUDIT:
        events += desk.block()
    assert find(events, "entry_audited")["verdict"] == "right"
    assert deal.status == SESSION_STATUS_CLOSING and deal.record.due_height == desk.chain.height + CLOSE_BLOCKS
    part_ugrad = CHALLENGE_BOND_UGRAD // 4
    gains = [desk.chain.balance(f"operator{index}") - before for index, before in enumerate(operators)]
    assert min(gains) >= part_ugrad  # and fees of blocks, for who proposed them
    assert desk.supply() == supply - (CHALLENGE_BOND_UGRAD - 4 * part_ugrad)
    desk.send(deal.close_msg(HOST))
    assert deal.status == SESSION_STATUS_DRAW
    desk.block()
    assert deal.record.outcome == "paid" and deal.record.paid_ugrad == deal.state().total_ugrad
    assert desk.host().status == HOST_STATUS_ACTIVE


def test_challenge_once_and_by_the_user_alone(new_desk: NewDesk) -> None:
    desk = new_desk(**SELDOM)
    deal = desk.open()
    deal.answer(3)
    assert desk.refusal(deal.challenge_msg(1, name=OTHER)) == ("sessions", 10)
    desk.send(deal.challenge_msg(1))
    assert desk.refusal(deal.challenge_msg(2)) == ("sessions", 12)
    while deal.status == SESSION_STATUS_AUDIT:
        desk.block()
    assert desk.refusal(deal.challenge_msg(2)) == ("sessions", 28)


def test_challenge_needs_what_the_host_has_stated(new_desk: NewDesk) -> None:
    desk = new_desk(**SELDOM)
    deal = desk.open()
    deal.answer(3)
    state = deal.state()
    by_user = RECEIPT_KEY.sign(statement_digest(desk.chain.chain_id, state))
    assert desk.refusal(deal.challenge_msg(1, statement=by_user)) == ("sessions", 19)
    assert desk.refusal(deal.challenge_msg(1, statement=bytes(63))) == ("sessions", 18)
    other = deal.statement(deal.state(session_id=2))
    assert desk.refusal(deal.challenge_msg(1, statement=other)) == ("sessions", 19)
    assert desk.refusal(deal.challenge_msg(1, receipt=deal.state(session_id=2), statement=other)) == ("sessions", 14)
    assert desk.refusal(deal.challenge_msg(1, proof=[])) == ("sessions", 24)
    assert desk.refusal(deal.challenge_msg(1, question=deal.questions[1])) == ("sessions", 25)
    assert desk.refusal(deal.challenge_msg(1, entry=deal.entries[1])) == ("sessions", 24)


def test_challenge_after_the_host_has_closed_ends_the_wait_when_it_is_judged(new_desk: NewDesk) -> None:
    desk = new_desk(**SELDOM)
    deal = desk.open()
    deal.answer(3)
    desk.send(deal.close_msg(HOST))
    desk.send(deal.challenge_msg(1))
    while deal.status == SESSION_STATUS_AUDIT:
        desk.block()
    assert deal.status == SESSION_STATUS_DRAW


def test_challenge_that_nobody_judges_gives_the_bond_back(new_desk: NewDesk) -> None:
    desk = new_desk(**SELDOM)
    deal = desk.open()
    deal.answer(2, lie=True)
    before = desk.chain.balance(USER)
    desk.send(deal.challenge_msg(1), votes=False)
    desk.block(votes=False)
    desk.wait_for(deal.record.due_height, votes=False)
    assert deal.status == SESSION_STATUS_CLOSING and desk.chain.balance(USER) == before - FEE_UGRAD
    assert deal.record.number == 0 and not deal.record.HasField("question")


def test_entry_that_was_challenged_can_be_drawn_afterwards(new_desk: NewDesk) -> None:
    desk = new_desk(audit_ppm=1_000_000)
    deal = desk.open()
    deal.answer()
    desk.send(deal.challenge_msg(1))
    while deal.status == SESSION_STATUS_AUDIT:
        desk.block()
    desk.send(deal.close_msg(HOST))
    assert deal.settle().outcome == "paid" and deal.record.number == 1


def test_user_gets_the_whole_deposit_back_whatever_it_has_signed(new_desk: NewDesk) -> None:
    desk = new_desk(**SELDOM)
    deal = desk.open()
    deal.answer(5)
    deal.answer(lie=True)
    desk.send(deal.close_msg(HOST))
    desk.send(deal.challenge_msg(6))
    record = deal.settle()
    assert (record.outcome, record.refund_ugrad, record.paid_ugrad) == ("wrong", DEPOSIT_UGRAD, 0)


def test_who_has_auditors_work_pays_gas_for_it(new_desk: NewDesk) -> None:
    used = []
    for rows in (1, 256):
        desk = new_desk(**SELDOM)
        deal = desk.open(deposit_ugrad=100_000)
        asked = deal.new_question()
        asked.rows, asked.features = rows, asked.features * rows
        deal.answer(question=asked)
        raw = desk.chain.sign(USER, deal.challenge_msg(1))
        (result,) = desk.chain.block([raw])
        assert result.code == 0
        work_gas = mul_div_ceil(compute_work(desk.spec, asked), 1, MULTIPLY_ADDS_PER_GAS)
        used.append((work_gas, result.gas_used - TX_BYTE_GAS * len(raw) - work_gas))
    (little, rest), (much, same) = used
    assert much > little and rest == same
