"""The ABCI 2.0 socket server: connections, order, flushes, exceptions. Knows protobuf, knows no room.

One thread per connection, which reads, answers and writes in turn: answers leave in the order of the requests. What
is written is gathered until a Flush has been answered or there is nothing more to answer. Sockets never block, so a
peer that writes without reading stops only its own connection, at OUTPUT_BYTES_MAX.
What arrives is taken off the socket every READ_AHEAD_S, before the requests already here are done: an engine whose
writes do not get through spins on its flush timer, which fires every 20 ns, and takes a whole processor for it. Not
after every answer: each reading lets go of the interpreter, which another thread may then hold for milliseconds.
The engine opens four connections and does not say which is which; several at a time may be in a call, and the
application isolates their state. An exception out of a call is answered and ends its connection; unless it is
CallOutOfPlace, it also ends the server, because it is a bug or damage that must not be built upon.
Source: CometBFT v0.38 abci/client/socket_client.go, libs/timer/throttle_timer.go, proxy/multi_app_conn.go.
"""

import errno
import logging
import os
import select
import socket
import stat
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from google.protobuf.message import DecodeError, Message

from abci_app.abci.errors import CallOutOfPlace, ConfigProblem, FrameInvalid
from abci_app.abci.frames import FrameReader, encode_frame
from abci_app.wire.pb.tendermint.abci import types_pb2 as abci
from abci_app.wire.varint import encode_uvarint

READ_BYTES = 1 << 18
READ_AHEAD_S = 0.001  # the socket holds what an engine writes in that time
WRITE_SOON_BYTES = 1 << 16
OUTPUT_BYTES_MAX = 1 << 23
INPUT_BYTES_MAX = 1 << 23  # taken ahead of the request that is answered
CONNECTIONS_MAX = 64
SOCKET_PATH_BYTES_MAX = 103
STOP_SECONDS = 10.0
CALLS = tuple(field.name for field in abci.Request.DESCRIPTOR.oneofs_by_name["value"].fields)
ANSWER_TAGS = {field.name: encode_uvarint(field.number << 3 | 2)  # a field of bytes, as messages in messages are
               for field in abci.Response.DESCRIPTOR.oneofs_by_name["value"].fields}

_log = logging.getLogger("gradus.abci")


class Calls(Protocol):
    """What answers: for every name in CALLS but echo and flush a method that takes the request, gives the response."""

    def call(self, name: str, request: Message) -> Message:
        """Answer one request."""


class Server:
    """Listens on one socket until it is stopped or a call fails."""

    def __init__(self, calls: Calls, listener: socket.socket) -> None:
        self.calls = calls
        self.failure: BaseException | None = None
        self._listener = listener
        self._wake_reader, self._wake_writer = socket.socketpair()
        self._wake_writer.setblocking(False)
        self._threads: dict[threading.Thread, "Connection"] = {}

    def run(self) -> None:
        """Accept and serve until `stop`; then let calls in progress end. Raises what a call failed with."""
        poll = select.poll()
        poll.register(self._listener, select.POLLIN)
        poll.register(self._wake_reader, select.POLLIN)
        self._listener.setblocking(False)
        try:
            while not any(fd == self._wake_reader.fileno() for fd, _ in poll.poll()):
                self._accept()
        finally:
            self._close()
        if self.failure is not None:
            raise self.failure

    @property
    def wake_fd(self) -> int:
        """A file whose every byte ends `run`; it never blocks."""
        return self._wake_writer.fileno()

    def stop(self) -> None:
        """End `run` soon. May be called from any thread and from a signal handler."""
        try:
            self._wake_writer.send(b"s")
        except OSError:
            pass  # closed, or full of earlier calls

    def fail(self, error: BaseException) -> None:
        """Stop because a call failed; the first failure is the one that is told."""
        self.failure = self.failure or error
        self.stop()

    def _accept(self) -> None:
        try:
            peer, _ = self._listener.accept()
        except OSError as error:
            if error.errno not in (errno.EAGAIN, errno.ECONNABORTED, errno.EINTR):
                _log.error("cannot accept a connection: %s", error)
            return
        self._threads = {thread: one for thread, one in self._threads.items() if thread.is_alive()}
        if len(self._threads) >= CONNECTIONS_MAX:
            _log.error("a connection is refused: %d are open already", CONNECTIONS_MAX)
            peer.close()
            return
        connection = Connection(peer, self.calls, self.fail)
        thread = threading.Thread(target=connection.run, name=f"abci-{peer.fileno()}", daemon=True)
        self._threads[thread] = connection
        thread.start()

    def _close(self) -> None:
        """Take no more requests, wait for the calls in progress, and end the connections."""
        self._listener.close()
        deadline_s = time.monotonic() + STOP_SECONDS
        for how in (socket.SHUT_RD, socket.SHUT_RDWR):
            for connection in self._threads.values():
                connection.shut(how)
            for thread in self._threads:
                thread.join(max(0.1, deadline_s - time.monotonic()))
        self._wake_reader.close()
        self._wake_writer.close()


class Connection:
    """One connection of the engine."""

    def __init__(self, peer: socket.socket, calls: Calls, fail: Callable[[BaseException], None]) -> None:
        self._peer = peer
        self._calls = calls
        self._fail = fail
        self._input = FrameReader()
        self._output = bytearray()
        self._is_ending = False
        peer.setblocking(False)
        if peer.family == socket.AF_INET:
            peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def run(self) -> None:
        """Serve until the peer leaves, sends something malformed, or the server stops."""
        try:
            while not self._is_ending or self._output:
                self._move()
                if not self._is_ending:
                    self._answer_frames()
        except OSError as error:
            _log.debug("connection ended: %s", error)
        finally:
            self._peer.close()

    def shut(self, how: int) -> None:
        """Stop reading (SHUT_RD), or end at once (SHUT_RDWR); from any thread."""
        try:
            self._peer.shutdown(how)
        except OSError:
            pass  # gone already

    def _move(self) -> None:
        """Wait until bytes can come or go, and move them."""
        wanted = select.POLLOUT if self._output else 0
        if not self._is_ending and len(self._output) < OUTPUT_BYTES_MAX:
            wanted |= select.POLLIN
        poll = select.poll()
        poll.register(self._peer, wanted)
        ready = poll.poll()[0][1]
        if ready & select.POLLOUT:
            self._write()
        if ready & ~select.POLLOUT and wanted & select.POLLIN:
            self._read()
        elif ready & (select.POLLERR | select.POLLNVAL) or ready & select.POLLHUP and self._is_ending:
            raise ConnectionResetError("the peer is gone")

    def _read(self) -> None:
        """Take what has arrived; nothing more comes after an empty piece."""
        try:
            data = self._peer.recv(READ_BYTES)
        except BlockingIOError:
            return
        self._input.feed(data)
        self._is_ending = not data

    def _read_ahead(self) -> None:
        """Take what has arrived meanwhile, within bounds. The end of the stream is left for _read, which meets it."""
        if len(self._input) < INPUT_BYTES_MAX:
            try:
                self._input.feed(self._peer.recv(READ_BYTES))
            except BlockingIOError:
                pass  # nothing has

    def _write(self) -> None:
        """Send what the socket takes now."""
        if not self._output:
            return
        try:
            sent = self._peer.send(self._output)
        except BlockingIOError:
            return
        del self._output[:sent]

    def _answer_frames(self) -> None:
        """Answer every whole request, as long as the answers find room."""
        frames, read_s = self._input.iter_frames(), time.monotonic()
        try:
            for frame in frames:
                self._answer(frame)
                if self._is_ending or len(self._output) >= OUTPUT_BYTES_MAX:
                    return  # the socket is full: _move waits until it is not, and then this goes on
                now_s = time.monotonic()
                if now_s - read_s >= READ_AHEAD_S:
                    self._read_ahead()
                    read_s = now_s
            self._write()
        except FrameInvalid as error:
            self._end_with(error)
        finally:
            frames.close()

    def _answer(self, frame: bytes) -> None:
        """Answer one request, or say why not and end."""
        try:
            name, request = decode_request(frame)
            response = encode_response(name, self._call(name, request))
        except (FrameInvalid, CallOutOfPlace) as error:
            self._end_with(error)
        except Exception as error:
            _log.critical("a call failed and the node stops", exc_info=not isinstance(error, ConfigProblem))
            self._end_with(error)
            self._fail(error)
        else:
            self._output += response
            if name == "flush" or len(self._output) >= WRITE_SOON_BYTES:
                self._write()

    def _call(self, name: str, request: Message) -> Message:
        if name == "flush":
            return abci.ResponseFlush()
        if name == "echo":
            return abci.ResponseEcho(message=request.message)  # type: ignore[attr-defined]
        return self._calls.call(name, request)

    def _end_with(self, error: Exception) -> None:
        """Answer an exception, which is the last answer of a connection."""
        _log.error("a connection ends with an exception: %s: %s", type(error).__name__, error)
        answer = abci.ResponseException(error=f"{type(error).__name__}: {error}")
        self._output += encode_response("exception", answer)
        self._is_ending = True


def decode_request(frame: bytes) -> tuple[str, Message]:
    """The name of the call and its request. Raises FrameInvalid for bytes that are no request known here."""
    request = abci.Request()
    try:
        request.ParseFromString(frame)
    except DecodeError as error:
        raise FrameInvalid(f"{len(frame)} bytes that are no tendermint.abci.Request") from error
    name = request.WhichOneof("value")
    if name is None:
        raise FrameInvalid("a request of a kind unknown here; this is an application for ABCI 2.0")
    return name, getattr(request, name)


def encode_response(name: str, answer: Message) -> bytes:
    """The framed Response of call `name`: the answer is wrapped as bytes, because a wrapping message would copy it."""
    body = answer.SerializeToString()
    return encode_frame(ANSWER_TAGS[name] + encode_uvarint(len(body)) + body)


def listen_unix(path: Path) -> socket.socket:
    """Listen at `path`, for this user only. A socket that nobody serves any more is replaced.

    Raises ConfigProblem when the path is too long, taken by a live server or another kind of file, or not writable.
    """
    name = os.fsencode(path)
    if len(name) > SOCKET_PATH_BYTES_MAX:
        raise ConfigProblem(f"the socket's path has {len(name)} bytes; the most is {SOCKET_PATH_BYTES_MAX}: {path}",
                            "choose a shorter --socket")
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        _remove_stale(path)
        mask = os.umask(0o177)
        try:
            listener.bind(name)
        finally:
            os.umask(mask)
        listener.listen(CONNECTIONS_MAX)
    except OSError as error:
        listener.close()
        raise ConfigProblem(f"cannot listen on {path}: {error.strerror or error}",
                            "make its folder, or choose another --socket") from error
    except ConfigProblem:
        listener.close()
        raise
    return listener


def _remove_stale(path: Path) -> None:
    """Remove a socket that a dead server left; raises ConfigProblem for anything that is in use."""
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        raise ConfigProblem(f"{path} exists and is no socket", "move the file away, or choose another --socket")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(os.fsencode(path))
        except ConnectionRefusedError:
            path.unlink()
            return
    raise ConfigProblem(f"another process serves {path}", "stop it, or choose another --socket")


def listen_tcp(port: int) -> socket.socket:
    """Listen on 127.0.0.1; port 0 takes a free one. Raises ConfigProblem when the port is taken."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(("127.0.0.1", port))
        listener.listen(CONNECTIONS_MAX)
    except OSError as error:
        listener.close()
        raise ConfigProblem(f"cannot listen on 127.0.0.1:{port}: {error.strerror or error}",
                            "choose another --tcp port") from error
    return listener
