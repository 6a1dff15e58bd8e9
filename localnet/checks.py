"""Black-box checks of a network over RPC: its nodes move, and they agree.

Source of the idea: CometBFT test/e2e (every node is asked the same questions, nothing is known of its inside).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from abci_app.client.rpc import Header, Rpc
from localnet.errors import LocalnetError, NodeUnreachable, TimedOut

POLL_S = 0.1


class ChecksFailed(LocalnetError):
    """Nodes that should agree do not."""


def wait_until(is_done: Callable[[], bool], seconds: float, what: str) -> None:
    """Ask again and again; TimedOut naming `what` when it did not become true in time."""
    deadline_s = time.monotonic() + seconds
    while not is_done():
        if time.monotonic() > deadline_s:
            raise TimedOut(f"{what} did not happen in {seconds:.0f} s", "read the logs: gradus localnet logs NODE")
        time.sleep(POLL_S)


def find_height(rpc: Rpc) -> int | None:
    """The node's latest height; None while it does not answer."""
    try:
        return rpc.status().height
    except NodeUnreachable:
        return None


def wait_height(rpcs: Sequence[Rpc], height: int, seconds: float = 60.0) -> None:
    """Wait until every node has a block of at least this height; TimedOut otherwise."""
    wait_until(lambda: all((find_height(rpc) or 0) >= height for rpc in rpcs), seconds, f"height {height} on all nodes")


def wait_blocks(rpcs: Sequence[Rpc], count: int, seconds: float = 60.0) -> int:
    """Wait until every node is `count` blocks past the highest one now; returns the height reached."""
    target = max(find_height(rpc) or 0 for rpc in rpcs) + count
    wait_height(rpcs, target, seconds)
    return target


def is_following(rpc: Rpc) -> bool:
    """Whether a node answers, has a block (none right after a snapshot) and is not catching up."""
    try:
        status = rpc.status()
        return status.height > 0 and not status.is_catching_up
    except NodeUnreachable:
        return False


def wait_caught_up(rpc: Rpc, seconds: float = 60.0) -> None:
    """Wait until a node that was away follows the others again; TimedOut otherwise."""
    wait_until(lambda: is_following(rpc), seconds, f"catching up of {rpc.url}")


def common_height(rpcs: Sequence[Rpc]) -> int:
    """The highest height that every node has."""
    return min(rpc.status().height for rpc in rpcs)


def check_same_block(rpcs: Sequence[Rpc], height: int | None = None) -> Header:
    """Check that all nodes have the same block and the same app hash at a height, the common one when None.

    Returns what they agree on. Raises: ChecksFailed naming who differs; NodeUnreachable.
    """
    at = common_height(rpcs) if height is None else height
    headers = {rpc.url: rpc.header(at) for rpc in rpcs}
    first = headers[rpcs[0].url]
    differing = [f"{url} has app hash {seen.app_hash.hex()} in block {seen.block_hash.hex()}"
                 for url, seen in sorted(headers.items()) if seen != first]
    if differing:
        raise ChecksFailed(f"nodes differ at height {at}: {rpcs[0].url} has app hash {first.app_hash.hex()} in block "
                           f"{first.block_hash.hex()}; " + "; ".join(differing),
                           "keep their homes: this must never happen")
    return first


def same_app_hash(rpcs: Sequence[Rpc]) -> tuple[int, bytes]:
    """(height, app hash in hex) that all nodes agree on at their common height; ChecksFailed otherwise."""
    header = check_same_block(rpcs)
    return header.height, header.app_hash
