"""A chain with a model over real rows, miners at work on it, and nothing that waits for a clock."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from abci_app.client.chain import ChainClient
from abci_app.client.node import Node, Nodes
from abci_app.client.send import Sender
from abci_app.data.dataset import Dataset, Options, new_dataset
from abci_app.data.named import LABEL, load_named
from abci_app.data.store import DatasetStore
from abci_app.miner.behaviour import Behaviour
from abci_app.miner.journal import Journal
from abci_app.miner.miner import Miner
from abci_app.units.claim import compute_answer
from abci_app.units.events import Event
from abci_app.wire.audit import decode_subject
from abci_app.wire.coin import base_coin, coin_pb
from abci_app.wire.pb.gradus.audits.v1.audits_pb2 import Audit
from abci_app.wire.pb.gradus.models.v1 import models_pb2
from abci_app.wire.pb.gradus.models.v1.tx_pb2 import MsgCreateModel
from abci_app.x.models.types import default_spec
from kernels import dispatch
from tests.auditors import Auditors
from tests.chain import CHAIN_ID, Chain, address_of, new_test_key
from tests.local_rpc import LocalNode

NAMES = ("ann", "ben", "cat")
FUNDS_UGRAD = 1_000_000_000
IRIS: list[Dataset] = []


def iris() -> Dataset:
    """The dataset that the rig's model is trained on."""
    if not IRIS:
        IRIS.append(new_dataset(load_named("iris"), Options(label=LABEL, name="iris")))
    return IRIS[0]


class Rig:
    """One chain, one node, one model, and a folder for each miner."""

    def __init__(self, folder: Path, rounds: int = 3, chain_id: str = CHAIN_ID, **changes: Any) -> None:
        """changes: fields of the contract's training, audit or economy."""
        self.folder = folder
        self.store = DatasetStore(folder / "datasets")
        self.store.add(iris())
        accounts = {name: FUNDS_UGRAD for name in (*NAMES, "boss", "mallory")}
        self.chain = Chain(folder / "chain", accounts, chain_id=chain_id)
        self.node = LocalNode(self.chain, Auditors(self.chain, self.find_answer))
        self.client = ChainClient(self.node)
        self.events: dict[str, list[Event]] = {}
        self.spec = self.new_spec(rounds, changes)
        self.node.block()
        message = MsgCreateModel(creator=address_of("boss"), spec=self.spec, escrow=coin_pb(base_coin(100_000_000)))
        Sender(self.client, new_test_key("boss"), sleep=self.node.sleep).send([message])

    def new_spec(self, rounds: int, changes: dict[str, Any]) -> models_pb2.ModelSpec:
        manifest = iris().manifest
        terms = models_pb2.Dataset(rows_root=manifest.rows_root, train_rows=manifest.train_rows,
                                   test_rows=manifest.test_rows, features=4, classes=3)
        spec = default_spec("flowers", terms, bytes(range(32)), rounds, len(NAMES), hidden=(8,),
                            architecture=changes.pop("architecture", "mlp_classifier"))
        settings = {"local_steps": 6, "batch_rows": 8, "trace_every": 2, "rate_ppm": 1_000_000,
                    "challenge_blocks": 6} | changes
        for name in settings:
            part = next(part for part in (spec.training, spec.audit, spec.economy)
                        if name in part.DESCRIPTOR.fields_by_name)
            setattr(part, name, settings[name])
        return spec

    def find_answer(self, audit: Audit) -> bytes:
        """What an auditor who holds the dataset answers."""
        subject, ctx = decode_subject(audit.subject), self.chain.ctx()
        audited = self.chain.app.work.get_round(ctx, subject.model_id, subject.number)
        spec = self.chain.app.work.spec_of(ctx, audited)
        weights = self.chain.app.models.load_weights(ctx, subject.model_id, subject.number - 1)
        rows = self.store.open(spec.dataset.rows_root)
        return compute_answer(spec, audited, subject.index, weights, rows, audit)

    def miner(self, name: str, behaviour: Behaviour = Behaviour.HONEST, node: Node | None = None,
              **options: Any) -> Miner:
        """A miner of a name; its journal is open until the rig is closed or the miner is buried."""
        journal = Journal(self.folder / "journals", self.chain.chain_id, 1, address_of(name))
        told = self.events.setdefault(name, [])
        client = ChainClient(Nodes([node or self.node]))
        miner = Miner(client, new_test_key(name), 1, self.store, journal.__enter__(), behaviour=behaviour,
                      report=told.append, sleep=self.node.sleep, **options)
        return miner

    def model(self) -> models_pb2.Model:
        return self.client.get_model(1)

    def told(self, name: str, what: str) -> list[dict[str, int | str]]:
        """The fields of the events of one kind."""
        return [event.fields for event in self.events[name] if event.name == what]


@pytest.fixture(autouse=True)
def reference_kernels(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr("abci_app.client.send.INDEX_S", 0.0)
    with dispatch.forced("ref"):
        yield


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    made = Rig(tmp_path)
    yield made
    made.chain.database.close()
