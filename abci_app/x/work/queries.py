"""Answers of `gradus.work.v1.Query`. Absent things are NotFound (sdk/22), which clients know."""

from abci_app.runtime.context import Ctx
from abci_app.runtime.paging import read_page
from abci_app.wire.address import decode_address
from abci_app.wire.errors import NotFound
from abci_app.wire.pb.gradus.work.v1 import query_pb2
from abci_app.wire.pb.gradus.work.v1.work_pb2 import UNIT_STATUS_COMMITTED, Slash, Trainer
from abci_app.x.work import keys
from abci_app.x.work.keeper import Keeper
from abci_app.x.work.types import STORE


def query_trainer(ctx: Ctx, keeper: Keeper, request: query_pb2.QueryTrainerRequest) -> query_pb2.QueryTrainerResponse:
    """One trainer of a model. Raises InvalidAddress (sdk/7), NotFound (sdk/22)."""
    trainer = keeper.find_trainer(ctx, request.model_id, decode_address(request.address))
    if trainer is None:
        raise NotFound(f"{request.address} is not enrolled with model {request.model_id}")
    return query_pb2.QueryTrainerResponse(trainer=trainer)


def query_trainers(ctx: Ctx, keeper: Keeper,
                   request: query_pb2.QueryTrainersRequest) -> query_pb2.QueryTrainersResponse:
    """A model's trainers in the order of addresses, by pages."""
    _check_model(ctx, keeper, request.model_id)
    records, page = read_page(ctx.state.store(STORE), keys.trainers_of(request.model_id), request.pagination)
    return query_pb2.QueryTrainersResponse(trainers=[Trainer.FromString(raw) for _, raw in records], pagination=page)


def query_round(ctx: Ctx, keeper: Keeper, request: query_pb2.QueryRoundRequest) -> query_pb2.QueryRoundResponse:
    """A round with its units; number 0 asks for the running one. Raises NotFound (sdk/22)."""
    number = request.round or _next_number(ctx, keeper, request.model_id)
    found = keeper.find_round(ctx, request.model_id, number)
    if found is None:
        raise NotFound(f"round {number} of model {request.model_id} is not running and not kept")
    return query_pb2.QueryRoundResponse(round=found, units=keeper.list_units(ctx, request.model_id, number))


def query_assignments(ctx: Ctx, keeper: Keeper,
                      request: query_pb2.QueryAssignmentsRequest) -> query_pb2.QueryAssignmentsResponse:
    """What an account has to do for a model now; fields that do not apply are absent.

    Raises InvalidAddress (sdk/7), NotFound (sdk/22) for an unknown model.
    """
    trainer = keeper.find_trainer(ctx, request.model_id, decode_address(request.trainer))
    running = keeper.find_round(ctx, request.model_id, _next_number(ctx, keeper, request.model_id))
    units = keeper.list_units(ctx, running.model_id, running.number) if running is not None else []
    own = [unit for unit in units if unit.trainer == request.trainer]
    return query_pb2.QueryAssignmentsResponse(round=running, units=own, trainer=trainer)


def query_payload(ctx: Ctx, keeper: Keeper, request: query_pb2.QueryPayloadRequest) -> query_pb2.QueryPayloadResponse:
    """The payload of a revealed unit. Raises NotFound (sdk/22) when there is none or it is no longer kept."""
    unit = keeper.find_unit(ctx, request.model_id, request.round, request.unit)
    is_whole = unit is not None and unit.status != UNIT_STATUS_COMMITTED
    payload = keeper.find_payload(ctx, unit) if unit is not None and is_whole else None
    if payload is None:
        raise NotFound(f"no payload of model {request.model_id}, round {request.round}, unit {request.unit} is kept")
    return query_pb2.QueryPayloadResponse(payload=payload)


def query_slashes(ctx: Ctx, keeper: Keeper, request: query_pb2.QuerySlashesRequest) -> query_pb2.QuerySlashesResponse:
    """A model's slashes, the earliest first, by pages."""
    _check_model(ctx, keeper, request.model_id)
    records, page = read_page(ctx.state.store(STORE), keys.slashes_of(request.model_id), request.pagination)
    return query_pb2.QuerySlashesResponse(slashes=[Slash.FromString(raw) for _, raw in records], pagination=page)


def _next_number(ctx: Ctx, keeper: Keeper, model_id: int) -> int:
    return _check_model(ctx, keeper, model_id) + 1


def _check_model(ctx: Ctx, keeper: Keeper, model_id: int) -> int:
    """The rounds that an existing model has closed. Raises NotFound (sdk/22)."""
    model = keeper.models.find_model(ctx, model_id)
    if model is None:
        raise NotFound(f"model {model_id}")
    return model.rounds_closed
