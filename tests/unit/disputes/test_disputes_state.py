"""What the room keeps: exported and imported in the middle of a game, asked for, and always consistent."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from abci_app.runtime.genesis import GenesisInvalid
from abci_app.wire.errors import InvalidAddress, NotFound
from abci_app.wire.pb.gradus.disputes.v1.disputes_pb2 import (
    DISPUTE_STAGE_CHILD, DISPUTE_STAGE_NODE, DISPUTE_STAGE_OPERATION, DISPUTE_STAGE_SEGMENT, DISPUTE_STAGE_STATE,
    DISPUTE_STAGE_TRACE, DisputeStage,
)
from abci_app.wire.pb.gradus.work.v1.work_pb2 import UNIT_STATUS_REJECTED, Unit
from abci_app.x.disputes import keys
from abci_app.x.disputes.types import STORE
from tests.chain import Chain, address_of
from tests.unit.disputes.duel import CHALLENGER, CLAIMANT, Duel, find_end, outcome
from tests.unit.disputes.liars import lie_about_trace

QUERY = "/gradus.disputes.v1.Query/"


def query(duel: Duel, name: str, **fields: Any) -> Any:
    route = duel.market.chain.app.router.queries[QUERY + name]
    return duel.market.chain.query(QUERY + name, route.request(**fields))


@pytest.mark.parametrize("stage", (DISPUTE_STAGE_TRACE, DISPUTE_STAGE_STATE, DISPUTE_STAGE_CHILD))
def test_exported_dispute_goes_on_where_it_was(new_duel: Callable[..., Duel], tmp_path: Path,
                                               stage: DisputeStage) -> None:
    duel = new_duel(lie_about_trace)
    duel.reach(stage)
    chain = duel.market.chain
    exported = chain.app.export_genesis(chain.ctx())
    with Chain(tmp_path / "again", app_state=exported) as again:
        assert again.app.export_genesis(again.ctx()) == exported
        duel.market.chain = again
        held = duel.dispute
        assert held is not None and held.stage == stage
        while duel.dispute is not None:
            duel.move()
        assert duel.status() == UNIT_STATUS_REJECTED
    duel.market.chain = chain


@pytest.mark.parametrize(("section", "change", "path"), (
    ("disputes", {"unit": "9"}, "disputes[0]"),
    ("disputes", {"claimant": address_of("boss")}, "disputes[0]"),
    ("disputes", {"challenger": "eve"}, "disputes[0].challenger"),
    ("disputes", {"stage": "DISPUTE_STAGE_UNSPECIFIED"}, "disputes[0].stage"),
    ("disputes", {"bond_ugrad": "0"}, "disputes[0]"),
    ("disputes", {"deadline_height": "1"}, "disputes[0]"),
    ("disputes", {"segment": "1"}, "disputes[0]"),
    ("disputes", {"end_root": "00" * 32}, "disputes[0]"),
    ("disputes", {"path": ["0"]}, "disputes[0]"),
    ("disputes", None, "disputes[1]"),
    ("traces", {"digests": "00" * 64}, "traces[0]"),
    ("traces", {"digests": ""}, "traces[0]"),
    ("traces", {"digests": "xy"}, "traces[0].digests"),
    ("traces", {"unit": "9"}, "traces[0]"),
    ("traces", {"more": "9"}, "traces[0].more"),
))
def test_genesis_that_contradicts_itself_is_refused_by_its_path(
        new_duel: Callable[..., Duel], tmp_path: Path, section: str, change: dict[str, str] | None, path: str) -> None:
    duel = new_duel()
    duel.reach(DISPUTE_STAGE_STATE)
    chain = duel.market.chain
    exported = chain.app.export_genesis(chain.ctx())
    items = exported["disputes"][section]
    if change is None:
        items.append(items[0])
    else:
        items[0].update(change)
    with pytest.raises(GenesisInvalid) as refused:
        Chain(tmp_path / "again", app_state=exported)
    assert refused.value.path == f"app_state.disputes.{path}"


@pytest.mark.parametrize(("stage", "change"), (
    (DISPUTE_STAGE_SEGMENT, {"segment": "9"}),
    (DISPUTE_STAGE_SEGMENT, {"segment": "0", "begin_root": "11" * 32}),
    (DISPUTE_STAGE_SEGMENT, {"segment_root": "00" * 32, "node": "00" * 32}),
    (DISPUTE_STAGE_NODE, {"node": "00" * 32}),
    (DISPUTE_STAGE_NODE, {"segment_root": ""}),
    (DISPUTE_STAGE_NODE, {"path": ["99"]}),
    (DISPUTE_STAGE_NODE, {"stage": "DISPUTE_STAGE_OPERATION"}),
    (DISPUTE_STAGE_CHILD, {"children": []}),
    (DISPUTE_STAGE_CHILD, {"stage": "DISPUTE_STAGE_NODE"}),
    (DISPUTE_STAGE_OPERATION, {"stage": "DISPUTE_STAGE_NODE"}),
    (DISPUTE_STAGE_OPERATION, {"path": []}),
))
def test_genesis_of_a_game_that_cannot_be_is_refused(new_duel: Callable[..., Duel], tmp_path: Path,
                                                     stage: DisputeStage, change: dict[str, Any]) -> None:
    duel = new_duel(lie_about_trace)
    duel.reach(stage)
    chain = duel.market.chain
    exported = chain.app.export_genesis(chain.ctx())
    exported["disputes"]["disputes"][0].update(change)
    with pytest.raises(GenesisInvalid) as refused:
        Chain(tmp_path / "again", app_state=exported)
    assert refused.value.path == "app_state.disputes.disputes[0]"


def test_genesis_whose_bonds_are_not_held_is_refused(new_duel: Callable[..., Duel], tmp_path: Path) -> None:
    duel = new_duel()
    duel.send(duel.challenge_msg())
    exported = duel.market.chain.app.export_genesis(duel.market.chain.ctx())
    exported["disputes"]["disputes"][0]["bond_ugrad"] = "5"
    with pytest.raises(GenesisInvalid, match="disputes/bonds: bonds of 5 ugrad stand against 1000001"):
        Chain(tmp_path / "again", app_state=exported)


def test_queries_show_a_dispute_while_it_is_open(new_duel: Callable[..., Duel]) -> None:
    duel = new_duel(lie_about_trace)
    place = {"model_id": 1, "round": duel.unit.round, "unit": duel.unit.index}
    with pytest.raises(NotFound):
        query(duel, "Dispute", **place)
    duel.send(duel.challenge_msg())
    assert query(duel, "Dispute", **place).dispute == duel.dispute
    for fields, count in (({}, 1), ({"model_id": 1}, 1), ({"model_id": 2}, 0), ({"party": address_of(CLAIMANT)}, 1),
                          ({"party": address_of(CHALLENGER)}, 1), ({"party": address_of("boss")}, 0)):
        assert len(query(duel, "Disputes", **fields).disputes) == count
    with pytest.raises(InvalidAddress):
        query(duel, "Disputes", party="eve")
    with pytest.raises(NotFound):
        query(duel, "Trace", **place)
    duel.reach(DISPUTE_STAGE_STATE)
    assert list(query(duel, "Trace", **place).digests) == list(duel.claimant.trace)
    duel.move()
    with pytest.raises(NotFound):
        query(duel, "Trace", **place)
    while duel.dispute is not None:
        duel.move()
    assert len(query(duel, "Disputes").disputes) == 0


def test_ended_disputes_leave_nothing_but_how_they_have_ended(new_duel: Callable[..., Duel]) -> None:
    duel = new_duel(lie_about_trace)
    duel.play()
    branch = duel.market.chain.ctx().state
    assert [key[:1] for key, _ in branch.store(STORE).iter(b"")] == [keys.ENDED, keys.FORGETTING]
    assert list(branch.blobs.iter(keys.TRACES)) == []


def test_trace_goes_when_the_challenger_is_silent_too(new_duel: Callable[..., Duel]) -> None:
    duel = new_duel()
    duel.play()
    assert list(duel.market.chain.ctx().state.blobs.iter(keys.TRACES)) == []


def test_invariants_find_what_is_broken(new_duel: Callable[..., Duel]) -> None:
    duel = new_duel(None, lambda count: 0)
    duel.reach(DISPUTE_STAGE_NODE)
    chain, dispute = duel.market.chain, duel.dispute
    assert dispute is not None
    place = 1, dispute.round, dispute.unit

    def broken(change: Callable[[Any], None]) -> list[str]:
        ctx = chain.ctx()
        change(ctx)
        return [problem.split(":")[0] for problem in chain.app.check_invariants(ctx)
                if problem.startswith("disputes/")]

    def pay_more(ctx: Any) -> None:
        dispute.bond_ugrad += 1
        chain.app.disputes.put_dispute(ctx, dispute)

    def lose_unit(ctx: Any) -> None:
        chain.app.work.put_unit(ctx, Unit(model_id=1, round=dispute.round, index=dispute.unit,
                                          trainer=address_of("boss")))

    assert broken(lambda ctx: None) == []
    assert broken(pay_more) == ["disputes/bonds"]
    assert broken(lambda ctx: ctx.state.store(STORE).delete(keys.due(dispute.deadline_height, *place))) \
        == ["disputes/index"]
    assert broken(lambda ctx: ctx.state.store(STORE).delete(keys.count(1))) == ["disputes/index"]
    assert broken(lambda ctx: ctx.state.blobs.set(keys.trace(*place), bytes(32))) == ["disputes/index"]

    def unmark(ctx: Any) -> None:
        unit = chain.app.work.get_unit(ctx, *place)
        unit.disputed = False
        chain.app.work.put_unit(ctx, unit)

    def skip_a_stage(ctx: Any) -> None:
        held = chain.app.disputes.get_dispute(ctx, *place)
        held.stage = DISPUTE_STAGE_CHILD
        chain.app.disputes.put_dispute(ctx, held)

    assert "disputes/units" in broken(lose_unit)
    assert broken(unmark) == broken(skip_a_stage) == ["disputes/units"]
    held = chain.app.disputes.get_dispute(chain.ctx(), *place)
    assert broken(lambda ctx: chain.app.disputes.end_moot(ctx, held)) == []
    assert broken(lambda ctx: chain.app.disputes._drop_dispute(ctx, held)) == ["disputes/bonds", "disputes/units"]


def test_late_verdict_of_the_auditors_makes_a_dispute_moot(new_duel: Callable[..., Duel]) -> None:
    """The unit is rejected by the committee while it is disputed: no move is taken, and the bond comes back."""
    duel = new_duel(lie_about_trace, rate_ppm=1_000_000)
    duel.send(duel.challenge_msg())
    before = duel.market.chain.balance(CHALLENGER)
    while duel.status() != UNIT_STATUS_REJECTED:
        duel.market.block(votes=True)
    move = duel.next_move()
    assert move is not None and duel.market.refusal(move) == ("disputes", 7)
    assert duel.dispute is not None
    end = find_end(duel.market.wait_for(duel.dispute.deadline_height))
    assert outcome(end) == ("none", "moot")
    assert duel.market.chain.balance(CHALLENGER) == before + 1_000_001
    closed = duel.market.chain.app.work.get_round(duel.market.chain.ctx(), 1, duel.unit.round)
    assert closed.disputed_count == 0
    duel.market.wait_for(closed.settle_height)
    assert duel.market.chain.app.work.get_round(duel.market.chain.ctx(), 1, duel.unit.round).settled_height > 0
