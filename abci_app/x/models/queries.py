"""Answers of `gradus.models.v1.Query`. Absent things are NotFound (sdk/22), which clients know."""

from abci_app.runtime.context import Ctx
from abci_app.runtime.paging import read_page
from abci_app.wire.errors import NotFound
from abci_app.wire.pb.gradus.models.v1 import query_pb2
from abci_app.wire.pb.gradus.models.v1.models_pb2 import Model, SpecVersion, Weights
from abci_app.x.models import keys
from abci_app.x.models.keeper import Keeper
from abci_app.x.models.types import STORE
from kernels import chunks


def query_model(ctx: Ctx, keeper: Keeper, request: query_pb2.QueryModelRequest) -> query_pb2.QueryModelResponse:
    """One model. Raises NotFound (sdk/22)."""
    return query_pb2.QueryModelResponse(model=_get_model(ctx, keeper, request.model_id))


def query_models(ctx: Ctx, keeper: Keeper, request: query_pb2.QueryModelsRequest) -> query_pb2.QueryModelsResponse:
    """All models, ids rising, by pages."""
    records, page = read_page(ctx.state.store(STORE), keys.MODELS, request.pagination)
    return query_pb2.QueryModelsResponse(models=[Model.FromString(raw) for _, raw in records], pagination=page)


def query_weights(ctx: Ctx, keeper: Keeper, request: query_pb2.QueryWeightsRequest) -> query_pb2.QueryWeightsResponse:
    """The record that commits to the weights after a round (0: the initial ones). Raises NotFound (sdk/22)."""
    return query_pb2.QueryWeightsResponse(weights=_get_weights(ctx, keeper, request.model_id, request.round))


def query_weights_chunk(ctx: Ctx, keeper: Keeper,
                        request: query_pb2.QueryWeightsChunkRequest) -> query_pb2.QueryWeightsChunkResponse:
    """One chunk with its proof against Weights.root, for kernels.chunks.verify_chunk. Raises NotFound (sdk/22)."""
    record = _get_weights(ctx, keeper, request.model_id, request.round)
    if request.index >= record.chunk_count:
        raise NotFound(f"chunk {request.index} of {record.chunk_count}")
    data = keeper.find_weights_bytes(ctx, record)
    if data is None:
        raise NotFound(f"the weights of model {record.model_id} after round {record.round} are no longer kept")
    start = request.index * record.chunk_bytes
    proof = chunks.chunk_proof(data, request.index, record.chunk_bytes)
    return query_pb2.QueryWeightsChunkResponse(chunk=data[start:start + record.chunk_bytes], proof=proof)


def query_spec(ctx: Ctx, keeper: Keeper, request: query_pb2.QuerySpecRequest) -> query_pb2.QuerySpecResponse:
    """The terms of a version, in force or replaced. Raises NotFound (sdk/22)."""
    model = _get_model(ctx, keeper, request.model_id)
    version = keeper.find_version(ctx, model.id, request.version)
    if request.version == model.spec_version:
        version = _current_version(model)
    if version is None:
        raise NotFound(f"model {model.id} has had {model.spec_version} versions of its terms, not {request.version}")
    return query_pb2.QuerySpecResponse(version=version)


def query_versions(ctx: Ctx, keeper: Keeper,
                   request: query_pb2.QueryVersionsRequest) -> query_pb2.QueryVersionsResponse:
    """The terms that a model had by pages, those that it has, and those that wait. Raises NotFound (sdk/22)."""
    model = _get_model(ctx, keeper, request.model_id)
    records, page = read_page(ctx.state.store(STORE), keys.versions_of(model.id), request.pagination)
    return query_pb2.QueryVersionsResponse(versions=[SpecVersion.FromString(raw) for _, raw in records],
                                           current=_current_version(model), pagination=page,
                                           pending=keeper.find_pending(ctx, model.id))


def query_params(ctx: Ctx, keeper: Keeper, request: query_pb2.QueryParamsRequest) -> query_pb2.QueryParamsResponse:
    """What auditors must be paid."""
    return query_pb2.QueryParamsResponse(params=keeper.params(ctx))


def _current_version(model: Model) -> SpecVersion:
    return SpecVersion(model_id=model.id, version=model.spec_version, spec=model.spec, height=model.spec_height)


def _get_model(ctx: Ctx, keeper: Keeper, model_id: int) -> Model:
    model = keeper.find_model(ctx, model_id)
    if model is None:
        raise NotFound(f"model {model_id}")
    return model


def _get_weights(ctx: Ctx, keeper: Keeper, model_id: int, round_number: int) -> Weights:
    record = keeper.find_weights(ctx, model_id, round_number)
    if record is None:
        raise NotFound(f"weights of model {model_id} after round {round_number}; they may no longer be kept")
    return record
