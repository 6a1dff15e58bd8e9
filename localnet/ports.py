"""Ports of a network: node i listens on two of them, ten apart from the next node's.

Node 0 of the standard block has CometBFT's standard ports, 26657 for RPC and 26656 for peers.
"""

from __future__ import annotations

import random
import socket
from collections.abc import Collection

from localnet.claims import PortClaim
from localnet.config import HOST
from localnet.errors import PortInUse

STANDARD_BASE = 26657
STRIDE = 10
HIGHEST_BASE = 32_000  # below the range from which systems draw the ports of outgoing connections


def rpc_port(base: int, index: int) -> int:
    """RPC port of node `index` in the block that starts at `base`."""
    return base + STRIDE * index


def p2p_port(base: int, index: int) -> int:
    """Peer port of node `index` in the block that starts at `base`."""
    return base - 1 + STRIDE * index


def block_ports(base: int, count: int) -> list[int]:
    """Every port that `count` nodes use in the block that starts at `base`."""
    return [port for i in range(count) for port in (p2p_port(base, i), rpc_port(base, i))]


def is_free(port: int) -> bool:
    """Whether a listener could be opened on the port now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except (OSError, OverflowError):
            return False
    return True


def find_busy(ports: list[int]) -> int | None:
    """The first port of the list that is taken, None when all are free."""
    return next((port for port in ports if not is_free(port)), None)


def take_block(ports: list[int], claim: PortClaim, avoid: Collection[int] = ()) -> int | None:
    """Claim ports for a network. Returns None, or the first that is taken or to be avoided; nothing is held then."""
    taken = next((port for port in ports if port in avoid), None) or claim.take(ports) or find_busy(ports)
    if taken is not None:
        claim.release()
    return taken


def choose_base(count: int, preferred: int, claim: PortClaim, avoid: Collection[int] = ()) -> tuple[int, int | None]:
    """Choose a block for `count` nodes: the preferred one if it is free, else the next free one.

    preferred: RPC port of node 0; 0 means any free block, drawn at random. claim: holds the block's ports afterwards,
    until nodes listen on them. avoid: ports to be taken for busy.
    Returns (base, the busy port that moved the network or None). Raises: PortInUse when no block is free.
    """
    if preferred == 0:
        return choose_random(count, claim, avoid), None
    busy = take_block(block_ports(preferred, count), claim, avoid)
    if busy is None:
        return preferred, None
    step = STRIDE * max(count, 10)
    starts = list(range(preferred + step, HIGHEST_BASE, step)) or list(range(STANDARD_BASE, HIGHEST_BASE, step))
    for base in starts:
        if take_block(block_ports(base, count), claim, avoid) is None:
            return base, busy
    raise PortInUse(f"port {busy} is taken and no free block of {2 * count} ports was found",
                    "stop what listens there, or choose another --base-port")


def choose_random(count: int, claim: PortClaim, avoid: Collection[int] = ()) -> int:
    """A free block somewhere below the standard one, for networks that come and go, such as tests'."""
    for _ in range(200):
        base = random.randrange(10_001, STANDARD_BASE - 100 - STRIDE * count)
        if take_block(block_ports(base, count), claim, avoid) is None:
            return base
    raise PortInUse(f"no free block of {2 * count} ports was found", "stop other networks first")
