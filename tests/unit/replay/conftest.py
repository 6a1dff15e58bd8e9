"""Trained models whose blocks are on a tape, made once: honest miners, one cheat, records of the last rounds alone."""

from collections.abc import Iterator

import pytest

from abci_app.client.chain import ChainClient
from abci_app.client.send import Sender
from abci_app.data.dataset import Options, new_dataset
from abci_app.data.named import LABEL, load_named
from abci_app.miner.behaviour import Behaviour
from abci_app.miner.errors import MinerStopped
from abci_app.replay.blocks import BlockReader
from abci_app.replay.records import NodeRecords
from abci_app.replay.replay import Replayer
from abci_app.wire.pb.gradus.models.v1.models_pb2 import MODEL_STATUS_SERVING, Dataset
from abci_app.wire.pb.gradus.models.v1.tx_pb2 import MsgAttachData
from kernels import dispatch
from tests.block_tape import Tape, TapeNode, record
from tests.chain import address_of, new_test_key
from tests.unit.miner.conftest import NAMES, Rig

ROUNDS, KEPT = 6, 3


class Trained:
    """A model that is trained, and its chain's blocks."""

    def __init__(self, rig: Rig, tape: Tape) -> None:
        self.rig, self.tape = rig, tape

    def node(self, lowest: int = 1) -> TapeNode:
        return TapeNode(self.rig.node, self.tape, lowest)

    def replayer(self, node: TapeNode | None = None) -> Replayer:
        node = node or self.node()
        chain = ChainClient(node)  # type: ignore[arg-type]  # it is asked only
        return Replayer(chain, NodeRecords(chain), BlockReader(node, self.rig.chain.chain_id), self.rig.store)


def train(rig: Rig, cheats: tuple[tuple[str, Behaviour], ...] = ()) -> None:
    """Let miners work until the model is trained; the cheats come when a round is closed."""
    miners = [rig.miner(name) for name in NAMES]
    for _ in range(200):
        model = rig.model()
        if model.status == MODEL_STATUS_SERVING:
            for miner in miners:
                miner.journal.__exit__()
            return
        if model.rounds_closed and cheats:
            miners += [rig.miner(name, behaviour) for name, behaviour in cheats]
            cheats = ()
        for miner in list(miners):
            try:
                miner.step()
            except MinerStopped:
                miners.remove(miner)
        rig.node.block()
    raise AssertionError("the model is not trained")


@pytest.fixture(scope="module")
def patch() -> Iterator[pytest.MonkeyPatch]:
    with pytest.MonkeyPatch.context() as made, dispatch.forced("ref"):
        made.setattr("abci_app.client.send.INDEX_S", 0.0)
        yield made


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory, patch: pytest.MonkeyPatch) -> Iterator[Trained]:
    """A cheat that came after the first round is slashed; records of the last KEPT rounds are kept."""
    with pytest.MonkeyPatch.context() as recording:
        tape = record(recording)
        rig = Rig(tmp_path_factory.mktemp("trained"), ROUNDS, kept_rounds=KEPT, challenge_blocks=6)
        train(rig, (("mallory", Behaviour.GARBAGE),))
    yield Trained(rig, tape)
    rig.chain.database.close()


@pytest.fixture(scope="module")
def moving(tmp_path_factory: pytest.TempPathFactory, patch: pytest.MonkeyPatch) -> Iterator[Trained]:
    """With outer momentum, which no record has."""
    with pytest.MonkeyPatch.context() as recording:
        tape = record(recording)
        rig = Rig(tmp_path_factory.mktemp("moving"), 3, outer_momentum_q16=32768)
        train(rig)
    yield Trained(rig, tape)
    rig.chain.database.close()


@pytest.fixture(scope="module")
def retrained(tmp_path_factory: pytest.TempPathFactory, patch: pytest.MonkeyPatch) -> Iterator[Trained]:
    """Two rounds on one dataset, two on another one, after which the first rounds' records are gone."""
    with pytest.MonkeyPatch.context() as recording:
        tape = record(recording)
        rig = Rig(tmp_path_factory.mktemp("retrained"), 2, kept_rounds=KEPT, challenge_blocks=6)
        train(rig)
        made = new_dataset(load_named("iris"), Options(label=LABEL, name="iris", split_seed=1))
        rig.store.add(made)
        other = made.manifest
        dataset = Dataset(rows_root=other.rows_root, train_rows=other.train_rows, test_rows=other.test_rows,
                          features=4, classes=3)
        message = MsgAttachData(admin=address_of("boss"), model_id=1, dataset=dataset, rounds_more=2)
        Sender(rig.client, new_test_key("boss"), sleep=rig.node.sleep).send([message])
        train(rig)
    yield Trained(rig, tape)
    rig.chain.database.close()


@pytest.fixture(autouse=True)
def reference_kernels() -> Iterator[None]:
    with dispatch.forced("ref"):
        yield
