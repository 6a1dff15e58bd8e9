"""Sessions, their deposits and how they end: the only reader and writer of this room's state.

State: store `sessions` (see keys.py). Every record written or taken away costs WRITE_GAS; what blocks will write of a
session is paid for beforehand (WRITES_LATER).
Invariant: deposits of sessions that are not settled, and the bonds of challenges, add up to the balance of the module
account `sessions`.
Source: README.md beside this file.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from abci_app.runtime.context import Ctx
from abci_app.runtime.gas import WRITE_GAS
from abci_app.wire.address import decode_address
from abci_app.wire.audit import statement_subject
from abci_app.wire.coin import base_coin
from abci_app.wire.ints import U64_MAX, ppm_floor, u64_bytes
from abci_app.wire.pb.gradus.models.v1.models_pb2 import InferencePolicy, ModelSpec
from abci_app.wire.pb.gradus.sessions.v1.sessions_pb2 import (
    SESSION_STATUS_CLOSING, SESSION_STATUS_DRAW, SESSION_STATUS_SETTLED, Params, Session,
)
from abci_app.x.sessions import events, keys
from abci_app.x.sessions.errors import SessionNotFound
from abci_app.x.sessions.needs import Audits, Bank, Hosts, Models, Rewards
from abci_app.x.sessions.types import EMPTY, PAID, STORE, compute_burnt

MARK = b"\x01"


@dataclass(frozen=True, kw_only=True)
class Keeper:
    """Reads and writes this room's state, over what it needs of others."""

    bank: Bank
    models: Models
    rewards: Rewards
    audits: Audits
    hosts: Hosts

    def find_session(self, ctx: Ctx, session_id: int) -> Session | None:
        """The session, None when there is none or it is no longer kept."""
        raw = ctx.state.store(STORE).get(keys.session(session_id)) if 0 < session_id <= U64_MAX else None
        return None if raw is None else Session.FromString(raw)

    def get_session(self, ctx: Ctx, session_id: int) -> Session:
        """The session. Raises SessionNotFound (sessions/2)."""
        session = self.find_session(ctx, session_id)
        if session is None:
            raise SessionNotFound(f"session {session_id}")
        return session

    def iter_sessions(self, ctx: Ctx) -> Iterator[Session]:
        """All sessions that are kept, ids rising."""
        for _, raw in ctx.state.store(STORE).iter(keys.SESSIONS):
            yield Session.FromString(raw)

    def put_session(self, ctx: Ctx, session: Session) -> None:
        """Write the record, and keep its marks in step with it."""
        before = self.find_session(ctx, session.id)
        if before is None:
            for key in self.list_party_marks(session):
                self._put(ctx, key, MARK)
        if before is None or keys.mark(before) != keys.mark(session):
            if before is not None:
                self._drop(ctx, keys.mark(before))
            self._put(ctx, keys.mark(session), MARK)
        self._put(ctx, keys.session(session.id), session.SerializeToString(deterministic=True))

    def drop_session(self, ctx: Ctx, session: Session) -> None:
        """Forget a session that was settled long enough ago."""
        for key in (*self.list_party_marks(session), keys.mark(session), keys.session(session.id)):
            self._drop(ctx, key)

    def list_party_marks(self, session: Session) -> tuple[bytes, bytes]:
        """The keys by which a session's user and host find it."""
        return (keys.party(keys.sessions_of_user(decode_address(session.user)), session.id),
                keys.party(keys.sessions_of_host(decode_address(session.host)), session.id))

    def list_marked(self, ctx: Ctx, kind: bytes, count: int) -> list[Session]:
        """At most `count` sessions whose mark of a kind (keys.MARKS) is of this block or one before, the earliest
        first."""
        found = []
        for key, _ in ctx.state.store(STORE).iter(kind, limit=count):
            height, session_id = keys.read_mark(key)
            if height > ctx.height:
                break
            found.append(self.get_session(ctx, session_id))
        return found

    def next_id(self, ctx: Ctx) -> int:
        """The id that the next session gets; the first is 1."""
        return int.from_bytes(ctx.state.store(STORE).get(keys.NEXT_ID) or u64_bytes(1), "big")

    def put_next_id(self, ctx: Ctx, session_id: int) -> None:
        """Write the id that the next session gets."""
        self._put(ctx, keys.NEXT_ID, u64_bytes(session_id))

    def params(self, ctx: Ctx) -> Params:
        """How long what takes; genesis has written them."""
        return Params.FromString(ctx.state.store(STORE).get(keys.PARAMS) or b"")

    def put_params(self, ctx: Ctx, params: Params) -> None:
        """Write the parameters, none of which is 0."""
        self._put(ctx, keys.PARAMS, params.SerializeToString(deterministic=True))

    def get_spec(self, ctx: Ctx, session: Session) -> ModelSpec:
        """The contract's terms as they were when the session was opened."""
        return self.models.get_spec(ctx, session.model_id, session.spec_version)

    def subject_of(self, session: Session) -> bytes:
        """By what name auditors are asked about the session's entry."""
        return statement_subject(session.model_id, session.id, session.number)

    def take_deposit(self, ctx: Ctx, session: Session, policy: InferencePolicy, added_ugrad: int) -> int:
        """Add coins of the user's to a session's deposit, and burn beside them what judging may cost with them.

        The record is the caller's to write. Returns the ugrad burnt. Raises InsufficientFunds (sdk/5).
        """
        deposit_ugrad = session.deposit_ugrad + added_ugrad
        audit_price = self.models.params(ctx).audit_price_ugrad_per_gma
        burnt_ugrad = compute_burnt(policy, deposit_ugrad, session.price_ugrad_per_gma, audit_price) \
            - compute_burnt(policy, session.deposit_ugrad, session.price_ugrad_per_gma, audit_price)
        self.bank.send_to_module(ctx, decode_address(session.user), STORE, (base_coin(added_ugrad + burnt_ugrad),))
        if burnt_ugrad:
            self.bank.burn(ctx, STORE, (base_coin(burnt_ugrad),))
        session.deposit_ugrad = deposit_ugrad
        return burnt_ugrad

    def begin_closing(self, ctx: Ctx, session: Session, by: str) -> None:
        """Wait close_blocks for the other side. Emits sessions.session_closing."""
        session.status = SESSION_STATUS_CLOSING
        session.due_height = ctx.height + self.params(ctx).close_blocks
        self.put_session(ctx, session)
        ctx.emit(events.session_closing(session, by))

    def end_closing(self, ctx: Ctx, session: Session) -> None:
        """Nothing is left to wait for: the next block draws, or everything goes back where no receipt is known.

        Emits sessions.session_settled for the latter.
        """
        if session.receipt.count == 0:
            self.settle_empty(ctx, session)
            return
        session.status, session.due_height = SESSION_STATUS_DRAW, ctx.height + 1
        self.put_session(ctx, session)

    def settle_empty(self, ctx: Ctx, session: Session) -> None:
        """No answer is paid for: the user has the deposit back. Emits sessions.session_settled."""
        self.hosts.free_stake(ctx, session.model_id, decode_address(session.host), session.stake_ugrad, 0)
        self._settle(ctx, session, EMPTY)

    def settle_paid(self, ctx: Ctx, session: Session) -> None:
        """Every answer of the receipt is paid, the user has the rest of the deposit back.

        The fees are shared at once: of their total the host earns its part, rounded down, which is never less than
        its asks together, since each fee was rounded up. Emits sessions.session_settled.
        """
        policy, host = self.get_spec(ctx, session).inference, decode_address(session.host)
        session.paid_ugrad = session.receipt.total_ugrad
        ask_ugrad = ppm_floor(session.paid_ugrad, policy.hosts_ppm)
        self.rewards.share_fee(ctx, STORE, session.model_id, policy, host, session.paid_ugrad, ask_ugrad)
        self.hosts.free_stake(ctx, session.model_id, host, session.stake_ugrad, ask_ugrad)
        self._settle(ctx, session, PAID)

    def settle_slashed(self, ctx: Ctx, session: Session, outcome: str, accounts: list[bytes]) -> None:
        """The host was wrong, or has shown nothing: it is slashed, the user has the whole deposit back.

        outcome: wrong or withheld. accounts: of auditors who were right, who share in the slash.
        Emits sessions.session_settled.
        """
        session.slashed_ugrad = self.hosts.slash_stake(
            ctx, session.model_id, decode_address(session.host), session.stake_ugrad,
            self.get_spec(ctx, session).inference, accounts)
        self._settle(ctx, session, outcome)

    def return_bond(self, ctx: Ctx, session: Session) -> None:
        """The challenger has its bond back; the record is the caller's to write."""
        self._send(ctx, session.user, session.challenge_bond_ugrad)
        session.challenge_bond_ugrad = 0

    def share_bond(self, ctx: Ctx, session: Session, accounts: list[bytes]) -> int:
        """The bond of a challenge that was wrong goes to the auditors in equal parts, what is left over is burnt.

        The record is the caller's to write. Returns what each account got, ugrad.
        """
        part_ugrad = session.challenge_bond_ugrad // len(accounts) if accounts else 0
        for account in accounts if part_ugrad else ():
            self.bank.send_from_module(ctx, STORE, account, (base_coin(part_ugrad),))
        burnt_ugrad = session.challenge_bond_ugrad - part_ugrad * len(accounts)
        if burnt_ugrad:
            self.bank.burn(ctx, STORE, (base_coin(burnt_ugrad),))
        session.challenge_bond_ugrad = 0
        return part_ugrad

    def _settle(self, ctx: Ctx, session: Session, outcome: str) -> None:
        """Return what is left of the deposit, let go of the weights, and keep the record for a while."""
        session.refund_ugrad = session.deposit_ugrad - session.paid_ugrad
        self._send(ctx, session.user, session.refund_ugrad)
        self.models.release_weights(ctx, session.model_id, session.round)
        session.status, session.outcome, session.closed_height = SESSION_STATUS_SETTLED, outcome, ctx.height
        session.due_height = ctx.height + self.params(ctx).kept_blocks
        session.audit_seed = b""
        session.ClearField("question")
        self.put_session(ctx, session)
        ctx.emit(events.session_settled(session))

    def _send(self, ctx: Ctx, address: str, amount_ugrad: int) -> None:
        if amount_ugrad:
            self.bank.send_from_module(ctx, STORE, decode_address(address), (base_coin(amount_ugrad),))

    def _put(self, ctx: Ctx, key: bytes, value: bytes) -> None:
        ctx.gas.use(WRITE_GAS, "write of a record of sessions")
        ctx.state.store(STORE).set(key, value)

    def _drop(self, ctx: Ctx, key: bytes) -> None:
        ctx.gas.use(WRITE_GAS, "removal of a record of sessions")
        ctx.state.store(STORE).delete(key)
