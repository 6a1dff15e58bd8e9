"""A gateway over real HTTP, real hosts behind it, and a whole chain below; and the stock client of OpenAI in front."""

import asyncio
import threading
from pathlib import Path
from typing import Any

from aiohttp import web
from openai import OpenAI

from abci_app.client.chain import ChainClient
from abci_app.client.send import Sender, Sent
from abci_app.gateway.ledger import Ledger
from abci_app.gateway.pool import Terms
from abci_app.gateway.run import find_url, new_gateway
from abci_app.host.host import Host
from abci_app.host.journal import Journal
from abci_app.host.terms import Terms as HostTerms
from abci_app.sdk.client import Client, Trusting
from abci_app.wire.coin import base_coin, coin_pb
from abci_app.wire.pb.gradus.models.v1 import models_pb2
from abci_app.wire.pb.gradus.models.v1.models_pb2 import ModelSpec
from abci_app.wire.pb.gradus.models.v1.tx_pb2 import MsgCreateModel
from abci_app.wire.pb.gradus.sessions.v1.sessions_pb2 import Session
from abci_app.x.models.types import default_spec
from tests.chain import Chain, address_of, new_test_key
from tests.local_rpc import LocalNode

FUNDS_UGRAD = 100_000_000_000
PRICE_UGRAD_PER_GMA = 10**6
CONTEXT = 64
VOCAB = 260  # the byte tokenizer's
LIMIT_UGRAD = 10**9
TEXT, ROWS = "prose-1", "flowers-2"
STEP_S = 0.02
LOCALHOST = ("127.0.0.1", 0)
CALLS = ("status", "abci_query", "broadcast_tx", "find_tx", "block")


def new_specs() -> list[ModelSpec]:
    """A small decoder over bytes, and a small classifier."""
    text = models_pb2.Dataset(rows_root=bytes([1] * 32), train_rows=100, test_rows=50, features=CONTEXT, classes=VOCAB)
    rows = models_pb2.Dataset(rows_root=bytes(32), train_rows=100, test_rows=50, features=4, classes=3)
    specs = [default_spec("prose", text, bytes(range(32)), 3, 3, architecture="decoder",
                          decoder=models_pb2.Decoder(width=32, heads=2, hidden=32, layers=1, positions="rotary")),
             default_spec("flowers", rows, bytes(range(32)), 3, 3, hidden=(8,))]
    for spec in specs:
        spec.inference.host_bond_ugrad = 10**9
    return specs


class Office:
    """A chain with both models and no host yet. una pays for all that the gateway asks."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        names = ("ann", "ben", "cat", "una", "boss")
        self.chain = Chain(folder / "chain", dict.fromkeys(names, FUNDS_UGRAD), checks=False)
        self.node = LocalNode(self.chain)
        self._guard(self.node)
        self.client = ChainClient(self.node)
        self.hosts: dict[str, Host] = {}
        self._is_over = threading.Event()
        self._stepper = threading.Thread(target=self._step, daemon=True)
        self._journals: list[Journal] = []
        self.node.block()
        for spec in new_specs():
            self.send("boss", MsgCreateModel(creator=address_of("boss"), spec=spec, escrow=coin_pb(base_coin(10**8))))
        self.ledger = Ledger(folder / "gateway", LIMIT_UGRAD)
        self.running: Running | None = None
        self._stepper.start()

    def _step(self) -> None:
        """What hosts do beside their servers, all the time."""
        while not self._is_over.wait(STEP_S):
            for host in list(self.hosts.values()):
                host.step()

    @staticmethod
    def _guard(node: LocalNode) -> None:
        """The node's calls come from the threads of gateway and hosts: one at a time."""
        lock = threading.RLock()

        def guarded(call: Any) -> Any:
            def one(*arguments: Any, **named: Any) -> Any:
                with lock:
                    return call(*arguments, **named)
            return one

        for name in CALLS:
            setattr(node, name, guarded(getattr(node, name)))

    def send(self, name: str, message: Any) -> Sent:
        """One message of a name, in a block."""
        return Sender(self.client, new_test_key(name), sleep=self.node.sleep).send([message])

    def host(self, name: str, model_id: int = 1, price: int = PRICE_UGRAD_PER_GMA) -> Host:
        """A host that serves sessions of a model over HTTP."""
        journal = Journal(self.folder / "journals", self.chain.chain_id, model_id, address_of(name)).__enter__()
        self._journals.append(journal)
        host = Host(ChainClient(self.node), new_test_key(name), model_id, journal, listen=LOCALHOST,
                    sleep=self.node.sleep, workers=2, terms=HostTerms(price_ugrad_per_gma=price))
        host.start()
        self.hosts[name] = host
        return host

    def open(self, per_minute: int = 1_000, **terms: Any) -> "Running":
        """The gateway, listening."""
        client = Client(self.node, new_test_key("una"), self.folder / "home", Trusting(is_asked=False),
                        sleep=self.node.sleep, sessions=self.folder / "gateway" / "sessions")
        self.running = Running(client, self.ledger, Terms(**({"deposit_ugrad": 500_000} | terms)), per_minute)
        return self.running

    def openai(self, secret: str) -> OpenAI:
        """The stock client."""
        assert self.running is not None
        return OpenAI(base_url=f"{self.running.url}/v1", api_key=secret, max_retries=0)

    def sessions(self) -> list[Session]:
        """All of una's sessions that the chain keeps."""
        return list(self.client.iter_sessions(user=address_of("una")))

    def settle(self, blocks: int = 200) -> None:
        """Blocks until every session has ended."""
        for _ in range(blocks):
            if all(session.closed_height for session in self.sessions()):
                return
            self.pause()
            self.node.block()
        raise AssertionError([session.status for session in self.sessions()])

    def pause(self) -> None:
        """Time for hosts to do what is due."""
        self._is_over.wait(STEP_S)

    def close(self) -> None:
        """End all that runs."""
        if self.running is not None:
            self.running.close()
        self._is_over.set()
        self._stepper.join()
        for one in (*self.hosts.values(), *self._journals):
            one.__exit__(None, None, None)
        self.ledger.close()
        self.chain.database.close()


class Running:
    """A gateway that listens on a port of this machine, in a thread."""

    def __init__(self, client: Client, ledger: Ledger, terms: Terms, per_minute: int) -> None:
        self.gateway = new_gateway(client, ledger, terms, per_minute)
        self.pool = self.gateway.pool
        self.pool.resume()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._runner = web.AppRunner(self.gateway.new_app(), access_log=None)
        self._call(self._start())
        self.url = find_url(self._runner)
        self._is_closed = False

    async def _start(self) -> None:
        await self._runner.setup()
        await web.TCPSite(self._runner, *LOCALHOST).start()

    def _call(self, call: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(call, self._loop).result(60)

    def close(self) -> None:
        """As by Ctrl-C: sessions are closed."""
        if not self._is_closed:
            self._is_closed = True
            self._call(self._runner.cleanup())
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
            self._loop.close()
