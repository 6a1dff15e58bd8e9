"""What always holds of models."""

from abci_app.runtime.context import Ctx
from abci_app.wire.address import module_address
from abci_app.wire.errors import InvariantBroken
from abci_app.wire.ints import U32_MAX
from abci_app.wire.pb.gradus.models.v1.models_pb2 import (
    MODEL_STATUS_OPEN, MODEL_STATUS_PAUSED, MODEL_STATUS_RETIRED, MODEL_STATUS_SERVING, MODEL_STATUS_TRAINING,
    MODEL_STATUS_UNSPECIFIED, Model, ModelSpec,
)
from abci_app.x.models import keys
from abci_app.x.models.keeper import Keeper
from abci_app.x.models.types import STORE
from abci_app.x.models.types.changes import find_phase
from abci_app.x.models.types.terms import VERSIONS_MAX

PHASES = (MODEL_STATUS_OPEN, MODEL_STATUS_TRAINING, MODEL_STATUS_SERVING)


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


def check_life(ctx: Ctx, keeper: Keeper) -> str | None:
    """A paused model has somebody who paused it and a phase to go on in; a model serves when its rounds are closed."""
    for model in keeper.iter_models(ctx):
        spec = keeper.find_pending(ctx, model.id) or model.spec
        problem = _find_life_problem(model, model.rounds_closed >= (spec.training.rounds or U32_MAX))
        if problem is not None:
            return f"model {model.id} {problem}"
    return None


def _find_life_problem(model: Model, is_trained: bool) -> str | None:
    is_paused = model.status == MODEL_STATUS_PAUSED
    if is_paused != bool(model.paused_by) or is_paused != (model.resumed_status in PHASES):
        return "is paused by nobody, would go on as nothing, or says so without being paused"
    if not is_paused and model.resumed_status != MODEL_STATUS_UNSPECIFIED:
        return "would go on and is not paused"
    if model.status != MODEL_STATUS_RETIRED and is_trained != (find_phase(model) == MODEL_STATUS_SERVING):
        return f"has closed {model.rounds_closed} rounds, which is not what its phase says"
    if model.offered_admin and (model.offered_admin == model.admin or model.status == MODEL_STATUS_RETIRED):
        return "is offered to its own admin, or retired and offered"
    return None


def check_terms(ctx: Ctx, keeper: Keeper) -> str | None:
    """All replaced terms are there, all terms are those of one contract, and only live changes wait."""
    versions = waiting = 0
    for model in keeper.iter_models(ctx):
        if not 1 <= model.spec_version <= VERSIONS_MAX:
            return f"model {model.id} has terms of version {model.spec_version}"
        replaced, pending = list(keeper.iter_versions(ctx, model.id)), keeper.find_pending(ctx, model.id)
        if [one.version for one in replaced] != list(range(1, model.spec_version)):
            return f"of model {model.id} not all of {model.spec_version} versions of the terms are there"
        if any(_fixed_terms(one.spec) != _fixed_terms(model.spec) for one in replaced):
            return f"model {model.id} has had terms of another contract"
        versions += len(replaced)
        if pending is not None:
            waiting += 1
            if model.status == MODEL_STATUS_RETIRED or pending == model.spec \
                    or _fixed_terms(pending) != _fixed_terms(model.spec) \
                    or pending.invited_trainers != model.spec.invited_trainers:
                return f"terms wait for model {model.id} which it cannot have"
    store = ctx.state.store(STORE)
    if versions != sum(1 for _ in store.iter(keys.VERSIONS)) or waiting != sum(1 for _ in store.iter(keys.PENDING)):
        return "there are terms of models that do not exist"
    return None


def _fixed_terms(spec: ModelSpec) -> ModelSpec:
    """What no change of terms touches."""
    fixed = ModelSpec()
    fixed.CopyFrom(spec)
    for name in ("training", "audit", "economy", "inference", "invited_trainers"):
        fixed.ClearField(name)
    fixed.dataset.Clear()
    fixed.dataset.features, fixed.dataset.classes = spec.dataset.features, spec.dataset.classes
    return fixed


def check_weights(ctx: Ctx, keeper: Keeper) -> str | None:
    """All kept weights are there and hash to their roots; the last ones and their momentum are the model's."""
    for model in keeper.iter_models(ctx):
        problem = _find_weights_problem(ctx, keeper, model)
        if problem is not None:
            return f"model {model.id}: {problem}"
    return None


def check_holds(ctx: Ctx, keeper: Keeper) -> str | None:
    """Who is held is kept; only weights before the last ones have expired."""
    for hold in keeper.iter_holds(ctx):
        named = f"model {hold.model_id}, round {hold.round}"
        model = keeper.find_model(ctx, hold.model_id)
        if model is None or hold.count == 0 or keeper.find_weights(ctx, hold.model_id, hold.round) is None:
            return f"{named}: weights are held that are not kept, or by nobody"
        if hold.is_expired and hold.round >= model.rounds_closed:
            return f"{named}: the last weights have expired"
    return None


def _find_weights_problem(ctx: Ctx, keeper: Keeper, model: Model) -> str | None:
    records = list(keeper.iter_weights(ctx, model.id))
    if not records or records[-1].round != model.rounds_closed or records[-1].root != model.weights_root:
        return f"the last weights are not those after round {model.rounds_closed}"
    for record in records:
        if keeper.find_weights_bytes(ctx, record) is None:
            return f"the weights after round {record.round} do not hash to their root"
    try:
        keeper.load_momentum(ctx, model.id)
    except InvariantBroken as error:
        return str(error)
    return None
