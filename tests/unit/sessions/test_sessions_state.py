"""What stands in the state: genesis in every status, invariants that see what is wrong, and blocks that are bounded."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from abci_app.runtime.fee import compute_session_stake
from abci_app.runtime.gas import WRITE_GAS, unlimited
from abci_app.runtime.genesis import GenesisInvalid
from abci_app.runtime.question import compute_work
from abci_app.wire.errors import NotFound
from abci_app.wire.ints import PPM
from abci_app.wire.pb.gradus.models.v1.models_pb2 import InferencePolicy
from abci_app.wire.pb.gradus.sessions.v1 import query_pb2
from abci_app.wire.pb.gradus.sessions.v1.sessions_pb2 import (
    SESSION_STATUS_AUDIT, SESSION_STATUS_CLOSING, SESSION_STATUS_DRAW, SESSION_STATUS_OPEN, SESSION_STATUS_SETTLED,
    SESSION_STATUS_SHOWING, Entry, Session,
)
from abci_app.wire.question import has_coin
from abci_app.wire.seed import hash_fields
from abci_app.x.audits import types as audits
from abci_app.x.sessions import block, keys
from abci_app.x.sessions.module import QUERY
from abci_app.x.sessions.types import WRITES_LATER, draw_coin, find_contradiction
from tests.chain import Chain
from tests.unit.sessions.desk import CLOSE_BLOCKS, DEPOSIT_UGRAD, HOST, SESSION_BLOCKS_MAX, USER, Deal, Desk

NewDesk = Callable[..., Desk]
ALWAYS = {"audit_ppm": 1_000_000}
OPEN, CLOSING, DRAW = SESSION_STATUS_OPEN, SESSION_STATUS_CLOSING, SESSION_STATUS_DRAW
SHOWING, AUDIT, SETTLED = SESSION_STATUS_SHOWING, SESSION_STATUS_AUDIT, SESSION_STATUS_SETTLED


def new_crowd(desk: Desk) -> list[Deal]:
    """Sessions in every status, two of them audited: one asked already, one that the next block asks about."""
    deals = [desk.open() for _ in range(8)]
    for deal in deals:
        deal.answer(3)
    opened, closing, drawing, showing, shown, challenged, settled, late = deals
    desk.send(*(message for deal in (showing, shown) for message in (deal.close_msg(USER), deal.close_msg(HOST, 0))))
    desk.block()
    desk.send(shown.show_msg(), challenged.challenge_msg(2), settled.close_msg(HOST, 0), votes=False)
    desk.block(votes=False)
    desk.send(closing.close_msg(USER, 1), drawing.close_msg(USER), drawing.close_msg(HOST, 0), late.challenge_msg(1),
              votes=False)
    assert [deal.status for deal in deals] == [OPEN, CLOSING, DRAW, SHOWING, AUDIT, AUDIT, SETTLED, AUDIT]
    assert shown.record.audit_seed and challenged.record.audit_seed and not late.record.audit_seed
    return deals


def test_exported_sessions_of_every_status_go_on_as_they_were(new_desk: NewDesk, tmp_path: Path) -> None:
    desk = new_desk(**ALWAYS)
    deals = new_crowd(desk)
    exported = desk.chain.app.export_genesis(desk.chain.ctx())
    with Chain(tmp_path / "again", app_state=exported) as again:
        assert again.app.export_genesis(again.ctx()) == exported
        desk.chain.database.close()
        desk.chain = desk.auditors.chain = again
        events = desk.send(deals[0].close_msg(HOST, 0))
        while any(desk.chain.app.sessions.iter_sessions(desk.chain.ctx())):
            found = list(desk.chain.app.sessions.iter_sessions(desk.chain.ctx()))
            events += desk.block(*(deals[session.id - 1].show_msg() for session in found if session.status == SHOWING))
        outcomes = {dict(event.attributes)["session_id"]: dict(event.attributes)["outcome"] for event in events
                    if event.type == "sessions.session_settled"}
        assert outcomes == {"1": "empty", "2": "paid", "3": "paid", "4": "paid", "5": "paid", "6": "empty",
                            "8": "empty"}


@pytest.mark.parametrize(("change", "path"), (
    ({"id": "9"}, "sessions[0].id"), ({"id": "0"}, "sessions[0].id"),
    ({"user": "gradus1una"}, "sessions[0]"), ({"stake_ugrad": "1"}, "sessions[0]"),
    ({"deposit_ugrad": "0"}, "sessions[0]"), ({"seed": "00"}, "sessions[0]"), ({"model_id": "2"}, "sessions[0]"),
    ({"spec_version": "7"}, "sessions[0]"), ({"status": "SESSION_STATUS_SHOWING"}, "sessions[0]"),
    ({"status": "SESSION_STATUS_UNSPECIFIED"}, "sessions[0]"), ({"outcome": "paid"}, "sessions[0]"),
    ({"user_closed": True}, "sessions[0]"), ({"paid_ugrad": "1"}, "sessions[0]"),
    ({"challenge_bond_ugrad": "1"}, "sessions[0]"), ({"number": "1"}, "sessions[0]"),
    ({"receipt": {"count": "1", "total_ugrad": "1", "root": "00"}}, "sessions[0].receipt.root"),
    ({"receipt": {"count": "1", "total_ugrad": str(DEPOSIT_UGRAD + 1), "root": "00" * 32}}, "sessions[0]"),
))
def test_genesis_with_a_session_that_cannot_be_is_refused(new_desk: NewDesk, tmp_path: Path, change: dict[str, Any],
                                                          path: str) -> None:
    desk = new_desk()
    desk.open()
    exported = desk.chain.app.export_genesis(desk.chain.ctx())
    exported["sessions"]["sessions"][0] |= change
    with pytest.raises(GenesisInvalid) as refused, Chain(tmp_path / "again", app_state=exported):
        pass
    assert refused.value.path == f"app_state.sessions.{path}"


@pytest.mark.parametrize(("name", "value"), (
    ("close_blocks", "0"), ("show_blocks", "0"), ("session_blocks_max", "9"), ("kept_blocks", "10000001"),
))
def test_genesis_with_times_out_of_range_is_refused(new_desk: NewDesk, name: str, value: str) -> None:
    with pytest.raises(GenesisInvalid) as refused:
        new_desk(params={name: int(value)})
    assert refused.value.path == f"app_state.sessions.params.{name}"


def spoil_deposit(session: Session) -> None:
    session.refund_ugrad += 1


def spoil_stake(session: Session) -> None:
    session.stake_ugrad += 1


def spoil_coin(session: Session) -> None:
    session.drawn_ugrad = 1


def spoil_round(session: Session) -> None:
    session.round = 5


def spoil_user(session: Session) -> None:
    session.user = session.host


@pytest.mark.parametrize(("spoil", "name"), (
    (spoil_deposit, "sessions/records"), (spoil_coin, "sessions/records"),
    (spoil_stake, "sessions/stakes"), (spoil_round, "sessions/weights"), (spoil_user, "sessions/index"),
))
def test_invariants_see_a_record_that_was_spoilt(new_desk: NewDesk, spoil: Callable[[Session], None],
                                                 name: str) -> None:
    desk = new_desk()
    deal = desk.open()
    ctx, record = desk.chain.ctx(), deal.record
    assert desk.chain.app.check_invariants(ctx) == []
    spoil(record)
    ctx.state.store("sessions").set(keys.session(deal.id), record.SerializeToString(deterministic=True))
    assert name in [line.partition(":")[0] for line in desk.chain.app.check_invariants(ctx)]


def test_invariants_see_marks_coins_and_audits_that_are_missing(new_desk: NewDesk) -> None:
    desk = new_desk(**ALWAYS)
    deals = new_crowd(desk)
    app = desk.chain.app

    def broken(ctx: Any) -> list[str]:
        return [line.partition(":")[0] for line in app.check_invariants(ctx)]

    ctx = desk.chain.ctx()
    ctx.state.store("sessions").delete(keys.mark(deals[0].record))
    assert broken(ctx) == ["sessions/index"]
    ctx = desk.chain.ctx()
    app.audits.close_audit(ctx, app.sessions.subject_of(deals[4].record))
    assert broken(ctx) == ["sessions/audits"]
    ctx = desk.chain.ctx()
    app.sessions.share_bond(ctx, deals[5].record, [])
    assert broken(ctx) == ["sessions/coins"]
    ctx = desk.chain.ctx()
    app.models.release_weights(ctx, 1, 0)
    assert broken(ctx) == ["sessions/weights"]


def test_draws_are_bounded_and_wait_in_turn(new_desk: NewDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(block, "DRAWN_PER_BLOCK", 2)
    desk = new_desk(audit_ppm=1_000)
    deals = [desk.open() for _ in range(5)]
    for deal in deals:
        deal.answer()
    desk.send(*(message for deal in deals for message in (deal.close_msg(USER), deal.close_msg(HOST, 0))))
    counts = []
    for _ in range(3):
        desk.block()
        counts.append(sum(deal.record.outcome == "paid" for deal in deals))
    assert counts == [2, 4, 5]


def test_questions_to_auditors_are_bounded_by_their_work_and_wait_in_turn(new_desk: NewDesk,
                                                                          monkeypatch: pytest.MonkeyPatch) -> None:
    desk = new_desk(audit_ppm=1_000)
    deals = [desk.open() for _ in range(3)]
    for deal in deals:
        deal.answer()
    work = compute_work(desk.spec, deals[0].questions[0])
    monkeypatch.setattr(audits, "ASKED_WORK_PER_BLOCK", audits.AUDIT_FIXED_WORK + work - 1)
    desk.send(*(deal.challenge_msg(1) for deal in deals))
    counts = []
    for _ in range(3):
        desk.block(votes=False)
        counts.append([bool(deal.record.audit_seed) for deal in deals])
    assert counts == [[True, False, False], [True, True, False], [True, True, True]]


def test_ends_are_bounded_and_wait_in_turn(new_desk: NewDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(block, "DUE_PER_BLOCK", 1)
    desk = new_desk()
    deals = [desk.open() for _ in range(3)]
    desk.send(*(deal.close_msg(USER) for deal in deals))
    desk.wait_for(deals[0].record.due_height)
    counts = [[deal.record.outcome for deal in deals]]
    for _ in range(2):
        desk.block()
        counts.append([deal.record.outcome for deal in deals])
    assert counts == [["empty", "", ""], ["empty", "empty", ""], ["empty", "empty", "empty"]]


def test_lot_draws_every_coin_alike_and_audits_as_often_as_the_contract_says() -> None:
    drawn = [draw_coin(hash_fields("test", bytes([at >> 8, at & 255])), 5, 200_000) for at in range(5_000)]
    counts = [drawn.count(coin) for coin in range(6)]
    assert abs(counts[0] - 4_000) < 150 and all(abs(count - 200) < 60 for count in counts[1:])
    assert all(draw_coin(bytes([at]) * 32, 1, PPM) == 1 for at in range(20))
    assert 2**63 < max(draw_coin(bytes([at]) * 32, 2**64 - 1, PPM) for at in range(50)) < 2**64


@pytest.mark.parametrize(("cheap", "dear_ugrad"), [(99, 9_901), (8, 4), (1, 10_000)])
def test_dear_lie_among_cheap_answers_is_drawn_with_its_part_of_the_money(cheap: int, dear_ugrad: int) -> None:
    """So what it costs on average is at least what it gains: that the host lies where the fee is high is no way out."""
    fees = [1] * cheap + [dear_ugrad]
    entries = [Entry(number=at + 1, fee_ugrad=fee, total_ugrad=sum(fees[:at + 1])) for at, fee in enumerate(fees)]
    total_ugrad, audit_ppm, tries = sum(fees), 500_000, 4_000
    coins = [draw_coin(hash_fields("test", bytes([at >> 8, at & 255])), total_ugrad, audit_ppm) for at in range(tries)]
    caught = sum(has_coin(entries[-1], coin) for coin in coins)
    assert abs(caught - tries * audit_ppm * dear_ugrad / PPM / total_ugrad) < 130  # four deviations
    stake_ugrad = compute_session_stake(InferencePolicy(audit_ppm=audit_ppm, burn_slash_ppm=250_000), total_ugrad)
    found = sum(has_coin(entries[-1], coin) for coin in range(1, total_ugrad + 1))
    assert found * audit_ppm * stake_ugrad * 250_000 >= dear_ugrad * total_ugrad * PPM**2


def test_record_of_every_status_is_whole(new_desk: NewDesk) -> None:
    desk = new_desk(**ALWAYS)
    for deal in new_crowd(desk):
        assert find_contradiction(deal.record, desk.spec.inference) is None


def test_what_blocks_write_of_a_session_is_paid_for_when_it_is_opened(new_desk: NewDesk) -> None:
    """Expiry, end of closing, draw of an entry, settlement, forgetting: the longest way, but for what messages pay."""
    desk = new_desk(**ALWAYS)
    deal = desk.open()
    deal.answer(3)
    meter = unlimited()
    ctx, keeper = desk.chain.ctx().branch(meter), desk.chain.app.sessions
    record = deal.record
    keeper.begin_closing(ctx, record, "expiry")
    record.receipt.CopyFrom(deal.receipt())
    keeper.end_closing(ctx, record)
    block.draw(ctx, keeper, record)
    assert record.status == SHOWING
    keeper.settle_paid(ctx, record)
    keeper.drop_session(ctx, record)
    assert 0 < meter.used <= WRITES_LATER * WRITE_GAS


def test_absent_session_is_not_found_and_parameters_are_told(new_desk: NewDesk) -> None:
    chain = new_desk().chain
    with pytest.raises(NotFound):
        chain.query(QUERY + "Session", query_pb2.QuerySessionRequest(session_id=1))
    params = chain.query(QUERY + "Params", query_pb2.QueryParamsRequest()).params
    assert (params.close_blocks, params.session_blocks_max) == (CLOSE_BLOCKS, SESSION_BLOCKS_MAX)
