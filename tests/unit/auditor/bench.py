"""A desk whose hosts answer with what the model really gives, and an auditor who computes it again."""

from pathlib import Path
from typing import Any

from abci_app.answers.network import compute_answer
from abci_app.auditor.answers import AnswerFolder
from abci_app.auditor.auditor import Auditor
from abci_app.auditor.behaviour import Behaviour
from abci_app.client.chain import ChainClient
from abci_app.units.events import Event
from abci_app.units.source import UnitSource
from abci_app.wire.pb.gradus.audits.v1.audits_pb2 import Audit
from tests.chain import SIGNERS
from tests.local_rpc import LocalNode
from tests.unit.inference.desk import Desk

VALIDATOR = SIGNERS[0].address


class NoDatasets:
    """No folder of datasets: answers need none."""

    def open(self, rows_root: bytes) -> Any:
        raise AssertionError("an answer needs no rows")


class Bench(Desk):
    """Requests whose answers are computed, and one auditor whose word all validators take."""

    def __init__(self, folder: Path, behaviour: Behaviour = Behaviour.HONEST, **changes: Any) -> None:
        """behaviour: of the auditor."""
        self.told: list[Event] = []
        self.folder = AnswerFolder(folder / "audits")
        super().__init__(folder / "chain", **changes)
        client = ChainClient(LocalNode(self.chain))
        self.auditor = Auditor(client, VALIDATOR, UnitSource(client, NoDatasets()), self.folder, behaviour=behaviour,
                               report=self.told.append, sleep=lambda seconds: None)

    def answer(self, request_id: int = 1, lie: str = "") -> bytes:
        """What the model answers to a dealt request, or not quite that."""
        request, ctx = self.request(request_id), self.chain.ctx()
        spec = self.chain.app.inference.spec_of(ctx, request)
        weights = self.chain.app.models.load_weights(ctx, request.model_id, request.round)
        question = self.chain.app.inference.get_question(ctx, request)
        right = compute_answer(spec, weights, question, request.seed)
        return bytes([right[0] ^ len(lie)]) + right[1:]

    def find_verdict(self, audit: Audit) -> bytes | None:
        """What the auditor has laid where the node finds it."""
        return self.folder.find(audit.subject)
