"""The two ends of a block: draws and questions to auditors as it begins; verdicts and what is due as it ends.

Both are total and bounded; what does not fit is done in the next block, in which it comes first.
Source: README.md beside this file.
"""

from abci_app.runtime.context import Ctx
from abci_app.runtime.fee import compute_auditors_pay
from abci_app.runtime.question import compute_work
from abci_app.wire.address import decode_address
from abci_app.wire.audit import STATEMENT, decode_subject, is_said_of
from abci_app.wire.pb.gradus.sessions.v1.sessions_pb2 import (
    SESSION_STATUS_CLOSING, SESSION_STATUS_OPEN, SESSION_STATUS_SETTLED, SESSION_STATUS_SHOWING, Session,
)
from abci_app.wire.question import draw_seed
from abci_app.x.sessions import events, keys
from abci_app.x.sessions.keeper import Keeper
from abci_app.x.sessions.types import (
    ASKED_PER_BLOCK, DRAWN_PER_BLOCK, DUE_PER_BLOCK, WITHHELD, WRONG, draw_coin,
)


def begin_block(ctx: Ctx, keeper: Keeper) -> None:
    """Draw of the receipts that settle whether an entry of theirs is audited, and ask auditors about entries."""
    for session in keeper.list_marked(ctx, keys.DRAWING, DRAWN_PER_BLOCK):
        draw(ctx, keeper, session)
    ask_auditors(ctx, keeper)


def end_block(ctx: Ctx, keeper: Keeper) -> None:
    """Apply what auditors have decided, then end what is due."""
    take_verdicts(ctx, keeper)
    for session in keeper.list_marked(ctx, keys.DUE, DUE_PER_BLOCK):
        end_due(ctx, keeper, session)


def draw(ctx: Ctx, keeper: Keeper, session: Session) -> None:
    """Pay the receipt, or have the entry of one of its coins shown. Emits sessions.entry_drawn for the latter."""
    seed = draw_seed(session.seed, ctx.last_app_hash, ctx.last_block_hash)
    coin_ugrad = draw_coin(seed, session.receipt.total_ugrad, keeper.get_spec(ctx, session).inference.audit_ppm)
    if coin_ugrad == 0:
        keeper.settle_paid(ctx, session)
        return
    session.drawn_ugrad, session.is_drawn, session.status = coin_ugrad, True, SESSION_STATUS_SHOWING
    session.due_height = ctx.height + keeper.params(ctx).show_blocks
    keeper.put_session(ctx, session)
    ctx.emit(events.entry_drawn(session))


def ask_auditors(ctx: Ctx, keeper: Keeper) -> None:
    """Ask everybody about entries that were shown or challenged, the earliest first, while auditors have time for more.

    By a seed that nobody knew who showed or challenged. Where nobody may judge, it is as if nobody had.
    """
    for session in keeper.list_marked(ctx, keys.ASKING, ASKED_PER_BLOCK):
        if not keeper.audits.has_room(ctx, STATEMENT):
            return
        spec = keeper.get_spec(ctx, session)
        session.audit_seed = draw_seed(session.seed, ctx.last_app_hash, ctx.last_block_hash)
        busy_height = keeper.audits.ask_of_answer(
            ctx, (keeper.subject_of(session), decode_address(session.host), session.audit_seed),
            compute_work(spec, session.question))
        if busy_height == 0:
            leave_undecided(ctx, keeper, session)
            continue
        session.due_height = busy_height + spec.inference.audit_blocks
        keeper.put_session(ctx, session)


def take_verdicts(ctx: Ctx, keeper: Keeper) -> None:
    """Apply what has been decided of entries: at most what a block may decide. Emits sessions.entry_audited."""
    for subject, answer in keeper.audits.list_decided(ctx, STATEMENT):
        session = keeper.get_session(ctx, decode_subject(subject).number)
        keeper.audits.take(ctx, subject)
        right = keeper.audits.list_right(ctx, subject)
        is_right = is_said_of(answer, session.entry.question_hash, session.entry.answer_hash)
        ctx.emit(events.entry_audited(session, "right" if is_right else "wrong"))
        pay_auditors(ctx, keeper, session, right, is_right)
        keeper.audits.close_audit(ctx, subject)
        if not is_right:
            keeper.settle_slashed(ctx, session, WRONG, right)
        elif session.is_drawn:
            keeper.settle_paid(ctx, session)
        else:
            go_on(ctx, keeper, session)


def pay_auditors(ctx: Ctx, keeper: Keeper, session: Session, accounts: list[bytes], is_right: bool) -> None:
    """Pay those who were right: a challenge that was wrong with its bond, any other audit out of the model's pool.

    So no challenge of a right answer takes anything out of the pool.
    """
    if not session.is_drawn and is_right:
        part_ugrad = keeper.share_bond(ctx, session, accounts)
    else:
        keeper.return_bond(ctx, session)
        work = compute_work(keeper.get_spec(ctx, session), session.question)
        price = keeper.models.params(ctx).audit_price_ugrad_per_gma
        amount_ugrad = compute_auditors_pay(work, price, len(accounts))
        paid_ugrad = keeper.rewards.pay_answer_auditors(ctx, session.model_id, amount_ugrad, accounts)
        part_ugrad = paid_ugrad // max(len(accounts), 1)
    keeper.audits.book_fee(ctx, keeper.subject_of(session), part_ugrad)


def end_due(ctx: Ctx, keeper: Keeper, session: Session) -> None:
    """End what a session has waited for until now, by its status."""
    if session.status == SESSION_STATUS_OPEN:
        keeper.begin_closing(ctx, session, "expiry")
    elif session.status == SESSION_STATUS_CLOSING:
        keeper.end_closing(ctx, session)
    elif session.status == SESSION_STATUS_SHOWING:
        keeper.settle_slashed(ctx, session, WITHHELD, [])
    elif session.status == SESSION_STATUS_SETTLED:
        keeper.drop_session(ctx, session)
    else:
        keeper.audits.close_audit(ctx, keeper.subject_of(session))
        leave_undecided(ctx, keeper, session)


def leave_undecided(ctx: Ctx, keeper: Keeper, session: Session) -> None:
    """Nobody could say who is right: what was drawn is paid, a challenger has its bond back.

    Emits sessions.entry_audited.
    """
    ctx.emit(events.entry_audited(session, "undecided"))
    if session.is_drawn:
        keeper.settle_paid(ctx, session)
    else:
        keeper.return_bond(ctx, session)
        go_on(ctx, keeper, session)


def go_on(ctx: Ctx, keeper: Keeper, session: Session) -> None:
    """After a challenge that has not shown the host wrong the session closes as if its user had closed it.

    Emits sessions.session_closing.
    """
    session.number, session.audit_seed = 0, b""
    session.ClearField("question")
    session.ClearField("entry")
    if session.host_closed:
        keeper.end_closing(ctx, session)
    else:
        keeper.begin_closing(ctx, session, "user")
