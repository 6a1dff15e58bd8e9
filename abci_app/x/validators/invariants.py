"""What always holds of validators."""

from abci_app.runtime.context import Ctx
from abci_app.runtime.validators import POWER_MAX
from abci_app.x.validators.keeper import Keeper
from abci_app.x.validators.types import compute_address


def check_set(ctx: Ctx, keeper: Keeper) -> str | None:
    """The set is the genesis' less the removed: a power or a removal each, somebody with power, a total that fits."""
    total = count = 0
    for validator in keeper.iter_validators(ctx):
        named = validator.consensus_address.hex().upper()
        if validator.consensus_address != compute_address(validator.pub_key):
            return f"{named} is not the address of its key"
        if (validator.power > 0) == (validator.removed_height > 0):
            return f"{named} has power {validator.power} and was removed at {validator.removed_height}"
        total, count = total + validator.power, count + 1
    if total > POWER_MAX:
        return f"the powers add up to {total}, above {POWER_MAX}"
    return "no validator has power" if count and not total else None


def check_records(ctx: Ctx, keeper: Keeper) -> str | None:
    """Every record is of a validator that counts it, and no validator counts more."""
    counts: dict[bytes, int] = {}
    for record in keeper.iter_misbehaviours(ctx):
        counts[record.consensus_address] = counts.get(record.consensus_address, 0) + 1
    for validator in keeper.iter_validators(ctx):
        kept = counts.pop(validator.consensus_address, 0)
        if kept != validator.misbehaviours:
            named = validator.consensus_address.hex().upper()
            return f"{kept} records of {named}, which counts {validator.misbehaviours}"
    return f"records of {sorted(address.hex().upper() for address in counts)}, who are no validators" \
        if counts else None
