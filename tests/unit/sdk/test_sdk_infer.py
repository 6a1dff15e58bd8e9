"""An answer is bought from hosts, one of whom lies: answer, price, who was paid and slashed, and the proof."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from abci_app.client.errors import ProofInvalid
from abci_app.client.rpc import Answer
from abci_app.runtime.question import WORK_MAX
from abci_app.sdk.client import DEADLINE_BLOCKS
from abci_app.sdk.errors import HostsMissing, KeyMissing, RequestFailed
from abci_app.sdk.translator import Classified, QuestionRefused
from abci_app.wire.question import answer_hash
from abci_app.x.inference.types import compute_least_deadline
from tests.answerers import Answering
from tests.chain import address_of
from tests.unit.inference.desk import new_question
from tests.unit.sdk.conftest import new_client

ROWS = [[1, 0, 0, 0], [-3, 7, 120, -127]]


def test_the_liar_is_slashed_the_others_are_paid_and_the_record_is_proved(
        new_answering: Callable[..., Answering], tmp_path: Path) -> None:
    answering = new_answering(liars=("hob",))
    told: list[str] = []
    client = new_client(answering, tmp_path)
    client.report = told.append
    before = answering.balance("una")
    found = client.infer(1, replicas=3, rows=ROWS)
    assert sorted(answering.names[part.host] for part in found.paid) == ["hal", "hex"]
    assert [(answering.names[part.host], part.standing) for part in found.slashed] == [("hob", "wrong")]
    assert found.record.audited and found.slashed[0].slashed_ugrad > 0
    right = answering.compute(answering.request(1))
    assert found.answer_bytes == right and found.record.answer_hash == answer_hash(right)
    assert isinstance(found.answer, Classified) and len(found.labels) == 2
    for label, logits in zip(found.labels, found.answer.logits, strict=True):
        assert logits[label] == max(logits)
    assert 0 < found.cost_ugrad <= before - answering.balance("una") < 2 * found.cost_ugrad + 50_000
    assert sum(part.earned_ugrad for part in found.paid) < found.cost_ugrad
    proved = found.proved
    assert proved is not None and proved.record.value is not None
    assert proved.record.header.header.app_hash and proved.record.header.height == proved.record.height + 1
    assert any("3 hosts" in line for line in told) and told[-1] == "proving the record"


def test_a_node_that_shows_another_record_is_not_believed(
        new_answering: Callable[..., Answering], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answering = new_answering()
    client = new_client(answering, tmp_path)
    request_id = client.infer(1, rows=ROWS).request_id
    honest = answering.node.abci_query

    def lie(path: str, data: bytes = b"", height: int = 0, prove: bool = False) -> Answer:
        answer = honest(path, data, height, prove)
        return replace(answer, value=answer.value[:-1] + b"\x01") if prove else answer

    monkeypatch.setattr(answering.node, "abci_query", lie)
    with pytest.raises(ProofInvalid):
        client.fetch(request_id)


def test_another_answer_than_the_records_is_refused(new_answering: Callable[..., Answering], tmp_path: Path) -> None:
    answering = new_answering()
    client = new_client(answering, tmp_path)
    found = client.infer(1, rows=ROWS)
    with pytest.raises(ProofInvalid, match="asks something else"):
        client.fetch(found.request_id, new_question(2))
    assert client.fetch(found.request_id).labels == found.labels


def test_what_the_model_has_no_answer_to_is_refused_before_anything_is_paid(
        new_answering: Callable[..., Answering], tmp_path: Path) -> None:
    answering = new_answering(hosts=("hal",))
    client = new_client(answering, tmp_path)
    before = answering.balance("una")
    with pytest.raises(QuestionRefused, match="takes rows"):
        client.infer(1, prompt="hello")
    with pytest.raises(QuestionRefused, match="nothing is asked"):
        client.infer(1)
    with pytest.raises(HostsMissing, match="1 hosts of model 1 would answer now, not 2"):
        client.infer(1, replicas=2, rows=ROWS)
    assert answering.balance("una") == before
    quoted = client.quote(1, rows=ROWS)
    assert quoted.is_available and quoted.fee_ugrad > quoted.offers[0].ask_ugrad >= quoted.work


def test_who_has_no_key_may_ask_for_prices_alone(new_answering: Callable[..., Answering], tmp_path: Path) -> None:
    answering = new_answering()
    client = new_client(answering, tmp_path)
    client._key = None
    assert client.quote(1, replicas=3, rows=ROWS).is_available
    with pytest.raises(KeyMissing):
        client.infer(1, rows=ROWS)


def test_a_request_that_nobody_answers_fails_and_the_coins_come_back(
        new_answering: Callable[..., Answering], tmp_path: Path) -> None:
    answering = new_answering(hosts=("hal",))
    answering.node.on_block = lambda: None
    client = new_client(answering, tmp_path)
    before = answering.balance("una")
    with pytest.raises(RequestFailed, match="came back"):
        client.infer(1, rows=ROWS, deadline_blocks=10)
    assert before - answering.balance("una") < 50_000
    assert address_of("hal") in answering.names


def test_the_deadline_that_is_chosen_for_users_leaves_time_for_every_question() -> None:
    assert compute_least_deadline(WORK_MAX) < DEADLINE_BLOCKS
