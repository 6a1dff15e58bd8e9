"""`gradus localnet` and `gradus node` as an interface: answers for people and for programs, wrong usage, folders."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from localnet.network import Localnet
from tests.cli.conftest import Ran

URL = "http://127.0.0.1:1"


@pytest.fixture
def net(tmp_path: Path) -> Localnet:
    """A network of four that nothing runs, in a folder with a space in its name."""
    return Localnet.new(tmp_path / "a net", 4, base_port=0, builtin_app="kvstore")


def told(ran: Ran) -> list[dict[str, object]]:
    """The lines of stderr, each of which must be an object."""
    return [json.loads(line) for line in ran.err.splitlines()]


def test_network_that_rests_is_answered_in_json_and_in_words(gradus: Callable[..., Ran], net: Localnet) -> None:
    folder, name = ("--dir", str(net.folder)), net.manifest.chain_id
    assert gradus("localnet", "down", *folder).out == "nothing was running\n"
    assert json.loads(gradus("localnet", "down", *folder, "--output", "json").out) == {"chain_id": name, "stopped": []}
    assert gradus("localnet", "stop", "3", *folder).out == "node3 was not running\n"
    ran = gradus("localnet", "stop", "node3", *folder, "--output", "json")
    assert json.loads(ran.out) == {"name": "node3", "was_running": False,
                                   "chain_waits_for": ["node0", "node1", "node2", "node3"]}
    assert len(told(ran)) == 1 and "0 of 4 validators run" in str(told(ran)[0]["note"])
    ran = gradus("localnet", "status", *folder, "--output", "json")
    assert ran.status == 3 and [node["phase"] for node in json.loads(ran.out)["nodes"]] == ["stopped"] * 4


def test_logs_are_lines_with_their_part_or_objects(gradus: Callable[..., Ran], net: Localnet) -> None:
    home = net.manifest.nodes[1].paths
    home.log("app").write_text("one\ntwo\n")
    home.log("auditor").write_text('"three"\n')
    folder = ("--dir", str(net.folder), "-n", "1")
    assert gradus("localnet", "logs", "node1", *folder).out == '    app | two\nauditor | "three"\n'
    assert gradus("localnet", "logs", "1", *folder, "--part", "app").out == "two\n"
    assert [json.loads(line) for line in gradus("localnet", "logs", "1", *folder, "--output", "json").out.splitlines()
            ] == [{"part": "app", "line": "two"}, {"part": "auditor", "line": '"three"'}]


def test_network_of_the_home_is_meant_where_no_folder_is_named(
        gradus: Callable[..., Ran], net: Localnet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert f"no network in {tmp_path}/.gradus/localnet" in gradus("localnet", "status").err
    monkeypatch.setenv("GRADUS_HOME", str(net.folder))
    assert net.manifest.chain_id in gradus("localnet", "status").out
    monkeypatch.setenv("GRADUS_LOCALNET", str(tmp_path / "nowhere"))
    ran = gradus("localnet", "status")
    assert ran.status == 1 and f"--dir {tmp_path}/nowhere" in ran.err


def test_folder_with_a_space_is_quoted_in_every_command_that_is_told(
        gradus: Callable[..., Ran], net: Localnet, tmp_path: Path) -> None:
    for command in (("status",), ("down",), ("add",), ("stop", "0"), ("start", "0"), ("restart", "0"), ("logs", "0")):
        ran = gradus("localnet", *command, "--dir", str(tmp_path / "b net"))
        assert ran.status == 1 and f"gradus localnet up --dir '{tmp_path}/b net'" in ran.err
    assert f"gradus localnet up --dir '{net.folder}'" in gradus("localnet", "add", "--dir", str(net.folder)).err


def test_home_that_is_none_is_told_with_what_is_one(gradus: Callable[..., Ran], net: Localnet, tmp_path: Path) -> None:
    ran = gradus("node", "start", "--home", str(tmp_path / "nowhere"), "--output", "json")
    assert ran.status == 1 and told(ran)[0]["error"] == f"there is no node in {tmp_path}/nowhere"
    assert "gradus node join" in str(told(ran)[0]["hint"])
    for command in (("node", "start"), ("node", "reset-state", "--yes"), ("node", "resync", "--rpc", URL, "--yes")):
        ran = gradus(*command, "--home", str(net.folder), "--output", "json")
        assert ran.status == 1 and f"'{net.folder}/node0'" in str(told(ran)[-1]["hint"])
    ran = gradus("doctor", "--home", str(net.folder))
    assert ran.status == 1 and "holds a network, not one node" in ran.out


@pytest.mark.parametrize("arguments", [
    ("localnet", "up", "--account", "nonsense"), ("localnet", "up", "--account", "gradus1x=" + "9" * 5000),
    ("localnet", "up", "--timeout-commit", "soon"), ("localnet", "up", "--chain-id", "a b"),
    ("localnet", "up", "--validators", "0"), ("localnet", "stop"), ("localnet", "logs", "0", "--part", "mind"),
    ("node", "join", "--rpc", ","), ("node", "join", "--rpc", "nonsense"), ("node", "join", "--rpc", f"{URL},nonsense"),
    ("node", "join", "--rpc", URL, "--trust-height", "5", "--trust-hash", "xyz"),
    ("node", "join", "--rpc", URL, "--trust-hash", "ab" * 32), ("node", "join", "--rpc", URL, "--genesis-hash", "00"),
    ("node", "join", "--rpc", URL, "--from-blocks", "--trust-hours", "1"), ("node", "resync", "--rpc", ",", "--yes"),
    ("node", "resync", "--rpc", URL, "--trust-hash", "ab" * 32, "--yes"),
], ids=lambda arguments: " ".join(arguments)[:60])
def test_what_is_wrong_in_the_command_line_of_a_network_is_wrong_usage_and_makes_nothing(
        arguments: tuple[str, ...], gradus: Callable[..., Ran], tmp_path: Path) -> None:
    place = "--dir" if arguments[0] == "localnet" else "--home"
    ran = gradus(*arguments, place, str(tmp_path / "new"), "--output", "json")
    assert ran.status == 2 and ran.out == "" and set(told(ran)[-1]) == {"error", "hint"}
    assert not (tmp_path / "new").exists()


def test_restart_with_an_engine_that_is_none_ends_nothing(
        gradus: Callable[..., Ran], net: Localnet, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop_node(self: Localnet, index: int) -> None:
        raise AssertionError("it was ended")

    monkeypatch.setattr(Localnet, "stop_node", stop_node)
    ran = gradus("localnet", "restart", "node0", "--dir", str(net.folder), "--engine", "/nowhere/cometbft")
    assert ran.status == 1 and "/nowhere/cometbft" in ran.err
