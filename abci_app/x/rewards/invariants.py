"""What always holds of rewards."""

from abci_app.runtime.context import Ctx
from abci_app.wire.address import decode_address, module_address
from abci_app.wire.pb.gradus.rewards.v1.rewards_pb2 import Contribution, Vesting
from abci_app.x.rewards import keys
from abci_app.x.rewards.keeper import Keeper
from abci_app.x.rewards.types import COMMUNITY, STORE, UNITS_MAX, compute_accrued, compute_collectable


def check_earnings(ctx: Ctx, keeper: Keeper) -> str | None:
    """What the trainers and auditors of a model have earned from its escrow is what has left it; units are counted."""
    drawn: dict[int, int] = {}
    units: dict[int, int] = {}
    for record in keeper.iter_contributions(ctx):
        drawn[record.model_id] = drawn.get(record.model_id, 0) + record.earned_ugrad
        units[record.model_id] = units.get(record.model_id, 0) + record.units
    for ledger in keeper.iter_ledgers(ctx):
        drawn[ledger.model_id] = drawn.get(ledger.model_id, 0) + ledger.audit_fees_ugrad + ledger.forfeited_ugrad
        if units.pop(ledger.model_id, 0) != ledger.units:
            return f"the contributions to model {ledger.model_id} do not add up to {ledger.units} units"
    for model in keeper.models.iter_models(ctx):
        booked = drawn.pop(model.id, 0)
        if booked != model.paid_ugrad:
            return f"{booked} ugrad of model {model.id} are booked as earned, {model.paid_ugrad} have left its escrow"
    strays = sorted(drawn) + sorted(units)
    return f"records of models {strays}, which do not exist or have no ledger" if strays else None


def check_account(ctx: Ctx, keeper: Keeper) -> str | None:
    """The room's account holds what vests, backs models, comes back and answers have brought.

    The community's holds what was minted for it.
    """
    vesting = sum((one.escrow_ugrad + one.minted_ugrad) * len(one.units) for one in keeper.iter_vestings(ctx))
    backing = sum(one.amount_ugrad for one in keeper.iter_backings(ctx))
    unbacking = sum(one.amount_ugrad for one in keeper.iter_unbackings(ctx))
    owed = sum(one.owed_ugrad + one.pool_ugrad for one in keeper.iter_royalties(ctx))
    held = keeper.bank.balance(ctx, module_address(STORE))
    if held != vesting + backing + unbacking + owed:
        return (f"{vesting} ugrad vest, {backing} back models, {unbacking} come back, {owed} are of answers; the "
                f"module account holds {held}")
    minted, held = keeper.emission(ctx).community_ugrad, keeper.bank.balance(ctx, module_address(COMMUNITY))
    return None if held == minted else f"{minted} ugrad were minted for the community, its account holds {held}"


def check_backing(ctx: Ctx, keeper: Keeper) -> str | None:
    """Nobody backs with nothing; the ledgers and the emission count all backing; who waits for coins finds them."""
    backed: dict[int, int] = {}
    for one in keeper.iter_backings(ctx):
        backed[one.model_id] = backed.get(one.model_id, 0) + one.amount_ugrad
        if one.amount_ugrad == 0:
            return f"{one.owner} backs model {one.model_id} with nothing"
    total = sum(backed[model_id] for model_id in sorted(backed))
    if keeper.emission(ctx).backing_ugrad != total:
        return f"{keeper.emission(ctx).backing_ugrad} ugrad are said to back models, {total} do"
    for ledger in keeper.iter_ledgers(ctx):
        if backed.pop(ledger.model_id, 0) != ledger.backing_ugrad:
            return f"the ledger of model {ledger.model_id} counts {ledger.backing_ugrad} ugrad of backing"
    if backed:
        return f"models {sorted(backed)} are backed and have no ledger"
    marks = [keys.unbacking_mark(decode_address(one.owner), one.due_height, one.model_id)
             for one in keeper.iter_unbackings(ctx)]
    held = [key for key, _ in ctx.state.store(STORE).iter(keys.UNBACKING_MARKS)]
    return None if sorted(marks) == held else f"{len(marks)} unbackings stand against {len(held)} marks"


def check_emission(ctx: Ctx, keeper: Keeper) -> str | None:
    """No more is minted, or accrued to be minted, than the rewards of all blocks so far; work's part is booked."""
    emission = keeper.emission(ctx)
    accrued_q64 = int.from_bytes(emission.accrued_q64, "big")
    if accrued_q64 > emission.scheduled_ugrad << 64:
        return "a backed ugrad has accrued more than was ever emitted"
    accrued = 0
    for ledger in keeper.iter_ledgers(ctx):
        if int.from_bytes(ledger.settled_q64, "big") > accrued_q64:
            return f"the ledger of model {ledger.model_id} is settled beyond what was accrued"
        accrued += compute_accrued(ledger, emission)
    emitted = emission.stakers_ugrad + emission.work_ugrad + emission.community_ugrad + accrued
    if emitted > emission.scheduled_ugrad:
        return f"{emitted} ugrad are minted or accrued, {emission.scheduled_ugrad} were scheduled"
    booked = sum(record.minted_ugrad for record in keeper.iter_contributions(ctx))
    kept = emission.work_ugrad - emission.revoked_ugrad
    return None if booked == kept else f"trainers have {booked} ugrad of the emission, {kept} were minted for work"


def check_vesting(ctx: Ctx, keeper: Keeper) -> str | None:
    """Every unit vests once, in a round that was booked, and its pay is part of what its trainer has earned."""
    booked: dict[tuple[int, str], Contribution] = {}
    for vesting in keeper.iter_vestings(ctx):
        units = [one.unit for one in vesting.units]
        if not 0 < len(units) <= UNITS_MAX or sorted(dict.fromkeys(units)) != units:
            return f"model {vesting.model_id}, round {vesting.round}: units {units} vest"
        if vesting.round > keeper.ledger(ctx, vesting.model_id).booked_round:
            return f"round {vesting.round} of model {vesting.model_id} vests and was not booked"
        _add_vesting(booked, vesting)
    for model_id, trainer in sorted(booked):
        found = keeper.find_contribution(ctx, model_id, decode_address(trainer)) or Contribution()
        sums = booked[model_id, trainer]
        if sums.units > found.units or sums.earned_ugrad > found.earned_ugrad or sums.minted_ugrad > found.minted_ugrad:
            return f"more vests for {trainer} in model {model_id} than it has earned"
    return None


def _add_vesting(booked: dict[tuple[int, str], Contribution], vesting: Vesting) -> None:
    for one in vesting.units:
        sums = booked.setdefault((vesting.model_id, one.trainer), Contribution())
        sums.units += 1
        sums.earned_ugrad += vesting.escrow_ugrad
        sums.minted_ugrad += vesting.minted_ugrad


def check_royalties(ctx: Ctx, keeper: Keeper) -> str | None:
    """What is owed covers what all trainers can collect; who has no unit is booked only to collect."""
    collectable: dict[int, int] = {}
    for one in keeper.iter_contributions(ctx):
        per_unit_q64 = keeper.royalties(ctx, one.model_id).per_unit_q64
        if one.settled_q64 > per_unit_q64:
            return f"{one.trainer} is settled beyond what a unit of model {one.model_id} has earned"
        if not one.units and (one.earned_ugrad or one.minted_ugrad or not one.royalties_ugrad):
            return f"{one.trainer} is booked in model {one.model_id} without a unit, or has earned by none"
        collectable[one.model_id] = collectable.get(one.model_id, 0) + compute_collectable(one, per_unit_q64)
    for royalties in keeper.iter_royalties(ctx):
        owed = collectable.pop(royalties.model_id, 0)
        if owed > royalties.owed_ugrad:
            return f"trainers of model {royalties.model_id} can collect {owed} ugrad, {royalties.owed_ugrad} are owed"
        if royalties.owed_ugrad + royalties.collected_ugrad + royalties.pool_ugrad > royalties.fees_ugrad:
            return f"answers of model {royalties.model_id} have brought more than the fees of {royalties.fees_ugrad}"
    strays = [model_id for model_id in sorted(collectable) if collectable[model_id]]
    return f"of models {strays} something can be collected, and no answer was paid" if strays else None
