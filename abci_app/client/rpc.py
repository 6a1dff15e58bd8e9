"""A node's JSON-RPC over HTTP, synchronous and typed.

Only calls that change nothing are tried again when the connection breaks: a broadcast may have arrived.
Source: CometBFT v0.38 rpc/core/routes.go, rpc/openapi/openapi.yaml. Integers travel as decimal texts.
"""

import base64
from dataclasses import dataclass
from types import TracebackType
from typing import Any

import httpx

from abci_app.client.errors import BadNodeUrl, NodeRefused, NodeUnreachable
from abci_app.client.node_url import EXAMPLE, check_node_url

TIMEOUT_S = 10.0
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
class ProofOp:
    """One step of a proof."""

    type: str
    key: bytes
    data: bytes


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

    def __init__(self, url: str, timeout_s: float = TIMEOUT_S) -> None:
        """Raises BadNodeUrl. Nothing is sent yet."""
        check_node_url(url)
        self.url = url
        try:
            self.client = httpx.Client(base_url=url, timeout=timeout_s, trust_env=False)
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
                answer = self.client.post("/", json=request).json()
                break
            except (httpx.HTTPError, httpx.InvalidURL) as error:
                if tries <= 0:
                    raise NodeUnreachable(f"no node answers at {self.url} ({type(error).__name__})",
                                          "is it running? `gradus localnet status`; another one: --node URL") from None
            except ValueError:
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

    def status(self) -> Status:
        """The node's state."""
        result = self.call("status")
        info, sync = result["node_info"], result["sync_info"]
        return Status(info["network"], info["id"], info["version"], int(sync["latest_block_height"]),
                      bytes.fromhex(sync["latest_app_hash"]), sync["latest_block_time"], sync["catching_up"])

    def count_peers(self) -> int:
        """How many peers the node is connected to."""
        return int(self.call("net_info")["n_peers"])

    def header(self, height: int) -> Header:
        """The identity of the block at a height; NodeRefused when the node has none there."""
        signed = self.commit(height)["signed_header"]
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
        return new_answer(result["response"])

    def broadcast_tx(self, raw: bytes) -> TxOutcome:
        """Hand in a transaction; the outcome is that of its admission to the mempool. Never tried twice."""
        result = self.call("broadcast_tx_sync", tries=1, tx=base64.b64encode(raw).decode())
        return TxOutcome(bytes.fromhex(result["hash"]), 0, int(result["code"]), result.get("codespace") or "",
                         result.get("log") or "", base64.b64decode(result.get("data") or ""), 0, 0, ())

    def find_tx(self, tx_hash: bytes) -> TxOutcome | None:
        """What a transaction did, None while no block holds it."""
        try:
            return new_outcome(self.call("tx", hash=base64.b64encode(tx_hash).decode()))
        except NodeRefused as error:
            if "not found" in error.text:
                return None
            raise

    def search_txs(self, query: str, page: int = 1, page_size: int = 30) -> list[TxOutcome]:
        """Transactions by their events, such as `work.unit_revealed.model_id='1'`; oldest first."""
        result = self.call("tx_search", query=query, page=str(page), per_page=str(page_size), order_by="asc")
        return [new_outcome(one) for one in result["txs"]]


def new_answer(response: Json) -> Answer:
    """An answer from its JSON, in which everything that is zero may be absent or null."""
    ops = (response.get("proofOps") or {}).get("ops") or ()
    return Answer(
        code=int(response.get("code") or 0), codespace=response.get("codespace") or "", log=response.get("log") or "",
        key=base64.b64decode(response.get("key") or ""), value=base64.b64decode(response.get("value") or ""),
        height=int(response.get("height") or 0),
        proof_ops=tuple(ProofOp(op["type"], base64.b64decode(op["key"]), base64.b64decode(op["data"])) for op in ops))


def new_outcome(result: Json) -> TxOutcome:
    """A delivered transaction from its JSON."""
    done = result["tx_result"]
    return TxOutcome(
        bytes.fromhex(result["hash"]), int(result["height"]), int(done.get("code") or 0), done.get("codespace") or "",
        done.get("log") or "", base64.b64decode(done.get("data") or ""), int(done.get("gas_wanted") or 0),
        int(done.get("gas_used") or 0), tuple(done.get("events") or ()))
