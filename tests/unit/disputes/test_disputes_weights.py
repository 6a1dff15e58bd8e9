"""The weights that a disputed unit began with are there until its round is settled, however many rounds go by."""

from collections.abc import Callable
from pathlib import Path

import pytest

from abci_app.runtime.genesis import GenesisInvalid
from abci_app.wire.pb.gradus.disputes.v1.disputes_pb2 import DISPUTE_STAGE_TRACE
from abci_app.wire.pb.gradus.work.v1.work_pb2 import UNIT_STATUS_ACCEPTED
from abci_app.x.work import block
from tests.chain import Chain
from tests.unit.disputes.duel import CLAIMANT, OTHER, Duel, outcome
from tests.unit.disputes.liars import lie_about_trace
from tests.unit.disputes.test_disputes_ended import challenge_and_lose, play_round, wait_for_the_end

NewDuel = Callable[..., Duel]


def kept_of(duel: Duel) -> list[int]:
    """After how many rounds the weights are kept."""
    chain = duel.market.chain
    return [record.round for record in chain.app.models.iter_weights(chain.ctx(), 1)]


def let_expire(duel: Duel) -> None:
    """Rounds until the weights that the disputed unit began with are not among those that the contract keeps."""
    market = duel.market
    while market.model().rounds_closed - market.model().spec.training.kept_rounds < duel.unit.round:
        assert duel.dispute is not None, "the dispute ended before"
        play_round(duel)


def new_long_duel(new_duel: NewDuel, *args: object) -> Duel:
    """Moves take longer than the rounds that the contract keeps."""
    return new_duel(*args, kept_rounds=2, commit_blocks=40)


def test_unit_that_is_disputed_for_many_rounds_can_still_be_replayed_and_proved(new_duel: NewDuel) -> None:
    duel = new_long_duel(new_duel)
    first = duel.unit.round
    duel.reach(DISPUTE_STAGE_TRACE)
    let_expire(duel)
    newest = duel.market.model().rounds_closed
    assert kept_of(duel) == [first - 1, newest - 1, newest]
    duel.truth = duel.claimant = duel.replay(duel.unit)
    events = duel.move()
    while duel.dispute is not None:
        events = duel.move()
    assert outcome(next(one for one in events if one.type == "disputes.dispute_ended")) == ("claimant", "silent")
    assert duel.status() == UNIT_STATUS_ACCEPTED
    duel.market.settle(first)
    assert kept_of(duel) == [newest - 1, newest]
    assert duel.market.chain.app.work.find_round(duel.market.chain.ctx(), 1, first) is None


def test_other_unit_of_a_round_that_a_dispute_held_open_can_be_challenged_and_refuted_in_time(
        new_duel: NewDuel) -> None:
    """Who loses a challenge of one unit keeps no honest challenger of another from its weights."""
    duel = new_long_duel(new_duel, lie_about_trace)
    other = next(unit for unit in duel.market.units(duel.unit.round) if unit.index != duel.unit.index)
    duel.send(duel.challenge_msg(unit=other))
    market = duel.market
    while market.model().rounds_closed - 2 < duel.unit.round:
        play_round(duel)
    disputes = market.chain.app.disputes
    while disputes.find_dispute(market.chain.ctx(), 1, other.round, other.index) is not None:
        market.block()
    duel.truth = duel.replay(duel.unit)
    assert outcome(duel.play()) == ("challenger", "executed")


def test_weights_of_a_round_that_is_settled_go_when_the_contract_keeps_them_no_longer(new_duel: NewDuel) -> None:
    duel = new_duel(kept_rounds=3)
    first = duel.unit.round
    for _ in range(3):
        play_round(duel)
        newest = duel.market.model().rounds_closed
        assert kept_of(duel) == list(range(max(newest - 2, 0), newest + 1))
    assert duel.market.round(newest).settled_height == 0 and first == 1


def test_round_whose_weights_go_with_it_counts_their_chunks_in_the_block(
        new_duel: NewDuel, monkeypatch: pytest.MonkeyPatch) -> None:
    duel = new_long_duel(new_duel)
    duel.send(duel.challenge_msg())
    let_expire(duel)
    counted = []
    take = block.Budget.take
    monkeypatch.setattr(block.Budget, "take", lambda budget, units, cost=0: counted.append(units) or take(
        budget, units, cost))
    wait_for_the_end(duel)
    counted.clear()
    duel.market.settle(duel.unit.round)
    assert 2 + 1 in counted, "two units and one chunk"


def test_invariant_finds_weights_that_are_missing_and_weights_that_nobody_may_need(new_duel: NewDuel) -> None:
    duel = new_long_duel(new_duel)
    duel.send(duel.challenge_msg())
    let_expire(duel)
    chain, first = duel.market.chain, duel.unit.round
    ctx = chain.ctx()
    weights = chain.app.models.load_weights(ctx, 1, first - 1)
    record = chain.app.models.get_weights(ctx, 1, first - 1)
    chain.app.models.drop_weights(ctx, 1, first - 1)
    assert [one.split(":")[0] for one in chain.app.check_invariants(ctx)] == ["work/rounds"]
    ctx = chain.ctx()
    record.round = first
    chain.app.models.put_weights(ctx, record, weights)
    assert [one.split(":")[0] for one in chain.app.check_invariants(ctx)] == ["work/weights"]


def test_exported_round_that_is_disputed_brings_its_weights_along(new_duel: NewDuel, tmp_path: Path) -> None:
    duel = new_long_duel(new_duel)
    duel.send(duel.challenge_msg())
    let_expire(duel)
    chain = duel.market.chain
    exported = chain.app.export_genesis(chain.ctx())
    with Chain(tmp_path / "again", app_state=exported) as again:
        assert again.app.export_genesis(again.ctx()) == exported
    del exported["models"]["weights"][0]
    with pytest.raises(GenesisInvalid, match="work/rounds"):
        Chain(tmp_path / "less", app_state=exported)


def test_each_of_many_lost_challenges_keeps_one_round_and_its_weights_at_most(new_duel: NewDuel) -> None:
    duel = new_duel(kept_rounds=2)
    first = duel.unit.round
    for lost in range(3):
        challenge_and_lose(duel, 100_000 << lost)
        duel.market.block(*(duel.market.enroll_msg(name, 0) for name in (CLAIMANT, OTHER)))
        play_round(duel)
        newest = duel.market.model().rounds_closed
        assert kept_of(duel) == sorted(dict.fromkeys([first - 1, newest - 1, newest]))
