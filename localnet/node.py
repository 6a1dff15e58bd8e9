"""One node: what its home says must run, checked before it runs, under a supervisor of its own."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from localnet import state
from localnet.config import HOST, Wiring, get_wiring, replace_value
from localnet.engine import Engine
from localnet.errors import HomeError, NodeError, PortInUse
from localnet.files import replace_text
from localnet.homes import Home, explained, socket_path
from localnet.logs import tail
from localnet.manifest import find_move, find_original, get_manifest, has_manifest
from localnet.parts import HONEST, Command
from localnet.ports import find_busy
from localnet.releases import VERSION, engine_environment
from localnet.restart import RestartRule
from localnet.supervisor import HANG_S, Supervisor

APP_MODULE = "abci_app.abci"
CLI_MODULE = "abci_app.cli"
KERNELS_CACHE = "NUMBA_CACHE_DIR"
THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def run_node(home: Home, engine: Engine, restart: bool = True, lifeline: int | None = None,
             say: Callable[[str], None] = lambda _text: None, hang_s: float = HANG_S,
             auditor: str | None = HONEST) -> bool:
    """Run the app and the engine of a home until told to stop; whether that was by Ctrl-C.

    restart: start both again when either dies. lifeline: a file descriptor whose end of file means stop. hang_s: as
    Supervisor's. auditor: how the auditor beside it behaves; None for no auditor. Raises: HomeError, PortInUse,
    NodeError.
    """
    home.check()
    check_settled(home)
    wiring = get_wiring(home.config)
    if wiring.socket is not None:
        wiring = put_own_socket(home, wiring)
    rule = RestartRule() if restart else RestartRule(tries_max=0)
    supervisor = Supervisor(home, node_commands(home, wiring, engine), rule, lambda: check_ports(home, wiring), say,
                            lifeline, hang_s=hang_s, auditor=find_auditor_command(home, wiring, auditor))
    supervisor.run()
    return supervisor.is_interrupted


def find_usual_version(home: Home) -> str:
    """The release of the engine that a home runs with when nobody chooses one: its network's."""
    folder = home.path.parent
    return get_manifest(folder).engine_version if has_manifest(folder) else VERSION


def check_settled(home: Home) -> None:
    """HomeError when the home's network is a copy without ports of its own yet, or in the middle of a move."""
    folder = home.path.parent
    if not has_manifest(folder):
        return
    if find_move(folder) is not None:
        raise HomeError(f"the network in {folder} was being moved to other ports when that was cut short",
                        f"have it finished: gradus localnet up --dir {shlex.quote(str(folder))}")
    original = find_original(folder, get_manifest(folder))
    if original is not None:
        raise HomeError(f"{folder} is a copy of {original}, with the same keys and ports",
                        f"make it a network of its own: gradus localnet up --dir {shlex.quote(str(folder))}")


def put_own_socket(home: Home, wiring: Wiring) -> Wiring:
    """Have the app listen where this home's socket belongs: a home that was moved names the socket of another one."""
    socket = socket_path(home)
    if wiring.socket == socket:
        return wiring
    with explained(home.path):
        replace_text(home.config, replace_value(home.config.read_text(), "", "proxy_app", f"unix://{socket}"))
    return replace(wiring, socket=socket)


def node_commands(home: Home, wiring: Wiring, engine: Engine) -> tuple[Command, ...]:
    """What runs, in order. An app inside the engine needs no process of its own."""
    start = Command("engine", (str(engine.path), "start", "--home", str(home.path)),
                    environment=engine_environment())
    if wiring.socket is None:
        return (start,)
    app = (sys.executable, "-m", APP_MODULE, "--home", str(home.path), "--socket", str(wiring.socket))
    return Command("app", app, wiring.socket), start


def find_auditor_command(home: Home, wiring: Wiring, behaviour: str | None) -> Command | None:
    """What runs beside the node; None without an auditor, and for an app inside the engine, which asks none.

    It has one thread, unless the environment says otherwise: it shares its machine with the node.
    """
    if behaviour is None or wiring.socket is None:
        return None
    return Command("auditor", (sys.executable, "-m", CLI_MODULE, "auditor", "start", "--home", str(home.path),
                               "--node", f"http://{HOST}:{wiring.rpc_port}", "--behaviour", behaviour),
                   environment=dict.fromkeys(THREAD_VARIABLES, "1") | os.environ)


def check_ports(home: Home, wiring: Wiring) -> None:
    """PortInUse naming the port, its use and the file to change when one of a node's ports is taken."""
    busy = find_busy([wiring.rpc_port, wiring.p2p_port])
    if busy is not None:
        use = "RPC" if busy == wiring.rpc_port else "peers"
        raise PortInUse(f"port {busy} ({use}) of {wiring.moniker} is taken by another program",
                        f"stop that program, or change laddr in {home.config}; "
                        "`gradus localnet up` moves a whole network by itself")


@dataclass
class NodeProcess:
    """A supervisor in a process of its own. attached: it ends when this process does."""

    home: Home
    process: subprocess.Popen[bytes]
    attached: bool

    def stop(self) -> None:
        """Ask the node to stop; returns at once."""
        if self.process.poll() is None:
            self.process.terminate()

    def wait(self, seconds: float) -> bool:
        """Whether the node has ended, waiting at most this long."""
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        if self.process.stdin:
            self.process.stdin.close()
        return True


def start_node(home: Home, engine: Engine, attached: bool, restart: bool = True,
               auditor: str | None = None) -> NodeProcess:
    """Start a supervisor for a home and return at once.

    attached: the node stops when this process ends, however it ends. Otherwise it goes on in a session of its own.
    auditor: as run_node's.
    """
    (home.run / "state.json").unlink(missing_ok=True)
    command = [sys.executable, "-m", "localnet", "node", "start", "--home", str(home.path),
               "--engine", str(engine.path), "--engine-version", engine.version, "--quiet",
               "--restart" if restart else "--no-restart",
               *(("--auditor-behaviour", auditor) if auditor is not None else ("--no-auditor",))]
    home.logs.mkdir(parents=True, exist_ok=True)
    with open(home.log("start"), "wb") as said:
        process = subprocess.Popen(
            command + (["--with-parent"] if attached else []),
            stdin=subprocess.PIPE if attached else subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=said,  # what goes wrong before the supervisor has a log
            start_new_session=True, env=compute_environment(),
        )
    return NodeProcess(home, process, attached)


def compute_environment() -> dict[str, str]:
    """The environment of a supervisor: this process's, but for the kernels' cache of compiled code, which is named by a
    hash of their sources. A node that runs on may be restarted with others, and names its own."""
    environment = {**os.environ, "PYTHONPATH": import_path()}
    if Path(environment.get(KERNELS_CACHE, "")).parts[-3:-1] == ("gradus", "numba"):
        del environment[KERNELS_CACHE]
    return environment


def import_path() -> str:
    """PYTHONPATH that lets a child import this package wherever the parent found it."""
    here = str(Path(__file__).resolve().parent.parent)
    rest = os.environ.get("PYTHONPATH", "")
    return f"{here}{os.pathsep}{rest}" if rest else here


def stop_supervisor(home: Home, seconds: float) -> bool:
    """End the node of a home, whichever process started it; True when none runs any more."""
    pid = state.find_pid(home, "supervisor")
    if pid is not None and state.is_supervised(home):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)
    deadline_s = time.monotonic() + seconds
    while state.is_supervised(home):
        if time.monotonic() > deadline_s:
            return False
        time.sleep(0.05)
    return True


def find_start_command(home: Home, word: str = "start") -> str:
    """The command that starts, or restarts, the node of a home: its network's where it belongs to one."""
    folder = home.path.parent
    with suppress(HomeError):
        for node in get_manifest(folder).nodes:
            if node.paths == home:
                return f"gradus localnet {word} {node.name} --dir {shlex.quote(str(folder))}"
    again = f"gradus node start --home {shlex.quote(str(home.path))}"
    return again if word == "start" else f"end it: kill {state.find_pid(home, 'supervisor')}; then: {again}"


def find_failure(home: Home) -> NodeError:
    """Why the node of a home is not running, from what its supervisor wrote."""
    last = state.find_state(home)
    if last and last.error:
        return NodeError(last.error, last.hint or f"start it again: {find_start_command(home)}")
    said = "\n".join(tail(home.log("start"), 6))
    return NodeError(f"the node of {home.path} is not running" + (f":\n{said}" if said else ""),
                     f"read {home.log('node')}")
