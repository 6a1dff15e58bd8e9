"""The sessions room, as app.py takes it."""

from functools import partial

from abci_app.runtime.module import Invariant, Module, MsgRoute, QueryRoute, bind
from abci_app.wire.pb.gradus.sessions.v1 import query_pb2, tx_pb2
from abci_app.x.sessions import block, genesis, invariants, msgs, queries, types
from abci_app.x.sessions.keeper import Keeper

QUERY = "/gradus.sessions.v1.Query/"


def new_module(keeper: Keeper) -> Module:
    """The room over its keeper."""
    return Module(
        name="sessions",
        init_genesis=lambda ctx, state: genesis.init_genesis(ctx, keeper, state),
        export_genesis=lambda ctx: genesis.export_genesis(ctx, keeper),
        msgs=tuple(MsgRoute(request, response, signer, check, bind(run, keeper))
                   for request, response, signer, check, run in (
            (tx_pb2.MsgOpenSession, tx_pb2.MsgOpenSessionResponse, "user", types.check_open_session,
             msgs.open_session),
            (tx_pb2.MsgTopUpSession, tx_pb2.MsgTopUpSessionResponse, "user", types.check_top_up_session,
             msgs.top_up_session),
            (tx_pb2.MsgCloseSession, tx_pb2.MsgCloseSessionResponse, "sender", types.check_close_session,
             msgs.close_session),
            (tx_pb2.MsgShowEntry, tx_pb2.MsgShowEntryResponse, "sender", types.check_show_entry, msgs.show_entry),
            (tx_pb2.MsgChallengeAnswer, tx_pb2.MsgChallengeAnswerResponse, "user", types.check_challenge_answer,
             msgs.challenge_answer),
        )),
        queries=tuple(QueryRoute(QUERY + name, request, bind(run, keeper)) for name, request, run in (
            ("Session", query_pb2.QuerySessionRequest, queries.query_session),
            ("Sessions", query_pb2.QuerySessionsRequest, queries.query_sessions),
            ("Params", query_pb2.QueryParamsRequest, queries.query_params),
        )),
        begin_block=partial(block.begin_block, keeper=keeper),
        end_block=partial(block.end_block, keeper=keeper),
        invariants=tuple(Invariant(name, partial(check, keeper=keeper)) for name, check in (
            ("sessions/coins", invariants.check_coins),
            ("sessions/index", invariants.check_index),
            ("sessions/records", invariants.check_records),
            ("sessions/stakes", invariants.check_stakes),
            ("sessions/weights", invariants.check_weights),
            ("sessions/audits", invariants.check_audits),
        )),
    )
