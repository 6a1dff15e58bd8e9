"""Homes of nodes: keys, genesis and configuration, as `cometbft start --home` expects them.

<home>/config   config.toml, app.toml, genesis.json, node_key.json, priv_validator_key.json, branch in a copied network
<home>/data     priv_validator_state.json, later the engine's databases
<home>/run      lock, pid files, state.json, the app's socket when the path is short enough
<home>/logs     app.log, engine.log, auditor.log, node.log
<home>/audits   what the auditor answers
"""

from __future__ import annotations

import base64
import fcntl
import hashlib
import json
import os
import re
import shlex
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from localnet.config import TX_BYTES_MAX, Settings, compute_config
from localnet.errors import HomeError
from localnet.files import replace_text
from localnet.keys import PUBLIC_TYPE, EngineKey, new_engine_key, put_node_key, put_private, put_validator_key

SOCKET_PATH_BYTES_MAX = 103  # 104 with the closing zero on macOS, 108 on Linux
BLOCK_BYTES_MAX = 2 * TX_BYTES_MAX
BLOCK_GAS_MAX = 500_000_000
EVIDENCE_AGE_NS = 21 * 24 * 3600 * 10**9  # light clients trust a block for less: attacks on them are punished
VALIDATOR_POWER = 10
HOMES = "homes are what `gradus localnet up` and `gradus node join` make, such as ~/.gradus/localnet/node0"
CHAIN_ID = re.compile(r"[A-Za-z0-9._-]{1,50}")

Json = dict[str, Any]


@dataclass(frozen=True)
class Home:
    """Paths inside one node's home."""

    path: Path

    @property
    def config(self) -> Path:
        """config.toml."""
        return self.path / "config" / "config.toml"

    @property
    def app_config(self) -> Path:
        """app.toml."""
        return self.path / "config" / "app.toml"

    @property
    def genesis(self) -> Path:
        """genesis.json."""
        return self.path / "config" / "genesis.json"

    @property
    def validator_key(self) -> Path:
        """priv_validator_key.json."""
        return self.path / "config" / "priv_validator_key.json"

    @property
    def node_key(self) -> Path:
        """node_key.json."""
        return self.path / "config" / "node_key.json"

    @property
    def validator_state(self) -> Path:
        """priv_validator_state.json: what this validator has signed last, its guard against double signing."""
        return self.path / "data" / "priv_validator_state.json"

    @property
    def branch(self) -> Path:
        """branch: what tells the homes of a copied network from their originals; absent where nothing was copied."""
        return self.path / "config" / "branch"

    @property
    def operator(self) -> Path:
        """operator.json: the account key of the validator's operator."""
        return self.path / "operator.json"

    @property
    def run(self) -> Path:
        """Folder of what exists only while the node runs."""
        return self.path / "run"

    @property
    def logs(self) -> Path:
        """Folder of the logs."""
        return self.path / "logs"

    def log(self, part: str) -> Path:
        """Log of a part: app, engine, auditor, or node for the supervisor's own."""
        return self.logs / f"{part}.log"

    def check(self) -> None:
        """HomeError naming the first file of a complete home that is missing."""
        files = (self.config, self.genesis, self.validator_key, self.node_key, self.validator_state)
        if (self.path.parent / "network.json").is_file():
            hint = "put it back from a copy, or start a new network in another --dir"
        elif any(file.is_file() for file in files):
            hint = "put it back from a copy"
        else:
            hint = HOMES
        if not self.path.is_dir():
            raise HomeError(f"there is no node in {self.path}", hint)
        if (self.path / "network.json").is_file() and not self.config.is_file():
            raise HomeError(f"{self.path} holds a network, not one node", "name the home of one of its nodes, such as "
                            f"{shlex.quote(str(self.path / 'node0'))}")
        for file in files:
            if not file.is_file():
                raise HomeError(f"{self.path} is not a complete home: there is no {file.relative_to(self.path)}", hint)


@dataclass(frozen=True)
class Identity:
    """What the others must know of a node. address: 40 upper hex digits. public_key: base64 of 32 bytes."""

    name: str
    node_id: str
    address: str
    public_key: str


def new_home(home: Home, name: str) -> Identity:
    """Make the folders and draw the keys of one node; HomeError when a key stands there already."""
    for folder in (home.config.parent, home.validator_state.parent, home.run, home.logs):
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    validator, node = new_engine_key(), new_engine_key()
    try:
        put_validator_key(home.validator_key, validator)
        put_node_key(home.node_key, node)
        put_private(home.validator_state, json.dumps({"height": "0", "round": 0, "step": 0}))
    except FileExistsError as error:
        raise HomeError(f"{error.filename} exists already",
                        "keys are never replaced: choose another folder") from error
    return new_identity(name, node, validator)


def new_identity(name: str, node: EngineKey, validator: EngineKey) -> Identity:
    """The public side of a node's keys."""
    return Identity(name, node.address.hex(), validator.address.hex().upper(),
                    base64.b64encode(validator.public).decode())


def check_chain_id(chain_id: str) -> None:
    """HomeError when a chain's name is too long for the engine, or would have to be quoted in a shell or an URL."""
    if not CHAIN_ID.fullmatch(chain_id):
        raise HomeError(f"{chain_id!r} is not a chain id",
                        "1 to 50 letters, digits, dots, dashes and underscores, such as gradus-local-1")


def new_genesis_document(chain_id: str, identities: Sequence[Identity], app_state: Json,
                         consensus_params: Json | None = None) -> Json:
    """The engine's genesis document; every node of a network has the same bytes of it.

    app_state: whatever the application's InitChain takes. consensus_params: replaces whole sections.
    """
    check_chain_id(chain_id)
    params: Json = {
        "block": {"max_bytes": str(BLOCK_BYTES_MAX), "max_gas": str(BLOCK_GAS_MAX)},
        "evidence": {"max_age_num_blocks": "100000", "max_age_duration": str(EVIDENCE_AGE_NS),
                     "max_bytes": "1048576"},
        "validator": {"pub_key_types": ["ed25519"]},
        "version": {"app": "0"},
        "abci": {"vote_extensions_enable_height": "1"},
    }
    validators = [
        {"address": one.address, "pub_key": {"type": PUBLIC_TYPE, "value": one.public_key},
         "power": str(VALIDATOR_POWER), "name": one.name}
        for one in identities
    ]
    return {
        "genesis_time": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        "chain_id": chain_id,
        "initial_height": "1",
        "consensus_params": params | (consensus_params or {}),
        "validators": validators,
        "app_hash": "",
        "app_state": app_state,
    }


def count_validators(home: Home) -> int:
    """How many validators the genesis of a home names; HomeError when it is damaged."""
    try:
        return len(json.loads(home.genesis.read_text())["validators"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise HomeError(f"{home.genesis} is damaged: {error!r}", "put it back from another node") from error


def put_config(home: Home, settings: Settings) -> None:
    """Write config.toml."""
    replace_text(home.config, compute_config(settings))


def put_app_config(home: Home, text: str) -> None:
    """Write app.toml."""
    replace_text(home.app_config, text)


def put_genesis(home: Home, document: Json) -> None:
    """Write genesis.json."""
    replace_text(home.genesis, json.dumps(document, indent=2) + "\n")


def socket_path(home: Home) -> Path:
    """Where the app of this home listens: in the home, or in a short folder of its own when that path is too long.

    Unix sockets have a fixed room for their path (SOCKET_PATH_BYTES_MAX). The short name is a hash of the home's.
    """
    near = home.run.absolute() / "app.sock"
    if len(os.fsencode(near)) <= SOCKET_PATH_BYTES_MAX:
        return near
    name = hashlib.sha256(os.fsencode(home.path.absolute())).hexdigest()[:16]
    for folder in (os.environ.get("XDG_RUNTIME_DIR"), tempfile.gettempdir(), "/tmp"):
        if folder and Path(folder).is_dir():
            far = Path(folder) / f"gradus-{os.geteuid()}-{name}" / "app.sock"
            if len(os.fsencode(far)) <= SOCKET_PATH_BYTES_MAX:
                return far
    raise HomeError(f"no short enough path for the socket of {home.path}", "choose a shorter --dir")


def prepare_socket_folder(socket: Path) -> None:
    """Make the socket's folder, private to this user, and remove a socket that a crash left behind."""
    make_private(socket.parent)
    if socket.is_socket():
        socket.unlink()
    elif socket.exists():
        raise HomeError(f"{socket} exists and is no socket", "move the file away")


def remove_socket(home: Home, socket: Path) -> None:
    """Remove a socket and, when it is not in the home, the folder that was made for it."""
    socket.unlink(missing_ok=True)
    if socket.parent != home.run:
        with suppress(OSError):
            socket.parent.rmdir()


def make_private(folder: Path) -> None:
    """Make a folder that this user alone may write; HomeError when it is there already and others may."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    seen = folder.stat()
    if seen.st_uid != os.geteuid() or seen.st_mode & 0o022:
        raise HomeError(f"{folder} can be written by others", f"chmod 700 {folder}, or choose another --dir")


@contextmanager
def explained(folder: Path) -> Iterator[None]:
    """Turn what the system says when a folder cannot be used into a HomeError with the path."""
    try:
        yield
    except OSError as error:
        raise HomeError(f"{error.filename or folder}: {error.strerror or error}",
                        "choose a folder that you may write to") from error


@contextmanager
def new_folder(folder: Path) -> Iterator[None]:
    """Make a folder, or take an empty one, for this process alone; on failure it is left as it was.

    Raises: HomeError when it is not empty, or another process makes a network there.
    """
    existed = folder.exists()
    folder.mkdir(parents=True, exist_ok=True)
    handle = os.open(folder, os.O_RDONLY)
    try:
        take_folder(folder, handle)
        try:
            yield
        except BaseException:
            for made in list(folder.iterdir()) if existed else [folder]:
                shutil.rmtree(made, ignore_errors=True)
            raise
    finally:
        os.close(handle)


def take_folder(folder: Path, handle: int) -> None:
    """Lock an empty folder. Raises as new_folder."""
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise HomeError(f"another process makes a network in {folder}",
                        "wait for it, or choose another --dir") from error
    if any(folder.iterdir()):
        raise HomeError(f"{folder} is not empty", "choose another --dir, or move away what is in it: keys made before "
                        "the network, too")
