"""The life of a model: training, closing rounds, which weights are kept, and what a caller's stale record cannot do."""

import pytest

from abci_app.runtime.contract import compute_param_count
from abci_app.runtime.gas import WRITE_GAS, GasMeter
from abci_app.wire.errors import InvariantBroken
from abci_app.wire.pb.gradus.models.v1.models_pb2 import MODEL_STATUS_SERVING, MODEL_STATUS_TRAINING, Hold, Model
from abci_app.x.models import keys
from abci_app.x.models.errors import HoldsExhausted, WeightsNotFound
from kernels import chunks
from tests.unit.models.rooms import BOB, Rooms, small_spec


def training_model(rooms: Rooms, rounds: int = 25, kept_rounds: int = 3) -> Model:
    spec = small_spec(rounds=rounds, challenge_blocks=3)
    spec.training.kept_rounds = kept_rounds
    return rooms.models.start_training(rooms.ctx, rooms.create(spec))


def test_closed_round_writes_weights_momentum_and_a_record_that_commits_to_both(rooms: Rooms) -> None:
    model = rooms.close(training_model(rooms), 5)
    count = compute_param_count(model.spec)
    weights, momentum = (5).to_bytes(4, "little") * count, (5).to_bytes(8, "little") * count
    record = rooms.models.get_weights(rooms.ctx, model.id, 1)
    assert (model.rounds_closed, model.status) == (1, MODEL_STATUS_TRAINING)
    assert model.weights_root == record.root == chunks.chunk_root(weights)
    assert record.momentum_root == chunks.chunk_root(momentum)
    assert (record.chunk_count, record.total_bytes, record.height) == (1, 4 * count, 7)
    assert rooms.models.load_weights(rooms.ctx, model.id, 1) == weights
    assert rooms.models.load_momentum(rooms.ctx, model.id) == momentum
    assert rooms.events("models.round_closed")[0].attributes == (
        ("model_id", "1"), ("round", "1"), ("weights_root", model.weights_root.hex()))
    assert rooms.broken() == []


def test_weights_that_are_dropped_leave_state_and_blobs_and_no_others_do(rooms: Rooms) -> None:
    other, model = rooms.create(), training_model(rooms)
    for number in range(1, 5):
        model = rooms.close(model, number)
    for dropped in (0, 2, 2, 7):
        rooms.models.drop_weights(rooms.ctx, model.id, dropped)
    assert [record.round for record in rooms.models.iter_weights(rooms.ctx, model.id)] == [1, 3, 4]
    blobs = [key for key, _ in rooms.ctx.state.blobs.iter(keys.CHUNK_BLOBS)]
    assert blobs == [keys.chunk_blob(other.id, 0, 0)] + [keys.chunk_blob(model.id, kept, 0) for kept in (1, 3, 4)]
    assert rooms.broken() == []
    with pytest.raises(WeightsNotFound):
        rooms.models.load_weights(rooms.ctx, model.id, 2)
    assert len(rooms.models.load_weights(rooms.ctx, other.id, 0)) == 4 * compute_param_count(other.spec)


def test_last_round_of_the_policy_makes_the_model_serve(rooms: Rooms) -> None:
    model = training_model(rooms, rounds=2)
    model = rooms.close(model, 1)
    assert model.status == MODEL_STATUS_TRAINING
    model = rooms.close(model, 2)
    assert model.status == MODEL_STATUS_SERVING
    assert [event.type for event in rooms.ctx.events if event.type.startswith("models.")] == [
        "models.model_created", "models.training_started", "models.round_closed", "models.round_closed",
        "models.training_finished"]
    with pytest.raises(InvariantBroken):
        rooms.close(model, 3)


def test_policy_without_an_end_keeps_training(rooms: Rooms) -> None:
    model = training_model(rooms, rounds=0)
    for number in range(1, 30):
        model = rooms.close(model, number)
    assert model.status == MODEL_STATUS_TRAINING


def test_weights_of_several_chunks_are_joined_again(rooms: Rooms) -> None:
    spec = small_spec()
    spec.mlp_classifier.widths[:] = [4, 4000, 3]
    model = rooms.models.start_training(rooms.ctx, rooms.create(spec))
    count = compute_param_count(spec)
    weights = bytes(range(256)) * (count // 64) + bytes(4 * (count % 64))
    rooms.models.close_round(rooms.ctx, model, weights, bytes(8 * count))
    assert rooms.models.get_weights(rooms.ctx, 1, 1).chunk_count == 2
    assert rooms.models.load_weights(rooms.ctx, 1, 1) == weights


@pytest.mark.parametrize("sizes", [(4, 8), (4 * 43, 8), (4 * 43 + 4, 8 * 43)])
def test_weights_or_momentum_of_another_size_stop_the_node_and_are_not_written(
        rooms: Rooms, sizes: tuple[int, int]) -> None:
    model = training_model(rooms)
    before = rooms.state()
    with pytest.raises(InvariantBroken):
        rooms.models.close_round(rooms.ctx, model, bytes(sizes[0]), bytes(sizes[1]))
    assert rooms.state() == before


def test_open_model_closes_no_round_and_training_starts_once(rooms: Rooms) -> None:
    model = rooms.create()
    with pytest.raises(InvariantBroken):
        rooms.close(model, 1)
    rooms.models.start_training(rooms.ctx, model)
    with pytest.raises(InvariantBroken):
        rooms.models.start_training(rooms.ctx, model)


def test_stale_record_in_a_callers_hand_brings_no_escrow_back(rooms: Rooms) -> None:
    stale = training_model(rooms)
    rooms.models.draw_escrow(rooms.ctx, stale.id, BOB, 1_000_000)
    closed = rooms.close(stale, 1)
    assert closed.escrow_ugrad == 4_000_000 and closed.paid_ugrad == 1_000_000
    assert rooms.broken() == ["rewards/earnings"]  # nobody booked the draw: only rewards may draw


@pytest.mark.parametrize("blob", [b"", bytes(4 * 43 - 4), bytes(4 * 43), None])
def test_blob_that_does_not_match_its_root_is_never_used(rooms: Rooms, blob: bytes | None) -> None:
    model = rooms.close(training_model(rooms), 9)
    key = keys.chunk_blob(model.id, 1, 0)
    if blob is None:
        rooms.ctx.state.blobs.delete(key)
    else:
        rooms.ctx.state.blobs.set(key, blob)
    with pytest.raises(InvariantBroken):
        rooms.models.load_weights(rooms.ctx, model.id, 1)
    assert rooms.broken() == ["models/weights"]


def test_momentum_that_does_not_match_its_root_is_never_used(rooms: Rooms) -> None:
    model = rooms.close(training_model(rooms), 9)
    rooms.ctx.state.blobs.set(keys.momentum_blob(model.id), bytes(8 * 43))
    with pytest.raises(InvariantBroken):
        rooms.models.load_momentum(rooms.ctx, model.id)
    assert rooms.broken() == ["models/weights"]


def test_draw_above_the_escrow_stops_the_node(rooms: Rooms) -> None:
    model = rooms.create()
    with pytest.raises(InvariantBroken):
        rooms.models.draw_escrow(rooms.ctx, model.id, BOB, model.escrow_ugrad + 1)


def test_each_invariant_reports_its_breach(rooms: Rooms) -> None:
    model = rooms.create()
    model.escrow_ugrad += 1
    rooms.models.put_model(rooms.ctx, model)
    assert rooms.broken() == ["models/escrow"]
    model.escrow_ugrad -= 1
    rooms.models.put_model(rooms.ctx, model)
    rooms.models.put_next_id(rooms.ctx, 1)
    assert rooms.broken() == ["models/ids"]
    rooms.models.put_next_id(rooms.ctx, 2)
    model.weights_root = bytes(32)
    rooms.models.put_model(rooms.ctx, model)
    assert rooms.broken() == ["models/weights"]


def test_held_weights_outlive_their_drop_until_the_last_release_and_then_go(rooms: Rooms) -> None:
    model = rooms.close(rooms.close(training_model(rooms), 1), 2)
    for _ in range(2):
        rooms.models.hold_weights(rooms.ctx, model.id, 1)
    rooms.models.drop_weights(rooms.ctx, model.id, 1)
    rooms.models.release_weights(rooms.ctx, model.id, 1)
    assert rooms.models.load_weights(rooms.ctx, model.id, 1)
    assert list(rooms.models.iter_holds(rooms.ctx)) == [Hold(model_id=model.id, round=1, count=1, is_expired=True)]
    with pytest.raises(WeightsNotFound):
        rooms.models.hold_weights(rooms.ctx, model.id, 1)
    assert rooms.broken() == []
    rooms.models.release_weights(rooms.ctx, model.id, 1)
    assert rooms.models.find_weights(rooms.ctx, model.id, 1) is None
    assert [key for key, _ in rooms.ctx.state.blobs.iter(keys.CHUNK_BLOBS)] == [
        keys.chunk_blob(model.id, kept, 0) for kept in (0, 2)]
    assert list(rooms.models.iter_holds(rooms.ctx)) == []
    with pytest.raises(InvariantBroken):
        rooms.models.release_weights(rooms.ctx, model.id, 1)


def test_released_weights_stay_where_the_rounds_still_need_them(rooms: Rooms) -> None:
    model = training_model(rooms)
    rooms.models.hold_weights(rooms.ctx, model.id, 0)
    rooms.models.release_weights(rooms.ctx, model.id, 0)
    assert rooms.models.load_weights(rooms.ctx, model.id, 0)
    assert rooms.models.find_hold(rooms.ctx, model.id, 0) is None
    with pytest.raises(WeightsNotFound):
        rooms.models.hold_weights(rooms.ctx, model.id, 1)


def test_flood_of_holds_of_earlier_rounds_leaves_the_newest_to_be_held(
        rooms: Rooms, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("abci_app.x.models.keeper.HELD_ROUNDS_MAX", 2)
    model = training_model(rooms)
    for number in range(1, 4):
        model = rooms.close(model, number)
    for number in (0, 1):
        rooms.models.hold_weights(rooms.ctx, model.id, number)
    with pytest.raises(HoldsExhausted) as refused:
        rooms.models.hold_weights(rooms.ctx, model.id, 2)
    assert "whose newest is 3" in str(refused.value)
    rooms.models.hold_weights(rooms.ctx, model.id, 1)
    rooms.models.hold_weights(rooms.ctx, model.id, 3)
    rooms.close(model, 4)
    rooms.models.hold_weights(rooms.ctx, model.id, 4)
    assert [hold.count for hold in rooms.models.iter_holds(rooms.ctx)] == [1, 2, 1, 1] and rooms.broken() == []


def test_newest_weights_are_none_of_the_earlier_ones_that_fill_the_bound(
        rooms: Rooms, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("abci_app.x.models.keeper.HELD_ROUNDS_MAX", 2)
    model = training_model(rooms)
    for number in range(1, 4):
        model = rooms.close(model, number)
    for number in (0, 3, 1):
        rooms.models.hold_weights(rooms.ctx, model.id, number)
    with pytest.raises(HoldsExhausted):
        rooms.models.hold_weights(rooms.ctx, model.id, 2)


def test_who_first_holds_a_round_pays_for_its_bytes_unless_no_round_takes_them_away(rooms: Rooms) -> None:
    def hold(number: int) -> int:
        ctx = rooms.ctx.branch(GasMeter(10**9))
        rooms.models.hold_weights(ctx, model.id, number)
        ctx.state.write()
        return ctx.gas.used - WRITE_GAS

    model = rooms.close(training_model(rooms), 1)
    size = 4 * compute_param_count(model.spec)
    assert (hold(1), hold(1), hold(0)) == (size, 0, size)
    model = rooms.models.get_model(rooms.ctx, model.id)
    model.status = MODEL_STATUS_SERVING
    rooms.models.put_model(rooms.ctx, model)
    for number in (1, 1, 0):
        rooms.models.release_weights(rooms.ctx, model.id, number)
    assert (hold(1), hold(0)) == (0, size)


def test_holds_survive_an_export_and_a_hold_of_nothing_breaks_the_invariant(rooms: Rooms) -> None:
    model = rooms.close(training_model(rooms), 1)
    rooms.models.hold_weights(rooms.ctx, model.id, 0)
    rooms.models.drop_weights(rooms.ctx, model.id, 0)
    again = Rooms(rooms.export())
    assert list(again.models.iter_holds(again.ctx)) == list(rooms.models.iter_holds(rooms.ctx))
    assert again.export() == rooms.export()
    again.models.put_hold(again.ctx, Hold(model_id=model.id, round=9, count=1))
    assert again.broken() == ["models/holds"]
