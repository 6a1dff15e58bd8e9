"""The application's process: opens the state, proves and compiles the kernels, listens, runs until told to stop."""

import gc
import json
import logging
import signal
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from google.protobuf.timestamp_pb2 import Timestamp

from abci_app.abci.answers import Answers
from abci_app.abci.application import Application
from abci_app.abci.chain import Chain, find_chain, timestamp_ns
from abci_app.abci.config import Config
from abci_app.abci.errors import ConfigProblem
from abci_app.abci.server import Server, listen_tcp, listen_unix
from abci_app.abci.snapshots import Snapshots
from abci_app.abci.trace import Trace
from abci_app.app import STORE_NAMES, new_app
from abci_app.store.disk import Database
from abci_app.store.errors import StoreError
from abci_app.wire.answer_file import ANSWERS_FOLDER
from kernels import dispatch
from kernels.errors import KernelInputError
from kernels.tree.warm import Warmer

STATE_FOLDER = "state"
GENESIS_FILE = Path("config") / "genesis.json"
KEY_FILE = Path("config") / "priv_validator_key.json"
ADDRESS_BYTES = 20
PROPOSAL_S = 1.0  # much below timeout_propose: a round that ends without its proposal costs more than a smaller block
COLLECTOR_THRESHOLDS = (100_000, 50, 100)
SNAPSHOTS_FOLDER = "snapshots"

_log = logging.getLogger("gradus.abci")


@dataclass(frozen=True)
class Settings:
    """How one node runs. None of it changes what a block does.

    socket: path to listen at; None listens on 127.0.0.1 at tcp_port. trace: file for one letter a call, in the home
    unless its path is absolute. validator: the node's consensus address; None for that of its key file.
    """

    home: Path
    socket: Path | None
    tcp_port: int
    trace: Path | None
    config: Config
    validator: bytes | None = None


def run(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT. Raises ConfigProblem, and whatever a call failed with."""
    trace = Trace(settings.home / settings.trace) if settings.trace else None
    try:
        with open_state(settings) as database, open_snapshots(settings) as snapshots:
            check_chain(settings.home / GENESIS_FILE, find_chain(database.latest()))
            application = Application(new_app(), database, settings.config.retain_blocks, trace, snapshots,
                                      PROPOSAL_S, Answers(settings.home / ANSWERS_FOLDER),
                                      settings.validator or read_validator(settings.home / KEY_FILE))
            warm_kernels()
            with Warmer():
                spare_collector()
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
        return Database.open(settings.home / STATE_FOLDER, STORE_NAMES, settings.config.keep_versions)
    except StoreError as error:
        raise ConfigProblem(error.args[0].removesuffix(f" ({error.hint})"), error.hint) from error


def check_chain(genesis: Path, chain: Chain | None) -> None:
    """Raises ConfigProblem when the state is of another chain than the engine's genesis, where both are there.

    chain: the state's, None before InitChain.

    The engine compares heights and hashes when it starts, but not when its last block is one ahead of its state and of
    the app: then it would run that block on whatever state there is.
    Source: CometBFT v0.38 consensus/replay.go, ReplayBlocksWithContext, "Replay last block using real app".
    """
    try:
        document = json.loads(genesis.read_text(encoding="utf-8"))
        named, begun = document["chain_id"], Timestamp()
        if "genesis_time" in document:
            begun.FromJsonString(document["genesis_time"])
    except FileNotFoundError:
        return
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ConfigProblem(f"{genesis} cannot be read: {error!r}", "take it from another node of the chain") from error
    if chain is None:
        return
    hint = "move the state folder away, or put back the genesis that belongs to it"
    if chain.chain_id != named:
        raise ConfigProblem(f"the state is of chain {chain.chain_id}, the genesis of {named}", hint)
    if "genesis_time" in document and chain.genesis_ns != timestamp_ns(begun):
        raise ConfigProblem(f"the state is of another chain named {named}, which began with another genesis", hint)


def read_validator(key_file: Path) -> bytes | None:
    """The consensus address in the engine's key file, None without the file: such a node's votes say nothing.

    Raises ConfigProblem.
    """
    try:
        address = bytes.fromhex(json.loads(key_file.read_text(encoding="utf-8"))["address"])
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigProblem(f"{key_file} names no address: {type(error).__name__}",
                            "name the validator with --validator, or mend the file") from None
    if len(address) != ADDRESS_BYTES:
        raise ConfigProblem(f"{key_file} has an address of {len(address)} bytes", "take the file that the engine made")
    return address


@contextmanager
def open_snapshots(settings: Settings) -> Iterator[Snapshots]:
    """The node's snapshots; the one in the making ends with the node."""
    config = settings.config
    snapshots = Snapshots(settings.home / SNAPSHOTS_FOLDER, config.snapshot_interval, config.snapshot_keep)
    try:
        yield snapshots
    finally:
        snapshots.close()


def warm_kernels() -> None:
    """Choose the back end, test it and compile it, so that no block waits for that."""
    try:
        choice = dispatch.warm()
    except KernelInputError as error:
        raise ConfigProblem(str(error), f"set or unset {dispatch.BACKEND_VARIABLE}") from error
    _log.info("kernels: back end %s", choice.backend)


def spare_collector() -> None:
    """Keep the garbage collector off what lives as long as the process, and let it come seldom.

    A block makes a hundred thousand objects, which live until its Commit and hardly one of which is in a cycle; looking
    through them again and again took a quarter of the time of their transactions.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*COLLECTOR_THRESHOLDS)


def listen(settings: Settings) -> socket.socket:
    """The listening socket. Raises ConfigProblem."""
    listener = listen_tcp(settings.tcp_port) if settings.socket is None else listen_unix(settings.socket)
    _log.info("listening on %s", settings.socket or "tcp://127.0.0.1:%d" % listener.getsockname()[1])
    return listener


def serve(server: Server) -> None:
    """Run the server; signals end it after the calls in progress.

    The wakeup file has a signal seen that comes just before the wait begins, or to a thread of the database: neither
    would interrupt the wait.
    """
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: server.stop())
    before = signal.set_wakeup_fd(server.wake_fd, warn_on_full_buffer=False)
    try:
        server.run()
    finally:
        signal.set_wakeup_fd(before)
    _log.info("stopped")


def start_log(level: str) -> None:
    """Everything to stdout, a line each, where the supervisor takes it up."""
    logging.basicConfig(stream=sys.stdout, level=level.upper(),
                        format="%(asctime)s %(levelname)s %(name)s %(message)s", datefmt="%Y-%m-%dT%H:%M:%S")
