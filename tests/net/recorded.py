"""Real engines over the real application in this process, which notes every request: for what only a network can show.

    with Recorded.new(folder, powers=(40, 30, 20, 10)) as net:
        net.wait_height(3)
        net.requests(0, "finalize_block")[0].decided_last_commit

Each node has an application and a server of its own; its engine is a process beside this one.
"""

import ctypes
import json
import signal
import subprocess
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from google.protobuf.message import Message

from abci_app.abci.answers import Answers
from abci_app.abci.application import Application
from abci_app.abci.server import Server, listen_unix
from abci_app.abci.trace import Trace
from abci_app.app import STORE_NAMES, new_app
from abci_app.client.rpc import Rpc
from abci_app.store.disk import Database
from abci_app.wire.answer_file import ANSWERS_FOLDER, encode_answer_file, file_name
from abci_app.wire.pb.gradus.audits.v1.audits_pb2 import Audit
from localnet import checks
from localnet.engine import find_engine
from localnet.genesis import new_composer
from localnet.homes import socket_path
from localnet.network import Localnet
from localnet.releases import engine_environment
from tests.court import NOBODY, SEED, Opener

STOP_SECONDS = 30
PR_SET_PDEATHSIG = 1


class Notes(Application):
    """The application, with every consensus request and its answer kept."""

    noted: list[tuple[str, Message, Message]]

    def call(self, name: str, request: Message) -> Message:
        """See Application."""
        answer = super().call(name, request)
        if name not in ("query", "check_tx", "info"):
            self.noted.append((name, request, answer))
        return answer


class Recorded:
    """A network of validators whose applications run here."""

    def __init__(self, net: Localnet, opened: dict[int, list[bytes]]) -> None:
        self.net, self.opened = net, opened
        self.apps: list[Notes] = []
        self.failures: list[BaseException] = []
        self._closing: list[Callable[[], None]] = []
        self._engines: dict[int, subprocess.Popen[bytes]] = {}

    @classmethod
    def new(cls, folder: Path, powers: Sequence[int], initial_height: int = 1,
            opened: dict[int, list[bytes]] | None = None) -> "Recorded":
        """Homes of a new network with these powers, whose first block has this height; nothing runs yet.

        opened: the audits that blocks open, by height.
        """
        net = Localnet.new(folder, len(powers), base_port=0, compose=new_composer(), engine=find_engine())
        for node in net.manifest.nodes:
            document = json.loads(node.paths.genesis.read_text()) | {"initial_height": str(initial_height)}
            document["consensus_params"]["abci"] = {"vote_extensions_enable_height": str(initial_height)}
            power_of = {one.address: power for one, power in zip(net.manifest.nodes, powers, strict=True)}
            for validator in document["validators"]:
                validator["power"] = str(power_of[validator["address"]])
            node.paths.genesis.write_text(json.dumps(document))
        return cls(net, opened or {})

    def __enter__(self) -> "Recorded":
        self.net.claim.release()
        for index in range(len(self.net.manifest.nodes)):
            self._start_app(index)
            self.start_engine(index)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        for index in list(self._engines):
            self.stop_engine(index)
        for close in reversed(self._closing):
            close()
        assert self.failures == []

    def _start_app(self, index: int) -> None:
        home = self.net.manifest.nodes[index].paths
        path = socket_path(home)
        path.parent.mkdir(parents=True, exist_ok=True)
        database = Database.open(home.path / "state", STORE_NAMES, fsync=False)
        trace = Trace(home.path / "abci.trace")
        opener = Opener(new_app(), {height: [(subject, NOBODY, 4) for subject in subjects]
                                    for height, subjects in self.opened.items()})
        app = Notes(opener.new_app(), database, trace=trace, answers=Answers(home.path / ANSWERS_FOLDER),
                    validator=bytes.fromhex(self.net.manifest.nodes[index].address))
        app.noted = []
        server = Server(app, listen_unix(path))

        def serve() -> None:
            try:
                server.run()
            except Exception as error:
                self.failures.append(error)

        thread = threading.Thread(target=serve)
        thread.start()

        def close() -> None:
            server.stop()
            thread.join(STOP_SECONDS)
            database.close()
            trace.close()
            path.unlink(missing_ok=True)

        self._closing.append(close)
        self.apps.append(app)

    def start_engine(self, index: int) -> None:
        """Start a node's engine, which dies with this process."""
        home = self.net.manifest.nodes[index].paths
        home.logs.mkdir(exist_ok=True)
        prctl = ctypes.CDLL(None).prctl
        with open(home.log("engine"), "ab") as log:
            self._engines[index] = subprocess.Popen(
                [str(find_engine().path), "start", "--home", str(home.path)], stdin=subprocess.DEVNULL, stdout=log,
                stderr=subprocess.STDOUT, env=engine_environment(),
                preexec_fn=lambda: prctl(PR_SET_PDEATHSIG, signal.SIGKILL))

    def stop_engine(self, index: int) -> None:
        """Stop a node's engine; its application goes on."""
        engine = self._engines.pop(index)
        engine.terminate()
        engine.wait(STOP_SECONDS)

    def answer(self, index: int, subject: bytes, answer: bytes) -> None:
        """An answer that the auditor beside a node has finished."""
        folder = self.net.manifest.nodes[index].paths.path / ANSWERS_FOLDER
        folder.mkdir(exist_ok=True)
        (folder / "new").write_bytes(encode_answer_file(subject, answer, SEED))
        (folder / "new").rename(folder / file_name(subject))

    def find_audit(self, subject: bytes, index: int = 0) -> Audit | None:
        """An audit in the state of a node."""
        app = self.apps[index]
        return app._app.audits.find_audit(app._new_check_ctx(), subject)

    def rpc(self, index: int = 0) -> Rpc:
        """A node's RPC."""
        return self.net.rpcs[index]

    def height(self, index: int = 0) -> int:
        """A node's height, 0 before its first block."""
        return self.apps[index]._database.height

    def wait_height(self, height: int, nodes: Sequence[int] | None = None) -> None:
        """Wait until these nodes, or all, have committed a height."""
        named = range(len(self.apps)) if nodes is None else nodes
        checks.wait_until(lambda: all(self.height(index) >= height for index in named), 90, f"height {height}")

    def requests(self, index: int, name: str) -> list[Any]:
        """A node's requests of one kind so far, the oldest first."""
        return [request for kind, request, _ in list(self.apps[index].noted) if kind == name]

    def answers(self, index: int, name: str) -> list[Any]:
        """A node's answers of one kind so far."""
        return [answer for kind, _, answer in list(self.apps[index].noted) if kind == name]
