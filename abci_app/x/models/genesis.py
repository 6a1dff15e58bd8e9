"""Genesis of models.

{"params": Params, "next_id": "2", "models": [Model], "versions": [SpecVersion], "pending": [PendingSpec],
 "weights": [{"record": Weights, "data": hex}], "momentum": [{"model_id", "data"}], "holds": [Hold]}
Records stand as runtime/records.py writes them. All may be left out for a chain without models; next_id is then 1,
and params have their defaults. Of contracts that a genesis lists auditors may be paid less than the parameters ask for.
"""

from typing import Any

from abci_app.runtime.context import Ctx
from abci_app.runtime.contract import compute_param_count
from abci_app.runtime.genesis import GenesisInvalid, Section
from abci_app.runtime.records import export_record, read_record
from abci_app.wire.address import decode_address
from abci_app.wire.errors import ChainError, InvariantBroken
from abci_app.wire.pb.gradus.models.v1.models_pb2 import (
    MODEL_STATUS_UNSPECIFIED, Hold, Model, ModelSpec, Params, PendingSpec, SpecVersion, Weights,
)
from abci_app.x.models.keeper import Keeper
from abci_app.x.models.types import check_spec
from abci_app.x.models.types.terms import PARAMS_DEFAULT, new_weights
from kernels.mlp import WEIGHT_BYTES
from kernels.outer import MOMENTUM_BYTES

PATH = "app_state.models"


def init_genesis(ctx: Ctx, keeper: Keeper, state: dict[str, Any]) -> None:
    """Write the genesis state. Raises GenesisInvalid."""
    section = Section(PATH, state).only(
        "params", "next_id", "models", "versions", "pending", "weights", "momentum", "holds")
    keeper.put_params(ctx, read_record(Section(f"{PATH}.params", section.value["params"]), Params)
                      if "params" in section.value else PARAMS_DEFAULT)
    next_id = section.uint("next_id") if "next_id" in section.value else 1
    if next_id == 0:
        raise GenesisInvalid(f"{PATH}.next_id", "0 is no id", "the first id is 1")
    keeper.put_next_id(ctx, next_id)
    for item in section.sections("models"):
        _init_model(ctx, keeper, item, next_id)
    for item in section.sections("versions"):
        _init_version(ctx, keeper, item)
    for item in section.sections("pending"):
        _init_pending(ctx, keeper, item)
    for item in section.sections("weights"):
        _init_weights(ctx, keeper, item.only("record", "data"))
    for item in section.sections("momentum"):
        _init_momentum(ctx, keeper, item.only("model_id", "data"))
    for item in section.sections("holds"):
        _init_hold(ctx, keeper, item)
    for model in keeper.iter_models(ctx):
        _check_latest(ctx, keeper, model)


def export_genesis(ctx: Ctx, keeper: Keeper) -> dict[str, Any]:
    """The genesis state that gives this state again."""
    weights, momentum, versions, pending = [], [], [], []
    for model in keeper.iter_models(ctx):
        versions += [export_record(version) for version in keeper.iter_versions(ctx, model.id)]
        waiting = keeper.find_pending(ctx, model.id)
        if waiting is not None:
            pending.append(export_record(PendingSpec(model_id=model.id, spec=waiting)))
        for record in keeper.iter_weights(ctx, model.id):
            data = keeper.load_weights(ctx, model.id, record.round)
            weights.append({"record": export_record(record), "data": data.hex()})
        if record.momentum_root:
            momentum.append({"model_id": str(model.id), "data": keeper.load_momentum(ctx, model.id).hex()})
    return {"params": export_record(keeper.params(ctx)), "next_id": str(keeper.next_id(ctx)),
            "models": [export_record(model) for model in keeper.iter_models(ctx)],
            "versions": versions, "pending": pending, "weights": weights, "momentum": momentum,
            "holds": [export_record(hold) for hold in keeper.iter_holds(ctx)]}


def _init_model(ctx: Ctx, keeper: Keeper, item: Section, next_id: int) -> None:
    model = read_record(item, Model)
    try:
        for address in (model.admin, model.paused_by or model.admin, model.offered_admin or model.admin):
            decode_address(address)
    except ChainError as error:
        raise GenesisInvalid(item.path, str(error), "an address begins with gradus1") from None
    _check_terms(keeper, item, model.spec)
    if not 0 < model.id < next_id or keeper.find_model(ctx, model.id) is not None:
        raise GenesisInvalid(f"{item.path}.id", f"{model.id} is 0, not below next_id, or stands there twice",
                             "ids are unique")
    if model.status == MODEL_STATUS_UNSPECIFIED:
        raise GenesisInvalid(f"{item.path}.status", "missing", "for example MODEL_STATUS_OPEN")
    keeper.put_model(ctx, model)


def _init_version(ctx: Ctx, keeper: Keeper, item: Section) -> None:
    version = read_record(item, SpecVersion)
    _check_terms(keeper, item, version.spec)
    model = _known_model(ctx, keeper, item, version.model_id)
    if not 0 < version.version < model.spec_version or keeper.find_version(ctx, model.id, version.version) is not None:
        raise GenesisInvalid(f"{item.path}.version", f"{version.version} is 0, not below the model's, or stands there "
                             "twice", "list each version that was replaced once")
    keeper.put_version(ctx, version)


def _init_pending(ctx: Ctx, keeper: Keeper, item: Section) -> None:
    pending = read_record(item, PendingSpec)
    _check_terms(keeper, item, pending.spec)
    model = _known_model(ctx, keeper, item, pending.model_id)
    if keeper.find_pending(ctx, model.id) is not None:
        raise GenesisInvalid(f"{item.path}.model_id", f"{model.id} stands there twice", "only the last terms wait")
    keeper.put_pending(ctx, model.id, pending.spec)


def _check_terms(keeper: Keeper, item: Section, spec: ModelSpec) -> None:
    try:
        check_spec(spec)
        keeper.check_data_owner(spec)
    except ChainError as error:
        raise GenesisInvalid(item.path, str(error), "the terms are those of a new model") from None


def _known_model(ctx: Ctx, keeper: Keeper, item: Section, model_id: int) -> Model:
    model = keeper.find_model(ctx, model_id)
    if model is None:
        raise GenesisInvalid(f"{item.path}.model_id", f"{model_id} is no model", "list the model first")
    return model


def _init_weights(ctx: Ctx, keeper: Keeper, item: Section) -> None:
    record = read_record(Section(f"{item.path}.record", item.value.get("record")), Weights)
    model = keeper.find_model(ctx, record.model_id)
    if model is None or record.round > model.rounds_closed:
        raise GenesisInvalid(f"{item.path}.record", "of no model or of a round to come", "list the model's own weights")
    data = item.raw("data", WEIGHT_BYTES * compute_param_count(model.spec))
    if record != new_weights(record.model_id, record.round, data, record.momentum_root, record.height):
        raise GenesisInvalid(f"{item.path}.record", "not the record of these data", "export it again")
    keeper.put_weights(ctx, record, data)


def _init_momentum(ctx: Ctx, keeper: Keeper, item: Section) -> None:
    model = _known_model(ctx, keeper, item, item.uint("model_id"))
    keeper.put_momentum(ctx, model.id, item.raw("data", MOMENTUM_BYTES * compute_param_count(model.spec)))


def _init_hold(ctx: Ctx, keeper: Keeper, item: Section) -> None:
    hold = read_record(item, Hold)
    if keeper.find_weights(ctx, hold.model_id, hold.round) is None:
        raise GenesisInvalid(f"{item.path}.round", f"{hold.round} of model {hold.model_id}, whose weights are not kept",
                             "list the weights that are held")
    if hold.count == 0 or keeper.find_hold(ctx, hold.model_id, hold.round) is not None:
        raise GenesisInvalid(f"{item.path}.count", "0, or the weights stand there twice", "list what is held once")
    keeper.put_hold(ctx, hold)


def _check_latest(ctx: Ctx, keeper: Keeper, model: Model) -> None:
    """What the next round stands on is there and is the model's."""
    path = f"{PATH}.weights"
    record = keeper.find_weights(ctx, model.id, model.rounds_closed)
    if record is None or record.root != model.weights_root:
        raise GenesisInvalid(path, f"not those of model {model.id} after round {model.rounds_closed}",
                             "the last weights must be listed and have the model's weights_root")
    try:
        keeper.load_momentum(ctx, model.id)
    except InvariantBroken as error:
        raise GenesisInvalid(f"{PATH}.momentum", str(error), "export it again") from None
