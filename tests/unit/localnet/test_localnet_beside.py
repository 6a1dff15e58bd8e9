"""A part beside a node: when it is started again, and how long it waits when it died too often; by the rule's time."""

import subprocess
from typing import Any, cast

import pytest

from localnet.beside import PAUSE_S, Beside
from localnet.errors import NodeError
from localnet.parts import Command, Part
from localnet.restart import RestartRule

COMMAND = Command("auditor", ("auditor",))


class Ended:
    """A process that has ended as soon as somebody looks."""

    pid, returncode = 0, 7

    def poll(self) -> int:
        return 7


def new_part() -> Part:
    return Part(COMMAND, cast("subprocess.Popen[bytes]", Ended()), cast(Any, None))


def test_part_that_dies_again_and_again_waits_a_while_and_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    now, said, closed = [100.0], list[str](), list[Part]()
    monkeypatch.setattr("localnet.beside.time.monotonic", lambda: now[0])
    beside = Beside(COMMAND, lambda command: new_part(), lambda part: None, closed.append, said.append,
                    RestartRule(tries_max=2))
    phases = []
    for _ in range(7):
        beside.tend()
        phases.append(beside.phase)
        now[0] += 5.0
    assert phases == ["running", "restarting", "running", "restarting", "running", "failed", "failed"]
    now[0] += PAUSE_S
    beside.tend()
    assert beside.phase == "running"
    beside.tend()
    assert beside.phase == "restarting" and len(closed) == 4 and said == [
        "the auditor ended, exit status 7; starting again in 0.3 s",
        "the auditor ended, exit status 7; starting again in 0.6 s",
        "the auditor ended, exit status 7; it died too often: starting again in 600.0 s",
        "the auditor ended, exit status 7; starting again in 0.3 s"]


def test_part_is_not_started_before_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    now, opened = [100.0], list[Command]()
    monkeypatch.setattr("localnet.beside.time.monotonic", lambda: now[0])
    beside = Beside(COMMAND, lambda command: opened.append(command) or new_part(), lambda part: None,
                    lambda part: None, lambda text: None)
    assert beside.tend() and beside.tend() and not beside.tend() and len(opened) == 1
    now[0] += 0.3
    assert beside.tend() and len(opened) == 2


def test_part_that_cannot_be_started_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    said = list[str]()

    def refuse(command: Command) -> Part:
        raise NodeError("no such program")

    beside = Beside(COMMAND, refuse, lambda part: None, lambda part: None, said.append)
    assert beside.tend() and beside.phase == "restarting"
    assert said == ["the auditor cannot be started: no such program; starting again in 0.3 s"]
