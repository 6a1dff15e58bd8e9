"""The HTTP server of a host: README.md, section "The HTTP API". It runs in a thread of its own, with its own loop."""

import asyncio
import base64
import json
import math
import threading
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from typing import Any

from aiohttp import web

from abci_app.client.host_api import (
    INVALID, MISSING, SIGNATURE_BYTES, TOO_LARGE, HostApiInvalid, check_object, decode_question,
    decode_receipt, encode_reply, read_hex, read_int,
)
from abci_app.host.desk import Desk
from abci_app.host.errors import HostStopped, Refusal
from abci_app.host.journal import Given, Journal
from abci_app.host.ledger import Asked
from abci_app.host.limits import Limits, Queue, Rates
from abci_app.wire.ints import U64_MAX

BODY_BYTES_MAX = 256 << 10
BODY_S = 10.0
KEEPALIVE_S = 75.0
START_S = 10.0
END_S = 5.0
JSON_TYPE = "application/json"
LINES_TYPE = "application/x-ndjson"
METRICS_TYPE = "text/plain; version=0.0.4"

Json = dict[str, Any]
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Server:
    """Serves a desk. start() returns when the port is bound, stop() when what was begun has been answered."""

    def __init__(self, desk: Desk, journal: Journal, status: Callable[[], Json], address: str, port: int,
                 limits: Limits = Limits()) -> None:
        """status: what /v1/status tells; called in the server's thread. port: 0 takes a free one."""
        self.desk, self.journal, self.status, self.address, self.port = desk, journal, status, address, port
        self._open = Queue(limits.open_max, "calls are open")
        self._rates = Rates(limits.address_rate, limits.burst_s, "your address")
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="host-server", daemon=True)
        self._is_started, self._problem = threading.Event(), ""
        self._is_ended = asyncio.Event()

    @property
    def url(self) -> str:
        """Where it is, once it has started."""
        return f"http://{f'[{self.address}]' if ':' in self.address else self.address}:{self.port}"

    def start(self) -> None:
        """Bind and serve. Raises HostStopped when the address cannot be had."""
        self._thread.start()
        if not self._is_started.wait(START_S):
            self._problem = f"not ready after {START_S:g} s"
        if self._problem:
            raise HostStopped(f"cannot listen on {self.address}:{self.port}: {self._problem}",
                              "choose another address with --listen")

    def stop(self) -> None:
        """Take no more calls, and end."""
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._is_ended.set)
            self._thread.join(3 * END_S)

    def forget(self, session_id: int) -> None:
        """Let go of a session that is over; from any thread."""
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self.desk.forget, session_id)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._serve())
        self._loop.close()

    async def _serve(self) -> None:
        runner = web.AppRunner(self._new_app(), access_log=None, keepalive_timeout=KEEPALIVE_S, shutdown_timeout=END_S)
        await runner.setup()
        try:
            await web.TCPSite(runner, self.address, self.port).start()
            self.port = runner.addresses[0][1]
        except OSError as error:
            self._problem = error.strerror or str(error)
        self._is_started.set()
        if not self._problem:
            await self._is_ended.wait()
        await runner.cleanup()
        await self.desk.finish(END_S)

    def _new_app(self) -> web.Application:
        app = web.Application(client_max_size=BODY_BYTES_MAX, middlewares=[self._guard])
        app.add_routes([
            web.get("/v1/status", self._tell_status), web.get("/metrics", self._tell_metrics),
            web.get("/v1/answers/{id:[0-9]+}", self._tell_answer),
            web.post("/v1/sessions/{id:[0-9]+}/answers", self._answer),
            web.post("/v1/sessions/{id:[0-9]+}/receipt", self._take_receipt),
        ])
        return app

    @web.middleware
    async def _guard(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Limits in front of every call, and refusals in their form behind it."""
        try:
            self._rates.check(request.remote)
            with self._open.place():
                return await handler(request)
        except Refusal as error:
            return self._refuse(error)
        except HostApiInvalid as error:
            return self._refuse(Refusal(400, INVALID, str(error)))
        except web.HTTPException as error:
            code = {404: MISSING, 413: TOO_LARGE}.get(error.status, INVALID)
            return self._refuse(Refusal(error.status, code, error.reason, "the API is described in host/README.md"))

    def _refuse(self, refusal: Refusal) -> web.Response:
        self.desk.metrics.add("gradus_host_refusals_total", code=refusal.code)
        told: Json = {"error": refusal.text, "hint": refusal.hint, "code": refusal.code}
        if not refusal.retry_after_s:
            return _reply(told, refusal.status)
        headers = {"Retry-After": str(math.ceil(refusal.retry_after_s))}
        return _reply(told | {"retry_after_s": round(refusal.retry_after_s, 3)}, refusal.status, headers)

    async def _tell_status(self, request: web.Request) -> web.Response:
        return _reply(self.status())

    async def _tell_metrics(self, request: web.Request) -> web.Response:
        self.desk.metrics.put("gradus_host_queue", self.desk.queue.count)
        return web.Response(body=self.desk.metrics.write().encode(), headers={"Content-Type": METRICS_TYPE})

    async def _tell_answer(self, request: web.Request) -> web.Response:
        request_id = _read_id(request)
        dealt = self.journal.find_dealt(request_id)
        if dealt is None or not dealt.is_revealed:
            raise Refusal(404, MISSING, f"there is no answer to request {request_id} here",
                          "answers are shown when they are revealed, and kept for a while")
        return _reply({"answer": base64.b64encode(dealt.answer).decode()})

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        fields = check_object(await _read_body(request), ("number", "question", "receipt", "signature", "stream"),
                              "the body")
        asked = Asked(read_int(fields.get("number"), "number"), decode_question(fields.get("question")),
                      None if fields.get("receipt") is None else decode_receipt(fields["receipt"]),
                      read_hex(fields.get("signature"), "signature", SIGNATURE_BYTES))
        streams = fields.get("stream", False)
        if not isinstance(streams, bool):
            raise HostApiInvalid("stream is true or false")
        session_id = _read_id(request)
        if streams:
            return await self._stream(request, session_id, asked)
        return _reply(_encode_given(await self.desk.answer(session_id, asked)))

    async def _stream(self, request: web.Request, session_id: int, asked: Asked) -> web.StreamResponse:
        """Lines as pieces come. The head is sent with the first, so that a refusal before it has its status."""
        response = web.StreamResponse(headers={"Content-Type": LINES_TYPE, "Cache-Control": "no-store"})
        try:
            async with aclosing(self.desk.stream(session_id, asked)) as pieces:
                async for piece in pieces:
                    if not response.prepared:
                        await response.prepare(request)
                    told = _encode_given(piece) if isinstance(piece, Given) else \
                        {"tokens": [int.from_bytes(piece, "little")]}
                    await response.write(_write_json(told) + b"\n")
        except Refusal as error:
            if not response.prepared:
                raise
            await response.write(_write_json({"error": error.text, "hint": error.hint, "code": error.code}) + b"\n")
        except ConnectionError:
            return response  # who asked has gone, and asks again; the desk goes on and counts the answer
        await response.write_eof()
        return response

    async def _take_receipt(self, request: web.Request) -> web.Response:
        fields = check_object(await _read_body(request), ("receipt", "close"), "the body")
        receipt = None if fields.get("receipt") is None else decode_receipt(fields["receipt"])
        closes = fields.get("close", False)
        if not isinstance(closes, bool):
            raise HostApiInvalid("close is true or false")
        return _reply({"closing": await self.desk.take_receipt(_read_id(request), receipt, closes)})


async def _read_body(request: web.Request) -> object:
    """The JSON of a body. Raises HostApiInvalid, Refusal."""
    try:
        async with asyncio.timeout(BODY_S):
            return json.loads(await request.read())
    except TimeoutError:
        raise Refusal(408, INVALID, f"the body did not come within {BODY_S:g} s") from None
    except (ValueError, RecursionError):
        raise HostApiInvalid("the body is no JSON") from None


def _read_id(request: web.Request) -> int:
    return read_int(int(request.match_info["id"][:21]), "id", U64_MAX)


def _encode_given(given: Given) -> Json:
    return encode_reply(given.answer, given.entry, given.statement)


def _write_json(fields: Json) -> bytes:
    return json.dumps(fields, separators=(",", ":")).encode()


def _reply(fields: Json, status: int = 200, headers: dict[str, str] | None = None) -> web.Response:
    return web.Response(body=_write_json(fields), status=status, headers={"Content-Type": JSON_TYPE, **(headers or {})})
