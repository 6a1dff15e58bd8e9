"""Weights for units: fetched once, checked against the round's root, and of nobody who does not keep them."""

from pathlib import Path

import pytest

from abci_app.client.errors import NodeRefused, ProofInvalid
from abci_app.client.model_source import WEIGHTS_KEPT
from abci_app.units.source import UnitSource
from abci_app.wire.pb.gradus.work.v1.work_pb2 import Round
from tests.unit.miner.conftest import Rig


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    return Rig(tmp_path)


def get_round(rig: Rig) -> Round:
    record = rig.client.find_weights_record(1, 0)
    assert record is not None
    return Round(model_id=1, number=1, weights_root=record.root, spec_version=1)


def test_weights_are_fetched_once_and_terms_are_the_contracts(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    source, running, asked = UnitSource(rig.client, rig.store), get_round(rig), []
    find = rig.client.find_weights
    monkeypatch.setattr(rig.client, "find_weights", lambda *args: asked.append(args) or find(*args))
    assert source.load_weights(running) == find(1, 0)
    assert source.load_weights(running) == find(1, 0)
    assert asked == [(1, 0, running.weights_root)]
    assert source.get_spec(running) == rig.model().spec
    with pytest.raises(NodeRefused, match="has no version 2 of the terms of model 1"):
        source.get_spec(Round(model_id=1, spec_version=2))
    assert source.open_rows(rig.spec).manifest.rows_root == rig.spec.dataset.rows_root


def test_weights_under_another_root_are_refused(rig: Rig) -> None:
    with pytest.raises(ProofInvalid):
        UnitSource(rig.client, rig.store).load_weights(Round(model_id=1, number=1, weights_root=bytes(32)))


def test_weights_that_nobody_keeps_are_a_refusal(rig: Rig) -> None:
    with pytest.raises(NodeRefused, match="does not hold the weights of model 1 after round 6"):
        UnitSource(rig.client, rig.store).load_weights(Round(model_id=1, number=7, weights_root=bytes(32)))


def test_only_the_last_weights_are_kept(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    source, asked = UnitSource(rig.client, rig.store), []
    monkeypatch.setattr(rig.client, "find_weights", lambda *args: asked.append(args[2][0]) or bytes(args[2]))
    roots = [bytes([number]) * 32 for number in range(WEIGHTS_KEPT + 1)]
    for root in [*roots[:-1], roots[0], roots[-1], roots[0], roots[1]]:
        assert source.load_weights(Round(model_id=1, number=1, weights_root=root)) == root
    assert asked == [*range(WEIGHTS_KEPT + 1), 1]
