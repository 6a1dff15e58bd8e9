"""What is known of a running network's nodes, from their supervisors and their RPC."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass

from abci_app.client.rpc import Rpc
from localnet import state
from localnet.errors import NodeUnreachable
from localnet.manifest import NodeEntry


@dataclass(frozen=True)
class NodeStatus:
    """One row of `status`. height None: the node does not answer. app_hash: of the state before that block.

    auditor: running, restarting or failed, empty where none runs.
    """

    name: str
    phase: str
    rpc: str
    height: int | None
    app_hash: str
    peers: int | None
    is_catching_up: bool | None
    supervisor_pid: int | None
    app_pid: int | None
    engine_pid: int | None
    auditor_pid: int | None
    auditor: str
    restarts: int
    error: str


def read_status(node: NodeEntry) -> NodeStatus:
    """What a node's supervisor and its RPC say."""
    last = state.find_state(node.paths) or state.State("stopped", 0)
    is_live = last.phase not in ("stopped", "failed")
    height = peers = catching_up = None
    app_hash = ""
    if is_live:
        with Rpc(node.rpc, timeout_s=3) as rpc, suppress(NodeUnreachable):
            status = rpc.status()
            height, app_hash, catching_up = status.height, status.app_hash.hex().upper(), status.is_catching_up
            peers = rpc.count_peers()
    return NodeStatus(node.name, last.phase, node.rpc, height, app_hash, peers, catching_up,
                      last.pid if is_live else None, last.app_pid if is_live else None,
                      last.engine_pid if is_live else None, last.auditor_pid if is_live else None,
                      last.auditor if is_live else "", last.restarts, last.error)
