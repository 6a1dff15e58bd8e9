"""The life of a contract after its creation: other terms, other data, pauses, invitations, another admin."""

from collections.abc import Callable
from typing import Any

import pytest
from google.protobuf.message import Message

from abci_app.wire.address import encode_address
from abci_app.wire.errors import ChainError, InvalidAddress
from abci_app.wire.pb.gradus.models.v1.models_pb2 import (
    MODEL_STATUS_OPEN, MODEL_STATUS_PAUSED, MODEL_STATUS_RETIRED, MODEL_STATUS_SERVING, MODEL_STATUS_TRAINING, Model,
    ModelSpec,
)
from abci_app.wire.pb.gradus.models.v1.query_pb2 import QuerySpecRequest, QueryVersionsRequest
from abci_app.wire.pb.gradus.models.v1.tx_pb2 import (
    MsgAcceptAdmin, MsgAttachData, MsgCloseModel, MsgFundModel, MsgInviteTrainers, MsgOfferAdmin, MsgPauseModel,
    MsgResumeModel, MsgUpdateModel,
)
from abci_app.x.models import errors
from abci_app.x.models.types.terms import GOVERNANCE, VERSIONS_MAX
from tests.unit.models.rooms import ALICE, ALICE_TEXT, BOB, BOB_TEXT, CAROL, CAROL_TEXT, FUNDS_UGRAD, Rooms, small_spec

GUESTS = tuple(encode_address(bytes([n] * 20)) for n in range(10, 14))


def limited_spec(**changes: Any) -> ModelSpec:
    """A contract whose admin may change its local steps, its rounds, its reward and its codec."""
    spec = small_spec(**changes)
    for field, low, high in (("economy.round_reward_ugrad", 1, 1_500_000), ("training.local_steps", 8, 64),
                             ("training.rounds", 0, 1_000)):
        spec.limits.ranges.add(field=field, min=low, max=high)
    spec.limits.choices.add(field="training.codec", values=["int4/256", "int8/256"])
    return spec


def update(rooms: Rooms, change: Callable[[ModelSpec], None], authority: str = ALICE_TEXT, model_id: int = 1) -> int:
    """Deliver an update that makes `change` of the terms that stand or wait; the version that it answers."""
    model = rooms.models.get_model(rooms.ctx, model_id)
    spec = ModelSpec()
    spec.CopyFrom(rooms.models.find_pending(rooms.ctx, model_id) or model.spec)
    change(spec)
    return rooms.deliver(MsgUpdateModel(authority=authority, model_id=model_id, training=spec.training,
                                        audit=spec.audit, economy=spec.economy)).spec_version


def set_steps(steps: int) -> Callable[[ModelSpec], None]:
    def change(spec: ModelSpec) -> None:
        spec.training.local_steps = steps
    return change


def set_rounds(rounds: int) -> Callable[[ModelSpec], None]:
    def change(spec: ModelSpec) -> None:
        spec.training.rounds = rounds
    return change


def get(rooms: Rooms) -> Model:
    return rooms.models.get_model(rooms.ctx, 1)


def trained(rooms: Rooms, rounds: int = 1, spec: ModelSpec | None = None) -> Model:
    """A model whose rounds are all closed."""
    model = rooms.models.start_training(rooms.ctx, rooms.create(spec or limited_spec(rounds=rounds)))
    for fill in range(1, rounds + 1):
        model = rooms.close(model, fill)
    assert model.status == MODEL_STATUS_SERVING
    return model


def refused(rooms: Rooms, error: type[ChainError], deliver: Callable[[], object]) -> None:
    """The message is refused with this error, and nothing is written."""
    before = rooms.state()
    with pytest.raises(ChainError) as caught:
        deliver()
    assert type(caught.value) is error
    assert rooms.state() == before


def test_update_while_no_round_runs_is_in_force_at_once_and_the_old_terms_stay_by_their_version(rooms: Rooms) -> None:
    first = rooms.create(limited_spec())
    assert (first.spec_version, first.spec_height) == (1, 7)
    assert update(rooms, set_steps(16)) == 2
    model = get(rooms)
    assert (model.spec_version, model.spec.training.local_steps) == (2, 16)
    assert rooms.models.get_spec(rooms.ctx, 1, 1) == first.spec
    assert rooms.models.get_spec(rooms.ctx, 1, 2) == model.spec
    for unknown in (0, 3, 2**40):
        with pytest.raises(errors.VersionNotFound):
            rooms.models.get_spec(rooms.ctx, 1, unknown)
    assert [event.attributes for event in rooms.events("models.terms_changed")] == [
        (("model_id", "1"), ("spec_version", "2"))]
    assert rooms.rounds.idle == [] and rooms.broken() == []


def test_update_while_a_round_runs_waits_until_the_next_is_dealt(rooms: Rooms) -> None:
    model = rooms.models.start_training(rooms.ctx, rooms.create(limited_spec()))
    rooms.rounds.running = [1]
    assert update(rooms, set_steps(16)) == 2
    assert update(rooms, set_rounds(30)) == 2
    assert get(rooms).spec == model.spec and rooms.broken() == []
    rooms.rounds.running = []
    rooms.close(model, 1)
    assert get(rooms).spec == model.spec
    applied = rooms.models.apply_pending(rooms.ctx, 1)
    assert (applied.spec_version, applied.spec.training.local_steps, applied.spec.training.rounds) == (2, 16, 30)
    assert applied == get(rooms) == rooms.models.apply_pending(rooms.ctx, 1)
    assert rooms.models.find_pending(rooms.ctx, 1) is None and rooms.broken() == []


def test_update_after_a_round_takes_what_waits_with_it(rooms: Rooms) -> None:
    rooms.create(limited_spec())
    rooms.rounds.running = [1]
    update(rooms, set_steps(16))
    rooms.rounds.running = []
    assert update(rooms, set_rounds(30)) == 2
    model = get(rooms)
    assert (model.spec.training.local_steps, model.spec.training.rounds) == (16, 30)
    assert rooms.models.find_pending(rooms.ctx, 1) is None and rooms.broken() == []


@pytest.mark.parametrize("running", [[1], []])
def test_update_back_to_what_stands_withdraws_what_waits_without_a_version(rooms: Rooms, running: list[int]) -> None:
    rooms.create(limited_spec())
    rooms.rounds.running = [1]
    update(rooms, set_steps(16))
    rooms.rounds.running = running
    assert update(rooms, set_steps(32)) == 1
    assert rooms.models.find_pending(rooms.ctx, 1) is None and get(rooms).spec_version == 1
    assert len(rooms.events("models.terms_withdrawn")) == 1 and rooms.broken() == []


@pytest.mark.parametrize(("change", "error"), [
    ("spec.training.local_steps = 7", errors.LimitExceeded),
    ("spec.training.local_steps = 65", errors.LimitExceeded),
    ("spec.training.batch_rows = 17", errors.LimitExceeded),
    ("spec.training.learning_rate.peak_q16 += 1", errors.LimitExceeded),
    ("spec.training.codec = 'int2/256'", errors.LimitExceeded),
    ("spec.training.aggregation = 'median'", errors.LimitExceeded),
    ("spec.audit.rate_ppm = 1_000_000", errors.LimitExceeded),
    ("spec.audit.challenge_bond_ugrad += 1", errors.LimitExceeded),
    ("spec.economy.bond_ugrad += 1", errors.LimitExceeded),
    ("spec.economy.round_reward_ugrad = 1_500_001", errors.LimitExceeded),
    ("pass", errors.ChangeEmpty),
    ("spec.training.rounds = 1", errors.RoundPolicyInvalid),
    ("spec.training.rounds = 2", errors.RoundPolicyInvalid),
])
def test_update_that_the_contract_does_not_allow_its_admin_is_refused(
        rooms: Rooms, change: str, error: type[ChainError]) -> None:
    """Two rounds are dealt: one is closed and one runs."""
    rooms.close(rooms.models.start_training(rooms.ctx, rooms.create(limited_spec())), 1)
    rooms.rounds.running = [1]
    refused(rooms, error, lambda: update(rooms, lambda spec: exec(change, {"spec": spec})))


@pytest.mark.parametrize(("change", "error"), [
    ("spec.training.local_steps = 5_000", errors.UnitPolicyInvalid),
    ("spec.training.kept_rounds = 63", errors.RoundPolicyInvalid),
    ("spec.economy.bond_ugrad = 1", errors.BondTooLow),
    ("spec.audit.challenge_blocks = 190", errors.AuditPolicyInvalid),
    ("pass", errors.ChangeEmpty),
])
def test_update_to_terms_that_no_contract_may_have_is_refused_even_of_governance(
        rooms: Rooms, change: str, error: type[ChainError]) -> None:
    rooms.create()
    refused(rooms, error, lambda: update(rooms, lambda spec: exec(change, {"spec": spec}), GOVERNANCE))


def test_governance_goes_beyond_the_limits_and_the_admin_stays_within_them_afterwards(rooms: Rooms) -> None:
    rooms.create(limited_spec())
    assert update(rooms, set_steps(128), GOVERNANCE) == 2
    refused(rooms, errors.LimitExceeded, lambda: update(rooms, set_steps(127)))
    assert update(rooms, set_rounds(30)) == 3
    assert get(rooms).spec.training.local_steps == 128 and rooms.broken() == []


def test_changes_are_for_the_admin_or_governance_and_for_models_that_are_there_and_not_closed(rooms: Rooms) -> None:
    rooms.create(limited_spec())
    refused(rooms, errors.NotAdmin, lambda: update(rooms, set_steps(16), BOB_TEXT))
    for message in messages(BOB_TEXT, 1):
        refused(rooms, errors.NotAdmin, lambda: rooms.deliver(message))
    for message in messages(ALICE_TEXT, 2):
        refused(rooms, errors.ModelNotFound, lambda: rooms.deliver(message))
    for message in messages("gradus1", 1):
        refused(rooms, InvalidAddress, lambda: rooms.deliver(message))
    rooms.deliver(MsgCloseModel(admin=ALICE_TEXT, model_id=1))
    for message in messages(ALICE_TEXT, 1):
        refused(rooms, errors.ModelRetired, lambda: rooms.deliver(message))


def messages(signer: str, model_id: int) -> tuple[Message, ...]:
    """One of each that only an admin may send."""
    economy = small_spec().economy
    economy.bond_ugrad += 1
    return (MsgUpdateModel(authority=signer, model_id=model_id, economy=economy),
            MsgAttachData(admin=signer, model_id=model_id, rounds_more=1),
            MsgPauseModel(authority=signer, model_id=model_id), MsgResumeModel(authority=signer, model_id=model_id),
            MsgInviteTrainers(admin=signer, model_id=model_id, add=GUESTS),
            MsgOfferAdmin(admin=signer, model_id=model_id, recipient=CAROL_TEXT))


@pytest.mark.parametrize("message", [
    MsgUpdateModel(authority=ALICE_TEXT, model_id=1), MsgAttachData(admin=ALICE_TEXT, model_id=1),
    MsgInviteTrainers(admin=ALICE_TEXT, model_id=1), MsgOfferAdmin(admin=ALICE_TEXT, model_id=1, recipient=ALICE_TEXT),
    MsgOfferAdmin(admin=ALICE_TEXT, model_id=1),
])
def test_message_that_changes_nothing_is_refused(rooms: Rooms, message: Message) -> None:
    rooms.create()
    refused(rooms, errors.ChangeEmpty, lambda: rooms.deliver(message))


def test_terms_change_no_more_often_than_their_versions_are_kept(rooms: Rooms) -> None:
    model = rooms.create(limited_spec())
    model.spec_version = VERSIONS_MAX
    rooms.models.put_model(rooms.ctx, model)
    refused(rooms, errors.VersionsExhausted, lambda: update(rooms, set_steps(16)))


def test_serving_model_trains_again_on_attached_rows_and_waits_for_a_round(rooms: Rooms) -> None:
    model = trained(rooms)
    more = model.spec.dataset
    more.rows_root, more.train_rows = bytes([7] * 32), 900
    assert rooms.deliver(MsgAttachData(admin=ALICE_TEXT, model_id=1, dataset=more, rounds_more=2)).spec_version == 2
    model = get(rooms)
    assert (model.status, model.spec.training.rounds, model.spec.dataset) == (MODEL_STATUS_TRAINING, 3, more)
    assert rooms.rounds.idle == [1]
    assert [event.type for event in rooms.ctx.events][-2:] == ["models.terms_changed", "models.training_extended"]
    model = rooms.close(model, 2)
    assert rooms.close(model, 3).status == MODEL_STATUS_SERVING and rooms.broken() == []


def test_rows_attached_while_a_round_runs_are_trained_on_from_the_next(rooms: Rooms) -> None:
    model = rooms.models.start_training(rooms.ctx, rooms.create(limited_spec(rounds=1)))
    rooms.rounds.running = [1]
    more = small_spec().dataset
    more.train_rows = 91
    rooms.deliver(MsgAttachData(admin=ALICE_TEXT, model_id=1, dataset=more, rounds_more=1))
    rooms.rounds.running = []
    model = rooms.close(model, 1)
    assert (model.status, model.spec.dataset.train_rows) == (MODEL_STATUS_TRAINING, 90)
    assert rooms.models.apply_pending(rooms.ctx, 1).spec.dataset.train_rows == 91
    assert rooms.rounds.idle == [] and rooms.broken() == []


def test_rows_alone_leave_a_serving_model_serving(rooms: Rooms) -> None:
    trained(rooms)
    more = small_spec().dataset
    more.train_rows = 91
    rooms.deliver(MsgAttachData(admin=ALICE_TEXT, model_id=1, dataset=more))
    assert (get(rooms).status, rooms.rounds.idle) == (MODEL_STATUS_SERVING, []) and rooms.broken() == []


def test_rounds_of_an_update_make_a_serving_model_train_again_too(rooms: Rooms) -> None:
    trained(rooms)
    update(rooms, set_rounds(0))
    assert (get(rooms).status, rooms.rounds.idle) == (MODEL_STATUS_TRAINING, [1]) and rooms.broken() == []


@pytest.mark.parametrize(("dataset", "rounds_more", "error"), [
    ({"features": 5}, 0, errors.DatasetUnfit), ({"classes": 4}, 0, errors.DatasetUnfit),
    ({"train_rows": 0}, 0, errors.DatasetInvalid), ({"rows_root": bytes(31)}, 1, errors.DatasetInvalid),
    (None, 1_000_000, errors.RoundPolicyInvalid), ({}, 0, errors.ChangeEmpty),
])
def test_data_that_do_not_fit_are_refused(rooms: Rooms, dataset: dict[str, Any] | None, rounds_more: int,
                                          error: type[ChainError]) -> None:
    rooms.create()
    message = MsgAttachData(admin=ALICE_TEXT, model_id=1, rounds_more=rounds_more)
    if dataset is not None:
        message.dataset.CopyFrom(small_spec().dataset)
        for name, value in dataset.items():
            setattr(message.dataset, name, value)
    refused(rooms, error, lambda: rooms.deliver(message))


def test_model_that_trains_without_end_has_no_rounds_to_add(rooms: Rooms) -> None:
    rooms.create(small_spec(rounds=0))
    refused(rooms, errors.RoundPolicyInvalid,
            lambda: rooms.deliver(MsgAttachData(admin=ALICE_TEXT, model_id=1, rounds_more=1)))


@pytest.mark.parametrize("status", [MODEL_STATUS_OPEN, MODEL_STATUS_TRAINING, MODEL_STATUS_SERVING])
def test_paused_model_goes_on_as_what_it_was(rooms: Rooms, status: int) -> None:
    rooms.create(limited_spec(rounds=1))
    if status != MODEL_STATUS_OPEN:
        rooms.models.start_training(rooms.ctx, get(rooms))
    if status == MODEL_STATUS_SERVING:
        rooms.close(get(rooms), 1)
    rooms.deliver(MsgPauseModel(authority=ALICE_TEXT, model_id=1))
    assert (get(rooms).status, get(rooms).paused_by) == (MODEL_STATUS_PAUSED, ALICE_TEXT) and rooms.broken() == []
    refused(rooms, errors.ModelPaused, lambda: rooms.deliver(MsgPauseModel(authority=ALICE_TEXT, model_id=1)))
    rooms.deliver(MsgResumeModel(authority=ALICE_TEXT, model_id=1))
    assert (get(rooms).status, get(rooms).paused_by) == (status, "") and rooms.broken() == []
    assert rooms.rounds.idle == ([] if status == MODEL_STATUS_SERVING else [1])
    refused(rooms, errors.ModelNotPaused, lambda: rooms.deliver(MsgResumeModel(authority=ALICE_TEXT, model_id=1)))


def test_round_that_runs_while_its_model_is_paused_is_closed_and_the_model_stays_paused(rooms: Rooms) -> None:
    rooms.models.start_training(rooms.ctx, rooms.create(small_spec(rounds=2)))
    rooms.rounds.running = [1]
    rooms.deliver(MsgPauseModel(authority=ALICE_TEXT, model_id=1))
    model = rooms.close(get(rooms), 1)
    assert (model.status, model.rounds_closed) == (MODEL_STATUS_PAUSED, 1) and rooms.broken() == []
    rooms.deliver(MsgResumeModel(authority=ALICE_TEXT, model_id=1))
    assert get(rooms).status == MODEL_STATUS_TRAINING
    assert rooms.rounds.idle == []  # a round runs, and its end deals the next
    rooms.deliver(MsgPauseModel(authority=ALICE_TEXT, model_id=1))
    assert rooms.close(get(rooms), 2).status == MODEL_STATUS_PAUSED
    rooms.rounds.running = []
    rooms.deliver(MsgResumeModel(authority=ALICE_TEXT, model_id=1))
    assert (get(rooms).status, rooms.rounds.idle) == (MODEL_STATUS_SERVING, []) and rooms.broken() == []


def test_only_governance_resumes_what_governance_paused(rooms: Rooms) -> None:
    rooms.create()
    rooms.deliver(MsgPauseModel(authority=ALICE_TEXT, model_id=1))
    rooms.deliver(MsgPauseModel(authority=GOVERNANCE, model_id=1))
    refused(rooms, errors.ModelPaused, lambda: rooms.deliver(MsgPauseModel(authority=GOVERNANCE, model_id=1)))
    resume = MsgResumeModel(authority=ALICE_TEXT, model_id=1)
    refused(rooms, errors.PausedByGovernance, lambda: rooms.deliver(resume))
    rooms.deliver(MsgResumeModel(authority=GOVERNANCE, model_id=1))
    assert get(rooms).status == MODEL_STATUS_OPEN and rooms.broken() == []


def test_model_that_is_extended_while_paused_trains_when_it_is_resumed(rooms: Rooms) -> None:
    trained(rooms)
    rooms.deliver(MsgPauseModel(authority=ALICE_TEXT, model_id=1))
    rooms.deliver(MsgAttachData(admin=ALICE_TEXT, model_id=1, rounds_more=1))
    assert (get(rooms).status, rooms.rounds.idle) == (MODEL_STATUS_PAUSED, []) and rooms.broken() == []
    rooms.deliver(MsgResumeModel(authority=ALICE_TEXT, model_id=1))
    assert (get(rooms).status, rooms.rounds.idle) == (MODEL_STATUS_TRAINING, [1]) and rooms.broken() == []


def test_who_is_invited_changes_at_once_without_a_version(rooms: Rooms) -> None:
    rooms.create(small_spec(invited_trainers=GUESTS, trainers_min=3))
    rooms.deliver(MsgInviteTrainers(admin=ALICE_TEXT, model_id=1, add=[BOB_TEXT], remove=GUESTS[1:3]))
    model = get(rooms)
    assert list(model.spec.invited_trainers) == [GUESTS[0], GUESTS[3], BOB_TEXT] and model.spec_version == 1
    assert rooms.models.is_invited(model, BOB) and not rooms.models.is_invited(model, CAROL)
    assert not rooms.models.is_invited(model, bytes([11] * 20))
    assert [event.attributes for event in rooms.events("models.trainers_invited")] == [
        (("model_id", "1"), ("invited_count", "3"))]
    assert rooms.broken() == []


def test_terms_that_wait_keep_the_invitations(rooms: Rooms) -> None:
    rooms.create(limited_spec(invited_trainers=GUESTS, trainers_min=3))
    rooms.rounds.running = [1]
    update(rooms, set_steps(16))
    rooms.deliver(MsgInviteTrainers(admin=ALICE_TEXT, model_id=1, add=[BOB_TEXT]))
    assert rooms.broken() == []
    assert list(rooms.models.apply_pending(rooms.ctx, 1).spec.invited_trainers) == [*GUESTS, BOB_TEXT]


def test_enrolment_is_opened_to_all_and_closed_again(rooms: Rooms) -> None:
    rooms.create(small_spec(invited_trainers=GUESTS))
    rooms.deliver(MsgInviteTrainers(admin=ALICE_TEXT, model_id=1, open=True))
    assert rooms.models.is_invited(get(rooms), CAROL)
    refused(rooms, errors.ChangeEmpty,
            lambda: rooms.deliver(MsgInviteTrainers(admin=ALICE_TEXT, model_id=1, open=True)))
    refused(rooms, errors.TrainersInvalid,
            lambda: rooms.deliver(MsgInviteTrainers(admin=ALICE_TEXT, model_id=1, add=GUESTS[:3])))
    rooms.deliver(MsgInviteTrainers(admin=ALICE_TEXT, model_id=1, add=GUESTS))
    assert not rooms.models.is_invited(get(rooms), ALICE) and rooms.broken() == []


@pytest.mark.parametrize(("fields", "error"), [
    ({"open": True, "add": [BOB_TEXT]}, errors.TrainersInvalid), ({"remove": [BOB_TEXT]}, errors.TrainersInvalid),
    ({"remove": GUESTS[:1]}, errors.TrainersInvalid), ({"add": GUESTS[:1]}, errors.TrainersInvalid),
    ({"add": [BOB_TEXT] * 2}, errors.TrainersInvalid), ({"add": ["gradus1"]}, InvalidAddress),
    ({"add": [BOB_TEXT] * 257}, errors.TrainersInvalid),
    ({"add": [encode_address(n.to_bytes(20, "big")) for n in range(253)]}, errors.TrainersInvalid),
    ({"add": GUESTS[:1], "remove": GUESTS[:1]}, errors.ChangeEmpty), ({"open": True}, errors.BondTooLow),
])
def test_invitations_that_no_contract_may_have_are_refused(
        rooms: Rooms, fields: dict[str, Any], error: type[ChainError]) -> None:
    """The contract has no bond, for it pays nothing, and names as many trainers as it needs. Who is named again while
    being removed comes to the end of the list, which changes nothing where the list is of one."""
    spec = small_spec(invited_trainers=GUESTS[:1] if error is errors.ChangeEmpty else GUESTS, round_reward_ugrad=0,
                      trainers_min=1 if error is errors.ChangeEmpty else 4)
    spec.economy.bond_ugrad = 0
    rooms.audit_for_nothing()
    rooms.create(spec)
    refused(rooms, error, lambda: rooms.deliver(MsgInviteTrainers(admin=ALICE_TEXT, model_id=1, **fields)))


def test_model_goes_to_who_was_offered_it_and_accepts_with_what_its_escrow_gives_back(rooms: Rooms) -> None:
    rooms.create(escrow_ugrad=5_000_000)
    accept = MsgAcceptAdmin(recipient=BOB_TEXT, model_id=1)
    refused(rooms, errors.AdminNotOffered, lambda: rooms.deliver(accept))
    rooms.deliver(MsgOfferAdmin(admin=ALICE_TEXT, model_id=1, recipient=CAROL_TEXT))
    rooms.deliver(MsgOfferAdmin(admin=ALICE_TEXT, model_id=1, recipient=BOB_TEXT))
    refused(rooms, errors.AdminNotOffered,
            lambda: rooms.deliver(MsgAcceptAdmin(recipient=CAROL_TEXT, model_id=1)))
    rooms.deliver(accept)
    assert (get(rooms).admin, get(rooms).offered_admin) == (BOB_TEXT, "") and rooms.broken() == []
    refused(rooms, errors.NotAdmin, lambda: rooms.deliver(MsgCloseModel(admin=ALICE_TEXT, model_id=1)))
    rooms.deliver(MsgCloseModel(admin=BOB_TEXT, model_id=1))
    assert rooms.bank.balance(rooms.ctx, BOB) == FUNDS_UGRAD + 5_000_000
    assert [event.type for event in rooms.ctx.events if "admin" in event.type] == [
        "models.admin_offered", "models.admin_offered", "models.admin_changed"]


def test_offer_is_withdrawn_and_ends_with_the_model(rooms: Rooms) -> None:
    rooms.create()
    accept = MsgAcceptAdmin(recipient=BOB_TEXT, model_id=1)
    for end in (MsgOfferAdmin(admin=ALICE_TEXT, model_id=1), MsgCloseModel(admin=ALICE_TEXT, model_id=1)):
        rooms.deliver(MsgOfferAdmin(admin=ALICE_TEXT, model_id=1, recipient=BOB_TEXT))
        rooms.deliver(end)
        refused(rooms, errors.AdminNotOffered, lambda: rooms.deliver(accept))
    assert rooms.broken() == []


def test_account_without_an_address_takes_no_model_that_is_offered_to_nobody(rooms: Rooms) -> None:
    rooms.create()
    refused(rooms, InvalidAddress, lambda: rooms.deliver(MsgAcceptAdmin(recipient="", model_id=1)))


def test_closing_a_model_forgets_what_waits_and_ends_its_pause(rooms: Rooms) -> None:
    rooms.create(limited_spec())
    rooms.rounds.running = [1]
    update(rooms, set_steps(16))
    rooms.deliver(MsgPauseModel(authority=ALICE_TEXT, model_id=1))
    rooms.rounds.running = []
    rooms.deliver(MsgCloseModel(admin=ALICE_TEXT, model_id=1))
    model = get(rooms)
    assert (model.status, model.paused_by, model.resumed_status) == (MODEL_STATUS_RETIRED, "", 0)
    assert rooms.models.apply_pending(rooms.ctx, 1) == model and rooms.broken() == []


def test_paused_model_is_funded(rooms: Rooms) -> None:
    rooms.create(escrow_ugrad=5_000_000)
    rooms.deliver(MsgPauseModel(authority=ALICE_TEXT, model_id=1))
    message = MsgFundModel(sender=BOB_TEXT, model_id=1)
    message.amount.denom, message.amount.amount = "ugrad", "7"
    rooms.deliver(message)
    assert get(rooms).escrow_ugrad == 5_000_007


def test_versions_are_answered_by_number_and_all_together(rooms: Rooms) -> None:
    rooms.create(limited_spec())
    for steps in (16, 17):
        update(rooms, set_steps(steps))
    rooms.rounds.running = [1]
    update(rooms, set_steps(18))
    path = "/gradus.models.v1.Query/"
    for version, steps in ((1, 32), (2, 16), (3, 17)):
        found = rooms.query(path + "Spec", QuerySpecRequest(model_id=1, version=version)).version
        assert (found.version, found.spec.training.local_steps, found.height) == (version, steps, 7)
    answer = rooms.query(path + "Versions", QueryVersionsRequest(model_id=1))
    assert [one.version for one in answer.versions] == [1, 2] and answer.current == found
    assert answer.pending.training.local_steps == 18
    for model_id, version in ((1, 0), (1, 4), (2, 1)):
        refused_query(rooms, path + "Spec", QuerySpecRequest(model_id=model_id, version=version))
    refused_query(rooms, path + "Versions", QueryVersionsRequest(model_id=2))


def refused_query(rooms: Rooms, path: str, request: Message) -> None:
    with pytest.raises(ChainError) as caught:
        rooms.query(path, request)
    assert (caught.value.codespace, caught.value.code) == ("sdk", 22)


@pytest.mark.parametrize(("breach", "name"), [
    ("model.paused_by = model.admin", "models/life"),
    ("model.status = 5", "models/life"),
    ("model.resumed_status = 1", "models/life"),
    ("model.status = 3", "models/life"),
    ("model.offered_admin = model.admin", "models/life"),
    ("model.spec_version = 0", "models/terms"),
    ("model.spec_version = 4", "models/terms"),
    ("model.spec.name = 'other'", "models/terms"),
    ("model.spec.limits.ranges[0].max += 1", "models/terms"),
])
def test_life_or_terms_that_contradict_themselves_are_noticed(rooms: Rooms, breach: str, name: str) -> None:
    rooms.create(limited_spec())
    update(rooms, set_steps(16))
    model = get(rooms)
    exec(breach, {"model": model})
    rooms.models.put_model(rooms.ctx, model)
    assert rooms.broken() == [name]


def test_terms_of_models_that_do_not_exist_are_noticed(rooms: Rooms) -> None:
    rooms.create()
    rooms.models.put_pending(rooms.ctx, 2, small_spec())
    assert rooms.broken() == ["models/terms"]
