"""Making and funding models: what is written, what is paid, what is refused."""

import pytest

from abci_app.wire.address import module_address
from abci_app.wire.coin import base_coin, coin_pb
from abci_app.wire.errors import ChainError, InsufficientFunds, InvalidAddress, OutOfGas
from abci_app.wire.pb.gradus.models.v1.models_pb2 import (
    MODEL_STATUS_OPEN, MODEL_STATUS_RETIRED, MODEL_STATUS_SERVING, MODEL_STATUS_TRAINING,
)
from abci_app.wire.pb.gradus.models.v1.tx_pb2 import MsgCloseModel, MsgCloseModelResponse, MsgFundModel
from abci_app.x.models import errors
from abci_app.x.models.msgs import compute_weights_gas
from kernels import chunks, mlp
from tests.unit.models.rooms import ALICE, ALICE_TEXT, BOB, BOB_TEXT, FUNDS_UGRAD, Rooms, create_msg, small_spec

MODULE = module_address("models")


def fund_msg(amount_ugrad: int = 1_000, model_id: int = 1) -> MsgFundModel:
    return MsgFundModel(sender=BOB_TEXT, model_id=model_id, amount=coin_pb(base_coin(amount_ugrad)))


def test_created_model_stands_open_with_the_weights_of_its_seed_and_its_escrow_in_the_module(rooms: Rooms) -> None:
    model = rooms.create(escrow_ugrad=5_000_000)
    weights = mlp.init_weights((4, 5, 3), bytes(range(32)))
    assert (model.id, model.admin, model.status, model.rounds_closed) == (1, ALICE_TEXT, MODEL_STATUS_OPEN, 0)
    assert model.weights_root == chunks.chunk_root(weights) and model.created_height == 7
    assert rooms.models.load_weights(rooms.ctx, 1, 0) == weights
    assert rooms.models.load_momentum(rooms.ctx, 1) == bytes(8 * 43)
    assert model.escrow_ugrad == rooms.bank.balance(rooms.ctx, MODULE) == 5_000_000
    assert rooms.bank.balance(rooms.ctx, ALICE) == FUNDS_UGRAD - 5_000_000
    assert rooms.broken() == []


def test_creation_is_told_by_an_event(rooms: Rooms) -> None:
    model = rooms.create()
    assert [event.attributes for event in rooms.events("models.model_created")] == [(
        ("model_id", "1"), ("admin", ALICE_TEXT), ("name", "iris"), ("weights_root", model.weights_root.hex()),
        ("escrow_ugrad", "5000000"))]


def test_ids_count_from_one_and_weights_differ_by_seed(rooms: Rooms) -> None:
    other = small_spec()
    other.init_seed = bytes(32)
    first, second, third = rooms.create(), rooms.create(other), rooms.create()
    assert [first.id, second.id, third.id] == [1, 2, 3]
    assert first.weights_root == third.weights_root != second.weights_root


def test_model_without_reward_needs_no_escrow_where_auditors_need_not_be_paid(rooms: Rooms) -> None:
    rooms.audit_for_nothing()
    spec = small_spec(round_reward_ugrad=0)
    message = create_msg(spec)
    message.ClearField("escrow")
    assert rooms.models.get_model(rooms.ctx, rooms.deliver(message).model_id).escrow_ugrad == 0
    assert rooms.bank.balance(rooms.ctx, ALICE) == FUNDS_UGRAD


def test_creator_without_the_escrow_is_refused_and_nothing_is_written(rooms: Rooms) -> None:
    before = rooms.state()
    with pytest.raises(InsufficientFunds):
        rooms.deliver(create_msg(escrow_ugrad=FUNDS_UGRAD + 1))
    assert rooms.state() == before


def test_creation_out_of_gas_is_refused_before_any_weight_is_drawn(
        rooms: Rooms, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mlp, "init_weights", lambda *_: pytest.fail("weights were drawn"))
    before = rooms.state()
    with pytest.raises(OutOfGas):
        rooms.deliver(create_msg(), gas_limit=compute_weights_gas(small_spec()) - 1)
    assert rooms.state() == before


def test_gas_of_weights_is_three_a_byte_and_sixteen_thousandths_a_parameter() -> None:
    assert compute_weights_gas(small_spec()) == 3 * 4 * 43 + 1


def test_anyone_funds_a_live_model(rooms: Rooms) -> None:
    model = rooms.create()
    rooms.deliver(fund_msg(7))
    rooms.models.start_training(rooms.ctx, model)
    rooms.deliver(fund_msg(8))
    assert rooms.models.get_model(rooms.ctx, 1).escrow_ugrad == 5_000_015
    assert rooms.models.get_model(rooms.ctx, 1).status == MODEL_STATUS_TRAINING
    assert rooms.bank.balance(rooms.ctx, BOB) == FUNDS_UGRAD - 15
    assert [event.attributes for event in rooms.events("models.model_funded")][1] == (
        ("model_id", "1"), ("sender", BOB_TEXT), ("amount_ugrad", "8"), ("escrow_ugrad", "5000015"))
    assert rooms.broken() == []


@pytest.mark.parametrize(("message", "error"), [
    (fund_msg(model_id=2), errors.ModelNotFound),
    (fund_msg(model_id=0), errors.ModelNotFound),
    (fund_msg(2**64 - 5_000_000), errors.EscrowTooLarge),
    (fund_msg(FUNDS_UGRAD + 1), InsufficientFunds),
])
def test_funding_that_cannot_be_is_refused_and_nothing_is_written(
        rooms: Rooms, message: MsgFundModel, error: type[ChainError]) -> None:
    rooms.create()
    before = rooms.state()
    with pytest.raises(error):
        rooms.deliver(message)
    assert rooms.state() == before


def test_serving_model_is_funded_for_the_rounds_that_it_may_yet_train(rooms: Rooms) -> None:
    model = rooms.models.start_training(rooms.ctx, rooms.create(small_spec(rounds=1)))
    assert rooms.close(model, 1).status == MODEL_STATUS_SERVING
    rooms.deliver(fund_msg(7))
    assert rooms.models.get_model(rooms.ctx, 1).escrow_ugrad == 5_000_007
    assert rooms.broken() == []


def test_escrow_counts_what_was_paid_so_that_no_total_passes_u64(rooms: Rooms) -> None:
    model = rooms.create()
    rooms.models.draw_escrow(rooms.ctx, model.id, BOB, 4_000_000)
    with pytest.raises(errors.EscrowTooLarge):
        rooms.deliver(fund_msg(2**64 - 5_000_000))


def close_msg(admin: str = ALICE_TEXT, model_id: int = 1) -> MsgCloseModel:
    return MsgCloseModel(admin=admin, model_id=model_id)


@pytest.mark.parametrize("status", [MODEL_STATUS_OPEN, MODEL_STATUS_TRAINING, MODEL_STATUS_SERVING])
def test_admin_closes_a_model_and_has_its_whole_escrow_back(rooms: Rooms, status: int) -> None:
    model = rooms.create(small_spec(rounds=1))
    if status != MODEL_STATUS_OPEN:
        model = rooms.models.start_training(rooms.ctx, model)
    if status == MODEL_STATUS_SERVING:
        model = rooms.close(model, 1)
    assert model.status == status
    rooms.deliver(fund_msg(7))
    held = rooms.models.get_model(rooms.ctx, 1).escrow_ugrad
    weights = rooms.models.load_weights(rooms.ctx, 1, model.rounds_closed)
    assert rooms.deliver(close_msg()) == MsgCloseModelResponse(refunded_ugrad=held)
    closed = rooms.models.get_model(rooms.ctx, 1)
    assert (closed.status, closed.escrow_ugrad, closed.paid_ugrad) == (MODEL_STATUS_RETIRED, 0, 0)
    assert rooms.bank.balance(rooms.ctx, ALICE) == FUNDS_UGRAD - 5_000_000 + held
    assert rooms.models.load_weights(rooms.ctx, 1, model.rounds_closed) == weights
    assert [event.attributes for event in rooms.events("models.model_closed")] == [
        (("model_id", "1"), ("admin", ALICE_TEXT), ("refunded_ugrad", str(held)))]
    assert rooms.broken() == []


def test_model_without_escrow_can_be_closed(rooms: Rooms) -> None:
    rooms.audit_for_nothing()
    message = create_msg(small_spec(round_reward_ugrad=0))
    message.ClearField("escrow")
    rooms.deliver(message)
    assert rooms.deliver(close_msg()).refunded_ugrad == 0
    assert rooms.broken() == []


@pytest.mark.parametrize(("message", "error"), [
    (close_msg("gradus1"), InvalidAddress),
    (close_msg(model_id=2), errors.ModelNotFound),
    (close_msg(BOB_TEXT), errors.NotAdmin),
])
def test_closing_that_is_not_allowed_is_refused_and_nothing_is_written(
        rooms: Rooms, message: MsgCloseModel, error: type[ChainError]) -> None:
    rooms.create()
    before = rooms.state()
    with pytest.raises(error):
        rooms.deliver(message)
    assert rooms.state() == before


def test_model_whose_round_runs_is_closed_only_after_it(rooms: Rooms) -> None:
    rooms.create()
    rooms.rounds.running = [1]
    before = rooms.state()
    with pytest.raises(errors.RoundRunning):
        rooms.deliver(close_msg())
    assert rooms.state() == before
    rooms.rounds.running = []
    rooms.deliver(close_msg())


def test_closed_model_is_neither_closed_again_nor_funded(rooms: Rooms) -> None:
    rooms.create()
    rooms.deliver(close_msg())
    before = rooms.state()
    with pytest.raises(errors.ModelRetired):
        rooms.deliver(close_msg())
    with pytest.raises(errors.ModelNotLive):
        rooms.deliver(fund_msg())
    assert rooms.state() == before


def test_closed_model_goes_through_a_genesis(rooms: Rooms) -> None:
    rooms.create()
    rooms.deliver(close_msg())
    again = Rooms(rooms.export())
    assert again.export() == rooms.export() and again.broken() == []


def test_retired_model_with_an_escrow_is_noticed(rooms: Rooms) -> None:
    model = rooms.create()
    model.status = MODEL_STATUS_RETIRED
    rooms.models.put_model(rooms.ctx, model)
    assert rooms.broken() == ["models/ids"]
