"""Answers of `gradus.sessions.v1.Query`. Absent things are NotFound (sdk/22), which clients know."""

from abci_app.runtime.context import Ctx
from abci_app.runtime.paging import read_page
from abci_app.wire.address import decode_address
from abci_app.wire.errors import NotFound
from abci_app.wire.pb.gradus.sessions.v1 import query_pb2
from abci_app.wire.pb.gradus.sessions.v1.sessions_pb2 import Session
from abci_app.x.sessions import keys
from abci_app.x.sessions.keeper import Keeper
from abci_app.x.sessions.types import STORE


def query_session(ctx: Ctx, keeper: Keeper, request: query_pb2.QuerySessionRequest) -> query_pb2.QuerySessionResponse:
    """One session. Raises NotFound (sdk/22)."""
    session = keeper.find_session(ctx, request.session_id)
    if session is None:
        raise NotFound(f"session {request.session_id} was never opened, or is kept no longer")
    return query_pb2.QuerySessionResponse(session=session)


def query_sessions(ctx: Ctx, keeper: Keeper,
                   request: query_pb2.QuerySessionsRequest) -> query_pb2.QuerySessionsResponse:
    """Sessions that are kept, of a user, of a host, of both, or all, by pages. Raises InvalidAddress (sdk/7)."""
    for address in (request.user, request.host):
        if address:
            decode_address(address)
    store = ctx.state.store(STORE)
    if not request.user and not request.host:
        records, page = read_page(store, keys.SESSIONS, request.pagination)
        found = [Session.FromString(raw) for _, raw in records]
    else:
        prefix = (keys.sessions_of_user(decode_address(request.user)) if request.user
                  else keys.sessions_of_host(decode_address(request.host)))
        marks, page = read_page(store, prefix, request.pagination)
        found = [keeper.get_session(ctx, int.from_bytes(key[-keys.ID_BYTES:], "big")) for key, _ in marks]
        found = [session for session in found if request.host in ("", session.host)]
    return query_pb2.QuerySessionsResponse(sessions=found, pagination=page)


def query_params(ctx: Ctx, keeper: Keeper, request: query_pb2.QueryParamsRequest) -> query_pb2.QueryParamsResponse:
    """The parameters."""
    return query_pb2.QueryParamsResponse(params=keeper.params(ctx))
