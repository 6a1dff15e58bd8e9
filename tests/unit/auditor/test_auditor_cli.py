"""`gradus auditor`: the command on a chain in this process, what it reads of a home, and how it ends."""

import json
import signal
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from abci_app.auditor.errors import AuditorStopped
from abci_app.auditor.home import read_node_url, read_validator
from abci_app.cli import auditor as command
from abci_app.cli.exit_status import ExitStatus
from abci_app.client.node import Nodes
from abci_app.wire.pb.gradus.audits.v1.audits_pb2 import Auditor
from tests.unit.auditor.conftest import VALIDATOR, Asked


@pytest.fixture
def home(asked: Asked, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A node's home; the command asks the test's chain, and a signal ends it at its third pause."""
    (asked.home / "config").mkdir(parents=True)
    (asked.home / "config" / "priv_validator_key.json").write_text(json.dumps({"address": VALIDATOR.hex().upper()}))
    (asked.home / "config" / "config.toml").write_text('[rpc]\nladdr = "tcp://127.0.0.1:7"\n')
    pauses = []

    class Turns(command.Nap):
        def __call__(self, seconds: float) -> None:
            pauses.append(seconds)
            if len(pauses) == 3:
                signal.raise_signal(signal.SIGTERM)

    def connect(urls: tuple[str, ...], chain_id: str | None) -> Nodes:
        assert urls == ("http://127.0.0.1:7",)
        return Nodes([asked.rig.node], chain_id)

    monkeypatch.setattr(command, "Nap", Turns)
    monkeypatch.setattr(command, "connect", connect)
    monkeypatch.setattr(command, "ChainClient", lambda nodes: asked.chain)
    monkeypatch.setattr("os.nice", lambda by: by)
    return asked.home


def run(home: Path, *arguments: str, own: Path) -> Result:
    return CliRunner(env={"GRADUS_HOME": str(own)}).invoke(command.auditor, [*arguments, "--home", str(home)])


def test_auditor_answers_from_the_users_own_datasets_until_it_is_told_to_end(asked: Asked, home: Path) -> None:
    asked.ask(0, 1)
    result = run(home, "start", "--output", "json", own=asked.rig.store.folder.parent)
    assert (result.exit_code, result.exception) == (0, None) and "ending behind the unit" in result.stderr
    told = [json.loads(line) for line in result.stdout.splitlines()]
    assert [(event["event"], event["unit"]) for event in told] == [("answered", 0), ("answered", 1)]
    assert all(event["cpu_milliseconds"] >= 0 for event in told)
    with asked.folder() as answers:
        assert answers.find(asked.subjects[1]) == asked.right(1)


def test_status_says_what_the_chain_knows_of_the_validator(
        asked: Asked, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked.ask(0)
    monkeypatch.setattr(asked.chain, "find_auditor", lambda address: None)
    shown = json.loads(run(home, "status", "--output", "json", own=home).stdout)
    assert shown == {"validator": VALIDATOR.hex().upper(), "status": "in committees", "excluded_until_height": 0,
                     "right": 0, "wrong": 0, "missed": 0, "arrears": 0, "fees_ugrad": 0, "waiting": 1,
                     "answers": 0}
    monkeypatch.setattr(asked.chain, "find_auditor", lambda address: Auditor(
        consensus_address=address, right=5, wrong=1, missed=2, excluded_until_height=10**6, fees_ugrad=9))
    shown = json.loads(run(home, "status", "--output", "json", own=home).stdout)
    assert (shown["status"], shown["right"], shown["wrong"], shown["fees_ugrad"]) == ("excluded", 5, 1, 9)


def test_second_auditor_of_a_home_is_refused(asked: Asked, home: Path) -> None:
    with asked.folder():
        result = run(home, "start", own=home)
    assert result.exit_code == ExitStatus.REFUSED and "another auditor works here" in result.stderr


def test_home_that_names_no_validator_or_node_is_told_with_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "config").mkdir()
    with pytest.raises(AuditorStopped, match="names no validator"):
        read_validator(tmp_path)
    with pytest.raises(AuditorStopped, match="names no RPC address"):
        read_node_url(tmp_path)
    for text in ("[]", '{"address": "zz"}', '{"address": "00"}', '{"address": 7}', "{"):
        (tmp_path / "config" / "priv_validator_key.json").write_text(text)
        with pytest.raises(AuditorStopped, match="--validator|names no validator"):
            read_validator(tmp_path)
    for text in ("rpc = 1", '[rpc]\nladdr = "unix:///x"', "["):
        (tmp_path / "config" / "config.toml").write_text(text)
        with pytest.raises(AuditorStopped, match="names no RPC address"):
            read_node_url(tmp_path)


def test_usage_errors_exit_2_and_help_has_an_example(home: Path) -> None:
    assert run(home, "start", "--validator", "12", own=home).exit_code == ExitStatus.USAGE
    assert run(home, "start", "--behaviour", "nice", own=home).exit_code == ExitStatus.USAGE
    assert "gradus auditor start --home" in CliRunner().invoke(command.auditor, ["start", "--help"]).output
