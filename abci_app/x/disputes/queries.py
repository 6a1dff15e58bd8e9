"""Answers of `gradus.disputes.v1.Query`. Absent things are NotFound (sdk/22), which clients know."""

from abci_app.runtime.context import Ctx
from abci_app.runtime.paging import read_page
from abci_app.wire.address import decode_address
from abci_app.wire.errors import NotFound
from abci_app.wire.pb.gradus.disputes.v1 import query_pb2
from abci_app.wire.pb.gradus.disputes.v1.disputes_pb2 import Dispute, EndedDispute
from abci_app.x.disputes import keys
from abci_app.x.disputes.keeper import Keeper
from abci_app.x.disputes.types import STORE


def query_dispute(ctx: Ctx, keeper: Keeper, request: query_pb2.QueryDisputeRequest) -> query_pb2.QueryDisputeResponse:
    """The open dispute of a unit. Raises NotFound (sdk/22)."""
    return query_pb2.QueryDisputeResponse(dispute=_find(ctx, keeper, request.model_id, request.round, request.unit))


def query_disputes(ctx: Ctx, keeper: Keeper,
                   request: query_pb2.QueryDisputesRequest) -> query_pb2.QueryDisputesResponse:
    """Open disputes of a model (0: of all), of a party (empty: of anybody), by model, round and unit, by pages.

    Raises InvalidAddress (sdk/7).
    """
    if request.party:
        decode_address(request.party)

    def is_wanted(raw: bytes) -> bool:
        dispute = Dispute.FromString(raw)
        return not request.party or request.party in (dispute.claimant, dispute.challenger)

    prefix = keys.disputes_of(request.model_id) if request.model_id else keys.DISPUTES
    records, page = read_page(ctx.state.store(STORE), prefix, request.pagination, is_wanted)
    return query_pb2.QueryDisputesResponse(disputes=[Dispute.FromString(raw) for _, raw in records], pagination=page)


def query_ended(ctx: Ctx, keeper: Keeper, request: query_pb2.QueryEndedRequest) -> query_pb2.QueryEndedResponse:
    """Ended disputes of a round, of a model (round 0) or of all (model 0), of a party (empty: of anybody), by pages.

    Kept until their round is dropped. Raises InvalidAddress (sdk/7).
    """
    if request.party:
        decode_address(request.party)

    def is_wanted(raw: bytes) -> bool:
        ended = EndedDispute.FromString(raw)
        return not request.party or request.party in (ended.claimant, ended.challenger)

    prefix = keys.ENDED
    if request.model_id:
        prefix = keys.ended_in(request.model_id, request.round) if request.round else keys.ended_of(request.model_id)
    records, page = read_page(ctx.state.store(STORE), prefix, request.pagination, is_wanted)
    disputes = [EndedDispute.FromString(raw) for _, raw in records]
    return query_pb2.QueryEndedResponse(disputes=disputes, pagination=page)


def query_trace(ctx: Ctx, keeper: Keeper, request: query_pb2.QueryTraceRequest) -> query_pb2.QueryTraceResponse:
    """The trace that a claimant has posted. Raises NotFound (sdk/22) before, and once the challenger has picked."""
    digests = keeper.find_trace(ctx, _find(ctx, keeper, request.model_id, request.round, request.unit))
    if digests is None:
        raise NotFound(f"no trace of model {request.model_id}, round {request.round}, unit {request.unit} is posted")
    return query_pb2.QueryTraceResponse(digests=digests)


def _find(ctx: Ctx, keeper: Keeper, model_id: int, number: int, unit: int) -> Dispute:
    dispute = keeper.find_dispute(ctx, model_id, number, unit)
    if dispute is None:
        raise NotFound(f"no dispute of model {model_id}, round {number}, unit {unit} is open")
    return dispute
