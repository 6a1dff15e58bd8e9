"""`gradus audit`: what it prints for people and programs, its status, and what it says where it cannot compare."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from abci_app.cli import audit as command
from abci_app.cli import main as program
from abci_app.cli.exit_status import ExitStatus
from abci_app.replay.replay import Replayer
from tests.block_tape import TapeNode
from tests.unit.replay.conftest import ROUNDS, Trained


@pytest.fixture
def home(trained: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home with the dataset; every node is the trained chain's."""
    (tmp_path / "datasets").symlink_to(trained.rig.store.folder)
    monkeypatch.setattr(command, "Rpc", lambda url: trained.node())
    return tmp_path


def run(home: Path, *arguments: str) -> Result:
    options = ["--home", str(home), "--node", "http://127.0.0.1:26657"]
    return CliRunner().invoke(command.audit, [*arguments, *options])


def test_round_is_told_with_every_claim_and_status_0(trained: Trained, home: Path) -> None:
    result = run(home, "1", str(ROUNDS), "--output", "json")
    told = json.loads(result.stdout)
    assert (result.exit_code, told["equal"], told["weights"], told["source"]) == (0, True, "equal", "records")
    assert told["audits"] == "equal"
    assert told["weights_root"] == told["computed_root"] == trained.rig.model().weights_root.hex()
    assert [(unit["unit"], unit["claim"]) for unit in told["units"]] == [(index, "equal") for index in range(3)]
    assert all(unit["payload_root"] == unit["computed_payload_root"] for unit in told["units"])
    text = run(home, "1", str(ROUNDS)).stdout
    assert text.splitlines()[0].split() == ["unit", "trainer", "standing", "claim"] and "equal" in text


def test_whole_model_is_told_round_by_round(trained: Trained, home: Path) -> None:
    result = run(home, "1", "--all", "--units", "--output", "json")
    told = json.loads(result.stdout)
    assert (result.exit_code, told["equal"], told["rounds"]) == (0, True, ROUNDS)
    assert told["weights_root"] == trained.rig.model().weights_root.hex()
    assert [one["weights"] for one in told["replayed"]] == ["not checked", *["equal"] * ROUNDS]
    assert sum(unit["claim"] == "rejected" for one in told["replayed"] for unit in one.get("units", ())) == 1
    lines = run(home, "1", "--all").stdout.splitlines()
    columns = ["round", "attempt", "units", "audits", "weights", "weights_root"]
    assert lines[0].split() == columns and len(lines) > ROUNDS + 2


def test_rejected_claim_is_status_0_in_its_round_and_1_alone(trained: Trained, home: Path) -> None:
    slash, = trained.rig.client.iter_slashes(1)
    assert run(home, "1", str(slash.round)).exit_code == 0
    alone = run(home, "1", str(slash.round), str(slash.unit), "--output", "json")
    told = json.loads(alone.stdout)
    assert (alone.exit_code, told["equal"], told["units"][0]["claim"]) == (1, False, "rejected")
    assert told["units"][0]["payload_root"] != told["units"][0]["computed_payload_root"]


def test_what_differs_ends_with_1_and_a_hint_to_have_it_proved(trained: Trained, home: Path,
                                                               monkeypatch: pytest.MonkeyPatch) -> None:
    class Liar(TapeNode):
        def block_results(self, height: int) -> Any:
            shown = super().block_results(height)
            events = shown["finalize_block_events"] or []
            accepted = [event for event in events if event["type"] == "work.unit_accepted"]
            return {**shown, "finalize_block_events": [event for event in events if event not in accepted[:1]]}

    monkeypatch.setattr(command, "Rpc", lambda url: Liar(trained.rig.node, trained.tape))
    result = run(home, "1", "--all", "--output", "json")
    told = json.loads(result.stdout)
    assert (result.exit_code, told["equal"], told["replayed"][-1]["weights"]) == (1, False, "not equal")
    assert "--verify" in result.stderr
    text = run(home, "1", "--all")
    assert text.exit_code == 1 and "not equal" in text.stdout


@pytest.mark.parametrize("arguments, text", [
    ([], "MODEL_ID"), (["1"], "name a ROUND"), (["1", "0"], "name a ROUND"), (["1", "2", "--all"], "name a ROUND"),
    (["1", "2", "--units"], "--units goes with --all"), (["1", "-1"], "-1"),
    (["1", "2", "--witness", "http://127.0.0.1:1"], "go with --verify"), (["9", "1"], "there is no model 9"),
    (["1", "1", "7"], "no unit 7"), (["1", "2", "--data", "/nowhere"], "gradus data add"),
    (["1", "2", "--chain-id", "other-1"], "not of 'other-1'")])
def test_what_cannot_be_replayed_ends_with_2_and_says_why(home: Path, monkeypatch: pytest.MonkeyPatch,
                                                          capsys: pytest.CaptureFixture[str], arguments: list[str],
                                                          text: str) -> None:
    with pytest.raises(SystemExit) as ended:
        program.main(["audit", *arguments, "--home", str(home), "--node", "http://127.0.0.1:26657"])
    told = capsys.readouterr().err
    assert ended.value.code == ExitStatus.USAGE and text in told


def test_pruned_blocks_end_with_3_and_the_node_to_ask(trained: Trained, home: Path, monkeypatch: pytest.MonkeyPatch,
                                                      capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(command, "Rpc", lambda url: trained.node(lowest=trained.rig.chain.height))
    with pytest.raises(SystemExit) as ended:
        program.main(["audit", "1", "--all", "--home", str(home), "--node", "http://127.0.0.1:26657"])
    told = capsys.readouterr().err
    assert ended.value.code == ExitStatus.UNREACHABLE and "no longer has block" in told and "hint:" in told


def test_ctrl_c_ends_with_130(home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Replayer, "replay_round", interrupt)
    monkeypatch.setattr(program.signal, "signal", lambda *_: None)
    with pytest.raises(SystemExit) as ended:
        program.main(["audit", "1", "1", "--home", str(home), "--node", "http://127.0.0.1:26657"])
    assert ended.value.code == ExitStatus.INTERRUPTED and "interrupted" in capsys.readouterr().err


def test_terminal_shows_how_far_it_has_come(home: Path) -> None:
    runner = CliRunner(env={"FORCE_COLOR": "1", "TERM": "xterm", "COLUMNS": "200"})
    result = runner.invoke(command.audit, ["1", "--all", "--home", str(home), "--node", "http://127.0.0.1:26657"])
    assert result.exit_code == 0 and "reading blocks" in result.stderr


def test_help_has_examples() -> None:
    text = CliRunner().invoke(command.audit, ["--help"]).stdout
    assert "gradus audit 1 3" in text and "gradus audit 1 --all --verify" in text
