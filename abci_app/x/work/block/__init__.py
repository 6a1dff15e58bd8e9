"""The ends of a block: audits are drawn when it begins; verdicts, ends of phases and settlements come when it ends.

    COMMIT ─► REVEAL ─► AUDIT ─► CLOSED ─► settled

Each phase ends at its deadline, or when nobody has to act any more.

verdicts.py beside this file has what audits decide and cost.

Everything here is total and bounded: what users wrote cannot make it raise, and what one block does not bear is done in
the next. A payload that is not what its record says, or a record that contradicts another, stops the node.
Source: README.md of the room.
"""

from dataclasses import dataclass

from abci_app.runtime.context import Ctx
from abci_app.runtime.contract import (
    CLOSE_COST_PER_BLOCK, LIVE_STATUSES, compute_audit_cost, compute_close_cost, compute_param_count,
    compute_round_cost,
)
from abci_app.wire.address import decode_address, encode_address
from abci_app.wire.pb.gradus.models.v1.models_pb2 import MODEL_STATUS_OPEN, Model, ModelSpec
from abci_app.wire.pb.gradus.work.v1.work_pb2 import (
    AUDIT_VERDICT_EXPIRED, AUDIT_VERDICT_PENDING, AUDIT_VERDICT_UNSPECIFIED, ROUND_PHASE_AUDIT, ROUND_PHASE_CLOSED,
    ROUND_PHASE_COMMIT, ROUND_PHASE_REVEAL, ROUND_PHASE_WAITING, SLASH_REASON_WITHHELD, TRAINER_STATUS_SLASHED,
    UNIT_STATUS_ACCEPTED, UNIT_STATUS_ASSIGNED, UNIT_STATUS_COMMITTED, UNIT_STATUS_MISSED, UNIT_STATUS_REJECTED,
    UNIT_STATUS_REVEALED, UNIT_STATUS_WITHHELD, Round, RoundPhase, Unit,
)
from abci_app.wire.seed import audit_seed, reveal_hash, round_seed
from abci_app.x.work import events
from abci_app.x.work.block.verdicts import ask_everybody, pay_auditors, take_verdicts
from abci_app.x.work.keeper import Keeper
from abci_app.x.work.types import (
    AUDIT_COST_PER_BLOCK, CONFIRMATION_UNITS, DRAWN_UNITS_PER_BLOCK, IDLE_MODELS_PER_BLOCK, OPENED_UNITS_PER_BLOCK,
    PAYLOAD_ROUNDS_KEPT, SETTLED_UNITS_PER_BLOCK, UNITS_MAX, UNITS_PER_BLOCK, compute_audit_blocks, compute_audit_load,
    compute_expired, compute_payloads_needed, compute_trainers_needed, deal_units, draw_units, is_running,
)
from kernels.aggregate import aggregate
from kernels.outer import outer_step


def begin_block(ctx: Ctx, keeper: Keeper) -> None:
    """Take the hash of the last block for rounds whose commits it ended; draw the audits of those that are revealed.

    The earliest are drawn first. Every committee is drawn from all validators, and has its units to compute by the
    deadline; so what is too much for a block waits for the next one.
    """
    for model_id, number in keeper.list_committed(ctx):
        _take_reveal_hash(ctx, keeper, keeper.get_round(ctx, model_id, number))
    budget = Budget(DRAWN_UNITS_PER_BLOCK, AUDIT_COST_PER_BLOCK)
    for model_id, number in keeper.list_undrawn(ctx, DRAWN_UNITS_PER_BLOCK):
        audited = keeper.get_round(ctx, model_id, number)
        spec = keeper.spec_of(ctx, audited)
        cost = compute_audit_cost(spec, audited.unit_count) * compute_audit_load(spec, audited)
        if not budget.take(audited.unit_count, cost):
            break
        _draw_audits(ctx, keeper, audited)


@dataclass
class Budget:
    """What a begin or end of a block may still handle. What comes first is never too much: nothing waits for ever."""

    units: int
    cost: int = 0
    is_whole: bool = True

    def take(self, units: int, cost: int = 0) -> bool:
        """Whether there is room for so much; if so, it is taken."""
        if not self.is_whole and (units > self.units or cost > self.cost):
            return False
        self.units, self.cost, self.is_whole = self.units - units, self.cost - cost, False
        return True


def end_block(ctx: Ctx, keeper: Keeper) -> None:
    """Apply the verdicts of this block, end phases, settle rounds, then open rounds of models that wait for one."""
    take_verdicts(ctx, keeper)
    _end_phases(ctx, keeper)
    _settle_rounds(ctx, keeper)
    _open_waiting(ctx, keeper)


def _end_phases(ctx: Ctx, keeper: Keeper) -> None:
    """End the phases that are due, the earliest first.

    What a block does not bear is due in the next one, in which it comes first.
    """
    budget = Budget(UNITS_PER_BLOCK, CLOSE_COST_PER_BLOCK)
    for model_id in keeper.list_due(ctx, UNITS_PER_BLOCK):
        model = keeper.models.get_model(ctx, model_id)
        running = keeper.get_round(ctx, model_id, model.rounds_closed + 1)
        spec = keeper.spec_of(ctx, running)
        next_units = min(keeper.count_active(ctx, model_id), UNITS_MAX)
        cost = compute_close_cost(spec, running.unit_count) if running.phase == ROUND_PHASE_AUDIT else 0
        asked_units = CONFIRMATION_UNITS * running.waiting_count if running.phase == ROUND_PHASE_AUDIT else 0
        if not budget.take(running.unit_count + next_units + asked_units, cost):
            break
        _end_phase(ctx, keeper, spec, running)


def _end_phase(ctx: Ctx, keeper: Keeper, spec: ModelSpec, running: Round) -> None:
    if running.phase == ROUND_PHASE_COMMIT:
        _end_commit(ctx, keeper, spec, running)
    elif running.phase == ROUND_PHASE_REVEAL:
        _end_reveal(ctx, keeper, spec, running)
    else:
        _end_audit(ctx, keeper, spec, running)


def _settle_rounds(ctx: Ctx, keeper: Keeper) -> None:
    """Settle the rounds whose window of challenges ends, the earliest first; what is too much waits for a block."""
    budget = Budget(SETTLED_UNITS_PER_BLOCK)
    for model_id, number in keeper.list_settling(ctx, SETTLED_UNITS_PER_BLOCK):
        closed = keeper.get_round(ctx, model_id, number)
        if not budget.take(closed.unit_count + _count_expired_chunks(ctx, keeper, closed)):
            break
        _settle_round(ctx, keeper, closed)


def _count_expired_chunks(ctx: Ctx, keeper: Keeper, closed: Round) -> int:
    """The chunks of weights that go when a round is settled: none while its contract keeps them anyway."""
    model = keeper.models.get_model(ctx, closed.model_id)
    began = keeper.models.find_weights(ctx, closed.model_id, closed.number - 1)
    return 0 if began is None or began.round > compute_expired(model) else began.chunk_count


def _settle_round(ctx: Ctx, keeper: Keeper, closed: Round) -> None:
    """Nothing of the round can be taken back any more: release its pay and the bonds. Emits work.round_settled."""
    for unit in keeper.list_units(ctx, closed.model_id, closed.number):
        if unit.verdict == AUDIT_VERDICT_EXPIRED:
            keeper.close_audits(ctx, unit)
        if unit.status == UNIT_STATUS_ACCEPTED:
            _free_trainer(ctx, keeper, unit)
    paid_ugrad = keeper.rewards.release_round(ctx, closed.model_id, closed.number)
    keeper.drop_settling(ctx, closed)
    closed.settled_height = ctx.height
    keeper.put_round(ctx, closed)
    ctx.emit(events.round_settled(closed, paid_ugrad))
    _drop_expired(ctx, keeper, keeper.models.get_model(ctx, closed.model_id), closed.number)


def _drop_expired(ctx: Ctx, keeper: Keeper, model: Model, number: int) -> None:
    """Forget a round with its units, and the weights that it began with, where the contract keeps them no longer.

    Nothing goes while the round is not settled: who is challenged, or asked late, must get what the unit began with.
    """
    found, expired = keeper.find_round(ctx, model.id, number), compute_expired(model)
    if found is not None and not found.settled_height:
        return
    if number - 1 <= expired:
        keeper.models.drop_weights(ctx, model.id, number - 1)
    if number <= expired:
        keeper.drop_settled(ctx, model.id, number)


def _free_trainer(ctx: Ctx, keeper: Keeper, unit: Unit) -> None:
    """A unit binds its trainer's bond no longer."""
    trainer = keeper.get_trainer(ctx, unit.model_id, decode_address(unit.trainer))
    trainer.open_units -= 1
    keeper.put_trainer(ctx, trainer)


def _open_waiting(ctx: Ctx, keeper: Keeper) -> None:
    """Ask at most IDLE_MODELS_PER_BLOCK waiting models, in turn, whether a round can open."""
    turn, budget, last = keeper.list_turn(ctx, IDLE_MODELS_PER_BLOCK), Budget(OPENED_UNITS_PER_BLOCK), 0
    for model_id in turn:
        dealing = _find_dealing(ctx, keeper, model_id)
        if dealing is None:
            keeper.drop_idle(ctx, model_id)
        elif dealing.ready:
            if not budget.take(min(len(dealing.ready), dealing.model.spec.training.units_max)):
                break
            keeper.drop_idle(ctx, model_id)
            _deal_round(ctx, keeper, dealing)
        last = model_id
    if last and (last != turn[-1] or len(turn) == IDLE_MODELS_PER_BLOCK):
        keeper.put_cursor(ctx, last)


def _open_next(ctx: Ctx, keeper: Keeper, model_id: int) -> None:
    """Deal a model's next round at once, or have the model wait for trainers or escrow."""
    dealing = _find_dealing(ctx, keeper, model_id)
    if dealing is not None and dealing.ready:
        _deal_round(ctx, keeper, dealing)
    elif dealing is not None:
        keeper.mark_idle(ctx, model_id)


@dataclass(frozen=True)
class Dealing:
    """What a round can be dealt from. ready: rising addresses; none while there are too few, or too little escrow."""

    model: Model
    attempt: int
    ready: list[bytes]


def _find_dealing(ctx: Ctx, keeper: Keeper, model_id: int) -> Dealing | None:
    """From what a model's next round can be dealt; None when the model trains no longer.

    New terms of the contract come into force here, between two rounds, and for a round that is dealt again: it may have
    failed by its terms, and nothing of its earlier attempt counts.
    """
    model = keeper.models.get_model(ctx, model_id)
    if model.status not in LIVE_STATUSES:
        return None
    model = keeper.models.apply_pending(ctx, model_id)
    waiting = keeper.find_round(ctx, model_id, model.rounds_closed + 1)
    return Dealing(model, 0 if waiting is None else waiting.attempt, _list_ready(ctx, keeper, model))


def _list_ready(ctx: Ctx, keeper: Keeper, model: Model) -> list[bytes]:
    """The trainers to whom a round can be dealt; none while there are too few of them or too little escrow."""
    needed = compute_trainers_needed(model.status, model.spec.training)
    if keeper.count_active(ctx, model.id) < needed or model.escrow_ugrad < compute_round_cost(model.spec):
        return []
    ready = [address for address in keeper.list_dealable(ctx, model.id)
             if keeper.get_trainer(ctx, model.id, address).bond_ugrad >= model.spec.economy.bond_ugrad
             and keeper.models.is_invited(model, address)]
    return ready if len(ready) >= needed else []


def _deal_round(ctx: Ctx, keeper: Keeper, dealing: Dealing) -> None:
    """Deal the next round to some of those who are ready. Emits work.round_opened."""
    model, training = dealing.model, dealing.model.spec.training
    if model.status == MODEL_STATUS_OPEN:
        model = keeper.models.start_training(ctx, model)
    number = model.rounds_closed + 1
    seed = round_seed(ctx.chain_id, model.id, number, dealing.attempt, ctx.last_app_hash, ctx.last_block_hash)
    dealt = deal_units(seed, dealing.ready, training.units_max)
    for index, address in enumerate(dealt):
        keeper.put_unit(ctx, Unit(model_id=model.id, round=number, index=index, trainer=encode_address(address),
                                  status=UNIT_STATUS_ASSIGNED))
        trainer = keeper.get_trainer(ctx, model.id, address)
        trainer.open_units += 1
        keeper.put_trainer(ctx, trainer)
    rate_q16 = keeper.compute_learning_rate_q16(training.learning_rate, number)
    opened = Round(model_id=model.id, number=number, phase=ROUND_PHASE_COMMIT, seed=seed,
                   weights_root=model.weights_root, learning_rate_q16=rate_q16, unit_count=len(dealt),
                   opened_height=ctx.height, deadline_height=ctx.height + training.commit_blocks,
                   attempt=dealing.attempt, waiting_count=len(dealt), spec_version=model.spec_version)
    keeper.move_due(ctx, opened, opened.deadline_height)
    keeper.put_round(ctx, opened)
    keeper.rewards.open_round(ctx, model.id)
    ctx.emit(events.round_opened(opened))


def _end_commit(ctx: Ctx, keeper: Keeper, spec: ModelSpec, running: Round) -> None:
    """Who has not committed has missed the unit; the others reveal."""
    committed_count = 0
    for unit in keeper.list_units(ctx, running.model_id, running.number):
        if unit.status == UNIT_STATUS_COMMITTED:
            committed_count += 1
        else:
            _miss_unit(ctx, keeper, spec, unit)
    if committed_count < compute_payloads_needed(spec.training):
        _fail_round(ctx, keeper, running, "too few" if committed_count else "missed")
    else:
        _enter(ctx, keeper, running, ROUND_PHASE_REVEAL, committed_count, spec.training.reveal_blocks)
        keeper.mark_committed(ctx, running)


def _take_reveal_hash(ctx: Ctx, keeper: Keeper, running: Round) -> None:
    """All have committed, and nobody has revealed: what enters the audit seed now suits nobody."""
    running.reveal_hash = reveal_hash(ctx.last_app_hash, ctx.last_block_hash)
    keeper.put_round(ctx, running)
    keeper.drop_committed(ctx, running)


def _miss_unit(ctx: Ctx, keeper: Keeper, spec: ModelSpec, unit: Unit) -> None:
    """A missed unit costs its reward only; too many in a row stand the trainer down."""
    unit.status = UNIT_STATUS_MISSED
    keeper.put_unit(ctx, unit)
    ctx.emit(events.unit_missed(unit))
    trainer = keeper.get_trainer(ctx, unit.model_id, decode_address(unit.trainer))
    trainer.open_units -= 1
    trainer.missed_in_a_row += 1
    keeper.put_trainer(ctx, trainer)
    if trainer.missed_in_a_row >= spec.audit.missed_rounds_max:
        keeper.stand_down(ctx, trainer)


def _end_reveal(ctx: Ctx, keeper: Keeper, spec: ModelSpec, running: Round) -> None:
    """Who has not revealed all has withheld; the audits of the others are drawn when the next block begins."""
    revealed_count = 0
    for unit in keeper.list_units(ctx, running.model_id, running.number):
        if unit.status == UNIT_STATUS_REVEALED:
            revealed_count += 1
        elif unit.status == UNIT_STATUS_COMMITTED:
            running.withheld_count += 1
            _withhold_unit(ctx, keeper, spec, unit)
    if revealed_count < compute_payloads_needed(spec.training):
        _fail_round(ctx, keeper, running, "too few" if revealed_count else "withheld")
    else:
        _enter(ctx, keeper, running, ROUND_PHASE_AUDIT, 0, 0)
        keeper.mark_undrawn(ctx, running)


def _withhold_unit(ctx: Ctx, keeper: Keeper, spec: ModelSpec, unit: Unit) -> None:
    """A withheld reveal costs part of the bond, and stands the trainer down until it has waited and made it good."""
    keeper.drop_payload(ctx, unit)
    unit.status, unit.salt = UNIT_STATUS_WITHHELD, b""
    keeper.put_unit(ctx, unit)
    ctx.emit(events.unit_withheld(unit))
    trainer = keeper.get_trainer(ctx, unit.model_id, decode_address(unit.trainer))
    trainer.open_units -= 1
    keeper.slash_bond(ctx, trainer, unit, SLASH_REASON_WITHHELD, spec.audit, [])
    keeper.stand_down(ctx, trainer, ctx.height + spec.audit.challenge_blocks)


def _draw_audits(ctx: Ctx, keeper: Keeper, running: Round) -> None:
    """Choose the units to recompute, and a committee for each, by a seed that nobody could choose.

    All of them where a reveal was withheld: who reveals last knows the draw, and must not gain another one.
    A unit for which there is no committee is not audited. Emits work.unit_drawn, or work.unit_audited for that.
    """
    keeper.drop_undrawn(ctx, running)
    spec, units = keeper.spec_of(ctx, running), keeper.list_units(ctx, running.model_id, running.number)
    revealed = [unit for unit in units if unit.status == UNIT_STATUS_REVEALED]
    running.audit_seed = audit_seed(ctx.chain_id, running.model_id, running.number, running.attempt,
                                    running.reveal_hash, [(unit.index, unit.salt) for unit in revealed])
    running.deadline_height = ctx.height + compute_audit_blocks(spec, running)
    drawn = [units[index] for index in draw_units(running.audit_seed, [unit.index for unit in revealed],
                                                  spec.audit.rate_ppm, running.withheld_count)]
    asked = [(keeper.subject_of(ctx, unit), decode_address(unit.trainer), running.audit_seed) for unit in drawn]
    sizes = keeper.audits.open_audits(ctx, spec.audit.committee_max, asked)
    for unit, size in zip(drawn, sizes):
        unit.verdict = AUDIT_VERDICT_PENDING if size else AUDIT_VERDICT_EXPIRED
        keeper.put_unit(ctx, unit)
        running.waiting_count += 1 if size else 0
        ctx.emit(events.unit_drawn(unit, running.deadline_height) if size else events.unit_audited(unit))
    keeper.move_due(ctx, running, running.deadline_height if running.waiting_count else ctx.height)
    keeper.put_round(ctx, running)


def _end_audit(ctx: Ctx, keeper: Keeper, spec: ModelSpec, running: Round) -> None:
    """What was not proved wrong is accepted, aggregated and paid; the next round opens at once.

    A unit of a trainer that was slashed since it was dealt is left out: hardly a bond stands behind it any more. Where
    a committee has not decided, everybody is asked instead, until the round is settled.
    """
    units, accepted = keeper.list_units(ctx, running.model_id, running.number), []
    for unit in units:
        if unit.verdict == AUDIT_VERDICT_PENDING:
            unit.verdict = AUDIT_VERDICT_EXPIRED
            keeper.put_unit(ctx, unit)
            ctx.emit(events.unit_audited(unit))
        if unit.status == UNIT_STATUS_REVEALED and not _leave_out_slashed(ctx, keeper, unit):
            accepted.append(unit)
    if len(accepted) < compute_payloads_needed(spec.training):
        pay_auditors(ctx, keeper, spec, units)
        _fail_round(ctx, keeper, running, "too few" if accepted else "rejected")
        return
    for unit in accepted:
        _accept_unit(ctx, keeper, unit)
    running.settle_height = max(ctx.height + spec.audit.challenge_blocks,
                                ask_everybody(ctx, keeper, spec, running, units))
    _close_round(ctx, keeper, spec, running, accepted)
    pay_auditors(ctx, keeper, spec, units)
    _open_next(ctx, keeper, running.model_id)


def _leave_out_slashed(ctx: Ctx, keeper: Keeper, unit: Unit) -> bool:
    """Reject a revealed unit whose trainer was slashed for another one since; whether it is so."""
    trainer = keeper.get_trainer(ctx, unit.model_id, decode_address(unit.trainer))
    if trainer.status != TRAINER_STATUS_SLASHED:
        return False
    keeper.drop_payload(ctx, unit)
    unit.status = UNIT_STATUS_REJECTED
    keeper.put_unit(ctx, unit)
    trainer.open_units -= 1
    keeper.put_trainer(ctx, trainer)
    return True


def _accept_unit(ctx: Ctx, keeper: Keeper, unit: Unit) -> None:
    unit.status = UNIT_STATUS_ACCEPTED
    unit.aggregated = True
    keeper.put_unit(ctx, unit)
    ctx.emit(events.unit_accepted(unit))
    trainer = keeper.get_trainer(ctx, unit.model_id, decode_address(unit.trainer))
    trainer.units_accepted += 1
    trainer.missed_in_a_row = 0
    keeper.put_trainer(ctx, trainer)


def _close_round(ctx: Ctx, keeper: Keeper, spec: ModelSpec, running: Round, accepted: list[Unit]) -> None:
    """Aggregate, step, book the pay, and forget what is no longer kept. running: with the end of its window.

    Emits work.round_closed.
    """
    training, model_id = spec.training, running.model_id
    payloads = [keeper.get_payload(ctx, unit) for unit in accepted]
    mean_delta = aggregate(training.aggregation, payloads, compute_param_count(spec), training.trim, training.codec)
    model = keeper.models.get_model(ctx, model_id)
    weights, momentum = outer_step(
        keeper.models.load_weights(ctx, model_id, model.rounds_closed), keeper.models.load_momentum(ctx, model_id),
        mean_delta, training.outer_learning_rate_q16, training.outer_momentum_q16)
    model = keeper.models.close_round(ctx, model, weights, momentum)
    booked = [(unit.index, decode_address(unit.trainer)) for unit in accepted]
    share_ugrad = keeper.rewards.pay_round(ctx, model_id, spec, running.number, booked, running.unit_count)
    running.phase = ROUND_PHASE_CLOSED
    running.waiting_count = 0
    running.accepted_count = len(accepted)
    running.closed_height = ctx.height
    keeper.mark_settling(ctx, running)
    keeper.move_due(ctx, running, 0)
    keeper.put_round(ctx, running)
    ctx.emit(events.round_closed(running, model, share_ugrad))
    keeper.drop_payloads(ctx, model_id, running.number - PAYLOAD_ROUNDS_KEPT)
    expired = compute_expired(model)
    for number in range(max(expired, 1), expired + 2):  # the round that expires, and the next, whose weights do
        _drop_expired(ctx, keeper, model, number)


def _fail_round(ctx: Ctx, keeper: Keeper, running: Round, reason: str) -> None:
    """Too little is left of the round: nobody is paid, its units are forgotten, and it is dealt anew if it can be.

    Emits work.round_failed.
    """
    ctx.emit(events.round_failed(running, reason))
    for unit in keeper.list_units(ctx, running.model_id, running.number):
        if unit.verdict != AUDIT_VERDICT_UNSPECIFIED:
            keeper.close_audits(ctx, unit)
        if is_running(unit):
            _release_unit(ctx, keeper, unit)
    keeper.drop_units(ctx, running.model_id, running.number)
    keeper.move_due(ctx, running, 0)
    keeper.put_round(ctx, Round(model_id=running.model_id, number=running.number, phase=ROUND_PHASE_WAITING,
                                weights_root=running.weights_root, opened_height=running.opened_height,
                                attempt=running.attempt + 1, spec_version=running.spec_version))
    _open_next(ctx, keeper, running.model_id)


def _release_unit(ctx: Ctx, keeper: Keeper, unit: Unit) -> None:
    """Who did its part of a round that failed has missed nothing."""
    trainer = keeper.get_trainer(ctx, unit.model_id, decode_address(unit.trainer))
    trainer.open_units -= 1
    trainer.missed_in_a_row = 0
    keeper.put_trainer(ctx, trainer)


def _enter(ctx: Ctx, keeper: Keeper, running: Round, phase: RoundPhase, waiting_count: int, blocks: int) -> None:
    """Go on to the next phase. Emits work.phase_entered."""
    running.phase = phase
    running.waiting_count = waiting_count
    running.deadline_height = ctx.height + blocks
    keeper.move_due(ctx, running, running.deadline_height if blocks else 0)
    keeper.put_round(ctx, running)
    ctx.emit(events.phase_entered(running))
