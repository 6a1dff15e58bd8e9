"""MsgCommitAnswer and MsgRevealAnswer: a host is bound to an answer first, and shows it when the others are too."""

from abci_app.runtime.context import Ctx
from abci_app.runtime.question import compute_answer_bytes_max
from abci_app.wire.address import decode_address
from abci_app.wire.pb.gradus.inference.v1.inference_pb2 import (
    REQUEST_STATUS_COMMIT, REQUEST_STATUS_REVEAL, SEAT_STATUS_ASSIGNED, SEAT_STATUS_COMMITTED, SEAT_STATUS_REVEALED,
    Request, RequestStatus, Seat,
)
from abci_app.wire.pb.gradus.inference.v1.tx_pb2 import (
    MsgCommitAnswer, MsgCommitAnswerResponse, MsgRevealAnswer, MsgRevealAnswerResponse,
)
from abci_app.wire.question import ANSWER_INLINE_BYTES_MAX, answer_commitment, answer_hash
from abci_app.x.inference import events
from abci_app.x.inference.errors import (
    AnswerMismatch, AnswerMissing, CommitmentMismatch, PhaseNotCommit, PhaseNotReveal, SeatCommitted, SeatNotCommitted,
    SeatNotFound, SeatRevealed,
)
from abci_app.x.inference.keeper import Keeper
from abci_app.x.inference.types import is_answer_size


def commit_answer(ctx: Ctx, keeper: Keeper, msg: MsgCommitAnswer) -> MsgCommitAnswerResponse:
    """Bind a host to its answer before it can see anybody else's.

    Checks, in consensus order: request kept, in its commit phase, the sender has a seat, not committed yet.
    Raises: RequestNotFound (inference/23), PhaseNotCommit (inference/24), SeatNotFound (inference/26), SeatCommitted
    (inference/28).
    Emits: inference.answer_committed.    Gas: 1 write.
    """
    request = keeper.get_request(ctx, msg.request_id)
    if request.status != REQUEST_STATUS_COMMIT:
        raise PhaseNotCommit(_phase(request))
    seat = _find_seat(request, msg.host)
    if seat.status != SEAT_STATUS_ASSIGNED:
        raise SeatCommitted(f"request {request.id}")
    seat.status, seat.commitment = SEAT_STATUS_COMMITTED, msg.commitment
    _count_act(ctx, keeper, request)
    ctx.emit(events.answer_committed(request, seat))
    return MsgCommitAnswerResponse()


def reveal_answer(ctx: Ctx, keeper: Keeper, msg: MsgRevealAnswer) -> MsgRevealAnswerResponse:
    """Show what a commitment was made of, and the answer itself where it is short.

    Checks, in consensus order: request kept, in its reveal phase, the sender has a seat, not revealed yet, committed;
    the commitment matches; an answer that is shown has the hash, and a size that answers may have; none is missing.
    Raises: RequestNotFound (inference/23), PhaseNotReveal (inference/25), SeatNotFound (inference/26), SeatRevealed
    (inference/30), SeatNotCommitted (inference/29), CommitmentMismatch (inference/32), AnswerMismatch (inference/33),
    AnswerMissing (inference/34).
    Emits: inference.answer_revealed.    Gas: 1 write, 2 with an answer that nobody has shown yet.
    """
    request = keeper.get_request(ctx, msg.request_id)
    if request.status != REQUEST_STATUS_REVEAL:
        raise PhaseNotReveal(_phase(request))
    seat = _find_seat(request, msg.host)
    if seat.status == SEAT_STATUS_REVEALED:
        raise SeatRevealed(f"request {request.id}")
    if seat.status != SEAT_STATUS_COMMITTED:
        raise SeatNotCommitted(f"request {request.id}")
    commitment = answer_commitment(decode_address(msg.host), request.id, msg.answer_hash, msg.salt)
    if commitment != seat.commitment:
        raise CommitmentMismatch(f"request {request.id} was committed as {seat.commitment.hex()}")
    _take_answer(ctx, keeper, request, msg)
    seat.status, seat.answer_hash = SEAT_STATUS_REVEALED, msg.answer_hash
    _count_act(ctx, keeper, request)
    ctx.emit(events.answer_revealed(request, seat))
    return MsgRevealAnswerResponse()


def _take_answer(ctx: Ctx, keeper: Keeper, request: Request, msg: MsgRevealAnswer) -> None:
    """Keep a short answer until the request is settled, once for all who give it.

    Raises AnswerMismatch (inference/33), AnswerMissing (inference/34).
    """
    spec, question = keeper.spec_of(ctx, request), keeper.get_question(ctx, request)
    is_shown = keeper.find_answer(ctx, request.id, msg.answer_hash) is not None
    if msg.answer:
        size = len(msg.answer)
        if answer_hash(msg.answer) != msg.answer_hash or not is_answer_size(spec, question, size):
            raise AnswerMismatch(f"{size} bytes with the hash {answer_hash(msg.answer).hex()}")
        if not is_shown:
            keeper.put_answer(ctx, request.id, msg.answer_hash, msg.answer)
    elif not is_shown and compute_answer_bytes_max(spec, question) <= ANSWER_INLINE_BYTES_MAX:
        raise AnswerMissing(f"request {request.id}")


def _count_act(ctx: Ctx, keeper: Keeper, request: Request) -> None:
    """One seat less has to act in the phase; after the last one it ends with this block."""
    request.waiting_count -= 1
    if request.waiting_count == 0:
        keeper.end_phase_now(ctx, request)
    keeper.put_request(ctx, request)


def _find_seat(request: Request, host: str) -> Seat:
    for seat in request.seats:
        if seat.host == host:
            return seat
    raise SeatNotFound(f"request {request.id} is answered by {', '.join(seat.host for seat in request.seats)}")


def _phase(request: Request) -> str:
    name = RequestStatus.Name(request.status).removeprefix("REQUEST_STATUS_").lower()
    return f"request {request.id} is in status {name}"
