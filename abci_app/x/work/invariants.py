"""What always holds of rounds, units, trainers and bonds."""

from abci_app.runtime.context import Ctx
from abci_app.runtime.contract import LIVE_STATUSES
from abci_app.wire.address import decode_address, encode_address, module_address
from abci_app.wire.audit import CONFIRMATION, UNIT, decode_subject
from abci_app.wire.ints import u32_bytes
from abci_app.wire.pb.gradus.audits.v1.audits_pb2 import AUDIT_STATUS_TAKEN, Audit
from abci_app.wire.pb.gradus.work.v1.work_pb2 import (
    AUDIT_VERDICT_EXPIRED, AUDIT_VERDICT_PENDING, AUDIT_VERDICT_UNSPECIFIED, ROUND_PHASE_AUDIT, ROUND_PHASE_CLOSED,
    ROUND_PHASE_COMMIT, ROUND_PHASE_REVEAL, TRAINER_STATUS_ACTIVE, UNIT_STATUS_ACCEPTED, UNIT_STATUS_ASSIGNED,
    UNIT_STATUS_COMMITTED, UNIT_STATUS_REJECTED, UNIT_STATUS_REVEALED, UNIT_STATUS_WITHHELD, Round, Unit,
)
from abci_app.x.work import keys
from abci_app.x.work.keeper import Keeper
from abci_app.x.work.types import (
    PAYLOAD_ROUNDS_KEPT, RUNNING_PHASES, SALT_BYTES, STORE, TRAINERS_MAX, compute_expired, is_open, is_running,
)


def check_bonds(ctx: Ctx, keeper: Keeper) -> str | None:
    """The bonds add up to the module account's balance, and who is active has the bond that its unit asks for."""
    total, active = 0, dict[tuple[int, str], int]()
    for trainer in keeper.iter_trainers(ctx):
        total += trainer.bond_ugrad
        if trainer.status == TRAINER_STATUS_ACTIVE:
            active[trainer.model_id, trainer.address] = trainer.bond_ugrad
    for unit in keeper.iter_units(ctx):
        bond_ugrad = active.get((unit.model_id, unit.trainer))
        if bond_ugrad is not None and is_running(unit):
            owner = keeper.get_round(ctx, unit.model_id, unit.round)
            if bond_ugrad < keeper.spec_of(ctx, owner).economy.bond_ugrad:
                return f"{unit.trainer} works for model {unit.model_id} with a bond of {bond_ugrad}"
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
    """A trainer's open units are those that run or are not settled, so none can leave while one may cost its bond."""
    rounds = {(found.model_id, found.number): found for found in keeper.iter_rounds(ctx)}
    counted: dict[tuple[int, bytes], int] = {}
    for unit in keeper.iter_units(ctx):
        found = rounds.get((unit.model_id, unit.round))
        if found is not None and is_open(unit, found):
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
    began = keeper.models.find_weights(ctx, found.model_id, found.number - 1)
    if not found.settled_height and (began is None or began.root != found.weights_root):
        return "not settled, but the weights that it began with are not kept"
    if [unit.index for unit in units] != list(range(found.unit_count)):
        return f"{found.unit_count} units counted, {len(units)} kept"
    if found.settled_height and found.number <= compute_expired(model):
        return "kept too long"
    aggregated = sum(1 for unit in units if unit.aggregated)
    if aggregated != found.accepted_count:
        return f"{found.accepted_count} accepted units counted, {aggregated} kept"
    if any(unit.status == UNIT_STATUS_ACCEPTED and not unit.aggregated for unit in units):
        return "an accepted unit is not in the weights"
    withheld = sum(1 for unit in units if unit.status == UNIT_STATUS_WITHHELD)
    if withheld != found.withheld_count:
        return f"{found.withheld_count} withheld units counted, {withheld} kept"
    for unit in units:
        if len(unit.salt) != (SALT_BYTES if _has_salt(unit) else 0):
            return f"unit {unit.index} keeps a salt of {len(unit.salt)} bytes"
    if found.phase == ROUND_PHASE_CLOSED:
        if found.number > model.rounds_closed or aggregated == 0 or any(is_running(unit) for unit in units):
            return "closed, but not in turn, without an accepted unit, or with one that runs"
        return None
    if found.number != model.rounds_closed + 1 or aggregated:
        return f"not closed, but {model.rounds_closed} rounds are, or it has accepted units"
    waiting = _count_waiting(found, units)
    return None if found.waiting_count == waiting else f"waits for {found.waiting_count} units, not {waiting}"


def check_weights(ctx: Ctx, keeper: Keeper) -> str | None:
    """Weights are kept that are among a contract's last ones, or that a round began with which is not settled.

    Or that the round has dropped, and an open request or session holds still.
    """
    for model in keeper.models.iter_models(ctx):
        for record in keeper.models.iter_weights(ctx, model.id):
            if record.round > compute_expired(model):
                break
            begun = keeper.find_round(ctx, model.id, record.round + 1)
            is_over = begun is None or begun.settled_height > 0
            hold = keeper.models.find_hold(ctx, model.id, record.round)
            if is_over != (hold is not None and hold.is_expired):
                return f"weights of model {model.id} after round {record.round} are kept too long"
    return None


def _has_salt(unit: Unit) -> bool:
    """Whether its trainer has shown what it committed to, if not yet all of the payload."""
    if unit.status == UNIT_STATUS_COMMITTED:
        return unit.parts > 0
    return unit.status in (UNIT_STATUS_REVEALED, UNIT_STATUS_ACCEPTED, UNIT_STATUS_REJECTED)


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
    """The indices of rounds that want a hash or a draw are right; an audit is kept exactly while its outcome is needed.

    No audit is of a unit that is not kept: whose verdict would stop the chain.
    """
    undrawn = [(keys.undrawn(found.deadline_height, found.model_id), u32_bytes(found.number))
               for found in keeper.iter_rounds(ctx) if found.phase == ROUND_PHASE_AUDIT and not found.audit_seed]
    marked = list(ctx.state.store(STORE).iter(keys.UNDRAWN))
    if marked != sorted(undrawn):
        return f"the audits of {len(undrawn)} rounds are not drawn, {len(marked)} marks say so, or of other rounds"
    committed = [(keys.committed(found.model_id), u32_bytes(found.number))
                 for found in keeper.iter_rounds(ctx) if found.phase == ROUND_PHASE_REVEAL and not found.reveal_hash]
    if list(ctx.state.store(STORE).iter(keys.COMMITTED)) != committed:
        return f"{len(committed)} rounds have no hash of the end of their commits, and others are marked for it"
    kept = 0
    for found in keeper.iter_rounds(ctx):
        for unit in keeper.list_units(ctx, found.model_id, found.number):
            committee, everybody = (keeper.audits.find_audit(ctx, one) for one in keeper.subjects_of(ctx, unit))
            if not _may_have_audits(unit, found, committee, everybody):
                asked = [name for name, audit in (("a committee", committee), ("everybody", everybody)) if audit]
                return (f"model {unit.model_id}, round {unit.round}, unit {unit.index}: "
                        f"{' and '.join(asked) or 'nobody'} asked, with verdict {unit.verdict}")
            kept += (committee is not None) + (everybody is not None)
    open_count = sum(1 for audit in keeper.audits.iter_audits(ctx)
                     if decode_subject(audit.subject).kind in (UNIT, CONFIRMATION))
    return None if open_count == kept else f"{open_count} audits of units are kept, {kept} of units that are kept"


def _may_have_audits(unit: Unit, owner: Round, committee: Audit | None, everybody: Audit | None) -> bool:
    """Whether exactly these audits of the unit may be kept. Where nobody could judge there never was one."""
    if committee is not None and everybody is not None and committee.status != AUDIT_STATUS_TAKEN:
        return False  # everybody is asked instead of a committee, or after it
    if unit.verdict == AUDIT_VERDICT_PENDING:
        return committee is not None
    if unit.verdict == AUDIT_VERDICT_EXPIRED:
        is_over = owner.settled_height or unit.status == UNIT_STATUS_REJECTED
        return not is_over or committee is None and everybody is None
    has_audit = committee is not None or everybody is not None
    return has_audit == (unit.verdict != AUDIT_VERDICT_UNSPECIFIED and owner.phase == ROUND_PHASE_AUDIT)


def check_payloads(ctx: Ctx, keeper: Keeper) -> str | None:
    """Every payload that a round may still need is there and is the one claimed, and no others are kept."""
    expected = []
    for unit in keeper.iter_units(ctx):
        model = keeper.models.get_model(ctx, unit.model_id)
        kept = unit.round > model.rounds_closed - PAYLOAD_ROUNDS_KEPT
        whole = unit.status in (UNIT_STATUS_REVEALED, UNIT_STATUS_ACCEPTED)
        if kept and whole and keeper.find_payload(ctx, unit) is None:
            return f"model {unit.model_id}, round {unit.round}, unit {unit.index}: the claimed payload is missing"
        if kept and (whole or unit.status == UNIT_STATUS_COMMITTED):
            expected += [keys.payload_part(unit.model_id, unit.round, unit.index, part) for part in range(unit.parts)]
    held = [key for key, _ in ctx.state.blobs.iter(keys.PAYLOADS)]
    return None if held == expected else f"{len(expected)} parts of payloads are to be kept, {len(held)} are"


def check_settling(ctx: Ctx, keeper: Keeper) -> str | None:
    """Every closed round is settled, or to be settled, or has a dispute; nothing else is to be settled."""
    expected = []
    for found in keeper.iter_rounds(ctx):
        disputed = sum(1 for unit in keeper.list_units(ctx, found.model_id, found.number) if unit.disputed)
        if disputed != found.disputed_count or disputed and found.settled_height:
            return (f"model {found.model_id}, round {found.number}: {found.disputed_count} disputes counted, "
                    f"{disputed} open, or settled all the same")
        if (found.settle_height > 0) != (found.phase == ROUND_PHASE_CLOSED):
            return f"model {found.model_id}, round {found.number}: its window ends at {found.settle_height}"
        if found.settle_height and not found.settled_height and not disputed:
            expected.append(keys.settling(found.settle_height, found.model_id, found.number))
    marked = [key for key, _ in ctx.state.store(STORE).iter(keys.SETTLING)]
    return None if marked == sorted(expected) else f"{len(expected)} rounds are to be settled, {len(marked)} marked"


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


def check_pay(ctx: Ctx, keeper: Keeper) -> str | None:
    """What vests is the pay of the accepted units of rounds that are closed and not settled, and of no others."""
    vesting = {(one.model_id, one.round): [(unit.unit, unit.trainer) for unit in one.units]
               for one in keeper.rewards.iter_vestings(ctx)}
    for found in keeper.iter_rounds(ctx):
        if found.phase != ROUND_PHASE_CLOSED or found.settled_height:
            continue
        accepted = [(unit.index, unit.trainer) for unit in keeper.list_units(ctx, found.model_id, found.number)
                    if unit.status == UNIT_STATUS_ACCEPTED]
        paid = vesting.pop((found.model_id, found.number), [])
        if paid != accepted:
            return f"model {found.model_id}, round {found.number}: units {paid} vest, {accepted} are accepted"
    return f"of {sorted(vesting)} something vests, and no round waits to be settled" if vesting else None
