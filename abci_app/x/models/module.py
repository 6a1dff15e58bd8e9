"""The models room, as app.py takes it."""

from functools import partial

from abci_app.runtime.module import Invariant, Module, MsgRoute, QueryRoute, bind
from abci_app.wire.pb.gradus.models.v1 import query_pb2, tx_pb2
from abci_app.x.models import genesis, invariants, msgs, queries, types
from abci_app.x.models.keeper import Keeper
from abci_app.x.models.needs import Rounds

QUERY = "/gradus.models.v1.Query/"


def new_module(keeper: Keeper, rounds: Rounds) -> Module:
    """The room over its keeper. rounds: who knows whether a model's round runs."""
    return Module(
        name="models",
        init_genesis=lambda ctx, state: genesis.init_genesis(ctx, keeper, state),
        export_genesis=lambda ctx: genesis.export_genesis(ctx, keeper),
        msgs=(
            MsgRoute(tx_pb2.MsgCreateModel, tx_pb2.MsgCreateModelResponse, "creator", types.check_create_model,
                     bind(msgs.create_model, keeper)),
            MsgRoute(tx_pb2.MsgFundModel, tx_pb2.MsgFundModelResponse, "sender", types.check_fund_model,
                     bind(msgs.fund_model, keeper)),
            MsgRoute(tx_pb2.MsgCloseModel, tx_pb2.MsgCloseModelResponse, "admin", types.check_close_model,
                     lambda ctx, msg: msgs.close_model(ctx, keeper, rounds, msg)),
        ),
        queries=tuple(QueryRoute(QUERY + name, request, bind(run, keeper)) for name, request, run in (
            ("Model", query_pb2.QueryModelRequest, queries.query_model),
            ("Models", query_pb2.QueryModelsRequest, queries.query_models),
            ("Weights", query_pb2.QueryWeightsRequest, queries.query_weights),
            ("WeightsChunk", query_pb2.QueryWeightsChunkRequest, queries.query_weights_chunk),
        )),
        invariants=tuple(Invariant(name, partial(check, keeper=keeper)) for name, check in (
            ("models/escrow", invariants.check_escrow),
            ("models/ids", invariants.check_ids),
            ("models/weights", invariants.check_weights),
        )),
    )
