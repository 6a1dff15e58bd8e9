"""A home for a full node of a chain that runs: what its nodes say, compared with each other, and where the node begins.

With state sync the node begins at a snapshot that its peers have. The engine's light client verifies the header with
the snapshot's app hash, from a trusted block on; so that block is all that has to be believed, and its hash should be
compared with what somebody trustworthy says. Peers are not believed at all.

Reads: RPCs of the chain's nodes. Writes: the new home.
Source: CometBFT v0.38 statesync/stateprovider.go, light/client.go; rpc/core/net.go (genesis_chunked).
"""

from __future__ import annotations

import base64
import hashlib
import json
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from abci_app.client.rpc import Rpc
from localnet.claims import PortClaim
from localnet.config import HOST, AppSettings, Settings, StateSync, compute_app_config
from localnet.errors import LightError, LocalnetError, NodeRefused
from localnet.homes import (Home, Identity, check_chain_id, explained, new_folder, new_home, put_app_config, put_config,
                            put_genesis, socket_path)
from localnet.ports import STANDARD_BASE, choose_base, p2p_port

SNAPSHOTS_PATH = "/app/snapshots"
PERIOD_NUMERATOR, PERIOD_DENOMINATOR = 2, 3  # of the age up to which a double signer can still be punished
SECOND_NS = 10**9
BLOCKS_TIMED = 20

Json = dict[str, Any]


@dataclass(frozen=True)
class Snapshots:
    """What a node offers. heights: ascending. interval: 0 when it takes none."""

    heights: tuple[int, ...]
    interval: int


@dataclass(frozen=True)
class Origin:
    """A running chain as several of its nodes show it.

    rpcs: of those nodes. genesis_hash: SHA-256 of the document's canonical JSON, as hex. peers: `id@host:port`.
    height: that every one of them has. oldest: the first block that every one of them has. snapshots: one for each node
    that says what it offers.
    """

    rpcs: tuple[Rpc, ...]
    chain_id: str
    genesis: Json
    genesis_hash: str
    peers: tuple[str, ...]
    height: int
    oldest: int
    snapshots: tuple[Snapshots, ...]


def read_origin(rpcs: Sequence[Rpc], chain_id: str | None = None, genesis_hash: str | None = None) -> Origin:
    """Ask every node what chain it is on, and compare.

    chain_id, genesis_hash: what the chain must have; None takes what the nodes say. Raises: NodeUnreachable; LightError
    when they differ from each other or from what is asked for; LocalnetError when one of them is catching up itself.
    """
    with decoding():
        statuses = [rpc.call("status") for rpc in rpcs]
        for rpc, status in zip(rpcs, statuses, strict=True):
            if status["sync_info"]["catching_up"]:
                raise LocalnetError(f"{rpc.url} is catching up itself",
                                    "wait until it follows the chain, or name another")
        names = {rpc.url: str(status["node_info"]["network"]) for rpc, status in zip(rpcs, statuses, strict=True)}
        found = agreed(names, "are on different chains", chain_id, "--chain-id")
        check_chain_id(found)
        documents = [find_genesis(rpc) for rpc in rpcs]
        hashes = {rpc.url: compute_genesis_hash(one) for rpc, one in zip(rpcs, documents, strict=True)}
        wanted = genesis_hash.lower() if genesis_hash else None
        digest = agreed(hashes, "have different geneses", wanted, "--genesis-hash")
        infos = [status["sync_info"] for status in statuses]
        offers = [find_snapshots(rpc) for rpc in rpcs]
        return Origin(tuple(rpcs), found, documents[0], digest, find_peers(rpcs, statuses),
                      min(int(info["latest_block_height"]) for info in infos),
                      max(int(info["earliest_block_height"]) for info in infos),
                      tuple(offer for offer in offers if offer is not None))


@contextmanager
def decoding() -> Iterator[None]:
    """What is missing or malformed in an answer is the node's fault: NodeRefused."""
    try:
        yield
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise NodeRefused(f"a node's answer is malformed ({error!r})",
                          "is another program listening there? name other nodes") from error


def agreed(answers: dict[str, str], differ: str, wanted: str | None, option: str) -> str:
    """What every node answers; LightError naming who differs, from the others or from what is wanted."""
    first = next(iter(answers.values()))
    if any(answer != first for answer in answers.values()):
        raise LightError(f"the nodes {differ}: " + ", ".join(f"{url} says {said}" for url, said in answers.items()),
                         "find out which of them is right, and name only nodes that are")
    if wanted is not None and first != wanted:
        say = "say" if len(answers) > 1 else "says"
        raise LightError(f"{option} is {wanted}, and {' and '.join(answers)} {say} {first}",
                         "one of the two is of another chain: look where you have the option's value from, or name "
                         "other nodes")
    return first


def find_genesis(rpc: Rpc) -> Json:
    """The genesis document of a node, in one piece or, when it is large, in several."""
    try:
        document = rpc.call("genesis")["genesis"]
    except NodeRefused as error:
        if "genesis_chunked" not in error.text:
            raise
        first = rpc.call("genesis_chunked", chunk="0")
        chunks = [first] + [rpc.call("genesis_chunked", chunk=str(i)) for i in range(1, int(first["total"]))]
        document = json.loads(b"".join(base64.b64decode(chunk["data"]) for chunk in chunks))
    if not isinstance(document, dict):
        raise TypeError("the genesis is no object")
    authority = document.get("consensus_params", {}).get("authority")
    if authority == {"authority": ""}:  # said by some releases of the engine and not by others, and the same as nothing
        del document["consensus_params"]["authority"]
    return document


def compute_genesis_hash(document: Json) -> str:
    """SHA-256 of a genesis document with sorted keys and no space between, as hex."""
    return hashlib.sha256(json.dumps(document, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def find_peers(rpcs: Sequence[Rpc], statuses: Sequence[Json]) -> tuple[str, ...]:
    """The addresses of the nodes that were asked and of their peers, each once."""
    found: dict[str, str] = {}
    for rpc, status in zip(rpcs, statuses, strict=True):
        host = urlsplit(rpc.url).hostname or ""
        add_peer(found, status["node_info"], host)
        for peer in rpc.call("net_info").get("peers") or ():
            add_peer(found, peer["node_info"], str(peer["remote_ip"]))
    return tuple(f"{node_id}@{address}" for node_id, address in found.items())


def add_peer(found: dict[str, str], info: Json, host: str) -> None:
    """Note where a node listens; host: where it was seen, for one that listens at every address of its machine."""
    said = str(info["listen_addr"])
    address = urlsplit(said if "://" in said else f"tcp://{said}")
    named = address.hostname or ""
    if address.port:
        found.setdefault(str(info["id"]), f"{host if named in ('', '0.0.0.0', '::') else named}:{address.port}")


def find_snapshots(rpc: Rpc) -> Snapshots | None:
    """What a node offers; None when its app does not say."""
    answer = rpc.abci_query(SNAPSHOTS_PATH)
    if answer.code or not answer.value:
        return None
    record = json.loads(answer.value)
    return Snapshots(tuple(sorted(int(height) for height in record["heights"])), int(record["interval"]))


def choose_state_sync(origin: Origin, height: int | None = None, block_hash: str | None = None,
                      period_s: int | None = None) -> StateSync:
    """Where a new node begins: a block that is trusted, and the nodes by which its successors are verified.

    height: of the trusted block; None chooses the newest one with a snapshot. block_hash: what it must be; None takes
    what all nodes say. period_s: None for two thirds of the age of evidence. Raises: LocalnetError when nobody has a
    snapshot, or the block is too old; LightError when the nodes differ about it, or from the hash.
    """
    offered = [max(one.heights) for one in origin.snapshots if one.heights]
    if origin.snapshots and not offered:
        raise LocalnetError(f"no node of {origin.chain_id} has a snapshot yet", next_snapshot_hint(origin))
    trusted = height or (min(offered) if offered else origin.height)
    with decoding():
        headers = {rpc.url: find_header(rpc, trusted) for rpc in origin.rpcs}
        said = {url: str(one["commit"]["block_id"]["hash"]).upper() for url, one in headers.items()}
        wanted = block_hash.upper() if block_hash else None
        found = agreed(said, f"differ about block {trusted}", wanted, "--trust-hash")
        seconds = period_s or compute_period_s(origin.genesis)
        age_s = time.time() - to_seconds(str(headers[origin.rpcs[0].url]["header"]["time"]))
    if age_s > seconds:
        raise LocalnetError(f"block {trusted} is {age_s / 3600:.0f} hours old, and a block is trusted for "
                            f"{seconds / 3600:.0f}", "trust a newer block: --trust-height and --trust-hash")
    urls = [rpc.url for rpc in origin.rpcs]
    return StateSync(tuple(urls if len(urls) > 1 else urls * 2), trusted, found, seconds)


def find_header(rpc: Rpc, height: int) -> Json:
    """A signed header; LocalnetError when the node has none there."""
    try:
        found: Json = rpc.commit(height)["signed_header"]
    except NodeRefused as error:
        raise LocalnetError(f"{rpc.url} does not give block {height}: {error.text}",
                            "trust a block that every node has: --trust-height") from error
    return found


def compute_period_s(genesis: Json) -> int:
    """How long a block is trusted: after that, who signed another one could no longer be punished."""
    age_ns = int(genesis["consensus_params"]["evidence"]["max_age_duration"])
    return max(1, age_ns * PERIOD_NUMERATOR // PERIOD_DENOMINATOR // SECOND_NS)


def to_seconds(text: str) -> float:
    """A block's time as seconds since 1970; the engine writes up to nine decimals, of which six are read."""
    whole, _, rest = text.removesuffix("Z").partition(".")
    return datetime.fromisoformat(f"{whole}.{rest[:6] or '0'}+00:00").timestamp()


def next_snapshot_hint(origin: Origin) -> str:
    """When there will be a snapshot, and what else can be done."""
    intervals = [one.interval for one in origin.snapshots if one.interval]
    if not intervals:
        return ("its nodes take none: set snapshot_interval in config/app.toml of at least one and start it again, or "
                "run every block: --from-blocks")
    due = min((origin.height // interval + 1) * interval for interval in intervals)
    seconds = (due - origin.height) * compute_block_s(origin)
    return (f"the next one is due at height {due}, in about {max(1, round(seconds))} s: come back then, or run every "
            "block: --from-blocks")


def compute_block_s(origin: Origin) -> float:
    """Seconds between the latest blocks."""
    first = max(origin.oldest, origin.height - BLOCKS_TIMED)
    if first == origin.height:
        return 1.0
    rpc = origin.rpcs[0]
    ends = [to_seconds(str(find_header(rpc, height)["header"]["time"])) for height in (first, origin.height)]
    return (ends[1] - ends[0]) / (origin.height - first)


def check_from_blocks(origin: Origin) -> None:
    """LocalnetError when the nodes that were asked do not have every block since the first."""
    first = int(origin.genesis.get("initial_height") or 1)
    if origin.oldest > first:
        raise LocalnetError(f"the nodes have blocks from {origin.oldest} on, not from {first}",
                            "begin at a snapshot: leave --from-blocks out")


def new_full_node(home: Home, name: str, origin: Origin, sync: StateSync | None, ports: tuple[int, int],
                  proxy_app: str, app_config: str) -> Identity:
    """Make the home of a node that follows the chain. ports: RPC, peers. sync: None to run every block. app_config: the
    text of app.toml.

    Raises: HomeError when there is a home already.
    """
    identity = new_home(home, name)
    put_genesis(home, origin.genesis)
    put_app_config(home, app_config)
    put_config(home, Settings(moniker=name, rpc_port=ports[0], p2p_port=ports[1], proxy_app=proxy_app,
                              peers=tuple(peer for peer in origin.peers if not peer.startswith(identity.node_id)),
                              state_sync=sync))
    return identity


@dataclass(frozen=True)
class JoinOptions:
    """What `gradus node join` is asked for; None where the chain's nodes decide. urls: of their RPCs."""

    home: Path
    urls: tuple[str, ...]
    chain_id: str | None = None
    genesis_hash: str | None = None
    trust_height: int | None = None
    trust_hash: str | None = None
    trust_hours: int | None = None
    from_blocks: bool = False
    moniker: str | None = None
    base_port: int = STANDARD_BASE


@dataclass(frozen=True)
class Joined:
    """The home that was made. trust_height, trust_hash: 0 and empty for a node that runs every block."""

    home: str
    chain_id: str
    genesis_hash: str
    rpc: str
    trust_height: int
    trust_hash: str
    peers: tuple[str, ...]
    notices: tuple[str, ...]


def join_chain(options: JoinOptions) -> Joined:
    """Make a home for a full node of the chain of some RPCs; nothing is left behind when that fails.

    Raises: as read_origin, choose_state_sync and check_from_blocks; HomeError when the folder is not empty; PortInUse.
    """
    home = Home(options.home)
    with ExitStack() as stack:
        rpcs = [stack.enter_context(Rpc(url)) for url in dict.fromkeys(url.rstrip("/") for url in options.urls)]
        origin = read_origin(rpcs, options.chain_id, options.genesis_hash)
        sync = None
        if options.from_blocks:
            check_from_blocks(origin)
        else:
            sync = choose_state_sync(origin, options.trust_height, options.trust_hash,
                                     options.trust_hours and options.trust_hours * 3600)
    notices = [f"{rpcs[0].url} alone was asked: nobody says anything else, nor the same"] if len(rpcs) == 1 else []
    base, busy = choose_base(1, options.base_port, PortClaim())
    if busy is not None:
        notices.append(f"port {busy} is taken: the node has the ports {base} (RPC) and {base - 1}")
    with explained(home.path), new_folder(home.path):
        new_full_node(home, options.moniker or home.path.name, origin, sync, (base, p2p_port(base, 0)),
                      f"unix://{socket_path(home)}", compute_app_config(AppSettings()))
    return Joined(str(home.path), origin.chain_id, origin.genesis_hash, f"http://{HOST}:{base}",
                  sync.height if sync else 0, sync.hash if sync else "", origin.peers, tuple(notices))
