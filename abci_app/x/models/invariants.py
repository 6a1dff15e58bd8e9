"""What always holds of models."""

from abci_app.runtime.context import Ctx
from abci_app.wire.address import module_address
from abci_app.wire.errors import InvariantBroken
from abci_app.wire.pb.gradus.models.v1.models_pb2 import MODEL_STATUS_RETIRED, Model
from abci_app.x.models.keeper import Keeper
from abci_app.x.models.types import STORE


def check_escrow(ctx: Ctx, keeper: Keeper) -> str | None:
    """The escrows add up to the module account's balance."""
    total = sum(model.escrow_ugrad for model in keeper.iter_models(ctx))
    held = keeper.bank.balance(ctx, module_address(STORE))
    return None if total == held else f"escrows of {total} ugrad stand against {held} in the module account"


def check_ids(ctx: Ctx, keeper: Keeper) -> str | None:
    """Every id is below the next one, and a retired model holds no escrow."""
    for model in keeper.iter_models(ctx):
        if model.id >= keeper.next_id(ctx):
            return f"model {model.id} is not below the next id {keeper.next_id(ctx)}"
        if model.status == MODEL_STATUS_RETIRED and model.escrow_ugrad:
            return f"model {model.id} is retired and holds {model.escrow_ugrad} ugrad"
    return None


def check_weights(ctx: Ctx, keeper: Keeper) -> str | None:
    """All kept weights are there and hash to their roots; the last ones and their momentum are the model's."""
    for model in keeper.iter_models(ctx):
        problem = _find_weights_problem(ctx, keeper, model)
        if problem is not None:
            return f"model {model.id}: {problem}"
    return None


def _find_weights_problem(ctx: Ctx, keeper: Keeper, model: Model) -> str | None:
    records = list(keeper.iter_weights(ctx, model.id))
    if not records or records[-1].round != model.rounds_closed or records[-1].root != model.weights_root:
        return f"the last weights are not those after round {model.rounds_closed}"
    if records[0].round <= model.rounds_closed - model.spec.training.kept_rounds:
        return f"weights of round {records[0].round} are kept too long"
    for record in records:
        if keeper.find_weights_bytes(ctx, record) is None:
            return f"the weights after round {record.round} do not hash to their root"
    try:
        keeper.load_momentum(ctx, model.id)
    except InvariantBroken as error:
        return str(error)
    return None
