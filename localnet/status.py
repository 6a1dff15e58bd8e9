"""What is known of a running network's nodes, from their supervisors and their RPC."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass

from abci_app.client.rpc import Rpc
from localnet import state
from localnet.errors import NodeUnreachable
from localnet.manifest import NodeEntry
from localnet.node import find_start_command


@dataclass(frozen=True)
class NodeStatus:
    """One row of `status`. height None: the node does not answer. app_hash: of the state before that block.

    auditor: running, restarting or failed, empty where none runs. error, hint: why the node does not run though nobody
    stopped it, or what its auditor is in need of; else empty.
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
    hint: str


def read_status(node: NodeEntry) -> NodeStatus:
    """What a node's supervisor and its RPC say."""
    last = state.find_state(node.paths) or state.State("stopped", 0)
    is_live = last.phase not in (*state.RESTING, "died")
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
                      last.auditor if is_live else "", last.restarts, *find_trouble(node, last))


def find_trouble(node: NodeEntry, last: state.State) -> tuple[str, str]:
    """(what is wrong with a node or with its auditor, what to do); both empty where all is well."""
    if last.error:
        return last.error, last.hint or f"start it again: {find_start_command(node.paths)}"
    if last.auditor != "failed":
        return "", ""
    return ("its auditor died too often, and answers no audits; it is tried again in ten minutes at the latest",
            f"read {node.paths.log('auditor')}, then have it at once: {find_start_command(node.paths, 'restart')}")
