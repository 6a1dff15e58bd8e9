"""The rewards room, as app.py takes it."""

from functools import partial

from abci_app.runtime.module import Invariant, Module, MsgRoute, QueryRoute, bind
from abci_app.wire.pb.gradus.rewards.v1 import query_pb2, tx_pb2
from abci_app.x.rewards import block, genesis, invariants, msgs, queries, types
from abci_app.x.rewards.keeper import Keeper
from abci_app.x.rewards.needs import Auditors

QUERY = "/gradus.rewards.v1.Query/"


def new_module(keeper: Keeper, auditors: Auditors) -> Module:
    """The room over its keeper. auditors: who of the validators earns by blocks."""
    return Module(
        name="rewards",
        init_genesis=lambda ctx, state: genesis.init_genesis(ctx, keeper, state),
        export_genesis=lambda ctx: genesis.export_genesis(ctx, keeper),
        msgs=(
            MsgRoute(tx_pb2.MsgBack, tx_pb2.MsgBackResponse, "owner", types.check_back, bind(msgs.back, keeper)),
            MsgRoute(tx_pb2.MsgUnback, tx_pb2.MsgUnbackResponse, "owner", types.check_unback,
                     bind(msgs.unback, keeper)),
            MsgRoute(tx_pb2.MsgCollectRoyalties, tx_pb2.MsgCollectRoyaltiesResponse, "trainer",
                     types.check_collect_royalties, bind(msgs.collect_royalties, keeper)),
        ),
        queries=tuple(QueryRoute(QUERY + name, request, bind(run, keeper)) for name, request, run in (
            ("Contribution", query_pb2.QueryContributionRequest, queries.query_contribution),
            ("Contributions", query_pb2.QueryContributionsRequest, queries.query_contributions),
            ("Shares", query_pb2.QuerySharesRequest, queries.query_shares),
            ("Payouts", query_pb2.QueryPayoutsRequest, queries.query_payouts),
            ("Params", query_pb2.QueryParamsRequest, queries.query_params),
            ("Emission", query_pb2.QueryEmissionRequest, queries.query_emission),
            ("Ledger", query_pb2.QueryLedgerRequest, queries.query_ledger),
            ("Backing", query_pb2.QueryBackingRequest, queries.query_backing),
            ("Backings", query_pb2.QueryBackingsRequest, queries.query_backings),
            ("Unbackings", query_pb2.QueryUnbackingsRequest, queries.query_unbackings),
            ("Vestings", query_pb2.QueryVestingsRequest, queries.query_vestings),
            ("Royalties", query_pb2.QueryRoyaltiesRequest, queries.query_royalties),
        )),
        end_block=partial(block.end_block, keeper=keeper, auditors=auditors),
        invariants=tuple(Invariant(name, partial(check, keeper=keeper)) for name, check in (
            ("rewards/earnings", invariants.check_earnings),
            ("rewards/account", invariants.check_account),
            ("rewards/backing", invariants.check_backing),
            ("rewards/emission", invariants.check_emission),
            ("rewards/vesting", invariants.check_vesting),
            ("rewards/royalties", invariants.check_royalties),
        )),
    )
