"""What is said while a command works without a terminal: nothing for what is quick, then a line now and then."""

import json
import time

import pytest

from abci_app.cli import progress


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "FIRST_S", 0.02)
    monkeypatch.setattr(progress, "EVERY_S", 0.02)


def wait_lines(capsys: pytest.CaptureFixture[str], text: str) -> str:
    """What stderr has once `text` is in it."""
    said = ""
    while text not in said:
        time.sleep(0.01)
        said += capsys.readouterr().err
    return said


def test_what_is_quick_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    with progress.progress_bar("reading") as report:
        report("blocks", 1, 2)
    assert capsys.readouterr() == ("", "")


def test_what_takes_long_is_told_also_while_nothing_is_reported(
        quick: None, capsys: pytest.CaptureFixture[str]) -> None:
    with progress.progress_bar("reading records") as report:
        assert wait_lines(capsys, "s\n").startswith("note:  reading records, 0 s\n")
        report("blocks", 3, 7)
        wait_lines(capsys, "note:  blocks: 3 of 7, 0 s\n")
        report("compiling", 0, 1)
        wait_lines(capsys, "note:  compiling, 0 s\n")


def test_lines_are_json_where_json_was_asked_for(quick: None, capsys: pytest.CaptureFixture[str],
                                                 monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["gradus", "audit", "--output", "json"])
    with progress.progress_bar("reading"):
        said = wait_lines(capsys, "\n")
    assert json.loads(said.splitlines()[0]) == {"note": "reading, 0 s"}
