"""The life of rounds: opening, early ends, deadlines, missed and withheld units, dealing again, closing, forgetting."""

from collections.abc import Callable

import pytest

from abci_app.wire.pb.gradus.models.v1.models_pb2 import MODEL_STATUS_OPEN, MODEL_STATUS_SERVING, MODEL_STATUS_TRAINING
from abci_app.wire.pb.gradus.models.v1.tx_pb2 import MsgFundModel
from abci_app.wire.pb.gradus.work.v1.work_pb2 import (
    ROUND_PHASE_AUDIT, ROUND_PHASE_CLOSED, ROUND_PHASE_COMMIT, ROUND_PHASE_REVEAL, ROUND_PHASE_WAITING,
    SLASH_REASON_WITHHELD, TRAINER_STATUS_ACTIVE, TRAINER_STATUS_STOOD_DOWN, UNIT_STATUS_ACCEPTED, UNIT_STATUS_MISSED,
    UNIT_STATUS_REJECTED, UNIT_STATUS_WITHHELD,
)
from abci_app.wire.coin import base_coin, coin_pb
from abci_app.wire.seed import round_seed, shuffle
from abci_app.runtime.contract import compute_audit_fee, compute_round_cost
from abci_app.x.work.errors import AttemptOver, RoundNotFound, TrainerBusy, TrainerCoolingDown
from kernels import mlp
from kernels.aggregate import aggregate
from kernels.outer import outer_step
from tests.chain import CHAIN_ID, address_of, new_test_key
from tests.sim.claims import new_commit, new_reveal
from tests.unit.work.market import BOND_UGRAD, TRAINERS, Market, attribute, kinds

NewMarket = Callable[..., Market]


def test_round_opens_in_the_block_after_enough_trainers_are_active(new_market: NewMarket) -> None:
    """Who enrols has seen the hashes that this block's seed is made of; those of the next block nobody has."""
    market = new_market(trainers=("ann",), trainers_min=2)
    assert market.model().status == MODEL_STATUS_OPEN
    assert market.units() == []
    assert kinds(market.block(market.enroll_msg("eve"))) == ["trainer_enrolled"]
    assert kinds(market.block()) == ["round_opened"]
    assert market.model().status == MODEL_STATUS_TRAINING
    assert [unit.index for unit in market.units()] == [0, 1]


def test_who_enrols_in_the_block_that_deals_a_round_gets_no_unit_of_it(new_market: NewMarket) -> None:
    market = new_market(trainers=("ann", "ben"))
    market.reach_audit()
    events = market.block(market.enroll_msg("eve"), votes=True)
    assert kinds(events)[-1] == "round_opened"
    assert sorted(market.names[unit.trainer] for unit in market.units()) == ["ann", "ben"]
    market.run_round()
    assert sorted(market.names[unit.trainer] for unit in market.units()) == ["ann", "ben", "eve"]


def test_units_are_dealt_by_the_seed_over_trainers_in_the_order_of_addresses(new_market: NewMarket) -> None:
    market = new_market(trainers=())
    market.names.update({address_of(name): name for name in TRAINERS})
    for name in TRAINERS:
        market.block(market.chain.send_msg("boss", name, 100_000_000))
    market.block(*(market.enroll_msg(name) for name in TRAINERS))
    before = market.chain.ctx()
    market.block()
    seed = round_seed(CHAIN_ID, 1, 1, 0, before.last_app_hash, before.last_block_hash)
    assert market.round().seed == seed
    addresses = sorted(new_test_key(name).address for name in TRAINERS)
    expected = [addresses[place] for place in shuffle(seed, len(addresses))]
    assert [new_test_key(market.names[unit.trainer]).address for unit in market.units()] == expected


def test_more_trainers_than_units_max_leave_some_without_a_unit(new_market: NewMarket) -> None:
    market = new_market(units_max=3)
    assert len(market.units()) == 3
    idle = next(name for name in TRAINERS if address_of(name) not in [unit.trainer for unit in market.units()])
    assert market.trainer(idle).open_units == 0
    assert market.refusal(market.leave_msg(idle)) == ("", 0)


def test_phases_end_as_soon_as_everybody_has_acted(new_market: NewMarket) -> None:
    market = new_market()
    assert market.round().phase == ROUND_PHASE_COMMIT
    assert kinds(market.commit_all())[-1] == "phase_entered"
    assert market.round().phase == ROUND_PHASE_REVEAL
    market.reveal_all()
    assert market.round().phase == ROUND_PHASE_AUDIT
    events = market.audit()
    assert kinds(events)[-2:] == ["round_closed", "round_opened"]
    assert market.round(1).phase == ROUND_PHASE_CLOSED
    assert market.round().number == 2


def test_commitments_are_taken_up_to_the_deadline_and_no_longer(new_market: NewMarket) -> None:
    market = new_market(commit_blocks=3)
    units = market.units()
    market.block(new_commit(units[0], market.claim(units[0])))
    market.block()
    assert market.round().phase == ROUND_PHASE_COMMIT
    assert market.chain.height == market.round().deadline_height - 1
    market.block(new_commit(units[1], market.claim(units[1])))
    assert market.round().phase == ROUND_PHASE_REVEAL
    assert [unit.status for unit in market.units()][2:] == [UNIT_STATUS_MISSED, UNIT_STATUS_MISSED]


def test_missed_unit_costs_nothing_but_its_reward_until_there_are_too_many(new_market: NewMarket) -> None:
    market = new_market(commit_blocks=3, missed_rounds_max=2, trainers_min=2)
    for _ in range(2):
        market.commit_all(absent=("ann",))
        market.reveal_all(absent=("ann",))
        market.audit()
    assert market.trainer("ann").status == TRAINER_STATUS_STOOD_DOWN
    assert market.trainer("ann").bond_ugrad == BOND_UGRAD
    assert market.slashes() == []
    assert address_of("ann") not in [unit.trainer for unit in market.units()]


def test_accepted_unit_forgets_the_missed_ones(new_market: NewMarket) -> None:
    market = new_market(commit_blocks=3, missed_rounds_max=2)
    market.commit_all(absent=("ann",))
    market.reveal_all(absent=("ann",))
    market.audit()
    assert market.trainer("ann").missed_in_a_row == 1
    market.run_round()
    assert market.trainer("ann").missed_in_a_row == 0
    assert market.trainer("ann").status == TRAINER_STATUS_ACTIVE


def test_withheld_reveal_loses_part_of_the_bond_and_stands_down(new_market: NewMarket) -> None:
    market = new_market(reveal_blocks=3, withhold_slash_ppm=333_333, burn_ppm=250_000,
                        mismatch_slash_ppm=1_000_000)
    supply = market.chain.app.bank.supply(market.chain.ctx())
    market.commit_all()
    events = market.reveal_all(absent=("ann",))
    lost = BOND_UGRAD * 333_333 // 1_000_000
    assert market.trainer("ann").bond_ugrad == BOND_UGRAD - lost
    assert market.trainer("ann").status == TRAINER_STATUS_STOOD_DOWN
    slash = market.slashes()[0]
    assert (slash.reason, slash.amount_ugrad, slash.burnt_ugrad) == (SLASH_REASON_WITHHELD, lost, lost)
    assert market.chain.app.bank.supply(market.chain.ctx()) == supply - lost
    assert "trainer_slashed" in kinds(events)
    market.audit()
    assert [unit.status for unit in market.units(1)].count(UNIT_STATUS_WITHHELD) == 1
    assert market.round(1).accepted_count == 3


def test_withholding_may_be_free_and_still_stands_down(new_market: NewMarket) -> None:
    market = new_market(reveal_blocks=3, withhold_slash_ppm=0, rate_ppm=1_000_000)
    market.commit_all()
    market.reveal_all(absent=("ann",))
    assert market.trainer("ann").bond_ugrad == BOND_UGRAD
    assert market.trainer("ann").status == TRAINER_STATUS_STOOD_DOWN
    assert [slash.amount_ugrad for slash in market.slashes()] == [0]


def test_round_that_everybody_misses_is_dealt_again_at_once(new_market: NewMarket) -> None:
    market = new_market(commit_blocks=3, missed_rounds_max=9)
    first = market.round()
    events = market.commit_all(absent=TRAINERS)
    assert kinds(events) == ["unit_missed"] * 4 + ["round_failed", "round_opened"]
    assert attribute([event for event in events if event.type == "work.round_failed"][0], "reason") == "missed"
    second = market.round()
    assert (second.number, second.attempt) == (1, 1)
    assert second.seed not in (b"", first.seed)
    assert kinds(market.run_round())[-2:] == ["round_closed", "round_opened"]
    assert market.round().attempt == 0


def test_round_that_everybody_withholds_waits_until_trainers_are_back(new_market: NewMarket) -> None:
    market = new_market(reveal_blocks=3)
    market.commit_all()
    events = market.reveal_all(absent=TRAINERS)
    assert kinds(events)[-1] == "round_failed"
    assert (market.round().phase, market.round().attempt) == (ROUND_PHASE_WAITING, 1)
    assert market.units() == []
    assert market.refusal(market.enroll_msg("ann")) == ("work", TrainerCoolingDown.code)
    assert market.refusal(market.leave_msg("ann")) == ("work", TrainerCoolingDown.code), "nor as a new trainer"
    market.wait_for(market.trainer("ann").return_height - 1)
    market.block(*(market.enroll_msg(name) for name in TRAINERS))
    assert [result.code for result in market.results] == [0] * 4
    assert market.round().phase == ROUND_PHASE_WAITING
    market.block()
    assert (market.round().phase, market.round().attempt) == (ROUND_PHASE_COMMIT, 1)
    market.run_round()
    assert market.model().rounds_closed == 1


def test_round_without_an_honest_claim_is_dealt_again(new_market: NewMarket) -> None:
    market = new_market(trainers=("ann", "ben"), rate_ppm=1_000_000)
    wrong = {name: market.wrong_claim(name) for name in ("ann", "ben")}
    events = market.run_round(wrong)
    assert kinds(events)[-1] == "round_failed"
    assert [attribute(event, "reason") for event in events if event.type == "work.round_failed"] == ["rejected"]
    assert market.model().rounds_closed == 0
    assert len(market.slashes()) == 2
    assert list(market.chain.ctx().state.blobs.iter(b"work/")) == []


@pytest.mark.parametrize(("rule", "codec"), [
    ("trimmed_mean", "int8/256"), ("nnm+trimmed_mean", "int4/256"), ("clipped_mean", "top64/4096"),
    ("sign_vote", "int2/256"),
])
def test_closing_steps_the_weights_by_the_rule_of_the_contract_and_pays_each_accepted_unit(
        new_market: NewMarket, rule: str, codec: str) -> None:
    market = new_market(trim=1, trainers_min=3, outer_learning_rate_q16=45_875, outer_momentum_q16=30_000,
                        aggregation=rule, codec=codec)
    keeper = market.chain.app.models
    before = market.chain.balance("ann")
    for number in (1, 2):
        weights = keeper.load_weights(market.chain.ctx(), 1, number - 1)
        momentum = keeper.load_momentum(market.chain.ctx(), 1)
        payloads = [market.claim(unit).payload for unit in market.units()]
        mean = aggregate(rule, payloads, mlp.param_count((4, 5, 3)), 1, codec)
        expected = outer_step(weights, momentum, mean, 45_875, 30_000)
        market.run_round()
        assert keeper.load_weights(market.chain.ctx(), 1, number) == expected[0] != weights
        assert keeper.load_momentum(market.chain.ctx(), 1) == expected[1]
    reward = market.model().spec.economy.round_reward_ugrad
    assert market.model().escrow_ugrad == 100_000_000 - 2 * compute_round_cost(market.model().spec)
    market.settle(2)
    fees = 4 * 1_000  # two commits and two reveals with a gas limit of 1_000_000
    assert market.chain.balance("ann") == before + 2 * (reward // 4) - fees
    assert [unit.status for unit in market.units(2)] == [UNIT_STATUS_ACCEPTED] * 4


def test_round_waits_for_escrow_and_opens_when_it_is_funded(new_market: NewMarket) -> None:
    market = new_market(escrow_ugrad=1_050_000)
    events = market.run_round()
    assert kinds(events)[-1] == "round_closed"
    assert market.model().escrow_ugrad < market.model().spec.economy.round_reward_ugrad
    market.block()
    with pytest.raises(RoundNotFound):
        market.round()
    fund = MsgFundModel(sender=address_of("eve"), model_id=1, amount=coin_pb(base_coin(1_050_000)))
    assert kinds(market.block(fund)) == ["round_opened"]


def test_last_round_leaves_the_model_serving_and_bonds_can_be_taken(new_market: NewMarket) -> None:
    market = new_market(rounds=1)
    events = market.run_round()
    assert kinds(events)[-1] == "round_closed"
    assert market.model().status == MODEL_STATUS_SERVING
    market.block()
    assert list(market.chain.app.work.iter_idle(market.chain.ctx())) == []
    assert market.refusal(market.leave_msg("ann")) == ("work", TrainerBusy.code)
    assert kinds(market.settle(1)) == ["round_settled"]
    before = market.chain.balance("ann")
    market.block(market.leave_msg("ann"))
    assert market.chain.balance("ann") == before + BOND_UGRAD - 1_000


def test_old_rounds_and_payloads_are_forgotten(new_market: NewMarket) -> None:
    market = new_market(kept_rounds=3)
    for _ in range(5):
        market.run_round()
    kept = [found.number for found in market.chain.app.work.iter_rounds(market.chain.ctx())]
    assert kept == [3, 4, 5, 6]
    with_units = sorted(dict.fromkeys(unit.round for unit in market.chain.app.work.iter_units(market.chain.ctx())))
    assert with_units == [3, 4, 5, 6]
    payloads = [int.from_bytes(key[15:19], "big") for key, _ in market.chain.ctx().state.blobs.iter(b"work/p/")]
    assert payloads == [4] * 4 + [5] * 4


def test_two_kept_rounds_keep_two_rounds(new_market: NewMarket) -> None:
    market = new_market(kept_rounds=2)
    for _ in range(3):
        market.run_round()
    assert [found.number for found in market.chain.app.work.iter_rounds(market.chain.ctx())] == [2, 3, 4]
    payloads = [int.from_bytes(key[15:19], "big") for key, _ in market.chain.ctx().state.blobs.iter(b"work/p/")]
    assert payloads == [2] * 4 + [3] * 4


def test_slashed_trainer_leaves_with_the_rest_and_may_enrol_anew(new_market: NewMarket) -> None:
    market = new_market(rate_ppm=1_000_000, mismatch_slash_ppm=600_000)
    market.run_round({"ann": market.wrong_claim("ann")})
    rest = market.trainer("ann").bond_ugrad
    assert rest == BOND_UGRAD - BOND_UGRAD * 600_000 // 1_000_000
    before = market.chain.balance("ann")
    market.block(market.leave_msg("ann"), market.enroll_msg("ann"))
    assert market.chain.balance("ann") == before + rest - BOND_UGRAD - 2_000
    assert market.trainer("ann").units_accepted == 0


def test_reveal_in_the_last_block_of_its_phase_counts(new_market: NewMarket) -> None:
    market = new_market(reveal_blocks=3)
    market.commit_all()
    units = market.units()
    market.block(*(new_reveal(unit, market.claim(unit)) for unit in units[:3]))
    market.block()
    assert market.round().phase == ROUND_PHASE_REVEAL
    market.block(new_reveal(units[3], market.claim(units[3])))
    assert market.round().phase == ROUND_PHASE_AUDIT
    assert market.slashes() == []


def test_slash_that_leaves_fewer_trainers_than_the_first_round_needed_does_not_stop_the_training(
        new_market: NewMarket) -> None:
    market = new_market(trainers=("ann", "ben", "cat", "dan"), trainers_min=4, trim=1, rate_ppm=1_000_000)
    dan = market.unit_of("dan").index
    market.run_round({"dan": market.wrong_claim("dan")})
    assert market.units(1)[dan].status == UNIT_STATUS_REJECTED
    assert market.round().number == 2 and len(market.units()) == 3


def test_round_with_fewer_payloads_than_the_trim_needs_is_dealt_again_and_pays_auditors_alone(
        new_market: NewMarket) -> None:
    """A trimmed mean of fewer than 2 * trim + 1 payloads trims less, so one wrong claim could get through."""
    market = new_market(trainers=("ann", "ben", "cat"), trainers_min=3, trim=1, rate_ppm=1_000_000)
    ben = market.unit_of("ben").index
    events = market.run_round({"ann": market.wrong_claim("ann")})
    assert [attribute(event, "reason") for event in events if event.type == "work.round_failed"] == ["too few"]
    fee_ugrad = compute_audit_fee(market.model().spec) // 12 * 12  # three audits of four right digests, in equal parts
    assert (market.model().rounds_closed, market.model().paid_ugrad) == (0, fee_ugrad)
    assert market.units(1) == [] and ben in (0, 1, 2)
    assert [slash.trainer for slash in market.slashes()] == [address_of("ann")]
    assert (market.trainer("ben").open_units, market.trainer("ben").missed_in_a_row) == (0, 0)
    assert market.round(1).phase == ROUND_PHASE_WAITING


@pytest.mark.parametrize(("rule", "trim"), [("trimmed_mean", 1), ("nnm+krum", 0)])
def test_phase_that_leaves_too_few_for_the_rule_fails_the_round_at_once(
        new_market: NewMarket, rule: str, trim: int) -> None:
    market = new_market(trainers=("ann", "ben", "cat"), trainers_min=3, aggregation=rule, trim=trim)
    for absent_in in ("commit", "reveal"):
        if absent_in == "commit":
            events = market.commit_all(absent=("ann",))
        else:
            market.commit_all()
            events = market.reveal_all(absent=("ann",))
        assert [attribute(event, "reason") for event in events if event.type == "work.round_failed"] == ["too few"]
        assert market.trainer("ben").missed_in_a_row == 0
    assert market.model().rounds_closed == 0
    market.block(market.leave_msg("ben"))
    assert market.results[0].code == 0


def test_claim_for_an_earlier_dealing_of_the_round_is_refused(new_market: NewMarket) -> None:
    """An honest commitment that comes late must not bind its trainer to a claim that is wrong by now."""
    market = new_market(commit_blocks=3, missed_rounds_max=9)
    late = new_commit(market.unit_of("ann"), market.claim(market.unit_of("ann")), 0)
    market.commit_all(absent=TRAINERS)
    assert market.round().attempt == 1
    late.unit = market.unit_of("ann").index
    assert market.refusal(late) == ("work", AttemptOver.code)
    market.commit_all()
    reveal = new_reveal(market.unit_of("ann"), market.claim(market.unit_of("ann")), 0)
    assert market.refusal(reveal) == ("work", AttemptOver.code)
    market.reveal_all()
    market.audit()
    assert (market.model().rounds_closed, market.slashes()) == (1, [])
