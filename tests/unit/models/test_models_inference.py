"""The terms by which a model is asked for answers: their ranges, how they change, and who adds them."""

from collections.abc import Callable
from typing import Any

import pytest

from abci_app.runtime import fee
from abci_app.wire.address import encode_address, module_address
from abci_app.wire.errors import ChainError, InvalidAddress
from abci_app.wire.ints import PPM, U64_MAX
from abci_app.wire.pb.gradus.models.v1.models_pb2 import InferencePolicy, ModelSpec
from abci_app.wire.pb.gradus.models.v1.tx_pb2 import MsgUpdateModel
from abci_app.x.models.errors import InferencePolicyInvalid, LimitExceeded, LimitsInvalid
from abci_app.x.models.types.inference import PARTS, check_inference, default_policy
from abci_app.x.models.types.terms import GOVERNANCE
from tests.unit.models.rooms import ALICE_TEXT, BOB_TEXT, Rooms, create_msg, small_spec

REFUSED: list[tuple[dict[str, Any], type[ChainError]]] = [
    ({"hosts_ppm": 700_001}, InferencePolicyInvalid),
    ({"burn_ppm": 0}, InferencePolicyInvalid),
    ({"hosts_ppm": 99_999, "burn_ppm": 620_001}, InferencePolicyInvalid),
    ({"hosts_ppm": 2**32 - 1, "burn_ppm": 2**32 - 1}, InferencePolicyInvalid),
    ({"audit_ppm": 999}, InferencePolicyInvalid),
    ({"audit_ppm": PPM + 1}, InferencePolicyInvalid),
    ({"host_bond_ugrad": 0}, InferencePolicyInvalid),
    ({"wrong_slash_ppm": PPM + 1}, InferencePolicyInvalid),
    ({"withhold_slash_ppm": PPM + 1}, InferencePolicyInvalid),
    ({"burn_slash_ppm": 99_999}, InferencePolicyInvalid),
    ({"burn_slash_ppm": PPM + 1}, InferencePolicyInvalid),
    ({"replicas_max": 0}, InferencePolicyInvalid),
    ({"replicas_max": 17}, InferencePolicyInvalid),
    ({"audit_blocks": 9}, InferencePolicyInvalid),
    ({"audit_blocks": 10_001}, InferencePolicyInvalid),
    ({"data_owner": BOB_TEXT}, InferencePolicyInvalid),
    ({"owner_ppm": 20_000, "burn_ppm": 0}, InferencePolicyInvalid),
    ({"owner_ppm": 20_000, "burn_ppm": 0, "data_owner": "gradus1"}, InvalidAddress),
    ({"owner_ppm": 20_000, "burn_ppm": 0, "data_owner": encode_address(module_address("models"))},
     InferencePolicyInvalid),
]


def hosted_spec(**changes: Any) -> ModelSpec:
    """A contract whose inference policy has these fields."""
    spec = small_spec()
    for name, value in changes.items():
        setattr(spec.inference, name, value)
    return spec


def unhosted_spec() -> ModelSpec:
    """A contract that nobody may host."""
    spec = small_spec()
    spec.ClearField("inference")
    return spec


def update_msg(spec: ModelSpec, authority: str = ALICE_TEXT) -> MsgUpdateModel:
    """The message that gives model 1 the inference policy of `spec`."""
    return MsgUpdateModel(authority=authority, model_id=1, inference=spec.inference)


@pytest.mark.parametrize(("changes", "error"), REFUSED)
def test_inference_policy_out_of_range_is_refused_and_nothing_is_written(
        rooms: Rooms, changes: dict[str, Any], error: type[ChainError]) -> None:
    before = rooms.state()
    with pytest.raises(ChainError) as caught:
        rooms.deliver(create_msg(hosted_spec(**changes)))
    assert type(caught.value) is error
    assert rooms.state() == before


@pytest.mark.parametrize("changes", [
    {"hosts_ppm": PPM, "trainers_ppm": 0, "creator_ppm": 0, "auditors_ppm": 0, "burn_ppm": 0},
    {"hosts_ppm": 100_000, "burn_ppm": 620_000},
    {"owner_ppm": 20_000, "burn_ppm": 0, "data_owner": BOB_TEXT},
    {"audit_ppm": 1_000, "burn_slash_ppm": 100_000, "wrong_slash_ppm": 0, "withhold_slash_ppm": 0},
    {"audit_ppm": PPM, "burn_slash_ppm": PPM, "wrong_slash_ppm": PPM, "withhold_slash_ppm": PPM},
    {"host_bond_ugrad": 1, "replicas_max": 1, "audit_blocks": 10},
    {"host_bond_ugrad": U64_MAX, "replicas_max": 16, "audit_blocks": 10_000},
])
def test_inference_policy_at_the_edge_of_its_ranges_is_accepted(rooms: Rooms, changes: dict[str, Any]) -> None:
    spec = hosted_spec(**changes)
    assert rooms.create(spec).spec == spec
    assert rooms.broken() == []


def test_default_policy_lets_a_cheat_lose_and_a_bond_cover_what_the_readme_says() -> None:
    policy, ask_ugrad = default_policy(), 1_000
    check_inference(ModelSpec(inference=policy))
    assert sum(getattr(policy, name) for name in PARTS) == PPM
    stake_ugrad = fee.compute_request_stake(policy, ask_ugrad)
    assert stake_ugrad == 38 * ask_ugrad and policy.host_bond_ugrad // stake_ugrad == 263
    assert fee.compute_session_stake(policy, ask_ugrad) == 40 * ask_ugrad
    burnt = stake_ugrad * policy.burn_slash_ppm // PPM
    assert burnt * policy.audit_ppm >= ask_ugrad * (PPM - policy.audit_ppm)
    assert stake_ugrad * policy.withhold_slash_ppm // PPM >= burnt


def test_absent_policy_stays_absent_and_is_added_by_the_admin(rooms: Rooms) -> None:
    model = rooms.create(unhosted_spec())
    assert not model.spec.HasField("inference")
    rooms.deliver(update_msg(small_spec()))
    model = rooms.models.get_model(rooms.ctx, 1)
    assert model.spec.inference == default_policy() and model.spec_version == 2
    assert rooms.broken() == []
    with pytest.raises(LimitExceeded):
        rooms.deliver(update_msg(hosted_spec(trainers_ppm=0, creator_ppm=250_000)))


def test_limits_of_a_policy_to_come_bind_who_adds_it_even_in_what_it_leaves_out(rooms: Rooms) -> None:
    spec = unhosted_spec()
    spec.limits.ranges.add(field="inference.trainers_ppm", min=200_000, max=PPM)
    rooms.create(spec)
    with pytest.raises(LimitExceeded):
        rooms.deliver(update_msg(hosted_spec(trainers_ppm=0, creator_ppm=250_000)))
    rooms.deliver(update_msg(hosted_spec(trainers_ppm=250_000, creator_ppm=0)))
    assert rooms.models.get_model(rooms.ctx, 1).spec.inference.trainers_ppm == 250_000


def test_policy_that_begins_outside_its_limits_is_refused(rooms: Rooms) -> None:
    spec = small_spec()
    spec.limits.ranges.add(field="inference.trainers_ppm", min=300_000, max=PPM)
    with pytest.raises(LimitsInvalid):
        rooms.deliver(create_msg(spec))


@pytest.mark.parametrize(("change", "edit"), [
    ("within", lambda policy: setattr(policy, "audit_ppm", 60_000)),
    ("beyond", lambda policy: setattr(policy, "audit_ppm", 100_001)),
    ("beyond", lambda policy: setattr(policy, "data_owner", ALICE_TEXT)),
])
def test_admin_changes_what_the_limits_name_and_never_the_owner_of_the_data(
        rooms: Rooms, change: str, edit: Callable[[InferencePolicy], None]) -> None:
    spec = hosted_spec(owner_ppm=20_000, burn_ppm=0, data_owner=BOB_TEXT)
    spec.limits.ranges.add(field="inference.audit_ppm", min=50_000, max=100_000)
    rooms.create(spec)
    edit(spec.inference)
    if change == "within":
        rooms.deliver(update_msg(spec))
        assert rooms.models.get_model(rooms.ctx, 1).spec.inference == spec.inference
        return
    with pytest.raises(LimitExceeded):
        rooms.deliver(update_msg(spec))
    rooms.deliver(update_msg(spec, GOVERNANCE))
    assert rooms.models.get_model(rooms.ctx, 1).spec.inference == spec.inference
    assert rooms.broken() == []


def test_module_account_becomes_no_owner_of_data_by_a_change_either(rooms: Rooms) -> None:
    rooms.create(unhosted_spec())
    owner = encode_address(module_address("rewards"))
    with pytest.raises(InferencePolicyInvalid):
        rooms.deliver(update_msg(hosted_spec(owner_ppm=20_000, burn_ppm=0, data_owner=owner)))
