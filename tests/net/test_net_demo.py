"""The demo as a user runs it: a real network and real miners, a cheat, two nodes killed on the way, a report."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from abci_app.client.errors import ClientError
from localnet import state
from localnet.manifest import Manifest, get_manifest, has_manifest
from abci_app.client.rpc import Rpc

pytestmark = [pytest.mark.net, pytest.mark.timeout(420)]
ROOT = Path(__file__).parents[2]
ROUNDS = 6
VALIDATORS = 4
CSV_ROWS = 240


def start_demo(folder: Path, *options: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "abci_app.cli", "localnet", "demo", "--dir", str(folder), "--base-port", "0",
         "--output", "json", *options],
        cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True)


def wait_until(is_done: Callable[[], bool], demo: subprocess.Popen[str], seconds: float = 120) -> None:
    deadline_s = time.monotonic() + seconds
    while not is_done():
        assert demo.poll() is None, demo.communicate()
        assert time.monotonic() < deadline_s, f"not in {seconds} s"
        time.sleep(0.1)


def closed_rounds(manifest: Manifest) -> int:
    from abci_app.cli.connect import connect

    try:
        found = connect(manifest.nodes[0].rpc).find_model(1)
    except ClientError:
        return 0
    return found.rounds_closed if found else 0


def write_table(path: Path) -> None:
    """Three classes by two numbers and a word, some cells missing."""
    lines = ["width,height,colour,kind"]
    for row in range(CSV_ROWS):
        kind = row % 3
        width = "" if row % 37 == 0 else f"{kind * 10 + row % 7}.{row % 10}"
        lines.append(f"{width},{20 - kind * 6 + row % 5},{('red', 'green', 'blue')[kind if row % 9 else 0]},kind{kind}")
    path.write_text("\n".join(lines) + "\n")


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any], Manifest]:
    """A demo on a table of our own; the app of one node and the engine of another are killed in the middle."""
    folder = tmp_path_factory.mktemp("demo") / "net"
    table = folder.parent / "table.csv"
    write_table(table)
    demo = start_demo(folder, "--data", str(table), "--label", "kind", "--rounds", str(ROUNDS), "--miners", "5",
                      "--behaviour", "garbage", "--behaviour", "wrong-data", "--keep")
    try:
        wait_until(lambda: has_manifest(folder), demo)
        manifest = get_manifest(folder)
        wait_until(lambda: closed_rounds(manifest) >= 1, demo)
        for index, part in ((1, "app"), (2, "engine")):
            pid = state.find_pid(manifest.nodes[index].paths, part)
            assert pid is not None
            os.kill(pid, signal.SIGKILL)
        out, err = demo.communicate(timeout=300)
        assert demo.returncode == 0, err
        yield folder, json.loads(out), manifest
    finally:
        if demo.poll() is None:
            os.killpg(demo.pid, signal.SIGKILL)
        subprocess.run([sys.executable, "-m", "abci_app.cli", "localnet", "down", "--dir", str(folder)], cwd=ROOT,
                       check=False, capture_output=True)


Finished = tuple[Path, dict[str, Any], Manifest]


def test_every_round_is_trained_and_the_model_has_learnt(finished: Finished) -> None:
    report = finished[1]
    assert len(report["accuracy_ppm_per_round"]) == ROUNDS
    assert report["accuracy_ppm_per_round"][-1] > report["baseline_ppm"]


def test_cheats_are_slashed_and_honest_miners_earn(finished: Finished) -> None:
    report = finished[1]
    assert {slash["behaviour"] for slash in report["slashed"]} == {"garbage", "wrong-data"}
    assert all(slash["reason"] == "mismatch" and 1 <= slash["round"] <= ROUNDS for slash in report["slashed"])
    slashed = {slash["address"] for slash in report["slashed"]}
    assert len(report["earned_ugrad"]) == 5
    assert all(earned > 0 for address, earned in report["earned_ugrad"].items() if address not in slashed)


def test_answer_of_three_hosts_is_bought_the_liar_is_slashed_and_a_session_is_settled_to_the_ugrad(
        finished: Finished) -> None:
    served = finished[1]["served"]
    fates = {host["behaviour"]: (host["standing"], host["earned_ugrad"] > 0, host["slashed_ugrad"] > 0)
             for host in served["hosts"]}
    assert len(served["hosts"]) == 3
    assert fates == {"honest": ("paid", True, False), "lie": ("wrong", False, True)}
    assert served["is_audited"] and served["proved"]["exists"]
    assert 0 < served["cost_ugrad"] < served["quoted_ugrad"]
    session = served["session"]
    assert (session["answers"], session["outcome"]) == (20, "paid")
    assert session["paid_ugrad"] == session["receipts_ugrad"] > 0
    assert session["paid_ugrad"] + session["refund_ugrad"] == session["deposit_ugrad"]


def test_killed_nodes_catch_up_to_the_same_app_hash(finished: Finished) -> None:
    _, report, manifest = finished
    assert len({node["app_hash"] for node in report["nodes"]}) == 1 and len(report["nodes"]) == VALIDATORS
    assert all(node["app_hash"] and node["height"] >= node["compared_height"] for node in report["nodes"])
    restarts = [state.find_state(node.paths).restarts for node in manifest.nodes]  # type: ignore[union-attr]
    assert restarts[1] >= 1 and restarts[2] >= 1 and restarts[0] == restarts[3] == 0


def test_report_holds_what_it_promises_and_stands_in_the_network_folder(finished: Finished) -> None:
    folder, report, _ = finished
    assert json.loads((folder / "report.json").read_text()) == report
    assert report["problems"] == []
    assert report["proved_balance"]["verifier"].startswith("cometbft light")
    assert report["proved_balance"]["ugrad"] > 0 and report["proved_balance"]["height"] > 0
    assert set(report["versions"]) >= {"gradus", "cometbft", "python", "numerics"}
    assert report["seconds"] > 0 and report["rpc"].startswith("http://127.0.0.1:")


def test_kept_network_goes_on_making_blocks_and_its_invariants_hold(finished: Finished) -> None:
    manifest = finished[2]
    with Rpc(manifest.nodes[3].rpc) as rpc:
        before = rpc.status().height
        deadline_s = time.monotonic() + 30
        while rpc.status().height <= before and time.monotonic() < deadline_s:
            time.sleep(0.1)
        assert rpc.status().height > before
        answer = rpc.abci_query("/app/invariants")
        assert answer.code == 0 and json.loads(answer.value)["broken"] == []


def audit(folder: Path, home: Path, manifest: Manifest, *arguments: str) -> tuple[int, dict[str, Any]]:
    """Status and answer of `gradus audit`, proved from a home that trusts nothing yet, with another node as witness."""
    witnesses = [part for node in manifest.nodes[1:] for part in ("--witness", node.rpc)]
    done = subprocess.run(
        [sys.executable, "-m", "abci_app.cli", "audit", "1", *arguments, "--verify", *witnesses, "--home", str(home),
         "--data", str(folder / "datasets"), "--node", manifest.nodes[0].rpc, "--output", "json"],
        cwd=ROOT, text=True, capture_output=True, check=False)
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout)


def test_whole_model_is_computed_again_from_its_blocks_and_a_round_from_its_proved_records(
        finished: Finished, tmp_path: Path) -> None:
    folder, report, manifest = finished
    status, told = audit(folder, tmp_path, manifest, "--all", "--units")
    assert (status, told["equal"], told["rounds"]) == (0, True, ROUNDS)
    assert [one["weights"] for one in told["replayed"]] == ["equal"] * (ROUNDS + 1)
    claims = [unit["claim"] for one in told["replayed"] for unit in one.get("units", ())]
    assert claims.count("equal") >= 3 * ROUNDS and "not equal" not in claims
    assert len(told["proved"]["witnesses"]) == VALIDATORS - 1
    status, told = audit(folder, tmp_path, manifest, str(ROUNDS))
    assert (status, told["equal"], told["weights"], told["source"]) == (0, True, "equal", "records")


def test_interrupted_demo_says_so_and_leaves_no_process(tmp_path: Path) -> None:
    folder = tmp_path / "net"
    demo = start_demo(folder, "--data", "iris", "--rounds", "50", "--miners", "2", "--validators", "1",
                      "--behaviour", "none")
    try:
        wait_until(lambda: has_manifest(folder) and closed_rounds(get_manifest(folder)) >= 1, demo)
        demo.send_signal(signal.SIGINT)
        _, err = demo.communicate(timeout=60)
    finally:
        if demo.poll() is None:
            os.killpg(demo.pid, signal.SIGKILL)
    assert demo.returncode == 130 and "interrupted" in err
    listing = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    assert [line for line in listing.splitlines() if str(folder) in line] == []


def test_demo_never_clears_a_folder_that_it_did_not_make(tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("mine")
    demo = start_demo(tmp_path)
    _, err = demo.communicate(timeout=60)
    assert demo.returncode == 1 and "no earlier run" in err
    assert (tmp_path / "precious").read_text() == "mine"
