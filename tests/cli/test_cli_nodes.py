"""Which node a command asks: the one that is named, else those of the network in its home, else the standard one."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest

from abci_app.cli.options import DEFAULT_NODE, find_nodes
from abci_app.client.errors import NetworkFileInvalid
from abci_app.client.network_file import BYTES_MAX, NODES_MAX, find_network_nodes, pick_node
from abci_app.wire.address import encode_address


class Status(BaseHTTPRequestHandler):
    """Says that it is a node, and refuses every other question by its port."""

    def do_POST(self) -> None:
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        status = {"node_info": {"network": "test", "id": "aa", "version": "1"},
                  "sync_info": {"latest_block_height": "5", "latest_app_hash": "", "latest_block_time": "",
                                "catching_up": False}}
        answer = {"result": status} if request["method"] == "status" else {
            "error": {"message": f"asked at {self.server.server_address[1]}"}}
        body = json.dumps({"jsonrpc": "2.0", "id": 1, **answer}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments: object) -> None:
        """Nothing: the tests read what commands print."""


@contextmanager
def new_node() -> Iterator[int]:
    server = HTTPServer(("127.0.0.1", 0), Status)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def port() -> Iterator[int]:
    with new_node() as port:
        yield port


def write_network(folder: Path, *ports: object) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "network.json").write_text(json.dumps({"nodes": [{"rpc_port": port} for port in ports]}))


def test_a_command_asks_the_first_node_of_its_home_s_network_that_answers(
        gradus: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, port: int) -> None:
    monkeypatch.delenv("GRADUS_NODE")
    write_network(tmp_path / "home", 1, port)
    ran = gradus("query", "models", "list")
    assert ran.status == 1 and f"asked at {port}" in ran.err
    write_network(tmp_path / "other", 1, 2)
    ran = gradus("query", "models", "list", "--home", str(tmp_path / "other"))
    assert ran.status == 3 and "http://127.0.0.1:1 " in ran.err
    ran = gradus("query", "models", "list", "--node", "http://127.0.0.1:3")
    assert ran.status == 3 and "http://127.0.0.1:3 " in ran.err


def test_the_environment_s_node_goes_before_the_home_s(gradus: Callable, tmp_path: Path, port: int) -> None:
    write_network(tmp_path / "home", port, port)
    ran = gradus("query", "models", "list")
    assert ran.status == 3 and "http://127.0.0.1:1 " in ran.err


def test_a_miner_falls_back_on_the_nodes_of_its_home_s_network(
        gradus: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, port: int) -> None:
    monkeypatch.delenv("GRADUS_NODE")
    write_network(tmp_path / "home", 1, port)
    ran = gradus("miner", "status", "1", "--key", encode_address(bytes(20)))
    assert f"asked at {port}" in ran.err


def test_without_a_network_it_is_the_standard_node(tmp_path: Path) -> None:
    assert find_network_nodes(tmp_path) == () and find_nodes(tmp_path / "nowhere") == (DEFAULT_NODE,)
    write_network(tmp_path, 31, 41)
    assert find_nodes(tmp_path) == ("http://127.0.0.1:31", "http://127.0.0.1:41")


@pytest.mark.parametrize("text", [
    "", "[]", "{}", '{"nodes": []}', '{"nodes": [{}]}', '{"nodes": [{"rpc_port": "26657"}]}', '{"nodes": 5}',
    '{"nodes": [{"rpc_port": true}]}', '{"nodes": [{"rpc_port": 0}]}', '{"nodes": [{"rpc_port": 65536}]}',
    "[" * 100_000,
    '{"nodes": [' + ",".join(['{"rpc_port": 1}'] * (NODES_MAX + 1)) + "]}",
    '{"nodes": [{"rpc_port": 1}]}' + " " * BYTES_MAX],
    ids=range(13))
def test_a_damaged_network_is_named_and_ends_with_2(
        gradus: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.delenv("GRADUS_NODE")
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "network.json").write_text(text)
    with pytest.raises(NetworkFileInvalid):
        find_network_nodes(tmp_path / "home")
    ran = gradus("query", "validators", "list")
    assert ran.status == 2 and "network.json is damaged" in ran.err and "--node" in ran.err


def test_a_lone_node_is_not_asked_and_the_first_is_taken_when_none_answers() -> None:
    assert pick_node(["http://127.0.0.1:9"]) == "http://127.0.0.1:9"
    assert pick_node(["http://127.0.0.1:1", "http://127.0.0.1:2"]) == "http://127.0.0.1:1"


@pytest.mark.parametrize("name", ["list", "misbehaviour"])
def test_a_list_of_validators_that_is_to_be_proved_says_why_it_cannot_be(gradus: Callable, name: str) -> None:
    ran = gradus("query", "validators", name, "--prove")
    assert ran.status == 2 and "a list cannot be proved" in ran.err
