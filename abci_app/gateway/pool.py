"""Open sessions, by model: each is one question at a time, so that there are as many as questions at once.

A session is opened when all others are busy, and closed when its deposit or its time runs out, or when nobody has used
it for a while: it binds a part of its host's bond. Where no more can be opened, questions wait for those that are open.
Where the next host asks no more than twice as much as the cheapest, sessions go to different hosts, so that one that
vanishes takes few with it. A host that has failed is left alone for a while.
"""

import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field

from abci_app.client.errors import ClientError, TxRefused
from abci_app.gateway.errors import new_busy, new_over_limit
from abci_app.gateway.ledger import Ledger
from abci_app.runtime.fee import compute_fee
from abci_app.runtime.question import compute_ask, compute_work
from abci_app.sdk.client import Client
from abci_app.sdk.errors import HostsMissing
from abci_app.sdk.home import chain_folder
from abci_app.sdk.journal import list_receipt_keys
from abci_app.sdk.paid import PaidSession, choose_host, open_paid, resume_paid
from abci_app.wire.pb.gradus.inference.v1.inference_pb2 import Host, Question
from abci_app.wire.pb.gradus.models.v1.models_pb2 import ModelSpec
from abci_app.wire.pb.gradus.sessions.v1.sessions_pb2 import SESSION_STATUS_OPEN

BLOCKS = 10_000
EXPIRY_BLOCKS = 20  # before its end a session is asked no more
SHUN_S = 60.0
WAIT_S = 30.0
HEIGHT_S = 2.0
IDLE_S = 300.0
FULL_S = 5.0  # after the chain or the hosts have refused a session, so long none is asked for while others are open
GRACE_S = 30.0  # for answers that are being written when the gateway ends
SPREAD = 2
USED_PART = 4  # with less than this part of its deposit left a session is used up
DEPOSIT_PARTS = (1, 2, 4, 8)  # of the usual deposit, where hosts have too little bond for all of it
_log = logging.getLogger("gradus.gateway")


@dataclass(frozen=True, slots=True)
class Terms:
    """deposit_ugrad: of a session. sessions_max: of a model at once. price_max_ugrad_per_gma: 0 takes any price.
    wait_s: for a session to become free. answer_s: for one answer of a host. idle_s: unused so long, a session is
    closed, but one of each model."""

    deposit_ugrad: int
    sessions_max: int = 8
    price_max_ugrad_per_gma: int = 0
    wait_s: float = WAIT_S
    answer_s: float = 60.0
    idle_s: float = IDLE_S


@dataclass
class _Served:
    idle: list[PaidSession] = field(default_factory=list)
    busy: list[PaidSession] = field(default_factory=list)
    opening: int = 0
    full_s: float = float("-inf")  # until then no session is asked for while others are open
    chosen: list[str] = field(default_factory=list)  # hosts of those that are about to be open

    @property
    def count(self) -> int:
        """Sessions that are open or about to be."""
        return len(self.idle) + len(self.busy) + self.opening

    def count_of(self, address: str) -> int:
        """Sessions with a host."""
        return sum(session.host == address for session in (*self.idle, *self.busy)) + self.chosen.count(address)


class Pool:
    """The sessions of one key. Calls come from the threads that wait for answers."""

    def __init__(self, client: Client, ledger: Ledger, terms: Terms,
                 clock: Callable[[], float] = time.monotonic) -> None:
        self.client, self.ledger, self.terms, self.clock = client, ledger, terms, clock
        self._models: dict[int, _Served] = {}
        self._shunned: dict[str, float] = {}
        self._freed_s: dict[int, float] = {}
        self._is_closed = False
        self._changed = threading.Condition()
        self._choosing = threading.Lock()
        self._closing = ThreadPoolExecutor(1, "closing")
        self._height = (0, float("-inf"))

    def resume(self) -> int:
        """Go on with the sessions that an earlier gateway has left open; those that cannot be gone on with are ended.

        The number of those that go on.
        """
        known = set(list_receipt_keys(chain_folder(self.client.sessions, self.client.chain.chain_id())))
        resumed = 0
        for record in list(self.client.chain.iter_sessions(user=self.client.key.bech32)):
            if record.receipt_key not in known or record.status != SESSION_STATUS_OPEN:
                continue
            try:
                session = resume_paid(self.client, record.id, self.terms.answer_s)
            except ClientError as error:
                _log.warning("session %d is left as it is: %s", record.id, error)
                continue
            if _is_lasting(session, self._find_height()):
                with self._changed:
                    self._put_idle(self._served(record.model_id), session)
                resumed += 1
            else:
                self._end(session)
        return resumed

    def acquire(self, model_id: int, question: Question, tried: frozenset[str]) -> PaidSession:
        """A session that nobody else uses, whose deposit covers the question, with none of the hosts that were tried.

        Raises ApiError, ClientError.
        """
        deadline = self.clock() + self.terms.wait_s
        problem: ClientError | None = None
        while True:
            height = self._find_height()
            with self._changed:
                if self._is_closed:
                    raise new_busy("the gateway is ending")
                served = self._served(model_id)
                found = self._take_idle(served, question, tried, height)
                if found is not None:
                    return found
                now_s, may_wait = self.clock(), self._may_wait(served, question, tried)
                if served.count >= self.terms.sessions_max or may_wait and now_s < served.full_s:
                    if now_s >= deadline:
                        raise new_busy(f"all {served.count} sessions of the model are busy"
                                       + (f", and no more can be opened: {problem}" if problem else ""))
                    self._changed.wait(min(served.full_s if now_s < served.full_s else deadline, deadline) - now_s)
                    continue
                served.opening += 1
            try:
                return self._open(model_id, served, question, tried)
            except (HostsMissing, TxRefused) as error:
                problem = error
                with self._changed:
                    if not self._may_wait(served, question, tried):
                        raise
                    served.full_s = self.clock() + FULL_S

    def release(self, model_id: int, session: PaidSession) -> None:
        """Give a session back to the others."""
        with self._changed:
            served = self._served(model_id)
            served.busy.remove(session)
            self._put_idle(served, session)
            self._changed.notify_all()

    def discard(self, model_id: int, session: PaidSession) -> None:
        """End a session whose host has failed, and leave the host alone for a while."""
        with self._changed:
            self._served(model_id).busy.remove(session)
            self._shunned[session.host] = self.clock() + SHUN_S
            self._end_soon(session)
            self._changed.notify_all()

    def sweep(self) -> int:
        """End what nobody has used for a while, but the last one of each model: it binds its host's bond. How many."""
        ended = 0
        with self._changed:
            for served in self._models.values():
                for session in served.idle[:len(served.idle) - (not served.busy)]:
                    if self.clock() - self._freed_s[session.id] >= self.terms.idle_s:
                        served.idle.remove(session)
                        self._end_soon(session)
                        ended += 1
        return ended

    def shun(self, address: str) -> None:
        """Leave a host alone for a while."""
        with self._changed:
            self._shunned[address] = self.clock() + SHUN_S

    def close(self) -> None:
        """End all sessions; answers that are being written are waited for, for a while. What is busy then stays open,
        and the next gateway of this home goes on with it."""
        deadline = self.clock() + GRACE_S
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()
            while any(served.busy or served.opening for served in self._models.values()) and self.clock() < deadline:
                self._changed.wait(deadline - self.clock())
            for served in self._models.values():
                for session in served.idle:
                    self._end_soon(session)
                served.idle.clear()
        self._closing.shutdown(wait=True)

    def count_open(self) -> int:
        """Sessions that are open."""
        with self._changed:
            return sum(len(served.idle) + len(served.busy) for served in self._models.values())

    def _served(self, model_id: int) -> _Served:
        return self._models.setdefault(model_id, _Served())

    def _put_idle(self, served: _Served, session: PaidSession) -> None:
        served.idle.append(session)
        self._freed_s[session.id] = self.clock()

    def _take_idle(self, served: _Served, question: Question, tried: frozenset[str], height: int
                   ) -> PaidSession | None:
        """The cheapest idle session that covers the question, of those the last used, so that the others can be ended.
        Those that are used up are ended on the way; where there is room for no more, the emptiest as well."""
        short = []
        for session in sorted(reversed(served.idle), key=lambda one: one.session.record.price_ugrad_per_gma):
            covers = _covers(session, question)
            is_used_up = not covers and session.left_ugrad * USED_PART < session.session.record.deposit_ugrad
            if is_used_up or not _is_lasting(session, height):
                served.idle.remove(session)
                self._end_soon(session)
            elif not covers:
                short.append(session)
            elif session.host not in tried and not self._is_shunned(session.host):
                served.idle.remove(session)
                served.busy.append(session)
                return session
        if short and served.count >= self.terms.sessions_max:
            emptiest = min(short, key=lambda one: one.left_ugrad)
            served.idle.remove(emptiest)
            self._end_soon(emptiest)
        return None

    def _may_wait(self, served: _Served, question: Question, tried: frozenset[str]) -> bool:
        """Whether a session may become free for the question."""
        hosts = [one.host for one in (*served.busy, *served.idle) if _covers(one, question)] + served.chosen
        return any(host not in tried and not self._is_shunned(host) for host in hosts)

    def _open(self, model_id: int, served: _Served, question: Question, tried: frozenset[str]) -> PaidSession:
        session, chosen = None, ""
        try:
            with self._choosing:
                deposit_ugrad, chosen = self._choose(model_id, served, question, tried)
                with self._changed:
                    served.chosen.append(chosen)
            price_max = self.terms.price_max_ugrad_per_gma or None
            session = open_paid(self.client, model_id, deposit_ugrad, chosen, price_max, BLOCKS, None,
                                self.terms.answer_s)
            _log.info("session %d of model %d with %s is open", session.id, model_id, session.host)
            return session
        finally:
            with self._changed:
                served.opening -= 1
                if chosen:
                    served.chosen.remove(chosen)
                if session is not None:
                    served.busy.append(session)
                self._changed.notify_all()

    def _choose(self, model_id: int, served: _Served, question: Question, tried: frozenset[str]) -> tuple[int, str]:
        """(deposit, host) of a new session: a host that has none of ours yet, where it is not much dearer than the
        cheapest; else the cheapest."""
        def is_out(host: Host) -> bool:
            return host.address in tried or spares and self._is_shunned(host.address)

        spec, most = self.client.get_model(model_id).spec, self.terms.price_max_ugrad_per_gma or None
        hosts = [host for host in self.client.chain.iter_hosts(model_id) if host.endpoint and host.address not in tried]
        spares = bool(served.idle) or not all(self._is_shunned(host.address) for host in hosts)
        least = min((host.price_ugrad_per_gma for host in hosts if not is_out(host)), default=0)
        deposit_ugrad = self._choose_deposit(spec, question, least, self.terms.deposit_ugrad)
        has_others = bool(served.idle or served.busy or served.chosen)
        if has_others:
            try:
                return deposit_ugrad, choose_host(
                    self.client, model_id, spec, deposit_ugrad, None, min(most or SPREAD * least, SPREAD * least),
                    lambda host: is_out(host) or bool(served.count_of(host.address))).address
            except HostsMissing:
                pass
        deposits = [deposit_ugrad]
        if not has_others:
            least_ugrad = self._choose_deposit(spec, question, least, 0)
            deposits = sorted({max(deposit_ugrad // part, least_ugrad) for part in DEPOSIT_PARTS}, reverse=True)
        for smaller_ugrad in deposits[:-1]:
            with suppress(HostsMissing):
                return smaller_ugrad, choose_host(self.client, model_id, spec, smaller_ugrad, None, most,
                                                  is_out).address
        return deposits[-1], choose_host(self.client, model_id, spec, deposits[-1], None, most, is_out).address

    def _choose_deposit(self, spec: ModelSpec, question: Question, price_ugrad_per_gma: int, usual_ugrad: int) -> int:
        """The usual deposit, more for a dear question, and never more than may still be spent. Raises ApiError."""
        fee_ugrad = compute_fee(spec.inference, compute_ask(compute_work(spec, question), price_ugrad_per_gma))
        wanted = max(usual_ugrad, SPREAD * fee_ugrad)
        left = self.ledger.left_ugrad
        if left is not None and left < fee_ugrad:
            raise new_over_limit("the gateway")
        return wanted if left is None else min(wanted, left)

    def _is_shunned(self, address: str) -> bool:
        return self._shunned.get(address, float("-inf")) > self.clock()

    def _find_height(self) -> int:
        """The chain's height, a little old. Not under the lock: it may wait for the node."""
        height, asked_s = self._height
        if self.clock() - asked_s > HEIGHT_S:
            height = self.client.chain.height()
            self._height = height, self.clock()
        return height

    def _end_soon(self, session: PaidSession) -> None:
        """For a thread that may wait for host and chain."""
        self._freed_s.pop(session.id, None)
        try:
            self._closing.submit(self._end, session)
        except RuntimeError:
            _log.warning("session %d is left open: the gateway has ended", session.id)

    def _end(self, session: PaidSession) -> None:
        try:
            session.close()
            _log.info("session %d with %s is closed", session.id, session.host)
        except ClientError as error:
            _log.warning("session %d is not closed: %s; `gradus tx sessions close %d` does it", session.id, error,
                         session.id)


def _covers(session: PaidSession, question: Question) -> bool:
    """Whether what is left of a session's deposit pays a question."""
    return session.session.compute_fee(question) <= session.left_ugrad


def _is_lasting(session: PaidSession, height: int) -> bool:
    """Whether a session will be open for a while."""
    return session.session.record.expiry_height - height > EXPIRY_BLOCKS
