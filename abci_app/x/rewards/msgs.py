"""Messages of the room: each is named checks, then writes. The stateless checks are in types.py and ran before."""

from abci_app.runtime.context import Ctx
from abci_app.wire.address import decode_address
from abci_app.wire.coin import parse_base_amount
from abci_app.wire.pb.gradus.rewards.v1.tx_pb2 import (
    MsgBack, MsgBackResponse, MsgCollectRoyalties, MsgCollectRoyaltiesResponse, MsgUnback, MsgUnbackResponse,
)
from abci_app.x.rewards.keeper import Keeper


def back(ctx: Ctx, keeper: Keeper, msg: MsgBack) -> MsgBackResponse:
    """Put coins behind a model; anyone may, and add to what is there.

    Checks, in consensus order: the model exists, it is not closed, all backing stays below 2^64, the signer has the
    coins.

    Raises: ModelNotFound (models/2), ModelRetired (rewards/3), BackingTooLarge (rewards/4), InsufficientFunds (sdk/5).
    Emits: rewards.model_backed. Gas: 3 writes of this room, and the bank's.
    """
    keeper.back(ctx, decode_address(msg.owner), msg.model_id, parse_base_amount(msg.amount))
    return MsgBackResponse()


def unback(ctx: Ctx, keeper: Keeper, msg: MsgUnback) -> MsgUnbackResponse:
    """Take coins from behind a model, whatever its status; they come back after unback_blocks.

    Checks, in consensus order: the signer's backing of the model is at least as much, what comes back with it stays
    below 2^64.

    Raises: BackingTooSmall (rewards/5), UnbackingTooLarge (rewards/6). Emits: rewards.model_unbacked. Gas: 5
    writes of this room.
    """
    due_height = keeper.unback(ctx, decode_address(msg.owner), msg.model_id, parse_base_amount(msg.amount))
    return MsgUnbackResponse(due_height=due_height)


def collect_royalties(ctx: Ctx, keeper: Keeper, msg: MsgCollectRoyalties) -> MsgCollectRoyaltiesResponse:
    """Pay a trainer what its accepted units have earned by a model's answers; whatever became of the model since.

    Checks, in consensus order: something waits for the signer.

    Raises: NothingToCollect (rewards/7). Emits: rewards.royalties_collected. Gas: 2 writes of this room, and the
    bank's.
    """
    return MsgCollectRoyaltiesResponse(
        paid_ugrad=keeper.collect_royalties(ctx, decode_address(msg.trainer), msg.model_id))
