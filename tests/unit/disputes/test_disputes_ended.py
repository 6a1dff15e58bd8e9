"""What stays of disputes that have ended: how, with which coins, and that the next challenge of the unit costs more."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from abci_app.runtime.genesis import GenesisInvalid
from abci_app.wire.pb.gradus.disputes.v1.disputes_pb2 import (
    DISPUTE_REASON_EXECUTED, DISPUTE_REASON_MOOT, DISPUTE_REASON_SILENT, DISPUTE_WINNER_CHALLENGER,
    DISPUTE_WINNER_CLAIMANT, DISPUTE_WINNER_NONE, EndedDispute,
)
from abci_app.wire.pb.gradus.work.v1.work_pb2 import ROUND_PHASE_COMMIT, UNIT_STATUS_ACCEPTED, UNIT_STATUS_REJECTED
from abci_app.x.disputes import keeper, keys
from abci_app.x.disputes.types import FORGET_BLOCKS, STORE, compute_bond_min
from tests.chain import Chain, address_of
from tests.unit.disputes.duel import BOND_UGRAD, CHALLENGER, CLAIMANT, OTHER, Duel
from tests.unit.disputes.liars import lie_about_trace

LEAST_UGRAD = 100_000
ENDED = "/gradus.disputes.v1.Query/Ended"


def ended_of(duel: Duel) -> list[EndedDispute]:
    """All ended disputes that are kept."""
    return list(duel.market.chain.app.disputes.iter_ended(duel.market.chain.ctx()))


def pick_first(count: int) -> int:
    """A challenger who says of anything that its first part is wrong."""
    return 0


def wait_for_the_end(duel: Duel) -> None:
    """Blocks without moves until the dispute is over: whoever is due loses."""
    while duel.dispute is not None:
        duel.market.block()


def challenge_and_lose(duel: Duel, bond_ugrad: int) -> None:
    """A challenge whose maker falls silent when the trace is posted."""
    duel.send(duel.challenge_msg(bond_ugrad))
    duel.move()
    wait_for_the_end(duel)


def test_each_dispute_that_a_claimant_has_won_doubles_the_least_bond_of_the_next(new_duel: Callable[..., Duel]) -> None:
    duel = new_duel()
    for lost in range(4):
        least_ugrad = LEAST_UGRAD << lost
        assert duel.market.refusal(duel.challenge_msg(least_ugrad - 1)) == ("disputes", 5)
        challenge_and_lose(duel, least_ugrad)
    assert duel.status() == UNIT_STATUS_ACCEPTED
    assert [(one.ordinal, one.bond_ugrad) for one in ended_of(duel)] == [
        (lost, LEAST_UGRAD << lost) for lost in range(4)]


def test_what_one_unit_has_won_makes_no_challenge_of_another_dearer(new_duel: Callable[..., Duel]) -> None:
    duel = new_duel()
    challenge_and_lose(duel, LEAST_UGRAD)
    other = next(unit for unit in duel.market.units(duel.unit.round) if unit.index != duel.unit.index)
    duel.send(duel.challenge_msg(LEAST_UGRAD, other))


def test_bond_that_no_account_can_have_is_asked_in_the_end() -> None:
    assert compute_bond_min(1, 63) < 2**64 <= compute_bond_min(1, 64)


def test_lost_challenge_is_kept_with_its_coins(new_duel: Callable[..., Duel]) -> None:
    duel = new_duel(None, pick_first)
    opened = duel.market.chain.height + 1
    duel.play()
    assert ended_of(duel) == [EndedDispute(
        model_id=1, round=duel.unit.round, unit=duel.unit.index, ordinal=0, claimant=address_of(CLAIMANT),
        challenger=address_of(CHALLENGER), bond_ugrad=BOND_UGRAD, winner=DISPUTE_WINNER_CLAIMANT,
        reason=DISPUTE_REASON_EXECUTED, won_ugrad=BOND_UGRAD // 2, burnt_ugrad=BOND_UGRAD // 2 + 1,
        opened_height=opened, ended_height=duel.market.chain.height)]


def test_won_challenge_is_kept_with_its_coins(new_duel: Callable[..., Duel]) -> None:
    duel = new_duel(lie_about_trace)
    duel.play()
    (ended,) = ended_of(duel)
    assert (ended.winner, ended.reason) == (DISPUTE_WINNER_CHALLENGER, DISPUTE_REASON_EXECUTED)
    slash = duel.market.slashes()[0]
    assert ended.won_ugrad == (slash.amount_ugrad - slash.burnt_ugrad) and ended.burnt_ugrad == 0
    assert duel.status() == UNIT_STATUS_REJECTED


def test_silent_claimant_and_a_moot_dispute_are_kept_as_what_they_were(new_duel: Callable[..., Duel]) -> None:
    silent = new_duel(lie_about_trace)
    silent.send(silent.challenge_msg())
    wait_for_the_end(silent)
    assert [(one.winner, one.reason) for one in ended_of(silent)] == [
        (DISPUTE_WINNER_CHALLENGER, DISPUTE_REASON_SILENT)]
    moot = new_duel(lie_about_trace, rate_ppm=1_000_000)
    moot.send(moot.challenge_msg())
    while moot.status() != UNIT_STATUS_REJECTED:
        moot.market.block(votes=True)
    wait_for_the_end(moot)
    assert [(one.winner, one.reason, one.won_ugrad, one.burnt_ugrad) for one in ended_of(moot)] == [
        (DISPUTE_WINNER_NONE, DISPUTE_REASON_MOOT, 0, 0)]


def test_query_shows_ended_disputes_of_a_round_a_model_a_party_or_all(new_duel: Callable[..., Duel]) -> None:
    duel = new_duel()
    challenge_and_lose(duel, BOND_UGRAD)
    number, kind = duel.unit.round, duel.market.chain.app.router.queries[ENDED].request
    for fields, count in (({}, 1), ({"model_id": 1}, 1), ({"model_id": 1, "round": number}, 1),
                          ({"model_id": 1, "round": number + 1}, 0), ({"model_id": 2}, 0),
                          ({"party": address_of(CLAIMANT)}, 1), ({"party": address_of(CHALLENGER)}, 1),
                          ({"party": address_of("boss")}, 0)):
        found: Any = duel.market.chain.query(ENDED, kind(**fields))
        assert len(found.disputes) == count, fields


def test_ended_disputes_go_with_their_round_and_leave_nothing(new_duel: Callable[..., Duel],
                                                              monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeper, "FORGET_BLOCKS", 5)
    duel = new_duel(kept_rounds=2)
    challenge_and_lose(duel, LEAST_UGRAD)
    market, number = duel.market, duel.unit.round
    while market.chain.app.work.find_round(market.chain.ctx(), 1, number) is not None:
        assert len(ended_of(duel)) == 1
        market.block(*(market.enroll_msg(name, 0) for name in (CLAIMANT, OTHER)))
        play_round(duel)
    market.wait_for(market.chain.height + 6)
    assert ended_of(duel) == []
    assert list(market.chain.ctx().state.store(STORE).iter(keys.FORGETTING)) == []


def play_round(duel: Duel) -> None:
    """A round from its beginning to its end, in which everybody does what is due."""
    market = duel.market
    number = market.round().number
    while market.round().phase != ROUND_PHASE_COMMIT or market.chain.height + 1 >= market.round().deadline_height:
        market.block(*(market.enroll_msg(name, 0) for name in (CLAIMANT, OTHER)))
    market.commit_all()
    market.reveal_all()
    market.block()
    market.wait_for(market.round(number).deadline_height)


def test_more_than_a_block_bears_go_in_the_next_ones(new_duel: Callable[..., Duel],
                                                     monkeypatch: pytest.MonkeyPatch) -> None:
    """Records of a round that is not there: what a round leaves when it is dropped."""
    monkeypatch.setattr(keeper, "FORGOTTEN_PER_ROUND", 2)
    duel = new_duel()
    ctx, room = duel.market.chain.ctx(), duel.market.chain.app.disputes
    later = replace(ctx, height=ctx.height + FORGET_BLOCKS)
    for ordinal in range(5):
        room.put_ended(ctx, EndedDispute(model_id=9, round=9, unit=9, ordinal=ordinal))
    counts = []
    for _ in range(5):
        room.forget_ended(later, 16)
        counts.append(sum(1 for _ in room.iter_ended(later)))
    assert counts == [3, 1, 0, 0, 0]
    assert list(ctx.state.store(STORE).iter(keys.FORGETTING)) == []


def test_exported_ended_disputes_make_the_next_challenge_dear_again(new_duel: Callable[..., Duel],
                                                                    tmp_path: Path) -> None:
    duel = new_duel()
    challenge_and_lose(duel, LEAST_UGRAD)
    chain = duel.market.chain
    exported = chain.app.export_genesis(chain.ctx())
    with Chain(tmp_path / "again", app_state=exported) as again:
        assert again.app.export_genesis(again.ctx()) == exported
        duel.market.chain = again
        assert duel.market.refusal(duel.challenge_msg(2 * LEAST_UGRAD - 1)) == ("disputes", 5)
        duel.send(duel.challenge_msg(2 * LEAST_UGRAD))
    duel.market.chain = chain


@pytest.mark.parametrize(("change", "path"), (
    ({"winner": "DISPUTE_WINNER_NONE"}, "ended[0]"),
    ({"reason": "DISPUTE_REASON_UNSPECIFIED"}, "ended[0]"),
    ({"ordinal": "1"}, "ended[0].ordinal"),
    ({"claimant": "ann"}, "ended[0].claimant"),
    ({"challenger": ""}, "ended[0].challenger"),
    (None, "ended[1].ordinal"),
))
def test_genesis_with_an_end_that_cannot_be_is_refused(new_duel: Callable[..., Duel], tmp_path: Path,
                                                       change: dict[str, str] | None, path: str) -> None:
    duel = new_duel()
    challenge_and_lose(duel, LEAST_UGRAD)
    exported = duel.market.chain.app.export_genesis(duel.market.chain.ctx())
    items = exported["disputes"]["ended"]
    if change is None:
        items.append(items[0])
    else:
        items[0].update(change)
    with pytest.raises(GenesisInvalid) as refused:
        Chain(tmp_path / "again", app_state=exported)
    assert refused.value.path == f"app_state.disputes.{path}"


def test_invariant_finds_ends_that_contradict_each_other(new_duel: Callable[..., Duel]) -> None:
    duel = new_duel()
    challenge_and_lose(duel, LEAST_UGRAD)
    chain, place = duel.market.chain, (1, duel.unit.round, duel.unit.index)
    (ended,) = ended_of(duel)

    def broken(change: Callable[[Any], None]) -> list[str]:
        ctx = chain.ctx()
        change(ctx)
        return [problem.split(":")[0] for problem in chain.app.check_invariants(ctx)
                if problem.startswith("disputes/")]

    def pay_more(ctx: Any) -> None:
        ended.won_ugrad += 1
        chain.app.disputes.put_ended(ctx, ended)

    assert broken(lambda ctx: None) == []
    assert broken(pay_more) == ["disputes/ended"]
    assert broken(lambda ctx: ctx.state.store(STORE).delete(keys.ended(*place, 0))) == ["disputes/ended"]
    assert broken(lambda ctx: ctx.state.store(STORE).set(keys.ended(*place, 3), ended.SerializeToString())) \
        == ["disputes/ended"]
    assert broken(lambda ctx: [ctx.state.store(STORE).delete(key) for key, _ in
                               ctx.state.store(STORE).iter(keys.FORGETTING)]) == ["disputes/ended"]
