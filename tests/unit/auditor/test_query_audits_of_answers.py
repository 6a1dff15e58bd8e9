"""`gradus query audits` about answers: named by request or session, beside audits of units."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from abci_app.cli import query, query_audits
from abci_app.cli.exit_status import ExitStatus
from abci_app.client.chain import ChainClient
from abci_app.wire.audit import Subject, statement_subject
from abci_app.wire.pb.gradus.audits.v1.audits_pb2 import Audit
from tests.chain import SIGNERS
from tests.local_rpc import LocalNode
from tests.unit.auditor.bench import Bench


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    made = Bench(tmp_path)
    monkeypatch.setattr(query_audits, "connect", lambda url: ChainClient(LocalNode(made.chain)))
    made.ask()
    made.answer_all(lies={"hob": "x"})
    made.block()
    yield made
    made.chain.database.close()


def run(*arguments: str) -> Result:
    return CliRunner(env={"GRADUS_NODE": "http://127.0.0.1:1"}).invoke(query.query, ["audits", *arguments])


def ask(*arguments: str) -> Any:
    done = run(*arguments, "--output", "json")
    assert done.exit_code == ExitStatus.OK, done.output
    return json.loads(done.stdout)


def test_audit_of_a_request_is_listed_and_shown(bench: Bench) -> None:
    row, = ask("list")
    assert (row["model_id"], row["of"], row["request_id"], row["asked"], row["digests"]) == (
        1, "request 1", 1, "everybody", f"0 of {len(SIGNERS)}")
    assert "unit" not in row and "request 1" in run("list").stdout
    shown = ask("request", "1", "1")
    assert (shown["of"], shown["status"], len(shown["members"])) == ("request 1", "open", len(SIGNERS))
    assert "not judged" in run("request", "1", "1").stdout


def test_audit_of_an_entry_is_shown_by_session_and_number(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[bytes] = []

    def find(self: ChainClient, subject: bytes) -> Audit:
        asked.append(subject)
        return Audit(subject=subject)

    monkeypatch.setattr(ChainClient, "find_audit", find)
    shown = ask("session", "1", "3", str(2**32 + 5))
    assert asked == [statement_subject(1, 3, 2**32 + 5)]
    assert (shown["of"], shown["session_id"], shown["number"]) == ("answer 4294967301 of session 3", 3, 2**32 + 5)


def test_audit_of_a_kind_that_is_not_known_is_listed_all_the_same(
        bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    strange = Audit(subject=Subject(9, 1, 2, 3, 4).encode())
    monkeypatch.setattr(ChainClient, "iter_open_audits", lambda self, validator=b"": iter([strange]))
    assert "kind 9" in run("list").stdout


def test_audits_that_are_not_there_are_told(bench: Bench) -> None:
    for arguments, text in ((("request", "1", "9"), "no audit of request 9 of model 1 is kept"),
                            (("session", "1", "9", "2"), "no audit of answer 2 of session 9 of model 1 is kept")):
        refused = run(*arguments)
        assert refused.exit_code == ExitStatus.REFUSED and text in refused.stderr and "hint:" in refused.stderr
