"""A node's WebSocket: messages out as ready frames, messages in by a callback; for sending more than HTTP carries.

The protocol is the `websockets` library's, without its own input and output: a frame that was built beforehand costs
one write when it is sent. Source: RFC 6455; CometBFT v0.38 rpc/jsonrpc/server/ws_handler.go (answers come in the order
of the requests of a connection; the node pings every 27 s and drops who does not answer).
"""

import asyncio
import json
import ssl
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import urlsplit

from websockets.client import ClientProtocol
from websockets.frames import Frame, Opcode
from websockets.uri import parse_uri

from abci_app.client.errors import NodeUnreachable
from abci_app.client.node_url import check_node_url

CONNECT_S = 5.0
MESSAGE_BYTES_MAX = 64 * 1024 * 1024
SCHEMES = {"http": "ws", "https": "wss"}

OnMessage = Callable[[dict[str, Any]], None]


def new_frame(request: dict[str, Any]) -> bytes:
    """A JSON-RPC request as the bytes that go over the wire. It may be sent once or more, on any connection."""
    return Frame(Opcode.TEXT, json.dumps(request, separators=(",", ":")).encode()).serialize(mask=True)


class WebSocket(asyncio.Protocol):
    """One connection to a node. on_message: is given each answer. on_lost: is told once when the connection breaks."""

    def __init__(self, url: str, on_message: OnMessage, on_lost: Callable[[str], None] = lambda why: None) -> None:
        """url: of the node's RPC. Raises BadNodeUrl. Nothing is sent yet: see connect."""
        check_node_url(url)
        parts = urlsplit(url)
        self.url = url
        self._uri = parse_uri(f"{SCHEMES[parts.scheme]}://{parts.netloc}{parts.path.rstrip('/')}/websocket")
        self._protocol = ClientProtocol(self._uri, max_size=MESSAGE_BYTES_MAX)
        self._on_message, self._on_lost = on_message, on_lost
        self._transport: asyncio.Transport | None = None
        self._opened: asyncio.Future[None] | None = None
        self._parts: list[bytes] = []
        self._is_closing = False

    async def connect(self) -> None:
        """Open the connection. Raises NodeUnreachable."""
        loop = asyncio.get_running_loop()
        self._opened = loop.create_future()
        context = ssl.create_default_context() if self._uri.secure else None
        try:
            async with asyncio.timeout(CONNECT_S):
                await loop.create_connection(lambda: self, self._uri.host, self._uri.port, ssl=context)
                await self._opened
        except (OSError, TimeoutError) as error:
            self.close()
            raise NodeUnreachable(f"no node answers at {self.url} ({error or type(error).__name__})",
                                  "is it running? `gradus localnet status`; another one: --node URL") from None

    def send(self, frames: Iterable[bytes]) -> None:
        """Send frames of new_frame in one write."""
        if self._transport is not None:
            self._transport.write(b"".join(frames))

    def close(self) -> None:
        """Close the connection; on_lost is not told."""
        self._is_closing = True
        if self._transport is not None:
            self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask the node to speak WebSocket."""
        if not isinstance(transport, asyncio.Transport):
            raise TypeError("a stream is needed")
        self._transport = transport
        self._protocol.send_request(self._protocol.connect())
        self._flush()

    def data_received(self, data: bytes) -> None:
        """Hand on every message that is complete, and answer pings."""
        self._protocol.receive_data(data)
        for event in self._protocol.events_received():
            if isinstance(event, Frame):
                self._take(event)
            elif self._opened is not None and not self._opened.done():
                fault = self._protocol.handshake_exc
                if fault is None:
                    self._opened.set_result(None)
                else:
                    self._opened.set_exception(OSError(f"it does not speak WebSocket: {fault}"))
        self._flush()

    def connection_lost(self, error: Exception | None) -> None:
        """Tell whoever waits."""
        why = str(error or self._protocol.close_reason or "the node closed it")
        if self._opened is not None and not self._opened.done():
            self._opened.set_exception(OSError(why))
        elif not self._is_closing:
            self._on_lost(why)

    def _take(self, frame: Frame) -> None:
        if frame.opcode not in (Opcode.TEXT, Opcode.CONT):
            return
        self._parts.append(bytes(frame.data))
        if frame.fin:
            message, self._parts = b"".join(self._parts), []
            self._on_message(json.loads(message))

    def _flush(self) -> None:
        if self._transport is None:
            return
        for data in self._protocol.data_to_send():
            if data:
                self._transport.write(data)
            elif self._transport.can_write_eof():
                self._transport.write_eof()
