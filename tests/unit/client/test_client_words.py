"""Enum values in words: without their common beginning, and never an error for what a later version has named."""

import pytest

from abci_app.client.words import enum_word
from abci_app.wire.pb.cosmos.tx.signing.v1beta1.signing_pb2 import SignMode
from abci_app.wire.pb.gradus.audits.v1.audits_pb2 import AuditStatus, MemberVerdict
from abci_app.wire.pb.gradus.models.v1.models_pb2 import ModelStatus
from abci_app.wire.pb.gradus.work.v1.work_pb2 import AuditVerdict, RoundPhase, TrainerStatus


@pytest.mark.parametrize(("kind", "number", "word"), [
    (TrainerStatus, 2, "stood down"), (ModelStatus, 3, "serving"), (RoundPhase, 1, "commit"), (AuditStatus, 1, "open"),
    (AuditVerdict, 0, "not drawn"), (MemberVerdict, 0, "not judged"), (ModelStatus, 0, "none"), (SignMode, 1, "direct"),
    (TrainerStatus, 77, "value 77"),
])
def test_value_is_told_in_words(kind: type[TrainerStatus], number: int, word: str) -> None:
    assert enum_word(kind.DESCRIPTOR, number) == word
