"""What always holds of hosts, requests and their coins."""

from abci_app.runtime.context import Ctx
from abci_app.wire.address import decode_address, module_address
from abci_app.wire.audit import ANSWER, decode_subject, request_subject
from abci_app.wire.merkle import HASH_BYTES
from abci_app.wire.pb.gradus.inference.v1.inference_pb2 import (
    HOST_STATUS_ACTIVE, REQUEST_STATUS_AUDIT, REQUEST_STATUS_COMMIT, REQUEST_STATUS_PENDING, REQUEST_STATUS_REVEAL,
    SEAT_STATUS_ASSIGNED, SEAT_STATUS_COMMITTED, Request,
)
from abci_app.wire.question import question_hash
from abci_app.x.inference import keys
from abci_app.x.inference.keeper import Keeper
from abci_app.x.inference.types import HOSTS_MAX, OPEN_STATUSES, STORE, count_seats, is_open


def check_coins(ctx: Ctx, keeper: Keeper) -> str | None:
    """Bonds and the escrows of open requests are the module account's balance; a closed one's escrow is paid out."""
    total = sum(host.bond_ugrad for host in keeper.iter_hosts(ctx))
    for request in keeper.iter_requests(ctx):
        if request.status in OPEN_STATUSES:
            total += request.escrow_ugrad
        elif request.fee_ugrad + request.refund_ugrad != request.escrow_ugrad:
            return f"request {request.id} paid {request.fee_ugrad} and gave {request.refund_ugrad} back of an escrow " \
                   f"of {request.escrow_ugrad} ugrad"
    held = keeper.bank.balance(ctx, module_address(STORE))
    return None if total == held else f"bonds and escrows of {total} ugrad stand against {held} in the module account"


def check_stakes(ctx: Ctx, keeper: Keeper) -> str | None:
    """What a host has open and staked covers its open seats, and its bond what it has staked.

    Its sessions, which another room keeps, are the rest.
    """
    seats = dict[tuple[int, str], tuple[int, int]]()
    for request in keeper.iter_requests(ctx):
        for seat in request.seats if request.status in OPEN_STATUSES else ():
            if is_open(seat):
                count, staked_ugrad = seats.get((request.model_id, seat.host), (0, 0))
                seats[request.model_id, seat.host] = count + 1, staked_ugrad + seat.stake_ugrad
    for host in keeper.iter_hosts(ctx):
        count, staked_ugrad = seats.pop((host.model_id, host.address), (0, 0))
        if host.open_count < count or not staked_ugrad <= host.staked_ugrad <= host.bond_ugrad:
            return (f"{host.address} has {count} open seats of model {host.model_id} with {staked_ugrad} ugrad, its "
                    f"record says {host.open_count} with {host.staked_ugrad} of {host.bond_ugrad}")
        if not host.open_count and host.staked_ugrad:
            return f"{host.address} has nothing of model {host.model_id} open and {host.staked_ugrad} ugrad staked"
    return f"{sorted(seats)} have open seats and are no hosts" if seats else None


def check_active(ctx: Ctx, keeper: Keeper) -> str | None:
    """The index and counts of active hosts are those of the records, at most HOSTS_MAX for a model."""
    expected, counts = [], dict[int, int]()
    for host in keeper.iter_hosts(ctx):
        if host.status == HOST_STATUS_ACTIVE:
            expected.append(keys.active(host.model_id, host.price_ugrad_per_gma, decode_address(host.address)))
            counts[host.model_id] = counts.get(host.model_id, 0) + 1
    store = ctx.state.store(STORE)
    if [key for key, _ in store.iter(keys.ACTIVE)] != sorted(expected):
        return f"{len(expected)} hosts are active, the marks differ"
    kept = {int.from_bytes(key[1:], "big"): int.from_bytes(raw, "big") for key, raw in store.iter(keys.ACTIVE_COUNTS)}
    if {model_id: kept[model_id] for model_id in sorted(kept) if kept[model_id]} != counts:
        return f"{len(expected)} hosts are active, their counts differ"
    full = [model_id for model_id in sorted(counts) if counts[model_id] > HOSTS_MAX]
    return f"model {full[0]} has {counts[full[0]]} active hosts" if full else None


def check_requests(ctx: Ctx, keeper: Keeper) -> str | None:
    """Every request has its question and stands as one in its status can; ids are below the next one."""
    next_id, count = keeper.next_id(ctx), 0
    for request in keeper.iter_requests(ctx):
        count += 1
        if request.HasField("question") or not keeper.has_question(ctx, request.id):
            return f"request {request.id} is kept without its question, or with two"
        if question_hash(keeper.get_question(ctx, request)) != request.question_hash:
            return f"request {request.id} is kept with another question"
        problem = _find_problem(request) if request.id < next_id else f"its id is not below {next_id}"
        if problem is not None:
            return f"request {request.id}: {problem}"
    store = ctx.state.store(STORE)
    if sum(1 for _ in store.iter(keys.QUESTIONS)) != count:
        return f"{count} requests are kept, and other questions"
    shown = [int.from_bytes(key[1:9], "big") for key, _ in store.iter(keys.ANSWERS)]
    for one in shown:
        found = keeper.find_request(ctx, one)
        if found is None or found.status not in OPEN_STATUSES:
            return f"answers of request {one} are kept, which is not open"
    return None


def _find_problem(request: Request) -> str | None:
    """What of a request's record does not fit its status."""
    is_dealt = request.status != REQUEST_STATUS_PENDING
    waiting = {REQUEST_STATUS_COMMIT: SEAT_STATUS_ASSIGNED, REQUEST_STATUS_REVEAL: SEAT_STATUS_COMMITTED}
    expected = count_seats(request, waiting[request.status]) if request.status in waiting else 0
    open_count = sum(1 for seat in request.seats if is_open(seat))
    if request.waiting_count != expected:
        return f"waits for {request.waiting_count} seats, {expected} have to act"
    if request.status in OPEN_STATUSES and bool(open_count) != is_dealt:
        return f"{open_count} seats are open"
    if request.status not in OPEN_STATUSES and (open_count or not request.closed_height):
        return "ended with open seats, or at no height"
    return None


def check_marks(ctx: Ctx, keeper: Keeper) -> str | None:
    """When requests are due, whose they are and whose seats are open is what the records say."""
    due, users, hosts = [], [], []
    for request in keeper.iter_requests(ctx):
        due.append(keys.due(request.status, request.due_height, request.id))
        users.append(keys.user_mark(decode_address(request.user), request.id))
        hosts += [keys.host_mark(decode_address(seat.host), request.id) for seat in request.seats
                  if request.status in OPEN_STATUSES and is_open(seat)]
    store = ctx.state.store(STORE)
    for name, prefix, expected in (("due", keys.DUE, due), ("users", keys.BY_USER, users),
                                   ("hosts", keys.BY_HOST, hosts)):
        if [key for key, _ in store.iter(prefix)] != sorted(expected):
            return f"the marks of {name} are not those of {len(expected)} records"
    return None


def check_holds(ctx: Ctx, keeper: Keeper) -> str | None:
    """Every open request holds the weights that answer it."""
    needed = dict[tuple[int, int], int]()
    for request in keeper.iter_requests(ctx):
        if request.status in OPEN_STATUSES:
            place = request.model_id, request.round
            needed[place] = needed.get(place, 0) + 1
    for hold in keeper.models.iter_holds(ctx):
        needed[hold.model_id, hold.round] = needed.get((hold.model_id, hold.round), 0) - hold.count
    short = [place for place in sorted(needed) if needed[place] > 0]
    return f"weights of (model, round) {short[0]} are held less often than asked" if short else None


def check_audits(ctx: Ctx, keeper: Keeper) -> str | None:
    """An answer is audited exactly while its request is in AUDIT."""
    expected = [request_subject(request.model_id, request.id) for request in keeper.iter_requests(ctx)
                if request.status == REQUEST_STATUS_AUDIT]
    found = [audit.subject for audit in keeper.audits.iter_audits(ctx) if decode_subject(audit.subject).kind == ANSWER]
    return None if sorted(found) == sorted(expected) else f"{len(expected)} answers are judged, {len(found)} audits are"


def check_archive(ctx: Ctx, keeper: Keeper) -> str | None:
    """The archive has a peak for each bit of its count, and with what is kept every request that was ever made."""
    archive = keeper.archive(ctx)
    if archive.count.bit_count() != len(archive.peaks) or any(len(peak) != HASH_BYTES for peak in archive.peaks):
        return f"{len(archive.peaks)} peaks stand over {archive.count} requests"
    made, kept = keeper.next_id(ctx) - 1, sum(1 for _ in keeper.iter_requests(ctx))
    return None if archive.count + kept == made else f"{made} requests were made, {kept} kept, {archive.count} archived"
