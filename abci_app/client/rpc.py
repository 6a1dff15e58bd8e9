"""A node's JSON-RPC over HTTP, synchronous and typed.

Only calls that change nothing are tried again when the connection breaks: a broadcast may have arrived.
Source: CometBFT v0.38 rpc/core/routes.go, rpc/openapi/openapi.yaml. Integers travel as decimal texts.
"""

import base64
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import Any

import httpx

from abci_app.client.errors import BadNodeUrl, NodeRefused, NodeUnreachable
from abci_app.client.node_url import EXAMPLE, check_node_url
from abci_app.wire.proof import ProofOp

TIMEOUT_S = 10.0
CONNECT_S = 5.0
BODY_S = 60.0
BODY_BYTES_MAX = 64 << 20
TRIES = 2
IN_MEMPOOL = "already exists in cache"

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Status:
    """What a node says of itself. app_hash: of the state before the latest block."""

    chain_id: str
    node_id: str
    version: str
    height: int
    app_hash: bytes
    block_time: str
    is_catching_up: bool


@dataclass(frozen=True, slots=True)
class Header:
    """A block's identity. app_hash: of the state after the block before."""

    height: int
    block_hash: bytes
    app_hash: bytes


@dataclass(frozen=True, slots=True)
class Answer:
    """An ABCI query's answer. height: of the state that was read."""

    code: int
    codespace: str
    log: str
    key: bytes
    value: bytes
    height: int
    proof_ops: tuple[ProofOp, ...]


@dataclass(frozen=True, slots=True)
class TxOutcome:
    """What became of a transaction. height 0: it was only admitted to the mempool, or refused there."""

    tx_hash: bytes
    height: int
    code: int
    codespace: str
    log: str
    data: bytes
    gas_wanted: int
    gas_used: int
    events: tuple[Json, ...]


class Rpc:
    """A client of one node, usable in a `with`. Calls raise NodeUnreachable, NodeRefused."""

    def __init__(self, url: str, timeout_s: float = TIMEOUT_S, connect_s: float = CONNECT_S) -> None:
        """timeout_s: for an answer. connect_s: for a connection. Raises BadNodeUrl. Nothing is sent yet."""
        check_node_url(url)
        self.url = url
        try:
            self.client = httpx.Client(base_url=url, trust_env=False,
                                       timeout=httpx.Timeout(timeout_s, connect=min(connect_s, timeout_s)))
        except httpx.InvalidURL as error:
            raise BadNodeUrl(f"{url!r} is not an address: {error}", EXAMPLE) from None

    def __enter__(self) -> "Rpc":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self.client.close()

    def call(self, method: str, tries: int = TRIES, **params: Any) -> Json:
        """One call's result."""
        request = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
        while True:
            tries -= 1
            try:
                answer = json.loads(self._post(request))
                break
            except (httpx.HTTPError, httpx.InvalidURL) as error:
                if tries <= 0 or isinstance(error, httpx.TimeoutException):
                    raise NodeUnreachable(f"no node answers at {self.url} ({type(error).__name__})",
                                          "is it running? `gradus localnet status`; another one: --node URL") from None
            except (ValueError, RecursionError):
                raise NodeRefused(f"{self.url} answered {method} with something else than JSON",
                                  "is another program listening there?") from None
        fault = answer.get("error") if isinstance(answer, dict) else None
        if isinstance(fault, dict):
            raise NodeRefused(f"{method}: {fault.get('message', '')} {fault.get('data', '')}".strip())
        result = answer.get("result") if isinstance(answer, dict) else None
        if not isinstance(result, dict):
            raise NodeRefused(f"{self.url} answered {method} with no result",
                              "is another program listening there?")
        return result

    def _post(self, request: Json) -> bytes:
        """The answer's body, which a node can make neither endless nor endlessly slow. Raises httpx's errors."""
        deadline_s = time.monotonic() + BODY_S
        body = bytearray()
        with self.client.stream("POST", "/", json=request) as answer:
            for part in answer.iter_bytes():
                body += part
                if len(body) > BODY_BYTES_MAX:
                    raise NodeRefused(f"{self.url} answered with more than {BODY_BYTES_MAX >> 20} MB",
                                      "ask another node")
                if time.monotonic() > deadline_s:
                    raise httpx.ReadTimeout(f"the answer did not end in {BODY_S:g} s")
        return bytes(body)

    def status(self) -> Status:
        """The node's state."""
        result = self.call("status")
        with _decoding("status"):
            info, sync = result["node_info"], result["sync_info"]
            return Status(_text(info["network"]), _text(info["id"]), _text(info["version"]),
                          int(sync["latest_block_height"]), bytes.fromhex(sync["latest_app_hash"]),
                          _text(sync["latest_block_time"]), bool(sync["catching_up"]))

    def count_peers(self) -> int:
        """How many peers the node is connected to."""
        result = self.call("net_info")
        with _decoding("net_info"):
            return int(result["n_peers"])

    def count_waiting(self) -> int:
        """How many transactions the node's mempool holds."""
        result = self.call("num_unconfirmed_txs")
        with _decoding("num_unconfirmed_txs"):
            return int(result["n_txs"])

    def header(self, height: int) -> Header:
        """The identity of the block at a height; NodeRefused when the node has none there."""
        result = self.commit(height)
        with _decoding("commit"):
            signed = result["signed_header"]
            return Header(int(signed["header"]["height"]), bytes.fromhex(signed["commit"]["block_id"]["hash"]),
                          bytes.fromhex(signed["header"]["app_hash"]))

    def block(self, height: int) -> Json:
        """A block, as the node words it."""
        return self.call("block", height=str(height))

    def commit(self, height: int) -> Json:
        """A signed header, as the node words it."""
        return self.call("commit", height=str(height))

    def validators(self, height: int, page: int = 1, page_size: int = 100) -> Json:
        """The validators of a height, by pages of at most 100, as the node words them."""
        return self.call("validators", height=str(height), page=str(page), per_page=str(page_size))

    def consensus_params(self, height: int) -> Json:
        """The limits that hold at a height, as the node words them."""
        return self.call("consensus_params", height=str(height))

    def block_results(self, height: int) -> Json:
        """What a block's transactions did, as the node words it."""
        return self.call("block_results", height=str(height))

    def abci_query(self, path: str, data: bytes = b"", height: int = 0, prove: bool = False) -> Answer:
        """One query to the application. height 0: the latest state. The answer may carry a code."""
        result = self.call("abci_query", path=path, data=data.hex(), height=str(height), prove=prove)
        with _decoding("abci_query"):
            return new_answer(result["response"])

    def broadcast_tx(self, raw: bytes) -> TxOutcome:
        """Hand in a transaction; the outcome is that of its admission to the mempool. Never tried twice."""
        result = self.call("broadcast_tx_sync", tries=1, tx=base64.b64encode(raw).decode())
        with _decoding("broadcast_tx_sync"):
            return TxOutcome(bytes.fromhex(result["hash"]), 0, int(result["code"]), _text(result.get("codespace")),
                             _text(result.get("log")), _bytes(result.get("data")), 0, 0, ())

    def find_tx(self, tx_hash: bytes) -> TxOutcome | None:
        """What a transaction did, None while no block holds it."""
        try:
            result = self.call("tx", hash=base64.b64encode(tx_hash).decode())
        except NodeRefused as error:
            if "not found" in error.text:
                return None
            raise
        with _decoding("tx"):
            return new_outcome(result)

    def search_txs(self, query: str, page: int = 1, page_size: int = 30) -> list[TxOutcome]:
        """Transactions by their events, such as `work.unit_revealed.model_id='1'`; oldest first."""
        result = self.call("tx_search", query=query, page=str(page), per_page=str(page_size), order_by="asc")
        with _decoding("tx_search"):
            return [new_outcome(one) for one in result["txs"]]


def new_answer(response: Json) -> Answer:
    """An answer from its JSON, in which everything that is zero may be absent or null."""
    ops = (response.get("proofOps") or {}).get("ops") or ()
    return Answer(
        code=int(response.get("code") or 0), codespace=_text(response.get("codespace")),
        log=_text(response.get("log")), key=_bytes(response.get("key")), value=_bytes(response.get("value")),
        height=int(response.get("height") or 0),
        proof_ops=tuple(ProofOp(_text(op["type"]), _bytes(op["key"]), _bytes(op["data"])) for op in ops))


def new_outcome(result: Json) -> TxOutcome:
    """A delivered transaction from its JSON."""
    done = result["tx_result"]
    return TxOutcome(
        bytes.fromhex(result["hash"]), int(result["height"]), int(done.get("code") or 0), _text(done.get("codespace")),
        _text(done.get("log")), _bytes(done.get("data")), int(done.get("gas_wanted") or 0),
        int(done.get("gas_used") or 0), tuple(done.get("events") or ()))


@contextmanager
def _decoding(method: str) -> Iterator[None]:
    """What is missing or malformed in an answer is the node's fault: NodeRefused."""
    try:
        yield
    except (AttributeError, KeyError, TypeError, ValueError, OverflowError) as error:
        raise NodeRefused(f"the answer to {method} is malformed ({type(error).__name__})",
                          "is another program listening there? ask another node") from None


def _text(value: Any) -> str:
    """A text, empty for null. Raises TypeError."""
    if value is not None and not isinstance(value, str):
        raise TypeError("no text")
    return value or ""


def _bytes(value: Any) -> bytes:
    """Bytes in base64, empty for null. Raises ValueError, TypeError."""
    return base64.b64decode(_text(value), validate=True)
