"""Events of the room. Attributes are decimal integers, bech32 and words, in the order written here."""

from abci_app.runtime.events import Event, new_event
from abci_app.wire.pb.gradus.sessions.v1.sessions_pb2 import Session


def session_opened(session: Session, burnt_ugrad: int) -> Event:
    """A user has made a deposit for a host's answers. burnt_ugrad: beside it."""
    return new_event("sessions.session_opened", **_parties(session), model_id=session.model_id, round=session.round,
                     price_ugrad_per_gma=session.price_ugrad_per_gma, deposit_ugrad=session.deposit_ugrad,
                     stake_ugrad=session.stake_ugrad, burnt_ugrad=burnt_ugrad, expiry_height=session.expiry_height)


def session_topped_up(session: Session, added_ugrad: int, burnt_ugrad: int) -> Event:
    """deposit_ugrad, stake_ugrad: what they are now. burnt_ugrad: beside what was added."""
    return new_event("sessions.session_topped_up", **_parties(session), added_ugrad=added_ugrad,
                     deposit_ugrad=session.deposit_ugrad, stake_ugrad=session.stake_ugrad, burnt_ugrad=burnt_ugrad)


def session_closing(session: Session, by: str) -> Event:
    """by: user, host or expiry. Until due_height the host may show a later receipt, the user may challenge."""
    return new_event("sessions.session_closing", **_parties(session), by=by, count=session.receipt.count,
                     total_ugrad=session.receipt.total_ugrad, due_height=session.due_height)


def entry_drawn(session: Session) -> Event:
    """The entry that this coin of the receipt's total is of has to be shown until due_height."""
    return new_event("sessions.entry_drawn", **_parties(session), drawn_ugrad=session.drawn_ugrad,
                     total_ugrad=session.receipt.total_ugrad, count=session.receipt.count,
                     due_height=session.due_height)


def entry_shown(session: Session, sender: str) -> Event:
    """The next block asks auditors about it."""
    return new_event("sessions.entry_shown", **_parties(session), number=session.number, sender=sender)


def answer_challenged(session: Session) -> Event:
    """The next block asks auditors about it."""
    return new_event("sessions.answer_challenged", **_parties(session), number=session.number,
                     bond_ugrad=session.challenge_bond_ugrad)


def entry_audited(session: Session, verdict: str) -> Event:
    """verdict: right, wrong or undecided."""
    return new_event("sessions.entry_audited", **_parties(session), number=session.number, verdict=verdict)


def session_settled(session: Session) -> Event:
    """outcome: paid, empty, wrong or withheld. paid_ugrad: of fees."""
    return new_event("sessions.session_settled", **_parties(session), outcome=session.outcome,
                     count=session.receipt.count, paid_ugrad=session.paid_ugrad, refund_ugrad=session.refund_ugrad,
                     slashed_ugrad=session.slashed_ugrad)


def _parties(session: Session) -> dict[str, str | int]:
    return {"session_id": session.id, "user": session.user, "host": session.host}
