"""The audits room, as app.py takes it."""

from functools import partial

from abci_app.runtime.module import InjectedRoute, Invariant, Module, QueryRoute, bind
from abci_app.wire.pb.gradus.audits.v1 import query_pb2, tx_pb2
from abci_app.x.audits import genesis, invariants, msgs, queries
from abci_app.x.audits.keeper import Keeper

QUERY = "/gradus.audits.v1.Query/"


def new_module(keeper: Keeper) -> Module:
    """The room over its keeper. Votes come before openings, so that one block can bring both of an audit."""
    return Module(
        name="audits",
        init_genesis=lambda ctx, state: genesis.init_genesis(ctx, keeper, state),
        export_genesis=lambda ctx: genesis.export_genesis(ctx, keeper),
        injected=(
            InjectedRoute(tx_pb2.AuditVotes, tx_pb2.AuditVotesResponse,
                          check=lambda ctx, msg: msgs.check_votes(ctx, keeper, msg),
                          run=bind(msgs.run_votes, keeper),
                          propose=lambda ctx, source: msgs.propose_votes(ctx, keeper, source)),
            InjectedRoute(tx_pb2.AuditOpening, tx_pb2.AuditOpeningResponse,
                          check=lambda ctx, msg: msgs.check_opening(ctx, keeper, msg),
                          run=bind(msgs.run_opening, keeper),
                          propose=lambda ctx, source: msgs.propose_openings(ctx, keeper, source)),
        ),
        queries=tuple(QueryRoute(QUERY + name, request, bind(run, keeper)) for name, request, run in (
            ("Audit", query_pb2.QueryAuditRequest, queries.query_audit),
            ("OpenAudits", query_pb2.QueryOpenAuditsRequest, queries.query_open_audits),
            ("Auditor", query_pb2.QueryAuditorRequest, queries.query_auditor),
            ("Auditors", query_pb2.QueryAuditorsRequest, queries.query_auditors),
            ("Params", query_pb2.QueryParamsRequest, queries.query_params),
        )),
        invariants=tuple(Invariant(name, partial(check, keeper=keeper)) for name, check in (
            ("audits/marks", invariants.check_marks),
            ("audits/committees", invariants.check_committees),
            ("audits/auditors", invariants.check_auditors),
        )),
    )
