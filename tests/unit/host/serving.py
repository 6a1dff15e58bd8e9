"""A host's server and a user of it, over real HTTP with real kernels; what the chain says of sessions is made up."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from coincurve import PrivateKey

from abci_app.answers.network import load_network
from abci_app.client.keys import Key
from abci_app.host.behaviour import Behaviour
from abci_app.host.desk import Desk
from abci_app.host.journal import Journal
from abci_app.host.limits import Limits
from abci_app.host.server import Server
from abci_app.runtime.contract import compute_first_weights
from abci_app.sdk.host_client import HostClient
from abci_app.sdk.journal import SessionJournal
from abci_app.sdk.session import Session
from abci_app.wire.pb.gradus.models.v1 import models_pb2
from abci_app.wire.pb.gradus.sessions.v1 import sessions_pb2
from abci_app.wire.pb.gradus.sessions.v1.sessions_pb2 import SESSION_STATUS_OPEN
from tests.chain import CHAIN_ID, address_of, new_test_key

PRICE_UGRAD_PER_GMA = 10**9
DEPOSIT_UGRAD = 10**12
STATEMENT_KEY = new_test_key("statement")


class Serving:
    """One host that serves `count` open sessions of one model."""

    def __init__(self, folder: Path, spec: models_pb2.ModelSpec, count: int = 1, limits: Limits = Limits(),
                 behaviour: Behaviour = Behaviour.HONEST, deposit_ugrad: int = DEPOSIT_UGRAD) -> None:
        self.folder, self.spec, self.limits, self.behaviour = folder, spec, limits, behaviour
        self.network = load_network(spec, compute_first_weights(spec))
        self.keys = [self._new_receipt_key() for _ in range(count)]
        self.records = [sessions_pb2.Session(
            id=number, model_id=1, user=address_of("uma"), host=address_of("ann"), spec_version=1,
            price_ugrad_per_gma=PRICE_UGRAD_PER_GMA, deposit_ugrad=deposit_ugrad, receipt_key=key.public,
            statement_key=STATEMENT_KEY.public, seed=bytes([number % 256]) * 32, status=SESSION_STATUS_OPEN,
            opened_height=1, expiry_height=1_000) for number, key in enumerate(self.keys, 1)]
        self.sessions: list[Session] = []
        self.start()

    def _new_receipt_key(self) -> Key:
        with SessionJournal.create(self.folder / "user") as journal:
            return journal.key

    def start(self) -> None:
        """The host begins, or begins again with what its journal has."""
        self.journal = Journal(self.folder / "host", CHAIN_ID, 1, address_of("ann")).__enter__()
        self.workers = ThreadPoolExecutor(2)
        self.desk = Desk(CHAIN_ID, PrivateKey(STATEMENT_KEY.private), self.journal, lambda record: self.spec,
                         lambda record: self.network, self.workers, behaviour=self.behaviour, limits=self.limits)
        self.desk.refresh(self.records)
        self.server = Server(self.desk, self.journal, lambda: {"host": address_of("ann")}, "127.0.0.1", 0, self.limits)
        self.server.start()

    def stop(self) -> None:
        """The host ends; its port is another one afterwards."""
        self.server.stop()
        self.workers.shutdown()
        self.journal.__exit__(None, None, None)

    def session(self, place: int = 0, **options: Any) -> Session:
        """The user's side of a session, with what its journal has."""
        journal = SessionJournal.find(self.folder / "user", self.keys[place].public)
        self.sessions.append(Session(CHAIN_ID, self.records[place], self.spec, HostClient(self.server.url, **options),
                                     journal))
        return self.sessions[-1]

    def close(self) -> None:
        """End both sides."""
        for session in self.sessions:
            session.close()
        self.stop()


def call_in_loop(server: Server, call: Any) -> Any:
    """The result of a coroutine that runs in the server's loop."""
    return asyncio.run_coroutine_threadsafe(call, server._loop).result(10)
