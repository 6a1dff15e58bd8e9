"""Who is paid for a request, who is slashed, what the user has back.

Source: README.md of the room, section "Settlement".
"""

from abci_app.runtime.context import Ctx
from abci_app.runtime.fee import compute_auditors_pay, compute_fee
from abci_app.wire.address import decode_address
from abci_app.wire.coin import base_coin
from abci_app.wire.pb.gradus.inference.v1.inference_pb2 import (
    REQUEST_STATUS_ANSWERED, REQUEST_STATUS_FAILED, SEAT_STATUS_PAID, SEAT_STATUS_REVEALED, SEAT_STATUS_UNPAID,
    SEAT_STATUS_WRONG, Request, RequestStatus, Seat,
)
from abci_app.wire.pb.gradus.models.v1.models_pb2 import InferencePolicy
from abci_app.x.inference import events
from abci_app.x.inference.keeper import Keeper
from abci_app.x.inference.types import STORE


def settle_request(ctx: Ctx, keeper: Keeper, request: Request, right_hash: bytes,
                   accounts: list[bytes] | None = None) -> None:
    """Pay the revealed seats that have the right answer, and give the user the rest of the escrow.

    right_hash: of the answer, b"" where nobody can say. accounts: of the auditors who were right; None where there are
    none, and then nobody is slashed. Emits inference.seat_settled for each seat, inference.request_answered or
    inference.request_failed.
    """
    policy = keeper.spec_of(ctx, request).inference
    for seat in request.seats:
        if seat.status == SEAT_STATUS_REVEALED:
            _settle_seat(ctx, keeper, request, seat, policy, right_hash, accounts)
    if not any(seat.status == SEAT_STATUS_PAID for seat in request.seats):
        fail_request(ctx, keeper, request, "undecided" if accounts is None else "wrong")
        return
    request.answer_hash = right_hash
    request.answer = keeper.find_answer(ctx, request.id, right_hash) or b""
    _end_request(ctx, keeper, request, REQUEST_STATUS_ANSWERED)
    ctx.emit(events.request_answered(request))


def fail_request(ctx: Ctx, keeper: Keeper, request: Request, reason: str) -> None:
    """Give the user the whole escrow of a request in which no seat is open. Emits inference.request_failed.

    reason: no hosts, missed, withheld, undecided, wrong.
    """
    request.reason = reason
    _end_request(ctx, keeper, request, REQUEST_STATUS_FAILED)
    ctx.emit(events.request_failed(request))


def pay_auditors(ctx: Ctx, keeper: Keeper, request: Request, subject: bytes) -> list[bytes]:
    """Pay those who were right about an answer what its work is worth to each, at most what the model's pool holds.

    Returns their accounts, one for each right digest.
    """
    accounts = keeper.audits.list_right(ctx, subject)
    amount_ugrad = compute_auditors_pay(request.work, keeper.audit_price(ctx), len(accounts))
    paid_ugrad = keeper.rewards.pay_answer_auditors(ctx, request.model_id, amount_ugrad, accounts)
    keeper.audits.book_fee(ctx, subject, paid_ugrad // max(len(accounts), 1))  # equal parts: nothing is left
    return accounts


def _settle_seat(ctx: Ctx, keeper: Keeper, request: Request, seat: Seat, policy: InferencePolicy, right_hash: bytes,
                 accounts: list[bytes] | None) -> None:
    """Pay a revealed seat, slash it, or do neither. Emits inference.seat_settled."""
    address = decode_address(seat.host)
    keeper.unmark_host(ctx, request, seat.host)
    if seat.answer_hash == right_hash:
        seat.status = SEAT_STATUS_PAID
        fee_ugrad = compute_fee(policy, seat.ask_ugrad)
        request.fee_ugrad += fee_ugrad
        keeper.free_stake(ctx, request.model_id, address, seat.stake_ugrad, seat.ask_ugrad)
        keeper.rewards.share_fee(ctx, STORE, request.model_id, policy, address, fee_ugrad, seat.ask_ugrad)
    elif accounts is None:
        seat.status = SEAT_STATUS_UNPAID
        keeper.free_stake(ctx, request.model_id, address, seat.stake_ugrad, 0)
    else:
        seat.status = SEAT_STATUS_WRONG
        seat.slashed_ugrad = keeper.slash_stake(ctx, request.model_id, address, seat.stake_ugrad, policy, accounts)
    ctx.emit(events.seat_settled(request, seat))


def _end_request(ctx: Ctx, keeper: Keeper, request: Request, status: RequestStatus) -> None:
    """Give back what is left of the escrow, and keep the request for a while."""
    request.refund_ugrad = request.escrow_ugrad - request.fee_ugrad
    if request.refund_ugrad:
        keeper.bank.send_from_module(ctx, STORE, decode_address(request.user), (base_coin(request.refund_ugrad),))
    keeper.drop_answers(ctx, request.id)
    keeper.models.release_weights(ctx, request.model_id, request.round)
    request.waiting_count, request.closed_height = 0, ctx.height
    keeper.enter(ctx, request, status, ctx.height + keeper.params(ctx).kept_blocks)
