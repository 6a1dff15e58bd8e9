"""What audits decide of units, who is asked when a committee is not enough, and what auditors earn.

A match that nobody in the committee disputes stands. Anything else takes a bond, or a place in committees, only where
it is final: by more than 2/3 of the power of all who may judge. From a smaller part of them it is a question to
everybody, a confirmation, whose answer stands above theirs.
Source: README.md of the room.
"""

from abci_app.runtime.context import Ctx
from abci_app.runtime.contract import compute_audit_fee
from abci_app.wire.address import decode_address
from abci_app.wire.audit import CONFIRMATION, UNIT, confirmation_of, decode_subject, is_answer_of, is_confirmed
from abci_app.wire.pb.gradus.audits.v1.audits_pb2 import AUDIT_STATUS_OPEN
from abci_app.wire.pb.gradus.models.v1.models_pb2 import ModelSpec
from abci_app.wire.pb.gradus.work.v1.work_pb2 import (
    AUDIT_VERDICT_EXPIRED, AUDIT_VERDICT_MATCH, AUDIT_VERDICT_MISMATCH, AUDIT_VERDICT_PENDING, SLASH_REASON_MISMATCH,
    UNIT_STATUS_ACCEPTED, Round, Unit,
)
from abci_app.wire.seed import confirmation_seed
from abci_app.x.work import events
from abci_app.x.work.keeper import Keeper
from abci_app.x.work.types import compute_audit_blocks


def take_verdicts(ctx: Ctx, keeper: Keeper) -> None:
    """Apply what has been decided of units: at most what a block may decide."""
    contested = []
    for data, answer in keeper.audits.list_decided(ctx, UNIT, CONFIRMATION):
        subject = decode_subject(data)
        unit = keeper.get_unit(ctx, subject.model_id, subject.number, subject.index)
        has_matched = is_answer_of(subject.kind, answer, unit.payload_root, unit.trace_root)
        keeper.audits.take(ctx, data)
        if _is_contested(ctx, keeper, data, has_matched):
            contested.append(unit)
            continue
        if subject.kind == CONFIRMATION:
            _judge_committee(ctx, keeper, unit, answer)
        _apply_verdict(ctx, keeper, unit, has_matched)
    if contested:
        _contest(ctx, keeper, contested)


def ask_everybody(ctx: Ctx, keeper: Keeper, spec: ModelSpec, closed: Round, units: list[Unit]) -> int:
    """What committees of a round that closes have not decided is asked of everybody, while it can be challenged.

    Returns the height before which the round must not be settled, 0 where nobody is asked anything any more.
    """
    asked, is_open = [], False
    for unit in units:
        if unit.verdict != AUDIT_VERDICT_EXPIRED:
            continue
        if unit.status != UNIT_STATUS_ACCEPTED:
            keeper.close_audits(ctx, unit)
            continue
        subject = keeper.subject_of(ctx, unit)
        audit = keeper.audits.find_audit(ctx, subject)
        is_open = is_open or audit is not None
        if audit is not None and audit.status == AUDIT_STATUS_OPEN and not keeper.audits.is_whole(ctx, subject):
            keeper.audits.close_audit(ctx, subject)
            asked.append(unit)
    if asked:
        keeper.audits.ask_everybody(ctx, [_new_question(ctx, keeper, unit) for unit in asked])
    return ctx.height + compute_audit_blocks(spec, closed) if is_open else 0


def pay_auditors(ctx: Ctx, keeper: Keeper, spec: ModelSpec, units: list[Unit]) -> None:
    """Pay those whose digests were right for the audits that were decided in time, and forget these audits.

    units: of a round that ends, also of one that fails: who audited it has worked all the same.
    """
    decided = [unit for unit in units if unit.verdict in (AUDIT_VERDICT_MATCH, AUDIT_VERDICT_MISMATCH)]
    accounts = [account for unit in decided for account in _list_right(ctx, keeper, unit)]
    paid_ugrad = keeper.rewards.pay_auditors(ctx, units[0].model_id, compute_audit_fee(spec), accounts)
    for unit in decided:
        for subject in keeper.subjects_of(ctx, unit):
            keeper.audits.book_fee(ctx, subject, paid_ugrad // max(len(accounts), 1))  # equal parts: nothing is left
        keeper.close_audits(ctx, unit)


def _apply_verdict(ctx: Ctx, keeper: Keeper, unit: Unit, has_matched: bool) -> None:
    """A match stands, a mismatch rejects the unit and slashes; in time or late. Emits work.unit_audited.

    The audits of a unit in a running round are kept until the round ends, which pays those who were right.
    """
    is_late = unit.verdict == AUDIT_VERDICT_EXPIRED
    unit.verdict = AUDIT_VERDICT_MATCH if has_matched else AUDIT_VERDICT_MISMATCH
    ctx.emit(events.unit_audited(unit))
    if not is_late:
        audited = keeper.get_round(ctx, unit.model_id, unit.round)
        audited.waiting_count -= 1
        if audited.waiting_count == 0:
            keeper.end_phase_now(ctx, audited)
        keeper.put_round(ctx, audited)
    if has_matched:
        keeper.put_unit(ctx, unit)
    else:
        keeper.reject_unit(ctx, unit, SLASH_REASON_MISMATCH, _list_right(ctx, keeper, unit))
    if is_late:
        keeper.close_audits(ctx, unit)


def _contest(ctx: Ctx, keeper: Keeper, units: list[Unit]) -> None:
    """Ask everybody about units on which committees of too little power disagree. Emits work.unit_contested."""
    keeper.audits.ask_everybody(ctx, [_new_question(ctx, keeper, unit) for unit in units])
    for unit in units:
        audited = keeper.get_round(ctx, unit.model_id, unit.round)
        if unit.verdict == AUDIT_VERDICT_PENDING:
            _extend_phase(ctx, keeper, audited, unit)
        ctx.emit(events.unit_contested(unit, audited.deadline_height))


def _extend_phase(ctx: Ctx, keeper: Keeper, audited: Round, unit: Unit) -> None:
    """Give those who are asked as long as the committee had; altogether the phase lasts at most twice its length."""
    committee = keeper.audits.find_audit(ctx, keeper.subject_of(ctx, unit))
    blocks = compute_audit_blocks(keeper.spec_of(ctx, audited), audited)
    until_height = min(ctx.height, committee.opened_height + blocks if committee is not None else 0) + blocks
    if until_height > audited.deadline_height:
        audited.deadline_height = until_height
        keeper.move_due(ctx, audited, until_height)
        keeper.put_round(ctx, audited)


def _new_question(ctx: Ctx, keeper: Keeper, unit: Unit) -> tuple[bytes, bytes, bytes]:
    """What everybody is asked about a unit, by a seed of its own: the committee's answer may be public."""
    seed = keeper.get_round(ctx, unit.model_id, unit.round).audit_seed
    return (confirmation_of(keeper.subject_of(ctx, unit)), decode_address(unit.trainer),
            confirmation_seed(seed, ctx.last_app_hash, ctx.last_block_hash))


def _is_contested(ctx: Ctx, keeper: Keeper, subject: bytes, has_matched: bool) -> bool:
    """Whether a committee that is too small to take anything has called a claim wrong, or is not of one mind."""
    if keeper.audits.is_final(ctx, subject):
        return False
    return not has_matched or not keeper.audits.is_unanimous(ctx, subject)


def _judge_committee(ctx: Ctx, keeper: Keeper, unit: Unit, answer: bytes) -> None:
    """Everybody's answer says who of the committee was wrong, whatever was claimed.

    The committee's witness counts too: else a few who agree on the right roots and a witness that they made up would
    have the honest one among them, who differs, excluded.
    """
    subject = keeper.subject_of(ctx, unit)
    committee = keeper.audits.find_audit(ctx, subject)
    if committee is not None and is_confirmed(answer, committee.answer):
        keeper.audits.uphold(ctx, subject)
    elif committee is not None:
        keeper.audits.refute(ctx, subject)


def _list_right(ctx: Ctx, keeper: Keeper, unit: Unit) -> list[bytes]:
    """Accounts of all who were right about a unit, in its committee and where everybody was asked."""
    return [account for subject in keeper.subjects_of(ctx, unit)
            for account in keeper.audits.list_right(ctx, subject)]
