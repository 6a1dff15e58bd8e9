"""Whatever an admin, governance and strangers do to a model while rounds are dealt, closed and lost: its terms stay in
its limits, no round is stuck and no coin is lost.
"""

from typing import Any

import pytest
from google.protobuf.message import Message
from hypothesis import given, settings
from hypothesis import strategies as st

from abci_app.runtime.contract import LIVE_STATUSES
from abci_app.wire.address import encode_address, module_address
from abci_app.wire.coin import base_coin, coin_pb
from abci_app.wire.errors import ChainError
from abci_app.wire.pb.gradus.models.v1.models_pb2 import MODEL_STATUS_OPEN, MODEL_STATUS_RETIRED, Model, ModelSpec
from abci_app.wire.pb.gradus.models.v1.tx_pb2 import (
    MsgAcceptAdmin, MsgAttachData, MsgCloseModel, MsgFundModel, MsgInviteTrainers, MsgOfferAdmin, MsgPauseModel,
    MsgResumeModel, MsgUpdateModel,
)
from abci_app.x.models.types.limits import CHOICES, NUMBER_FIELDS, get_policy_value, is_allowed
from abci_app.x.models.types.terms import GOVERNANCE, check_spec
from kernels import dispatch
from tests.unit.models.rooms import ALICE, ALICE_TEXT, BOB, BOB_TEXT, FUNDS_UGRAD, Rooms, small_spec

GUESTS = tuple(encode_address(bytes([n] * 20)) for n in range(10, 15))
SETTINGS = (("training.local_steps", (7, 8, 16, 64, 65)), ("training.rounds", (0, 1, 2, 3, 50)),
            ("training.batch_rows", (8, 16)), ("training.trainers_min", (3, 4, 5)), ("training.kept_rounds", (3, 4)),
            ("training.learning_rate.peak_q16", (1, 6554)), ("training.codec", ("int8/256", "int4/256", "int2/256")),
            ("audit.rate_ppm", (300_000, 400_000)), ("audit.challenge_blocks", (3, 9)),
            ("economy.round_reward_ugrad", (1, 1_000_000, 2_000_000, 2_000_001)),
            ("economy.bond_ugrad", (0, 1, 12_000_000, 24_000_000)))
SIGNERS = st.sampled_from((ALICE_TEXT, ALICE_TEXT, ALICE_TEXT, BOB_TEXT))
AUTHORITIES = st.sampled_from((ALICE_TEXT, ALICE_TEXT, BOB_TEXT, GOVERNANCE))
EVENTS = st.sampled_from(("deal", "close", "close", "fail", "tick"))
STEPS = st.lists(st.one_of(
    EVENTS, EVENTS,
    st.tuples(st.just("update"), AUTHORITIES,
              st.lists(st.sampled_from([(field, value) for field, values in SETTINGS for value in values]),
                       min_size=1, max_size=3)),
    st.builds(MsgAttachData, admin=SIGNERS, model_id=st.just(1), rounds_more=st.integers(0, 2),
              dataset=st.sampled_from((None, small_spec().dataset, small_spec(trainers_min=1).dataset))),
    st.builds(MsgPauseModel, authority=AUTHORITIES, model_id=st.just(1)),
    st.builds(MsgResumeModel, authority=AUTHORITIES, model_id=st.just(1)),
    st.builds(MsgInviteTrainers, admin=SIGNERS, model_id=st.just(1), add=st.lists(st.sampled_from(GUESTS), max_size=5),
              remove=st.lists(st.sampled_from(GUESTS), max_size=3), open=st.booleans()),
    st.builds(MsgOfferAdmin, admin=SIGNERS, model_id=st.just(1), recipient=st.sampled_from(("", ALICE_TEXT, BOB_TEXT))),
    st.builds(MsgAcceptAdmin, recipient=SIGNERS, model_id=st.just(1)),
    st.builds(MsgFundModel, sender=SIGNERS, model_id=st.just(1), amount=st.just(coin_pb(base_coin(1_000)))),
    st.builds(MsgCloseModel, admin=SIGNERS, model_id=st.just(1)),
), max_size=30)


class Life:
    """One model, the rounds that are dealt of it, and what must hold whatever happens."""

    def __init__(self) -> None:
        self.rooms = Rooms()
        spec = small_spec(rounds=2, challenge_blocks=3)
        spec.training.kept_rounds = 3
        for field, low, high in (("audit.challenge_blocks", 3, 9), ("economy.bond_ugrad", 0, 2**40),
                                 ("economy.round_reward_ugrad", 1, 2_000_000), ("training.kept_rounds", 1, 9),
                                 ("training.local_steps", 8, 64), ("training.rounds", 0, 60),
                                 ("training.trainers_min", 1, 9)):
            spec.limits.ranges.add(field=field, min=low, max=high)
        spec.limits.choices.add(field="training.codec", values=["int4/256", "int8/256"])
        self.first = self.rooms.create(spec).spec
        self.rooms.rounds.mark_idle(self.rooms.ctx, 1)  # as who enrols does
        self.governed: set[str] = set()
        self.dealt = ModelSpec()

    def model(self) -> Model:
        return self.rooms.models.get_model(self.rooms.ctx, 1)

    def run(self, step: Any) -> None:
        """One event of a round, or one message."""
        if isinstance(step, str):
            getattr(self, step)()
        elif isinstance(step, tuple):
            self.update(*step[1:])
        else:
            self.deliver(step)

    def tick(self) -> None:
        """What the room of rounds does with a model that waits and is not live."""
        if self.model().status not in LIVE_STATUSES:
            self.rooms.rounds.idle.clear()

    def deal(self) -> None:
        if not self.rooms.rounds.idle or self.model().status not in LIVE_STATUSES:
            return
        self.rooms.rounds.idle.clear()
        model = self.rooms.models.apply_pending(self.rooms.ctx, 1)
        assert model.status in LIVE_STATUSES
        if model.status == MODEL_STATUS_OPEN:
            model = self.rooms.models.start_training(self.rooms.ctx, model)
        self.dealt.CopyFrom(model.spec)
        self.rooms.rounds.running = [1]

    def close(self) -> None:
        """The round closes by the terms by which it was dealt, pays, and the next is dealt or waits."""
        if not self.rooms.rounds.running:
            return
        model = self.model()
        terms = self.rooms.models.get_spec(self.rooms.ctx, 1, model.spec_version)
        assert (terms.training, terms.dataset) == (self.dealt.training, self.dealt.dataset)
        paid = min(model.escrow_ugrad, terms.economy.round_reward_ugrad)
        self.rooms.models.draw_escrow(self.rooms.ctx, 1, BOB, paid)
        self.rooms.close(self.model(), 1)
        self.fail()

    def fail(self) -> None:
        if self.rooms.rounds.running:
            self.rooms.rounds.running = []
            if self.model().status in LIVE_STATUSES:
                self.rooms.rounds.mark_idle(self.rooms.ctx, 1)

    def update(self, authority: str, changes: list[tuple[str, Any]]) -> None:
        spec = ModelSpec()
        spec.CopyFrom(self.rooms.models.find_pending(self.rooms.ctx, 1) or self.model().spec)
        for field, value in changes:
            *parts, name = field.split(".")
            part = spec
            for inner in parts:
                part = getattr(part, inner)
            setattr(part, name, value)
        taken = self.deliver(MsgUpdateModel(authority=authority, model_id=1, training=spec.training, audit=spec.audit,
                                            economy=spec.economy))
        if taken and authority == GOVERNANCE:
            self.governed.update(field for field, _ in changes)

    def deliver(self, message: Message) -> bool:
        """Whether the message was taken; a refusal has a code and writes nothing."""
        before = self.rooms.state()
        try:
            self.rooms.deliver(message)
        except ChainError as error:
            assert error.code > 1 and self.rooms.state() == before
            return False
        return True

    def check(self) -> None:
        """Limits, coins, invariants, and that a live model has a round or waits for one."""
        rooms, model = self.rooms, self.model()
        assert [name for name in rooms.broken() if not name.startswith("rewards/")] == []
        held = [rooms.bank.balance(rooms.ctx, one) for one in (ALICE, BOB, module_address("models"))]
        assert sum(held) == 2 * FUNDS_UGRAD and held[2] == model.escrow_ugrad
        assert bool(model.status in LIVE_STATUSES) <= bool(rooms.rounds.running or rooms.rounds.idle)
        for spec in (model.spec, rooms.models.find_pending(rooms.ctx, 1) or model.spec):
            check_spec(spec)
            for field in (*NUMBER_FIELDS, *CHOICES):
                value = get_policy_value(spec, field)
                assert value == get_policy_value(self.first, field) or field in self.governed \
                    or field == "training.rounds" or is_allowed(spec.limits, field, value)


@settings(max_examples=150, deadline=None)
@given(steps=STEPS)
def test_no_sequence_of_messages_leaves_the_limits_stops_a_round_or_loses_a_coin(steps: list[Any]) -> None:
    with dispatch.forced("ref"):
        life = Life()
        life.check()
        for step in steps:
            life.run(step)
            life.check()
        exported = life.rooms.export()
        again = Rooms(exported)
        assert again.export() == exported


@pytest.mark.parametrize("steps", [
    ("deal", "close", "deal", MsgAttachData(admin=ALICE_TEXT, model_id=1, rounds_more=1), "close", "deal", "close"),
    ("deal", "close", "deal", "close", MsgAttachData(admin=ALICE_TEXT, model_id=1, rounds_more=1), "deal", "close"),
    ("deal", MsgPauseModel(authority=ALICE_TEXT, model_id=1), "close", "tick",
     MsgResumeModel(authority=ALICE_TEXT, model_id=1), "deal", "close"),
    ("deal", "fail", MsgCloseModel(admin=ALICE_TEXT, model_id=1), "tick", "deal"),
])
def test_lives_by_hand_go_as_far_as_they_are_meant_to(steps: tuple[Any, ...]) -> None:
    """That the events of the property above do happen: each of these lives ends with no round left to deal."""
    with dispatch.forced("ref"):
        life = Life()
        for step in steps:
            life.run(step)
            life.check()
        assert life.rooms.rounds.running == [] and life.model().status not in LIVE_STATUSES
        assert life.model().rounds_closed == sum(step == "close" for step in steps)
        assert (life.model().status == MODEL_STATUS_RETIRED) == any(isinstance(step, MsgCloseModel) for step in steps)
