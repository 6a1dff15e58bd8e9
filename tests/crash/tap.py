"""The tap: a proxy on the socket between engine and app, which counts calls and strikes at one of them.

The engine connects here, every connection is passed on to the app's own socket, and whole frames go both ways. At the
chosen call the app gets SIGKILL, either before it sees the request or when it has answered and the engine has not heard
of it; then every connection ends, which is what the engine would see of a dead app. Nothing of this is in the app.
Source: CometBFT v0.38 proto/tendermint/abci/types.proto (the numbers of the oneofs, which the generated code holds).
"""

import os
import selectors
import signal
import socket
import threading
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from abci_app.abci.frames import FrameReader, encode_frame
from abci_app.wire.pb.tendermint.abci import types_pb2 as abci
from abci_app.wire.varint import decode_uvarint

REQUESTS = {one.number: one.name for one in abci.Request.DESCRIPTOR.oneofs[0].fields}
READ_BYTES = 1 << 18
TRANSPORT = ("flush", "echo")


@dataclass(frozen=True)
class Strike:
    """When the app dies. call: a request's name. number: which of them, from 1. when: before or after."""

    call: str
    number: int
    when: str

    def __str__(self) -> str:
        return f"{self.when} {self.call} #{self.number}"


@dataclass
class Link:
    """One connection of the engine and its continuation to the app."""

    engine: socket.socket
    app: socket.socket
    asked: deque[str] = field(default_factory=deque)
    from_engine: FrameReader = field(default_factory=FrameReader)
    from_app: FrameReader = field(default_factory=FrameReader)


class Tap:
    """Serves at `path` and passes on to `app_path` until it is closed.

    pid: of the app. answered: is told the name of each call that the app has answered, before the engine hears of it.
    """

    def __init__(self, path: Path, app_path: Path, pid: int, strike: Strike | None,
                 answered: Callable[[str], None] = lambda _name: None) -> None:
        self.app_path, self.pid, self.strike, self.answered = app_path, pid, strike, answered
        self.asked_count: Counter[str] = Counter()
        self.init_chain = b""
        self.has_struck = threading.Event()
        self._answered_count: Counter[str] = Counter()
        self._selector = selectors.DefaultSelector()
        self._links: list[Link] = []
        self._listener = socket.socket(socket.AF_UNIX)
        path.unlink(missing_ok=True)
        self._listener.bind(str(path))
        self._listener.listen(16)
        self._wake_reader, self._wake_writer = socket.socketpair()
        self._selector.register(self._listener, selectors.EVENT_READ, self._accept)
        self._selector.register(self._wake_reader, selectors.EVENT_READ, None)
        self._thread = threading.Thread(target=self._serve, name="tap")
        self._thread.start()

    def close(self) -> None:
        """End every connection."""
        self._wake_writer.send(b"x")
        self._thread.join()
        self._selector.close()
        for end in (self._wake_reader, self._wake_writer):
            end.close()

    def _serve(self) -> None:
        try:
            while True:
                for key, _ in self._selector.select():
                    if key.data is None:
                        return
                    key.data()
                    if self.has_struck.is_set():
                        return
        except OSError:
            return  # one side is gone: the other one is told by the end of its connections
        finally:
            for link in self._links:
                link.engine.close()
                link.app.close()
            self._listener.close()

    def _accept(self) -> None:
        engine, _ = self._listener.accept()
        app = socket.socket(socket.AF_UNIX)
        app.connect(str(self.app_path))
        link = Link(engine, app)
        self._links.append(link)
        self._selector.register(engine, selectors.EVENT_READ, lambda: self._read_requests(link))
        self._selector.register(app, selectors.EVENT_READ, lambda: self._read_answers(link))

    def _read_requests(self, link: Link) -> None:
        link.from_engine.feed(read(link.engine))
        for frame in link.from_engine.iter_frames():
            name = REQUESTS[decode_uvarint(frame)[0] >> 3]
            if name == "init_chain":
                self.init_chain = frame
            self.asked_count[name] += 1
            if self._is_due("before", name, self.asked_count[name]):
                return self._kill()
            link.asked.append(name)
            link.app.sendall(encode_frame(frame))
        return None

    def _read_answers(self, link: Link) -> None:
        link.from_app.feed(read(link.app))
        for frame in link.from_app.iter_frames():
            name = link.asked.popleft()
            self._answered_count[name] += 1
            if name not in TRANSPORT:
                self.answered(name)
            if self._is_due("after", name, self._answered_count[name]):
                return self._kill()
            link.engine.sendall(encode_frame(frame))
        return None

    def _is_due(self, when: str, name: str, count: int) -> bool:
        return self.strike is not None and (when, name, count) == (self.strike.when, self.strike.call,
                                                                   self.strike.number)

    def _kill(self) -> None:
        os.kill(self.pid, signal.SIGKILL)
        self.has_struck.set()


def read(peer: socket.socket) -> bytes:
    """What has arrived; OSError when the peer is gone."""
    data = peer.recv(READ_BYTES)
    if not data:
        raise ConnectionResetError("the peer is gone")
    return data
