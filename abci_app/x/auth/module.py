"""The auth room, as app.py takes it."""

from functools import partial

from abci_app.runtime.module import Invariant, Module, QueryRoute, bind
from abci_app.wire.pb.cosmos.auth.v1beta1 import query_pb2
from abci_app.wire.pb.gradus.auth.v1 import query_pb2 as gradus_pb2
from abci_app.x.auth import genesis, invariants, queries
from abci_app.x.auth.keeper import Keeper

QUERY = "/cosmos.auth.v1beta1.Query/"


def new_module(keeper: Keeper) -> Module:
    """The room over its keeper."""
    return Module(
        name="auth",
        init_genesis=lambda ctx, state: genesis.init_genesis(ctx, keeper, state),
        export_genesis=lambda ctx: genesis.export_genesis(ctx, keeper),
        queries=tuple(QueryRoute(path, request, bind(run, keeper)) for path, request, run in (
            (QUERY + "Account", query_pb2.QueryAccountRequest, queries.query_account),
            (QUERY + "Accounts", query_pb2.QueryAccountsRequest, queries.query_accounts),
            (QUERY + "Params", query_pb2.QueryParamsRequest, queries.query_params),
            (QUERY + "ModuleAccounts", query_pb2.QueryModuleAccountsRequest, queries.query_module_accounts),
            (QUERY + "ModuleAccountByName", query_pb2.QueryModuleAccountByNameRequest,
             queries.query_module_account_by_name),
            ("/gradus.auth.v1.Query/GasPrice", gradus_pb2.QueryGasPriceRequest, queries.query_gas_price),
        )),
        invariants=tuple(Invariant(name, partial(check, keeper=keeper)) for name, check in (
            ("auth/numbers", invariants.check_numbers),
            ("auth/addresses", invariants.check_addresses),
            ("auth/modules", invariants.check_modules),
        )),
    )
