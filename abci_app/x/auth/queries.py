"""Answers of `cosmos.auth.v1beta1.Query`, which stock clients ask, and the gas price, which is ours."""

from google.protobuf.any_pb2 import Any

from abci_app.runtime.context import Ctx
from abci_app.runtime.gas import SIGNATURE_GAS, TX_BYTE_GAS
from abci_app.runtime.paging import read_page
from abci_app.wire.address import decode_address, module_address
from abci_app.wire.errors import NotFound, shown
from abci_app.wire.pb.cosmos.auth.v1beta1 import auth_pb2, query_pb2
from abci_app.wire.pb.gradus.auth.v1 import query_pb2 as gradus_pb2
from abci_app.wire.tx import MEMO_CHARS_MAX, MESSAGES_MAX, pack
from abci_app.x.auth.keeper import STORE, Keeper
from abci_app.x.auth.keys import ACCOUNT_PREFIX


def query_account(ctx: Ctx, keeper: Keeper, request: query_pb2.QueryAccountRequest) -> query_pb2.QueryAccountResponse:
    """One account. Raises NotFound (sdk/22) with the words by which clients know a new account; InvalidAddress."""
    account = keeper.find_account(ctx, decode_address(request.address))
    if account is None:
        raise NotFound(f"rpc error: code = NotFound desc = account {request.address} not found")
    return query_pb2.QueryAccountResponse(account=_packed(keeper, account))


def query_accounts(ctx: Ctx, keeper: Keeper,
                   request: query_pb2.QueryAccountsRequest) -> query_pb2.QueryAccountsResponse:
    """All accounts in the order of addresses, by pages."""
    records, page = read_page(ctx.state.store(STORE), ACCOUNT_PREFIX, request.pagination)
    accounts = [_packed(keeper, auth_pb2.BaseAccount.FromString(record)) for _, record in records]
    return query_pb2.QueryAccountsResponse(accounts=accounts, pagination=page)


def query_params(ctx: Ctx, keeper: Keeper, request: query_pb2.QueryParamsRequest) -> query_pb2.QueryParamsResponse:
    """The limits and prices of admission."""
    params = auth_pb2.Params(max_memo_characters=MEMO_CHARS_MAX, tx_sig_limit=MESSAGES_MAX,
                             tx_size_cost_per_byte=TX_BYTE_GAS, sig_verify_cost_secp256k1=SIGNATURE_GAS)
    return query_pb2.QueryParamsResponse(params=params)


def query_module_accounts(ctx: Ctx, keeper: Keeper,
                          request: query_pb2.QueryModuleAccountsRequest) -> query_pb2.QueryModuleAccountsResponse:
    """The rooms' own accounts, by name."""
    accounts = [_packed_module(ctx, keeper, name) for name in sorted(keeper.module_accounts)]
    return query_pb2.QueryModuleAccountsResponse(accounts=accounts)


def query_module_account_by_name(
        ctx: Ctx, keeper: Keeper,
        request: query_pb2.QueryModuleAccountByNameRequest) -> query_pb2.QueryModuleAccountByNameResponse:
    """One of the rooms' own accounts. Raises NotFound (sdk/22)."""
    if request.name not in keeper.module_accounts:
        raise NotFound(f"rpc error: code = NotFound desc = module account {shown(request.name)} not found")
    return query_pb2.QueryModuleAccountByNameResponse(account=_packed_module(ctx, keeper, request.name))


def query_gas_price(ctx: Ctx, keeper: Keeper,
                    request: gradus_pb2.QueryGasPriceRequest) -> gradus_pb2.QueryGasPriceResponse:
    """ugrad per million gas that a transaction must offer at least."""
    return gradus_pb2.QueryGasPriceResponse(gas_price_ppm=keeper.gas_price_ppm(ctx))


def _packed_module(ctx: Ctx, keeper: Keeper, name: str) -> Any:
    return _packed(keeper, keeper.get_account(ctx, module_address(name)))


def _packed(keeper: Keeper, account: auth_pb2.BaseAccount) -> Any:
    """The account as clients expect it: a BaseAccount, or a ModuleAccount around it."""
    name = keeper.find_module_name(decode_address(account.address))
    if name is None:
        return pack(account)
    permissions = keeper.module_accounts[name]
    return pack(auth_pb2.ModuleAccount(base_account=account, name=name, permissions=permissions))
