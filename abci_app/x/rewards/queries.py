"""Answers of `gradus.rewards.v1.Query`."""

from abci_app.runtime.context import Ctx
from abci_app.runtime.paging import read_page
from abci_app.wire.address import decode_address
from abci_app.wire.errors import InvalidRequest, NotFound
from abci_app.wire.ints import PPM, mul_div_floor, ppm_floor
from abci_app.wire.pb.gradus.rewards.v1 import query_pb2
from abci_app.wire.pb.gradus.rewards.v1.rewards_pb2 import Backing, Contribution, Payout, Unbacking, Vesting
from abci_app.x.rewards import keys
from abci_app.x.rewards.keeper import Keeper
from abci_app.x.rewards.types import (
    STORE, compute_accrued, compute_block_reward, compute_bond_max, compute_collectable, compute_minted_max,
    compute_work_max,
)


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


def query_shares(ctx: Ctx, keeper: Keeper, request: query_pb2.QuerySharesRequest) -> query_pb2.QuerySharesResponse:
    """Each trainer's part of a model's accepted units by address, in pages; none for an unknown model."""
    records, page = read_page(ctx.state.store(STORE), keys.contributions_of(request.model_id), request.pagination)
    units, found = keeper.ledger(ctx, request.model_id).units, [Contribution.FromString(raw) for _, raw in records]
    shares = [query_pb2.Share(trainer=one.trainer, units=one.units, earned_ugrad=one.earned_ugrad,
                              minted_ugrad=one.minted_ugrad, share_ppm=mul_div_floor(one.units, PPM, max(units, 1)))
              for one in found]
    return query_pb2.QuerySharesResponse(units=units, shares=shares, pagination=page)


def query_payouts(ctx: Ctx, keeper: Keeper,
                  request: query_pb2.QueryPayoutsRequest) -> query_pb2.QueryPayoutsResponse:
    """Where the proposers' fees go, in the order of consensus addresses, by pages."""
    records, page = read_page(ctx.state.store(STORE), keys.PAYOUTS, request.pagination)
    return query_pb2.QueryPayoutsResponse(payouts=[Payout.FromString(raw) for _, raw in records], pagination=page)


def query_params(ctx: Ctx, keeper: Keeper, request: query_pb2.QueryParamsRequest) -> query_pb2.QueryParamsResponse:
    """The schedule of the emission, its parts, and what work is worth."""
    return query_pb2.QueryParamsResponse(params=keeper.params(ctx))


def query_emission(ctx: Ctx, keeper: Keeper,
                   request: query_pb2.QueryEmissionRequest) -> query_pb2.QueryEmissionResponse:
    """The reward of a block, its parts, and what was emitted so far. Raises InvalidRequest (sdk/18) below height 0."""
    if request.height < 0:
        raise InvalidRequest("heights begin at 1; 0 asks for the next block")
    params, height = keeper.params(ctx), request.height or ctx.height + 1
    reward = compute_block_reward(params, height)
    return query_pb2.QueryEmissionResponse(
        height=height, block_reward_ugrad=reward, stakers_ugrad=ppm_floor(reward, params.stakers_ppm),
        work_ugrad=ppm_floor(reward, params.work_ppm), hosts_ugrad=ppm_floor(reward, params.hosts_ppm),
        community_ugrad=ppm_floor(reward, params.community_ppm), so_far=keeper.emission(ctx))


def query_ledger(ctx: Ctx, keeper: Keeper, request: query_pb2.QueryLedgerRequest) -> query_pb2.QueryLedgerResponse:
    """What is kept of a model, and how much of the emission its rounds have. Raises NotFound (sdk/22)."""
    model = keeper.models.find_model(ctx, request.model_id)
    if model is None:
        raise NotFound(f"no model {request.model_id}")
    ledger = keeper.ledger(ctx, model.id)
    params = keeper.params(ctx)
    return query_pb2.QueryLedgerResponse(
        ledger=ledger, accrued_ugrad=compute_accrued(ledger, keeper.emission(ctx)),
        unit_max_ugrad=compute_minted_max(model.spec, params), bond_max_ugrad=compute_bond_max(model.spec),
        work_max_ugrad=compute_work_max(model.spec, params))


def query_backing(ctx: Ctx, keeper: Keeper, request: query_pb2.QueryBackingRequest) -> query_pb2.QueryBackingResponse:
    """What an account has put behind a model. Raises InvalidAddress (sdk/7), NotFound (sdk/22)."""
    found = keeper.find_backing(ctx, request.model_id, decode_address(request.owner))
    if found is None:
        raise NotFound(f"{request.owner} does not back model {request.model_id}")
    return query_pb2.QueryBackingResponse(backing=found)


def query_backings(ctx: Ctx, keeper: Keeper,
                   request: query_pb2.QueryBackingsRequest) -> query_pb2.QueryBackingsResponse:
    """Who backs a model, in the order of addresses, by pages; none for an unknown model."""
    records, page = read_page(ctx.state.store(STORE), keys.backings_of(request.model_id), request.pagination)
    return query_pb2.QueryBackingsResponse(backings=[Backing.FromString(raw) for _, raw in records], pagination=page)


def query_unbackings(ctx: Ctx, keeper: Keeper,
                     request: query_pb2.QueryUnbackingsRequest) -> query_pb2.QueryUnbackingsResponse:
    """An account's coins on their way back, the earliest due first, by pages. Raises InvalidAddress (sdk/7)."""
    owner = decode_address(request.owner)
    prefix, store = keys.unbacking_marks_of(owner), ctx.state.store(STORE)
    marks, page = read_page(store, prefix, request.pagination)
    found = [store.get(keys.unbacking(*keys.read_unbacking_mark(key))) for key, _ in marks]
    return query_pb2.QueryUnbackingsResponse(
        unbackings=[Unbacking.FromString(raw) for raw in found if raw is not None], pagination=page)


def query_vestings(ctx: Ctx, keeper: Keeper,
                   request: query_pb2.QueryVestingsRequest) -> query_pb2.QueryVestingsResponse:
    """What vests of a model, by pages of its rounds: of one trainer, or of all. Raises InvalidAddress (sdk/7)."""
    if request.trainer:
        decode_address(request.trainer)
    records, page = read_page(ctx.state.store(STORE), keys.vestings_of(request.model_id), request.pagination)
    vestings = [_of_trainer(Vesting.FromString(raw), request.trainer) for _, raw in records]
    return query_pb2.QueryVestingsResponse(vestings=[one for one in vestings if one.units], pagination=page)


def query_royalties(ctx: Ctx, keeper: Keeper,
                    request: query_pb2.QueryRoyaltiesRequest) -> query_pb2.QueryRoyaltiesResponse:
    """What a model's answers have brought, and what a trainer can collect of it: nothing for who never trained it.

    Raises NotFound (sdk/22) for an unknown model, InvalidAddress (sdk/7).
    """
    model = keeper.models.find_model(ctx, request.model_id)
    if model is None:
        raise NotFound(f"no model {request.model_id}")
    royalties = keeper.royalties(ctx, model.id)
    found = keeper.find_contribution(ctx, model.id, decode_address(request.trainer)) if request.trainer else None
    collectable_ugrad = 0 if found is None else compute_collectable(found, royalties.per_unit_q64)
    return query_pb2.QueryRoyaltiesResponse(royalties=royalties, collectable_ugrad=collectable_ugrad)


def _of_trainer(vesting: Vesting, trainer: str) -> Vesting:
    kept = [unit for unit in vesting.units if trainer in ("", unit.trainer)]
    return Vesting(model_id=vesting.model_id, round=vesting.round, escrow_ugrad=vesting.escrow_ugrad,
                   minted_ugrad=vesting.minted_ugrad, units=kept)
