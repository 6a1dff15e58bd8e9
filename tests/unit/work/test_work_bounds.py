"""What a block bears: waiting models take turns, phases and closes are spread over blocks, trainers are counted."""

from collections.abc import Callable

import pytest

from abci_app.runtime import contract
from abci_app.x.work import block
from abci_app.x.work.msgs import trainer
from tests.chain import address_of
from tests.sim.claims import Claim, new_commit, new_reveal
from tests.unit.work.market import BOND_UGRAD, Market, small_spec

NewMarket = Callable[..., Market]


def test_full_model_takes_no_more_trainers(new_market: NewMarket, monkeypatch: pytest.MonkeyPatch) -> None:
    market = new_market()
    monkeypatch.setattr(trainer, "TRAINERS_MAX", 4)
    assert market.refusal(market.enroll_msg("eve")) == ("work", 6)


def test_bond_that_would_grow_above_u64_is_refused(new_market: NewMarket) -> None:
    market = new_market(reveal_blocks=3)
    market.commit_all()
    market.reveal_all(absent=("ann",))
    market.wait_for(market.trainer("ann").return_height - 1)
    assert market.refusal(market.enroll_msg("ann", 2**64 - 1)) == ("work", 8)


def open_rounds(market: Market) -> list[int]:
    return sorted(found.model_id for found in market.chain.app.work.iter_rounds(market.chain.ctx()))


def test_models_that_wait_to_open_take_turns(new_market: NewMarket, monkeypatch: pytest.MonkeyPatch) -> None:
    market = new_market(trainers=())
    for _ in range(4):
        market.create(small_spec(), 100_000_000)
    market.block(*(market.enroll_msg(name, model_id=model) for name in ("boss", "eve") for model in range(1, 6)))
    monkeypatch.setattr(block, "IDLE_MODELS_PER_BLOCK", 2)
    opened = [open_rounds(market)]
    for _ in range(3):
        market.block()
        opened.append(open_rounds(market))
    assert opened == [[], [1, 2], [1, 2, 3, 4], [1, 2, 3, 4, 5]]


def test_block_deals_no_more_units_to_waiting_models_than_it_bears(
        new_market: NewMarket, monkeypatch: pytest.MonkeyPatch) -> None:
    market = new_market(trainers=())
    market.create(small_spec(), 100_000_000)
    market.block(*(market.enroll_msg(name, model_id=model) for name in ("boss", "eve") for model in (1, 2)))
    monkeypatch.setattr(block, "OPENED_UNITS_PER_BLOCK", 3)
    market.block()
    assert open_rounds(market) == [1]
    market.block()
    assert open_rounds(market) == [1, 2]


def test_models_that_wait_do_not_slow_those_that_train(new_market: NewMarket, monkeypatch: pytest.MonkeyPatch) -> None:
    market = new_market()
    for _ in range(5):
        market.create(small_spec(trainers_min=3), 100_000_000)
    market.block(*(market.enroll_msg(name, model_id=model) for name in ("boss", "eve") for model in range(2, 7)))
    monkeypatch.setattr(block, "IDLE_MODELS_PER_BLOCK", 1)
    before = market.chain.height
    for _ in range(3):
        market.run_round()
    assert (market.model().rounds_closed, market.chain.height - before) == (3, 12)


def test_block_ends_phases_of_no_more_units_than_it_bears_and_the_rest_in_the_next(
        new_market: NewMarket, monkeypatch: pytest.MonkeyPatch) -> None:
    """Trainers who enrol and never work must not make blocks long."""
    market = new_market(trainers=())
    market.create(small_spec(commit_blocks=3, units_max=2), 100_000_000)
    market.create(small_spec(commit_blocks=3, units_max=2), 100_000_000)
    market.block(*(market.enroll_msg(name, model_id=model) for name in ("boss", "eve") for model in (2, 3)))
    market.block()
    monkeypatch.setattr(block, "UNITS_PER_BLOCK", 7)
    keeper, attempts = market.chain.app.work, []
    for _ in range(4):
        market.block()
        attempts.append([keeper.get_round(market.chain.ctx(), model, 1).attempt for model in (2, 3)])
    assert attempts == [[0, 0], [0, 0], [1, 0], [1, 1]]


def test_turn_begins_after_the_last_visited_and_names_each_model_once(new_market: NewMarket) -> None:
    keeper, ctx = (market := new_market(trainers=())).chain.app.work, market.chain.ctx()
    for model_id in (2, 3, 5, 9):
        keeper.mark_idle(ctx, model_id)
    for cursor, count, turn in ((0, 2, [2, 3]), (3, 2, [5, 9]), (5, 2, [9, 2]), (9, 3, [2, 3, 5]), (4, 9, [5, 9, 2, 3]),
                                (5, 4, [9, 2, 3, 5]), (2**64 - 1, 1, [2])):
        keeper.put_cursor(ctx, cursor)
        assert keeper.list_turn(ctx, count) == turn


def test_round_that_is_too_large_for_any_block_closes_alone(
        new_market: NewMarket, monkeypatch: pytest.MonkeyPatch) -> None:
    market = new_market()
    monkeypatch.setattr(block, "CLOSE_COST_PER_BLOCK", 1)
    market.run_round()
    assert market.model().rounds_closed == 1


def test_closing_is_spread_over_blocks_when_it_is_too_much_for_one(
        new_market: NewMarket, monkeypatch: pytest.MonkeyPatch) -> None:
    market = new_market(trainers=())
    market.create(small_spec(), 100_000_000)
    market.create(small_spec(), 100_000_000)
    models = (1, 2, 3)
    market.block(*(market.enroll_msg(name, model_id=model) for name in ("boss", "eve") for model in models))
    market.block()
    monkeypatch.setattr(block, "CLOSE_COST_PER_BLOCK", contract.compute_close_cost(market.model().spec, 2) * 2 - 1)
    keeper = market.chain.app.work
    for make in (new_commit, new_reveal):
        market.block(*(make(unit, Claim(bytes(44), bytes(32))) for model in models
                       for unit in keeper.list_units(market.chain.ctx(), model, 1)))
    closed = []
    for _ in range(9):
        market.block()
        closed.append([market.model(model).rounds_closed for model in models])
    assert closed[4:8] == [[1, 0, 0], [1, 1, 0], [1, 1, 1], [1, 1, 1]]


def test_trainer_may_work_for_several_models_with_a_bond_for_each(new_market: NewMarket) -> None:
    market = new_market(trainers=("ann", "ben"))
    market.create(small_spec(), 100_000_000)
    market.block(*(market.enroll_msg(name, model_id=2) for name in ("ann", "ben")))
    held = [one for one in market.chain.app.work.iter_trainers(market.chain.ctx()) if one.address == address_of("ann")]
    assert [(one.model_id, one.bond_ugrad) for one in held] == [(1, BOND_UGRAD), (2, BOND_UGRAD)]


@pytest.mark.parametrize(("bound", "most"), [("DRAWN_UNITS_PER_BLOCK", 2), ("AUDIT_COST_PER_BLOCK", 1)])
def test_audits_of_more_units_or_work_than_a_block_bears_are_drawn_in_the_next_ones_the_earliest_first(
        new_market: NewMarket, monkeypatch: pytest.MonkeyPatch, bound: str, most: int) -> None:
    market = new_market(trainers=())
    market.create(small_spec(), 100_000_000)
    market.create(small_spec(), 100_000_000)
    market.block(*(market.enroll_msg(name, model_id=model) for name in ("boss", "eve") for model in (1, 2, 3)))
    market.block()
    monkeypatch.setattr(block, bound, most)
    keeper, drawn = market.chain.app.work, []
    for make, models in ((new_commit, (1, 2, 3)), (new_reveal, (2, 3)), (new_reveal, (1,)), (new_reveal, ()),
                         (new_reveal, ())):
        market.block(*(make(unit, Claim(bytes(44), bytes(32))) for model in models
                       for unit in keeper.list_units(market.chain.ctx(), model, 1)))
        drawn.append([model for model in (1, 2, 3) if keeper.get_round(market.chain.ctx(), model, 1).audit_seed])
    assert drawn == [[], [], [2], [2, 3], [1, 2, 3]]


def test_block_draws_audits_of_as_much_work_as_it_bears_and_no_more(
        new_market: NewMarket, monkeypatch: pytest.MonkeyPatch) -> None:
    market = new_market(trainers=(), rate_ppm=500_000)
    for _ in range(2):
        market.create(small_spec(rate_ppm=500_000), 100_000_000)
    market.block(*(market.enroll_msg(name, model_id=model) for name in ("boss", "eve") for model in (1, 2, 3)))
    market.block()
    keeper = market.chain.app.work
    two_rounds = 2 * contract.compute_unit_cost(small_spec())  # one unit of each is drawn
    monkeypatch.setattr(block, "AUDIT_COST_PER_BLOCK", two_rounds)
    drawn = []
    for make in (new_commit, new_reveal, None, None):
        market.block(*(make(unit, Claim(bytes(44), bytes(32))) for model in (1, 2, 3) if make is not None
                       for unit in keeper.list_units(market.chain.ctx(), model, 1)))
        drawn.append([model for model in (1, 2, 3) if keeper.get_round(market.chain.ctx(), model, 1).audit_seed])
    assert drawn == [[], [], [1, 2], [1, 2, 3]]
