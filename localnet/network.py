"""A network of real nodes in one folder: made once, started, broken and mended on purpose, stopped.

    with Localnet.new(folder, validators=4, app_state=state) as net:     # starts, waits for the first block
        net.kill(1, "app")
        net.wait_height(20)

Every node is a process of its own with a supervisor (node.py); this class only starts and watches them.
"""

from __future__ import annotations

import os
import shlex
import signal
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from importlib import metadata
from itertools import count
from pathlib import Path
from types import TracebackType
from typing import Any, Literal

from abci_app.client.rpc import Rpc
from localnet import checks, state
from localnet.claims import PortClaim
from localnet.config import (HOST, AppSettings, Settings, check_duration, compute_app_config, get_builtin_app,
                             replace_value)
from localnet.engine import Engine, find_engine
from localnet.errors import HomeError, NodeError, TimedOut
from localnet.files import replace_text
from localnet.homes import (Home, Identity, check_chain_id, explained, new_genesis_document, new_home, put_config,
                            new_folder, put_app_config, put_genesis, socket_path)
from localnet.join import check_from_blocks, choose_state_sync, new_full_node, read_origin
from localnet.manifest import (MOVING, Manifest, NodeEntry, find_move, find_original, get_manifest, has_manifest,
                               put_manifest)
from localnet.node import NodeProcess, find_failure, start_node, stop_supervisor
from localnet.ports import STANDARD_BASE, choose_base, p2p_port, rpc_port, take_block
from localnet.signing import put_branch

VALIDATORS_MAX = 32
SERVERS_MAX = 3  # nodes by which a new one verifies where it begins
FIRST_BLOCK_SECONDS = 120.0
COMMITTED_HEIGHT = 2  # a node shows a block before its app has committed it, and the next one after that
STOP_SECONDS = 40.0
DATASETS = "datasets"  # one folder for all nodes of a network, so that `gradus data add` reaches every auditor

Part = Literal["app", "engine", "auditor", "node"]
Json = dict[str, Any]
ComposeState = Callable[[str, Sequence[Identity], Sequence[Home]], tuple[Json, Sequence[str]]]


def no_app_state(_chain_id: str, identities: Sequence[Identity], _homes: Sequence[Home]) -> tuple[Json, Sequence[str]]:
    """The genesis of an app that needs none: empty, and no operators."""
    return {}, ["" for _ in identities]


class Localnet:
    """A network of this machine. Used as `with`, it runs inside the block and its nodes end with this process.

    manifest: what network.json says. notices: what the user should be told, such as ports that had to move. claim:
    holds the network's ports from their choice until its nodes listen on them. auditors: how the auditor beside each
    validator behaves, from node 0 on; a node for which nothing stands there is started without one.
    """

    def __init__(self, folder: Path, engine: Engine | None = None) -> None:
        """Open the network in a folder; HomeError when there is none."""
        self.folder = folder.expanduser().absolute()
        self.manifest = get_manifest(self.folder)
        self.engine = engine
        self.notices: list[str] = []
        self.processes: dict[int, NodeProcess] = {}
        self.claim = PortClaim()
        self.auditors: Sequence[str] = ()
        self.rpcs = [Rpc(node.rpc) for node in self.manifest.nodes]

    @classmethod
    def new(cls, folder: Path, validators: int = 4, chain_id: str = "gradus-local-1", *,
            base_port: int = STANDARD_BASE, compose: ComposeState = no_app_state, builtin_app: str | None = None,
            timeout_commit: str = "200ms", timeout_propose: str = "3s", cors_origins: Sequence[str] = (),
            consensus_params: Json | None = None, app: AppSettings = AppSettings(),
            engine: Engine | None = None) -> Localnet:
        """Make the homes of a new network; nothing runs yet.

        base_port: RPC port of node 0; 0 draws a free block. compose: (chain id, identities, homes) -> (app state of
        the genesis, operator address of each node). builtin_app: an app inside the engine in place of ours.
        app: what the nodes' app.toml says.
        Raises: HomeError when the folder is not empty, or cannot be written; PortInUse.
        """
        folder = folder.expanduser().absolute()
        check_chain_id(chain_id)
        check_duration(timeout_commit)
        if not 1 <= validators <= VALIDATORS_MAX:
            raise HomeError(f"{validators} validators", f"choose 1 to {VALIDATORS_MAX}")
        claim = PortClaim()
        with explained(folder), new_folder(folder):
            base, moved = choose_base(validators, base_port, claim)
            names = [f"node{i}" for i in range(validators)]
            homes = [Home(folder / name) for name in names]
            identities = [new_home(home, name) for home, name in zip(homes, names, strict=True)]
            app_state, operators = compose(chain_id, identities, homes)
            document = new_genesis_document(chain_id, identities, app_state, consensus_params)
            (folder / DATASETS).mkdir()
            nodes = []
            for i, (home, one) in enumerate(zip(homes, identities, strict=True)):
                (home.path / DATASETS).symlink_to(Path("..") / DATASETS)
                put_genesis(home, document)
                put_app_config(home, compute_app_config(app))
                nodes.append(NodeEntry(one.name, str(home.path), rpc_port(base, i), p2p_port(base, i), one.node_id,
                                       one.address, operators[i]))
            for i, node in enumerate(nodes):
                put_config(node.paths, Settings(
                    moniker=node.name, rpc_port=node.rpc_port, p2p_port=node.p2p_port,
                    proxy_app=builtin_app or f"unix://{socket_path(node.paths)}", peers=compute_peers(nodes, i),
                    timeout_commit=timeout_commit, timeout_propose=timeout_propose, cors_origins=tuple(cors_origins)))
            put_manifest(folder, Manifest(chain_id, datetime.now(UTC).isoformat(timespec="seconds"),
                                          {"gradus": own_version(), "cometbft": engine.version if engine else ""},
                                          tuple(nodes), str(folder)))
        net = cls(folder, engine)
        net.claim = claim
        if moved is not None:
            net.notices.append(f"port {moved} is taken: the network uses the ports from {base - 1} on, RPC {base}")
        return net

    def add(self, from_blocks: bool = False) -> int:
        """Make one more node, which follows the network and validates nothing. Returns its index; it does not run yet.

        from_blocks: have it run every block in place of beginning at a snapshot. It trusts what the network's nodes
        say. Raises: NodeError when none of them answers; LocalnetError when there is no snapshot yet; PortInUse.
        """
        asked = [rpc for rpc in self.rpcs if checks.is_following(rpc)][:SERVERS_MAX]
        if not asked:
            raise NodeError(f"no node of the network in {self.folder} answers",
                            f"start it first: gradus localnet up --dir {shlex.quote(str(self.folder))}")
        origin = read_origin(asked, self.manifest.chain_id)
        if from_blocks:
            check_from_blocks(origin)
        sync = None if from_blocks else choose_state_sync(origin)
        first, index = self.manifest.nodes[0].paths, len(self.manifest.nodes)
        base, _ = choose_base(1, rpc_port(self.manifest.nodes[0].rpc_port, index), self.claim, self.manifest.ports)
        taken = {node.name for node in self.manifest.nodes}
        name = next(name for name in map("node{}".format, count(index))
                    if name not in taken and not (self.folder / name).exists())
        home = Home(self.folder / name)
        with explained(home.path), new_folder(home.path):
            proxy_app = get_builtin_app(first.config) or f"unix://{socket_path(home)}"
            one = new_full_node(home, name, origin, sync, (base, p2p_port(base, 0)), proxy_app,
                                first.app_config.read_text())
            (home.path / DATASETS).symlink_to(Path("..") / DATASETS)
            node = NodeEntry(name, str(home.path), base, p2p_port(base, 0), one.node_id, one.address)
            put_manifest(self.folder, replace(self.manifest, nodes=(*self.manifest.nodes, node)))
        self.manifest = get_manifest(self.folder)
        self.rpcs.append(Rpc(node.rpc))
        return index

    def __enter__(self) -> Localnet:
        try:
            self.start()
            self.wait_height(COMMITTED_HEIGHT)
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        self.stop()

    def start(self, attached: bool = True, restart: bool = True) -> None:
        """Start every node that does not run; returns at once.

        attached: the nodes end when this process does. A network of which nothing runs first gets ports that are free
        and its own (settle). Raises: HomeError when a home is not complete or cannot be written; PortInUse.
        """
        self.engine = engine = self.engine or find_engine(usual=self.manifest.engine_version)
        waiting = [i for i in range(len(self.manifest.nodes)) if not self.is_running(i)]
        for i in waiting:
            self.manifest.nodes[i].paths.check()
        with explained(self.folder):
            if len(waiting) == len(self.manifest.nodes):
                self.settle()
                self.put_engine_version(engine.version)
            for i in waiting:
                self.processes[i] = start_node(self.manifest.nodes[i].paths, engine, attached, restart,
                                               self.find_auditor(i))

    def find_auditor(self, index: int) -> str | None:
        """How the auditor beside a node shall behave; None for no auditor."""
        return self.auditors[index] if index < len(self.auditors) else None

    def put_engine_version(self, version: str) -> None:
        """Note with which release the network runs, and tell when it was another one before."""
        before = self.manifest.versions.get("cometbft", "")
        if version == before:
            return
        self.manifest = replace(self.manifest, versions=self.manifest.versions | {"cometbft": version})
        put_manifest(self.folder, self.manifest)
        if before:
            self.notices.append(f"the engine is CometBFT {version} from now on; it was {before}")

    def is_running(self, index: int) -> bool:
        """Whether a node's supervisor lives, whichever process started it."""
        return state.is_supervised(self.manifest.nodes[index].paths)

    def settle(self) -> None:
        """Claim the network's ports, or move all of it to a free block when one of them is taken.

        A copy of a network has its original's keys and ports. It never takes those ports, even free ones: so neither
        ever finds the other, and no validator signs twice in one network.
        """
        moving = find_move(self.folder)
        if moving is not None:
            self.put_ports(moving)
        ports, base = self.manifest.ports, self.manifest.nodes[0].rpc_port
        original = find_original(self.folder, self.manifest)
        if original is not None:
            base, _ = choose_base(len(self.manifest.nodes), base, self.claim, avoid=ports)
            self.put_ports(base)
            self.notices.append(f"this folder is a copy of {original}: it goes on as a network of its own, "
                                f"on the ports from {base - 1} on, RPC {base}")
            return
        busy = take_block(ports, self.claim)
        if busy is not None:
            base, _ = choose_base(len(self.manifest.nodes), base, self.claim, avoid=[busy])
            self.put_ports(base)
            self.notices.append(f"port {busy} is taken: the network moved to the ports from {base - 1} on, RPC {base}")
        elif self.manifest.place != str(self.folder):
            put_manifest(self.folder, self.manifest)

    def move(self, base_port: int) -> None:
        """Move the network to the block that starts at a port, or to the next free one, with a notice.

        base_port: RPC port of node 0; with 0 any block will do, so the network keeps its own.
        Raises: NodeError when a node runs; PortInUse.
        """
        count, base = len(self.manifest.nodes), self.manifest.nodes[0].rpc_port
        if base_port == 0:
            self.notices.append(f"the network keeps its ports: those from {base - 1} on, RPC {base}")
        if base_port in (0, base):
            return
        if any(self.is_running(i) for i in range(count)):
            raise NodeError(f"the network in {self.folder} runs, and keeps its ports: RPC {base}",
                            f"end it first: gradus localnet down --dir {shlex.quote(str(self.folder))}")
        avoid = self.manifest.ports if find_original(self.folder, self.manifest) else []
        new_base, busy = choose_base(count, base_port, self.claim, avoid)
        with explained(self.folder):
            self.put_ports(new_base)
        why = "" if busy is None else f"port {busy} is taken: "
        self.notices.append(f"{why}the network moved to the ports from {new_base - 1} on, RPC {new_base}")

    def put_ports(self, base: int) -> None:
        """Write the ports of the block that starts at `base` into every node's configuration and network.json.

        Each file is replaced in one step, network.json last; none is before all of them are known. MOVING holds the
        block until all of that is done, so that a move which was cut short is finished by the next start.
        """
        nodes = tuple(replace(node, rpc_port=rpc_port(base, i), p2p_port=p2p_port(base, i))
                      for i, node in enumerate(self.manifest.nodes))
        texts = []
        for i, node in enumerate(nodes):
            text = node.paths.config.read_text()
            text = replace_value(text, "rpc", "laddr", f"tcp://{HOST}:{node.rpc_port}")
            text = replace_value(text, "p2p", "laddr", f"tcp://{HOST}:{node.p2p_port}")
            text = replace_value(text, "p2p", "persistent_peers", ",".join(compute_peers(nodes, i)))
            texts.append(text)
        self.put_configs(base, [node.paths for node in nodes], texts)
        put_manifest(self.folder, replace(self.manifest, nodes=nodes))
        (self.folder / MOVING).unlink()
        self.manifest = get_manifest(self.folder)
        self.rpcs = [Rpc(node.rpc) for node in self.manifest.nodes]

    def put_configs(self, base: int, homes: Sequence[Home], texts: Sequence[str]) -> None:
        """Replace every configuration, with MOVING before the first; OSError leaves it only when one was replaced."""
        replace_text(self.folder / MOVING, f"{base}\n")
        has_begun = False
        try:
            if find_original(self.folder, self.manifest) is not None:
                put_branch(homes)
            for home, text in zip(homes, texts, strict=True):
                replace_text(home.config, text)
                has_begun = True
        except OSError:
            if not has_begun:
                (self.folder / MOVING).unlink()
            raise

    def stop(self, seconds: float = STOP_SECONDS) -> None:
        """End every node, whichever process started or added it; NodeError naming those that did not end in time."""
        with suppress(HomeError):
            self.manifest = get_manifest(self.folder)
        for process in self.processes.values():
            process.stop()
        deadline_s = time.monotonic() + seconds
        for process in self.processes.values():
            process.wait(max(0.1, deadline_s - time.monotonic()))
        stubborn = [node.name for node in self.manifest.nodes
                    if not stop_supervisor(node.paths, max(1.0, deadline_s - time.monotonic()))]
        self.processes = {i: process for i, process in self.processes.items() if not process.wait(0)}
        self.claim.release()
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
        self.engine = self.engine or find_engine(usual=self.manifest.engine_version)
        self.processes[index] = start_node(self.manifest.nodes[index].paths, self.engine, attached,
                                           auditor=self.find_auditor(index))

    def restart(self, index: int) -> None:
        """End one node in good order and start it again."""
        attached = self.processes[index].attached if index in self.processes else False
        self.stop_node(index)
        self.start_one(index, attached)

    def kill(self, index: int, part: Part) -> int:
        """SIGKILL the app or the engine of a node (its supervisor restarts both), its auditor, or with "node" all.

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
                if nodes is None:  # all of them listen: everyone can see that the ports are taken
                    self.claim.release()
                return
            for i in chosen:
                self.check_alive(i)
            if time.monotonic() > deadline_s:
                raise TimedOut(f"height {height} was not reached in {seconds:.0f} s; the nodes are at {heights}",
                               f"read the logs in {self.folder}/node*/logs")
            time.sleep(checks.POLL_S)

    def wait_answer(self, index: int, seconds: float = FIRST_BLOCK_SECONDS) -> None:
        """Wait until a node's RPC answers, whatever its height. Raises as wait_height."""
        deadline_s = time.monotonic() + seconds
        while checks.find_height(self.rpcs[index]) is None:
            self.check_alive(index)
            if time.monotonic() > deadline_s:
                name = self.manifest.nodes[index].name
                raise TimedOut(f"{name} did not answer in {seconds:.0f} s", f"gradus localnet logs {name}")
            time.sleep(checks.POLL_S)

    def wait_caught_up(self, index: int, seconds: float = FIRST_BLOCK_SECONDS,
                       report: Callable[[int], None] = lambda _height: None) -> int:
        """Wait until a node follows the others, and return its height. report: is told how far it is.

        Raises: NodeError as soon as the node has given up, with its reason; TimedOut.
        """
        deadline_s = time.monotonic() + seconds
        while not checks.is_following(self.rpcs[index]):
            self.check_alive(index)
            if time.monotonic() > deadline_s:
                name = self.manifest.nodes[index].name
                raise TimedOut(f"{name} did not catch up in {seconds:.0f} s", f"gradus localnet logs {name}")
            report(checks.find_height(self.rpcs[index]) or 0)
            time.sleep(checks.POLL_S)
        return self.rpcs[index].status().height

    def check_alive(self, index: int) -> None:
        """NodeError with the reason when a node's supervisor has ended."""
        process = self.processes.get(index)
        if process and process.process.poll() is not None:
            raise find_failure(process.home)
        if process is None and not state.is_supervised(self.manifest.nodes[index].paths):
            raise find_failure(self.manifest.nodes[index].paths)


def compute_peers(nodes: Sequence[NodeEntry], index: int) -> tuple[str, ...]:
    """What a node's configuration says of the others."""
    return tuple(f"{node.node_id}@{HOST}:{node.p2p_port}" for i, node in enumerate(nodes) if i != index)


def open_or_new(folder: Path, **options: Any) -> tuple[Localnet, bool]:
    """The network in a folder, made when there is none. Returns (network, whether it is new)."""
    folder = folder.expanduser().absolute()
    with explained(folder):
        exists = has_manifest(folder)
    return (Localnet(folder), False) if exists else (Localnet.new(folder, **options), True)


def own_version() -> str:
    """The installed version of gradus, or a word saying that it runs from sources."""
    try:
        return metadata.version("gradus")
    except metadata.PackageNotFoundError:
        return "source"
