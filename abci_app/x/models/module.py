"""The models room, as app.py takes it."""

from functools import partial

from abci_app.runtime.module import Invariant, Module, MsgRoute, QueryRoute, bind
from abci_app.wire.pb.gradus.models.v1 import query_pb2, tx_pb2
from abci_app.x.models import genesis, invariants, msgs, queries
from abci_app.x.models.keeper import Keeper
from abci_app.x.models.needs import Rounds
from abci_app.x.models.types import messages

QUERY = "/gradus.models.v1.Query/"


def new_module(keeper: Keeper, rounds: Rounds) -> Module:
    """The room over its keeper. rounds: who knows whether a model's round runs, and has models wait for one."""
    return Module(
        name="models",
        init_genesis=lambda ctx, state: genesis.init_genesis(ctx, keeper, state),
        export_genesis=lambda ctx: genesis.export_genesis(ctx, keeper),
        msgs=(
            MsgRoute(tx_pb2.MsgCreateModel, tx_pb2.MsgCreateModelResponse, "creator", messages.check_create_model,
                     bind(msgs.create_model, keeper)),
            MsgRoute(tx_pb2.MsgFundModel, tx_pb2.MsgFundModelResponse, "sender", messages.check_fund_model,
                     bind(msgs.fund_model, keeper)),
            MsgRoute(tx_pb2.MsgCloseModel, tx_pb2.MsgCloseModelResponse, "admin", messages.check_close_model,
                     lambda ctx, msg: msgs.close_model(ctx, keeper, rounds, msg)),
            MsgRoute(tx_pb2.MsgUpdateModel, tx_pb2.MsgUpdateModelResponse, "authority", messages.check_update_model,
                     lambda ctx, msg: msgs.update_model(ctx, keeper, rounds, msg)),
            MsgRoute(tx_pb2.MsgAttachData, tx_pb2.MsgAttachDataResponse, "admin", messages.check_attach_data,
                     lambda ctx, msg: msgs.attach_data(ctx, keeper, rounds, msg)),
            MsgRoute(tx_pb2.MsgPauseModel, tx_pb2.MsgPauseModelResponse, "authority", messages.check_authority,
                     bind(msgs.pause_model, keeper)),
            MsgRoute(tx_pb2.MsgResumeModel, tx_pb2.MsgResumeModelResponse, "authority", messages.check_authority,
                     lambda ctx, msg: msgs.resume_model(ctx, keeper, rounds, msg)),
            MsgRoute(tx_pb2.MsgInviteTrainers, tx_pb2.MsgInviteTrainersResponse, "admin",
                     messages.check_invite_trainers, bind(msgs.invite_trainers, keeper)),
            MsgRoute(tx_pb2.MsgOfferAdmin, tx_pb2.MsgOfferAdminResponse, "admin", messages.check_offer_admin,
                     bind(msgs.offer_admin, keeper)),
            MsgRoute(tx_pb2.MsgAcceptAdmin, tx_pb2.MsgAcceptAdminResponse, "recipient", messages.check_accept_admin,
                     bind(msgs.accept_admin, keeper)),
        ),
        queries=tuple(QueryRoute(QUERY + name, request, bind(run, keeper)) for name, request, run in (
            ("Model", query_pb2.QueryModelRequest, queries.query_model),
            ("Models", query_pb2.QueryModelsRequest, queries.query_models),
            ("Weights", query_pb2.QueryWeightsRequest, queries.query_weights),
            ("WeightsChunk", query_pb2.QueryWeightsChunkRequest, queries.query_weights_chunk),
            ("Spec", query_pb2.QuerySpecRequest, queries.query_spec),
            ("Versions", query_pb2.QueryVersionsRequest, queries.query_versions),
            ("Params", query_pb2.QueryParamsRequest, queries.query_params),
        )),
        invariants=tuple(Invariant(name, partial(check, keeper=keeper)) for name, check in (
            ("models/escrow", invariants.check_escrow),
            ("models/ids", invariants.check_ids),
            ("models/life", invariants.check_life),
            ("models/terms", invariants.check_terms),
            ("models/weights", invariants.check_weights),
            ("models/holds", invariants.check_holds),
        )),
    )
