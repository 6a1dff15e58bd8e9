"""Pay: every coin that leaves an escrow reaches a trainer, every fee the proposer, and both are booked."""

from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from abci_app.runtime.genesis import GenesisInvalid
from abci_app.wire.address import encode_address, module_address
from abci_app.wire.coin import base_coin
from abci_app.wire.errors import InvalidAddress, InvariantBroken, NotFound
from abci_app.wire.pb.cosmos.base.query.v1beta1.pagination_pb2 import PageRequest
from abci_app.wire.pb.gradus.models.v1.models_pb2 import Model
from abci_app.wire.pb.gradus.models.v1.tx_pb2 import MsgCloseModel
from abci_app.wire.pb.gradus.rewards.v1.query_pb2 import (
    QueryContributionRequest, QueryContributionsRequest, QueryPayoutsRequest,
)
from abci_app.wire.pb.gradus.rewards.v1.rewards_pb2 import Contribution
from abci_app.x.rewards import genesis
from abci_app.x.rewards.types import compute_share
from tests.unit.models.rooms import ALICE, ALICE_TEXT, BOB, BOB_TEXT, CAROL, CAROL_TEXT, PROPOSER, Rooms, small_spec

PATH = "/gradus.rewards.v1.Query/"
FEES, BONDS, REWARDS = module_address("fee_collector"), module_address("work"), module_address("rewards")


def trainer(index: int) -> bytes:
    return bytes([100 + index] * 20)


def pay_in_fees(rooms: Rooms, amount_ugrad: int) -> None:
    rooms.bank.collect_fee(rooms.ctx, BOB, (base_coin(amount_ugrad),))


def end_block(rooms: Rooms) -> None:
    for module in rooms.modules:
        if module.end_block is not None:
            module.end_block(rooms.ctx)


@given(reward=st.integers(0, 2**64 - 1), escrow=st.integers(0, 2**64 - 1), accepted=st.integers(1, 64))
def test_shares_are_equal_and_never_more_than_reward_or_escrow(reward: int, escrow: int, accepted: int) -> None:
    share = compute_share(reward, escrow, accepted)
    assert share * accepted <= min(reward, escrow) < (share + 1) * accepted


def pay(rooms: Rooms, model: Model, number: int, trainers: list[bytes], dealt: int = 0) -> int:
    """Book a round in which each of `trainers` had a unit accepted."""
    return rooms.rewards.pay_round(rooms.ctx, model.id, model.spec, number, list(enumerate(trainers)),
                                   dealt or max(len(trainers), 1))


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(reward=st.integers(0, 10**7), surplus=st.integers(1, 10**7),
       rounds=st.lists(st.lists(st.integers(0, 6), max_size=12), max_size=6))
def test_no_coin_is_made_or_lost_whatever_the_rounds(reward: int, surplus: int, rounds: list[list[int]]) -> None:
    rooms = Rooms()
    rooms.audit_for_nothing()
    spec = small_spec(round_reward_ugrad=reward)
    spec.audit.audit_fee_ppm = 0
    model = rooms.create(spec, escrow_ugrad=reward + surplus)
    supply = rooms.bank.supply(rooms.ctx)
    earned, units = dict.fromkeys(range(7), 0), dict.fromkeys(range(7), 0)
    for number, accepted in enumerate(rounds, 1):
        held = rooms.models.get_model(rooms.ctx, model.id).escrow_ugrad
        share = pay(rooms, model, number, [trainer(index) for index in accepted])
        assert share == (min(reward, held) // len(accepted) if accepted else 0)
        assert rooms.bank.balance(rooms.ctx, REWARDS) == share * len(accepted)
        assert rooms.broken() == []
        assert rooms.rewards.release_round(rooms.ctx, model.id, number) == share * len(accepted)
        for index in accepted:
            earned[index] += share
            units[index] += 1
    after = rooms.models.get_model(rooms.ctx, model.id)
    assert after.escrow_ugrad + after.paid_ugrad == reward + surplus
    assert after.paid_ugrad == sum(earned.values())
    for index in range(7):
        booked = rooms.rewards.find_contribution(rooms.ctx, model.id, trainer(index))
        assert (booked.units, booked.earned_ugrad) == (units[index], earned[index]) if booked else not units[index]
        assert rooms.bank.balance(rooms.ctx, trainer(index)) == earned[index]
    assert rooms.bank.supply(rooms.ctx) == supply
    assert rooms.broken() == []


def test_round_is_paid_by_units_when_its_challenges_are_over(rooms: Rooms) -> None:
    model, before = rooms.create(), rooms.bank.balance(rooms.ctx, BOB)
    assert pay(rooms, model, 1, [BOB, ALICE, BOB]) == 333_333
    assert rooms.models.get_model(rooms.ctx, model.id).escrow_ugrad == 5_000_000 - 999_999
    assert rooms.rewards.find_contribution(rooms.ctx, model.id, BOB) == Contribution(
        model_id=1, trainer=BOB_TEXT, units=2, earned_ugrad=666_666)
    assert rooms.events("rewards.round_booked")[0].attributes == (
        ("model_id", "1"), ("round", "1"), ("units", "3"), ("escrow_ugrad", "333333"), ("minted_ugrad", "0"))
    assert rooms.events("rewards.trainer_paid") == [] and rooms.bank.balance(rooms.ctx, BOB) == before
    assert rooms.rewards.release_round(rooms.ctx, model.id, 1) == 999_999
    assert rooms.bank.balance(rooms.ctx, BOB) == before + 666_666
    assert len(rooms.events("rewards.trainer_paid")) == 3
    assert rooms.events("rewards.trainer_paid")[0].attributes == (
        ("model_id", "1"), ("round", "1"), ("unit", "0"), ("trainer", BOB_TEXT), ("amount_ugrad", "333333"))


def test_round_is_released_once(rooms: Rooms) -> None:
    model = rooms.create()
    pay(rooms, model, 1, [BOB])
    assert rooms.rewards.release_round(rooms.ctx, model.id, 1) == 1_000_000
    before = rooms.state()
    assert rooms.rewards.release_round(rooms.ctx, model.id, 1) == 0
    assert rooms.rewards.release_round(rooms.ctx, model.id, 9) == 0
    assert rooms.rewards.release_round(rooms.ctx, 0, 1) == 0
    assert rooms.state() == before


@pytest.mark.parametrize("number", [0, 1, 2])
def test_round_is_not_booked_twice(rooms: Rooms, number: int) -> None:
    model = rooms.create()
    pay(rooms, model, 2, [BOB])
    before = rooms.state()
    with pytest.raises(InvariantBroken):
        pay(rooms, model, number, [BOB])
    assert rooms.state() == before


def test_round_without_accepted_units_pays_nobody(rooms: Rooms) -> None:
    model = rooms.create()
    before = rooms.state()
    assert pay(rooms, model, 1, []) == 0
    assert rooms.state() == before


def test_units_are_booked_when_the_escrow_is_empty(rooms: Rooms) -> None:
    rooms.audit_for_nothing()
    spec = small_spec()
    spec.audit.audit_fee_ppm = 0
    model = rooms.create(spec, escrow_ugrad=1_000_000)
    assert pay(rooms, model, 1, [BOB]) == 1_000_000
    assert pay(rooms, model, 2, [BOB]) == 0
    booked = rooms.rewards.find_contribution(rooms.ctx, model.id, BOB)
    assert booked is not None and (booked.units, booked.earned_ugrad) == (2, 1_000_000)
    assert rooms.rewards.release_round(rooms.ctx, model.id, 2) == 0
    assert rooms.events("rewards.trainer_paid") == [] and rooms.broken() == []


def test_pay_of_a_unit_that_was_proved_wrong_returns_to_the_escrow(rooms: Rooms) -> None:
    model, before = rooms.create(), rooms.bank.balance(rooms.ctx, BOB)
    pay(rooms, model, 1, [BOB, ALICE, BOB])
    assert rooms.rewards.revoke(rooms.ctx, model.id, 1, 2) == 333_333
    after = rooms.models.get_model(rooms.ctx, model.id)
    assert (after.escrow_ugrad, after.paid_ugrad) == (5_000_000 - 666_666, 666_666)
    booked = rooms.rewards.find_contribution(rooms.ctx, model.id, BOB)
    assert booked is not None and (booked.units, booked.earned_ugrad) == (1, 333_333)
    assert rooms.events("rewards.unit_revoked")[0].attributes == (
        ("model_id", "1"), ("round", "1"), ("unit", "2"), ("trainer", BOB_TEXT), ("returned_ugrad", "333333"),
        ("burnt_ugrad", "0"))
    assert rooms.broken() == []
    assert rooms.rewards.release_round(rooms.ctx, model.id, 1) == 666_666
    assert rooms.bank.balance(rooms.ctx, BOB) == before + 333_333
    assert rooms.broken() == []


def test_trainer_whose_only_unit_is_revoked_has_contributed_nothing(rooms: Rooms) -> None:
    model = rooms.create()
    pay(rooms, model, 1, [BOB])
    rooms.rewards.revoke(rooms.ctx, model.id, 1, 0)
    assert rooms.rewards.find_contribution(rooms.ctx, model.id, BOB) is None
    assert rooms.rewards.find_vesting(rooms.ctx, model.id, 1) is None
    assert rooms.models.get_model(rooms.ctx, model.id).escrow_ugrad == 5_000_000
    assert rooms.broken() == []


def test_pay_revoked_after_the_model_is_closed_is_burnt(rooms: Rooms) -> None:
    model, supply = rooms.create(), rooms.bank.supply(rooms.ctx)
    pay(rooms, model, 1, [BOB, ALICE])
    rooms.deliver(MsgCloseModel(admin=ALICE_TEXT, model_id=1))
    assert rooms.rewards.revoke(rooms.ctx, model.id, 1, 0) == 500_000
    assert rooms.bank.supply(rooms.ctx) == supply - 500_000
    assert rooms.models.get_model(rooms.ctx, model.id).escrow_ugrad == 0
    assert rooms.broken() == []
    assert rooms.rewards.release_round(rooms.ctx, model.id, 1) == 500_000
    assert rooms.broken() == []


@pytest.mark.parametrize(("model_id", "number", "unit"), [(1, 1, 2), (1, 2, 0), (2, 1, 0), (0, 1, 0), (1, 0, 0)])
def test_what_does_not_vest_cannot_be_revoked(rooms: Rooms, model_id: int, number: int, unit: int) -> None:
    model = rooms.create()
    pay(rooms, model, 1, [BOB, ALICE])
    before = rooms.state()
    with pytest.raises(InvariantBroken):
        rooms.rewards.revoke(rooms.ctx, model_id, number, unit)
    assert rooms.state() == before


def test_unit_is_revoked_once_and_never_after_its_release(rooms: Rooms) -> None:
    model = rooms.create()
    pay(rooms, model, 1, [BOB, ALICE])
    rooms.rewards.revoke(rooms.ctx, model.id, 1, 0)
    with pytest.raises(InvariantBroken):
        rooms.rewards.revoke(rooms.ctx, model.id, 1, 0)
    rooms.rewards.release_round(rooms.ctx, model.id, 1)
    with pytest.raises(InvariantBroken):
        rooms.rewards.revoke(rooms.ctx, model.id, 1, 1)


def test_auditors_share_the_fee_by_their_digests(rooms: Rooms) -> None:
    model = rooms.create()
    assert rooms.rewards.pay_auditors(rooms.ctx, model.id, 100, [CAROL, trainer(1), CAROL]) == 99
    assert rooms.bank.balance(rooms.ctx, CAROL) == 66 and rooms.bank.balance(rooms.ctx, trainer(1)) == 33
    after = rooms.models.get_model(rooms.ctx, model.id)
    assert (after.escrow_ugrad, after.paid_ugrad) == (5_000_000 - 99, 99)
    assert [event.attributes for event in rooms.events("rewards.auditor_paid")] == [
        (("model_id", "1"), ("account", CAROL_TEXT), ("amount_ugrad", "66")),
        (("model_id", "1"), ("account", encode_address(trainer(1))), ("amount_ugrad", "33"))]
    assert rooms.broken() == []


@pytest.mark.parametrize(("amount", "accounts", "paid"), [
    (0, [CAROL], 0), (1, [CAROL, ALICE], 0), (100, [], 0), (2**64, [CAROL], 5_000_000)])
def test_fee_of_audits_is_never_more_than_the_escrow_holds(rooms: Rooms, amount: int, accounts: list[bytes],
                                                           paid: int) -> None:
    model, before = rooms.create(), rooms.state()
    assert rooms.rewards.pay_auditors(rooms.ctx, model.id, amount, accounts) == paid
    assert rooms.models.get_model(rooms.ctx, model.id).escrow_ugrad == 5_000_000 - paid
    assert (rooms.state() == before) == (paid == 0)
    assert rooms.broken() == []


def test_slash_is_shared_in_equal_parts_and_the_rest_is_left_to_burn(rooms: Rooms) -> None:
    rooms.bank.send_to_module(rooms.ctx, BOB, "work", (base_coin(500),))
    assert rooms.rewards.share_slash(rooms.ctx, 200, [CAROL, trainer(1), CAROL]) == 198
    assert rooms.bank.balance(rooms.ctx, BONDS) == 302
    assert rooms.bank.balance(rooms.ctx, CAROL) == 132 and rooms.bank.balance(rooms.ctx, trainer(1)) == 66
    assert [event.attributes for event in rooms.events("rewards.slash_shared")] == [
        (("account", CAROL_TEXT), ("amount_ugrad", "132")),
        (("account", encode_address(trainer(1))), ("amount_ugrad", "66"))]
    before = rooms.state()
    assert rooms.rewards.share_slash(rooms.ctx, 1, [CAROL, ALICE]) == 0
    assert rooms.rewards.share_slash(rooms.ctx, 100, []) == 0
    assert rooms.state() == before


def test_fees_go_to_the_proposers_account_at_the_end_of_its_block(rooms: Rooms) -> None:
    pay_in_fees(rooms, 12_345)
    end_block(rooms)
    assert (rooms.bank.balance(rooms.ctx, CAROL), rooms.bank.balance(rooms.ctx, FEES)) == (12_345, 0)
    assert rooms.events("rewards.fees_paid")[0].attributes == (
        ("proposer", PROPOSER.hex().upper()), ("account", CAROL_TEXT), ("amount_ugrad", "12345"))


def test_block_without_fees_writes_nothing(rooms: Rooms) -> None:
    before = rooms.state()
    end_block(rooms)
    assert rooms.state() == before and rooms.events("rewards.fees_paid") == []


@pytest.mark.parametrize("proposer", [b"", bytes(20), PROPOSER[:19]])
def test_fees_stay_when_the_proposer_has_no_account_and_go_to_the_next(rooms: Rooms, proposer: bytes) -> None:
    known = rooms.ctx
    pay_in_fees(rooms, 10)
    rooms.ctx = replace(known, proposer_address=proposer)
    end_block(rooms)
    assert rooms.bank.balance(rooms.ctx, FEES) == 10
    rooms.ctx = known
    pay_in_fees(rooms, 5)
    end_block(rooms)
    assert rooms.bank.balance(rooms.ctx, CAROL) == 15


def test_who_is_excluded_as_an_auditor_earns_nothing_by_its_blocks_and_the_next_gets_its_fees(rooms: Rooms) -> None:
    pay_in_fees(rooms, 10)
    rooms.auditors.excluded.append(PROPOSER)
    end_block(rooms)
    assert (rooms.bank.balance(rooms.ctx, FEES), rooms.bank.balance(rooms.ctx, CAROL)) == (10, 0)
    rooms.auditors.excluded.clear()
    end_block(rooms)
    assert rooms.bank.balance(rooms.ctx, CAROL) == 10


def test_contributions_are_answered_singly_and_by_pages(rooms: Rooms) -> None:
    model, other = rooms.create(), rooms.create()
    pay(rooms, model, 1, [trainer(index) for index in (2, 0, 1)])
    pay(rooms, other, 1, [trainer(5)])
    one = rooms.query(PATH + "Contribution",
                      QueryContributionRequest(model_id=1, trainer=encode_address(trainer(1))))
    assert one.contribution == Contribution(model_id=1, trainer=encode_address(trainer(1)), units=1,
                                            earned_ugrad=333_333)
    request = QueryContributionsRequest(model_id=1, pagination=PageRequest(limit=2))
    first = rooms.query(PATH + "Contributions", request)
    request.pagination.key = first.pagination.next_key
    second = rooms.query(PATH + "Contributions", request)
    found = [record.trainer for record in (*first.contributions, *second.contributions)]
    assert found == [encode_address(trainer(index)) for index in range(3)]
    assert second.pagination.next_key == b""
    assert len(rooms.query(PATH + "Contributions", QueryContributionsRequest(model_id=3)).contributions) == 0


def test_contribution_that_is_not_there_is_not_found(rooms: Rooms) -> None:
    with pytest.raises(NotFound):
        rooms.query(PATH + "Contribution", QueryContributionRequest(model_id=1, trainer=BOB_TEXT))
    with pytest.raises(InvalidAddress):
        rooms.query(PATH + "Contribution", QueryContributionRequest(model_id=1, trainer="bob"))


def test_payouts_are_answered(rooms: Rooms) -> None:
    payouts = rooms.query(PATH + "Payouts", QueryPayoutsRequest()).payouts
    assert [(payout.consensus_address, payout.account) for payout in payouts] == [(PROPOSER, CAROL_TEXT)]


def test_earnings_that_did_not_leave_the_escrow_break_the_invariant(rooms: Rooms) -> None:
    model = rooms.create()
    pay(rooms, model, 1, [BOB])
    assert rooms.broken() == []
    carol = Contribution(model_id=1, trainer=CAROL_TEXT, units=1, earned_ugrad=1)
    rooms.rewards.put_contribution(rooms.ctx, carol)
    assert rooms.broken() == ["rewards/earnings"]
    ledger = rooms.rewards.ledger(rooms.ctx, 1)
    ledger.units = 2
    rooms.rewards.put_ledger(rooms.ctx, ledger)
    assert rooms.broken() == ["rewards/earnings"]
    carol.earned_ugrad = 0
    rooms.rewards.put_contribution(rooms.ctx, carol)
    assert rooms.broken() == []
    rooms.rewards.put_contribution(rooms.ctx, Contribution(model_id=2, trainer=CAROL_TEXT, units=1))
    assert rooms.broken() == ["rewards/earnings"]


def test_genesis_of_a_chain_that_goes_on_counts_only_what_is_still_to_be_emitted() -> None:
    reward = 467 * 10**15  # all blocks together have nearly 39 of these, and 2^64 is between 39 and 40
    state = {"params": params_json(initial_block_reward_ugrad=str(reward), halving_blocks="20"),
             "emission": {"scheduled_ugrad": str(7 * reward), "accrued_q64": "00" * 16}}
    rooms = Rooms()  # which go on behind height 7
    genesis.init_genesis(rooms.ctx, rooms.rewards, state)
    assert rooms.rewards.emission(rooms.ctx).scheduled_ugrad == 7 * reward
    with pytest.raises(GenesisInvalid, match="still to be emitted"):
        genesis.init_genesis(replace(Rooms().ctx, height=6), rooms.rewards, state)


def params_json(**changes: str) -> dict[str, str]:
    return {"initial_block_reward_ugrad": "1000", "halving_blocks": "10", "stakers_ppm": "300000",
            "work_ppm": "500000", "hosts_ppm": "100000", "community_ppm": "100000", "unback_blocks": "5"} | changes


@pytest.mark.parametrize(("change", "path"), [
    ({"payouts": [{"consensus_address": "09" * 19, "account": CAROL_TEXT}]}, "payouts[0].consensus_address"),
    ({"payouts": [{"consensus_address": "09" * 20, "account": "carol"}]}, "payouts[0].account"),
    ({"payouts": [{"consensus_address": "09" * 20, "account": CAROL_TEXT}] * 2}, "payouts[1].consensus_address"),
    ({"payouts": [{"account": CAROL_TEXT}]}, "payouts[0].consensus_address"),
    ({"fees": []}, "fees"),
    ({"contributions": [{"model_id": "2", "trainer": BOB_TEXT}]}, "contributions[0].model_id"),
    ({"contributions": [{"model_id": "1"}]}, "contributions[0].trainer"),
    ({"contributions": [{"model_id": "1", "trainer": BOB_TEXT, "units": "1"}] * 2}, "contributions[1].trainer"),
    ({"params": {}}, "params"),
    ({"params": params_json(stakers_ppm="300001")}, "params"),
    ({"params": params_json(halving_blocks="0")}, "params"),
    ({"params": params_json(unback_blocks="0")}, "params"),
    ({"params": params_json(initial_block_reward_ugrad=str(2**63))}, "params"),
    ({"params": params_json(initial_block_reward_ugrad=str(2**59), halving_blocks="8"),
      "emission": {"scheduled_ugrad": str(7 * 2**61), "accrued_q64": "00" * 16}}, "params.initial_block_reward_ugrad"),
    ({"emission": {}}, "emission.accrued_q64"),
    ({"ledgers": [{"model_id": "1", "booked_round": "1"}]}, "ledgers[0].booked_round"),
    ({"ledgers": [{"model_id": "1", "settled_q64": "00"}]}, "ledgers[0].settled_q64"),
    ({"ledgers": [{"model_id": "2", "settled_q64": "00" * 16}]}, "ledgers[0].model_id"),
    ({"ledgers": [{"model_id": "1", "settled_q64": "00" * 16}] * 2}, "ledgers[1].model_id"),
    ({"backings": [{"model_id": "2", "owner": BOB_TEXT, "amount_ugrad": "1"}]}, "backings[0].model_id"),
    ({"backings": [{"model_id": "1", "owner": BOB_TEXT}]}, "backings[0].amount_ugrad"),
    ({"backings": [{"model_id": "1", "owner": "bob", "amount_ugrad": "1"}]}, "backings[0].owner"),
    ({"backings": [{"model_id": "1", "owner": BOB_TEXT, "amount_ugrad": "1"}] * 2}, "backings[1].owner"),
    ({"unbackings": [{"model_id": "1", "owner": BOB_TEXT, "due_height": "9"}]}, "unbackings[0].amount_ugrad"),
    ({"unbackings": [{"model_id": "1", "owner": BOB_TEXT, "due_height": "9", "amount_ugrad": "1"}] * 2},
     "unbackings[1].owner"),
    ({"vestings": [{"model_id": "2", "round": "1"}]}, "vestings[0].model_id"),
    ({"vestings": [{"model_id": "1", "round": "1", "units": [{"trainer": "bob"}]}]}, "vestings[0].units[0].trainer"),
    ({"vestings": [{"model_id": "1", "round": "1", "units": [{"trainer": BOB_TEXT}]}] * 2}, "vestings[1].round"),
])
def test_mistake_in_the_genesis_is_named_by_its_path(rooms: Rooms, change: dict[str, object], path: str) -> None:
    rooms.create()
    state = rooms.export() | {"rewards": change}
    with pytest.raises(GenesisInvalid) as caught:
        Rooms(state)
    assert caught.value.path == f"app_state.rewards.{path}"
