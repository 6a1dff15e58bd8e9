"""The disputes room, as app.py takes it."""

from functools import partial

from abci_app.runtime.module import Invariant, Module, MsgRoute, QueryRoute, bind
from abci_app.wire.pb.gradus.disputes.v1 import query_pb2, tx_pb2
from abci_app.x.disputes import block, genesis, invariants, queries, types
from abci_app.x.disputes.keeper import Keeper
from abci_app.x.disputes.msgs import game, proof

QUERY = "/gradus.disputes.v1.Query/"


def new_module(keeper: Keeper) -> Module:
    """The room over its keeper."""
    return Module(
        name="disputes",
        init_genesis=lambda ctx, state: genesis.init_genesis(ctx, keeper, state),
        export_genesis=lambda ctx: genesis.export_genesis(ctx, keeper),
        msgs=tuple(MsgRoute(request, response, signer, check, bind(run, keeper))
                   for request, response, signer, check, run in (
            (tx_pb2.MsgChallenge, tx_pb2.MsgChallengeResponse, "challenger", types.check_challenge, game.challenge),
            (tx_pb2.MsgPostTrace, tx_pb2.MsgPostTraceResponse, "claimant", types.check_post_trace, game.post_trace),
            (tx_pb2.MsgPickState, tx_pb2.MsgPickStateResponse, "challenger", types.check_pick_state, game.pick_state),
            (tx_pb2.MsgPostSegment, tx_pb2.MsgPostSegmentResponse, "claimant", types.check_post_segment,
             game.post_segment),
            (tx_pb2.MsgPostNode, tx_pb2.MsgPostNodeResponse, "claimant", types.check_post_node, game.post_node),
            (tx_pb2.MsgPickChild, tx_pb2.MsgPickChildResponse, "challenger", types.check_pick_child, game.pick_child),
            (tx_pb2.MsgProveOperation, tx_pb2.MsgProveOperationResponse, "claimant", types.check_prove_operation,
             proof.prove_operation),
        )),
        queries=tuple(QueryRoute(QUERY + name, request, bind(run, keeper)) for name, request, run in (
            ("Dispute", query_pb2.QueryDisputeRequest, queries.query_dispute),
            ("Disputes", query_pb2.QueryDisputesRequest, queries.query_disputes),
            ("Ended", query_pb2.QueryEndedRequest, queries.query_ended),
            ("Trace", query_pb2.QueryTraceRequest, queries.query_trace),
        )),
        end_block=partial(block.end_block, keeper=keeper),
        invariants=tuple(Invariant(name, partial(check, keeper=keeper)) for name, check in (
            ("disputes/bonds", invariants.check_bonds),
            ("disputes/index", invariants.check_index),
            ("disputes/ended", invariants.check_ended),
            ("disputes/units", invariants.check_units),
        )),
    )
