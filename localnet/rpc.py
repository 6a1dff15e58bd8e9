"""The few calls of a node's JSON-RPC that a network's keeper needs, over HTTP.

Source: CometBFT v0.38 rpc/core/routes.go, rpc/openapi/openapi.yaml. Integers travel as decimal texts.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from types import TracebackType
from typing import Any

import httpx

from localnet.errors import NodeUnreachable, RpcError

TIMEOUT_S = 10.0


@dataclass(frozen=True)
class Status:
    """What a node says of itself. app_hash: hex, of the state before the latest block."""

    chain_id: str
    node_id: str
    version: str
    height: int
    app_hash: str
    block_time: str
    is_catching_up: bool


@dataclass(frozen=True)
class Header:
    """A block's identity. block_hash, app_hash: hex; app_hash is of the state after the block before."""

    height: int
    block_hash: str
    app_hash: str


@dataclass(frozen=True)
class Answer:
    """An ABCI query's answer. height: of the state that was read."""

    code: int
    codespace: str
    log: str
    key: bytes
    value: bytes
    height: int


class Rpc:
    """A client of one node. Usable in a `with`."""

    def __init__(self, url: str, timeout_s: float = TIMEOUT_S) -> None:
        self.url = url
        self.client = httpx.Client(base_url=url, timeout=timeout_s, trust_env=False)

    def __enter__(self) -> Rpc:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self.client.close()

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        """One JSON-RPC call's result. Raises: NodeUnreachable; RpcError when the node refuses."""
        request = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
        try:
            answer = self.client.post("/", json=request).json()
        except httpx.HTTPError as error:
            raise NodeUnreachable(f"no node answers at {self.url} ({type(error).__name__})",
                                  "is it running? gradus localnet status") from error
        except ValueError as error:
            raise RpcError(f"{self.url} answered {method} with something else than JSON",
                           "is another program listening there?") from error
        if "error" in answer:
            fault = answer["error"]
            raise RpcError(f"{method} at {self.url}: {fault.get('message', '')} {fault.get('data', '')}".rstrip())
        result: dict[str, Any] = answer["result"]
        return result

    def status(self) -> Status:
        """The node's state."""
        result = self.call("status")
        info, sync = result["node_info"], result["sync_info"]
        return Status(info["network"], info["id"], info["version"], int(sync["latest_block_height"]),
                      sync["latest_app_hash"], sync["latest_block_time"], sync["catching_up"])

    def count_peers(self) -> int:
        """How many peers the node is connected to."""
        return int(self.call("net_info")["n_peers"])

    def header(self, height: int) -> Header:
        """The identity of the block at a height; RpcError when the node has none there."""
        signed = self.call("commit", height=str(height))["signed_header"]
        return Header(int(signed["header"]["height"]), signed["commit"]["block_id"]["hash"],
                      signed["header"]["app_hash"])

    def query(self, path: str, data: bytes, height: int = 0, prove: bool = False) -> Answer:
        """One ABCI query. height 0: the latest state."""
        result = self.call("abci_query", path=path, data=data.hex(), height=str(height), prove=prove)
        return new_answer(result["response"])

    def send(self, tx: bytes) -> dict[str, Any]:
        """Hand in a transaction and return what CheckTx said of it."""
        return self.call("broadcast_tx_sync", tx=base64.b64encode(tx).decode())


def new_answer(response: dict[str, Any]) -> Answer:
    """An answer from its JSON, in which everything that is zero may be absent or null."""
    return Answer(
        code=int(response.get("code") or 0),
        codespace=response.get("codespace") or "",
        log=response.get("log") or "",
        key=base64.b64decode(response.get("key") or ""),
        value=base64.b64decode(response.get("value") or ""),
        height=int(response.get("height") or 0),
    )
