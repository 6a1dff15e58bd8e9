"""Messages of the room: each is named checks, then writes. The stateless checks are in types.py and ran before."""

from dataclasses import dataclass

from abci_app.runtime.context import Ctx
from abci_app.runtime.gas import BLOB_BYTE_GAS, MULTIPLY_ADDS_PER_GAS, WRITE_GAS
from abci_app.wire.address import decode_address
from abci_app.wire.coin import parse_base_amount
from abci_app.wire.ints import mul_div_ceil
from abci_app.wire.pb.gradus.models.v1.models_pb2 import Model, ModelSpec
from abci_app.wire.pb.gradus.models.v1.tx_pb2 import (
    MsgCreateModel, MsgCreateModelResponse, MsgFundModel, MsgFundModelResponse,
)
from abci_app.x.models import events
from abci_app.x.models.errors import ModelNotLive
from abci_app.x.models.keeper import LIVE_STATUSES, ModelsKeeper
from abci_app.x.models.types import compute_param_count
from kernels.mlp import WEIGHT_BYTES

CREATE_WRITES = 5
FUND_WRITES = 2
INIT_OPERATIONS_PER_PARAM = 16


def compute_create_gas(spec: ModelSpec) -> int:
    """Gas of making a model: its records, its weights in the blobs, and the draws of its weights (rounded up)."""
    count = compute_param_count(spec)
    draws = mul_div_ceil(count, INIT_OPERATIONS_PER_PARAM, MULTIPLY_ADDS_PER_GAS)
    return CREATE_WRITES * WRITE_GAS + BLOB_BYTE_GAS * WEIGHT_BYTES * count + draws


@dataclass(frozen=True)
class ModelsMsgs:
    """Handlers over the room's keeper."""

    keeper: ModelsKeeper

    def create_model(self, ctx: Ctx, msg: MsgCreateModel) -> MsgCreateModelResponse:
        """Write a contract, its initial weights and its escrow.

        Checks: gas, funds.  Raises: OutOfGas (sdk/11), InsufficientFunds (sdk/5).
        Emits: models.model_created.  Gas: compute_create_gas.
        """
        ctx.gas.use(compute_create_gas(msg.spec), "the model's weights")
        escrow_ugrad = parse_base_amount(msg.escrow) if msg.HasField("escrow") else 0
        model = self.keeper.create_model(ctx, msg.creator, msg.spec)
        model = self.keeper.credit_escrow(ctx, model.id, decode_address(msg.creator), escrow_ugrad)
        ctx.emit(events.model_created(model))
        return MsgCreateModelResponse(model_id=model.id)

    def fund_model(self, ctx: Ctx, msg: MsgFundModel) -> MsgFundModelResponse:
        """Add to the escrow of a model that is open or training; anyone may.

        Checks: gas, model exists, is live, escrow fits, funds.
        Raises: OutOfGas (sdk/11), ModelNotFound (models/2), ModelNotLive (models/22), EscrowTooLarge (models/21),
        InsufficientFunds (sdk/5).  Emits: models.model_funded.  Gas: FUND_WRITES * WRITE_GAS.
        """
        ctx.gas.use(FUND_WRITES * WRITE_GAS, "the escrow")
        model = self.keeper.get_model(ctx, msg.model_id)
        self._check_live(model)
        amount_ugrad = parse_base_amount(msg.amount)
        model = self.keeper.credit_escrow(ctx, model.id, decode_address(msg.sender), amount_ugrad)
        ctx.emit(events.model_funded(model, msg.sender, amount_ugrad))
        return MsgFundModelResponse()

    def _check_live(self, model: Model) -> None:
        if model.status not in LIVE_STATUSES:
            raise ModelNotLive(f"model {model.id}")
