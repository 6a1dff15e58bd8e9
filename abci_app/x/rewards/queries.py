"""Answers of `gradus.rewards.v1.Query`."""

from abci_app.runtime.context import Ctx
from abci_app.runtime.paging import read_page
from abci_app.wire.address import decode_address
from abci_app.wire.errors import NotFound
from abci_app.wire.pb.gradus.rewards.v1 import query_pb2
from abci_app.wire.pb.gradus.rewards.v1.rewards_pb2 import Contribution, Payout
from abci_app.x.rewards import keys
from abci_app.x.rewards.keeper import Keeper
from abci_app.x.rewards.types import STORE


def query_contribution(ctx: Ctx, keeper: Keeper,
                       request: query_pb2.QueryContributionRequest) -> query_pb2.QueryContributionResponse:
    """What a trainer did for a model. Raises InvalidAddress (sdk/7), NotFound (sdk/22) before its first unit."""
    found = keeper.find_contribution(ctx, request.model_id, decode_address(request.trainer))
    if found is None:
        raise NotFound(f"no accepted unit of {request.trainer} in model {request.model_id}")
    return query_pb2.QueryContributionResponse(contribution=found)


def query_contributions(ctx: Ctx, keeper: Keeper,
                        request: query_pb2.QueryContributionsRequest) -> query_pb2.QueryContributionsResponse:
    """All contributions to a model in the order of addresses, by pages; none for an unknown model."""
    prefix = keys.contributions_of(request.model_id)
    records, page = read_page(ctx.state.store(STORE), prefix, request.pagination)
    return query_pb2.QueryContributionsResponse(
        contributions=[Contribution.FromString(raw) for _, raw in records], pagination=page)


def query_payouts(ctx: Ctx, keeper: Keeper,
                  request: query_pb2.QueryPayoutsRequest) -> query_pb2.QueryPayoutsResponse:
    """Where the proposers' fees go, in the order of consensus addresses, by pages."""
    records, page = read_page(ctx.state.store(STORE), keys.PAYOUTS, request.pagination)
    return query_pb2.QueryPayoutsResponse(payouts=[Payout.FromString(raw) for _, raw in records], pagination=page)
