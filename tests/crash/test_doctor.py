"""The doctor on real homes: what it says of each state of a node, and that its fix is one."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from abci_app.app import STORE_NAMES
from abci_app.store.branch import Branch
from abci_app.store.disk import Database
from localnet.engine import find_engine
from localnet.engine_data import inspecting
from localnet.homes import Home
from localnet.state import take_lock
from tests.crash.base import Base, put_chain_id, put_state
from tests.crash.load import Load
from tests.crash.rig import Refused, Rig, copy_home

pytestmark = pytest.mark.net
ROOT = Path(__file__).parents[2]


def gradus(*arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([sys.executable, "-m", "abci_app.cli", *arguments], cwd=ROOT, text=True, capture_output=True,
                          timeout=180, check=False)


def examine(home: Home, *more: str) -> tuple[int, dict[str, Any]]:
    done = gradus("doctor", "--home", str(home.path), "--output", "json", *more)
    assert done.returncode in (0, 1), done.stderr
    report = json.loads(done.stdout)
    assert report["healthy"] == (done.returncode == 0)
    return done.returncode, report


def named(report: dict[str, Any], name: str) -> dict[str, str]:
    return next(one for one in report["findings"] if one["name"] == name)


@pytest.fixture
def home(base: Base, tmp_path: Path) -> Home:
    """A stopped node of some ten blocks."""
    return copy_home(base.grown, tmp_path / "home")


def height_of(base: Base) -> int:
    return base.past[-1][1]


def test_home_whose_chain_has_not_begun_is_healthy(base: Base, tmp_path: Path) -> None:
    status, report = examine(copy_home(base.fresh, tmp_path / "home"))
    assert status == 0
    assert "app 0, blocks 0, state 0" in named(report, "handshake")["text"]


def test_stopped_node_is_healthy_and_all_heights_agree(base: Base, home: Home) -> None:
    status, report = examine(home)
    assert status == 0
    height = height_of(base)
    assert f"app {height}, blocks {height}, state {height}: all agree" in named(report, "handshake")["text"]


def test_app_that_is_behind_is_said_to_be_replayed(base: Base, home: Home) -> None:
    source, height = base.past[0]
    put_state(home, source, "state")
    status, report = examine(home)
    assert status == 0
    assert f"replay blocks {height + 1} to {height_of(base)}" in named(report, "handshake")["text"]


@pytest.mark.parametrize(("index", "says"), [(3, "the engine will replay block"), (7, "the app's saved answer")])
def test_engine_that_ended_inside_a_block_is_said_to_finish_it(base: Base, home: Home, tmp_path: Path, index: int,
                                                               says: str) -> None:
    rig = Rig(home, tmp_path / "r")
    rig.start(fail_index=index)
    assert rig.wait_dead(60)
    rig.end()
    status, report = examine(home)
    blocks = height_of(base) + 1
    assert status == 0
    assert f"blocks {blocks}, state {blocks - 1}" in named(report, "handshake")["text"]
    assert says in named(report, "handshake")["text"]


def change_state(home: Home) -> None:
    with Database.open(home.path / "state", STORE_NAMES) as database:
        branch = Branch(database.latest())
        branch.store("bank").set(b"not of any block", b"1")
        database.commit(database.stage(branch, database.height + 1))


def test_engine_data_that_is_older_than_the_app_is_refused_and_the_fix_gives_the_same_chain(
        base: Base, home: Home, tmp_path: Path) -> None:
    put_state(home, base.past[1][0], "data")
    status, report = examine(home)
    assert status == 1
    problem = named(report, "handshake")
    assert "the app is ahead" in problem["text"]
    assert problem["fix"] == f"gradus node reset-state --home {home.path}"
    check_reset(home, tmp_path)


def check_reset(home: Home, tmp_path: Path) -> None:
    """The fix makes the doctor content, and loses nothing."""
    asked = gradus("node", "reset-state", "--home", str(home.path))
    assert asked.returncode != 0 and (home.path / "state").exists()
    assert gradus("node", "reset-state", "--home", str(home.path), "--yes").returncode == 0
    assert not (home.path / "state").exists() and list(home.path.glob("state.2*"))
    assert examine(home)[0] == 0


def test_engine_data_that_is_gone_is_told(base: Base, home: Home) -> None:
    for path in (home.path / "data").iterdir():
        if path != home.validator_state:
            shutil.rmtree(path)
    status, report = examine(home)
    assert status == 1
    assert "the app has a state, the engine has none" in named(report, "handshake")["text"]
    assert named(report, "handshake")["fix"] == f"bring {home.path}/data back from the newest copy"


def test_state_with_another_hash_is_told_with_both_hashes(base: Base, home: Home) -> None:
    put_state(home, base.past[0][0], "state")
    change_state(home)
    status, report = examine(home)
    assert status == 1
    assert f"the app's hash at {base.past[0][1] + 1} is" in named(report, "handshake")["text"]


def test_state_of_another_chain_is_told(base: Base, home: Home) -> None:
    put_chain_id(home, "gradus-crash-2")
    status, report = examine(home)
    assert status == 1
    assert "of chain gradus-crash-1, the genesis of gradus-crash-2" in named(report, "chain")["text"]


def test_app_does_not_start_on_the_state_of_another_chain(home: Home, tmp_path: Path) -> None:
    put_chain_id(home, "gradus-crash-2")
    with pytest.raises(Refused, match="the state is of chain gradus-crash-1, the genesis of gradus-crash-2"):
        Rig(home, tmp_path / "r").start()


def test_app_does_not_start_on_the_state_of_an_earlier_chain_of_the_same_name(home: Home, tmp_path: Path) -> None:
    document = json.loads(home.genesis.read_text())
    home.genesis.write_text(json.dumps(document | {"genesis_time": "2026-01-01T00:00:00.000000001Z"}))
    with pytest.raises(Refused, match="the state is of another chain named gradus-crash-1"):
        Rig(home, tmp_path / "r").start()


def test_damaged_state_is_told_and_can_be_made_again(base: Base, home: Home, tmp_path: Path) -> None:
    (home.path / "state" / "CURRENT").write_text("MANIFEST-999999\n")
    status, report = examine(home)
    assert status == 1
    assert report["problems"][0]["fix"] == f"gradus node reset-state --home {home.path}"
    check_reset(home, tmp_path)


def loosen_key(home: Home) -> str:
    home.validator_key.chmod(0o644)
    return f"chmod 600 {home.validator_key}"


def break_config(home: Home) -> str:
    home.config.write_text("moniker = \n")
    return "mend the line"


def drop_genesis(home: Home) -> str:
    home.genesis.unlink()
    return "put it back"


def break_signer_state(home: Home) -> str:
    home.validator_state.write_text("")
    return "newest copy"


def break_app_config(home: Home) -> str:
    home.app_config.write_text("keep_versions = = 1\n")
    return "mend it, or remove it"


def put_bad_value(home: Home) -> str:
    home.app_config.write_text("keep_versions = -7\n")
    return "give a whole number"


def put_unknown_key(home: Home) -> str:
    home.app_config.write_text("keep_version = 7\n")
    return "known: keep_versions"


def put_other_genesis(home: Home) -> str:
    document = json.loads(home.genesis.read_text())
    home.genesis.write_text(json.dumps(document | {"genesis_time": "2026-01-01T00:00:00.000000001Z"}))
    return "put back the genesis"


def put_other_name(home: Home) -> str:
    put_chain_id(home, "gradus-crash-2")
    return "put back the genesis"


def lose_blocks(home: Home) -> str:
    shutil.rmtree(home.path / "data" / "blockstore.db")
    return f"bring {home.path}/data back"


def empty_blocks(home: Home) -> str:
    lose_blocks(home)
    with inspecting(home, find_engine()):
        assert (home.path / "data" / "blockstore.db" / "CURRENT").is_file()
    return f"bring {home.path}/data back"


@pytest.mark.parametrize("hurt", [loosen_key, break_config, drop_genesis, break_signer_state, break_app_config,
                                  put_bad_value, put_unknown_key, put_other_genesis, put_other_name, lose_blocks,
                                  empty_blocks])
def test_what_is_wrong_with_a_file_of_the_home_is_told_with_what_to_do(home: Home, hurt: Callable[[Home], str]) -> None:
    expected = hurt(home)
    status, report = examine(home)
    assert status == 1
    assert any(expected in one["fix"] for one in report["problems"]), report["problems"]
    assert not any("reset-state" in one["fix"] for one in report["problems"])


@pytest.mark.parametrize("lose", [lose_blocks, empty_blocks])
def test_engine_that_lost_its_blocks_is_not_taken_for_a_new_one(home: Home, lose: Callable[[Home], str]) -> None:
    lose(home)
    done = gradus("node", "reset-state", "--home", str(home.path), "--yes")
    assert done.returncode == 1 and "data/blockstore.db" in done.stderr and f"bring {home.path}/data" in done.stderr
    (home.path / "state").rename(home.path / "state.20260101T000000")
    status, report = examine(home)
    assert status == 1 and "data/blockstore.db" in named(report, "handshake")["text"]
    assert "state.20260101T000000" in named(report, "moved")["text"]


def test_blocks_that_are_older_than_the_signer_are_told(base: Base, home: Home) -> None:
    record = json.loads(home.validator_state.read_text())
    home.validator_state.write_text(json.dumps({**record, "height": str(height_of(base) + 50)}))
    _, report = examine(home)
    assert named(report, "signed")["level"] == "warning"
    assert "older than the signer" in named(report, "signed")["text"]


def test_state_that_another_process_has_open_is_not_to_be_reset(home: Home) -> None:
    with Database.open(home.path / "state", STORE_NAMES):
        status, report = examine(home)
    assert status == 1
    assert "in use" in report["problems"][0]["text"] and "reset-state" not in report["problems"][0]["fix"]


def test_running_node_keeps_its_state(home: Home) -> None:
    with take_lock(home):
        done = gradus("node", "reset-state", "--home", str(home.path), "--yes")
    assert done.returncode == 1 and "already runs" in done.stderr
    assert (home.path / "state").exists()


def test_stores_that_differ_between_two_nodes_are_named(base: Base, home: Home, tmp_path: Path) -> None:
    other = copy_home(base.past[0][0], tmp_path / "other")
    assert examine(home, "--compare", str(other.path))[0] == 0
    put_state(home, base.past[0][0], "state")
    change_state(home)
    status, report = examine(home, "--compare", str(copy_home(base.grown, tmp_path / "third").path))
    assert status == 1
    assert any(one["text"].startswith("store bank differs") for one in report["problems"])


def test_report_for_people_names_each_finding_and_the_fix(home: Home) -> None:
    home.node_key.chmod(0o644)
    done = gradus("doctor", "--home", str(home.path))
    assert done.returncode == 1
    assert f"fix: chmod 600 {home.node_key}" in done.stdout
    assert any(line.startswith("ok") and "handshake" in line for line in done.stdout.splitlines())


def test_load_is_the_same_bytes_whenever_it_is_signed(home: Home) -> None:
    assert Load.of(home.genesis).transfer("load1", 4) == Load.of(home.genesis).transfer("load1", 4)
