"""The ends of a block: requests are dealt and audits drawn when it begins; verdicts, ends of phases and forgetting come
when it ends.

    PENDING ─► COMMIT ─► REVEAL ─► DRAW ─► (ASK ─► AUDIT) ─► ANSWERED or FAILED ─► archived

settling.py beside this file has who is paid, and who is slashed.

Everything here is total and bounded: what users wrote cannot make it raise, and what one block does not bear is done in
the next.
Source: README.md of the room.
"""

from abci_app.runtime.context import Ctx
from abci_app.wire.address import decode_address
from abci_app.wire.audit import ANSWER, decode_subject, request_subject
from abci_app.wire.ints import ppm_floor
from abci_app.wire.pb.gradus.inference.v1.inference_pb2 import (
    REQUEST_STATUS_ANSWERED, REQUEST_STATUS_ASK, REQUEST_STATUS_AUDIT, REQUEST_STATUS_COMMIT, REQUEST_STATUS_DRAW,
    REQUEST_STATUS_PENDING, REQUEST_STATUS_REVEAL, SEAT_STATUS_ASSIGNED, SEAT_STATUS_COMMITTED, SEAT_STATUS_MISSED,
    SEAT_STATUS_REVEALED, SEAT_STATUS_WITHHELD, Host, Request, Seat,
)
from abci_app.wire.question import draw_seed, request_seed
from abci_app.x.inference import events
from abci_app.x.inference.block.settling import fail_request, pay_auditors, settle_request
from abci_app.x.inference.keeper import Keeper
from abci_app.x.inference.types import (
    ASKED_PER_BLOCK, DRAWN_PER_BLOCK, ENDED_PER_BLOCK, LOOKED_PER_BLOCK, PRUNED_PER_BLOCK, REVEAL_BLOCKS,
    TRIED_PER_BLOCK, Offer, compute_last_dealing, compute_next_try, count_seats, find_majority, is_drawn,
    is_of_one_mind,
)


def begin_block(ctx: Ctx, keeper: Keeper) -> None:
    """Deal requests to hosts, and draw which answers are audited; both by hashes that this block cannot change."""
    _deal_requests(ctx, keeper)
    _draw_audits(ctx, keeper)
    _ask_auditors(ctx, keeper)


def end_block(ctx: Ctx, keeper: Keeper) -> None:
    """Apply the verdicts of this block, end the phases that are due, and forget what was kept long enough."""
    _take_verdicts(ctx, keeper)
    for request in keeper.list_due(ctx, REQUEST_STATUS_COMMIT, ENDED_PER_BLOCK):
        _end_commit(ctx, keeper, request)
    for request in keeper.list_due(ctx, REQUEST_STATUS_REVEAL, ENDED_PER_BLOCK):
        _end_reveal(ctx, keeper, request)
    for request in keeper.list_due(ctx, REQUEST_STATUS_AUDIT, ENDED_PER_BLOCK):
        keeper.audits.close_audit(ctx, request_subject(request.model_id, request.id))
        settle_request(ctx, keeper, request, find_majority(request))
    for request in keeper.list_due(ctx, REQUEST_STATUS_ANSWERED, PRUNED_PER_BLOCK):
        keeper.archive_request(ctx, request)


def _deal_requests(ctx: Ctx, keeper: Keeper) -> None:
    """Deal the requests that wait, those first that were to be tried first.

    A model's hosts are read once, those with room: a try that is in vain costs those behind it hardly anything.
    """
    looked, with_room = 0, dict[int, list[Host]]()
    for request in keeper.list_due(ctx, REQUEST_STATUS_PENDING, TRIED_PER_BLOCK):
        if looked >= LOOKED_PER_BLOCK:
            break
        if ctx.height > compute_last_dealing(request):
            fail_request(ctx, keeper, request, "no hosts")
            continue
        policy = keeper.spec_of(ctx, request).inference
        seed = request_seed(ctx.chain_id, request.id, ctx.last_app_hash, ctx.last_block_hash)
        if request.model_id not in with_room:
            hosts = list(keeper.iter_active(ctx, request.model_id))
            with_room[request.model_id] = [host for host in hosts if host.open_count < host.capacity]
            looked += len(hosts)
        offers, _ = keeper.list_offers(ctx, request.model_id, policy, request.work, request.user, request.replicas,
                                       request.opened_height, seed=seed, hosts=with_room[request.model_id])
        if len(offers) == request.replicas and sum(offer.fee_ugrad for offer in offers) <= request.escrow_ugrad:
            _deal_request(ctx, keeper, request, seed, offers)
        else:
            keeper.enter(ctx, request, REQUEST_STATUS_PENDING, compute_next_try(request, ctx.height))


def _deal_request(ctx: Ctx, keeper: Keeper, request: Request, seed: bytes, offers: list[Offer]) -> None:
    """Give the seats of a request to hosts. Emits inference.seat_dealt for each."""
    request.seed, request.waiting_count = seed, len(offers)
    for offer in offers:
        staked = keeper.open_stake(ctx, request.model_id, decode_address(offer.host.address), offer.stake_ugrad)
        offer.host.CopyFrom(staked)  # what later requests of the block look at
        keeper.mark_host(ctx, request, offer.host.address)
        request.seats.append(Seat(host=offer.host.address, status=SEAT_STATUS_ASSIGNED, ask_ugrad=offer.ask_ugrad,
                                  stake_ugrad=offer.stake_ugrad))
    keeper.enter(ctx, request, REQUEST_STATUS_COMMIT, request.deadline_height - REVEAL_BLOCKS)
    for seat in request.seats:
        ctx.emit(events.seat_dealt(request, seat))


def _draw_audits(ctx: Ctx, keeper: Keeper) -> None:
    """Settle those answers on which hosts agree and which the lot spares; the others wait for auditors."""
    for request in keeper.list_due(ctx, REQUEST_STATUS_DRAW, DRAWN_PER_BLOCK):
        seed = draw_seed(request.seed, ctx.last_app_hash, ctx.last_block_hash)
        if is_of_one_mind(request) and not is_drawn(seed, keeper.spec_of(ctx, request).inference.audit_ppm):
            settle_request(ctx, keeper, request, find_majority(request))
        else:
            keeper.enter(ctx, request, REQUEST_STATUS_ASK, ctx.height)


def _ask_auditors(ctx: Ctx, keeper: Keeper) -> None:
    """Ask everybody about answers that were drawn, the earliest first, while auditors have time for more."""
    for request in keeper.list_due(ctx, REQUEST_STATUS_ASK, ASKED_PER_BLOCK):
        if not keeper.audits.has_room(ctx, ANSWER):
            return
        seed = draw_seed(request.seed, ctx.last_app_hash, ctx.last_block_hash)
        busy_height = keeper.audits.ask_of_answer(
            ctx, (request_subject(request.model_id, request.id), _find_claimant(request), seed), request.work)
        if busy_height == 0:
            settle_request(ctx, keeper, request, find_majority(request))
            continue
        blocks = keeper.spec_of(ctx, request).inference.audit_blocks
        keeper.enter(ctx, request, REQUEST_STATUS_AUDIT, busy_height + blocks)
        ctx.emit(events.phase_entered(request))


def _find_claimant(request: Request) -> bytes:
    """Whose validator does not judge: that of the first seat which was revealed."""
    return decode_address(next(seat.host for seat in request.seats if seat.status == SEAT_STATUS_REVEALED))


def _take_verdicts(ctx: Ctx, keeper: Keeper) -> None:
    """Settle what auditors have decided: at most what a block may decide. Its first 32 bytes are the right answer's."""
    for subject, answer in keeper.audits.list_decided(ctx, ANSWER):
        request = keeper.get_request(ctx, decode_subject(subject).number)
        keeper.audits.take(ctx, subject)
        accounts = pay_auditors(ctx, keeper, request, subject)
        keeper.audits.close_audit(ctx, subject)
        request.audited = True
        settle_request(ctx, keeper, request, answer[:32], accounts)


def _end_commit(ctx: Ctx, keeper: Keeper, request: Request) -> None:
    """Who has not committed has missed the request; the others reveal."""
    for seat in request.seats:
        if seat.status == SEAT_STATUS_ASSIGNED:
            _miss_seat(ctx, keeper, request, seat)
    request.waiting_count = count_seats(request, SEAT_STATUS_COMMITTED)
    if not request.waiting_count:
        fail_request(ctx, keeper, request, "missed")
        return
    keeper.enter(ctx, request, REQUEST_STATUS_REVEAL, max(request.deadline_height, ctx.height + REVEAL_BLOCKS))
    ctx.emit(events.phase_entered(request))


def _miss_seat(ctx: Ctx, keeper: Keeper, request: Request, seat: Seat) -> None:
    """A missed answer costs what it would have earned; too many in a row stand the host down.

    After each of them the host may not leave, nor come back, for a while: what it missed would be forgotten.
    """
    address = decode_address(seat.host)
    seat.status = SEAT_STATUS_MISSED
    keeper.unmark_host(ctx, request, seat.host)
    keeper.free_stake(ctx, request.model_id, address, seat.stake_ugrad, 0)
    host = keeper.get_host(ctx, request.model_id, address)
    host.missed_in_a_row += 1
    params = keeper.params(ctx)
    host.return_height = max(host.return_height, ctx.height + params.return_blocks)
    if host.missed_in_a_row >= params.missed_max:
        keeper.stand_down(ctx, host, "missed")
    else:
        keeper.put_host(ctx, host)
    ctx.emit(events.seat_settled(request, seat))


def _end_reveal(ctx: Ctx, keeper: Keeper, request: Request) -> None:
    """Who has committed and not revealed has withheld; whether the others are audited is drawn in the next block."""
    for seat in request.seats:
        if seat.status == SEAT_STATUS_COMMITTED:
            _withhold_seat(ctx, keeper, request, seat)
    request.waiting_count = 0
    if not count_seats(request, SEAT_STATUS_REVEALED):
        fail_request(ctx, keeper, request, "withheld")
        return
    keeper.enter(ctx, request, REQUEST_STATUS_DRAW, ctx.height + 1)
    ctx.emit(events.phase_entered(request))


def _withhold_seat(ctx: Ctx, keeper: Keeper, request: Request, seat: Seat) -> None:
    """A withheld answer costs a part of what a wrong one would, all of it burnt, and stands the host down."""
    address, policy = decode_address(seat.host), keeper.spec_of(ctx, request).inference
    seat.status, seat.slashed_ugrad = SEAT_STATUS_WITHHELD, ppm_floor(seat.stake_ugrad, policy.withhold_slash_ppm)
    keeper.unmark_host(ctx, request, seat.host)
    keeper.free_stake(ctx, request.model_id, address, seat.stake_ugrad, 0)
    host = keeper.get_host(ctx, request.model_id, address)
    host.withheld += 1
    keeper.take_bond(ctx, host, "withheld", seat.slashed_ugrad)
    keeper.stand_down(ctx, host, "withheld", ctx.height + keeper.params(ctx).return_blocks)
    ctx.emit(events.seat_settled(request, seat))
