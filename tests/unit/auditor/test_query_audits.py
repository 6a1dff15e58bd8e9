"""`gradus query audits` on a chain in this process: from a drawn committee to what each of its members found."""

import json
from typing import Any

import pytest
from click.testing import CliRunner, Result

from abci_app.cli import query, query_audits
from abci_app.cli.exit_status import ExitStatus
from abci_app.client.chain import ChainClient
from tests.chain import SIGNERS
from tests.unit.auditor.conftest import VALIDATOR, Asked

ADDRESSES = sorted(signer.address.hex().upper() for signer in SIGNERS)


@pytest.fixture(autouse=True)
def node(asked: Asked, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(query_audits, "connect", lambda url: ChainClient(asked.rig.node))


def run(*arguments: str) -> Result:
    return CliRunner(env={"GRADUS_NODE": "http://127.0.0.1:1"}).invoke(query.query, ["audits", *arguments])


def ask(*arguments: str) -> Any:
    done = run(*arguments, "--output", "json")
    assert done.exit_code == ExitStatus.OK, done.output
    return json.loads(done.stdout)


def test_open_audits_are_listed_with_how_many_have_said_what_they_found(asked: Asked) -> None:
    rows = ask("list")
    assert [(row["model_id"], row["round"], row["unit"], row["status"]) for row in rows] == [
        (1, 1, unit, "open") for unit in range(3)]
    assert {row["digests"] for row in rows} == {"0 of 4"} and ask("list", "1") == rows
    assert len(ask("list", "--validator", VALIDATOR.hex())) == 3
    asked.vote()
    assert {row["digests"] for row in ask("list")} == {"4 of 4"}
    assert ask("list", "--validator", VALIDATOR.hex()) == [] and "no audit is open" in run(
        "list", "--validator", VALIDATOR.hex()).stdout


def test_audit_is_shown_with_its_committee_and_then_with_its_verdicts(asked: Asked) -> None:
    shown = ask("show", "1", "1", "0")
    assert (shown["status"], shown["unit"], shown["decided_height"]) == ("open", 0, 0) and "subject" not in shown
    assert shown["asked"] == "a committee"
    assert "it was not drawn, or is over" in run("show", "1", "1", "0", "--everybody").stderr
    assert [(member["consensus_address"], member["verdict"]) for member in shown["members"]] == [
        (address, "not judged") for address in ADDRESSES]
    asked.vote()
    asked.rig.chain.block(asked.rig.chain.propose(answers={asked.subjects[0]: asked.right(0)}))
    lines = run("show", "1", "1", "0").stdout.splitlines()
    assert [line.split() for line in lines if line.startswith("status")] == [["status", "taken"]]
    assert [line.split()[0] for line in lines if " right " in line] == ADDRESSES
    asked.decide()
    assert "is kept: it was not drawn, or is over" in run("show", "1", "1", "0").stderr
    rows = ask("auditors")
    assert [(row["consensus_address"], row["right"], row["wrong"]) for row in rows] == [
        (address, 3, 0) for address in ADDRESSES]
    one = ask("auditor", VALIDATOR.hex().upper())
    assert one == next(row for row in rows if row["consensus_address"] == VALIDATOR.hex().upper())


def test_what_is_not_there_is_told(asked: Asked, monkeypatch: pytest.MonkeyPatch) -> None:
    for arguments, text in [(("show", "1", "1", "7"), "round 1 of model 1 has no unit 7: it has 3, from 0 on"),
                            (("show", "1", "2", "0"), "model 1 has had no round 2: 0 are closed"),
                            (("auditor", VALIDATOR.hex()), "was in no audit that ended")]:
        refused = run(*arguments)
        assert refused.exit_code == ExitStatus.REFUSED and text in refused.stderr and "hint:" in refused.stderr
    assert run("auditors").stdout == "no validator has been judged as an auditor yet\n"
    monkeypatch.setattr(ChainClient, "find_audit", lambda self, subject: None)
    refused = run("show", "1", "1", "0")
    assert isinstance(refused.exception, SystemExit) and "is kept: it was not drawn" in refused.stderr
    assert run("auditor", "12").exit_code == ExitStatus.USAGE


def test_parameters_are_those_of_the_chain() -> None:
    assert ask("params") == {"missed_max": 8, "missed_excluded_blocks": 1_000, "wrong_excluded_blocks": 10_000}


def test_lists_cannot_be_proved_and_say_so() -> None:
    for name in ("list", "auditors"):
        assert "cannot be proved" in run(name, "--prove").stderr
