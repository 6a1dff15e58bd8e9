"""The application's process: how it starts, refuses to start, stops, dies, and goes on where it was."""

import os
import resource
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from abci_app.abci.frames import encode_frame
from abci_app.abci.server import listen_unix
from abci_app.store.disk import Database
from abci_app.wire.pb.tendermint.abci import types_pb2 as abci
from tests.abci.engine import Connection, Node

START_SECONDS = 60.0


class Process:
    """`python -m abci_app.abci` of one home."""

    def __init__(self, home: Path, *options: str, socket_path: Path | None = None, **environment: str) -> None:
        self.socket_folder = tempfile.TemporaryDirectory(prefix="abci-")
        self.path = socket_path or Path(self.socket_folder.name) / "app.sock"
        self.process = subprocess.Popen(
            [sys.executable, "-m", "abci_app.abci", "--home", str(home), "--socket", str(self.path), *options],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            env={**os.environ, "GRADUS_KERNELS_BACKEND": "ref", **environment})

    def connect(self) -> Connection:
        """A connection, once the process listens."""
        deadline_s = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline_s and self.process.poll() is None:
            peer = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            try:
                peer.connect(str(self.path))
                return Connection(peer)
            except OSError:
                peer.close()
                time.sleep(0.02)
        raise AssertionError(f"the process does not listen; {self.end()}")

    def end(self, number: int = signal.SIGKILL) -> tuple[int, str, str]:
        """Send a signal, wait, and return (status, stdout, stderr)."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.wait()

    def wait(self) -> tuple[int, str, str]:
        """Wait for the end by itself."""
        said, complained = self.process.communicate(timeout=START_SECONDS)
        self.socket_folder.cleanup()
        return self.process.returncode, said, complained


@pytest.fixture
def template(tmp_path: Path) -> Iterator[Node]:
    """Makes requests; its chain is never the one under test."""
    with Node(tmp_path / "template") as one:
        one.init_chain()
        yield one


def info(connection: Connection) -> abci.ResponseInfo:
    answer: abci.ResponseInfo = connection.ask("info", abci.RequestInfo())
    return answer


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_process_serves_and_stops_cleanly(tmp_path: Path, template: Node, number: int) -> None:
    process = Process(tmp_path, "--trace", str(tmp_path / "trace"))
    engine = process.connect()
    engine.ask("init_chain", template.genesis_request())
    app_hash = engine.ask("finalize_block", template.finalize_request([b"x"])).app_hash
    engine.ask("commit", abci.RequestCommit())
    status, said, complained = process.end(number)
    assert (status, complained) == (0, "")
    assert "block 1: 1 txs, " in said and f"app hash {app_hash.hex()[:16]}" in said
    assert not process.path.exists()
    assert (tmp_path / "trace").read_text() == "\nIfC"


def test_process_on_the_compiled_kernels_starts_too(tmp_path: Path) -> None:
    process = Process(tmp_path, GRADUS_KERNELS_BACKEND="cpu")
    assert info(process.connect()).last_block_height == 0
    status, said, _ = process.end(signal.SIGTERM)
    assert status == 0 and "kernels: back end cpu" in said


@pytest.mark.parametrize("calls", [[], ["f"], ["f", "C"], ["f", "C", "f"], ["f", "C", "f", "C"]])
def test_i11_killed_process_goes_on_from_its_last_commit(tmp_path: Path, template: Node, calls: list[str]) -> None:
    blocks = [template.finalize_request([b"x"]), None]
    template.block([b"x"])
    blocks[1] = template.finalize_request([template.send_tx("alice", "bob", 5)])
    template.block(blocks[1].txs)
    first = Process(tmp_path)
    engine = first.connect()
    engine.ask("init_chain", template.genesis_request())
    for index, call in enumerate(calls):
        if call == "f":
            engine.ask("finalize_block", blocks[index // 2])
        else:
            engine.ask("commit", abci.RequestCommit())
    assert first.end(signal.SIGKILL)[0] == -signal.SIGKILL
    again = Process(tmp_path)
    engine = again.connect()
    height = info(engine).last_block_height
    assert height == calls.count("C")
    if height == 0:
        engine.ask("init_chain", template.genesis_request())
    for block in blocks[height:]:
        engine.ask("finalize_block", block)
        engine.ask("commit", abci.RequestCommit())
    assert info(engine) == template.info()
    again.end(signal.SIGTERM)


def test_disk_that_takes_no_more_ends_the_process_and_keeps_the_last_commit(tmp_path: Path, template: Node) -> None:
    process = Process(tmp_path)
    engine = process.connect()
    engine.ask("init_chain", template.genesis_request())
    engine.ask("finalize_block", template.finalize_request())
    engine.ask("commit", abci.RequestCommit())
    before = info(engine)
    template.block()
    engine.ask("finalize_block", template.finalize_request())
    resource.prlimit(process.process.pid, resource.RLIMIT_FSIZE, (1, 1))
    engine.put("commit", abci.RequestCommit())
    assert engine.read().exception.error.startswith("DatabaseDamaged: commit of height 2 failed")
    assert engine.is_closed()
    assert process.wait()[0] == 1
    again = Process(tmp_path)
    assert info(again.connect()) == before
    again.end(signal.SIGTERM)


def test_genesis_that_cannot_start_a_chain_ends_the_process_with_3(tmp_path: Path, template: Node) -> None:
    process = Process(tmp_path)
    request = template.genesis_request()
    request.consensus_params.block.max_gas = -1
    engine = process.connect()
    engine.put("init_chain", request)
    assert "max_gas = -1" in engine.read().exception.error
    status, said, complained = process.wait()
    assert status == 3 and "Traceback" not in said
    assert complained == ("error: the genesis has consensus_params.block.max_gas = -1\n"
                          "hint:  set a limit, such as 500000000: blocks here are always bounded\n")


def refuses(home: Path, words: str, *options: str, **places: Path) -> None:
    """Assert that a process ends with 3 and one line of error, one of hint."""
    status, _, complained = Process(home, *options, **places).wait()
    lines = complained.splitlines()
    assert status == 3, complained
    assert lines[0].startswith("error: ") and words in lines[0]
    assert lines[1].startswith("hint:  ") and len(lines) == 2


def test_state_in_use_is_named(tmp_path: Path) -> None:
    running = Process(tmp_path)
    running.connect()
    refuses(tmp_path, "is in use")
    assert running.end(signal.SIGTERM)[0] == 0


def test_state_of_other_software_is_named(tmp_path: Path) -> None:
    Database.open(tmp_path / "state", ("other",)).close()
    refuses(tmp_path, "has format and stores")


def test_home_that_is_not_there_is_named(tmp_path: Path) -> None:
    refuses(tmp_path / "nowhere", "there is no folder")


def test_socket_that_cannot_be_is_named_and_left_alone(tmp_path: Path) -> None:
    with tempfile.TemporaryDirectory(prefix="abci-") as folder:
        path = Path(folder) / "app.sock"
        listener = listen_unix(path)
        refuses(tmp_path, "another process serves", socket_path=path)
        assert path.is_socket()
        listener.close()
        refuses(tmp_path, "the most is 103", socket_path=Path(folder) / ("x" * 120))
        refuses(tmp_path, "cannot write the trace", "--trace", str(tmp_path / "no" / "trace"))


@pytest.mark.parametrize("options", [
    ["--tcp", "0"], ["--keep-versions", "many"], ["--nonsense"]])
def test_wrong_usage_is_status_2(tmp_path: Path, options: list[str]) -> None:
    assert Process(tmp_path, *options).wait()[0] == 2


def test_malformed_bytes_do_not_end_the_process(tmp_path: Path) -> None:
    process = Process(tmp_path)
    for data in (b"\xff" * 64, encode_frame(b"hello"), b"GET / HTTP/1.1\r\n\r\n", b"\x00"):
        connection = process.connect()
        connection.send(data)
        connection.close()
    assert info(process.connect()).data == "gradus"
    assert process.end(signal.SIGTERM)[0] == 0
