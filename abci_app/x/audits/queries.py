"""Answers of `gradus.audits.v1.Query`."""

from abci_app.runtime.context import Ctx
from abci_app.runtime.paging import read_page
from abci_app.wire.errors import InvalidRequest, NotFound
from abci_app.wire.pb.gradus.audits.v1 import query_pb2
from abci_app.wire.pb.gradus.audits.v1.audits_pb2 import AUDIT_STATUS_OPEN, Audit, Auditor
from abci_app.x.audits import keys
from abci_app.x.audits.keeper import Keeper
from abci_app.x.audits.types import ADDRESS_BYTES, STORE


def query_audit(ctx: Ctx, keeper: Keeper, request: query_pb2.QueryAuditRequest) -> query_pb2.QueryAuditResponse:
    """An audit by its subject. Raises NotFound (sdk/22) for one that was never opened or is closed."""
    found = keeper.find_audit(ctx, request.subject)
    if found is None:
        raise NotFound(f"no audit of {request.subject.hex():.100}")
    return query_pb2.QueryAuditResponse(audit=found)


def query_open_audits(ctx: Ctx, keeper: Keeper,
                      request: query_pb2.QueryOpenAuditsRequest) -> query_pb2.QueryOpenAuditsResponse:
    """Undecided audits by subject, by pages; with a validator those that still wait for its digest.

    Raises InvalidRequest (sdk/18) for a validator that is no address.
    """
    store = ctx.state.store(STORE)
    if not request.validator:
        records, page = read_page(store, keys.AUDITS, request.pagination, _is_open)
        return query_pb2.QueryOpenAuditsResponse(audits=[Audit.FromString(raw) for _, raw in records], pagination=page)
    if len(request.validator) != ADDRESS_BYTES:
        raise InvalidRequest(f"a consensus address has {ADDRESS_BYTES} bytes")
    prefix = keys.waiting_of(request.validator)
    records, page = read_page(store, prefix, request.pagination)
    audits = [keeper.get_audit(ctx, key[len(prefix):]) for key, _ in records]
    return query_pb2.QueryOpenAuditsResponse(audits=audits, pagination=page)


def query_auditor(ctx: Ctx, keeper: Keeper, request: query_pb2.QueryAuditorRequest) -> query_pb2.QueryAuditorResponse:
    """How a validator has done. Raises NotFound (sdk/22) while it was never judged."""
    found = keeper.find_auditor(ctx, request.consensus_address)
    if found is None:
        raise NotFound(f"validator {request.consensus_address.hex().upper():.40} was in no audit that ended")
    return query_pb2.QueryAuditorResponse(auditor=found)


def query_auditors(ctx: Ctx, keeper: Keeper,
                   request: query_pb2.QueryAuditorsRequest) -> query_pb2.QueryAuditorsResponse:
    """All who were judged, in the order of consensus addresses, by pages."""
    records, page = read_page(ctx.state.store(STORE), keys.AUDITORS, request.pagination)
    return query_pb2.QueryAuditorsResponse(auditors=[Auditor.FromString(raw) for _, raw in records], pagination=page)


def query_params(ctx: Ctx, keeper: Keeper, _request: query_pb2.QueryParamsRequest) -> query_pb2.QueryParamsResponse:
    """When auditors are excluded and for how long."""
    return query_pb2.QueryParamsResponse(params=keeper.params(ctx))


def _is_open(raw: bytes) -> bool:
    return Audit.FromString(raw).status == AUDIT_STATUS_OPEN
