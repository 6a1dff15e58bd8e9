"""What a client needs of a node, and the use of several nodes of one chain as one."""

import logging
from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar

from abci_app.client.errors import ClientError, NodeRefused, NodeUnreachable, WrongChain
from abci_app.client.rpc import CONNECT_S, IN_MEMPOOL, TIMEOUT_S, Answer, Rpc, Status, TxOutcome

FAILOVER_CONNECT_S = 2.0
FAILOVER_ANSWER_S = 3.0
_log = logging.getLogger("gradus.client")
_Result = TypeVar("_Result")


class Node(Protocol):
    """The part of rpc.Rpc that clients of the application use. Calls raise NodeUnreachable, NodeRefused."""

    @property
    def url(self) -> str:
        """Where the node is, for messages."""

    def status(self) -> Status:
        """The node's chain and height."""

    def abci_query(self, path: str, data: bytes = b"", height: int = 0, prove: bool = False) -> Answer:
        """One query to the application."""

    def broadcast_tx(self, raw: bytes) -> TxOutcome:
        """Hand in a transaction; the outcome is that of its admission."""

    def find_tx(self, tx_hash: bytes) -> TxOutcome | None:
        """What a transaction did, None while no block holds it."""


class Nodes:
    """Several nodes as one: each call goes to the node that answered last, else to the next one that does.

    A node that refuses the call itself or answers with what is malformed is passed over like one that is silent.

    A node is asked for its chain before its first use and after each silence, and left out when it is of another.
    """

    def __init__(self, nodes: Sequence[Node], chain_id: str | None = None) -> None:
        """At least one node. chain_id: what they must be of; None takes the chain of the first that answers."""
        if not nodes:
            raise ValueError("at least one node")
        self._nodes = list(nodes)
        self._chain_id = chain_id
        self._checked = [False] * len(nodes)
        self._current = 0

    @property
    def url(self) -> str:
        """The node in use."""
        return self._nodes[self._current].url

    def status(self) -> Status:
        """State of the node in use, whose chain is checked anew."""
        def ask(node: Node) -> Status:
            found = node.status()
            self._check_name(node, found)
            return found

        return self._call(ask)

    def abci_query(self, path: str, data: bytes = b"", height: int = 0, prove: bool = False) -> Answer:
        """One query to the application."""
        return self._call(lambda node: node.abci_query(path, data, height, prove))

    def broadcast_tx(self, raw: bytes) -> TxOutcome:
        """Hand in a transaction. When a node dies over it, the next one gets it too: a sequence counts once."""
        return self._call(lambda node: node.broadcast_tx(raw))

    def find_tx(self, tx_hash: bytes) -> TxOutcome | None:
        """What a transaction did, None while no block holds it."""
        return self._call(lambda node: node.find_tx(tx_hash))

    def move_on(self) -> None:
        """Use the next node from now on: for a caller that was answered with what does not verify."""
        self._current = (self._current + 1) % len(self._nodes)

    def _call(self, call: Callable[[Node], _Result]) -> _Result:
        problems: list[ClientError] = []
        for left in reversed(range(len(self._nodes))):
            node = self._nodes[self._current]
            try:
                self._check_chain(node)
                return call(node)
            except NodeRefused as error:
                if IN_MEMPOOL in error.text:
                    raise
                problems.append(error)
            except (NodeUnreachable, WrongChain) as error:
                self._checked[self._current] = False
                problems.append(error)
            self.move_on()
            if left:
                _log.warning("%s; trying %s", problems[-1].text, self.url)
        refused = [problem for problem in problems if isinstance(problem, NodeRefused)]
        unreachable = [problem for problem in problems if isinstance(problem, NodeUnreachable)]
        raise (refused or unreachable or problems)[-1]

    def _check_chain(self, node: Node) -> None:
        if self._checked[self._current]:
            return
        self._check_name(node, node.status())
        self._checked[self._current] = True

    def _check_name(self, node: Node, found: Status) -> None:
        """Raises WrongChain. The first node that answers pins the chain, where none was given."""
        if self._chain_id is None:
            self._chain_id = found.chain_id
        if found.chain_id != self._chain_id:
            raise WrongChain(f"{node.url} is a node of chain {found.chain_id!r}, not of {self._chain_id!r}",
                             "check --node and --chain-id")


def connect(urls: Sequence[str], chain_id: str | None = None) -> Nodes:
    """The nodes at RPC addresses, nothing being asked of them yet. Where there are several none is waited for long."""
    answer_s, connect_s = (FAILOVER_ANSWER_S, FAILOVER_CONNECT_S) if len(urls) > 1 else (TIMEOUT_S, CONNECT_S)
    return Nodes([Rpc(url, answer_s, connect_s) for url in urls], chain_id)
