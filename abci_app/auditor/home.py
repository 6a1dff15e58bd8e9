"""What an auditor reads of the node's home that it works beside."""

import json
import tomllib
from pathlib import Path

from abci_app.auditor.errors import AuditorStopped

ADDRESS_BYTES = 20
LISTEN_PREFIX = "tcp://"


def parse_address(text: str) -> bytes:
    """A consensus address of 40 hex digits. ValueError for anything else."""
    address = bytes.fromhex(text)
    if len(address) != ADDRESS_BYTES or len(text) != 2 * ADDRESS_BYTES:
        raise ValueError(f"{text!r} has not {2 * ADDRESS_BYTES} hex digits")
    return address


def check_home(home: Path) -> None:
    """Raises AuditorStopped where there is no folder, or none of a node."""
    if not (home / "config").is_dir():
        raise AuditorStopped(f"{home} is no home of a node" if home.is_dir() else f"there is no folder {home}",
                             "name a node's home with --home: those of `gradus localnet up` are node0, node1 … in its "
                             "folder, ~/.gradus/localnet by default")


def read_validator(home: Path) -> bytes:
    """The consensus address of a home's validator key. Raises AuditorStopped."""
    path = home / "config" / "priv_validator_key.json"
    try:
        return parse_address(json.loads(path.read_text(encoding="utf-8"))["address"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise AuditorStopped(f"{path} names no validator: {error}",
                             "name a node's home with --home, or the validator with --validator") from None


def read_node_url(home: Path) -> str:
    """The RPC address of a home's node. Raises AuditorStopped."""
    path = home / "config" / "config.toml"
    try:
        address = tomllib.loads(path.read_text(encoding="utf-8"))["rpc"]["laddr"]
        if not address.startswith(LISTEN_PREFIX):
            raise ValueError(f"rpc.laddr is {address!r}")
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise AuditorStopped(f"{path} names no RPC address: {error}", "name the node with --node") from None
    return f"http://{address.removeprefix(LISTEN_PREFIX)}"
