"""The JSON-RPC client against servers that answer well, badly, late or not at all."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
import pytest

from abci_app.client.errors import BadNodeUrl, NodeRefused, NodeUnreachable
from abci_app.client.node import connect
from abci_app.client.rpc import Rpc


@contextmanager
def server(answer: Callable[[dict[str, Any]], bytes | None]) -> Iterator[tuple[Rpc, list[str]]]:
    """A server that answers with bytes, or breaks the connection on None; and the methods it was asked for."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            asked.append(request["method"])
            body = answer(request)
            if body is not None:
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=http.serve_forever, args=(0.01,))
    thread.start()
    try:
        with Rpc(f"http://127.0.0.1:{http.server_port}", timeout_s=2) as rpc:
            yield rpc, asked
    finally:
        http.shutdown()
        thread.join()
        http.server_close()


def result(value: Any) -> bytes:
    return json.dumps({"jsonrpc": "2.0", "id": 1, "result": value}).encode()


def test_question_that_changes_nothing_is_asked_again_when_the_connection_breaks() -> None:
    replies = iter([None, result({"n_peers": "3"})])
    with server(lambda _request: next(replies)) as (rpc, asked):
        assert rpc.count_peers() == 3
        assert asked == ["net_info"] * 2


def test_transaction_is_handed_in_once() -> None:
    with server(lambda _request: None) as (rpc, asked):
        with pytest.raises(NodeUnreachable):
            rpc.broadcast_tx(b"tx")
        assert asked == ["broadcast_tx_sync"]


def test_node_that_is_not_there_is_named_with_a_hint() -> None:
    with server(lambda _request: None) as (rpc, _):
        url = rpc.url
    with pytest.raises(NodeUnreachable) as caught:
        Rpc(url).status()
    assert url in caught.value.text and caught.value.hint


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b"7", b"null", b"{}", b'{"result": []}', b'{"result": null}',
                                  b'{"error": "odd"}', b"\xff\xfe"])
def test_answer_of_another_program_is_refused_with_a_hint(body: bytes) -> None:
    with server(lambda _request: body) as (rpc, _):
        with pytest.raises(NodeRefused) as caught:
            rpc.call("status")
        assert caught.value.hint == "is another program listening there?"


@pytest.mark.parametrize("value", [
    {}, {"response": None}, {"response": {"code": "x"}}, {"response": {"value": "%%%"}}, {"response": {"value": 7}},
    {"response": {"proofOps": {"ops": [{}]}}}, {"response": []}, {"hash": "zz", "code": 0}, {"hash": "00"},
    {"node_info": {}, "sync_info": {}}, {"node_info": 1}, {"n_peers": []}, {"signed_header": None}, {"txs": [1]},
    {"hash": "00", "height": "1", "tx_result": None}, {"hash": "00", "height": "1e999", "tx_result": {}}])
def test_malformed_answer_is_refused_whatever_was_asked(value: dict[str, Any]) -> None:
    calls: list[Callable[[Rpc], object]] = [
        lambda rpc: rpc.status(), lambda rpc: rpc.abci_query("/x"), lambda rpc: rpc.broadcast_tx(b"tx"),
        lambda rpc: rpc.find_tx(bytes(32)), lambda rpc: rpc.search_txs("x"), lambda rpc: rpc.header(1),
        lambda rpc: rpc.count_peers()]
    with server(lambda _request: result(value)) as (rpc, _):
        for call in calls:
            with pytest.raises(NodeRefused, match="malformed") as caught:
                call(rpc)
            assert caught.value.hint


def test_error_of_the_node_is_told_in_its_words() -> None:
    fault = {"jsonrpc": "2.0", "id": 1, "error": {"code": -32603, "message": "Internal error", "data": "height 9"}}
    with server(lambda _request: json.dumps(fault).encode()) as (rpc, _):
        with pytest.raises(NodeRefused, match="block: Internal error height 9"):
            rpc.block(9)


def test_transaction_that_no_block_holds_is_none() -> None:
    fault = {"jsonrpc": "2.0", "id": 1, "error": {"code": -32603, "message": "Internal error", "data": "tx not found"}}
    with server(lambda _request: json.dumps(fault).encode()) as (rpc, _):
        assert rpc.find_tx(bytes(32)) is None


@pytest.mark.parametrize(("name", "params"), [
    ("commit", {"height": "7"}), ("consensus_params", {"height": "7"}), ("block_results", {"height": "7"}),
    ("validators", {"height": "7", "page": "1", "per_page": "100"})])
def test_calls_carry_their_height(name: str, params: dict[str, str]) -> None:
    with server(lambda request: result({"asked": request["params"]})) as (rpc, asked):
        assert getattr(rpc, name)(7) == {"asked": params}
        assert asked == [name]


def test_several_nodes_are_waited_for_less_long_than_one() -> None:
    urls = ["http://127.0.0.1:1", "http://127.0.0.1:2"]
    several, one = connect(urls), connect(urls[:1])
    timeouts = [node.client.timeout for nodes in (several, one) for node in nodes._nodes]  # type: ignore[attr-defined]
    assert [(limit.connect, limit.read) for limit in timeouts] == [(2.0, 3.0), (2.0, 3.0), (5.0, 10.0)]


def test_node_that_is_silent_is_asked_once() -> None:
    """To ask again would double the wait, and the next node may answer at once."""
    hold = threading.Event()

    def stall(request: dict[str, Any]) -> bytes | None:
        hold.wait(5)
        return None

    with server(stall) as (rpc, asked):
        rpc.client.timeout = httpx.Timeout(0.2)
        with pytest.raises(NodeUnreachable):
            rpc.status()
        hold.set()
        assert asked == ["status"]


@pytest.mark.parametrize("url", ["", "nonsense", "127.0.0.1:26657", "tcp://127.0.0.1:26657", "http://",
                                 "http://a:99999", "http://a b", "http://[::1", "http://:1"])
def test_what_is_no_address_of_a_node_is_refused_before_anything_is_sent(url: str) -> None:
    with pytest.raises(BadNodeUrl, match="http://127.0.0.1:26657"):
        Rpc(url)


def test_answer_that_does_not_end_is_refused_before_it_fills_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("abci_app.client.rpc.BODY_BYTES_MAX", 1 << 20)
    with server(lambda _request: b" " * (2 << 20) + result({})) as (rpc, _), pytest.raises(NodeRefused, match="1 MB"):
        rpc.call("health")


def test_answer_that_comes_too_slowly_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("abci_app.client.rpc.BODY_S", -1.0)
    with server(lambda _request: result({})) as (rpc, _), pytest.raises(NodeUnreachable):
        rpc.call("health")


def test_answer_that_is_nested_too_deeply_is_no_json() -> None:
    with server(lambda _request: b"[" * 500_000) as (rpc, _), pytest.raises(NodeRefused, match="else than JSON"):
        rpc.call("health")
