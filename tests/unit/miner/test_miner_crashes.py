"""A miner that is killed at any moment and started again earns as if nothing had happened and loses nothing."""

import os
from itertools import count
from pathlib import Path

import pytest

from abci_app.miner.miner import Miner
from abci_app.miner.preflight import is_live
from tests.chain import address_of
from tests.unit.miner.conftest import NAMES, Rig


class Killed(BaseException):
    """The process ends here: nothing of ours catches it."""


class Deadly:
    """A node that kills its caller at call number `at`: before the call is made, or after it was answered."""

    url = "deadly"

    def __init__(self, rig: Rig, at: int, is_after: bool) -> None:
        self.rig, self.at, self.is_after, self.calls = rig, at, is_after, 0

    def __getattr__(self, name: str) -> object:
        def call(*arguments: object, **named: object) -> object:
            self.calls += 1
            is_last = self.calls == self.at
            if is_last and not self.is_after:
                raise Killed
            result = getattr(self.rig.node, name)(*arguments, **named)
            if is_last:
                raise Killed
            return result
        return call


def bury(miner: Miner) -> None:
    """What the system does for a process that has ended: its locks are free."""
    miner.journal.__exit__()


def work_through(rig: Rig, miner: Miner, others: list[Miner]) -> None:
    """Turns of all miners until the model is trained."""
    for _ in range(100):
        if not is_live(rig.model()):
            return
        for one in (miner, *others):
            one.step()
        rig.node.block()
    raise AssertionError("the model is not trained")


@pytest.mark.parametrize("is_after", [False, True])
def test_miner_killed_at_any_call_goes_on_after_its_restart(tmp_path: Path, is_after: bool) -> None:
    for at in count(1):
        rig = Rig(tmp_path / str(at), rounds=1)
        others = [rig.miner(name) for name in NAMES[1:]]
        node = Deadly(rig, at, is_after)
        first = rig.miner("ann", node=node)  # type: ignore[arg-type]
        try:
            work_through(rig, first, others)
        except Killed:
            bury(first)
            first = rig.miner("ann")
            work_through(rig, first, others)
        assert list(rig.client.iter_slashes(1)) == [] and rig.told("ann", "missed") == []
        assert rig.client.find_contribution(1, address_of("ann")).units == 1
        for miner in (first, *others):
            bury(miner)
        rig.chain.database.close()
        if node.calls < at:
            break
    assert at > 15


@pytest.mark.parametrize("at", [1, 2])
def test_miner_killed_while_it_writes_its_journal_goes_on(rig: Rig, monkeypatch: pytest.MonkeyPatch, at: int) -> None:
    """Before the entry has its name, and after it."""
    others = [rig.miner(name) for name in NAMES[1:]]
    first, syncs = rig.miner("ann"), count(1)

    def sync(file: int) -> None:
        if next(syncs) == at:
            raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", sync)
        with pytest.raises(Killed):
            work_through(rig, first, others)
    assert rig.told("ann", "committed") == []
    bury(first)
    work_through(rig, rig.miner("ann"), others)
    assert rig.client.find_contribution(1, address_of("ann")).units == 3
    assert list(rig.client.iter_slashes(1)) == []


def test_miner_that_lost_its_journal_reveals_all_the_same(rig: Rig) -> None:
    """The salt comes from the key and the payload from the unit: both can be made again."""
    others = [rig.miner(name) for name in NAMES[1:]]
    first = rig.miner("ann")
    while not rig.told("ann", "committed"):
        for one in (first, *others):
            one.step()
        rig.node.block()
    bury(first)
    for path in first.journal.folder.glob("*.claim"):
        path.unlink()
    work_through(rig, rig.miner("ann"), others)
    assert rig.client.find_contribution(1, address_of("ann")).units == 3
    assert list(rig.client.iter_slashes(1)) == []


def test_miner_whose_commitment_is_not_its_own_reveals_nothing(rig: Rig) -> None:
    """Another process with the same key committed to something else: a wrong reveal would only cost fees."""
    others = [rig.miner(name) for name in NAMES[1:]]
    first = rig.miner("ann")
    first._commitment = lambda running, unit, entry: bytes(32)  # type: ignore[method-assign]
    while not rig.told("ann", "committed"):
        for one in (first, *others):
            one.step()
        rig.node.block()
    bury(first)
    second = rig.miner("ann")
    for _ in range(10):
        for one in (second, *others):
            one.step()
    assert [entry["problem"] for entry in rig.told("ann", "missed")] == ["what was committed is in no journal here"]
    assert rig.told("ann", "revealed") == []
