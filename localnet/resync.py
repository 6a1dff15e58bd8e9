"""A home that begins anew at a snapshot: for a node that was away longer than the others keep blocks.

Its keys, its addresses and what its validator has signed last stay where they are, so that it never signs a height
twice; its state and blocks are moved into a folder beside them, and nothing is deleted. It may be cut short anywhere
and run again.

Reads: RPCs of the chain's nodes. Writes: the home's `[statesync]`, and a folder `old.<time>` in the home.
Source: CometBFT v0.38 node/setup.go, startStateSync; node/node.go (only a node without blocks begins at a snapshot).
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from abci_app.client.rpc import Rpc
from localnet import state
from localnet.config import StateSync, compute_state_sync, replace_section
from localnet.doctor import read_genesis
from localnet.engine_data import DATABASES, check_unlocked
from localnet.errors import HomeError, LocalnetError
from localnet.files import replace_text
from localnet.homes import Home, explained
from localnet.join import choose_state_sync, read_origin

PARTS = ("state", "snapshots")  # of the app


@dataclass(frozen=True)
class Resynced:
    """What was done. old: where the state and the blocks are now. sync: where the node will begin."""

    old: Path
    sync: StateSync


def resync_home(home: Home, urls: Sequence[str], name: str, trust_height: int | None = None,
                trust_hash: str | None = None, trust_hours: int | None = None) -> Resynced:
    """Have a stopped node begin at a snapshot of the chain of some RPCs; its state and blocks go to `name` in the home.

    Raises: NodeError when the node runs, HomeError when it is not complete or the folder exists; as read_origin and
    choose_state_sync, before anything is changed.
    """
    home.check()
    old = home.path / name
    with state.take_lock(home), explained(home.path):
        for database in DATABASES:
            check_unlocked(home.path / "data" / database)
        if old.exists():
            raise HomeError(f"{old} exists already", "wait a second, or move it")
        with ExitStack() as stack:
            rpcs = [stack.enter_context(Rpc(url)) for url in dict.fromkeys(url.rstrip("/") for url in urls)]
            origin = read_origin(rpcs, read_genesis(home)[0])
            if not any(offer.heights for offer in origin.snapshots):
                raise LocalnetError(f"no node of {origin.chain_id} that was asked has a snapshot",
                                    "wait for one, or name other nodes; nothing was changed")
            sync = choose_state_sync(origin, trust_height, trust_hash, trust_hours and trust_hours * 3600)
        text = replace_section(home.config.read_text(), "statesync", compute_state_sync(sync))
        replace_text(home.config, text)  # first: a node that still has its blocks takes no notice of it
        move_aside(home, old)
    return Resynced(old, sync)


def move_aside(home: Home, old: Path) -> None:
    """Move the app's state and the engine's databases into `old`; keys and what was signed are not among them."""
    (old / "data").mkdir(parents=True, mode=0o700)
    for path in sorted((home.path / "data").iterdir()):
        if path != home.validator_state:
            path.rename(old / "data" / path.name)
    for part in PARTS:
        if (home.path / part).exists():
            (home.path / part).rename(old / part)
