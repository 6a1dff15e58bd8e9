"""The application's process: opens the state, proves and compiles the kernels, listens, runs until told to stop."""

import logging
import signal
import socket
import sys
from dataclasses import dataclass
from pathlib import Path

from abci_app.abci.application import Application
from abci_app.abci.errors import ConfigProblem
from abci_app.abci.server import Server, listen_tcp, listen_unix
from abci_app.abci.trace import Trace
from abci_app.app import STORE_NAMES, new_app
from abci_app.data.store import DatasetStore
from abci_app.store.disk import Database
from abci_app.store.errors import StoreError
from kernels import dispatch
from kernels.errors import KernelInputError

STATE_FOLDER = "state"
DATASETS_FOLDER = "datasets"

_log = logging.getLogger("gradus.abci")


@dataclass(frozen=True)
class Settings:
    """How one node runs. None of it changes what a block does.

    socket: path to listen at; None listens on 127.0.0.1 at tcp_port. keep_versions: heights that stay readable, 0 for
    all. retain_blocks: blocks that the engine keeps at least, 0 for all. trace: file for one letter a call,
    in the home unless its path is absolute.
    """

    home: Path
    socket: Path | None
    tcp_port: int
    keep_versions: int
    retain_blocks: int
    trace: Path | None


def run(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT. Raises ConfigProblem, and whatever a call failed with."""
    trace = Trace(settings.home / settings.trace) if settings.trace else None
    try:
        with open_state(settings) as database:
            rows = DatasetStore(settings.home / DATASETS_FOLDER)
            application = Application(new_app(), database, rows, settings.retain_blocks, trace)
            warm_kernels()
            listener = listen(settings)
            try:
                serve(Server(application, listener))
            finally:
                if settings.socket is not None:
                    settings.socket.unlink(missing_ok=True)
    finally:
        if trace is not None:
            trace.close()


def open_state(settings: Settings) -> Database:
    """The node's database. Raises ConfigProblem when it is in use, of another chain's software, or damaged."""
    if not settings.home.is_dir():
        raise ConfigProblem(f"there is no folder {settings.home}", "`gradus localnet up` makes homes of nodes")
    try:
        return Database.open(settings.home / STATE_FOLDER, STORE_NAMES, settings.keep_versions)
    except StoreError as error:
        raise ConfigProblem(error.args[0].removesuffix(f" ({error.hint})"), error.hint) from error


def warm_kernels() -> None:
    """Choose the back end, test it and compile it, so that no block waits for that."""
    try:
        choice = dispatch.warm()
    except KernelInputError as error:
        raise ConfigProblem(str(error), f"set or unset {dispatch.BACKEND_VARIABLE}") from error
    _log.info("kernels: back end %s", choice.backend)


def listen(settings: Settings) -> socket.socket:
    """The listening socket. Raises ConfigProblem."""
    listener = listen_tcp(settings.tcp_port) if settings.socket is None else listen_unix(settings.socket)
    _log.info("listening on %s", settings.socket or "tcp://127.0.0.1:%d" % listener.getsockname()[1])
    return listener


def serve(server: Server) -> None:
    """Run the server; signals end it after the calls in progress."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: server.stop())
    server.run()
    _log.info("stopped")


def start_log(level: str) -> None:
    """Everything to stdout, a line each, where the supervisor takes it up."""
    logging.basicConfig(stream=sys.stdout, level=level.upper(),
                        format="%(asctime)s %(levelname)s %(name)s %(message)s", datefmt="%Y-%m-%dT%H:%M:%S")
