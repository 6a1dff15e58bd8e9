"""What always holds of rewards."""

from abci_app.runtime.context import Ctx
from abci_app.x.rewards.keeper import Keeper


def check_earnings(ctx: Ctx, keeper: Keeper) -> str | None:
    """What the trainers of a model have earned is what has left its escrow."""
    earned: dict[int, int] = {}
    for record in keeper.iter_contributions(ctx):
        earned[record.model_id] = earned.get(record.model_id, 0) + record.earned_ugrad
    for model in keeper.models.iter_models(ctx):
        booked = earned.pop(model.id, 0)
        if booked != model.paid_ugrad:
            return f"trainers of model {model.id} have earned {booked} ugrad, {model.paid_ugrad} left its escrow"
    return f"contributions to models {sorted(earned)}, which do not exist" if earned else None
