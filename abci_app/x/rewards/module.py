"""The rewards room, as app.py takes it."""

from functools import partial

from abci_app.runtime.module import Invariant, Module, QueryRoute, bind
from abci_app.wire.pb.gradus.rewards.v1 import query_pb2
from abci_app.x.rewards import block, genesis, invariants, queries
from abci_app.x.rewards.keeper import Keeper

QUERY = "/gradus.rewards.v1.Query/"


def new_module(keeper: Keeper) -> Module:
    """The room over its keeper."""
    return Module(
        name="rewards",
        init_genesis=lambda ctx, state: genesis.init_genesis(ctx, keeper, state),
        export_genesis=lambda ctx: genesis.export_genesis(ctx, keeper),
        queries=tuple(QueryRoute(QUERY + name, request, bind(run, keeper)) for name, request, run in (
            ("Contribution", query_pb2.QueryContributionRequest, queries.query_contribution),
            ("Contributions", query_pb2.QueryContributionsRequest, queries.query_contributions),
            ("Payouts", query_pb2.QueryPayoutsRequest, queries.query_payouts),
        )),
        end_block=partial(block.pay_fees, keeper=keeper),
        invariants=(Invariant("rewards/earnings", partial(invariants.check_earnings, keeper=keeper)),),
    )
