"""network.json: what a network's folder holds, for every command that comes later and for other programs.

Homes are written relative to the folder, so that a folder that was moved or copied speaks of its own nodes. Where it
was written last tells a copy from a network that was moved (find_original).
"""

from __future__ import annotations

import json
import os
import shlex
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from localnet.config import HOST
from localnet.errors import HomeError
from localnet.files import replace_text
from localnet.homes import Home
from localnet.releases import RELEASES, VERSION

FORMAT = 2
FILE = "network.json"
MOVING = "moving"  # the RPC port of node 0 in the block that a network moves to, while it does

Json = dict[str, Any]


@dataclass(frozen=True)
class NodeEntry:
    """One node. home: absolute path. address: consensus address, hex. operator: bech32 or empty."""

    name: str
    home: str
    rpc_port: int
    p2p_port: int
    node_id: str
    address: str
    operator: str = ""

    @property
    def rpc(self) -> str:
        """URL of the node's RPC."""
        return f"http://{HOST}:{self.rpc_port}"

    @property
    def paths(self) -> Home:
        """The node's home."""
        return Home(Path(self.home))


@dataclass(frozen=True)
class Manifest:
    """A network. created: UTC, ISO 8601. versions: gradus that made it; cometbft that ran it last, empty before that.

    place: the network's folder when this was written; another one once the folder was moved or copied.
    """

    chain_id: str
    created: str
    versions: dict[str, str]
    nodes: tuple[NodeEntry, ...]
    place: str
    format: int = FORMAT

    @property
    def engine_version(self) -> str:
        """The release of the engine to run it with when nobody chooses one."""
        ran = self.versions.get("cometbft", "")
        return ran if ran in RELEASES else VERSION

    @property
    def ports(self) -> list[int]:
        """Every port of its nodes."""
        return [port for node in self.nodes for port in (node.p2p_port, node.rpc_port)]

    def get_node(self, name: str) -> NodeEntry:
        """The node of a name such as `node0`, or of its index; HomeError when there is none."""
        return self.nodes[self.get_index(name)]

    def get_index(self, name: str) -> int:
        """Where the node of a name such as `node0`, or of its index, stands; HomeError when there is none."""
        for index, node in enumerate(self.nodes):
            if name in (node.name, str(index)):
                return index
        known = ", ".join(node.name for node in self.nodes)
        raise HomeError(f"there is no node {name!r} in this network", f"its nodes are {known}")


def is_text(value: object) -> bool:
    """Whether a field holds a text that is not empty."""
    return isinstance(value, str) and value != ""


def is_port(value: object) -> bool:
    """Whether a field holds a number that a port can have."""
    return type(value) is int and 0 < value < 65536


def is_inside(value: object) -> bool:
    """Whether a field holds a path that stays in the network's folder."""
    return isinstance(value, str) and value != "" and not Path(value).is_absolute() and ".." not in Path(value).parts


Check = tuple[Callable[[object], bool], str]

TEXT: Check = (is_text, "a text")
PORT: Check = (is_port, "a port")
NETWORK_FIELDS: dict[str, Check] = {
    "format": (lambda value: value == FORMAT, str(FORMAT)), "chain_id": TEXT, "created": TEXT, "place": TEXT,
    "versions": (lambda value: isinstance(value, dict), "an object"),
    "nodes": (lambda value: isinstance(value, list) and len(value) > 0, "a list of nodes"),
}
NODE_FIELDS: dict[str, Check] = {
    "name": TEXT, "home": (is_inside, "a path inside the folder"), "rpc_port": PORT, "p2p_port": PORT,
    "node_id": TEXT, "address": TEXT, "operator": (lambda value: isinstance(value, str), "a text"),
}


def check_fields(path: Path, where: str, record: object, fields: dict[str, Check]) -> Json:
    """Return the record when it has exactly these fields; HomeError naming the file and the field otherwise."""
    hint = "put the field right, or start a new network in another --dir"
    if not isinstance(record, dict):
        raise HomeError(f"{path} is damaged: {where or 'it'} is not an object", hint)
    prefix = f"{where}." if where else ""
    for name, (is_good, kind) in fields.items():
        if name not in record:
            raise HomeError(f"{path} is damaged: {prefix}{name} is missing", hint)
        if not is_good(record[name]):
            raise HomeError(f"{path} is damaged: {prefix}{name} is {record[name]!r}, not {kind}", hint)
    unknown = sorted(set(record) - set(fields))
    if unknown:
        raise HomeError(f"{path} is damaged: {prefix}{unknown[0]} is no field of it", hint)
    return record


def has_manifest(folder: Path) -> bool:
    """Whether the folder holds a network."""
    return (folder / FILE).is_file()


def get_manifest(folder: Path) -> Manifest:
    """Read a network's description; HomeError when it is absent, unreadable or damaged."""
    path = folder / FILE
    try:
        record = json.loads(path.read_text())
    except (FileNotFoundError, NotADirectoryError) as error:
        raise HomeError(f"there is no network in {folder}",
                        f"start one: gradus localnet up --dir {shlex.quote(str(folder))}") from error
    except (ValueError, RecursionError) as error:
        raise HomeError(f"{path} is damaged: {error}", "start a new network in another --dir") from error
    except OSError as error:
        raise HomeError(f"{path} cannot be read: {error.strerror}", "choose another --dir") from error
    if isinstance(record, dict) and record.get("format", FORMAT) != FORMAT:
        raise HomeError(f"{path} has format {record['format']}, this version reads {FORMAT}",
                        "use the version of gradus that made it, or start a new network in another --dir")
    record = check_fields(path, "", record, NETWORK_FIELDS)
    nodes = [check_fields(path, f"nodes[{i}]", node, NODE_FIELDS) for i, node in enumerate(record.pop("nodes"))]
    return Manifest(nodes=tuple(NodeEntry(**node | {"home": str(folder / node["home"])}) for node in nodes), **record)


def put_manifest(folder: Path, manifest: Manifest) -> None:
    """Write network.json in one step; it is written last, so its presence says that the homes are complete."""
    record = asdict(manifest) | {"place": str(folder)}
    for node in record["nodes"]:
        node["home"] = str(Path(node["home"]).relative_to(folder))
    replace_text(folder / FILE, json.dumps(record, indent=2) + "\n")


def find_move(folder: Path) -> int | None:
    """The block of a move that was cut short; None where there is none. HomeError when its file is damaged."""
    path = folder / MOVING
    try:
        text = path.read_text().strip()
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise HomeError(f"{path} cannot be read: {error}", "check who owns the file") from error
    if not text.isascii() or not text.isdigit() or not is_port(int(text[:6])):
        raise HomeError(f"{path} is damaged: {text[:40]!r} is not a port",
                        "write the RPC port that node 0 shall have into it, then: gradus localnet up")
    return int(text)


def find_original(folder: Path, manifest: Manifest) -> Path | None:
    """The folder of which this one is a copy; None for a network that stands where it was made, or was moved."""
    place = Path(manifest.place)
    try:
        if os.path.samefile(place, folder):
            return None
        other = get_manifest(place)
    except (OSError, HomeError):
        return None
    same = [node.node_id for node in other.nodes] == [node.node_id for node in manifest.nodes]
    return place if same else None
