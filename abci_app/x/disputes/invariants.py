"""What always holds of disputes."""

from abci_app.runtime.context import Ctx
from abci_app.wire.address import module_address
from abci_app.wire.pb.gradus.disputes.v1.disputes_pb2 import DISPUTE_STAGE_STATE, DISPUTE_WINNER_CLAIMANT
from abci_app.x.disputes import keys
from abci_app.x.disputes.keeper import Keeper
from abci_app.x.disputes.types import DISPUTES_MAX, STORE, find_contradiction


def check_bonds(ctx: Ctx, keeper: Keeper) -> str | None:
    """The challengers' bonds add up to the module account's balance."""
    total = sum(dispute.bond_ugrad for dispute in keeper.iter_disputes(ctx))
    held = keeper.bank.balance(ctx, module_address(STORE))
    return None if total == held else f"bonds of {total} ugrad stand against {held} in the module account"


def check_index(ctx: Ctx, keeper: Keeper) -> str | None:
    """Every dispute has one mark of its deadline, is counted once, and has a trace exactly while one is picked from."""
    due, traces, counts = [], [], dict[int, int]()
    for dispute in keeper.iter_disputes(ctx):
        place = dispute.model_id, dispute.round, dispute.unit
        due.append(keys.due(dispute.deadline_height, *place))
        counts[dispute.model_id] = counts.get(dispute.model_id, 0) + 1
        if dispute.stage == DISPUTE_STAGE_STATE:
            traces.append(keys.trace(*place))
    store = ctx.state.store(STORE)
    if [key for key, _ in store.iter(keys.DUE)] != sorted(due):
        return f"{len(due)} disputes are open, the marks of their deadlines differ"
    if [key for key, _ in ctx.state.blobs.iter(keys.TRACES)] != traces:
        return f"{len(traces)} traces are to be kept, others are"
    kept = {int.from_bytes(key[len(keys.COUNTS):], "big"): int.from_bytes(raw, "big")
            for key, raw in store.iter(keys.COUNTS)}
    if kept != counts:
        return f"{len(due)} disputes are open, their counts differ"
    full = [model_id for model_id in sorted(counts) if counts[model_id] > DISPUTES_MAX]
    return f"model {full[0]} has {counts[full[0]]} open disputes" if full else None


def check_ended(ctx: Ctx, keeper: Keeper) -> str | None:
    """Ended disputes of a unit stand in turn, and a lost bond is paid out; a round that has any has one mark
    of when it is looked at again."""
    rounds, counts = dict[tuple[int, int], None](), dict[tuple[int, int, int], int]()
    for ended in keeper.iter_ended(ctx):
        place = ended.model_id, ended.round, ended.unit
        rounds[place[:2]] = None
        if ended.ordinal != counts.get(place, 0):
            return f"model {place[0]}, round {place[1]}, unit {place[2]}: ended dispute {ended.ordinal} is out of turn"
        counts[place] = ended.ordinal + 1
        if ended.winner == DISPUTE_WINNER_CLAIMANT and ended.won_ugrad + ended.burnt_ugrad != ended.bond_ugrad:
            return f"a bond of {ended.bond_ugrad} ugrad was lost, {ended.won_ugrad} and {ended.burnt_ugrad} were paid"
    marks = [keys.read_forgetting(key)[1:] for key, _ in ctx.state.store(STORE).iter(keys.FORGETTING)]
    return None if sorted(marks) == sorted(rounds) else f"{len(rounds)} rounds have ended disputes, the marks differ"


def check_units(ctx: Ctx, keeper: Keeper) -> str | None:
    """Every open dispute is about a unit of its claimant that is kept and marked, stands as a game can, and is alone.

    No other unit is marked as disputed: its round would never be settled.
    """
    count = 0
    for dispute in keeper.iter_disputes(ctx):
        count += 1
        named = f"a dispute of model {dispute.model_id}, round {dispute.round}, unit {dispute.unit} is open"
        unit = keeper.work.find_unit(ctx, dispute.model_id, dispute.round, dispute.unit)
        if unit is None or unit.trainer != dispute.claimant or not unit.disputed:
            return f"{named}, which {dispute.claimant} does not have, or which is not marked"
        problem = find_contradiction(keeper.compute_terms(ctx, dispute), dispute)
        if problem is not None:
            return f"{named}: {problem}"
    marked = sum(found.disputed_count for found in keeper.work.iter_rounds(ctx))
    return None if marked == count else f"{marked} units are marked as disputed, {count} disputes are open"
