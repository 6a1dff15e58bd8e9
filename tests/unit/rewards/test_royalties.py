"""Fees of answers: who earns by them, what trainers collect, and that rounding never makes a coin."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from abci_app.runtime.fee import FeeParts, compute_fee
from abci_app.runtime.genesis import GenesisInvalid
from abci_app.wire.address import encode_address, module_address
from abci_app.wire.coin import base_coin
from abci_app.wire.errors import InvariantBroken, NotFound
from abci_app.wire.ints import U64_MAX
from abci_app.wire.pb.gradus.models.v1.models_pb2 import InferencePolicy
from abci_app.wire.pb.gradus.rewards.v1.query_pb2 import QueryRoyaltiesRequest, QueryRoyaltiesResponse
from abci_app.wire.pb.gradus.rewards.v1.rewards_pb2 import Contribution, Royalties
from abci_app.wire.pb.gradus.rewards.v1.tx_pb2 import MsgCollectRoyalties
from abci_app.x.models.types.inference import default_policy
from abci_app.x.rewards.errors import NothingToCollect
from tests.unit.models.rooms import ALICE, BOB, BOB_TEXT, CAROL, Rooms, small_spec
from tests.unit.rewards.emitting import REWARDS, pay

PATH = "/gradus.rewards.v1.Query/Royalties"
PAYER = "work"  # any module that may burn
HOST, OWNER = bytes([50] * 20), bytes([51] * 20)
DANA, ERIN = bytes([60] * 20), bytes([61] * 20)


def trained(rooms: Rooms, trainers: tuple[bytes, ...] = (DANA, ERIN, ERIN)) -> Rooms:
    """The rooms with model 1 of Alice, for which each of these had a unit accepted."""
    rooms.audit_for_nothing()
    model = rooms.create(small_spec(round_reward_ugrad=0))
    if trainers:
        pay(rooms, model, 1, list(trainers), len(trainers))
    return rooms


def share(rooms: Rooms, ask_ugrad: int, policy: InferencePolicy | None = None) -> FeeParts:
    """An answer for which a host asks so much is paid, with coins of Bob."""
    policy = policy or default_policy()
    fee_ugrad = compute_fee(policy, ask_ugrad)
    rooms.bank.send_to_module(rooms.ctx, BOB, PAYER, (base_coin(fee_ugrad),))
    return rooms.rewards.share_fee(rooms.ctx, PAYER, 1, policy, HOST, fee_ugrad, ask_ugrad)


def collect(rooms: Rooms, trainer: bytes) -> int:
    """What a trainer is paid when it collects."""
    found: int = rooms.deliver(MsgCollectRoyalties(trainer=encode_address(trainer), model_id=1)).paid_ugrad
    return found


def ask_royalties(rooms: Rooms, trainer: bytes | None = None) -> QueryRoyaltiesResponse:
    """The answer to the room's query."""
    text = encode_address(trainer) if trainer else ""
    answer: QueryRoyaltiesResponse = rooms.query(PATH, QueryRoyaltiesRequest(model_id=1, trainer=text))
    return answer


def balances(rooms: Rooms, *accounts: bytes) -> list[int]:
    return [rooms.bank.balance(rooms.ctx, account) for account in accounts]


def test_fee_goes_to_host_trainers_admin_owner_auditors_and_nobody(rooms: Rooms) -> None:
    trained(rooms)
    supply = rooms.bank.supply(rooms.ctx)
    [admin] = balances(rooms, ALICE)
    policy = default_policy()
    policy.owner_ppm, policy.creator_ppm, policy.data_owner = 10_000, 40_000, encode_address(OWNER)
    parts = share(rooms, 700_000, policy)
    assert parts == FeeParts(700_000, 200_000, 40_000, 10_000, 30_000, 20_000)
    assert balances(rooms, HOST, OWNER, REWARDS, module_address(PAYER)) == [700_000, 10_000, 230_000, 0]
    assert balances(rooms, ALICE) == [admin + 40_000] and rooms.bank.supply(rooms.ctx) == supply - 20_000
    assert ask_royalties(rooms).royalties == Royalties(
        model_id=1, per_unit_q64=((200_000 << 64) // 3).to_bytes(16, "big"), owed_ugrad=200_000, pool_ugrad=30_000,
        fees_ugrad=1_000_000)
    assert rooms.events("rewards.fee_shared")[0].attributes == (
        ("model_id", "1"), ("host", encode_address(HOST)), ("host_ugrad", "700000"), ("trainers_ugrad", "200000"),
        ("creator_ugrad", "40000"), ("owner_ugrad", "10000"), ("auditors_ugrad", "30000"), ("burnt_ugrad", "20000"))
    assert rooms.broken() == []


def test_trainers_collect_by_their_accepted_units_rounded_down_and_once(rooms: Rooms) -> None:
    trained(rooms)
    share(rooms, 700_000)
    assert ask_royalties(rooms, ERIN).collectable_ugrad == 133_333
    assert (collect(rooms, DANA), collect(rooms, ERIN)) == (66_666, 133_333)
    assert balances(rooms, DANA, ERIN) == [66_666, 133_333]
    found = ask_royalties(rooms).royalties
    assert (found.owed_ugrad, found.collected_ugrad) == (1, 199_999)
    assert [event.attributes for event in rooms.events("rewards.royalties_collected")] == [
        (("model_id", "1"), ("trainer", encode_address(who)), ("amount_ugrad", amount))
        for who, amount in ((DANA, "66666"), (ERIN, "133333"))]
    before = rooms.state()
    with pytest.raises(NothingToCollect):
        collect(rooms, DANA)
    with pytest.raises(NothingToCollect):
        collect(rooms, CAROL)
    assert rooms.state() == before and rooms.broken() == []


def test_unit_earns_by_answers_that_are_paid_after_it_was_accepted(rooms: Rooms) -> None:
    trained(rooms, (DANA,))
    share(rooms, 700_000)
    pay(rooms, rooms.models.get_model(rooms.ctx, 1), 2, [ERIN], 1)
    assert (ask_royalties(rooms, DANA).collectable_ugrad, ask_royalties(rooms, ERIN).collectable_ugrad) == (200_000, 0)
    share(rooms, 700_000)
    assert (collect(rooms, DANA), collect(rooms, ERIN)) == (300_000, 100_000)
    assert rooms.broken() == []


def test_trainers_part_is_the_admins_while_nothing_is_trained(rooms: Rooms) -> None:
    trained(rooms, ())
    [admin] = balances(rooms, ALICE)
    parts = share(rooms, 700_000)
    assert (parts.trainers_ugrad, parts.creator_ugrad) == (0, 250_000)
    assert balances(rooms, ALICE) == [admin + 250_000]
    pay(rooms, rooms.models.get_model(rooms.ctx, 1), 1, [DANA], 1)
    assert ask_royalties(rooms, DANA).collectable_ugrad == 0 and rooms.broken() == []


def test_trainer_without_a_unit_left_still_collects_what_it_earned_and_is_then_forgotten(rooms: Rooms) -> None:
    trained(rooms, (DANA, ERIN))
    share(rooms, 700_000)
    rooms.rewards.revoke(rooms.ctx, 1, 1, 0)
    share(rooms, 700_000)
    assert rooms.broken() == []
    assert rooms.rewards.find_contribution(rooms.ctx, 1, DANA) == Contribution(
        model_id=1, trainer=encode_address(DANA), royalties_ugrad=100_000,
        settled_q64=(100_000 << 64).to_bytes(16, "big"))
    assert (collect(rooms, DANA), collect(rooms, ERIN)) == (100_000, 300_000)
    assert rooms.rewards.find_contribution(rooms.ctx, 1, DANA) is None
    assert ask_royalties(rooms).royalties.owed_ugrad == 0 and rooms.broken() == []


def test_auditors_of_answers_are_paid_alike_from_the_pool_and_never_more_than_it_holds(rooms: Rooms) -> None:
    trained(rooms)
    share(rooms, 700_000)
    assert rooms.rewards.pay_answer_auditors(rooms.ctx, 1, 1_000, [CAROL, BOB, CAROL]) == 999
    assert balances(rooms, CAROL) == [666]
    assert rooms.rewards.pay_answer_auditors(rooms.ctx, 1, 10**6, [CAROL, ERIN]) == 29_000
    assert balances(rooms, CAROL, ERIN) == [666 + 14_500, 14_500]
    assert rooms.rewards.pay_answer_auditors(rooms.ctx, 1, 10**6, [CAROL, ERIN]) == 0
    assert rooms.rewards.pay_answer_auditors(rooms.ctx, 1, 10**6, []) == 0
    assert [event.attributes[2] for event in rooms.events("rewards.answer_auditor_paid")] == [
        ("amount_ugrad", "333"), ("amount_ugrad", "666"), ("amount_ugrad", "14500"), ("amount_ugrad", "14500")]
    assert ask_royalties(rooms).royalties.pool_ugrad == 1 and rooms.broken() == []


def test_fees_beyond_any_record_are_burnt_instead_of_owed(rooms: Rooms) -> None:
    trained(rooms)
    rooms.rewards.put_royalties(rooms.ctx, Royalties(model_id=1, per_unit_q64=bytes(16), fees_ugrad=U64_MAX - 10))
    parts = share(rooms, 700_000)
    assert parts == FeeParts(700_000, 0, 50_000, 0, 0, 250_000)
    assert ask_royalties(rooms).royalties.fees_ugrad == U64_MAX and rooms.broken() == []


def test_host_that_asks_more_than_its_part_stops_the_chain(rooms: Rooms) -> None:
    trained(rooms)
    rooms.bank.send_to_module(rooms.ctx, BOB, PAYER, (base_coin(1_000),))
    with pytest.raises(InvariantBroken):
        rooms.rewards.share_fee(rooms.ctx, PAYER, 1, default_policy(), HOST, 1_000, 730)
    with pytest.raises(NotFound):
        rooms.query(PATH, QueryRoyaltiesRequest(model_id=2))


def test_royalties_survive_an_export(rooms: Rooms) -> None:
    trained(rooms)
    rooms.close(rooms.models.start_training(rooms.ctx, rooms.models.get_model(rooms.ctx, 1)), 1)
    share(rooms, 700_000)
    rooms.rewards.revoke(rooms.ctx, 1, 1, 0)
    again = Rooms(rooms.export())
    assert again.export() == rooms.export() and again.broken() == []
    assert (collect(again, DANA), collect(again, ERIN)) == (66_666, 133_333)


@pytest.mark.parametrize(("lists", "place"), [
    ({"royalties": [{"model_id": "2", "per_unit_q64": "00" * 16}]}, "royalties[0].model_id"),
    ({"royalties": [{"model_id": "1", "per_unit_q64": "00"}]}, "royalties[0].per_unit_q64"),
    ({"royalties": [{"model_id": "1", "per_unit_q64": "00" * 16}] * 2}, "royalties[1].model_id"),
    ({"contributions": [{"model_id": "1", "trainer": BOB_TEXT, "units": "1", "settled_q64": "00"}]},
     "contributions[0].settled_q64"),
    ({"contributions": [{"model_id": "1", "trainer": BOB_TEXT}]}, "contributions[0].units"),
])
def test_mistake_in_the_genesis_is_named_by_its_path(rooms: Rooms, lists: dict[str, Any], place: str) -> None:
    trained(rooms, ())
    state = rooms.export()
    state["rewards"] |= lists
    with pytest.raises(GenesisInvalid) as refused:
        Rooms(state)
    assert f"app_state.rewards.{place}" in str(refused.value)


@pytest.mark.parametrize("breach", [
    lambda rooms, found: setattr(found, "owed_ugrad", found.owed_ugrad - 1),
    lambda rooms, found: setattr(found, "per_unit_q64", bytes(16)),
    lambda rooms, found: setattr(found, "fees_ugrad", 1),
])
def test_royalties_that_contradict_themselves_are_noticed(
        rooms: Rooms, breach: Callable[[Rooms, Royalties], None]) -> None:
    trained(rooms, (DANA, ERIN))
    share(rooms, 700_000)
    rooms.rewards.revoke(rooms.ctx, 1, 1, 0)
    found = rooms.rewards.royalties(rooms.ctx, 1)
    breach(rooms, found)
    rooms.rewards.put_royalties(rooms.ctx, found)
    assert "rewards/royalties" in rooms.broken()


STEPS = st.lists(st.one_of(
    st.tuples(st.just("fee"), st.integers(0, 1), st.integers(1, 10**6)),
    st.tuples(st.just("book"), st.integers(1, 4), st.integers(0, 2)),
    st.tuples(st.just("revoke"), st.integers(0, 5), st.integers(0, 3)),
    st.tuples(st.just("release"), st.integers(0, 5), st.just(0)),
    st.tuples(st.just("collect"), st.integers(0, 3), st.just(0)),
    st.tuples(st.just("audit"), st.integers(0, 4), st.integers(0, 10**5))), max_size=40)


class Answers:
    """A model that is trained, asked and collected from, and what its trainers have been given, known from outside."""

    def __init__(self) -> None:
        self.rooms = trained(Rooms(), ())
        self.people = [DANA, ERIN, CAROL, bytes([62] * 20)]
        self.given = self.collected = self.burnt = self.number = 0
        self.vesting: dict[int, list[int]] = {}
        self.supply = self.rooms.bank.supply(self.rooms.ctx)

    def fee(self, plain: int, ask_ugrad: int) -> None:
        """An answer is paid."""
        policy = default_policy()
        if plain:
            policy.hosts_ppm, policy.trainers_ppm = 1, policy.trainers_ppm + 699_999
            ask_ugrad = ask_ugrad % 1_000 + 1
        parts = share(self.rooms, ask_ugrad, policy)
        self.given += parts.trainers_ugrad
        self.burnt += parts.burnt_ugrad

    def book(self, accepted: int, first: int) -> None:
        """A round closes."""
        self.number += 1
        model = self.rooms.models.get_model(self.rooms.ctx, 1)
        pay(self.rooms, model, self.number, [self.people[(first + one) % 4] for one in range(accepted)], 4)
        self.vesting[self.number] = list(range(accepted))

    def revoke(self, number: int, unit: int) -> None:
        """A unit is proved wrong."""
        if unit in self.vesting.get(number, []):
            self.rooms.rewards.revoke(self.rooms.ctx, 1, number, unit)
            self.vesting[number].remove(unit)

    def release(self, number: int, _: int) -> None:
        """A round's window ends."""
        self.rooms.rewards.release_round(self.rooms.ctx, 1, number)
        self.vesting.pop(number, None)

    def collect(self, which: int, _: int) -> None:
        """A trainer collects what the room tells it can."""
        told = ask_royalties(self.rooms, self.people[which]).collectable_ugrad
        if told:
            assert collect(self.rooms, self.people[which]) == told
            self.collected += told
        else:
            with pytest.raises(NothingToCollect):
                collect(self.rooms, self.people[which])

    def audit(self, count: int, amount_ugrad: int) -> None:
        """Auditors are paid."""
        self.rooms.rewards.pay_answer_auditors(self.rooms.ctx, 1, amount_ugrad, [BOB, CAROL, BOB, DANA][:count])


@settings(max_examples=60, deadline=None)
@given(steps=STEPS)
def test_trainers_never_collect_more_than_fees_gave_them_whatever_is_booked_and_revoked_between(
        steps: list[tuple[str, int, int]]) -> None:
    answers = Answers()
    for kind, which, amount in steps:
        getattr(answers, kind)(which, amount)
        assert answers.rooms.broken() == []
        assert answers.rooms.bank.supply(answers.rooms.ctx) == answers.supply - answers.burnt
    for which in range(4):
        answers.collect(which, 0)
    owed = answers.rooms.rewards.royalties(answers.rooms.ctx, 1).owed_ugrad
    assert answers.collected + owed == answers.given
    assert owed <= len(steps) * 5, "only rounding is left: below a ugrad for each fee and each settling"
    assert answers.rooms.broken() == []
