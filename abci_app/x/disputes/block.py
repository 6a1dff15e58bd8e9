"""End of a block: who was due and has not moved has lost; how disputes of rounds that are gone have ended is forgotten.

Source: README.md beside this file."""

from abci_app.runtime.context import Ctx
from abci_app.wire.pb.gradus.disputes.v1.disputes_pb2 import DISPUTE_REASON_SILENT
from abci_app.x.disputes.keeper import Keeper
from abci_app.x.disputes.types import FORGOTTEN_ROUNDS_PER_BLOCK, TIMEOUTS_PER_BLOCK, is_challenger_due


def end_block(ctx: Ctx, keeper: Keeper) -> None:
    """End the disputes whose deadline has come, the earliest first; what is above TIMEOUTS_PER_BLOCK waits."""
    for dispute in keeper.list_due(ctx, TIMEOUTS_PER_BLOCK):
        if keeper.is_moot(ctx, dispute):
            keeper.end_moot(ctx, dispute)
        elif is_challenger_due(dispute.stage):
            keeper.end_for_claimant(ctx, dispute, DISPUTE_REASON_SILENT)
        else:
            keeper.end_for_challenger(ctx, dispute, DISPUTE_REASON_SILENT)
    keeper.forget_ended(ctx, FORGOTTEN_ROUNDS_PER_BLOCK)
