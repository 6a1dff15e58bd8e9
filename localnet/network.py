"""A network of real nodes in one folder: made once, started, broken and mended on purpose, stopped.

    with Localnet.new(folder, validators=4, app_state=state) as net:     # starts, waits for the first block
        net.kill(1, "app")
        net.wait_height(20)

Every node is a process of its own with a supervisor (node.py); this class only starts and watches them.
"""

from __future__ import annotations

import os
import shutil
import signal
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from types import TracebackType
from typing import Any, Literal

from abci_app.client.rpc import Rpc
from localnet import checks, state
from localnet.config import Settings, replace_value
from localnet.engine import VERSION, Engine, find_engine
from localnet.errors import HomeError, NodeError, TimedOut
from localnet.homes import Home, Identity, new_genesis_document, new_home, put_config, put_genesis, socket_path
from localnet.manifest import Manifest, NodeEntry, get_manifest, has_manifest, put_manifest
from localnet.node import NodeProcess, find_failure, start_node, stop_supervisor
from localnet.ports import STANDARD_BASE, choose_base, find_busy, p2p_port, rpc_port

VALIDATORS_MAX = 32
FIRST_BLOCK_SECONDS = 120.0
STOP_SECONDS = 40.0
DATASETS = "datasets"  # one folder for all nodes of a network, so that `gradus data add` reaches every auditor

Part = Literal["app", "engine", "node"]
Json = dict[str, Any]
ComposeState = Callable[[str, Sequence[Identity], Sequence[Home]], tuple[Json, Sequence[str]]]


def no_app_state(_chain_id: str, identities: Sequence[Identity], _homes: Sequence[Home]) -> tuple[Json, Sequence[str]]:
    """The genesis of an app that needs none: empty, and no operators."""
    return {}, ["" for _ in identities]


class Localnet:
    """A network of this machine. Used as `with`, it runs inside the block and its nodes end with this process.

    manifest: what network.json says. notices: what the user should be told, such as ports that had to move.
    """

    def __init__(self, folder: Path, engine: Engine | None = None) -> None:
        """Open the network in a folder; HomeError when there is none."""
        self.folder = folder.expanduser().absolute()
        self.manifest = get_manifest(self.folder)
        self.engine = engine
        self.notices: list[str] = []
        self.processes: dict[int, NodeProcess] = {}
        self.rpcs = [Rpc(node.rpc) for node in self.manifest.nodes]

    @classmethod
    def new(cls, folder: Path, validators: int = 4, chain_id: str = "gradus-local-1", *,
            base_port: int = STANDARD_BASE, compose: ComposeState = no_app_state, builtin_app: str | None = None,
            timeout_commit: str = "200ms", timeout_propose: str = "1500ms", cors_origins: Sequence[str] = (),
            consensus_params: Json | None = None, engine: Engine | None = None) -> Localnet:
        """Make the homes of a new network; nothing runs yet.

        base_port: RPC port of node 0; 0 draws a free block. compose: (chain id, identities, homes) -> (app state of
        the genesis, operator address of each node). builtin_app: an app inside the engine in place of ours.
        Raises: HomeError when the folder is not empty; PortInUse.
        """
        folder = folder.expanduser().absolute()
        if not 1 <= validators <= VALIDATORS_MAX:
            raise HomeError(f"{validators} validators", f"choose 1 to {VALIDATORS_MAX}")
        if folder.exists() and any(folder.iterdir()):
            raise HomeError(f"{folder} is not empty", "choose another --dir, or remove it")
        existed = folder.exists()
        base, moved = choose_base(validators, base_port)
        names = [f"node{i}" for i in range(validators)]
        homes = [Home(folder / name) for name in names]
        try:
            identities = [new_home(home, name) for home, name in zip(homes, names, strict=True)]
            app_state, operators = compose(chain_id, identities, homes)
            document = new_genesis_document(chain_id, identities, app_state, consensus_params)
            peers = [f"{one.node_id}@127.0.0.1:{p2p_port(base, i)}" for i, one in enumerate(identities)]
            nodes = []
            (folder / DATASETS).mkdir()
            for i, (home, one) in enumerate(zip(homes, identities, strict=True)):
                socket = socket_path(home)
                (home.path / DATASETS).symlink_to(Path("..") / DATASETS)
                put_genesis(home, document)
                put_config(home, Settings(
                    moniker=one.name, rpc_port=rpc_port(base, i), p2p_port=p2p_port(base, i),
                    proxy_app=builtin_app or f"unix://{socket}", peers=tuple(peers[:i] + peers[i + 1:]),
                    timeout_commit=timeout_commit, timeout_propose=timeout_propose, cors_origins=tuple(cors_origins)))
                nodes.append(NodeEntry(one.name, str(home.path), rpc_port(base, i), p2p_port(base, i), str(socket),
                                       one.node_id, one.address, operators[i]))
            put_manifest(folder, Manifest(chain_id, datetime.now(UTC).isoformat(timespec="seconds"),
                                          {"gradus": own_version(), "cometbft": VERSION}, tuple(nodes)))
        except BaseException:
            for made in [home.path for home in homes] if existed else [folder]:
                shutil.rmtree(made, ignore_errors=True)
            raise
        net = cls(folder, engine)
        if moved is not None:
            net.notices.append(f"port {moved} is taken: the network uses the ports from {base - 1} on, RPC {base}")
        return net

    def __enter__(self) -> Localnet:
        try:
            self.start()
            self.wait_height(1, FIRST_BLOCK_SECONDS)
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        self.stop()

    def start(self, attached: bool = True, restart: bool = True) -> None:
        """Start every node that does not run; returns at once.

        attached: the nodes end when this process does. When the ports of a network of which nothing runs are taken,
        all of it moves to a free block first, with a notice.
        """
        self.engine = self.engine or find_engine()
        waiting = [i for i, node in enumerate(self.manifest.nodes) if not state.is_supervised(node.paths)]
        if len(waiting) == len(self.manifest.nodes):
            self.move_if_taken()
        for i in waiting:
            self.processes[i] = start_node(self.manifest.nodes[i].paths, self.engine, attached, restart)

    def move_if_taken(self) -> None:
        """Move the whole network to a free block of ports when one of its ports is taken."""
        nodes = self.manifest.nodes
        base = nodes[0].rpc_port
        if find_busy([port for node in nodes for port in (node.p2p_port, node.rpc_port)]) is None:
            return
        new_base, busy = choose_base(len(nodes), base)
        peers = [f"{node.node_id}@127.0.0.1:{p2p_port(new_base, i)}" for i, node in enumerate(nodes)]
        moved = []
        for i, node in enumerate(nodes):
            text = node.paths.config.read_text()
            text = replace_value(text, "rpc", "laddr", f"tcp://127.0.0.1:{rpc_port(new_base, i)}")
            text = replace_value(text, "p2p", "laddr", f"tcp://127.0.0.1:{p2p_port(new_base, i)}")
            text = replace_value(text, "p2p", "persistent_peers", ",".join(peers[:i] + peers[i + 1:]))
            node.paths.config.write_text(text)
            moved.append(NodeEntry(**{**vars(node), "rpc_port": rpc_port(new_base, i),
                                      "p2p_port": p2p_port(new_base, i)}))
        self.manifest = Manifest(**{**vars(self.manifest), "nodes": tuple(moved)})
        put_manifest(self.folder, self.manifest)
        self.rpcs = [Rpc(node.rpc) for node in self.manifest.nodes]
        self.notices.append(f"port {busy} is taken: the network moved to the ports from {new_base - 1} on, "
                            f"RPC {new_base}")

    def stop(self, seconds: float = STOP_SECONDS) -> None:
        """End every node, whichever process started it; NodeError naming those that would not end in time."""
        for process in self.processes.values():
            process.stop()
        deadline_s = time.monotonic() + seconds
        for process in self.processes.values():
            process.wait(max(0.1, deadline_s - time.monotonic()))
        stubborn = [node.name for node in self.manifest.nodes
                    if not stop_supervisor(node.paths, max(1.0, deadline_s - time.monotonic()))]
        self.processes = {i: process for i, process in self.processes.items() if not process.wait(0)}
        if stubborn:
            raise NodeError(f"{', '.join(stubborn)} did not stop in {seconds:.0f} s",
                            "read the logs, then kill the pids that gradus localnet status shows")

    def stop_node(self, index: int, seconds: float = STOP_SECONDS) -> None:
        """End one node in good order; NodeError when it does not end in time."""
        node = self.manifest.nodes[index]
        ended = stop_supervisor(node.paths, seconds)
        process = self.processes.get(index)
        if process and process.wait(seconds if ended else 0):
            del self.processes[index]
        if not ended:
            raise NodeError(f"{node.name} did not stop in {seconds:.0f} s", f"read {node.paths.log('node')}")

    def start_one(self, index: int, attached: bool = True) -> None:
        """Start one node that does not run; returns at once."""
        self.engine = self.engine or find_engine()
        self.processes[index] = start_node(self.manifest.nodes[index].paths, self.engine, attached)

    def restart(self, index: int) -> None:
        """End one node in good order and start it again."""
        attached = self.processes[index].attached if index in self.processes else False
        self.stop_node(index)
        self.start_one(index, attached)

    def kill(self, index: int, part: Part) -> int:
        """SIGKILL the app or the engine of a node (its supervisor restarts both), or with "node" all of it.

        Returns the pid that was killed. Raises: NodeError when that part is not running.
        """
        node = self.manifest.nodes[index]
        pid = state.find_pid(node.paths, "supervisor" if part == "node" else part)
        if pid is None or not state.is_supervised(node.paths):
            raise NodeError(f"the {part} of {node.name} is not running", "gradus localnet status")
        os.kill(pid, signal.SIGKILL)
        if part == "node":
            checks.wait_until(lambda: not state.is_supervised(node.paths), 10, f"the end of {node.name}")
            if index in self.processes:
                self.processes.pop(index).wait(10)
        return pid

    def wait_height(self, height: int, seconds: float = FIRST_BLOCK_SECONDS, nodes: Sequence[int] | None = None,
                    report: Callable[[list[int]], None] = lambda _heights: None) -> None:
        """Wait until the nodes (all when None) have a block of at least this height.

        report: is told the heights whenever they were read. Raises: NodeError as soon as a node of these has given
        up, with its reason; TimedOut.
        """
        chosen = range(len(self.rpcs)) if nodes is None else nodes
        deadline_s = time.monotonic() + seconds
        while True:
            heights = [checks.find_height(self.rpcs[i]) or 0 for i in chosen]
            report(heights)
            if min(heights) >= height:
                return
            for i in chosen:
                self.check_alive(i)
            if time.monotonic() > deadline_s:
                raise TimedOut(f"height {height} was not reached in {seconds:.0f} s; the nodes are at {heights}",
                               f"read the logs in {self.folder}/node*/logs")
            time.sleep(checks.POLL_S)

    def check_alive(self, index: int) -> None:
        """NodeError with the reason when a node's supervisor has ended."""
        process = self.processes.get(index)
        if process and process.process.poll() is not None:
            raise find_failure(process.home)
        if process is None and not state.is_supervised(self.manifest.nodes[index].paths):
            raise find_failure(self.manifest.nodes[index].paths)


def open_or_new(folder: Path, engine: Engine, **options: Any) -> tuple[Localnet, bool]:
    """The network in a folder, made when there is none. Returns (network, whether it is new)."""
    if has_manifest(folder.expanduser().absolute()):
        return Localnet(folder, engine), False
    return Localnet.new(folder, engine=engine, **options), True


def own_version() -> str:
    """The installed version of gradus, or a word saying that it runs from sources."""
    try:
        return metadata.version("gradus")
    except metadata.PackageNotFoundError:
        return "source"
