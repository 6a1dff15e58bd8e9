"""Records for replays that are proved: at which places they stand, and what they give. Proofs have their own tests."""

from dataclasses import replace
from typing import Any

import pytest

from abci_app.client.errors import ProofInvalid
from abci_app.client.light.blocks import BlockId, Commit, LightBlock, ValidatorSet
from abci_app.client.light.client import Trust
from abci_app.client.light.records import Record
from abci_app.replay.records import NodeRecords
from abci_app.replay.rounds import Outcome
from abci_app.sdk import proofs
from abci_app.sdk.proofs import Place, Proved, Terms
from abci_app.sdk.proved_records import ProvedRecords
from abci_app.x.work import keys
from tests.block_tape import TapeNode
from tests.unit.replay.conftest import ROUNDS, Trained
from tests.unit.replay.test_replay import find_height, forge


class Prover:
    """In place of the light client: what stands in the state, under headers of the tape."""

    def __init__(self, trained: Trained) -> None:
        self.trained = trained
        self.places: list[Place] = []

    def prove(self, terms: Terms, place: Place) -> Proved:
        self.places.append(place)
        state = self.trained.rig.chain.ctx().state
        return self.new_proved(place, state.store(place.store).get(place.key), self.trained.rig.chain.height)

    def follow(self, terms: Terms, height: int = 0) -> Proved:
        return self.new_proved(Place("", b""), None, height)

    def new_proved(self, place: Place, value: bytes | None, height: int) -> Proved:
        header = self.trained.tape.headers[height]
        block = LightBlock(header, Commit(height, 0, BlockId(header.hash, 1, header.hash), ()), ValidatorSet(()))
        return Proved(Record(place.store, place.key, value, height, block), Trust(block, True, block), (), ())


@pytest.fixture
def prover(retrained: Trained, monkeypatch: pytest.MonkeyPatch) -> Prover:
    made = Prover(retrained)
    monkeypatch.setattr(proofs, "prove", made.prove)
    monkeypatch.setattr(proofs, "follow", made.follow)
    return made


def new_records(trained: Trained, tmp_path: Any) -> ProvedRecords:
    return ProvedRecords(Terms(tmp_path, "local:0"))


def test_proved_records_are_those_that_the_node_tells(retrained: Trained, prover: Prover, tmp_path: Any) -> None:
    proved, told = new_records(retrained, tmp_path), NodeRecords(retrained.rig.client)
    assert proved.find_model(1) == told.find_model(1) and proved.find_model(9) is None
    for version in (1, 2):
        assert proved.get_spec(1, version) == told.get_spec(1, version)
    for number in (1, 4):
        assert proved.find_round(1, number) == told.find_round(1, number)
        assert proved.find_weights(1, number) == told.find_weights(1, number)
        assert [proved.find_unit(1, number, index) for index in range(3)] == [
            told.find_unit(1, number, index) for index in range(3)]
    assert proved.find_round(1, 1) is None is proved.find_weights(1, 0) and proved.list_slashes(1) == []


def test_proved_slashes_are_all_that_there_are(trained: Trained, monkeypatch: pytest.MonkeyPatch,
                                               tmp_path: Any) -> None:
    monkeypatch.setattr(proofs, "prove", Prover(trained).prove)
    records = new_records(trained, tmp_path)
    assert records.list_slashes(1) == list(trained.rig.client.iter_slashes(1)) and len(records.list_slashes(1)) == 1
    replayer = trained.replayer()
    replayer.records = records
    assert [one.is_equal for one in replayer.replay_model(1, with_units=True)] == [True] * (ROUNDS + 1)


def test_terms_are_proved_once_and_a_version_that_there_is_not_is_refused(retrained: Trained, prover: Prover,
                                                                          tmp_path: Any) -> None:
    records = new_records(retrained, tmp_path)
    records.get_spec(1, 1)
    count = len(prover.places)
    records.get_spec(1, 1)
    assert len(prover.places) == count
    with pytest.raises(ProofInvalid, match="no version 9"):
        records.get_spec(1, 9)


def test_header_that_the_validators_did_not_sign_is_refused(retrained: Trained, prover: Prover, tmp_path: Any) -> None:
    records = new_records(retrained, tmp_path)
    header = retrained.tape.headers[5]
    records.check_header(header)
    assert records.proved is not None and records.proved.record.header.header == header
    with pytest.raises(ProofInvalid, match="another block 5"):
        records.check_header(replace(header, app_hash=bytes(32)))
    replayer = retrained.replayer()
    replayer.records, replayer.check_header = records, records.check_header
    assert replayer.replay_round(1, 1).weights is Outcome.EQUAL


def test_slash_that_is_left_out_is_refused(trained: Trained, monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    """A node that hides one could hide that a right claim was slashed."""
    prover = Prover(trained)

    def hide(terms: Terms, place: Place) -> Proved:
        found = prover.prove(terms, place)
        if place.key[:1] != keys.SLASHES:
            return found
        return prover.new_proved(place, None, trained.rig.chain.height)

    monkeypatch.setattr(proofs, "prove", hide)
    with pytest.raises(ProofInvalid, match="has 1 slashes of model 1"):
        new_records(trained, tmp_path).list_slashes(1)
    monkeypatch.setattr(proofs, "prove", prover.prove)
    monkeypatch.setattr(trained.rig.client, "iter_slashes", None)
    assert len(new_records(trained, tmp_path).list_slashes(1)) == 1


def test_old_round_is_proved_by_the_rounds_after_it(trained: Trained, monkeypatch: pytest.MonkeyPatch,
                                                    tmp_path: Any) -> None:
    """The state has no root of it any more, and its block's word for one may be the node's invention."""
    monkeypatch.setattr(proofs, "prove", Prover(trained).prove)
    monkeypatch.setattr(proofs, "follow", Prover(trained).follow)
    records = new_records(trained, tmp_path)
    assert records.find_weights(1, 2) is None
    replayer = trained.replayer()
    replayer.records, replayer.check_header = records, records.check_header
    assert replayer.replay_round(1, 2).is_equal
    height = find_height(trained, "work.round_closed", 1)
    forged = drop_accepted(trained, height)
    liar = trained.replayer(forged)
    assert liar.replay_round(1, 2).is_equal and len(liar.replay_round(1, 2).units) == 3
    liar.records, liar.check_header = records, records.check_header
    with pytest.raises(ProofInvalid, match="nothing is known of round 2"):
        liar.replay_round(1, 2)


def drop_accepted(trained: Trained, height: int) -> TapeNode:
    """A node that hides an accepted unit of the round that a block closes, and names the root that comes out so."""
    node = trained.node()
    shown = node.block_results(height)
    events = shown["finalize_block_events"]
    events.remove(next(event for event in events if event["type"] == "work.unit_accepted"))

    def change(block: Any, results: Any) -> None:
        results["finalize_block_events"] = events

    before = trained.replayer(forge(trained, height, change))
    root = [one.computed_root.hex() for one in before.replay_model(1)][-1]
    closed = next(event for event in events if event["type"] == "work.round_closed")
    next(one for one in closed["attributes"] if one["key"] == "weights_root")["value"] = root
    return forge(trained, height, change)
