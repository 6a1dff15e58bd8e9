"""Begin and end of a block: the life of rounds.

COMMIT -> REVEAL -> AUDIT -> CLOSED; a round that is left with too little to aggregate goes to WAITING and is dealt
again. A phase ends when no unit has to act in it any more, or at its deadline. Source: README.md beside this file.
"""

from dataclasses import dataclass

from abci_app.runtime.context import Ctx
from abci_app.runtime.contract import (
    CLOSE_COST_PER_BLOCK, LIVE_STATUSES, compute_close_cost, compute_param_count,
)
from abci_app.wire.address import decode_address, encode_address
from abci_app.wire.pb.gradus.models.v1.models_pb2 import MODEL_STATUS_OPEN, Model
from abci_app.wire.pb.gradus.work.v1.work_pb2 import (
    AUDIT_VERDICT_EXPIRED, AUDIT_VERDICT_PENDING, ROUND_PHASE_AUDIT, ROUND_PHASE_CLOSED, ROUND_PHASE_COMMIT,
    ROUND_PHASE_REVEAL, ROUND_PHASE_WAITING, SLASH_REASON_WITHHELD, UNIT_STATUS_ACCEPTED, UNIT_STATUS_ASSIGNED,
    UNIT_STATUS_COMMITTED, UNIT_STATUS_EXPIRED, UNIT_STATUS_MISSED, UNIT_STATUS_REVEALED, UNIT_STATUS_WITHHELD, Round,
    RoundPhase, Unit,
)
from abci_app.wire.seed import audit_seed, round_seed
from abci_app.x.work import events
from abci_app.x.work.keeper import Keeper
from abci_app.x.work.types import (
    IDLE_MODELS_PER_BLOCK, OPENED_UNITS_PER_BLOCK, PAYLOAD_ROUNDS_KEPT, UNITS_PER_BLOCK, compute_payloads_needed,
    compute_step_units, compute_trainers_needed, deal_units, draw_units, is_open,
)
from kernels.aggregate import aggregate
from kernels.outer import outer_step


def begin_block(ctx: Ctx, keeper: Keeper) -> None:
    """Draw the audits of the rounds whose reveals ended with the last block: the hashes now known cover all of them."""
    for model_id, number in keeper.list_undrawn(ctx):
        _draw_audits(ctx, keeper, model_id, number)


@dataclass
class Budget:
    """What an end of a block may still handle. What comes first is never too much, so that nothing waits for ever."""

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
    """End the phases that are due, the earliest first, then open rounds of models that wait for one.

    What a block does not bear is due in the next one, in which it comes first.
    """
    budget = Budget(UNITS_PER_BLOCK, CLOSE_COST_PER_BLOCK)
    for model_id in keeper.list_due(ctx, UNITS_PER_BLOCK):
        model = keeper.models.get_model(ctx, model_id)
        running = keeper.get_round(ctx, model_id, model.rounds_closed + 1)
        is_closing = running.phase == ROUND_PHASE_AUDIT
        cost = compute_close_cost(model.spec, running.unit_count) if is_closing else 0
        if not budget.take(compute_step_units(model, running), cost):
            break
        _end_phase(ctx, keeper, model, running)
    _open_waiting(ctx, keeper)


def _end_phase(ctx: Ctx, keeper: Keeper, model: Model, running: Round) -> None:
    if running.phase == ROUND_PHASE_COMMIT:
        _end_commit(ctx, keeper, model, running)
    elif running.phase == ROUND_PHASE_REVEAL:
        _end_reveal(ctx, keeper, model, running)
    else:
        _end_audit(ctx, keeper, model, running)


def _open_waiting(ctx: Ctx, keeper: Keeper) -> None:
    """Ask at most IDLE_MODELS_PER_BLOCK waiting models, in turn, whether a round can open."""
    turn, budget, last = keeper.list_turn(ctx, IDLE_MODELS_PER_BLOCK), Budget(OPENED_UNITS_PER_BLOCK), 0
    for model_id in turn:
        model = keeper.models.get_model(ctx, model_id)
        if model.status not in LIVE_STATUSES:
            keeper.drop_idle(ctx, model_id)
        elif ready := _list_ready(ctx, keeper, model):
            if not budget.take(min(len(ready), model.spec.training.units_max)):
                break
            keeper.drop_idle(ctx, model_id)
            _deal_round(ctx, keeper, model, ready)
        last = model_id
    if last and (last != turn[-1] or len(turn) == IDLE_MODELS_PER_BLOCK):
        keeper.put_cursor(ctx, last)


def _open_next(ctx: Ctx, keeper: Keeper, model_id: int) -> None:
    """Deal a model's next round at once, or have the model wait for trainers or escrow."""
    model = keeper.models.get_model(ctx, model_id)
    if model.status not in LIVE_STATUSES:
        return
    ready = _list_ready(ctx, keeper, model)
    if ready:
        _deal_round(ctx, keeper, model, ready)
    else:
        keeper.mark_idle(ctx, model_id)


def _list_ready(ctx: Ctx, keeper: Keeper, model: Model) -> list[bytes]:
    """The trainers to whom a round can be dealt; none while there are too few of them or too little escrow."""
    needed = compute_trainers_needed(model)
    if keeper.count_active(ctx, model.id) < needed or model.escrow_ugrad < model.spec.economy.round_reward_ugrad:
        return []
    ready = keeper.list_dealable(ctx, model.id)
    return ready if len(ready) >= needed else []


def _deal_round(ctx: Ctx, keeper: Keeper, model: Model, ready: list[bytes]) -> None:
    """Deal the next round to some of the rising addresses `ready`. Emits work.round_opened."""
    if model.status == MODEL_STATUS_OPEN:
        model = keeper.models.start_training(ctx, model)
    training, number = model.spec.training, model.rounds_closed + 1
    waiting = keeper.find_round(ctx, model.id, number)
    attempt = 0 if waiting is None else waiting.attempt
    seed = round_seed(ctx.chain_id, model.id, number, attempt, ctx.last_app_hash, ctx.last_block_hash)
    dealt = deal_units(seed, ready, training.units_max)
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
    keeper.move_due(ctx, opened, opened.deadline_height)
    keeper.put_round(ctx, opened)
    keeper.rewards.open_round(ctx, model.id)
    ctx.emit(events.round_opened(opened))


def _end_commit(ctx: Ctx, keeper: Keeper, model: Model, running: Round) -> None:
    """Who has not committed has missed the unit; the others reveal."""
    committed_count = 0
    for unit in keeper.list_units(ctx, model.id, running.number):
        if unit.status == UNIT_STATUS_COMMITTED:
            committed_count += 1
        else:
            _miss_unit(ctx, keeper, model, unit)
    if committed_count < compute_payloads_needed(model.spec.training):
        _fail_round(ctx, keeper, running, "too few" if committed_count else "missed")
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
    if revealed_count < compute_payloads_needed(model.spec.training):
        _fail_round(ctx, keeper, running, "too few" if revealed_count else "withheld")
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
    running.audit_seed = audit_seed(ctx.chain_id, model_id, number, running.attempt, ctx.last_app_hash,
                                    ctx.last_block_hash)
    drawn = draw_units(running.audit_seed, revealed, model.spec.audit.rate_ppm)
    running.waiting_count = len(drawn)
    running.deadline_height = ctx.height + model.spec.training.audit_blocks
    keeper.move_due(ctx, running, running.deadline_height)
    keeper.put_round(ctx, running)
    for index in drawn:
        unit = units[index]
        unit.verdict = AUDIT_VERDICT_PENDING
        keeper.put_unit(ctx, unit)
        keeper.mark_pending(ctx, unit)
        ctx.emit(events.unit_drawn(unit, running.deadline_height))


def _end_audit(ctx: Ctx, keeper: Keeper, model: Model, running: Round) -> None:
    """What was not drawn, or was proved right, is accepted, aggregated and paid; the next round opens at once."""
    accepted = []
    for unit in keeper.list_units(ctx, model.id, running.number):
        if unit.verdict == AUDIT_VERDICT_PENDING:
            _expire_unit(ctx, keeper, unit)
        elif unit.status == UNIT_STATUS_REVEALED:
            accepted.append(unit)
    if len(accepted) < compute_payloads_needed(model.spec.training):
        _fail_round(ctx, keeper, running, "too few" if accepted else "rejected")
        return
    for unit in accepted:
        _accept_unit(ctx, keeper, unit)
    _close_round(ctx, keeper, model, running, accepted)


def _expire_unit(ctx: Ctx, keeper: Keeper, unit: Unit) -> None:
    """Nobody brought the rows in time: nothing is known of the claim, so it neither pays nor costs, nor counts."""
    unit.verdict = AUDIT_VERDICT_EXPIRED
    unit.status = UNIT_STATUS_EXPIRED
    keeper.put_unit(ctx, unit)
    keeper.drop_pending(ctx, unit)
    keeper.drop_payload(ctx, unit)
    ctx.emit(events.unit_audited(unit))
    trainer = keeper.get_trainer(ctx, unit.model_id, decode_address(unit.trainer))
    trainer.open_units -= 1
    keeper.put_trainer(ctx, trainer)


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
    paid_ugrad = keeper.rewards.pay_round(ctx, model.id, model.spec, running.number, [
        (unit.index, decode_address(unit.trainer)) for unit in accepted], running.unit_count)
    keeper.rewards.release_round(ctx, model.id, running.number)
    running.phase = ROUND_PHASE_CLOSED
    running.waiting_count = 0
    running.accepted_count = len(accepted)
    running.closed_height = ctx.height
    keeper.move_due(ctx, running, 0)
    keeper.put_round(ctx, running)
    ctx.emit(events.round_closed(running, model, paid_ugrad))
    keeper.drop_payloads(ctx, model.id, running.number - PAYLOAD_ROUNDS_KEPT)
    keeper.drop_round(ctx, model.id, running.number - training.kept_rounds)
    _open_next(ctx, keeper, model.id)


def _fail_round(ctx: Ctx, keeper: Keeper, running: Round, reason: str) -> None:
    """Too little is left of the round: nobody is paid, its units are forgotten, and it is dealt anew if it can be.

    Emits work.round_failed.
    """
    ctx.emit(events.round_failed(running, reason))
    for unit in keeper.list_units(ctx, running.model_id, running.number):
        if is_open(unit):
            _release_unit(ctx, keeper, unit)
    keeper.drop_units(ctx, running.model_id, running.number)
    keeper.move_due(ctx, running, 0)
    keeper.put_round(ctx, Round(model_id=running.model_id, number=running.number, phase=ROUND_PHASE_WAITING,
                                weights_root=running.weights_root, opened_height=running.opened_height,
                                attempt=running.attempt + 1))
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
