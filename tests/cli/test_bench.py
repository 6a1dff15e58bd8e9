"""`gradus bench`: what is wrong with a command line, a key or a network is said before anything is loaded."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from abci_app.cli.bench import check_figures, find_localnet_nodes
from abci_app.cli.errors import CommandError
from abci_app.cli.options import DEFAULT_NODE
from abci_app.client.errors import NodeRefused

CLEAN = {"failed": {}, "refused": {}, "vanished": 0, "lost_connections": {}, "committed": 5}


def test_a_payer_without_a_key_ends_with_2_and_a_hint(gradus: Callable, tmp_path: Path) -> None:
    ran = gradus("bench", "tx", "--dir", str(tmp_path / "net"))
    assert ran.status == 2 and "faucet" in ran.err and "hint:" in ran.err and ran.out == ""


def test_a_node_that_does_not_answer_ends_with_3(gradus: Callable) -> None:
    gradus("keys", "add", "alice", "--keyring", "test")
    ran = gradus("bench", "tx", "--from", "alice", "--node", "http://127.0.0.1:1", "--output", "json")
    assert ran.status == 3 and "no node answers" in json.loads(ran.err)["error"] and ran.out == ""


def test_a_rate_or_a_time_of_nothing_is_wrong_usage(gradus: Callable) -> None:
    for option in ("--rate", "--seconds", "--txs", "--accounts", "--connections", "--waiting"):
        assert gradus("bench", "tx", option, "0").status == 2


def test_the_nodes_of_a_localnet_are_those_of_its_folder(tmp_path: Path) -> None:
    assert find_localnet_nodes(tmp_path) == (DEFAULT_NODE,)
    (tmp_path / "network.json").write_text(json.dumps({"nodes": [{"rpc_port": 31}, {"rpc_port": 41}]}))
    assert find_localnet_nodes(tmp_path) == ("http://127.0.0.1:31", "http://127.0.0.1:41")


def test_a_damaged_network_is_named(tmp_path: Path) -> None:
    (tmp_path / "network.json").write_text('{"nodes": [{}]}')
    with pytest.raises(CommandError, match="network.json") as caught:
        find_localnet_nodes(tmp_path)
    assert caught.value.exit_code == 2


def test_a_run_ends_with_1_when_anything_failed_was_refused_vanished_or_broke() -> None:
    check_figures(CLEAN)
    for name, value in (("failed", {"sdk/5": 1}), ("refused", {"no": 1}), ("vanished", 1),
                        ("lost_connections", {"a node": 1}), ("committed", 0)):
        with pytest.raises((CommandError, NodeRefused)) as caught:
            check_figures(CLEAN | {name: value})
        assert getattr(caught.value, "exit_code", 1) == 1
