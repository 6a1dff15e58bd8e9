"""`gradus bench`: what is wrong with a command line, a key or a network is said before anything is loaded."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from abci_app.cli.bench import check_figures, describe_figures
from abci_app.cli.errors import CommandError
from abci_app.client.errors import NodeRefused

CLEAN = {"failed": {}, "refused": {}, "vanished": 0, "lost_connections": {}, "committed": 5}


def test_a_payer_without_a_key_ends_with_2_and_a_hint(gradus: Callable, tmp_path: Path) -> None:
    (tmp_path / "network.json").write_text(json.dumps({"nodes": [{"rpc_port": 1}]}))
    ran = gradus("bench", "tx", "--dir", str(tmp_path))
    assert ran.status == 2 and "faucet" in ran.err and "hint:" in ran.err and ran.out == ""


def test_a_node_that_does_not_answer_ends_with_3(gradus: Callable) -> None:
    gradus("keys", "add", "alice", "--keyring", "test")
    ran = gradus("bench", "tx", "--from", "alice", "--node", "http://127.0.0.1:1", "--output", "json")
    assert ran.status == 3 and "no node answers" in json.loads(ran.err)["error"] and ran.out == ""


def test_a_folder_without_a_network_is_named_before_its_keys_are_missed(gradus: Callable, tmp_path: Path) -> None:
    ran = gradus("bench", "tx", "--dir", str(tmp_path / "nowhere"))
    assert ran.status == 2 and "there is no network in" in ran.err and "nowhere" in ran.err and "faucet" not in ran.err


@pytest.mark.parametrize("option", ["--rate", "--seconds"])
def test_what_is_no_number_is_wrong_usage(gradus: Callable, option: str) -> None:
    ran = gradus("bench", "tx", option, "nan")
    assert ran.status == 2 and "'nan' is not a number" in ran.err and option in ran.err


def test_people_read_none_where_there_is_nothing_and_no_none_where_a_rate_is_unknown() -> None:
    assert describe_figures({"failed": {}, "refused": {"no": 1}, "committed_per_s": None, "vanished": 0}) == {
        "failed": "none", "refused": {"no": 1}, "committed_per_s": "unknown: one block", "vanished": 0}


def test_the_hint_speaks_of_codes_only_where_there_are_some() -> None:
    for name, value, is_told in (("failed", {"sdk/5": 1}, True), ("refused", {"no": 1}, True), ("vanished", 1, False),
                                 ("lost_connections", {"a node": 1}, False)):
        with pytest.raises(CommandError) as caught:
            check_figures(CLEAN | {name: value})
        assert ("codes and texts are above" in caught.value.hint) is is_told


def test_a_rate_or_a_time_of_nothing_is_wrong_usage(gradus: Callable) -> None:
    for option in ("--rate", "--seconds", "--txs", "--accounts", "--connections", "--waiting"):
        assert gradus("bench", "tx", option, "0").status == 2


def test_a_run_ends_with_1_when_anything_failed_was_refused_vanished_or_broke() -> None:
    check_figures(CLEAN)
    for name, value in (("failed", {"sdk/5": 1}), ("refused", {"no": 1}), ("vanished", 1),
                        ("lost_connections", {"a node": 1}), ("committed", 0)):
        with pytest.raises((CommandError, NodeRefused)) as caught:
            check_figures(CLEAN | {name: value})
        assert getattr(caught.value, "exit_code", 1) == 1
