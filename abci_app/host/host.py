"""The host's loop: register, answer what is dealt, serve sessions, end them, earn.

A step asks the chain where things stand and does what is due; nothing is remembered but the journal, so a host that was
killed at any moment goes on where it was. Questions of sessions come in over HTTP, in a thread of the server's own.

What is committed is revealed: until the chain's record says that it is, or that it is too late, no answer of a node and
no refusal ends the host.
"""

import sqlite3
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

from coincurve import PrivateKey
from google.protobuf.message import DecodeError

from abci_app.answers.source import AnswerSource
from abci_app.client.chain import ChainClient
from abci_app.client.errors import ClientError, FeeTooHigh, ProofInvalid
from abci_app.client.keys import Key
from abci_app.client.send import GAS_PRICE_PPM_MAX, Sender, Sleep
from abci_app.client.words import enum_word
from abci_app.host.behaviour import Behaviour, check_behaviour
from abci_app.host.closing import Closer
from abci_app.host.dealt import Dealer
from abci_app.host.desk import Desk
from abci_app.host.errors import HostStopped
from abci_app.host.journal import Journal
from abci_app.host.limits import Limits
from abci_app.host.metrics import Metrics
from abci_app.host.server import Server
from abci_app.host.terms import Terms, check_host, check_model, derive_statement_key, find_registration, register
from abci_app.units.events import Event, Report
from abci_app.wire.pb.gradus.inference.v1.inference_pb2 import (
    HOST_STATUS_DRAINING, HOST_STATUS_SLASHED, HostStatus,
)
from abci_app.wire.pb.gradus.inference.v1.inference_pb2 import Host as Record
from abci_app.wire.pb.gradus.sessions.v1.sessions_pb2 import Session

POLL_S = 0.2
POLL_S_MAX = 1.0
BACKOFF_S = 0.5
BACKOFF_S_MAX = 8.0
BOUND_PAUSE_S_MAX = 0.5
LIST_S = 2.0  # between two looks at all sessions; ten times as long as a look takes, where that is more
WORKERS = 2
FAULTS = (sqlite3.Error, OSError, ValueError, DecodeError)  # of the disk, or of what a node or a user made up
LEAVING = (HOST_STATUS_DRAINING, HOST_STATUS_SLASHED)


class Host:
    """One key that answers for one model. Use in a `with`: the server and the workers end with it."""

    def __init__(self, chain: ChainClient, key: Key, model_id: int, journal: Journal, *, terms: Terms = Terms(),
                 listen: tuple[str, int] | None = None, behaviour: Behaviour = Behaviour.HONEST,
                 report: Report = lambda event: None, sleep: Sleep = time.sleep,
                 gas_price_ppm_max: int = GAS_PRICE_PPM_MAX, limits: Limits = Limits(), workers: int = WORKERS,
                 keeps_sessions: bool = False, list_s: float = LIST_S,
                 serving_chain: ChainClient | None = None) -> None:
        """journal: open. listen: address and port of the server; None serves no sessions. keeps_sessions: whether they
        stay open when the host ends, to go on after a restart. list_s: between two looks at all sessions, at least.
        serving_chain: what workers ask, where `chain` is not for several threads."""
        self.chain, self.key, self.model_id, self.journal, self.terms = chain, key, model_id, journal, terms
        self.behaviour, self.report = behaviour, _tolerate(report)
        self.sleep, self.keeps_sessions = sleep, keeps_sessions
        self.metrics = Metrics()
        self.is_draining = False
        self._chain_id = chain.chain_id()
        self._statement_key = derive_statement_key(key, self._chain_id, model_id)
        self._sender = Sender(chain, key, sleep=sleep, gas_price_ppm_max=gas_price_ppm_max)
        self._workers = ThreadPoolExecutor(workers, "host-worker")
        self._dealt_workers = ThreadPoolExecutor(workers, "host-dealt")
        self._source = AnswerSource(serving_chain or chain)
        self._dealer = Dealer(chain, key, model_id, self._sender, self._source, journal, self._dealt_workers,
                              computing_max=workers, behaviour=behaviour, report=self.report, metrics=self.metrics)
        self.desk = Desk(self._chain_id, PrivateKey(self._statement_key.private), journal, self._find_spec, self._load,
                         self._workers, behaviour=behaviour, limits=limits, metrics=self.metrics)
        self.server = Server(self.desk, journal, self.tell_status, *listen, limits) if listen is not None else None
        self._closer = Closer(self._sender, key.bech32, journal, self._forget, behaviour=behaviour,
                              report=self.report)
        self._record: Record | None = None
        self._height = 0
        self._sessions: list[Session] = []
        self._list_s, self._listed_at, self._listing_s = list_s, float("-inf"), 0.0
        self._told: tuple[object, ...] = ()

    def __enter__(self) -> "Host":
        return self

    def __exit__(self, *_: object) -> None:
        if self.server is not None:
            self.server.stop()
        self._workers.shutdown(cancel_futures=True)
        self._dealt_workers.shutdown(cancel_futures=True)

    def start(self) -> None:
        """Check what must be there, register or update the registration, and serve. Raises HostStopped."""
        check_behaviour(self.behaviour, self._chain_id)
        model = check_model(self.chain, self.model_id)
        host = self.chain.find_host(self.model_id, self.key.bech32)
        check_host(host, self.model_id)
        if self.server is not None:
            self.server.start()
        served = self.server.url if self.server is not None else ""
        endpoint = served if self.terms.endpoint is None else self.terms.endpoint
        message = find_registration(model, host, self.terms, self.key.bech32, endpoint, self._statement_key.public)
        if message is not None:
            height = register(self.chain, self._sender, message)
            self.report(Event("registered" if host is None else "updated", {
                "model": self.model_id, "price_ugrad_per_gma": message.price_ugrad_per_gma,
                "capacity": message.capacity, "endpoint": message.endpoint, "height": height}))

    def run(self) -> None:
        """Work until drain() was called, or the chain says that this host is draining, and nothing is left to reveal
        and no session to end. Raises HostStopped, but not while an answer is committed."""
        pause, backoff = POLL_S, BACKOFF_S
        while True:
            try:
                is_moving = self.step()
                pause, backoff = POLL_S if is_moving else min(1.5 * pause, POLL_S_MAX), BACKOFF_S
                if self._is_over():
                    return
                self.sleep(min(pause, BOUND_PAUSE_S_MAX) if self._dealer.is_bound or self.desk.is_wanted else pause)
                continue
            except ClientError as error:
                is_refused = isinstance(error, (ProofInvalid, FeeTooHigh))
                self.report(Event("refused" if is_refused else "waiting", {"problem": error.text}))
                getattr(self.chain.node, "move_on", lambda: None)()
            except FAULTS as error:
                self.report(Event("waiting", {"problem": _name_fault(error).text}))
            except HostStopped as error:
                if not self._dealer.is_bound:
                    raise
                self.report(Event("waiting", {"problem": error.text}))
            self.sleep(min(backoff, BOUND_PAUSE_S_MAX) if self._dealer.is_bound else backoff)
            backoff = min(2 * backoff, BACKOFF_S_MAX)

    def drain(self) -> None:
        """Take nothing new; run() returns when what is committed is revealed and the sessions are ended or kept."""
        self.is_draining = True
        self.desk.is_draining = True

    def step(self) -> bool:
        """Do what is due now. True when something was done or has changed since the last step."""
        self._record = self.chain.find_host(self.model_id, self.key.bech32)
        self._height = self.chain.height()
        if self._record is None:
            raise HostStopped(f"{self.key.bech32} is no host of model {self.model_id} any more",
                              f"gradus host start {self.model_id} --key KEY registers it")
        self.desk.is_draining = self.is_draining or self._record.status in LEAVING
        tasks: list[Callable[[], bool]] = [self._dealer.reveal, self._end_sessions,
                                           lambda: self._dealer.commit(self._height), self._tell]
        did, problems = False, list[ClientError]()
        for task in tasks:
            try:
                did = task() or did
            except ClientError as error:
                problems.append(error)
            except FAULTS as error:
                problems.append(_name_fault(error))
        if problems:
            raise problems[0]
        if not self._record.open_count:
            check_host(self._record, self.model_id)
        return did

    def tell_status(self) -> dict[str, Any]:
        """What users are told of this host; every figure is the chain's, as the last step has read it."""
        record = self._record or Record()
        return {"chain_id": self._chain_id, "model_id": self.model_id, "host": self.key.bech32,
                "status": enum_word(HostStatus.DESCRIPTOR, record.status), "height": self._height,
                "price_ugrad_per_gma": record.price_ugrad_per_gma, "capacity": record.capacity,
                "open": record.open_count, "free_bond_ugrad": record.bond_ugrad - record.staked_ugrad,
                "statement_key": self._statement_key.public.hex(), "queue": self.desk.queue.count,
                "draining": self.desk.is_draining}

    def _end_sessions(self) -> bool:
        """Look at all sessions, when it is time to, and do what is due about them."""
        began = time.monotonic()
        is_time = began - self._listed_at >= max(self._list_s, 10 * self._listing_s)
        has_some = self.server is not None or bool(self.journal.list_sessions())
        if not has_some or not (is_time or self.desk.is_wanted or self.is_draining):
            return False
        found = [one for one in self.chain.iter_sessions(host=self.key.bech32) if one.model_id == self.model_id]
        self._sessions, self._listed_at, self._listing_s = found, began, time.monotonic() - began
        self.desk.refresh(found)
        ends = self.desk.is_draining and not (self.is_draining and self.keeps_sessions)
        return self._closer.step(found, self._height, ends)

    def _is_over(self) -> bool:
        """Whether a host that ends has nothing left to do that costs when it is not done."""
        has_left = self._record is not None and self._record.status in LEAVING and not self._record.open_count
        if not (self.is_draining or has_left) or self._dealer.is_bound:
            return False
        return self.behaviour is Behaviour.VANISH or self.keeps_sessions or not self._closer.waits

    def _find_spec(self, record: Session) -> Any:
        return self._source.get_spec(record.model_id, record.spec_version)

    def _load(self, record: Session) -> Any:
        return self._source.load_network(record.model_id, record.spec_version, record.round, record.weights_root)

    def _forget(self, session_id: int) -> None:
        if self.server is not None:
            self.server.forget(session_id)

    def _tell(self) -> bool:
        """Report where things stand, if that has changed."""
        record = self._record or Record()
        told = (record.status, record.open_count, record.answered, record.earned_ugrad, record.bond_ugrad)
        if told == self._told:
            return False
        self._told = told
        self.report(Event("standing", {
            "status": enum_word(HostStatus.DESCRIPTOR, record.status), "open": record.open_count,
            "answered": record.answered, "wrong": record.wrong, "withheld": record.withheld,
            "earned_ugrad": record.earned_ugrad, "bond_ugrad": record.bond_ugrad,
            "staked_ugrad": record.staked_ugrad}))
        return True


def _name_fault(error: Exception) -> ClientError:
    """What is told of a problem that is none of the client's tree."""
    named = ClientError(f"{type(error).__name__}: {error}")
    named.__cause__ = error
    return named


def _tolerate(report: Report) -> Report:
    """A report that nobody reads any more, such as at a pipe that was closed, ends nothing."""
    def tell(event: Event) -> None:
        with suppress(OSError, ValueError):
            report(event)
    return tell
