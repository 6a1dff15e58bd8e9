"""Answers of `gradus.inference.v1.Query`. Absent things are NotFound (sdk/22), which clients know."""

from abci_app.runtime.context import Ctx
from abci_app.runtime.paging import read_page
from abci_app.runtime.question import QuestionInvalid, check_question, compute_answer_bytes_max, compute_work
from abci_app.wire.address import decode_address
from abci_app.wire.errors import InvalidRequest, NotFound
from abci_app.wire.ints import U64_MAX
from abci_app.wire.pb.gradus.inference.v1 import query_pb2
from abci_app.wire.pb.gradus.inference.v1.inference_pb2 import Host, Request
from abci_app.wire.pb.gradus.models.v1.models_pb2 import Model
from abci_app.x.inference import keys
from abci_app.x.inference.errors import InferenceAbsent, QuestionRefused
from abci_app.x.inference.keeper import Keeper
from abci_app.x.inference.types import OFFERS_MAX, STORE, compute_burnt


def query_host(ctx: Ctx, keeper: Keeper, request: query_pb2.QueryHostRequest) -> query_pb2.QueryHostResponse:
    """One host of a model. Raises InvalidAddress (sdk/7), NotFound (sdk/22)."""
    host = keeper.find_host(ctx, request.model_id, decode_address(request.host))
    if host is None:
        raise NotFound(f"{request.host} does not host model {request.model_id}")
    return query_pb2.QueryHostResponse(host=host)


def query_hosts(ctx: Ctx, keeper: Keeper, request: query_pb2.QueryHostsRequest) -> query_pb2.QueryHostsResponse:
    """A model's hosts in the order of addresses, by pages. Raises NotFound (sdk/22) for an unknown model."""
    _check_model(ctx, keeper, request.model_id)
    records, page = read_page(ctx.state.store(STORE), keys.hosts_of(request.model_id), request.pagination)
    return query_pb2.QueryHostsResponse(hosts=[Host.FromString(raw) for _, raw in records], pagination=page)


def query_request(ctx: Ctx, keeper: Keeper, request: query_pb2.QueryRequestRequest) -> query_pb2.QueryRequestResponse:
    """A request with its question. Raises NotFound (sdk/22) for one that is kept no longer."""
    found = keeper.find_request(ctx, request.request_id)
    if found is None:
        raise NotFound(f"request {request.request_id} was never made, or is kept no longer; its hash is in the archive")
    return query_pb2.QueryRequestResponse(request=_with_question(ctx, keeper, found))


def query_requests(ctx: Ctx, keeper: Keeper,
                   request: query_pb2.QueryRequestsRequest) -> query_pb2.QueryRequestsResponse:
    """A user's kept requests, those in which a host has an open seat, or all that are kept; ids rising, by pages.

    Without their questions. Raises InvalidAddress (sdk/7), InvalidRequest (sdk/18) for both a user and a host.
    """
    if request.user and request.host:
        raise InvalidRequest("name a user or a host, not both")
    if not request.user and not request.host:
        records, page = read_page(ctx.state.store(STORE), keys.REQUESTS, request.pagination)
        found = [Request.FromString(raw) for _, raw in records]
    else:
        prefix = keys.by_user(decode_address(request.user)) if request.user else keys.by_host(
            decode_address(request.host))
        records, page = read_page(ctx.state.store(STORE), prefix, request.pagination)
        found = [keeper.get_request(ctx, keys.read_request_id(key)) for key, _ in records]
    return query_pb2.QueryRequestsResponse(requests=found, pagination=page)


def query_quote(ctx: Ctx, keeper: Keeper, request: query_pb2.QueryQuoteRequest) -> query_pb2.QueryQuoteResponse:
    """What an answer costs now, by shapes and the hosts' prices; nobody is asked for it.

    Raises NotFound (sdk/22) for an unknown model, InferenceAbsent (inference/8), QuestionRefused (inference/20).
    """
    model, replicas = _check_model(ctx, keeper, request.model_id), max(request.replicas, 1)
    if not model.spec.HasField("inference"):
        raise InferenceAbsent(f"model {request.model_id}")
    try:
        check_question(model.spec, request.question)
    except QuestionInvalid as error:
        raise QuestionRefused(str(error)) from None
    work = compute_work(model.spec, request.question)
    offers, _ = keeper.list_offers(ctx, model.id, model.spec.inference, work, "", OFFERS_MAX, ctx.height + 1)
    fee_ugrad = sum(offer.fee_ugrad for offer in offers[:replicas])
    is_available = replicas <= min(len(offers), model.spec.inference.replicas_max) and fee_ugrad <= U64_MAX
    return query_pb2.QueryQuoteResponse(
        work=work, answer_bytes_max=compute_answer_bytes_max(model.spec, request.question),
        offers=[query_pb2.Offer(host=offer.host.address, price_ugrad_per_gma=offer.host.price_ugrad_per_gma,
                                ask_ugrad=offer.ask_ugrad, fee_ugrad=offer.fee_ugrad) for offer in offers],
        fee_ugrad=fee_ugrad if is_available else 0, is_available=is_available,
        burnt_ugrad=compute_burnt(keeper.params(ctx), model.spec.inference, work, keeper.audit_price(ctx)))


def query_archive(ctx: Ctx, keeper: Keeper, request: query_pb2.QueryArchiveRequest) -> query_pb2.QueryArchiveResponse:
    """The peaks over the hashes of all requests that are kept no longer."""
    return query_pb2.QueryArchiveResponse(archive=keeper.archive(ctx))


def query_params(ctx: Ctx, keeper: Keeper, request: query_pb2.QueryParamsRequest) -> query_pb2.QueryParamsResponse:
    """The room's parameters."""
    return query_pb2.QueryParamsResponse(params=keeper.params(ctx))


def _with_question(ctx: Ctx, keeper: Keeper, found: Request) -> Request:
    found.question.CopyFrom(keeper.get_question(ctx, found))
    return found


def _check_model(ctx: Ctx, keeper: Keeper, model_id: int) -> Model:
    model = keeper.models.find_model(ctx, model_id)
    if model is None:
        raise NotFound(f"model {model_id}")
    return model
