"""Contracts that change while their rounds are dealt: each round has one set of terms, and no model is left waiting."""

from collections.abc import Callable

import pytest

from abci_app.wire.coin import base_coin, coin_pb
from abci_app.wire.pb.gradus.models.v1.models_pb2 import (
    MODEL_STATUS_PAUSED, MODEL_STATUS_RETIRED, MODEL_STATUS_SERVING, MODEL_STATUS_TRAINING, ModelSpec, PolicyLimits,
)
from abci_app.wire.pb.gradus.models.v1.tx_pb2 import (
    MsgAttachData, MsgCloseModel, MsgFundModel, MsgInviteTrainers, MsgPauseModel, MsgResumeModel, MsgUpdateModel,
)
from abci_app.wire.pb.gradus.work.v1.work_pb2 import ROUND_PHASE_COMMIT, ROUND_PHASE_WAITING
from tests.chain import address_of
from tests.unit.work.market import BOND_UGRAD, FUNDS_UGRAD, TRAINERS, Market

NewMarket = Callable[..., Market]
BOSS = address_of("boss")


def new_limits() -> PolicyLimits:
    """The admin may change almost anything that these tests change."""
    limits = PolicyLimits()
    for field in ("economy.bond_ugrad", "economy.round_reward_ugrad", "training.commit_blocks", "training.kept_rounds",
                  "training.local_steps", "training.rounds", "training.trainers_min", "training.trim",
                  "training.units_max"):
        limits.ranges.add(field=field, max=10**9)
    limits.choices.add(field="training.codec", values=["int4/256", "int8/256"])
    return limits


def update(market: Market, change: Callable[[ModelSpec], None]) -> None:
    """A block with the admin's update of what stands."""
    spec = market.model().spec
    change(spec)
    assert market.refusal(MsgUpdateModel(authority=BOSS, model_id=1, training=spec.training,
                                         economy=spec.economy)) == ("", 0)


def set_steps(steps: int) -> Callable[[ModelSpec], None]:
    def change(spec: ModelSpec) -> None:
        spec.training.local_steps = steps
    return change


def test_round_keeps_its_terms_and_the_next_has_the_new_ones(new_market: NewMarket) -> None:
    market = new_market(limits=new_limits())

    def change(spec: ModelSpec) -> None:
        spec.training.local_steps, spec.training.codec, spec.economy.round_reward_ugrad = 2, "int4/256", 400_000

    update(market, change)
    first = market.round()
    assert (first.spec_version, market.model().spec_version) == (1, 1)
    market.run_round()
    assert market.round(1).accepted_count == 4
    second = market.round()
    assert (second.spec_version, market.model().spec_version, market.spec_of(second).training.local_steps) == (2, 2, 2)
    assert market.spec_of(market.round(1)).training.local_steps == 3
    held = market.model().escrow_ugrad
    market.run_round()
    assert held - market.model().escrow_ugrad == 400_000 + 400_000 * 50_000 // 10**6
    market.settle(2)
    assert market.slashes() == []


def test_paused_model_ends_its_round_deals_none_and_goes_on_when_it_is_resumed(new_market: NewMarket) -> None:
    market = new_market()
    market.block(MsgPauseModel(authority=BOSS, model_id=1))
    market.run_round()
    assert (market.model().status, market.model().rounds_closed) == (MODEL_STATUS_PAUSED, 1)
    market.wait_for(market.chain.height + 5)
    assert market.chain.app.work.find_round(market.chain.ctx(), 1, 2) is None
    assert market.refusal(market.enroll_msg("eve")) == ("work", 2)
    market.block(MsgResumeModel(authority=BOSS, model_id=1))
    market.block()
    assert (market.model().status, market.round().phase) == (MODEL_STATUS_TRAINING, ROUND_PHASE_COMMIT)
    market.run_round()
    assert market.model().rounds_closed == 2


def test_model_paused_and_resumed_while_its_round_runs_is_dealt_one_round_after_it(new_market: NewMarket) -> None:
    market = new_market()
    market.block(MsgPauseModel(authority=BOSS, model_id=1), MsgResumeModel(authority=BOSS, model_id=1))
    assert not market.chain.app.work.has_idle(market.chain.ctx(), 1)
    first = market.round()
    market.run_round()
    assert (first.number, market.round().number, market.round().attempt) == (1, 2, 0)


def test_model_is_paused_to_be_closed_after_its_round(new_market: NewMarket) -> None:
    market = new_market()
    close = MsgCloseModel(admin=BOSS, model_id=1)
    assert market.refusal(MsgPauseModel(authority=BOSS, model_id=1), close) == ("models", 26)
    market.run_round()
    assert market.refusal(close) == ("", 0)
    assert market.model().status == MODEL_STATUS_RETIRED
    market.settle(1)
    market.block(*(market.leave_msg(name) for name in TRAINERS))
    assert [result.code for result in market.results] == [0] * 4


def test_serving_model_trains_again_on_what_is_attached_and_serves_again(new_market: NewMarket) -> None:
    market = new_market(rounds=1)
    market.run_round()
    assert market.model().status == MODEL_STATUS_SERVING
    market.wait_for(market.chain.height + 3)
    rows = market.model().spec.dataset
    rows.train_rows, rows.test_rows = 36, 4
    market.block(MsgAttachData(admin=BOSS, model_id=1, dataset=rows, rounds_more=1))
    market.block()
    running = market.round()
    assert (running.number, running.spec_version, market.spec_of(running).dataset.train_rows) == (2, 2, 36)
    market.run_round()
    assert (market.model().status, market.model().rounds_closed) == (MODEL_STATUS_SERVING, 2)
    assert all(unit.trainer for unit in market.units(2)) and market.slashes() == []


def test_rounds_added_in_the_last_round_follow_it_at_once(new_market: NewMarket) -> None:
    market = new_market(rounds=1)
    market.block(MsgAttachData(admin=BOSS, model_id=1, rounds_more=1))
    market.run_round()
    assert (market.model().status, market.round().number, market.round().spec_version) == (MODEL_STATUS_TRAINING, 2, 2)


def test_rounds_of_replaced_terms_are_kept_as_long_as_the_newest_terms_say(new_market: NewMarket) -> None:
    market = new_market(limits=new_limits(), kept_rounds=3)

    def keep_longer(spec: ModelSpec) -> None:
        spec.training.kept_rounds = 5

    for _ in range(3):
        market.run_round()
    update(market, keep_longer)
    while market.model().rounds_closed < 7:
        market.run_round()
    kept = [one.number for one in market.chain.app.work.iter_rounds(market.chain.ctx())]
    assert kept == [3, 4, 5, 6, 7, 8]


def test_round_that_never_succeeds_by_its_terms_is_mended_by_others(new_market: NewMarket) -> None:
    """Two trainers are left of four, and the rule needs three: the round fails and waits until the trim is lower."""
    market = new_market(limits=new_limits(), trim=1, trainers_min=3, missed_rounds_max=1)
    market.commit_all(absent=("ann", "ben"))
    waiting = market.round()
    assert (waiting.phase, waiting.attempt, waiting.spec_version) == (ROUND_PHASE_WAITING, 1, 1)

    def change(spec: ModelSpec) -> None:
        spec.training.trim = 0

    update(market, change)
    market.block()
    running = market.round()
    assert (running.number, running.attempt, running.spec_version, running.unit_count) == (1, 1, 2, 2)
    market.run_round()
    assert market.model().rounds_closed == 1


def test_trainer_that_is_invited_no_more_finishes_its_round_and_is_dealt_no_other(new_market: NewMarket) -> None:
    market = new_market(invited_trainers=[address_of(name) for name in TRAINERS])
    market.block(MsgInviteTrainers(admin=BOSS, model_id=1, add=[address_of("eve")], remove=[address_of("ann")]),
                 market.enroll_msg("eve"))
    assert [result.code for result in market.results] == [0, 0]
    market.run_round()
    assert market.unit_of("eve").round == 2
    assert address_of("ann") not in [unit.trainer for unit in market.units()]
    assert market.trainer("ann").units_accepted == 1 and market.trainer("ann").bond_ugrad == BOND_UGRAD
    market.settle(1)
    assert market.refusal(market.leave_msg("ann")) == ("", 0)


def test_trainer_whose_bond_is_too_low_for_new_terms_is_dealt_again_when_it_has_added(new_market: NewMarket) -> None:
    market = new_market(limits=new_limits(), trainers_min=2)

    def change(spec: ModelSpec) -> None:
        spec.economy.bond_ugrad = BOND_UGRAD + 5

    update(market, change)
    market.block(*(market.enroll_msg(name, 5) for name in TRAINERS))
    assert {(result.codespace, result.code) for result in market.results} == {("work", 4)}
    market.run_round()
    assert market.chain.app.work.find_round(market.chain.ctx(), 1, 2) is None
    market.block(*(market.enroll_msg(name, 5) for name in TRAINERS[:2]))
    assert [result.code for result in market.results] == [0, 0]
    market.block()
    assert sorted(market.names[unit.trainer] for unit in market.units()) == ["ann", "ben"]


@pytest.mark.parametrize("rounds_more", [1, 3])
def test_export_between_terms_starts_the_same_chain_again(new_market: NewMarket, rounds_more: int) -> None:
    market = new_market(limits=new_limits(), rounds=2)
    update(market, set_steps(2))
    market.block(MsgAttachData(admin=BOSS, model_id=1, rounds_more=rounds_more),
                 MsgFundModel(sender=BOSS, model_id=1, amount=coin_pb(base_coin(7))))
    exported = market.chain.app.export_genesis(market.chain.ctx())
    again = type(market.chain)(market.folder / "again", app_state=exported)
    assert again.app.export_genesis(again.ctx()) == exported
    again.database.close()
    market.run_round()
    assert (market.model().spec.training.rounds, market.model().spec_version) == (2 + rounds_more, 2)
    assert market.chain.balance("boss") < FUNDS_UGRAD
