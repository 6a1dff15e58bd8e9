"""Genesis of rewards.

{"payouts": [{"consensus_address": "<20 bytes hex>", "account": "gradus1…"}],
 "contributions": [{"model_id": "1", "trainer": "gradus1…", "units": "3", "earned_ugrad": "5"}]}
Both may be left out. A validator without a payout earns no fees.
"""

from typing import Any

from abci_app.runtime.context import Ctx
from abci_app.runtime.genesis import GenesisInvalid, Section
from abci_app.runtime.records import export_record, read_record
from abci_app.wire.address import ADDRESS_BYTES, encode_address
from abci_app.wire.pb.gradus.rewards.v1.rewards_pb2 import Contribution, Payout
from abci_app.x.rewards.keeper import Keeper

PATH = "app_state.rewards"


def init_genesis(ctx: Ctx, keeper: Keeper, state: dict[str, Any]) -> None:
    """Write the genesis state. Raises GenesisInvalid."""
    section = Section(PATH, state).only("payouts", "contributions")
    for item in section.sections("payouts"):
        item.only("consensus_address", "account")
        payout = Payout(consensus_address=item.raw("consensus_address", ADDRESS_BYTES),
                        account=encode_address(item.address("account")))
        if keeper.find_payout(ctx, payout.consensus_address) is not None:
            raise GenesisInvalid(f"{item.path}.consensus_address", "stands in the list twice", "take one of them out")
        keeper.put_payout(ctx, payout)
    for item in section.sections("contributions"):
        contribution = read_record(item, Contribution)
        trainer = item.address("trainer")
        if keeper.models.find_model(ctx, contribution.model_id) is None:
            raise GenesisInvalid(f"{item.path}.model_id", f"no model {contribution.model_id}", "list the model first")
        if keeper.find_contribution(ctx, contribution.model_id, trainer) is not None:
            raise GenesisInvalid(f"{item.path}.trainer", "stands in the list twice", "take one of them out")
        keeper.put_contribution(ctx, contribution)


def export_genesis(ctx: Ctx, keeper: Keeper) -> dict[str, Any]:
    """The genesis state that gives this state again."""
    return {"payouts": [export_record(payout) for payout in keeper.iter_payouts(ctx)],
            "contributions": [export_record(record) for record in keeper.iter_contributions(ctx)]}
