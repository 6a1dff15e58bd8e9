"""The nodes of a network on this machine, as the network.json in its folder names them.

Reads that file alone, whole and bounded, and of it only what a client needs: `nodes[].rpc_port`. The ports are those of
127.0.0.1. Source: localnet/manifest.py, which writes it.
"""

import json
from collections.abc import Sequence
from pathlib import Path

from abci_app.client.errors import ClientError, NetworkFileInvalid
from abci_app.client.rpc import Rpc

FILE = "network.json"
BYTES_MAX = 1 << 20
NODES_MAX = 256
PORT_MAX = 65535
ANSWER_S = 2.0
CONNECT_S = 1.0


def find_network_nodes(folder: Path) -> tuple[str, ...]:
    """RPC addresses of the nodes of the network in a folder, in order; none where there is no network.

    Raises NetworkFileInvalid, OSError.
    """
    path = folder.expanduser() / FILE
    try:
        with path.open("rb") as file:
            raw = file.read(BYTES_MAX + 1)
    except (FileNotFoundError, NotADirectoryError):
        return ()
    try:
        if len(raw) > BYTES_MAX:
            raise ValueError("too long")
        ports = [node["rpc_port"] for node in json.loads(raw)["nodes"]]
        if not 0 < len(ports) <= NODES_MAX or any(type(port) is not int or not 0 < port <= PORT_MAX for port in ports):
            raise ValueError("no ports")
    except (KeyError, TypeError, ValueError, RecursionError):
        raise NetworkFileInvalid(f"{path} is damaged: it does not tell the nodes' ports",
                                 "name a node with --node or GRADUS_NODE") from None
    return tuple(f"http://127.0.0.1:{port}" for port in ports)


def pick_node(urls: Sequence[str]) -> str:
    """The first of at least one node that answers; the first of all when none does. A lone one is not asked."""
    for url in urls if len(urls) > 1 else ():
        try:
            with Rpc(url, ANSWER_S, CONNECT_S) as rpc:
                rpc.status()
            return url
        except ClientError:
            continue
    return urls[0]
