"""What always holds of sessions. This room is behind all that hold weights or stakes, and says what these add up to."""

from abci_app.runtime.context import Ctx
from abci_app.wire.address import module_address
from abci_app.wire.audit import STATEMENT, decode_subject
from abci_app.wire.pb.gradus.inference.v1.inference_pb2 import (
    REQUEST_STATUS_ANSWERED, REQUEST_STATUS_FAILED, SEAT_STATUS_ASSIGNED, SEAT_STATUS_COMMITTED, SEAT_STATUS_REVEALED,
)
from abci_app.wire.pb.gradus.sessions.v1.sessions_pb2 import SESSION_STATUS_AUDIT, SESSION_STATUS_SETTLED
from abci_app.x.sessions import keys
from abci_app.x.sessions.keeper import Keeper
from abci_app.x.sessions.types import STORE, find_contradiction

ENDED = (REQUEST_STATUS_ANSWERED, REQUEST_STATUS_FAILED)
OPEN_SEATS = (SEAT_STATUS_ASSIGNED, SEAT_STATUS_COMMITTED, SEAT_STATUS_REVEALED)


def check_coins(ctx: Ctx, keeper: Keeper) -> str | None:
    """Deposits of sessions that are not settled and the bonds of challenges are the module account's balance."""
    total = 0
    for session in keeper.iter_sessions(ctx):
        total += session.challenge_bond_ugrad
        total += session.deposit_ugrad if session.status != SESSION_STATUS_SETTLED else 0
    held = keeper.bank.balance(ctx, module_address(STORE))
    return None if total == held else f"deposits of {total} ugrad stand against {held} in the module account"


def check_index(ctx: Ctx, keeper: Keeper) -> str | None:
    """Every session has one mark of what it waits for and one for each party, and an id below the next."""
    marks, users, hosts = [], [], []
    for session in keeper.iter_sessions(ctx):
        marks.append(keys.mark(session))
        user, host = keeper.list_party_marks(session)
        users.append(user)
        hosts.append(host)
        if session.id >= keeper.next_id(ctx):
            return f"session {session.id} is there, the next is {keeper.next_id(ctx)}"
    store = ctx.state.store(STORE)
    if [key for kind in keys.MARKS for key, _ in store.iter(kind)] != sorted(marks):
        return f"{len(marks)} sessions are kept, the marks of what they wait for differ"
    for prefix, expected in ((keys.USERS, users), (keys.HOSTS, hosts)):
        if [key for key, _ in store.iter(prefix)] != sorted(expected):
            return f"{len(expected)} sessions are kept, the marks of their parties differ"
    return None


def check_records(ctx: Ctx, keeper: Keeper) -> str | None:
    """Every record is one that can be in its status."""
    for session in keeper.iter_sessions(ctx):
        problem = find_contradiction(session, keeper.get_spec(ctx, session).inference)
        if problem is not None:
            return f"session {session.id}: {problem}"
    return None


def check_stakes(ctx: Ctx, keeper: Keeper) -> str | None:
    """What hosts have staked and open is that of their sessions and of their seats in requests."""
    found = dict[tuple[int, str], tuple[int, int]]()
    for session in keeper.iter_sessions(ctx):
        if session.status != SESSION_STATUS_SETTLED:
            _count(found, (session.model_id, session.host), session.stake_ugrad)
    for request in keeper.hosts.iter_requests(ctx):
        for seat in request.seats:
            if request.status not in ENDED and seat.status in OPEN_SEATS:
                _count(found, (request.model_id, seat.host), seat.stake_ugrad)
    for host in keeper.hosts.iter_hosts(ctx):
        count, staked_ugrad = found.pop((host.model_id, host.address), (0, 0))
        if (host.open_count, host.staked_ugrad) != (count, staked_ugrad):
            return (f"{host.address} has {count} requests and sessions open with {staked_ugrad} ugrad, its record says "
                    f"{host.open_count} with {host.staked_ugrad}")
    return f"{len(found)} accounts that are no hosts have sessions open" if found else None


def check_weights(ctx: Ctx, keeper: Keeper) -> str | None:
    """Weights are held once for each session that is not settled and each request that is open."""
    needed = dict[tuple[int, int], int]()
    for session in keeper.iter_sessions(ctx):
        if session.status != SESSION_STATUS_SETTLED:
            needed[session.model_id, session.round] = needed.get((session.model_id, session.round), 0) + 1
    for request in keeper.hosts.iter_requests(ctx):
        if request.status not in ENDED:
            needed[request.model_id, request.round] = needed.get((request.model_id, request.round), 0) + 1
    held = {(hold.model_id, hold.round): hold.count for hold in keeper.models.iter_holds(ctx)}
    return None if held == needed else f"the weights of {len(needed)} rounds are needed, {len(held)} are held"


def check_audits(ctx: Ctx, keeper: Keeper) -> str | None:
    """An entry is audited exactly while its session waits for that."""
    expected = [keeper.subject_of(session) for session in keeper.iter_sessions(ctx)
                if session.status == SESSION_STATUS_AUDIT and session.audit_seed]
    found = [audit.subject for audit in keeper.audits.iter_audits(ctx)
             if decode_subject(audit.subject).kind == STATEMENT]
    return None if found == sorted(expected) else f"{len(expected)} entries are audited, {len(found)} audits are open"


def _count(found: dict[tuple[int, str], tuple[int, int]], place: tuple[int, str], stake_ugrad: int) -> None:
    count, staked_ugrad = found.get(place, (0, 0))
    found[place] = count + 1, staked_ugrad + stake_ugrad
