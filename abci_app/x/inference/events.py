"""Events of the room. Attributes are decimal integers, bech32, lower-case hex and words, in the order written here."""

from abci_app.runtime.events import Event, new_event
from abci_app.wire.pb.gradus.inference.v1.inference_pb2 import (
    Host, Request, RequestStatus, Seat, SeatStatus,
)


def host_registered(host: Host) -> Event:
    """A host is active."""
    return new_event("inference.host_registered", **_terms(host))


def host_updated(host: Host) -> Event:
    """A host is active with other terms, or again."""
    return new_event("inference.host_updated", **_terms(host))


def host_drained(host: Host) -> Event:
    """A host takes nothing new."""
    return new_event("inference.host_drained", **_host(host), open_count=host.open_count)


def host_left(host: Host) -> Event:
    """A host took its bond and left."""
    return new_event("inference.host_left", **_host(host), returned_ugrad=host.bond_ugrad)


def host_stood_down(host: Host, reason: str) -> Event:
    """A host takes nothing new until it updates its terms. reason: missed, withheld, outbid."""
    return new_event("inference.host_stood_down", **_host(host), reason=reason)


def host_slashed(host: Host, reason: str, amount_ugrad: int, burnt_ugrad: int) -> Event:
    """Part of a bond was taken: burnt_ugrad is burnt, the rest went to auditors. reason: wrong, withheld."""
    return new_event("inference.host_slashed", **_host(host), reason=reason, amount_ugrad=amount_ugrad,
                     burnt_ugrad=burnt_ugrad)


def request_opened(request: Request) -> Event:
    """A question was asked and its fee put into escrow."""
    return new_event("inference.request_opened", request_id=request.id, model_id=request.model_id, user=request.user,
                     round=request.round, work=request.work, replicas=request.replicas,
                     escrow_ugrad=request.escrow_ugrad, deadline_height=request.deadline_height)


def seat_dealt(request: Request, seat: Seat) -> Event:
    """A host has to answer a request; commitments are taken up to due_height."""
    return new_event("inference.seat_dealt", **_seat(request, seat), model_id=request.model_id,
                     ask_ugrad=seat.ask_ugrad, stake_ugrad=seat.stake_ugrad, due_height=request.due_height)


def answer_committed(request: Request, seat: Seat) -> Event:
    """A commitment was taken."""
    return new_event("inference.answer_committed", **_seat(request, seat), commitment=seat.commitment.hex())


def answer_revealed(request: Request, seat: Seat) -> Event:
    """An answer's hash was revealed, and the answer shown where it is short."""
    return new_event("inference.answer_revealed", **_seat(request, seat), answer_hash=seat.answer_hash.hex())


def phase_entered(request: Request) -> Event:
    """A request is in its next phase (reveal, draw, audit), which ends with the block of due_height at the latest."""
    phase = RequestStatus.Name(request.status).removeprefix("REQUEST_STATUS_").lower()
    return new_event("inference.phase_entered", request_id=request.id, phase=phase, due_height=request.due_height)


def seat_settled(request: Request, seat: Seat) -> Event:
    """What came of a seat: paid, wrong, withheld, missed, unpaid."""
    status = SeatStatus.Name(seat.status).removeprefix("SEAT_STATUS_").lower()
    return new_event("inference.seat_settled", **_seat(request, seat), status=status, ask_ugrad=seat.ask_ugrad,
                     slashed_ugrad=seat.slashed_ugrad)


def request_answered(request: Request) -> Event:
    """A request has its answer; the user has paid fee_ugrad and has the rest of the escrow back."""
    return new_event("inference.request_answered", request_id=request.id, model_id=request.model_id,
                     user=request.user, answer_hash=request.answer_hash.hex(), fee_ugrad=request.fee_ugrad,
                     refund_ugrad=request.refund_ugrad, audited=str(request.audited).lower())


def request_failed(request: Request) -> Event:
    """A request has no answer; the user has the escrow back."""
    return new_event("inference.request_failed", request_id=request.id, model_id=request.model_id, user=request.user,
                     reason=request.reason, refund_ugrad=request.refund_ugrad)


def request_archived(request: Request, leaf: int, request_hash: bytes) -> Event:
    """A request is kept no longer; its hash is leaf number `leaf` (from 0) of the archive."""
    return new_event("inference.request_archived", request_id=request.id, leaf=leaf, request_hash=request_hash.hex())


def _host(host: Host) -> dict[str, str | int]:
    return {"model_id": host.model_id, "host": host.address}


def _terms(host: Host) -> dict[str, str | int]:
    return {**_host(host), "price_ugrad_per_gma": host.price_ugrad_per_gma, "capacity": host.capacity,
            "bond_ugrad": host.bond_ugrad, "endpoint": host.endpoint}


def _seat(request: Request, seat: Seat) -> dict[str, str | int]:
    return {"request_id": request.id, "host": seat.host}
