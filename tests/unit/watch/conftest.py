"""A chain with a model over real rows, miners, and a watcher, on a node without an engine."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from abci_app.client.chain import ChainClient
from abci_app.client.send import Sender
from abci_app.data.store import DatasetStore
from abci_app.miner.behaviour import Behaviour
from abci_app.units.events import Event
from abci_app.units.source import UnitSource
from abci_app.watch.journal import Journal
from abci_app.watch.source import ReplaySource
from abci_app.watch.watcher import Watcher
from abci_app.watch.kept import KeptRounds
from abci_app.wire.pb.gradus.work.v1.work_pb2 import Unit
from kernels import dispatch
from tests.chain import address_of, new_test_key
from tests.unit.miner.conftest import NAMES, Rig

WATCHER = "mallory"


class WatchedRig(Rig):
    """A rig whose validators audit nothing, so that only challenges find what is wrong."""

    def __init__(self, folder: Path, **changes: Any) -> None:
        super().__init__(folder, **({"rounds": 1, "audit_blocks": 3, "challenge_blocks": 30} | changes))
        self.node.auditors = None
        self.journal = Journal(folder / "watch", self.chain.chain_id)

    def watcher(self, *, key: str | None = WATCHER, store: DatasetStore | None = None, **options: Any) -> Watcher:
        """A watcher with a key that challenges; its journal is open until the rig is closed."""
        told = self.events.setdefault("watcher", [])
        client = ChainClient(self.node)
        kept = KeptRounds(self.journal.folder / "weights")
        source = ReplaySource(client, UnitSource(client, store or self.store), kept)
        sender = Sender(client, new_test_key(key), sleep=self.node.sleep) if key is not None else None
        settings: dict[str, Any] = {"challenges": key is not None} | options
        return Watcher(client, source, self.journal, sender=sender, report=told.append, sleep=self.node.sleep,
                       **settings)

    def run_rounds(self, cheats: dict[str, Behaviour]) -> None:
        """Miners work until the model is trained; they are in `miners` afterwards."""
        self.begin_rounds(cheats)
        self.run_until_closed(self.spec.training.rounds)

    def begin_rounds(self, cheats: dict[str, Behaviour]) -> None:
        """Miners are there, and have done nothing yet."""
        self.miners = {name: self.miner(name, cheats.get(name, Behaviour.HONEST)) for name in NAMES}

    def run_until_closed(self, number: int) -> None:
        """Miners work until so many rounds are closed."""
        while self.model().rounds_closed < number:
            for miner in self.miners.values():
                miner.step()
            self.node.block()

    def unit(self, name: str, number: int = 1) -> Unit:
        """A name's unit of a round."""
        dealing = self.client.find_round(1, number)
        assert dealing is not None
        return next(unit for unit in dealing.units if unit.trainer == address_of(name))

    def has_disputes(self) -> bool:
        """Whether any dispute is open."""
        return any(True for _ in self.client.iter_disputes())

    def told_by(self, name: str) -> list[Event]:
        """What somebody has told."""
        return self.events[name]


@pytest.fixture(autouse=True)
def reference_kernels(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr("abci_app.client.send.INDEX_S", 0.0)
    with dispatch.forced("ref"):
        yield


@pytest.fixture
def new_rig(tmp_path: Path) -> Iterator[Callable[..., WatchedRig]]:
    """Makes rigs; their chains and journals are closed afterwards."""
    rigs: list[WatchedRig] = []

    def make(**changes: Any) -> WatchedRig:
        rigs.append(WatchedRig(tmp_path / f"rig{len(rigs)}", **changes))
        rigs[-1].journal.__enter__()
        return rigs[-1]

    yield make
    for rig in rigs:
        rig.journal.__exit__()
        rig.chain.database.close()
