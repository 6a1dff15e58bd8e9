"""What is refused, and by which code: receipts that do not count, terms that do not fit, entries that do not prove."""

from collections.abc import Callable

import pytest

from abci_app.wire.coin import base_coin, coin_pb
from abci_app.wire.pb.gradus.inference.v1.inference_pb2 import Question
from abci_app.wire.pb.gradus.models.v1.tx_pb2 import MsgCloseModel
from abci_app.wire.pb.gradus.sessions.v1.sessions_pb2 import Receipt
from abci_app.wire.question import receipt_digest, statement_digest
from tests.chain import address_of, new_test_key
from tests.unit.sessions.desk import (
    DEPOSIT_UGRAD, FUNDS_UGRAD, HOST, OTHER, PRICE_UGRAD, RECEIPT_KEY, SESSION_BLOCKS_MAX, STATEMENT_KEY, USER, Deal,
    Desk,
)

NewDesk = Callable[..., Desk]
ALWAYS = {"audit_ppm": 1_000_000}
ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141


@pytest.fixture
def deal(new_desk: NewDesk) -> Deal:
    """A session with four answers."""
    opened = new_desk().open()
    opened.answer(4)
    return opened


def test_open_is_refused_for_terms_that_do_not_fit(new_desk: NewDesk) -> None:
    desk = new_desk(hosts=(HOST, "hob"))
    for changes, error in (
            ({"host": ""}, ("sdk", 7)), ({"deposit": coin_pb(base_coin(0))}, ("sdk", 10)),
            ({"receipt_key": bytes(33)}, ("sessions", 9)), ({"receipt_key": RECEIPT_KEY.public[:32]}, ("sessions", 9)),
            ({"blocks": 9}, ("sessions", 3)), ({"blocks": SESSION_BLOCKS_MAX + 1}, ("sessions", 3)),
            ({"host": address_of(USER)}, ("sessions", 4)), ({"model_id": 2}, ("models", 2)),
            ({"is_pinned": True, "round": 1}, ("models", 3)), ({"host": address_of(OTHER)}, ("inference", 10)),
            ({"price_max_ugrad_per_gma": PRICE_UGRAD - 1}, ("sessions", 7)),
            ({"deposit": coin_pb(base_coin(2**64 - 1))}, ("inference", 17)),
            ({"deposit": coin_pb(base_coin(FUNDS_UGRAD))}, ("inference", 17))):
        assert desk.refusal(desk.open_msg(**changes)) == error, changes
    assert desk.chain.app.sessions.next_id(desk.chain.ctx()) == 1


def test_open_is_refused_where_the_host_has_no_endpoint_or_no_room(new_desk: NewDesk) -> None:
    desk = new_desk(users=(USER, OTHER, "hob"))
    desk.send(desk.register_msg("hob", endpoint=""))
    assert desk.refusal(desk.open_msg(host=address_of("hob"))) == ("sessions", 6)
    for _ in range(8):
        desk.open()
    assert desk.refusal(desk.open_msg()) == ("inference", 16)


def test_open_is_refused_for_a_model_that_is_retired_or_that_nobody_hosts(new_desk: NewDesk) -> None:
    desk = new_desk()
    desk.send(MsgCloseModel(admin=address_of("boss"), model_id=1))
    assert desk.refusal(desk.open_msg()) == ("sessions", 5)


def test_deposit_that_the_user_does_not_have_leaves_nothing_behind(new_desk: NewDesk) -> None:
    desk = new_desk(users=(USER, OTHER), audit_ppm=1_000_000, burn_slash_ppm=1_000_000)
    desk.send(desk.chain.send_msg(USER, OTHER, desk.chain.balance(USER) - 6_000))
    assert desk.refusal(desk.open_msg()) == ("sdk", 5)
    assert (desk.host().open_count, desk.host().staked_ugrad) == (0, 0)


def test_top_up_is_refused_of_another_and_once_the_session_closes(deal: Deal) -> None:
    desk = deal.desk
    assert desk.refusal(deal.top_up_msg(5, OTHER)) == ("sessions", 10)
    assert desk.refusal(deal.top_up_msg(2**64 - DEPOSIT_UGRAD)) == ("sessions", 8)
    assert desk.refusal(deal.top_up_msg(2**63)) == ("inference", 17)
    assert desk.refusal(deal.top_up_msg(0)) == ("sdk", 10)
    desk.send(deal.close_msg(USER, 2))
    assert desk.refusal(deal.top_up_msg(5)) == ("sessions", 11)


def test_receipt_of_another_chain_session_or_key_does_not_count(deal: Deal) -> None:
    desk, right = deal.desk, deal.receipt()
    for name, spoilt in (("of another chain", receipt_digest("gradus-other-1", right)),
                         ("a statement", statement_digest(desk.chain.chain_id, right)),
                         ("of another session", receipt_digest(desk.chain.chain_id, deal.state(session_id=9)))):
        message = deal.close_msg(HOST)
        message.receipt.signature = RECEIPT_KEY.sign(spoilt)
        assert desk.refusal(message) == ("sessions", 17), name
    message = deal.close_msg(HOST)
    message.receipt.signature = STATEMENT_KEY.sign(receipt_digest(desk.chain.chain_id, right))
    assert desk.refusal(message) == ("sessions", 17)
    assert desk.refusal(deal.close_msg(HOST, session_id=9)) == ("sessions", 14)


def test_receipt_replayed_in_the_next_session_does_not_count(deal: Deal) -> None:
    desk, again = deal.desk, deal.desk.open()
    message = deal.close_msg(HOST)
    message.session_id = again.id
    assert desk.refusal(message) == ("sessions", 14)
    message.receipt.session_id = again.id
    assert desk.refusal(message) == ("sessions", 17)


def test_signature_has_one_form(deal: Deal) -> None:
    message = deal.close_msg(HOST)
    r, s = message.receipt.signature[:32], int.from_bytes(message.receipt.signature[32:], "big")
    message.receipt.signature = r + (ORDER - s).to_bytes(32, "big")
    assert deal.desk.refusal(message) == ("sessions", 17)


def test_only_a_receipt_for_more_answers_and_more_coins_replaces_another(deal: Deal) -> None:
    desk = deal.desk
    desk.send(deal.close_msg(USER, 3))
    known = deal.state(3)
    for changes in ({"count": 3}, {"count": 4, "total_ugrad": known.total_ugrad},
                    {"count": 3, "total_ugrad": known.total_ugrad + 1}, {"count": 2},
                    {"count": 4, "total_ugrad": known.total_ugrad - 1}):
        totals = {name: changes[name] for name in changes if name != "count"}
        state = deal.state(changes["count"], **totals)
        message = deal.close_msg(HOST)
        message.receipt.CopyFrom(state)
        message.receipt.signature = RECEIPT_KEY.sign(receipt_digest(desk.chain.chain_id, state))
        assert desk.refusal(message) == ("sessions", 15), changes
    desk.send(deal.close_msg(HOST, 4))


def test_receipt_above_the_deposit_does_not_count(deal: Deal) -> None:
    assert deal.desk.refusal(deal.close_msg(HOST, total_ugrad=DEPOSIT_UGRAD + 1)) == ("sessions", 16)
    deal.desk.send(deal.close_msg(HOST, total_ugrad=DEPOSIT_UGRAD))


def test_user_cannot_hold_the_host_to_a_state_that_it_never_stated(deal: Deal) -> None:
    """Else it could sign a root over anything, and have the host slashed for an entry that it cannot show."""
    desk = deal.desk
    forged = deal.receipt(root=bytes(32), count=1_000_000, total_ugrad=DEPOSIT_UGRAD)
    message = deal.close_msg(USER)
    message.receipt.CopyFrom(forged)
    for statement in (b"", deal.statement(deal.state()), RECEIPT_KEY.sign(
            statement_digest(desk.chain.chain_id, forged)), forged.signature):
        message.statement = statement
        assert desk.refusal(message) == ("sessions", 19)
    message.statement = bytes(63)
    assert desk.refusal(message) == ("sessions", 18)


def test_messages_that_are_malformed_are_refused_before_anything_is_read(deal: Deal) -> None:
    desk = deal.desk
    for state in (Receipt(session_id=1, count=0, total_ugrad=1, root=bytes(32), signature=bytes(64)),
                  Receipt(session_id=1, count=2**32 + 1, total_ugrad=1, root=bytes(32), signature=bytes(64)),
                  Receipt(session_id=1, count=1, total_ugrad=0, root=bytes(32), signature=bytes(64)),
                  Receipt(session_id=1, count=1, total_ugrad=1, root=bytes(31), signature=bytes(64)),
                  Receipt(session_id=1, count=1, total_ugrad=1, root=bytes(32), signature=bytes(63))):
        message = deal.close_msg(HOST)
        message.receipt.CopyFrom(state)
        assert desk.refusal(message) == ("sessions", 13)
    message = deal.close_msg(HOST, 0)
    message.statement = bytes(64)
    assert desk.refusal(message) == ("sessions", 18)
    for fields in ({"number": 0}, {"question_hash": b""}, {"answer_hash": bytes(33)}):
        shown = deal.show_msg(number=1)
        shown.entry.MergeFrom(type(shown.entry)(**fields))
        for name in fields:
            setattr(shown.entry, name, fields[name])
        assert desk.refusal(shown) == ("sessions", 22)


def test_strangers_close_nothing_and_nobody_closes_twice(deal: Deal) -> None:
    desk = deal.desk
    assert desk.refusal(deal.close_msg(OTHER)) == ("sessions", 10)
    desk.send(deal.close_msg(USER, 2))
    assert desk.refusal(deal.close_msg(USER, 0)) == ("sessions", 20)
    desk.send(deal.close_msg(USER, 3))  # a later receipt in the host's favour
    desk.send(deal.close_msg(HOST, 0))
    assert desk.refusal(deal.close_msg(HOST, 4)) == ("sessions", 12)
    message = deal.close_msg(USER)
    message.session_id = 7
    assert desk.refusal(message) == ("sessions", 2)


def test_only_the_drawn_entry_is_taken_with_its_proof_and_question(new_desk: NewDesk) -> None:
    desk = new_desk(**ALWAYS)
    deal = desk.open()
    deal.answer(4)
    assert desk.refusal(deal.show_msg(number=1)) == ("sessions", 21)
    desk.send(deal.close_msg(USER), deal.close_msg(HOST, 0))
    desk.block()
    other = deal.drawn % 4 + 1
    assert desk.refusal(deal.show_msg(number=other)) == ("sessions", 23)
    assert desk.refusal(deal.show_msg(proof=[])) == ("sessions", 24)
    wrong = deal.show_msg()
    wrong.entry.answer_hash = bytes(32)
    assert desk.refusal(wrong) == ("sessions", 24)
    assert desk.refusal(deal.show_msg(question=deal.questions[other - 1])) == ("sessions", 25)
    desk.send(deal.show_msg())
    assert deal.record.number == deal.entries[other - 2].number


def test_entry_that_takes_the_coins_of_another_stands_under_no_root(new_desk: NewDesk) -> None:
    """Who has lied about the drawn entry has no other to show in its place: totals are a part of what was signed."""
    desk = new_desk(**ALWAYS)
    deal = desk.open()
    deal.answer(3)
    desk.send(deal.close_msg(USER), deal.close_msg(HOST, 0))
    desk.block()
    drawn, other = deal.entries[deal.drawn - 1], deal.drawn % 3 + 1
    moved = deal.show_msg(number=other)
    moved.entry.total_ugrad = drawn.total_ugrad
    assert desk.refusal(moved) == ("sessions", 24)
    wide = deal.show_msg(number=other)
    wide.entry.fee_ugrad = wide.entry.total_ugrad = deal.record.receipt.total_ugrad
    assert desk.refusal(wide) == ("sessions", 24)
    assert [one.number for one in deal.entries if one.total_ugrad >= deal.record.drawn_ugrad][0] == drawn.number


@pytest.mark.parametrize(("wrong", "code"), (
    ({"fee_ugrad": 1}, 27), ({"question_hash": None}, 26),
))
def test_entry_with_a_wrong_fee_or_a_question_without_an_answer_cannot_be_shown(
        new_desk: NewDesk, wrong: dict[str, int | None], code: int) -> None:
    """What an honest host never states: it is as not shown, and costs its stake."""
    desk = new_desk(**ALWAYS)
    deal = desk.open()
    if code == 26:
        deal.answer(1, question=Question(rows=1, features=b"\x80\x00\x00\x00"))
    else:
        deal.answer(1, **wrong)
    desk.send(deal.close_msg(USER), deal.close_msg(HOST, 0))
    desk.block()
    assert desk.refusal(deal.show_msg()) == ("sessions", code)
    desk.wait_for(deal.record.due_height)
    assert deal.record.outcome == "withheld"


def test_receipt_key_that_is_no_point_signs_nothing(new_desk: NewDesk) -> None:
    desk = new_desk()
    no_point = b"\x02" + b"\xff" * 32
    deal = desk.open(receipt_key=no_point)
    deal.answer()
    assert desk.refusal(deal.close_msg(HOST)) == ("sessions", 17)
    desk.send(deal.close_msg(HOST, 0))
    assert deal.record.outcome == "empty"
    assert new_test_key("nobody").public != no_point
