"""Models for answers: fetched and loaded once, checked against a root, and of nobody who does not keep them."""

from pathlib import Path

import pytest

from abci_app.answers.network import compute_answer
from abci_app.answers.source import NETWORKS_KEPT, AnswerSource
from abci_app.client.errors import NodeRefused, ProofInvalid, WeightsGone
from abci_app.wire.pb.gradus.inference.v1.inference_pb2 import Question
from kernels import dispatch, mlp
from tests.unit.miner.conftest import Rig


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    return Rig(tmp_path)


def root_of(rig: Rig) -> bytes:
    record = rig.client.find_weights_record(1, 0)
    assert record is not None
    return record.root


def test_model_is_fetched_once_and_answers_as_its_weights_do(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    source, root, asked = AnswerSource(rig.client), root_of(rig), []
    find = rig.client.find_weights
    monkeypatch.setattr(rig.client, "find_weights", lambda *args: asked.append(args) or find(*args))
    network = source.load_network(1, 1, 0, root)
    assert source.load_network(1, 1, 0, root) is network and asked == [(1, 0, root)]
    weights, spec = find(1, 0), rig.model().spec
    assert weights is not None and source.get_spec(1, 1) == network.spec == spec
    question = Question(rows=1, features=bytes(spec.dataset.features))
    with dispatch.forced("ref"):
        assert network.answer(question, bytes(32)) == compute_answer(spec, weights, question, bytes(32))


def test_weights_under_another_root_are_refused(rig: Rig) -> None:
    with pytest.raises(ProofInvalid):
        AnswerSource(rig.client).load_network(1, 1, 0, bytes(32))


def test_terms_and_weights_that_the_node_lacks_are_a_refusal(rig: Rig) -> None:
    source = AnswerSource(rig.client)
    with pytest.raises(NodeRefused, match="has no version 2 of the terms of model 1"):
        source.load_network(1, 2, 0, root_of(rig))
    with pytest.raises(WeightsGone, match="does not hold the weights of model 1 after round 6"):
        source.load_network(1, 1, 6, bytes(32))


def test_terms_may_be_believed_by_more_than_the_nodes_word(rig: Rig) -> None:
    source = AnswerSource(rig.client, lambda model_id, version: None)
    with pytest.raises(NodeRefused):
        source.load_network(1, 1, 0, root_of(rig))


def test_only_the_models_that_were_used_last_are_kept(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    source, asked = AnswerSource(rig.client), list[int]()
    weights = mlp.init_weights(tuple(rig.model().spec.mlp_classifier.widths), bytes(32))
    monkeypatch.setattr(rig.client, "find_weights", lambda *args: asked.append(args[2][0]) or weights)
    for number in [*range(NETWORKS_KEPT), 0, NETWORKS_KEPT, 0, 1]:
        source.load_network(1, 1, number, bytes([number]) * 32)
    assert asked == [*range(NETWORKS_KEPT + 1), 1]
