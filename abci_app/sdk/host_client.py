"""A host over HTTP: one connection that is kept, for one thread at a time.

All calls may be sent again: a number of a session has one question and one answer, whoever asks how often. So a call
whose connection breaks is sent once more at once, and one that the host puts off (503, 429) is sent again when the host
says. Source: abci_app/host/README.md, section "The HTTP API".
"""

import http.client
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from abci_app.client.host_api import (
    FAULT, SIGNATURE_BYTES, HostApiInvalid, check_object, decode_entry, encode_question, encode_receipt,
    read_base64, read_hex, read_int,
)
from abci_app.sdk.errors import HostFaulty, HostRefused, HostUnreachable
from abci_app.wire.ints import U32_MAX
from abci_app.wire.pb.gradus.inference.v1.inference_pb2 import Question
from abci_app.wire.pb.gradus.sessions.v1.sessions_pb2 import Entry, Receipt

TIMEOUT_S = 60.0
CONNECT_S = 5.0
RETRY_S_MAX = 5.0
BODY_BYTES_MAX = 4 << 20
LINE_BYTES_MAX = 2 << 20
TOKENS_MAX = 1 << 16
JSON_HEADERS = {"Content-Type": "application/json"}
PUT_OFF = (429, 503)

Json = dict[str, Any]
Sleep = Callable[[float], None]


@dataclass(frozen=True, slots=True)
class Reply:
    """What a host has answered, in its form but not verified. statement: 64 bytes."""

    answer: bytes
    entry: Entry
    statement: bytes


class HostClient:
    """Calls to one host. Each may raise HostUnreachable, HostRefused, HostFaulty (not in the form of the API)."""

    def __init__(self, url: str, timeout_s: float = TIMEOUT_S, sleep: Sleep = time.sleep) -> None:
        """url: http or https, a path in front of /v1 is kept. timeout_s: for one answer, being put off included."""
        try:
            parts = urlsplit(url)
            port, is_address = parts.port, parts.scheme in ("http", "https") and bool(parts.hostname)
        except ValueError:
            is_address = False
        if not is_address or not parts.hostname:
            raise HostUnreachable(f"{url!r} is not the address of a host", "it begins with http:// or https://")
        self.url, self.timeout_s, self.sleep = url.rstrip("/"), timeout_s, sleep
        kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        self._path = parts.path.rstrip("/")
        self._connection = kind(parts.hostname, port, timeout=CONNECT_S)

    def close(self) -> None:
        """Give the connection up; the next call makes another."""
        self._connection.close()

    def status(self) -> Json:
        """What the host says of itself: models, prices, how much room there is."""
        return self._read_object(self._call("GET", "/v1/status"))

    def ask(self, session_id: int, number: int, question: Question, receipt: Receipt | None,
            signature: bytes) -> Reply:
        """The answer to question `number`, with the receipt for all before. signature: client/host_api.asking_digest,
        by the receipt key."""
        return decode_reply(self._read_object(self._ask(session_id, number, question, receipt, signature, False)))

    def stream(self, session_id: int, number: int, question: Question, receipt: Receipt | None,
               signature: bytes) -> "HostStream":
        """As ask, token by token as they are drawn."""
        return HostStream(self, self._ask(session_id, number, question, receipt, signature, True))

    def put_receipt(self, session_id: int, receipt: Receipt | None, closes: bool = False) -> bool:
        """Hand a receipt over; closes: and have the host end the session with it. Whether it will."""
        body = {"receipt": None if receipt is None else encode_receipt(receipt), "close": closes}
        told = self._read_object(self._call("POST", f"/v1/sessions/{session_id}/receipt", body))
        return told.get("closing") is True

    def find_answer(self, request_id: int) -> bytes | None:
        """The answer to a request on the chain that is too large to stand there; None where this host has none."""
        try:
            told = self._read_object(self._call("GET", f"/v1/answers/{request_id}"))
            return read_base64(told.get("answer"), "answer")
        except HostApiInvalid as error:
            raise self._fault(error) from None
        except HostRefused as error:
            if error.status == 404:
                return None
            raise

    def _ask(self, session_id: int, number: int, question: Question, receipt: Receipt | None,
             signature: bytes, streams: bool) -> http.client.HTTPResponse:
        body = {"number": number, "question": encode_question(question),
                "receipt": None if receipt is None else encode_receipt(receipt), "signature": signature.hex(),
                "stream": streams}
        return self._call("POST", f"/v1/sessions/{session_id}/answers", body)

    def _call(self, method: str, path: str, body: Json | None = None) -> http.client.HTTPResponse:
        """An answer that is no refusal, its body unread; what the host puts off is sent again until timeout_s."""
        deadline = time.monotonic() + self.timeout_s
        data = None if body is None else json.dumps(body, separators=(",", ":")).encode()
        while True:
            response = self._send(method, path, data, deadline)
            if response.status == http.client.OK:
                return response
            refused = self._read_refusal(response)
            pause = min(max(refused.retry_after_s, 0.01), RETRY_S_MAX)
            if response.status not in PUT_OFF or time.monotonic() + pause >= deadline:
                raise refused
            self.sleep(pause)

    def _send(self, method: str, path: str, data: bytes | None, deadline: float) -> http.client.HTTPResponse:
        """One answer; sent once more where a connection that was kept turns out to be gone."""
        is_kept = self._connection.sock is not None
        while True:
            try:
                if self._connection.sock is None:
                    self._connection.connect()
                self._connection.sock.settimeout(max(deadline - time.monotonic(), 0.01))
                self._connection.request(method, self._path + path, data, JSON_HEADERS if data is not None else {})
                return self._connection.getresponse()
            except (OSError, ValueError, http.client.HTTPException) as error:  # ValueError: no name of a machine
                self.close()
                if isinstance(error, TimeoutError) or not is_kept:
                    raise HostUnreachable(f"the host at {self.url} does not answer: {error or type(error).__name__}",
                                          "ask again, or close the session with the last receipt") from None
                is_kept = False

    def _read_refusal(self, response: http.client.HTTPResponse) -> HostRefused:
        """The refusal that a response is, as much of it as can be read."""
        try:
            told = self._read_object(response)
        except HostFaulty:
            self.close()
            told = {}
        texts = [str(told.get(name, ""))[:1000] for name in ("code", "error", "hint")]
        try:
            retry_after_s = float(str(told.get("retry_after_s") or response.headers.get("Retry-After", "0")))
        except ValueError:
            retry_after_s = 0.0
        return HostRefused(response.status, texts[0] or FAULT,
                           texts[1] or f"the host at {self.url} answered with status {response.status}", texts[2],
                           retry_after_s if 0 <= retry_after_s < 3600 else 0.0)

    def _read_object(self, response: http.client.HTTPResponse) -> Json:
        try:
            data = response.read(BODY_BYTES_MAX + 1)
        except (OSError, http.client.HTTPException) as error:
            self.close()
            raise HostUnreachable(f"the host at {self.url} broke off: {error or type(error).__name__}") from None
        if len(data) > BODY_BYTES_MAX:
            self.close()
            raise HostFaulty(f"the host at {self.url} sends more than {BODY_BYTES_MAX} bytes")
        return self._parse(data)

    def _parse(self, data: bytes) -> Json:
        try:
            found = json.loads(data)
        except (ValueError, RecursionError):
            found = None
        if not isinstance(found, dict):
            self.close()
            raise HostFaulty(f"the host at {self.url} answers with what is no JSON object")
        return found

    def _fault(self, error: HostApiInvalid) -> HostFaulty:
        return HostFaulty(f"the host at {self.url} answers otherwise than the API says: {error}")


class HostStream:
    """Tokens of an answer as they come, and at the end the reply. Iterate, then read `reply`; or close()."""

    def __init__(self, client: HostClient, response: http.client.HTTPResponse) -> None:
        self.reply: Reply | None = None
        self._client, self._response = client, response

    def __iter__(self) -> Iterator[list[int]]:
        while self.reply is None:
            told = self._client._parse(self._read_line())
            if "tokens" in told:
                yield read_tokens(told["tokens"])
            elif "error" in told:
                self.close()
                raise HostRefused(200, str(told.get("code", FAULT))[:100], str(told["error"])[:1000],
                                  str(told.get("hint", ""))[:1000])
            else:
                self.reply = decode_reply(told)
                self._response.read()

    def close(self) -> None:
        """Give up what has not come yet; the question keeps its number and is asked again."""
        if self.reply is None:
            self._client.close()

    def _read_line(self) -> bytes:
        try:
            line = self._response.readline(LINE_BYTES_MAX)
        except (OSError, http.client.HTTPException) as error:
            line = str(error).encode()[:0]
        if not line.endswith(b"\n"):
            self._client.close()
            raise HostUnreachable(f"the host at {self._client.url} broke off in the middle of an answer",
                                  "ask again: it is answered once")
        return line


def decode_reply(told: Json) -> Reply:
    """What a host's answer says. HostFaulty for what is not in its form."""
    try:
        fields = check_object(told, ("answer", "entry", "statement"), "the answer", is_whole=True)
        return Reply(read_base64(fields["answer"], "answer"), decode_entry(fields["entry"]),
                     read_hex(fields["statement"], "statement", SIGNATURE_BYTES))
    except HostApiInvalid as error:
        raise HostFaulty(f"the host answers otherwise than the API says: {error}") from None


def read_tokens(value: object) -> list[int]:
    """A list of tokens. HostFaulty."""
    if not isinstance(value, list) or len(value) > TOKENS_MAX:
        raise HostFaulty("the host streams what are no tokens")
    try:
        return [read_int(token, "token", U32_MAX) for token in value]
    except HostApiInvalid as error:
        raise HostFaulty(f"the host streams what are no tokens: {error}") from None
