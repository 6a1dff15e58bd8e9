"""A node without an engine: the client's view of a Chain, for tests of clients and miners.

Queries go through the application's own query answers, transactions through admission into a mempool, and blocks are
made when the test says so; `sleep` makes one, so a client that waits sees the chain move and no test waits for a clock.
"""

from collections.abc import Callable
from dataclasses import replace

from abci_app.abci.query import Queries
from abci_app.client.errors import NodeRefused, NodeUnreachable
from abci_app.client.rpc import Answer, Status, TxOutcome
from abci_app.runtime.context import Ctx
from abci_app.runtime.deliver import TxResult
from abci_app.store.version import Version
from abci_app.wire.pb.tendermint.abci import types_pb2 as abci
from abci_app.wire.tx import tx_hash
from tests.auditors import Auditors
from tests.chain import Chain


class _NamedQueries(Queries):
    """Queries of a Chain, whose state does not tell its name as a node's does."""

    def __init__(self, chain: Chain) -> None:
        super().__init__(chain.app, chain.database, "test")
        self._name = chain.chain_id

    def _ctx(self, version: Version, height: int) -> Ctx:
        return replace(super()._ctx(version, height), chain_id=self._name)


class LocalNode:
    """One node over a chain; several may share one. Faults are set from outside and hold until they are taken away."""

    def __init__(self, chain: Chain, auditors: Auditors | None = None, url: str = "local:0") -> None:
        """auditors: those of the chain's validators, who vote on open audits; nobody does without them."""
        self.chain, self.auditors, self.url = chain, auditors, url
        self.is_down = False
        self.refuses = ""
        self.loses_replies = False
        self.holds_back = False
        self.queries: list[str] = []
        self.mempool: list[bytes] = []
        self.outcomes: dict[bytes, TxOutcome] = {}
        self.on_block: Callable[[], None] = lambda: None
        self._queries = _NamedQueries(chain)

    def status(self) -> Status:
        """Chain and height."""
        self._check_up()
        return Status(self.chain.chain_id, "node", "test", self.chain.height, self.chain.app_hash, "", False)

    def abci_query(self, path: str, data: bytes = b"", height: int = 0, prove: bool = False) -> Answer:
        """One query, answered as the node answers it."""
        self._check_up()
        self.queries.append(path)
        found = self._queries.answer(abci.RequestQuery(path=path, data=data, height=height, prove=prove))
        return Answer(found.code, found.codespace, found.log, found.key, found.value, found.height, ())

    def broadcast_tx(self, raw: bytes) -> TxOutcome:
        """Admission to the mempool; a transaction that is there already is refused as the engine refuses it."""
        self._check_up()
        if raw in self.mempool:
            outcome = _outcome(raw, TxResult(), 0)
        else:
            result = self.chain.check(raw)
            outcome = _outcome(raw, result, 0)
            if not result.code:
                self.mempool.append(raw)
        if self.loses_replies:
            raise NodeUnreachable(f"{self.url} broke the connection")
        return outcome

    def find_tx(self, tx_hash: bytes) -> TxOutcome | None:
        """What a transaction did."""
        self._check_up()
        return self.outcomes.get(tx_hash)

    def block(self) -> None:
        """Make a block of what the proposer injects and of the mempool, which `holds_back` leaves for later."""
        injected = self.auditors.propose() if self.auditors is not None else []
        assert self.chain.accepts(injected)
        txs = injected + ([] if self.holds_back else self.mempool)
        self.mempool = self.mempool if self.holds_back else []
        for raw, result in zip(txs, self.chain.block(txs), strict=True):
            self.outcomes[tx_hash(raw)] = _outcome(raw, result, self.chain.height)
        self.on_block()

    def sleep(self, seconds: float) -> None:
        """What a client under test does instead of waiting."""
        self.block()

    def _check_up(self) -> None:
        if self.is_down:
            raise NodeUnreachable(f"no node answers at {self.url}")
        if self.refuses:
            raise NodeRefused(self.refuses)


def _outcome(raw: bytes, result: TxResult, height: int) -> TxOutcome:
    return TxOutcome(tx_hash(raw), height, result.code, result.codespace, result.log, result.data,
                     result.gas_wanted, result.gas_used, ())
