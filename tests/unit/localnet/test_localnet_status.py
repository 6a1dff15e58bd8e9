"""What `gradus localnet status` says of nodes: in 80 columns, and with the command that mends what is wrong."""

from pathlib import Path

import pytest

from localnet.homes import Home
from localnet.manifest import Manifest, NodeEntry, get_manifest, put_manifest
from localnet.node import find_start_command
from localnet.progress import print_status
from localnet.state import State, put_state, take_lock
from localnet.status import NodeStatus, read_status

UNUSED_PORT = 1


@pytest.fixture
def node(tmp_path: Path) -> NodeEntry:
    """The only node of a network, which nothing runs; its home is not complete, and need not be."""
    home = tmp_path / "net of mine" / "node0"
    (home / "run").mkdir(parents=True)
    entry = NodeEntry("node0", str(home), UNUSED_PORT, UNUSED_PORT, "00", "00")
    put_manifest(home.parent, Manifest("gradus-test-1", "2026-01-01T00:00:00+00:00", {}, (entry,), str(home.parent)))
    return get_manifest(home.parent).get_node("node0")


def test_auditor_that_died_too_often_is_told_with_the_command_that_brings_it_back(node: NodeEntry) -> None:
    with take_lock(node.paths):
        put_state(node.paths, State("running", 1, 2, 3, auditor="failed"))
        shown = read_status(node)
    assert (shown.phase, shown.auditor) == ("running", "failed") and "its auditor died too often" in shown.error
    folder = Path(node.home).parent
    assert shown.hint.startswith(f"read {node.paths.log('auditor')}")
    assert shown.hint.endswith(f"gradus localnet restart node0 --dir '{folder}'")


def test_node_whose_supervisor_was_killed_is_told_with_the_command_that_starts_it(node: NodeEntry) -> None:
    put_state(node.paths, State("running", 4711, 2, 3, auditor="running"))
    shown = read_status(node)
    assert (shown.phase, shown.height, shown.supervisor_pid, shown.auditor) == ("died", None, None, "")
    assert "pid 4711" in shown.error
    assert shown.hint == f"start it again: gradus localnet start node0 --dir '{Path(node.home).parent}'"


def test_node_that_was_stopped_or_never_ran_has_no_trouble(node: NodeEntry) -> None:
    assert (read_status(node).phase, read_status(node).error) == ("stopped", "")
    put_state(node.paths, State("stopped", 1))
    assert (read_status(node).phase, read_status(node).error, read_status(node).hint) == ("stopped", "", "")


def test_table_fits_80_columns_and_cuts_no_name(capsys: pytest.CaptureFixture[str]) -> None:
    usual = NodeStatus("node31", "catching up", "http://127.0.0.1:26967", 9_999_999, "AB" * 32, 31, False, 4_194_303,
                       1, 2, 3, "running", 6, "", "")
    long = NodeStatus("a-node-whose-name-is-longer-than-any-other-one", *list(vars(usual).values())[1:])
    print_status("gradus-local-1", [usual])
    assert max(map(len, capsys.readouterr().out.splitlines())) <= 80
    print_status("gradus-local-1", [usual, long])
    assert long.name in capsys.readouterr().out


def test_home_outside_of_a_network_is_started_by_its_path(tmp_path: Path) -> None:
    home = Home(tmp_path / "alone")
    assert find_start_command(home) == f"gradus node start --home {tmp_path}/alone"
