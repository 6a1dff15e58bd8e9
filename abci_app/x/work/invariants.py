"""What always holds of rounds, units, trainers and bonds."""

from abci_app.runtime.context import Ctx
from abci_app.runtime.contract import LIVE_STATUSES
from abci_app.wire.address import decode_address, encode_address, module_address
from abci_app.wire.pb.gradus.work.v1.work_pb2 import (
    AUDIT_VERDICT_PENDING, ROUND_PHASE_AUDIT, ROUND_PHASE_CLOSED, ROUND_PHASE_COMMIT, ROUND_PHASE_REVEAL,
    TRAINER_STATUS_ACTIVE, UNIT_STATUS_ACCEPTED, UNIT_STATUS_ASSIGNED, UNIT_STATUS_COMMITTED,
    UNIT_STATUS_REVEALED, Round, Unit,
)
from abci_app.x.work import keys
from abci_app.x.work.keeper import Keeper
from abci_app.x.work.types import PAYLOAD_ROUNDS_KEPT, RUNNING_PHASES, STORE, TRAINERS_MAX, is_open


def check_bonds(ctx: Ctx, keeper: Keeper) -> str | None:
    """The bonds add up to the module account's balance, and no active trainer's is below the contract's."""
    total = 0
    for trainer in keeper.iter_trainers(ctx):
        total += trainer.bond_ugrad
        required_ugrad = keeper.models.get_model(ctx, trainer.model_id).spec.economy.bond_ugrad
        if trainer.status == TRAINER_STATUS_ACTIVE and trainer.bond_ugrad < required_ugrad:
            return f"{trainer.address} is active in model {trainer.model_id} with a bond of {trainer.bond_ugrad}"
    held = keeper.bank.balance(ctx, module_address(STORE))
    return None if total == held else f"bonds of {total} ugrad stand against {held} in the module account"


def check_active(ctx: Ctx, keeper: Keeper) -> str | None:
    """The index of active trainers, and their counts, are those of the statuses."""
    active: dict[int, list[bytes]] = {}
    for trainer in keeper.iter_trainers(ctx):
        if trainer.status == TRAINER_STATUS_ACTIVE:
            active.setdefault(trainer.model_id, []).append(decode_address(trainer.address))
    for key, _ in ctx.state.store(STORE).iter(keys.ACTIVE_COUNTS):
        active.setdefault(int.from_bytes(key[1:], "big"), [])
    for model_id in sorted(active):
        addresses = active[model_id]
        if keeper.list_active(ctx, model_id) != addresses or keeper.count_active(ctx, model_id) != len(addresses):
            return f"model {model_id} has {len(addresses)} active trainers, the index differs"
        if len(addresses) > TRAINERS_MAX:
            return f"model {model_id} has {len(addresses)} active trainers"
    marks = sum(1 for _ in ctx.state.store(STORE).iter(keys.ACTIVE))
    total = sum(len(active[model_id]) for model_id in sorted(active))
    return None if marks == total else f"{marks} marks of active trainers stand against {total}"


def check_open_units(ctx: Ctx, keeper: Keeper) -> str | None:
    """A trainer's open units are those of running rounds that name it, so none can leave with one."""
    counted: dict[tuple[int, bytes], int] = {}
    for unit in keeper.iter_units(ctx):
        if is_open(unit):
            owner = (unit.model_id, decode_address(unit.trainer))
            counted[owner] = counted.get(owner, 0) + 1
    for trainer in keeper.iter_trainers(ctx):
        expected = counted.pop((trainer.model_id, decode_address(trainer.address)), 0)
        if trainer.open_units != expected:
            return f"{trainer.address} has {expected} open units in model {trainer.model_id}, not {trainer.open_units}"
    for model_id, address in sorted(counted):
        return f"a unit of model {model_id} is open, but {encode_address(address)} is not enrolled"
    return None


def check_rounds(ctx: Ctx, keeper: Keeper) -> str | None:
    """Rounds close one after the other, each once, so that no unit is paid twice; their counts are their units'."""
    units: dict[tuple[int, int], list[Unit]] = {}
    for unit in keeper.iter_units(ctx):
        units.setdefault((unit.model_id, unit.round), []).append(unit)
    for found in keeper.iter_rounds(ctx):
        problem = _find_round_problem(ctx, keeper, found, units.pop((found.model_id, found.number), []))
        if problem is not None:
            return f"model {found.model_id}, round {found.number}: {problem}"
    for model_id, number in sorted(units):
        return f"model {model_id} has units of round {number}, which is not kept"
    return None


def _find_round_problem(ctx: Ctx, keeper: Keeper, found: Round, units: list[Unit]) -> str | None:
    model = keeper.models.get_model(ctx, found.model_id)
    if [unit.index for unit in units] != list(range(found.unit_count)):
        return f"{found.unit_count} units counted, {len(units)} kept"
    if found.number <= model.rounds_closed - model.spec.training.kept_rounds:
        return "kept too long"
    accepted = sum(1 for unit in units if unit.status == UNIT_STATUS_ACCEPTED)
    if accepted != found.accepted_count:
        return f"{found.accepted_count} accepted units counted, {accepted} kept"
    if found.phase == ROUND_PHASE_CLOSED:
        if found.number > model.rounds_closed or accepted == 0 or any(is_open(unit) for unit in units):
            return "closed, but not in turn, without an accepted unit, or with an open one"
        return None
    if found.number != model.rounds_closed + 1 or accepted:
        return f"not closed, but {model.rounds_closed} rounds are, or it has accepted units"
    waiting = _count_waiting(found, units)
    return None if found.waiting_count == waiting else f"waits for {found.waiting_count} units, not {waiting}"


def _count_waiting(running: Round, units: list[Unit]) -> int:
    """Units that have yet to act in the phase."""
    if running.phase == ROUND_PHASE_COMMIT:
        return sum(1 for unit in units if unit.status == UNIT_STATUS_ASSIGNED)
    if running.phase == ROUND_PHASE_REVEAL:
        return sum(1 for unit in units if unit.status == UNIT_STATUS_COMMITTED)
    if running.phase == ROUND_PHASE_AUDIT:
        return sum(1 for unit in units if unit.verdict == AUDIT_VERDICT_PENDING)
    return 0


def check_audits(ctx: Ctx, keeper: Keeper) -> str | None:
    """The indices of pending and of undrawn audits are those of the units and rounds."""
    undrawn = [(found.model_id, found.number) for found in keeper.iter_rounds(ctx)
               if found.phase == ROUND_PHASE_AUDIT and not found.audit_seed]
    if keeper.list_undrawn(ctx) != undrawn:
        return f"audits of {undrawn} are not drawn, the index has {keeper.list_undrawn(ctx)}"
    pending = []
    for unit in keeper.iter_units(ctx):
        if unit.verdict == AUDIT_VERDICT_PENDING:
            pending.append(keys.pending(unit.model_id, unit.round, unit.index))
    marked = [key for key, _ in ctx.state.store(STORE).iter(keys.PENDING)]
    return None if marked == sorted(pending) else f"{len(pending)} audits are pending, {len(marked)} are marked"


def check_payloads(ctx: Ctx, keeper: Keeper) -> str | None:
    """Every payload that a round may still need is there and is the one claimed, and no others are kept."""
    expected = []
    for unit in keeper.iter_units(ctx):
        model = keeper.models.get_model(ctx, unit.model_id)
        kept = unit.round > model.rounds_closed - PAYLOAD_ROUNDS_KEPT
        if kept and unit.status in (UNIT_STATUS_REVEALED, UNIT_STATUS_ACCEPTED):
            if keeper.find_payload(ctx, unit) is None:
                return f"model {unit.model_id}, round {unit.round}, unit {unit.index}: the claimed payload is missing"
            expected.append(keys.payload(unit.model_id, unit.round, unit.index))
    held = [key for key, _ in ctx.state.blobs.iter(keys.PAYLOADS)]
    return None if held == expected else f"{len(expected)} payloads are to be kept, {len(held)} are"


def check_due(ctx: Ctx, keeper: Keeper) -> str | None:
    """Every running round ends its phase in time, and a model that trains and has trainers has one or waits for one."""
    due, running = [], []
    for found in keeper.iter_rounds(ctx):
        if found.due_height:
            due.append(keys.due(found.due_height, found.model_id))
        problem = _find_due_problem(found)
        if problem is not None:
            return f"model {found.model_id}, round {found.number}: {problem}"
        if found.phase in RUNNING_PHASES:
            running.append(found.model_id)
    marked = [key for key, _ in ctx.state.store(STORE).iter(keys.DUE)]
    if marked != sorted(due):
        return f"{len(due)} rounds say when their phase ends, {len(marked)} marks do"
    for key, _ in ctx.state.store(STORE).iter(keys.ACTIVE_COUNTS):
        model_id = int.from_bytes(key[1:], "big")
        is_live = keeper.models.get_model(ctx, model_id).status in LIVE_STATUSES
        if is_live and keeper.has_idle(ctx, model_id) == (model_id in running):
            return f"model {model_id} trains, and has no round and does not wait for one, or both"
    return None


def _find_due_problem(found: Round) -> str | None:
    if found.phase not in RUNNING_PHASES:
        return "not running, but to be ended" if found.due_height else None
    if found.phase == ROUND_PHASE_AUDIT and not found.audit_seed:
        return "to be ended before its audits are drawn" if found.due_height else None
    if not 0 < found.due_height <= found.deadline_height:
        return f"its phase has the deadline {found.deadline_height} and ends at {found.due_height}"
    if found.waiting_count and found.due_height != found.deadline_height:
        return f"it waits for {found.waiting_count} units, and ends before its deadline"
    return None
