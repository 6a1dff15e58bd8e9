"""Messages of the room: each is named checks, then writes. The stateless checks are in types.py and ran before."""

from abci_app.runtime.context import Ctx
from abci_app.runtime.contract import LIVE_STATUSES, compute_param_count
from abci_app.runtime.gas import BLOB_BYTE_GAS, MULTIPLY_ADDS_PER_GAS
from abci_app.wire.address import decode_address
from abci_app.wire.coin import parse_base_amount
from abci_app.wire.ints import mul_div_ceil
from abci_app.wire.pb.gradus.models.v1.models_pb2 import MODEL_STATUS_RETIRED, Model, ModelSpec
from abci_app.wire.pb.gradus.models.v1.tx_pb2 import (
    MsgCloseModel, MsgCloseModelResponse, MsgCreateModel, MsgCreateModelResponse, MsgFundModel, MsgFundModelResponse,
)
from abci_app.x.models import events
from abci_app.x.models.errors import ModelNotLive, ModelRetired, NotAdmin, RoundRunning
from abci_app.x.models.keeper import Keeper
from abci_app.x.models.needs import Rounds
from kernels.mlp import WEIGHT_BYTES

DRAW_OPERATIONS = 16


def create_model(ctx: Ctx, keeper: Keeper, msg: MsgCreateModel) -> MsgCreateModelResponse:
    """Write a contract, its initial weights and its escrow.

    Checks, in consensus order: the signer has the escrow.

    Raises: OutOfGas (sdk/11), InsufficientFunds (sdk/5). Emits: models.model_created.
    Gas: compute_weights_gas, 4 writes of this room, and the bank's.
    """
    ctx.gas.use(compute_weights_gas(msg.spec), "the model's weights")
    escrow_ugrad = parse_base_amount(msg.escrow) if msg.HasField("escrow") else 0
    model = keeper.create_model(ctx, msg.creator, msg.spec)
    model = keeper.credit_escrow(ctx, model.id, decode_address(msg.creator), escrow_ugrad)
    ctx.emit(events.model_created(model))
    return MsgCreateModelResponse(model_id=model.id)


def fund_model(ctx: Ctx, keeper: Keeper, msg: MsgFundModel) -> MsgFundModelResponse:
    """Add to the escrow of a model that is open or training; anyone may.

    Checks, in consensus order: the model exists, it is live, the escrow stays below 2^64, the signer has the coins.

    Raises: ModelNotFound (models/2), ModelNotLive (models/22), EscrowTooLarge (models/21), InsufficientFunds (sdk/5).
    Emits: models.model_funded. Gas: one write of this room, and the bank's.
    """
    model = keeper.get_model(ctx, msg.model_id)
    _check_live(model)
    amount_ugrad = parse_base_amount(msg.amount)
    model = keeper.credit_escrow(ctx, model.id, decode_address(msg.sender), amount_ugrad)
    ctx.emit(events.model_funded(model, msg.sender, amount_ugrad))
    return MsgFundModelResponse()


def close_model(ctx: Ctx, keeper: Keeper, rounds: Rounds, msg: MsgCloseModel) -> MsgCloseModelResponse:
    """End a model for good and give its admin what the escrow still holds.

    Checks, in consensus order: the model exists, the signer is its admin, it is not retired yet, no round runs, so that
    nobody's work goes unpaid.

    Raises: ModelNotFound (models/2), NotAdmin (models/24), ModelRetired (models/25), RoundRunning (models/26).
    Emits: models.model_closed. Gas: one write of this room, and the bank's.
    """
    model = keeper.get_model(ctx, msg.model_id)
    if model.admin != msg.admin:
        raise NotAdmin(f"the admin of model {model.id} is {model.admin}")
    if model.status == MODEL_STATUS_RETIRED:
        raise ModelRetired(f"model {model.id}")
    if rounds.has_running_round(ctx, model.id):
        raise RoundRunning(f"model {model.id}, round {model.rounds_closed + 1}")
    refunded_ugrad = model.escrow_ugrad
    ctx.emit(events.model_closed(keeper.retire_model(ctx, model), refunded_ugrad))
    return MsgCloseModelResponse(refunded_ugrad=refunded_ugrad)


def compute_weights_gas(spec: ModelSpec) -> int:
    """Gas of a new model's weights: their bytes in the blobs, and the draws of each parameter (rounded up)."""
    count = compute_param_count(spec)
    return BLOB_BYTE_GAS * WEIGHT_BYTES * count + mul_div_ceil(count, DRAW_OPERATIONS, MULTIPLY_ADDS_PER_GAS)


def _check_live(model: Model) -> None:
    if model.status not in LIVE_STATUSES:
        raise ModelNotLive(f"model {model.id}")
