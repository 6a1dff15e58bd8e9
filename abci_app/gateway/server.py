"""The gateway over HTTP: OpenAI's calls in front, sessions with the chain's hosts behind.

    GET  /v1/models, /v1/models/{id}     the models that can be asked
    POST /v1/completions                 a text, or rows, and what the model says to it
    POST /v1/chat/completions            the same in the form of a conversation
    GET  /health                         that it runs, without a key

Everything that waits for a node or a host runs in threads; the event loop only moves what they say.
"""

import asyncio
import json
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any, TypeVar

from aiohttp import web

from abci_app.client.errors import ClientError, NodeUnreachable, TxRefused
from abci_app.data.errors import DataError
from abci_app.gateway import forms
from abci_app.gateway.asking import Answered, Asking
from abci_app.gateway.catalogue import Catalogue, Served
from abci_app.gateway.errors import SERVER, ApiError, new_invalid, new_too_fast, new_unauthorized
from abci_app.gateway.forms import Cutter, Envelope, Flow, Usage, Wanted
from abci_app.gateway.ledger import ApiKey, Ledger
from abci_app.gateway.pool import Pool
from abci_app.gateway.rates import Rates
from abci_app.sdk.translator import QuestionRefused
from abci_app.wire.pb.gradus.inference.v1.inference_pb2 import Question

BODY_BYTES_MAX = 1 << 20
THREADS = 64
SWEEP_S = 15.0
DONE = b"data: [DONE]\n\n"
API_KEY: web.RequestKey[ApiKey] = web.RequestKey("api_key", ApiKey)
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Reader = Callable[[dict[str, Any], Any], Wanted]
_Result = TypeVar("_Result")
_log = logging.getLogger("gradus.gateway")


class Gateway:
    """What the calls share."""

    def __init__(self, catalogue: Catalogue, pool: Pool, ledger: Ledger, rates: Rates) -> None:
        self.catalogue, self.pool, self.ledger, self.rates = catalogue, pool, ledger, rates
        self.asking = Asking(pool, ledger)
        self._threads = ThreadPoolExecutor(THREADS, "asking")

    def new_app(self) -> web.Application:
        """The application, to be run by aiohttp. It closes the pool's sessions when it is shut down."""
        app = web.Application(client_max_size=BODY_BYTES_MAX, middlewares=[_telling_errors, self._checking_keys])
        app.add_routes([
            web.get("/health", self._health), web.get("/v1/models", self._list_models),
            web.get("/v1/models/{name}", self._get_model),
            web.post("/v1/completions", self._complete), web.post("/v1/chat/completions", self._chat)])
        app.cleanup_ctx.append(self._sweeping)
        app.on_shutdown.append(self._shut_down)
        return app

    async def _sweeping(self, app: web.Application) -> AsyncIterator[None]:
        """Ends sessions that nobody uses, while the application runs."""
        async def sweep() -> None:
            while True:
                await asyncio.sleep(SWEEP_S)
                await self._run(self.pool.sweep)

        task = asyncio.create_task(sweep())
        yield
        task.cancel()
        with suppress(asyncio.CancelledError, RuntimeError):
            await task

    async def _shut_down(self, app: web.Application) -> None:
        await asyncio.get_running_loop().run_in_executor(None, self.pool.close)
        self._threads.shutdown(wait=False)

    async def _run(self, call: Callable[[], _Result]) -> _Result:
        return await asyncio.get_running_loop().run_in_executor(self._threads, call)

    @web.middleware
    async def _checking_keys(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        if not request.path.startswith("/v1/"):
            return await handler(request)
        scheme, _, secret = request.headers.get("Authorization", "").partition(" ")
        key = await self._run(lambda: self.ledger.find(secret.strip())) if scheme.lower() == "bearer" else None
        if key is None:
            raise new_unauthorized()
        wait_s = self.rates.take(key.id)
        if wait_s:
            raise new_too_fast(wait_s)
        request[API_KEY] = key
        return await handler(request)

    async def _health(self, request: web.Request) -> web.Response:
        return web.json_response({"status": "ok"})

    async def _list_models(self, request: web.Request) -> web.Response:
        found = await self._run(self.catalogue.list_models)
        return web.json_response({"object": "list", "data": [served.body() for served in found]})

    async def _get_model(self, request: web.Request) -> web.Response:
        name = request.match_info["name"]
        return web.json_response((await self._run(lambda: self.catalogue.get(name))).body())

    async def _complete(self, request: web.Request) -> web.StreamResponse:
        return await self._answer(request, forms.read_completion)

    async def _chat(self, request: web.Request) -> web.StreamResponse:
        return await self._answer(request, forms.read_chat)

    async def _answer(self, request: web.Request, read: Reader) -> web.StreamResponse:
        body = await _read_body(request)
        served = await self._run(lambda: self.catalogue.get(body.get("model")))
        wanted = await self._run(lambda: read(body, served.translator))
        envelope = Envelope(wanted.kind, served.name, int(time.time()), served.fingerprint)
        key = request[API_KEY]
        if wanted.streams:
            return await self._stream(request, key, served, wanted, envelope)
        answers = [await self._run(lambda asked=question: self.asking.ask(key, served, asked))  # type: ignore[misc]
                   for question in wanted.questions]
        choices = [_choose(served, wanted, question, answer)
                   for question, answer in zip(wanted.questions, answers, strict=True)]
        usage = Usage(wanted.prompt_tokens, sum(_count(one, question) for one, question in
                                                zip(answers, wanted.questions, strict=True)),
                      sum(one.cost_ugrad for one in answers))
        return web.json_response(envelope.whole(choices, usage), headers=_headers(answers[-1], usage))

    async def _stream(self, request: web.Request, key: ApiKey, served: Served, wanted: Wanted,
                      envelope: Envelope) -> web.StreamResponse:
        """Server-sent events. Refusals before the first token keep their status; later ones are an event."""
        question = wanted.questions[0]
        pieces = self._run_stream(key, served, question)
        first = await anext(pieces)
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream", "Cache-Control": "no-cache",
                                               "X-Accel-Buffering": "no"})
        await response.prepare(request)
        flow, cutter, is_first = Flow(served.translator), Cutter(wanted.stops), True

        async def show(text: str, reason: str | None = None) -> None:
            nonlocal is_first
            if text or reason or is_first:
                await _send(response, envelope.chunk(text, reason, is_first))
                is_first = False

        try:
            answer = first
            while isinstance(answer, list):
                await show(cutter.feed(flow.feed(answer)))
                answer = await anext(pieces)
            await show(cutter.feed(flow.end() + answer.text) + cutter.end())
            await show("", "stop" if cutter.is_stopped or _has_ended(question, answer) else "length")
            if wanted.tells_usage:
                usage = Usage(wanted.prompt_tokens, _count(answer, question), answer.cost_ugrad)
                await _send(response, envelope.last(usage))
            await response.write(DONE)
        except (ApiError, ClientError) as error:
            await _send(response, find_api_error(error).body())
        await response.write_eof()
        return response

    async def _run_stream(self, key: ApiKey, served: Served, question: Question) -> AsyncIterator[list[int] | Answered]:
        """Tokens as a thread tells them, and at last the answer. A client that goes away does not stop the thread: the
        answer is finished and paid, as the host has computed it."""
        loop, queue = asyncio.get_running_loop(), asyncio.Queue[list[int] | Answered | Exception]()

        def tell(item: list[int] | Answered | Exception) -> None:
            loop.call_soon_threadsafe(queue.put_nowait, item)

        def ask() -> None:
            try:
                tell(self.asking.ask(key, served, question, tell))
            except Exception as error:
                tell(error)

        self._threads.submit(ask)
        while True:
            item = await queue.get()
            if isinstance(item, Exception):
                raise item
            yield item
            if isinstance(item, Answered):
                return


async def _send(response: web.StreamResponse, event: dict[str, Any]) -> None:
    await response.write(b"data: " + json.dumps(event, separators=(",", ":")).encode() + b"\n\n")


async def _read_body(request: web.Request) -> dict[str, Any]:
    try:
        body = json.loads(await request.read())
    except (ValueError, RecursionError):
        raise new_invalid("the body is no JSON") from None
    if not isinstance(body, dict):
        raise new_invalid("the body is no JSON object")
    return body


def _choose(served: Served, wanted: Wanted, question: Question, answer: Answered) -> tuple[str, str]:
    """(text, finish reason) of a whole answer."""
    if not question.prompt:
        return answer.text, "stop"
    cutter = Cutter(wanted.stops)
    text = cutter.feed(served.translator.decode(answer.tokens)) + cutter.end()
    return text, "stop" if cutter.is_stopped or _has_ended(question, answer) else "length"


def _has_ended(question: Question, answer: Answered) -> bool:
    """Whether the model itself came to an end."""
    return not question.prompt or len(answer.tokens) < question.tokens or \
        question.has_stop and answer.tokens[-1] == question.stop


def _count(answer: Answered, question: Question) -> int:
    return len(answer.tokens) if question.prompt else question.rows


def _headers(answer: Answered, usage: Usage) -> dict[str, str]:
    return {"x-gradus-cost-ugrad": str(usage.cost_ugrad), "x-gradus-host": answer.host,
            "x-gradus-session": str(answer.session_id), "x-gradus-answer-hash": answer.answer_hash.hex()}


@web.middleware
async def _telling_errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Every refusal in OpenAI's form."""
    try:
        return await handler(request)
    except web.HTTPException as error:
        told = ApiError(error.status, "invalid_request_error", "not_found" if error.status == 404 else "refused",
                        f"{request.method} {request.path}: {error.reason}")
    except (ApiError, ClientError, DataError) as error:
        told = find_api_error(error)
    except Exception:
        _log.exception("%s %s failed", request.method, request.path)
        told = ApiError(500, SERVER, "internal_error", "the gateway has failed; its log says how")
    return web.json_response(told.body(), status=told.status, headers=told.headers())


def find_api_error(error: Exception) -> ApiError:
    """A refusal for whatever went wrong behind the gateway."""
    if isinstance(error, ApiError):
        return error
    if isinstance(error, (QuestionRefused, DataError)):
        return new_invalid(str(error), "prompt")
    if isinstance(error, TxRefused):
        return ApiError(503, SERVER, "chain_refused", f"the chain refuses to open a session: {error.text}")
    if isinstance(error, NodeUnreachable):
        return ApiError(503, SERVER, "node_unreachable", error.text, None, 5)
    return ApiError(502, SERVER, "upstream_failed", str(error), None, 5)
