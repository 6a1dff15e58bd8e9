"""Open sessions, by model: each is one question at a time, so that there are as many as questions at once.

A session is opened when all others are busy, and closed when its deposit or its time runs out. Where the next host asks
no more than twice as much as the cheapest, sessions go to different hosts, so that one that vanishes takes few with it.
A host that has failed is left alone for a while.
"""

import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from abci_app.client.errors import ClientError
from abci_app.gateway.errors import new_busy
from abci_app.gateway.ledger import Ledger
from abci_app.runtime.fee import compute_fee
from abci_app.runtime.question import compute_ask, compute_work
from abci_app.sdk.client import Client
from abci_app.sdk.errors import HostsMissing
from abci_app.sdk.home import chain_folder
from abci_app.sdk.journal import list_receipt_keys
from abci_app.sdk.paid import PaidSession, open_paid, resume_paid
from abci_app.wire.pb.gradus.inference.v1.inference_pb2 import Host, Question
from abci_app.wire.pb.gradus.sessions.v1.sessions_pb2 import SESSION_STATUS_OPEN

BLOCKS = 10_000
EXPIRY_BLOCKS = 20  # before its end a session is asked no more
SHUN_S = 60.0
WAIT_S = 30.0
HEIGHT_S = 2.0
SPREAD = 2
_log = logging.getLogger("gradus.gateway")


@dataclass(frozen=True, slots=True)
class Terms:
    """deposit_ugrad: of a session. sessions_max: of a model at once. price_max_ugrad_per_gma: 0 takes any price.
    wait_s: for a session to become free. answer_s: for one answer of a host."""

    deposit_ugrad: int
    sessions_max: int = 8
    price_max_ugrad_per_gma: int = 0
    wait_s: float = WAIT_S
    answer_s: float = 60.0


@dataclass
class _Served:
    idle: list[PaidSession] = field(default_factory=list)
    busy: list[PaidSession] = field(default_factory=list)
    opening: int = 0

    @property
    def count(self) -> int:
        """Sessions that are open or about to be."""
        return len(self.idle) + len(self.busy) + self.opening

    def count_of(self, address: str) -> int:
        """Sessions with a host."""
        return sum(session.host == address for session in (*self.idle, *self.busy))


class Pool:
    """The sessions of one key. Calls come from the threads that wait for answers."""

    def __init__(self, client: Client, ledger: Ledger, terms: Terms,
                 clock: Callable[[], float] = time.monotonic) -> None:
        self.client, self.ledger, self.terms, self.clock = client, ledger, terms, clock
        self._models: dict[int, _Served] = {}
        self._shunned: dict[str, float] = {}
        self._changed = threading.Condition()
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
            if self._is_usable(session):
                self._served(record.model_id).idle.append(session)
                resumed += 1
            else:
                self._end(session)
        return resumed

    def acquire(self, model_id: int, question: Question, tried: frozenset[str]) -> PaidSession:
        """A session that nobody else uses, whose deposit covers the question, with none of the hosts that were tried.

        Raises ApiError, ClientError.
        """
        deadline = self.clock() + self.terms.wait_s
        served = self._served(model_id)
        while True:
            with self._changed:
                found = self._take_idle(served, question, tried)
                if found is not None:
                    return found
                may_open = served.count < self.terms.sessions_max
                served.opening += may_open
            if may_open:
                return self._open(model_id, served, question, tried)
            with self._changed:
                if not self._changed.wait(max(deadline - self.clock(), 0)) or self.clock() >= deadline:
                    raise new_busy(f"all {self.terms.sessions_max} sessions of the model are busy")

    def release(self, model_id: int, session: PaidSession) -> None:
        """Give a session back to the others."""
        with self._changed:
            served = self._served(model_id)
            served.busy.remove(session)
            served.idle.append(session)
            self._changed.notify()

    def discard(self, model_id: int, session: PaidSession) -> None:
        """End a session whose host has failed, and leave the host alone for a while."""
        with self._changed:
            self._served(model_id).busy.remove(session)
            self._shunned[session.host] = self.clock() + SHUN_S
            self._changed.notify()
        self._closing.submit(self._abandon, session)

    def shun(self, address: str) -> None:
        """Leave a host alone for a while."""
        with self._changed:
            self._shunned[address] = self.clock() + SHUN_S

    def close(self) -> None:
        """End all sessions."""
        with self._changed:
            sessions = [session for served in self._models.values() for session in (*served.idle, *served.busy)]
            self._models.clear()
        for session in sessions:
            self._closing.submit(self._end, session)
        self._closing.shutdown(wait=True)

    def count_open(self) -> int:
        """Sessions that are open."""
        with self._changed:
            return sum(len(served.idle) + len(served.busy) for served in self._models.values())

    def _served(self, model_id: int) -> _Served:
        return self._models.setdefault(model_id, _Served())

    def _take_idle(self, served: _Served, question: Question, tried: frozenset[str]) -> PaidSession | None:
        """The cheapest idle session that covers the question; those that are used up are ended on the way."""
        for session in sorted(served.idle, key=lambda one: one.session.record.price_ugrad_per_gma):
            if not self._is_usable(session) or session.session.compute_fee(question) > session.left_ugrad:
                served.idle.remove(session)
                self._closing.submit(self._end, session)
            elif session.host not in tried and not self._is_shunned(session.host):
                served.idle.remove(session)
                served.busy.append(session)
                return session
        return None

    def _open(self, model_id: int, served: _Served, question: Question, tried: frozenset[str]) -> PaidSession:
        try:
            session = self._open_at_some_host(model_id, served, question, tried)
        except BaseException:
            with self._changed:
                served.opening -= 1
                self._changed.notify()
            raise
        with self._changed:
            served.opening -= 1
            served.busy.append(session)
        _log.info("session %d of model %d with %s is open", session.id, model_id, session.host)
        return session

    def _open_at_some_host(self, model_id: int, served: _Served, question: Question,
                           tried: frozenset[str]) -> PaidSession:
        """At a host that has none of ours yet, where it is not much dearer than the cheapest; else at the cheapest."""
        def is_out(host: Host) -> bool:
            return host.address in tried or self._is_shunned(host.address)

        prices = [host.price_ugrad_per_gma for host in self.client.chain.iter_hosts(model_id)
                  if host.endpoint and not is_out(host)]
        most = self.terms.price_max_ugrad_per_gma
        spread = SPREAD * min(prices, default=0)
        deposit_ugrad = self._choose_deposit(model_id, question, min(prices, default=0))
        if any(session for session in (*served.idle, *served.busy)):
            try:
                return open_paid(self.client, model_id, deposit_ugrad, None, min(most or spread, spread), BLOCKS, None,
                                 self.terms.answer_s, lambda host: is_out(host) or bool(served.count_of(host.address)))
            except HostsMissing:
                pass
        return open_paid(self.client, model_id, deposit_ugrad, None, most or None, BLOCKS, None, self.terms.answer_s,
                         is_out)

    def _choose_deposit(self, model_id: int, question: Question, price_ugrad_per_gma: int) -> int:
        """The usual deposit, more for a dear question, and never more than may still be spent."""
        spec = self.client.get_model(model_id).spec
        fee_ugrad = compute_fee(spec.inference, compute_ask(compute_work(spec, question), price_ugrad_per_gma))
        wanted = max(self.terms.deposit_ugrad, SPREAD * fee_ugrad)
        left = self.ledger.left_ugrad
        return wanted if left is None else max(min(wanted, left), fee_ugrad)

    def _is_shunned(self, address: str) -> bool:
        return self._shunned.get(address, float("-inf")) > self.clock()

    def _is_usable(self, session: PaidSession) -> bool:
        """Whether a session will be open for a while."""
        height, asked_s = self._height
        if self.clock() - asked_s > HEIGHT_S:
            height = self.client.chain.height()
            self._height = height, self.clock()
        return session.session.record.expiry_height - height > EXPIRY_BLOCKS

    def _end(self, session: PaidSession) -> None:
        try:
            session.close()
        except ClientError as error:
            _log.warning("session %d is not closed: %s; `gradus tx sessions close %d` does it", session.id, error,
                         session.id)

    def _abandon(self, session: PaidSession) -> None:
        try:
            session.abandon()
        except ClientError as error:
            _log.warning("session %d is not closed: %s; it ends by itself at height %d", session.id, error,
                         session.session.record.expiry_height)
