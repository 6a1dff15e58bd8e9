"""Sessions from the block that opens them to the one that settles them, whoever ends them and however."""

from collections.abc import Sequence
from typing import Any

import pytest

from abci_app.client.errors import TimedOut
from abci_app.client.send import Sent
from abci_app.host.behaviour import Behaviour
from abci_app.sdk.session import Session
from abci_app.wire.pb.gradus.inference.v1.inference_pb2 import HOST_STATUS_SLASHED
from abci_app.wire.pb.gradus.sessions.v1.sessions_pb2 import SESSION_STATUS_OPEN, SESSION_STATUS_SETTLED
from abci_app.wire.pb.gradus.sessions.v1.tx_pb2 import MsgCloseSession
from tests.chain import address_of
from tests.unit.host.rig import Rig, rows


def ask(session: Session, count: int) -> None:
    for number in range(count):
        session.ask(rows(1, number))


def check_settled(rig: Rig, session: Session, count: int) -> None:
    """It was paid to the last ugrad of `count` answers, and the rest came back."""
    found = rig.find_session(session.id)
    assert (found.outcome, found.receipt.count) == ("paid", count)
    each_ugrad = session.compute_fee(rows(1))
    assert found.paid_ugrad == count * each_ugrad and found.refund_ugrad == found.deposit_ugrad - found.paid_ugrad
    record = rig.client.find_host(1, address_of("ann"))
    assert record is not None and (record.open_count, record.staked_ugrad) == (0, 0)
    assert record.earned_ugrad == found.paid_ugrad * rig.spec.inference.hosts_ppm // 10**6


def is_settled(rig: Rig, session: Session) -> bool:
    return rig.find_session(session.id).status == SESSION_STATUS_SETTLED


def close_by_user(rig: Rig, session: Session, number: int | None = None) -> None:
    """The user closes on the chain, with its last receipt or with that for `number` answers; 0: with none."""
    kept = session.journal.find_answer(session.count if number is None else number)
    message = MsgCloseSession(sender=address_of("uma"), session_id=session.id)
    if kept is not None:
        message.receipt.CopyFrom(kept.receipt)
        message.statement = kept.statement
    rig.send("uma", message)


def test_a_session_is_opened_used_closed_audited_and_settled_exactly(rig: Rig) -> None:
    host = rig.host("ann", serves=True)
    session = rig.open(host)
    ask(session, 12)
    close_by_user(rig, session)
    rig.work([host], lambda: is_settled(rig, session))
    check_settled(rig, session, 12)
    assert rig.told("ann", "shown")[0]["session"] == session.id


def test_a_user_who_closes_with_an_older_receipt_pays_by_the_latest(rig: Rig) -> None:
    host = rig.host("ann", serves=True)
    session = rig.open(host)
    ask(session, 6)
    close_by_user(rig, session, 2)
    rig.work([host], lambda: is_settled(rig, session))
    check_settled(rig, session, 5)  # the receipt for the sixth answer never came: the one answer that a host can lose


def test_a_user_who_vanishes_is_charged_when_the_session_is_about_to_expire(rig: Rig) -> None:
    host = rig.host("ann", serves=True)
    session = rig.open(host, blocks=20)
    ask(session, 4)
    rig.work([host], lambda: bool(rig.told("ann", "closed")))
    assert rig.find_session(session.id).status != SESSION_STATUS_OPEN
    assert rig.find_session(session.id).expiry_height > rig.chain.height - 1
    rig.work([host], lambda: is_settled(rig, session))
    check_settled(rig, session, 3)


def test_a_user_may_leave_the_closing_to_the_host(rig: Rig) -> None:
    host = rig.host("ann", serves=True)
    session = rig.open(host)
    ask(session, 3)
    assert session.hand_over(closes=True)
    rig.work([host], lambda: is_settled(rig, session))
    check_settled(rig, session, 3)


def test_a_session_without_an_answer_costs_nothing(rig: Rig) -> None:
    host = rig.host("ann", serves=True)
    session = rig.open(host)
    assert not session.hand_over(closes=True)  # without a receipt nobody has signed the call
    close_by_user(rig, session)
    rig.work([host], lambda: is_settled(rig, session))
    found = rig.find_session(session.id)
    assert (found.outcome, found.paid_ugrad, found.refund_ugrad) == ("empty", 0, found.deposit_ugrad)


def test_a_host_that_lied_is_slashed_and_the_user_gets_everything_back(rig: Rig) -> None:
    host = rig.host("ann", Behaviour.LIE, serves=True)
    session = rig.open(host)
    ask(session, 3)
    close_by_user(rig, session)
    rig.work([host], lambda: is_settled(rig, session))
    found = rig.find_session(session.id)
    assert (found.outcome, found.refund_ugrad) == ("wrong", found.deposit_ugrad) and found.slashed_ugrad > 0
    record = rig.client.find_host(1, address_of("ann"))
    assert record is not None and record.status == HOST_STATUS_SLASHED


def test_a_host_that_was_killed_shows_what_was_drawn_when_it_is_back(rig: Rig) -> None:
    host = rig.host("ann", serves=True)
    session = rig.open(host)
    ask(session, 9)
    close_by_user(rig, session)
    rig.work([host], lambda: bool(rig.told("ann", "closed")))
    rig.end(host)
    for _ in range(3):
        rig.node.block()
    again = rig.host("ann", serves=True)
    rig.work([again], lambda: is_settled(rig, session))
    check_settled(rig, session, 9)


def test_a_session_goes_on_after_its_host_was_started_again(rig: Rig) -> None:
    host = rig.host("ann", serves=True)
    session = rig.open(host)
    ask(session, 2)
    rig.end(host)
    again = rig.host("ann", serves=True)
    again.step()
    record = rig.client.find_host(1, address_of("ann"))
    assert record is not None
    moved = Session(rig.chain.chain_id, session.record, rig.spec, type(session.host)(record.endpoint), session.journal)
    ask(moved, 3)
    close_by_user(rig, moved)
    rig.work([again], lambda: is_settled(rig, moved))
    check_settled(rig, moved, 5)


def test_a_host_that_ends_closes_its_sessions_with_what_it_was_paid(rig: Rig) -> None:
    host = rig.host("ann", serves=True)
    session = rig.open(host)
    ask(session, 4)
    host.drain()
    host.run()
    assert rig.told("ann", "closed") == [{"session": session.id, "answers": 3, "total_ugrad": 3 * session.compute_fee(
        rows(1))}]
    close_by_user(rig, session)
    rig.end(host)
    again = rig.host("ann", serves=True)
    rig.work([again], lambda: is_settled(rig, session))
    check_settled(rig, session, 4)


def test_what_a_host_knows_of_a_session_is_forgotten_a_while_after_its_end(rig: Rig) -> None:
    host = rig.host("ann", serves=True)
    session = rig.open(host)
    ask(session, 2)
    close_by_user(rig, session)
    rig.work([host], lambda: is_settled(rig, session))
    host.step()
    assert host.journal.list_sessions() == [session.id]
    rig.work([host], lambda: host.journal.list_sessions() == [])
    assert len(rig.told("ann", "settled")) == 1


def test_a_close_that_is_stuck_holds_up_no_other(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    host = rig.host("ann", serves=True)
    stuck, other = rig.open(host), rig.open(host)
    ask(stuck, 2)
    ask(other, 2)
    send = host._sender.send

    def time_out(messages: Sequence[Any], **options: Any) -> Sent:
        if messages[0].session_id == stuck.id:
            raise TimedOut("no block came")
        return send(messages, **options)

    monkeypatch.setattr(host._sender, "send", time_out)
    host.drain()
    with pytest.raises(TimedOut):
        host.step()
    assert [told["session"] for told in rig.told("ann", "closed")] == [other.id]
