"""What the peers of a running node still have, by their own RPCs.

Reads: `net_info` of the node, `status` of each peer that has an RPC which can be reached.
Source: CometBFT v0.38 p2p/node_info.go (`other.rpc_address`), rpc/core/status.go.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from abci_app.client.errors import ClientError
from abci_app.client.rpc import Rpc

PEER_SECONDS = 3.0
PEERS_ASKED_MAX = 8


def find_first_block(rpc: Rpc) -> tuple[int, list[str]] | None:
    """The lowest block that some peer of a running node has, and the RPCs that say so; None when no peer answers."""
    found: dict[str, int] = {}
    for peer in (rpc.call("net_info").get("peers") or ())[:PEERS_ASKED_MAX]:
        address = urlsplit(str(peer["node_info"]["other"]["rpc_address"]))
        host = address.hostname if address.hostname not in (None, "0.0.0.0", "::") else peer["remote_ip"]
        url = f"http://{host}:{address.port}"
        try:
            with Rpc(url, PEER_SECONDS) as other:
                found[url] = int(other.call("status")["sync_info"]["earliest_block_height"])
        except (ClientError, ValueError, KeyError):
            continue
    return (min(found.values()), sorted(found)) if found else None
