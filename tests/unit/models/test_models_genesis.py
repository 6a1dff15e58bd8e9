"""Genesis: what is exported starts the same chain again, and mistakes are named by their path."""

import copy
import json
from collections.abc import Callable
from typing import Any

import pytest

from abci_app.runtime.genesis import GenesisInvalid
from abci_app.wire.pb.gradus.models.v1.tx_pb2 import MsgAttachData, MsgOfferAdmin, MsgPauseModel
from tests.unit.models.rooms import ALICE_TEXT, BOB, BOB_TEXT, Rooms, small_spec


def grown(rooms: Rooms) -> Rooms:
    """Three models: one open with guests, offered and paused, one training after two rounds with pay, its terms changed
    once and about to be again, one serving."""
    rooms.create(small_spec(invited_trainers=(BOB_TEXT,), trainers_min=1))
    rooms.deliver(MsgOfferAdmin(admin=ALICE_TEXT, model_id=1, recipient=BOB_TEXT))
    rooms.deliver(MsgPauseModel(authority=ALICE_TEXT, model_id=1))
    training = rooms.models.start_training(rooms.ctx, rooms.create())
    for fill in (3, 4):
        rooms.rewards.pay_round(rooms.ctx, training.id, training.spec, training.rounds_closed + 1, [(0, BOB)], 1)
        training = rooms.close(training, fill)
    spec = small_spec(rounds=1, challenge_blocks=3)
    spec.training.kept_rounds = 2
    rooms.close(rooms.models.start_training(rooms.ctx, rooms.create(spec)), 5)
    rooms.deliver(MsgAttachData(admin=ALICE_TEXT, model_id=2, rounds_more=1))
    rooms.rounds.running = [2]
    rooms.deliver(MsgAttachData(admin=ALICE_TEXT, model_id=2, rounds_more=1))
    rooms.rounds.running = []
    assert rooms.broken() == []
    return rooms


def test_export_starts_the_same_chain_again(rooms: Rooms) -> None:
    exported = grown(rooms).export()
    again = Rooms(json.loads(json.dumps(exported)))
    assert again.export() == exported
    assert again.broken() == []
    assert again.ctx.state.store("models").get(b"\x03") == rooms.ctx.state.store("models").get(b"\x03")
    for store in ("models", "rewards"):
        assert list(again.ctx.state.store(store).iter(b"")) == list(rooms.ctx.state.store(store).iter(b""))
    assert list(again.ctx.state.blobs.iter(b"")) == list(rooms.ctx.state.blobs.iter(b""))


def test_restarted_chain_goes_on_where_it_stood(rooms: Rooms) -> None:
    again = Rooms(grown(rooms).export())
    model = again.close(again.models.get_model(again.ctx, 2), 6)
    assert model.rounds_closed == 3 and again.create().id == 4
    assert again.models.get_spec(again.ctx, 2, 1).training.rounds == 25
    assert again.models.apply_pending(again.ctx, 2).spec.training.rounds == 27
    assert again.broken() == []


def set_at(*path: Any) -> Callable[[Any], None]:
    """Sets the value at path[:-1] to path[-1]."""
    def change(state: Any) -> None:
        for step in path[:-2]:
            state = state[step]
        state[path[-2]] = path[-1]
    return change


def drop_at(*path: Any) -> Callable[[Any], None]:
    def change(state: Any) -> None:
        for step in path[:-1]:
            state = state[step]
        del state[path[-1]]
    return change


def repeat_at(name: str) -> Callable[[Any], None]:
    """Writes the first item of a list twice."""
    return lambda state: state[name].append(state[name][0])


@pytest.mark.parametrize(("change", "path"), [
    (set_at("next_id", "0"), "app_state.models.next_id"),
    (set_at("next_id", "3"), "app_state.models.models[2].id"),
    (set_at("next_id", 4), "app_state.models.next_id"),
    (set_at("nodes", []), "app_state.models.nodes"),
    (set_at("models", {}), "app_state.models.models"),
    (set_at("models", 1, "id", "1"), "app_state.models.models[1].id"),
    (set_at("models", 0, "admin", "gradus1"), "app_state.models.models[0]"),
    (set_at("models", 0, "colour", "red"), "app_state.models.models[0].colour"),
    (set_at("models", 0, "status", "MODEL_STATUS_ASLEEP"), "app_state.models.models[0].status"),
    (drop_at("models", 0, "status"), "app_state.models.models[0].status"),
    (set_at("models", 0, "spec", "name", 5), "app_state.models.models[0].spec.name"),
    (set_at("models", 0, "spec", "name", ""), "app_state.models.models[0]"),
    (set_at("models", 0, "spec", "dataset", "train_rows", "4294967296"),
     "app_state.models.models[0].spec.dataset.train_rows"),
    (set_at("models", 0, "spec", "mlp_classifier", "widths", ["4", "x", "3"]),
     "app_state.models.models[0].spec.mlp_classifier.widths[1]"),
    (set_at("models", 0, "spec", "mlp_classifier", "widths", "4"),
     "app_state.models.models[0].spec.mlp_classifier.widths"),
    (set_at("models", 0, "spec", "init_seed", "0G"), "app_state.models.models[0].spec.init_seed"),
    (set_at("models", 0, "spec", "init_seed", "AB" * 32), "app_state.models.models[0].spec.init_seed"),
    (set_at("models", 0, "weights_root", "00" * 32), "app_state.models.weights"),
    (set_at("weights", 0, "data", "00" * 172), "app_state.models.weights[0].record"),
    (set_at("weights", 0, "data", "00"), "app_state.models.weights[0].data"),
    (set_at("weights", 0, "record", "model_id", "9"), "app_state.models.weights[0].record"),
    (set_at("weights", 0, "record", "round", "1"), "app_state.models.weights[0].record"),
    (drop_at("weights", 0, "record"), "app_state.models.weights[0].record"),
    (drop_at("weights", 0), "app_state.models.weights"),
    (set_at("momentum", 0, "data", "00" * 344), "app_state.models.momentum"),
    (set_at("momentum", 0, "model_id", "9"), "app_state.models.momentum[0].model_id"),
    (drop_at("momentum", 0), "app_state.models.momentum"),
    (set_at("models", 0, "paused_by", "gradus1"), "app_state.models.models[0]"),
    (set_at("models", 0, "offered_admin", "bob"), "app_state.models.models[0]"),
    (set_at("models", 0, "spec", "limits", {"ranges": [{"field": "training.trims"}]}), "app_state.models.models[0]"),
    (set_at("versions", 0, "version", "2"), "app_state.models.versions[0].version"),
    (set_at("versions", 0, "version", "0"), "app_state.models.versions[0].version"),
    (set_at("versions", 0, "model_id", "9"), "app_state.models.versions[0].model_id"),
    (set_at("versions", 0, "spec", "name", ""), "app_state.models.versions[0]"),
    (repeat_at("versions"), "app_state.models.versions[1].version"),
    (set_at("pending", 0, "model_id", "9"), "app_state.models.pending[0].model_id"),
    (set_at("pending", 0, "spec", "training", "units_max", "65"), "app_state.models.pending[0]"),
    (repeat_at("pending"), "app_state.models.pending[1].model_id"),
])
def test_mistake_in_the_genesis_is_named_by_its_path(
        rooms: Rooms, change: Callable[[Any], None], path: str) -> None:
    state = copy.deepcopy(grown(rooms).export())
    change(state["models"])
    with pytest.raises(GenesisInvalid) as caught:
        Rooms(state)
    assert caught.value.path == path
    assert caught.value.problem and caught.value.hint
