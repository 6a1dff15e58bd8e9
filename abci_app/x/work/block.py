"""Begin and end of a block: the life of rounds.

COMMIT -> REVEAL -> AUDIT -> CLOSED; a round in which nothing is left to aggregate goes to WAITING and is dealt again.
A phase ends when no unit has to act in it any more, or at its deadline. Source: README.md beside this file.
"""

from abci_app.runtime.context import Ctx
from abci_app.runtime.contract import LIVE_STATUSES, compute_param_count
from abci_app.wire.address import decode_address, encode_address
from abci_app.wire.pb.gradus.models.v1.models_pb2 import MODEL_STATUS_OPEN, Model
from abci_app.wire.pb.gradus.work.v1.work_pb2 import (
    AUDIT_VERDICT_EXPIRED, AUDIT_VERDICT_PENDING, ROUND_PHASE_AUDIT, ROUND_PHASE_CLOSED, ROUND_PHASE_COMMIT,
    ROUND_PHASE_REVEAL, ROUND_PHASE_WAITING, SLASH_REASON_WITHHELD, UNIT_STATUS_ACCEPTED, UNIT_STATUS_ASSIGNED,
    UNIT_STATUS_COMMITTED, UNIT_STATUS_MISSED, UNIT_STATUS_REVEALED, UNIT_STATUS_WITHHELD, Round, RoundPhase, Unit,
)
from abci_app.wire.seed import audit_seed, round_seed
from abci_app.x.work import events
from abci_app.x.work.keeper import Keeper
from abci_app.x.work.types import (
    CLOSE_VALUES_PER_BLOCK, MODELS_PER_BLOCK, PAYLOAD_ROUNDS_KEPT, RUNNING_PHASES, compute_close_values,
    compute_trainers_needed, deal_units, draw_units,
)
from kernels.aggregate import aggregate
from kernels.outer import outer_step


def begin_block(ctx: Ctx, keeper: Keeper) -> None:
    """Draw the audits of the rounds whose reveals ended with the last block: its app hash covers all of them."""
    for model_id, number in keeper.list_undrawn(ctx):
        _draw_audits(ctx, keeper, model_id, number)


def end_block(ctx: Ctx, keeper: Keeper) -> None:
    """Move rounds on: at most MODELS_PER_BLOCK live models, in turn, and no more closing than a block bears.

    A round that is too large for what is left of the block waits for the next one, in which it comes first.
    """
    turn, left, last = keeper.list_turn(ctx, MODELS_PER_BLOCK), CLOSE_VALUES_PER_BLOCK, 0
    for model_id in turn:
        values = _compute_values_due(ctx, keeper, model_id)
        if values > left and left < CLOSE_VALUES_PER_BLOCK:
            break
        left -= values
        _visit_model(ctx, keeper, model_id)
        last = model_id
    if last and (last != turn[-1] or len(turn) == MODELS_PER_BLOCK):
        keeper.put_cursor(ctx, last)


def _compute_values_due(ctx: Ctx, keeper: Keeper, model_id: int) -> int:
    """What closing the model's round would handle now; 0 when it is not about to close."""
    model = keeper.models.find_model(ctx, model_id)
    running = None if model is None else keeper.find_round(ctx, model_id, model.rounds_closed + 1)
    if model is None or running is None or running.phase != ROUND_PHASE_AUDIT or not _is_over(ctx, running):
        return 0
    return compute_close_values(model.spec, running.unit_count)


def _visit_model(ctx: Ctx, keeper: Keeper, model_id: int) -> None:
    """One step of one model: open a round, or end the phase of the running one."""
    model = keeper.models.find_model(ctx, model_id)
    if model is None or model.status not in LIVE_STATUSES:
        keeper.drop_live(ctx, model_id)
        return
    running = keeper.find_round(ctx, model_id, model.rounds_closed + 1)
    if running is None or running.phase not in RUNNING_PHASES:
        _open_round(ctx, keeper, model, 0 if running is None else running.attempt)
    elif not _is_over(ctx, running):
        return
    elif running.phase == ROUND_PHASE_COMMIT:
        _end_commit(ctx, keeper, model, running)
    elif running.phase == ROUND_PHASE_REVEAL:
        _end_reveal(ctx, keeper, model, running)
    else:
        _end_audit(ctx, keeper, model, running)


def _is_over(ctx: Ctx, running: Round) -> bool:
    """Whether a phase has ended. Audits have not, as long as they are not drawn."""
    if running.phase == ROUND_PHASE_AUDIT and not running.audit_seed:
        return False
    return running.waiting_count == 0 or ctx.height >= running.deadline_height


def _open_round(ctx: Ctx, keeper: Keeper, model: Model, attempt: int) -> None:
    """Deal the next round if there are trainers and escrow for it. Emits work.round_opened."""
    training, economy = model.spec.training, model.spec.economy
    if keeper.count_active(ctx, model.id) < compute_trainers_needed(model):
        return
    if model.escrow_ugrad < economy.round_reward_ugrad:
        return
    if model.status == MODEL_STATUS_OPEN:
        model = keeper.models.start_training(ctx, model)
    number = model.rounds_closed + 1
    seed = round_seed(ctx.chain_id, model.id, number, attempt, ctx.last_app_hash)
    dealt = deal_units(seed, keeper.list_active(ctx, model.id), training.units_max)
    for index, address in enumerate(dealt):
        keeper.put_unit(ctx, Unit(model_id=model.id, round=number, index=index, trainer=encode_address(address),
                                  status=UNIT_STATUS_ASSIGNED))
        trainer = keeper.get_trainer(ctx, model.id, address)
        trainer.open_units += 1
        keeper.put_trainer(ctx, trainer)
    rate_q16 = keeper.compute_learning_rate_q16(training.learning_rate, number)
    opened = Round(model_id=model.id, number=number, phase=ROUND_PHASE_COMMIT, seed=seed,
                   weights_root=model.weights_root, learning_rate_q16=rate_q16, unit_count=len(dealt),
                   opened_height=ctx.height, deadline_height=ctx.height + training.commit_blocks, attempt=attempt,
                   waiting_count=len(dealt))
    keeper.put_round(ctx, opened)
    ctx.emit(events.round_opened(opened))


def _end_commit(ctx: Ctx, keeper: Keeper, model: Model, running: Round) -> None:
    """Who has not committed has missed the unit; the others reveal."""
    committed_count = 0
    for unit in keeper.list_units(ctx, model.id, running.number):
        if unit.status == UNIT_STATUS_COMMITTED:
            committed_count += 1
        else:
            _miss_unit(ctx, keeper, model, unit)
    if committed_count == 0:
        _deal_again(ctx, keeper, model, running, "missed")
    else:
        _enter(ctx, keeper, running, ROUND_PHASE_REVEAL, committed_count, model.spec.training.reveal_blocks)


def _miss_unit(ctx: Ctx, keeper: Keeper, model: Model, unit: Unit) -> None:
    """A missed unit costs its reward only; too many in a row stand the trainer down."""
    unit.status = UNIT_STATUS_MISSED
    keeper.put_unit(ctx, unit)
    ctx.emit(events.unit_missed(unit))
    trainer = keeper.get_trainer(ctx, unit.model_id, decode_address(unit.trainer))
    trainer.open_units -= 1
    trainer.missed_in_a_row += 1
    keeper.put_trainer(ctx, trainer)
    if trainer.missed_in_a_row >= model.spec.audit.missed_rounds_max:
        keeper.stand_down(ctx, trainer)


def _end_reveal(ctx: Ctx, keeper: Keeper, model: Model, running: Round) -> None:
    """Who has not revealed has withheld; the audits of the others are drawn when the next block begins."""
    revealed_count = 0
    for unit in keeper.list_units(ctx, model.id, running.number):
        if unit.status == UNIT_STATUS_REVEALED:
            revealed_count += 1
        elif unit.status == UNIT_STATUS_COMMITTED:
            _withhold_unit(ctx, keeper, model, unit)
    if revealed_count == 0:
        _deal_again(ctx, keeper, model, running, "withheld")
    else:
        keeper.mark_undrawn(ctx, model.id, running.number)
        _enter(ctx, keeper, running, ROUND_PHASE_AUDIT, 0, 0)


def _withhold_unit(ctx: Ctx, keeper: Keeper, model: Model, unit: Unit) -> None:
    """A withheld reveal costs part of the bond, and the trainer is stood down until it has made that good."""
    unit.status = UNIT_STATUS_WITHHELD
    keeper.put_unit(ctx, unit)
    ctx.emit(events.unit_withheld(unit))
    trainer = keeper.get_trainer(ctx, unit.model_id, decode_address(unit.trainer))
    trainer.open_units -= 1
    policy = model.spec.audit
    keeper.slash_bond(ctx, trainer, unit, SLASH_REASON_WITHHELD, policy, policy.withhold_slash_ppm)
    keeper.stand_down(ctx, trainer)


def _draw_audits(ctx: Ctx, keeper: Keeper, model_id: int, number: int) -> None:
    """Choose the units to recompute, by a seed that nobody knew when the last reveal was made."""
    keeper.drop_undrawn(ctx, model_id)
    model, running = keeper.models.get_model(ctx, model_id), keeper.get_round(ctx, model_id, number)
    units = keeper.list_units(ctx, model_id, number)
    revealed = [unit.index for unit in units if unit.status == UNIT_STATUS_REVEALED]
    running.audit_seed = audit_seed(ctx.chain_id, model_id, number, ctx.last_app_hash)
    drawn = draw_units(running.audit_seed, revealed, model.spec.audit.rate_ppm)
    running.waiting_count = len(drawn)
    running.deadline_height = ctx.height + model.spec.training.audit_blocks
    keeper.put_round(ctx, running)
    for index in drawn:
        unit = units[index]
        unit.verdict = AUDIT_VERDICT_PENDING
        keeper.put_unit(ctx, unit)
        keeper.mark_pending(ctx, running.deadline_height, unit)
        ctx.emit(events.unit_drawn(unit, running.deadline_height))


def _end_audit(ctx: Ctx, keeper: Keeper, model: Model, running: Round) -> None:
    """What no audit has proved wrong is accepted, aggregated and paid; the next round opens at once."""
    accepted = []
    for unit in keeper.list_units(ctx, model.id, running.number):
        if unit.verdict == AUDIT_VERDICT_PENDING:
            unit.verdict = AUDIT_VERDICT_EXPIRED
            keeper.drop_pending(ctx, running.deadline_height, unit)
            keeper.put_unit(ctx, unit)
            ctx.emit(events.unit_audited(unit))
        if unit.status == UNIT_STATUS_REVEALED:
            accepted.append(unit)
    if not accepted:
        _deal_again(ctx, keeper, model, running, "rejected")
        return
    for unit in accepted:
        _accept_unit(ctx, keeper, unit)
    _close_round(ctx, keeper, model, running, accepted)


def _accept_unit(ctx: Ctx, keeper: Keeper, unit: Unit) -> None:
    unit.status = UNIT_STATUS_ACCEPTED
    keeper.put_unit(ctx, unit)
    ctx.emit(events.unit_accepted(unit))
    trainer = keeper.get_trainer(ctx, unit.model_id, decode_address(unit.trainer))
    trainer.open_units -= 1
    trainer.units_accepted += 1
    trainer.missed_in_a_row = 0
    keeper.put_trainer(ctx, trainer)


def _close_round(ctx: Ctx, keeper: Keeper, model: Model, running: Round, accepted: list[Unit]) -> None:
    """Aggregate, step, pay, and forget what is no longer kept. Emits work.round_closed."""
    training = model.spec.training
    payloads = [keeper.get_payload(ctx, unit) for unit in accepted]
    mean_delta = aggregate(training.aggregation, payloads, compute_param_count(model.spec), training.trim,
                           training.codec)
    weights, momentum = outer_step(
        keeper.models.load_weights(ctx, model.id, model.rounds_closed), keeper.models.load_momentum(ctx, model.id),
        mean_delta, training.outer_learning_rate_q16, training.outer_momentum_q16)
    model = keeper.models.close_round(ctx, model, weights, momentum)
    paid_ugrad = keeper.rewards.pay_round(ctx, model, [decode_address(unit.trainer) for unit in accepted])
    running.phase = ROUND_PHASE_CLOSED
    running.waiting_count = 0
    running.accepted_count = len(accepted)
    running.closed_height = ctx.height
    keeper.put_round(ctx, running)
    ctx.emit(events.round_closed(running, model, paid_ugrad))
    keeper.drop_payloads(ctx, model.id, running.number - PAYLOAD_ROUNDS_KEPT)
    keeper.drop_round(ctx, model.id, running.number - training.kept_rounds)
    _visit_model(ctx, keeper, model.id)


def _deal_again(ctx: Ctx, keeper: Keeper, model: Model, running: Round, reason: str) -> None:
    """Nothing is left of the round: forget its units and deal it anew, at once if there are trainers and escrow."""
    ctx.emit(events.round_failed(running, reason))
    keeper.drop_units(ctx, model.id, running.number)
    waiting = Round(model_id=model.id, number=running.number, phase=ROUND_PHASE_WAITING,
                    weights_root=running.weights_root, opened_height=running.opened_height,
                    attempt=running.attempt + 1)
    keeper.put_round(ctx, waiting)
    _open_round(ctx, keeper, model, waiting.attempt)


def _enter(ctx: Ctx, keeper: Keeper, running: Round, phase: RoundPhase, waiting_count: int, blocks: int) -> None:
    """Go on to the next phase. Emits work.phase_entered."""
    running.phase = phase
    running.waiting_count = waiting_count
    running.deadline_height = ctx.height + blocks
    keeper.put_round(ctx, running)
    ctx.emit(events.phase_entered(running))
