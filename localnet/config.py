"""config.toml and app.toml of a node: the settings a network on one machine needs, and reading them back.

Keys that are absent take CometBFT's own defaults, which are the same in all releases that Gradus runs with; a release
ignores keys that it does not know. Everything listens on 127.0.0.1.
Source: CometBFT v0.38, v0.39 and v0.40 config/config.go, config/toml.go.
"""

from __future__ import annotations

import json
import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from localnet.errors import HomeError

HOST = "127.0.0.1"
TX_BYTES_MAX = 1024 * 1024
RPC_BODY_BYTES_MAX = 3 * 1024 * 1024  # a transaction of TX_BYTES_MAX in base64 inside JSON
BUILTIN_APPS = ("kvstore", "persistent_kvstore", "noop", "noop_connsync", "e2e")
LOOPBACK = re.compile(r"(?:tcp://)?(127\.0\.0\.1|localhost):(\d{1,5})")
PROMETHEUS_DEFAULT = ":26660"  # where the engine listens when only instrumentation.prometheus is set
DURATION = re.compile(r"^\d+(\.\d+)?(ms|s|m)$")


@dataclass(frozen=True)
class StateSync:
    """Where a node without blocks begins: at a snapshot that a light client verifies from a trusted block on.

    servers: URLs of at least two RPCs (one may be there twice). hash: of the block at `height`, 64 hex digits.
    period_s: how long after its time that block may still be trusted.
    """

    servers: tuple[str, ...]
    height: int
    hash: str
    period_s: int


@dataclass(frozen=True)
class AppSettings:
    """What app.toml says: how many heights, blocks and snapshots a node keeps; 0 as its comments tell."""

    keep_versions: int = 1000
    retain_blocks: int = 0
    snapshot_interval: int = 1000
    snapshot_keep: int = 2


@dataclass(frozen=True)
class Settings:
    """What differs between nodes and between networks.

    proxy_app: `unix://PATH` of the app's socket, or the name of an app inside the engine (BUILTIN_APPS).
    peers: `id@host:port` of the others. timeout_*: durations as Go writes them. cors_origins: who may call
    the RPC from a browser; none by default. state_sync: None for a node that runs every block.
    """

    moniker: str
    rpc_port: int
    p2p_port: int
    proxy_app: str
    peers: tuple[str, ...] = ()
    timeout_commit: str = "200ms"
    timeout_propose: str = "3s"
    cors_origins: tuple[str, ...] = ()
    state_sync: StateSync | None = None


@dataclass(frozen=True)
class Wiring:
    """The part of a config.toml that a supervisor needs. socket: None when the app is inside the engine."""

    moniker: str
    rpc_port: int
    p2p_port: int
    socket: Path | None


def check_duration(text: str) -> str:
    """Return a Go duration such as 200ms or 1.5s; HomeError when it is none."""
    if not DURATION.match(text):
        raise HomeError(f"{text!r} is not a duration", "write it like 200ms or 1.5s")
    return text


def compute_config(settings: Settings) -> str:
    """The text of config.toml."""
    sections: dict[str, dict[str, Any]] = {
        "": {
            "moniker": settings.moniker,
            "proxy_app": settings.proxy_app,
            "abci": "socket",
            "db_backend": "goleveldb",
            "log_level": "main:info,statesync:info,*:error",
            "filter_peers": False,
        },
        "rpc": {
            "laddr": f"tcp://{HOST}:{settings.rpc_port}",
            "cors_allowed_origins": list(settings.cors_origins),
            "timeout_broadcast_tx_commit": "30s",
            "max_body_bytes": RPC_BODY_BYTES_MAX,
            "pprof_laddr": "",
        },
        "p2p": {
            "laddr": f"tcp://{HOST}:{settings.p2p_port}",
            "persistent_peers": ",".join(settings.peers),
            "addr_book_strict": False,  # loopback addresses are not routable
            "allow_duplicate_ip": True,  # all peers share one address
            "pex": False,
            "flush_throttle_timeout": "10ms",
            "send_rate": 20_000_000,
            "recv_rate": 20_000_000,
        },
        "p2p.libp2p": {"enabled": False},
        "blocksync": {"adaptive_sync": False},  # consensus beside it can sign a height twice
        "mempool": {
            "type": "flood",
            "size": 5000,
            "cache_size": 20_000,
            "recheck": True,
            "recheck_timeout": "2s",
            "keep-invalid-txs-in-cache": False,
            "max_tx_bytes": TX_BYTES_MAX,
        },
        "consensus": {
            "timeout_propose": check_duration(settings.timeout_propose),
            "timeout_propose_delta": "500ms",
            "timeout_prevote": "500ms",
            "timeout_prevote_delta": "200ms",
            "timeout_precommit": "500ms",
            "timeout_precommit_delta": "200ms",
            "timeout_commit": check_duration(settings.timeout_commit),
            "skip_timeout_commit": False,
            "create_empty_blocks": True,
            "peer_gossip_sleep_duration": "20ms",
            "peer_query_maj23_sleep_duration": "500ms",
        },
        "statesync": compute_state_sync(settings.state_sync),
        "storage": {"discard_abci_responses": False},
        "tx_index": {"indexer": "kv"},
        "instrumentation": {"prometheus": False},
    }
    return "\n".join(section_text(name, values) for name, values in sections.items())


def compute_state_sync(sync: StateSync | None) -> dict[str, Any]:
    """The table that makes a node without blocks begin at a snapshot."""
    if sync is None:
        return {"enable": False}
    return {"enable": True, "rpc_servers": ",".join(sync.servers), "trust_height": sync.height,
            "trust_hash": sync.hash, "trust_period": f"{sync.period_s}s", "discovery_time": "5s",
            "chunk_request_timeout": "10s"}


def compute_app_config(settings: AppSettings) -> str:
    """The text of app.toml."""
    return f"""\
# How this node's app keeps its state: nothing of it changes what a block does, so nodes may differ. It is read when
# the app starts; flags of `python -m abci_app.abci` go before it.

# Heights whose state stays readable and provable, 0 for all; at least 2.
keep_versions = {settings.keep_versions}

# Blocks that the engine keeps at least, 0 for all; and in any case those of which a misbehaviour can still be told.
retain_blocks = {settings.retain_blocks}

# A snapshot of the state every so many blocks, from which new nodes begin; 0 for none.
snapshot_interval = {settings.snapshot_interval}

# How many snapshots are kept, the newest ones.
snapshot_keep = {settings.snapshot_keep}
"""


def section_text(name: str, values: dict[str, Any]) -> str:
    """One TOML table. JSON's strings, integers, booleans and lists are TOML's too."""
    head = f"[{name}]\n" if name else ""
    return head + "".join(f"{key} = {json.dumps(value)}\n" for key, value in values.items())


def replace_value(text: str, section: str, key: str, value: Any) -> str:
    """Set one key of a TOML text and leave every other line as it stands; HomeError when the key is absent."""
    lines, current = text.splitlines(keepends=True), ""
    for i, line in enumerate(lines):
        head = re.match(r"\s*\[([^\]]+)\]", line)
        if head:
            current = head[1].strip()
        elif current == section and re.match(rf"\s*{re.escape(key)}\s*=", line):
            lines[i] = f"{key} = {json.dumps(value)}\n"
            return "".join(lines)
    raise HomeError(f"config.toml has no {section}.{key}", "restore the line, or make the home anew")


def replace_section(text: str, section: str, values: dict[str, Any]) -> str:
    """Set a whole table of a TOML text, at its end when it is not there; every other line stays as it stands."""
    kept, current = [], ""
    for line in text.splitlines(keepends=True):
        head = re.match(r"\s*\[([^\]]+)\]", line)
        current = head[1].strip() if head else current
        if current != section:
            kept.append(line)
    return "".join(kept).rstrip("\n") + "\n\n" + section_text(section, values)


def get_wiring(path: Path) -> Wiring:
    """Read a config.toml; HomeError naming the file and the key when something is missing or malformed."""
    try:
        values = tomllib.loads(path.read_text())
    except FileNotFoundError as error:
        raise HomeError(f"there is no {path}", "is this the home of a node? `gradus localnet up` makes some") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        raise HomeError(f"{path} cannot be read: {error}", "mend the line it names") from error
    check_listeners(values, path)
    app = get_text(values, path, "proxy_app")
    if app.startswith("unix://"):
        socket: Path | None = Path(app.removeprefix("unix://"))
    elif app in BUILTIN_APPS:
        socket = None
    else:
        raise HomeError(f"{path}: proxy_app = {app!r} is not supported", 'write "unix:///path/of/app.sock"')
    return Wiring(
        moniker=get_text(values, path, "moniker"),
        rpc_port=get_port(values, path, "rpc"),
        p2p_port=get_port(values, path, "p2p"),
        socket=socket,
    )


def get_builtin_app(path: Path) -> str | None:
    """The app inside the engine that a config.toml names; None when it names a socket. Raises as get_wiring."""
    return None if get_wiring(path).socket else str(tomllib.loads(path.read_text())["proxy_app"])


def begins_at_snapshot(path: Path) -> bool:
    """Whether a config.toml that get_wiring takes has a node without blocks begin at a snapshot."""
    table = fold_names(tomllib.loads(path.read_text()).get("statesync"))
    return table.get("enable") is True


def check_listeners(values: dict[str, Any], path: Path) -> None:
    """HomeError naming a listener beside RPC and peers that other machines could reach; none of them need be set."""
    top = fold_names(values)
    rpc, instrumentation = fold_names(top.get("rpc")), fold_names(top.get("instrumentation"))
    listeners = {"priv_validator_laddr": top.get("priv_validator_laddr", ""),
                 "rpc.grpc_laddr": rpc.get("grpc_laddr", ""), "rpc.pprof_laddr": rpc.get("pprof_laddr", "")}
    if instrumentation.get("prometheus", False) is not False:
        listeners["instrumentation.prometheus_listen_addr"] = instrumentation.get("prometheus_listen_addr",
                                                                                  PROMETHEUS_DEFAULT)
    for name, address in listeners.items():
        if address != "" and not str(address).startswith("unix://") and not LOOPBACK.fullmatch(str(address)):
            raise HomeError(f"{path}: {name} = {address!r} is not a loopback address",
                            f'write "{HOST}:PORT", or "" for none; instrumentation.prometheus = false for no metrics')


def fold_names(table: object) -> dict[str, Any]:
    """A table with its names in lower case, as the engine reads them; empty when there is none."""
    return {name.lower(): value for name, value in table.items()} if isinstance(table, dict) else {}


def get_text(values: dict[str, Any], path: Path, key: str) -> str:
    """A text value of a parsed config; HomeError when it is absent or not a text."""
    value = values.get(key)
    if not isinstance(value, str) or not value:
        raise HomeError(f"{path}: {key} is missing or not a text", f'write {key} = "…"')
    return value


def get_port(values: dict[str, Any], path: Path, section: str) -> int:
    """The port of a section's laddr; HomeError when the address is not one of this machine's loopback."""
    table = values.get(section)
    address = table.get("laddr") if isinstance(table, dict) else None
    seen = LOOPBACK.fullmatch(str(address))
    if seen is None or not 0 < int(seen[2]) < 65536:
        raise HomeError(f"{path}: {section}.laddr = {address!r} is not a loopback address",
                        f'write laddr = "tcp://{HOST}:PORT" under [{section}]')
    return int(seen[2])
