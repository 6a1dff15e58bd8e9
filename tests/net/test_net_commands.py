"""Commands of a network for programs: made, broken, mended and ended by a script that reads nothing but JSON."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.net
ROOT = Path(__file__).parents[2]


def run(*arguments: str, status: int = 0) -> tuple[Any, list[dict[str, str]]]:
    """(the object of stdout, None for none; those of stderr) of `gradus ARGUMENTS --output json`."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GRADUS_")}
    done = subprocess.run([sys.executable, "-m", "abci_app.cli", *arguments, "--output", "json"], cwd=ROOT, text=True,
                          capture_output=True, timeout=180, env=environment)
    assert done.returncode == status, done.stderr
    return json.loads(done.stdout) if done.stdout else None, [json.loads(line) for line in done.stderr.splitlines()]


def test_script_runs_a_network_by_its_answers_alone(tmp_path: Path) -> None:
    place = ("--dir", str(tmp_path / "a net"))
    try:
        up, notes = run("localnet", "up", *place, "--validators", "1", "--base-port", "0", "--no-auditors")
        assert up["is_new"] and up["troubles"] == [] and notes[-1] == {"note": "the network is up"}
        (node,) = up["nodes"]
        stopped, (note,) = run("localnet", "stop", "node0", *place)
        assert stopped == {"name": "node0", "was_running": True, "chain_waits_for": ["node0"]}
        assert "the chain stands still until you start node0" in note["note"]
        status, _ = run("localnet", "status", *place, status=3)
        assert [(one["name"], one["phase"]) for one in status["nodes"]] == [("node0", "stopped")]
        started, _ = run("localnet", "start", "node0", *place, "--no-auditor")
        assert (started["rpc"], started["chain_waits_for"]) == (node["rpc"], []) and started["height"] > 0
        _, (error,) = run("localnet", "start", "node0", *place, status=1)
        assert (error["error"], "restart node0" in error["hint"]) == ("node0 runs already", True)
        joined, notes = run("node", "join", "--home", str(tmp_path / "joined"), "--rpc", node["rpc"], "--from-blocks",
                            "--base-port", "0")
        assert (joined["chain_id"], joined["trust_hash"]) == (up["chain_id"], "")
        _, (error,) = run("node", "resync", "--home", node["home"], "--rpc", node["rpc"], "--yes", status=1)
        assert "already runs" in error["error"]
    finally:
        down, _ = run("localnet", "down", *place)
    assert down["stopped"] == ["node0"]
