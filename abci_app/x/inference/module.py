"""The inference room, as app.py takes it."""

from functools import partial

from abci_app.runtime.module import Invariant, Module, MsgRoute, QueryRoute, bind
from abci_app.wire.pb.gradus.inference.v1 import query_pb2, tx_pb2
from abci_app.x.inference import block, genesis, invariants, queries, types
from abci_app.x.inference.keeper import Keeper
from abci_app.x.inference.msgs import answer, host, request

QUERY = "/gradus.inference.v1.Query/"


def new_module(keeper: Keeper) -> Module:
    """The room over its keeper."""
    return Module(
        name="inference",
        init_genesis=lambda ctx, state: genesis.init_genesis(ctx, keeper, state),
        export_genesis=lambda ctx: genesis.export_genesis(ctx, keeper),
        msgs=(
            MsgRoute(tx_pb2.MsgRegisterHost, tx_pb2.MsgRegisterHostResponse, "host", types.check_register_host,
                     bind(host.register_host, keeper)),
            MsgRoute(tx_pb2.MsgUpdateHost, tx_pb2.MsgUpdateHostResponse, "host", types.check_update_host,
                     bind(host.update_host, keeper)),
            MsgRoute(tx_pb2.MsgDrainHost, tx_pb2.MsgDrainHostResponse, "host", types.check_drain_host,
                     bind(host.drain_host, keeper)),
            MsgRoute(tx_pb2.MsgLeaveHost, tx_pb2.MsgLeaveHostResponse, "host", types.check_leave_host,
                     bind(host.leave_host, keeper)),
            MsgRoute(tx_pb2.MsgRequestInference, tx_pb2.MsgRequestInferenceResponse, "user",
                     types.check_request_inference, bind(request.request_inference, keeper)),
            MsgRoute(tx_pb2.MsgCommitAnswer, tx_pb2.MsgCommitAnswerResponse, "host", types.check_commit_answer,
                     bind(answer.commit_answer, keeper)),
            MsgRoute(tx_pb2.MsgRevealAnswer, tx_pb2.MsgRevealAnswerResponse, "host", types.check_reveal_answer,
                     bind(answer.reveal_answer, keeper)),
        ),
        queries=tuple(QueryRoute(QUERY + name, asked, bind(run, keeper)) for name, asked, run in (
            ("Host", query_pb2.QueryHostRequest, queries.query_host),
            ("Hosts", query_pb2.QueryHostsRequest, queries.query_hosts),
            ("Request", query_pb2.QueryRequestRequest, queries.query_request),
            ("Requests", query_pb2.QueryRequestsRequest, queries.query_requests),
            ("Quote", query_pb2.QueryQuoteRequest, queries.query_quote),
            ("Archive", query_pb2.QueryArchiveRequest, queries.query_archive),
            ("Params", query_pb2.QueryParamsRequest, queries.query_params),
        )),
        begin_block=partial(block.begin_block, keeper=keeper),
        end_block=partial(block.end_block, keeper=keeper),
        invariants=tuple(Invariant(name, partial(check, keeper=keeper)) for name, check in (
            ("inference/coins", invariants.check_coins),
            ("inference/stakes", invariants.check_stakes),
            ("inference/active", invariants.check_active),
            ("inference/requests", invariants.check_requests),
            ("inference/marks", invariants.check_marks),
            ("inference/holds", invariants.check_holds),
            ("inference/audits", invariants.check_audits),
            ("inference/archive", invariants.check_archive),
        )),
    )
