"""Genesis of rewards.

{"params": Params, "payouts": [{"consensus_address": "<20 bytes hex>", "account": "gradus1…"}],
 "contributions": [Contribution], "emission": Emission, "ledgers": [Ledger], "backings": [Backing],
 "unbackings": [Unbacking], "vestings": [Vesting], "royalties": [Royalties]}
Records stand as runtime/records.py writes them. All may be left out: without params nothing is emitted, and a validator
without a payout earns no fees. The module account `rewards` has the coins of backings, unbackings, vestings
and royalties: what is owed and what is in the pools.
"""

from typing import Any

from google.protobuf.message import Message

from abci_app.runtime.context import Ctx
from abci_app.runtime.genesis import GenesisInvalid, Section
from abci_app.runtime.records import export_record, read_record
from abci_app.wire.address import ADDRESS_BYTES, decode_address, encode_address
from abci_app.wire.errors import ChainError
from abci_app.wire.ints import U64_MAX, U128_MAX
from abci_app.wire.pb.gradus.models.v1.models_pb2 import Model
from abci_app.wire.pb.gradus.rewards.v1.rewards_pb2 import (
    Backing, Contribution, Emission, Ledger, Params, Payout, Royalties, Unbacking, Vesting,
)
from abci_app.x.rewards.keeper import Keeper
from abci_app.x.rewards.types import Q64_BYTES, check_params, compute_left

PATH = "app_state.rewards"
LISTS = ("payouts", "contributions", "ledgers", "backings", "unbackings", "vestings", "royalties")


def init_genesis(ctx: Ctx, keeper: Keeper, state: dict[str, Any]) -> None:
    """Write the genesis state. Raises GenesisInvalid."""
    section = Section(PATH, state).only("params", "emission", *LISTS)
    for item in section.sections("payouts"):
        item.only("consensus_address", "account")
        payout = Payout(consensus_address=item.raw("consensus_address", ADDRESS_BYTES),
                        account=encode_address(item.address("account")))
        _check_new(item, "consensus_address", keeper.find_payout(ctx, payout.consensus_address))
        keeper.put_payout(ctx, payout)
    _init_emission(ctx, keeper, section)
    for item in section.sections("ledgers"):
        ledger = read_record(item, Ledger)
        model = _check_model(ctx, keeper, item, ledger.model_id)
        if ledger.booked_round > model.rounds_closed:
            raise GenesisInvalid(f"{item.path}.booked_round", f"{ledger.booked_round}, and the model has closed "
                                 f"{model.rounds_closed} rounds", "the last round that was paid")
        _check_q64(item, "settled_q64", ledger.settled_q64)
        _check_new(item, "model_id", ledger if keeper.has_ledger(ctx, ledger.model_id) else None)
        keeper.put_ledger(ctx, ledger)
    for item in section.sections("royalties"):
        royalties = read_record(item, Royalties)
        _check_model(ctx, keeper, item, royalties.model_id)
        _check_q64(item, "per_unit_q64", royalties.per_unit_q64)
        _check_new(item, "model_id", royalties if keeper.has_royalties(ctx, royalties.model_id) else None)
        keeper.put_royalties(ctx, royalties)
    for item in section.sections("contributions"):
        contribution = read_record(item, Contribution)
        if contribution.settled_q64:
            _check_q64(item, "settled_q64", contribution.settled_q64)
        trainer = item.address("trainer")
        _check_model(ctx, keeper, item, contribution.model_id)
        _check_new(item, "trainer", keeper.find_contribution(ctx, contribution.model_id, trainer))
        if not contribution.units and not contribution.royalties_ugrad:
            raise GenesisInvalid(f"{item.path}.units", "0, and there is nothing to collect", "leave it out")
        keeper.put_contribution(ctx, contribution)
    _init_backings(ctx, keeper, section)
    for item in section.sections("vestings"):
        vesting = read_record(item, Vesting)
        _check_model(ctx, keeper, item, vesting.model_id)
        _check_trainers(item, vesting)
        _check_new(item, "round", keeper.find_vesting(ctx, vesting.model_id, vesting.round))
        keeper.put_vesting(ctx, vesting)


def export_genesis(ctx: Ctx, keeper: Keeper) -> dict[str, Any]:
    """The genesis state that gives this state again."""
    lists = (keeper.iter_payouts(ctx), keeper.iter_contributions(ctx), keeper.iter_ledgers(ctx),
             keeper.iter_backings(ctx), keeper.iter_unbackings(ctx), keeper.iter_vestings(ctx),
             keeper.iter_royalties(ctx))
    return {"params": export_record(keeper.params(ctx)), "emission": export_record(keeper.emission(ctx)),
            **{name: [export_record(record) for record in records] for name, records in zip(LISTS, lists)}}


def _init_emission(ctx: Ctx, keeper: Keeper, section: Section) -> None:
    path, params = f"{PATH}.params", keeper.params(ctx)
    if "params" in section.value:
        params = read_record(Section(path, section.value["params"]), Params)
    try:
        check_params(params)
    except ChainError as error:
        raise GenesisInvalid(path, str(error), "name all parameters; those that are left out are 0") from None
    keeper.put_params(ctx, params)
    item = Section(f"{PATH}.emission", section.value.get("emission", {}))
    emission = read_record(item, Emission) if "emission" in section.value else keeper.emission(ctx)
    _check_q64(item, "accrued_q64", emission.accrued_q64)
    to_come = compute_left(params, ctx.height)
    if emission.scheduled_ugrad + to_come > U64_MAX or keeper.bank.supply(ctx) + to_come > U128_MAX:
        raise GenesisInvalid(f"{path}.initial_block_reward_ugrad", f"{to_come} ugrad are still to be emitted, too many "
                             "for what there is already", "lower it")
    keeper.put_emission(ctx, emission)


def _init_backings(ctx: Ctx, keeper: Keeper, section: Section) -> None:
    for item in section.sections("backings"):
        backing = read_record(item, Backing)
        _check_model(ctx, keeper, item, backing.model_id)
        _check_new(item, "owner", keeper.find_backing(ctx, backing.model_id, item.address("owner")))
        _check_amount(item, backing.amount_ugrad)
        keeper.put_backing(ctx, backing)
    for item in section.sections("unbackings"):
        unbacking = read_record(item, Unbacking)
        owner = item.address("owner")
        _check_model(ctx, keeper, item, unbacking.model_id)
        _check_new(item, "owner", keeper.find_unbacking(ctx, unbacking.due_height, owner, unbacking.model_id))
        _check_amount(item, unbacking.amount_ugrad)
        keeper.put_unbacking(ctx, unbacking)


def _check_new(item: Section, name: str, found: Message | None) -> None:
    if found is not None:
        raise GenesisInvalid(f"{item.path}.{name}", "stands in the list twice", "take one of them out")


def _check_model(ctx: Ctx, keeper: Keeper, item: Section, model_id: int) -> Model:
    model = keeper.models.find_model(ctx, model_id)
    if model is None:
        raise GenesisInvalid(f"{item.path}.model_id", f"no model {model_id}", "list the model first")
    return model


def _check_amount(item: Section, amount_ugrad: int) -> None:
    if amount_ugrad == 0:
        raise GenesisInvalid(f"{item.path}.amount_ugrad", "nothing", "leave it out")


def _check_q64(item: Section, name: str, value: bytes) -> None:
    if len(value) != Q64_BYTES:
        raise GenesisInvalid(f"{item.path}.{name}", f"{len(value)} bytes", f"it has {Q64_BYTES}")


def _check_trainers(item: Section, vesting: Vesting) -> None:
    for one, unit in zip(item.sections("units"), vesting.units):
        try:
            decode_address(unit.trainer)
        except ChainError as error:
            raise GenesisInvalid(f"{one.path}.trainer", error.detail, "an address begins with gradus1") from None
