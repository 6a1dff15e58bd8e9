"""A chain whose round waits for its audits, and what asks an auditor about its units."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from abci_app.auditor.answers import AnswerFolder
from abci_app.auditor.auditor import Auditor
from abci_app.auditor.behaviour import Behaviour
from abci_app.client.chain import ChainClient
from abci_app.units.claim import compute_answer
from abci_app.units.events import Event
from abci_app.units.source import UnitSource
from abci_app.wire.answer_file import ANSWERS_FOLDER
from abci_app.wire.audit import unit_subject
from abci_app.wire.pb.gradus.audits.v1.audits_pb2 import Audit
from abci_app.wire.pb.gradus.work.v1.work_pb2 import ROUND_PHASE_AUDIT, Round
from kernels import dispatch
from tests.chain import SIGNERS
from tests.unit.miner.conftest import NAMES, Rig

VALIDATOR = SIGNERS[0].address


class AskedChain(ChainClient):
    """A chain of whose open audits a test chooses those that wait; `others` are listed beside them."""

    def __init__(self, chain: ChainClient) -> None:
        super().__init__(chain.node)
        self.chosen: list[bytes] = []
        self.others: list[Audit] = []

    def iter_open_audits(self, validator: bytes = b"") -> Iterator[Audit]:
        """Those of the test's validator."""
        assert validator == VALIDATOR
        yield from (audit for audit in super().iter_open_audits(validator) if audit.subject in self.chosen)
        yield from self.others


class Asked:
    """A rig in its phase of audits, and one auditor."""

    def __init__(self, folder: Path) -> None:
        self.rig = Rig(folder, chain_id="gradus-test-1")
        self.jury, self.rig.node.auditors = self.rig.node.auditors, None
        self.chain = AskedChain(self.rig.client)
        self.home = folder / "home"
        self.running = self._reveal_all()
        self.subjects = [unit_subject(1, 1, self.running.attempt, unit) for unit in range(len(NAMES))]
        self.told: list[Event] = []

    def ask(self, *units: int) -> None:
        """Have the chain wait for the validator's digests of these units, and of nothing else."""
        self.chain.chosen = [self.subjects[unit] for unit in units]

    def vote(self) -> None:
        """A block with everybody's digests; no answer is told yet."""
        assert self.jury is not None
        self.rig.chain.block(self.rig.chain.propose(votes=self.jury.sign()))

    def decide(self) -> None:
        """Blocks in which the answers are told."""
        self.rig.node.auditors = self.jury
        self.rig.node.block()
        self.rig.node.auditors = None

    def auditor(self, answers: AnswerFolder, behaviour: Behaviour = Behaviour.HONEST, store: object = None) -> Auditor:
        """An auditor over an open folder."""
        source = UnitSource(self.chain, store or self.rig.store)  # type: ignore[arg-type]
        return Auditor(self.chain, VALIDATOR, source, answers, behaviour=behaviour, report=self.told.append,
                       sleep=lambda seconds: None)

    def folder(self) -> AnswerFolder:
        """The folder of answers of the test's node."""
        return AnswerFolder(self.home / ANSWERS_FOLDER)

    def right(self, unit: int) -> bytes:
        """The right answer about a unit."""
        weights = self.rig.client.find_weights(1, 0)
        assert weights is not None
        rows = self.rig.store.open(self.rig.spec.dataset.rows_root)
        audit = Audit(subject=self.subjects[unit], seed=self.running.audit_seed)
        return compute_answer(self.rig.spec, self.running, unit, weights, rows, audit)

    def names(self) -> list[str]:
        """What was told, by name."""
        return [event.name for event in self.told]

    def _reveal_all(self) -> Round:
        miners = [self.rig.miner(name) for name in NAMES]
        for _ in range(30):
            for miner in miners:
                miner.step()
            self.rig.node.block()
            dealing = self.rig.client.find_round(1)
            if dealing is not None and dealing.round is not None and dealing.round.phase == ROUND_PHASE_AUDIT:
                self.rig.node.block()
                dealing = self.rig.client.find_round(1)
                assert dealing is not None and dealing.round is not None and dealing.round.audit_seed
                return dealing.round
        raise AssertionError("the round was never revealed")


@pytest.fixture(autouse=True)
def reference_kernels(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr("abci_app.client.send.INDEX_S", 0.0)
    with dispatch.forced("ref"):
        yield


@pytest.fixture
def asked(tmp_path: Path) -> Iterator[Asked]:
    made = Asked(tmp_path)
    yield made
    made.rig.chain.database.close()
