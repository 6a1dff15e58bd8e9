"""The socket: order, flushes, pieces, many connections, malformed requests (I1 to I6), and the end of the server."""

import os
import socket
import threading
import time
from contextlib import suppress
from pathlib import Path

import pytest
from google.protobuf.message_factory import GetMessageClass
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from abci_app.abci.errors import ConfigProblem
from abci_app.abci.frames import encode_frame
from abci_app.abci.server import CALLS, OUTPUT_BYTES_MAX, READ_AHEAD_S, listen_tcp, listen_unix
from abci_app.abci.server import Connection as ServerConnection
from abci_app.abci.trace import LETTERS
from abci_app.wire.pb.tendermint.abci import types_pb2 as abci
from tests.abci.engine import FLUSH, FLUSHED, Connection, Node, encode_request, split


def echo(message: str) -> abci.RequestEcho:
    return abci.RequestEcho(message=message)


def echoed(message: str) -> abci.Response:
    return abci.Response(echo=abci.ResponseEcho(message=message))


def test_i1_answers_come_in_the_order_of_the_requests(node: Node) -> None:
    connection = node.connect()
    kinds = ["echo", "info", "query", "check_tx", "flush"] * 40
    for index, kind in enumerate(kinds):
        request = {"echo": echo(str(index)), "info": abci.RequestInfo(), "query": abci.RequestQuery(),
                   "check_tx": abci.RequestCheckTx(), "flush": abci.RequestFlush()}[kind]
        connection.put(kind, request)
    answers = [connection.read() for _ in kinds]
    assert [answer.WhichOneof("value") for answer in answers] == kinds
    assert [int(one.echo.message) for one in answers if one.WhichOneof("value") == "echo"] == list(range(0, 200, 5))


def test_i2_flush_is_answered_after_everything_before_it(node: Node) -> None:
    connection = node.connect()
    connection.send(b"".join(encode_request("echo", echo(str(index))) for index in range(256)) + FLUSH)
    assert [connection.read() for _ in range(257)] == [echoed(str(index)) for index in range(256)] + [FLUSHED]


def test_i2_answer_comes_without_a_flush_too(node: Node) -> None:
    connection = node.connect()
    connection.put("echo", echo("now"))
    assert connection.read() == echoed("now")


@pytest.mark.parametrize("sizes", [[1], [2, 1, 3], [7, 4096]])
def test_i3_requests_may_arrive_in_any_pieces(node: Node, sizes: list[int]) -> None:
    connection = node.connect()
    connection.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    for piece in split(encode_request("echo", echo("x" * 300)) + FLUSH + encode_request("echo", echo("y")), sizes):
        connection.send(piece)
    assert [connection.read() for _ in range(3)] == [echoed("x" * 300), FLUSHED, echoed("y")]


def test_i3_messages_of_many_megabytes_pass_both_ways(node: Node) -> None:
    text = "gradus" * (4 << 20)
    connection = node.connect()
    sender = threading.Thread(target=connection.send, args=(encode_request("echo", echo(text)) + FLUSH,))
    sender.start()
    assert connection.read().echo.message == text
    assert connection.read() == FLUSHED
    sender.join()


def test_i4_connections_are_served_at_the_same_time(node: Node) -> None:
    connections = [node.connect() for _ in range(8)]
    for connection in connections:
        connection.send(encode_request("echo", echo("half"))[:-2])
    for index, connection in enumerate(reversed(connections)):
        connection.send(b"lf")
        assert connection.read() == echoed("half"), index


def test_i4_call_in_progress_does_not_hold_up_queries(node: Node) -> None:
    node.block()
    with node.application._consensus:
        assert node.connect().ask("query", abci.RequestQuery(path="/app/version")).code == 0
        assert node.connect().ask("info", abci.RequestInfo()).last_block_height == 1


def test_i5_healthy_connection_stays_open(node: Node) -> None:
    connection = node.connect()
    for _ in range(500):
        connection.ask("echo", echo("still here"))


def test_i5_peer_that_writes_without_reading_stops_only_itself(node: Node) -> None:
    greedy = node.connect()
    greedy.socket.settimeout(0.5)
    request = encode_request("echo", echo("x" * (1 << 20)))
    with pytest.raises(TimeoutError):
        for _ in range(4 * OUTPUT_BYTES_MAX // len(request)):
            greedy.send(request)
    assert node.connect().ask("echo", echo("others go on")).message == "others go on"
    greedy.socket.settimeout(20)
    assert greedy.read().echo.message == "x" * (1 << 20)


def test_i5_what_arrives_is_taken_off_the_socket_while_earlier_requests_wait_for_their_answers() -> None:
    engine, peer = socket.socketpair()
    engine.setblocking(False)
    requests, offset, progress = encode_request("info", abci.RequestInfo(version="x" * 1000)) * 5000, 0, []

    class Filler:
        def call(self, name: str, request: object) -> abci.ResponseInfo:
            nonlocal offset
            before = offset
            if engine.fileno() == -1:
                return abci.ResponseInfo()
            with suppress(BlockingIOError):
                while offset < len(requests):
                    offset += engine.send(requests[offset:])
            progress.append(offset - before)
            time.sleep(2 * READ_AHEAD_S)
            if len(progress) == 4:
                engine.close()
            return abci.ResponseInfo()

    offset = engine.send(requests[:4096])
    ServerConnection(peer, Filler(), lambda error: None).run()
    assert all(sent > 0 for sent in progress[:4])


def test_i6_every_request_of_the_protocol_has_an_answer() -> None:
    from abci_app.abci.application import Application

    assert len(CALLS) == 16
    answered = [name for name in CALLS if name not in ("echo", "flush")]
    assert [name for name in answered if not callable(getattr(Application, name, None))] == []
    assert sorted(LETTERS) == sorted(answered) and len(set(LETTERS.values())) == len(LETTERS)
    assert all(name in abci.Response.DESCRIPTOR.fields_by_name for name in CALLS)


def test_i6_every_request_is_answered_by_its_own_response(fresh: Node) -> None:
    """I1: the engine ends itself on a response of another type."""
    block = fresh.finalize_request()
    asked = {"init_chain": fresh.genesis_request(), "process_proposal": abci.RequestProcessProposal(
                 hash=block.hash, **fresh.block_fields()),
             "prepare_proposal": abci.RequestPrepareProposal(max_tx_bytes=1000, **fresh.block_fields()),
             "finalize_block": block, "echo": echo("x")}
    first = ["info", "init_chain", "prepare_proposal", "process_proposal", "finalize_block", "commit"]
    for name in [*first, *(name for name in CALLS if name not in first)]:
        kind = abci.Request.DESCRIPTOR.fields_by_name[name].message_type
        fresh.engine.put(name, asked.get(name, GetMessageClass(kind)()))
        assert fresh.engine.read().WhichOneof("value") == name


@pytest.mark.parametrize("frame", [b"", b"\xaa\x01\x00", b"\xff\xff\xff", b"\x12\x05a", b"hello"])
def test_i5_request_that_is_none_is_answered_with_an_exception_and_the_end(node: Node, frame: bytes) -> None:
    connection = node.connect()
    connection.send(encode_request("echo", echo("before")) + encode_frame(frame) + encode_request("echo", echo("no")))
    assert connection.read() == echoed("before")
    assert connection.read().exception.error.startswith("FrameInvalid: ")
    assert connection.is_closed()
    assert node.failure is None


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(min_size=1, max_size=200), st.booleans())
def test_arbitrary_bytes_never_disturb_other_connections(node: Node, data: bytes, is_framed: bool) -> None:
    connection = node.connect()
    try:
        connection.send(encode_frame(data) if is_framed else data)
    except OSError:
        pass  # ended while we were still writing
    connection.close()
    assert node.engine.ask("echo", echo("unharmed")).message == "unharmed"
    assert node.server.failure is None


def test_call_out_of_place_ends_its_connection_and_not_the_node(node: Node) -> None:
    connection = node.connect()
    connection.put("commit", abci.RequestCommit())
    assert connection.read().exception.error == "CallOutOfPlace: Commit without FinalizeBlock"
    assert connection.is_closed()
    assert node.info().last_block_height == 0


def test_bug_in_a_call_is_answered_and_stops_the_node(tmp_path: Path) -> None:
    node = Node(tmp_path / "state")
    node.init_chain()
    node.finalize()
    node.database.close()  # what a disk looks like that dies now
    node.engine.put("commit", abci.RequestCommit())
    assert node.engine.read().exception.error.startswith("StoreError: ")
    assert node.engine.is_closed()
    node.thread.join(20)
    assert type(node.failure).__name__ == "StoreError"
    node.close()


def test_stopping_lets_the_call_in_progress_end(node: Node) -> None:
    connection = node.connect()
    with node.application._consensus:
        connection.put("finalize_block", node.finalize_request([], 1))
        while not node.calls().endswith("f"):
            time.sleep(0.01)
        node.server.stop()
    assert connection.read().WhichOneof("value") == "finalize_block"
    assert connection.is_closed()


def test_socket_is_for_its_owner_alone(node: Node) -> None:
    assert os.stat(node.path).st_mode & 0o077 == 0


def test_socket_of_a_dead_server_is_replaced_and_of_a_live_one_is_not(tmp_path: Path) -> None:
    path = tmp_path / "app.sock"
    listen_unix(path).close()
    assert path.is_socket()
    live = listen_unix(path)
    with pytest.raises(ConfigProblem, match="another process serves"):
        listen_unix(path)
    live.close()


def test_socket_path_that_cannot_be_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(ConfigProblem, match="is no socket"):
        listen_unix(tmp_path / "file")
    with pytest.raises(ConfigProblem, match="the most is 103"):
        listen_unix(tmp_path / ("x" * 120))
    with pytest.raises(ConfigProblem, match="No such file"):
        listen_unix(tmp_path / "no" / "app.sock")
    assert (tmp_path / "file").read_text() == "mine"


def test_tcp_listens_on_loopback_and_names_a_taken_port() -> None:
    listener = listen_tcp(0)
    host, port = listener.getsockname()
    assert host == "127.0.0.1"
    with pytest.raises(ConfigProblem, match=str(port)):
        listen_tcp(port)
    listener.close()


def test_tcp_serves_the_same(node: Node) -> None:
    from abci_app.abci.server import Server

    listener = listen_tcp(0)
    port = listener.getsockname()[1]
    server = Server(node.application, listener)
    thread = threading.Thread(target=server.run)
    thread.start()
    connection = Connection(socket.create_connection(("127.0.0.1", port)))
    assert connection.ask("info", abci.RequestInfo()).data == "gradus"
    connection.close()
    server.stop()
    thread.join(20)
    assert not thread.is_alive()
