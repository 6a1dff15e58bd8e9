"""The bank room, as app.py takes it."""

from functools import partial

from abci_app.runtime.module import Invariant, Module, MsgRoute, QueryRoute, bind
from abci_app.wire.pb.cosmos.bank.v1beta1 import query_pb2, tx_pb2
from abci_app.x.bank import genesis, invariants, msgs, queries, types
from abci_app.x.bank.keeper import Keeper

QUERY = "/cosmos.bank.v1beta1.Query/"


def new_module(keeper: Keeper) -> Module:
    """The room over its keeper."""
    return Module(
        name="bank",
        init_genesis=lambda ctx, state: genesis.init_genesis(ctx, keeper, state),
        export_genesis=lambda ctx: genesis.export_genesis(ctx, keeper),
        msgs=(MsgRoute(tx_pb2.MsgSend, tx_pb2.MsgSendResponse, "from_address", types.check_send,
                       bind(msgs.send, keeper)),),
        queries=tuple(QueryRoute(QUERY + name, request, bind(run, keeper)) for name, request, run in (
            ("Balance", query_pb2.QueryBalanceRequest, queries.query_balance),
            ("AllBalances", query_pb2.QueryAllBalancesRequest, queries.query_all_balances),
            ("SpendableBalances", query_pb2.QuerySpendableBalancesRequest, queries.query_spendable_balances),
            ("SpendableBalanceByDenom", query_pb2.QuerySpendableBalanceByDenomRequest,
             queries.query_spendable_balance_by_denom),
            ("TotalSupply", query_pb2.QueryTotalSupplyRequest, queries.query_total_supply),
            ("SupplyOf", query_pb2.QuerySupplyOfRequest, queries.query_supply_of),
            ("Params", query_pb2.QueryParamsRequest, queries.query_params),
            ("DenomMetadata", query_pb2.QueryDenomMetadataRequest, queries.query_denom_metadata),
            ("DenomsMetadata", query_pb2.QueryDenomsMetadataRequest, queries.query_denoms_metadata),
        )),
        invariants=tuple(Invariant(name, partial(check, keeper=keeper)) for name, check in (
            ("bank/supply", invariants.check_supply),
            ("bank/amounts", invariants.check_amounts),
            ("bank/holders", invariants.check_holders),
        )),
    )
