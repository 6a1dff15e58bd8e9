"""network.json: what a network's folder holds, for every command that comes later and for other programs."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

from localnet.config import HOST
from localnet.errors import HomeError
from localnet.homes import Home

FORMAT = 1
FILE = "network.json"


@dataclass(frozen=True)
class NodeEntry:
    """One node. home, socket: absolute paths. address: consensus address, hex. operator: bech32 or empty."""

    name: str
    home: str
    rpc_port: int
    p2p_port: int
    socket: str
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
    """A network. created: UTC, ISO 8601. versions: of gradus and of the engine that made it."""

    chain_id: str
    created: str
    versions: dict[str, str]
    nodes: tuple[NodeEntry, ...]
    format: int = FORMAT

    def get_node(self, name: str) -> NodeEntry:
        """The node of a name such as `node0`, or of its index; HomeError when there is none."""
        for index, node in enumerate(self.nodes):
            if name in (node.name, str(index)):
                return node
        known = ", ".join(node.name for node in self.nodes)
        raise HomeError(f"there is no node {name!r} in this network", f"its nodes are {known}")


def has_manifest(folder: Path) -> bool:
    """Whether the folder holds a network."""
    return (folder / FILE).is_file()


def get_manifest(folder: Path) -> Manifest:
    """Read a network's description; HomeError when it is absent or unreadable."""
    path = folder / FILE
    try:
        record = json.loads(path.read_text())
        if record["format"] != FORMAT:
            raise HomeError(f"{path} has format {record['format']}, this version reads {FORMAT}",
                            "use the version of gradus that made it, or start a new network in another --dir")
        nodes = tuple(NodeEntry(**node) for node in record.pop("nodes"))
        return Manifest(nodes=nodes, **record)
    except FileNotFoundError as error:
        raise HomeError(f"there is no network in {folder}", f"start one: gradus localnet up --dir {folder}") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise HomeError(f"{path} is damaged: {error}", "start a new network in another --dir") from error


def put_manifest(folder: Path, manifest: Manifest) -> None:
    """Write network.json in one step; it is written last, so its presence says that the homes are complete."""
    unfinished = folder / f".{FILE}.{os.getpid()}"
    unfinished.write_text(json.dumps(asdict(manifest), indent=2) + "\n")
    os.replace(unfinished, folder / FILE)
