"""The gradus command, run in this process the way a shell would."""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from abci_app.cli.main import main


@dataclass(frozen=True)
class Ran:
    """What a command left behind."""

    status: int
    out: str
    err: str


@pytest.fixture
def gradus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Ran]:
    """Runs `gradus ARGUMENTS` with its home in a fresh folder and no node."""
    monkeypatch.setenv("GRADUS_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("GRADUS_NODE", "http://127.0.0.1:1")

    def run(*arguments: str) -> Ran:
        monkeypatch.setattr(sys, "argv", ["gradus", *arguments])
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        said = capsys.readouterr()
        return Ran(int(ended.value.code or 0), said.out, said.err)

    return run
