"""Answers of `cosmos.bank.v1beta1.Query`, which stock clients ask. Balances of 0 are not listed."""

from google.protobuf.message import Message

from abci_app.runtime.context import Ctx
from abci_app.runtime.paging import read_page
from abci_app.wire.address import decode_address
from abci_app.wire.coin import BASE_DENOM, Coin, check_denom, coin_pb
from abci_app.wire.errors import NotFound, shown
from abci_app.wire.pb.cosmos.bank.v1beta1 import bank_pb2, query_pb2
from abci_app.wire.pb.cosmos.base.query.v1beta1.pagination_pb2 import PageResponse
from abci_app.wire.pb.cosmos.base.v1beta1 import coin_pb2
from abci_app.x.bank.keeper import STORE, Keeper
from abci_app.x.bank.keys import SUPPLY_PREFIX, holder_prefix
from abci_app.x.bank.types import new_base_metadata


def query_balance(ctx: Ctx, keeper: Keeper, request: query_pb2.QueryBalanceRequest) -> query_pb2.QueryBalanceResponse:
    """One balance, 0 when there is none. Raises InvalidAddress (sdk/7), InvalidCoins (sdk/10)."""
    return query_pb2.QueryBalanceResponse(balance=_balance(ctx, keeper, request.address, request.denom))


def query_spendable_balance_by_denom(
        ctx: Ctx, keeper: Keeper,
        request: query_pb2.QuerySpendableBalanceByDenomRequest) -> query_pb2.QuerySpendableBalanceByDenomResponse:
    """One balance: nothing is locked in accounts here, so all of it can be spent."""
    balance = _balance(ctx, keeper, request.address, request.denom)
    return query_pb2.QuerySpendableBalanceByDenomResponse(balance=balance)


def query_all_balances(ctx: Ctx, keeper: Keeper,
                       request: query_pb2.QueryAllBalancesRequest) -> query_pb2.QueryAllBalancesResponse:
    """An address's coins, by pages."""
    coins, page = _coins_page(ctx, request)
    return query_pb2.QueryAllBalancesResponse(balances=coins, pagination=page)


def query_spendable_balances(
        ctx: Ctx, keeper: Keeper,
        request: query_pb2.QuerySpendableBalancesRequest) -> query_pb2.QuerySpendableBalancesResponse:
    """An address's coins, by pages."""
    coins, page = _coins_page(ctx, request)
    return query_pb2.QuerySpendableBalancesResponse(balances=coins, pagination=page)


def query_total_supply(ctx: Ctx, keeper: Keeper,
                       request: query_pb2.QueryTotalSupplyRequest) -> query_pb2.QueryTotalSupplyResponse:
    """The supply of every denom, by pages."""
    records, page = read_page(ctx.state.store(STORE), SUPPLY_PREFIX, request.pagination)
    supply = [_coin(key[len(SUPPLY_PREFIX):], value) for key, value in records]
    return query_pb2.QueryTotalSupplyResponse(supply=supply, pagination=page)


def query_supply_of(ctx: Ctx, keeper: Keeper,
                    request: query_pb2.QuerySupplyOfRequest) -> query_pb2.QuerySupplyOfResponse:
    """The supply of one denom, 0 when it is unknown. Raises InvalidCoins (sdk/10)."""
    check_denom(request.denom)
    amount = coin_pb(Coin(request.denom, keeper.supply(ctx, request.denom)))
    return query_pb2.QuerySupplyOfResponse(amount=amount)


def query_params(ctx: Ctx, keeper: Keeper, request: query_pb2.QueryParamsRequest) -> query_pb2.QueryParamsResponse:
    """Every denom may be sent."""
    return query_pb2.QueryParamsResponse(params=bank_pb2.Params(default_send_enabled=True))


def query_denom_metadata(ctx: Ctx, keeper: Keeper,
                         request: query_pb2.QueryDenomMetadataRequest) -> query_pb2.QueryDenomMetadataResponse:
    """How a denom is shown. Raises NotFound (sdk/22)."""
    if request.denom != BASE_DENOM:
        raise NotFound(f"rpc error: code = NotFound desc = no metadata for {shown(request.denom)}")
    return query_pb2.QueryDenomMetadataResponse(metadata=new_base_metadata())


def query_denoms_metadata(ctx: Ctx, keeper: Keeper, request: Message) -> query_pb2.QueryDenomsMetadataResponse:
    """How all denoms are shown: one page, because only the base denom has metadata."""
    return query_pb2.QueryDenomsMetadataResponse(metadatas=[new_base_metadata()], pagination=PageResponse(total=1))


def _balance(ctx: Ctx, keeper: Keeper, address: str, denom: str) -> coin_pb2.Coin:
    check_denom(denom)
    return coin_pb(Coin(denom, keeper.balance(ctx, decode_address(address), denom)))


def _coins_page(
        ctx: Ctx, request: query_pb2.QueryAllBalancesRequest | query_pb2.QuerySpendableBalancesRequest,
) -> tuple[list[coin_pb2.Coin], PageResponse]:
    prefix = holder_prefix(decode_address(request.address))
    records, page = read_page(ctx.state.store(STORE), prefix, request.pagination, keep=lambda value: value != b"0")
    return [_coin(key[len(prefix):], value) for key, value in records], page


def _coin(denom: bytes, amount: bytes) -> coin_pb2.Coin:
    return coin_pb2.Coin(denom=denom.decode(), amount=amount.decode())
