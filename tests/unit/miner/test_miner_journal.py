"""What a miner keeps on its disk, how it behaves when it may not start, and what a claim is."""

from pathlib import Path

import pytest

from abci_app.client.errors import ModelMissing
from abci_app.data.store import DatasetStore
from abci_app.miner.behaviour import Behaviour, is_allowed, make_claim
from abci_app.miner.commitment import compute_commitment
from abci_app.miner.errors import MinerStopped
from abci_app.miner.journal import Entry, Journal, JournalBusy
from abci_app.miner.preflight import check_behaviour, check_dataset, check_funds, check_model
from abci_app.runtime.contract import compute_param_count
from abci_app.units.claim import compute_unit, new_claim
from abci_app.wire.merkle import merkle_root
from abci_app.wire.pb.gradus.models.v1.models_pb2 import MODEL_STATUS_SERVING
from abci_app.wire.pb.gradus.work.v1.work_pb2 import Round
from abci_app.wire.row import split_rows
from kernels import payload
from tests.chain import address_of, new_test_key
from tests.sim import claims
from tests.unit.miner.conftest import NAMES, Rig, iris

CODEC = payload.CODECS[0]
ADDRESS = address_of("ann")
ROUND = Round(model_id=1, number=3, seed=bytes(range(32)))
ENTRY = Entry(new_claim(b"payload", bytes([7]) * 32, CODEC), bytes([9]) * 32)


def open_journal(folder: Path, chain_id: str = "gradus-test-1") -> Journal:
    return Journal(folder, chain_id, 1, ADDRESS)


def test_entry_is_found_again_by_a_later_process(tmp_path: Path) -> None:
    with open_journal(tmp_path) as journal:
        assert journal.find(ROUND, 4) is None
        journal.put(ROUND, 4, ENTRY)
        journal.put(ROUND, 4, ENTRY)
    with open_journal(tmp_path) as journal:
        assert journal.find(ROUND, 4) == ENTRY and journal.find(ROUND, 5) is None
        assert journal.find_or_put(ROUND, 4, lambda: pytest.fail("made again")) == ENTRY


def test_round_dealt_again_has_entries_of_its_own(tmp_path: Path) -> None:
    again = Round(model_id=1, number=3, seed=bytes(32), attempt=1)
    with open_journal(tmp_path) as journal:
        journal.put(ROUND, 4, ENTRY)
        assert journal.find(again, 4) is None
        journal.put(again, 4, Entry(new_claim(b"other", bytes(32), CODEC), bytes(32)))
        assert journal.find(ROUND, 4) == ENTRY


def test_second_claim_for_one_unit_is_refused(tmp_path: Path) -> None:
    with open_journal(tmp_path) as journal:
        journal.put(ROUND, 4, ENTRY)
        with pytest.raises(ValueError, match="another claim"):
            journal.put(ROUND, 4, Entry(new_claim(b"other", bytes(32), CODEC), bytes(32)))
        assert journal.find(ROUND, 4) == ENTRY


def test_damaged_entry_is_passed_over_and_can_be_written_anew(tmp_path: Path) -> None:
    with open_journal(tmp_path) as journal:
        journal.put(ROUND, 4, ENTRY)
        path = next(journal.folder.glob("*.claim"))
        whole = path.read_bytes()
        for damaged in (b"", whole[:20], whole[:70], whole[:-1], whole[:-1] + b"x", b"\0" + whole[1:]):
            path.write_bytes(damaged)
            assert journal.find(ROUND, 4) is None
        journal.put(ROUND, 4, ENTRY)
        assert path.read_bytes() == whole


def test_journal_has_one_holder_and_is_free_when_it_ends(tmp_path: Path) -> None:
    with open_journal(tmp_path):
        with pytest.raises(JournalBusy):
            open_journal(tmp_path).__enter__()
        with open_journal(tmp_path, "another-chain"):
            pass
    with open_journal(tmp_path):
        pass


def test_leftovers_of_a_crash_go_and_old_rounds_are_dropped(tmp_path: Path) -> None:
    with open_journal(tmp_path) as journal:
        journal.put(ROUND, 4, ENTRY)
        (journal.folder / "half.writing").write_bytes(b"x")
        (journal.folder / "mine.txt").write_text("kept")
    with open_journal(tmp_path) as journal:
        assert sorted(path.suffix for path in journal.folder.iterdir()) == ["", ".claim", ".txt"]
        journal.drop_before(3)
        assert journal.find(ROUND, 4) == ENTRY
        journal.drop_before(4)
        assert journal.find(ROUND, 4) is None


def start_round(rig: Rig) -> tuple[Round, bytes]:
    """The first round and its weights."""
    for name in NAMES:
        rig.miner(name).step()
    rig.node.block()
    dealing = rig.client.find_round(1)
    assert dealing is not None and dealing.round is not None
    weights = rig.client.find_weights(1, 0, dealing.round.weights_root)
    assert weights is not None
    return dealing.round, weights


def test_claim_is_what_a_second_implementation_computes(rig: Rig) -> None:
    running, weights = start_round(rig)
    rows = rig.store.open(iris().manifest.rows_root)
    for unit in range(3):
        claim = compute_unit(rig.model().spec, running, unit, weights, rows).claim
        expected = claims.compute_claim(rig.model().spec, running, unit, weights, split_rows(iris().rows, 6))
        assert (claim.payload, claim.trace_root) == (expected.payload, expected.trace_root)
        assert claim == compute_unit(rig.model().spec, running, unit, weights, rows).claim


def test_commitment_differs_by_address_unit_claim_and_salt() -> None:
    base = (bytes(20), ROUND, 1, ENTRY.claim, bytes(32))
    others = [(bytes([1]) * 20, *base[1:]), (*base[:2], 2, *base[3:]), (*base[:4], bytes([1]) * 32),
              (*base[:3], new_claim(b"other", bytes(32), CODEC), bytes(32)),
              (base[0], Round(model_id=1, number=4), *base[2:])]
    commitments = {compute_commitment(*arguments) for arguments in [base, *others]}
    assert len(commitments) == 6


def test_cheats_make_canonical_payloads_that_are_wrong(rig: Rig) -> None:
    running, weights = start_round(rig)
    rows = rig.store.open(iris().manifest.rows_root)
    honest = compute_unit(rig.model().spec, running, 0, weights, rows).claim
    for behaviour in (Behaviour.GARBAGE, Behaviour.COPY, Behaviour.WRONG_DATA):
        claim = make_claim(behaviour, rig.client, ADDRESS, rig.model(), running, 0, lambda: weights, rows).claim
        payload.check(claim.payload, compute_param_count(rig.spec), rig.spec.training.codec)
        assert claim.payload != honest.payload
    for behaviour in (Behaviour.HONEST, Behaviour.WITHHOLD):
        made = make_claim(behaviour, rig.client, ADDRESS, rig.model(), running, 0, lambda: weights, rows)
        assert made.claim == honest and merkle_root(made.trace) == honest.trace_root


@pytest.mark.parametrize("chain_id, allowed", [
    ("gradus-local-1", True), ("gradus-test-1", True), ("test-net", True), ("gradus-1", False), ("gradus", False),
    ("my-gradus-local", False), ("", False)])
def test_cheats_run_on_test_networks_only(chain_id: str, allowed: bool) -> None:
    assert is_allowed(Behaviour.HONEST, chain_id)
    assert is_allowed(Behaviour.GARBAGE, chain_id) is allowed
    if not allowed:
        with pytest.raises(MinerStopped, match="for test networks"):
            check_behaviour(Behaviour.COPY, chain_id)


def test_cheat_does_not_start_on_another_chain(tmp_path: Path) -> None:
    rig = Rig(tmp_path, chain_id="gradus-1")
    with pytest.raises(MinerStopped, match="for test networks"):
        rig.miner("mallory", Behaviour.WITHHOLD).check()
    rig.miner("ann").check()


def test_miner_without_the_dataset_does_not_start(rig: Rig, tmp_path: Path) -> None:
    with pytest.raises(MinerStopped) as caught:
        check_dataset(DatasetStore(tmp_path / "empty"), rig.model())
    assert iris().manifest.rows_root.hex() in caught.value.text and "gradus data add" in caught.value.hint
    rows = rig.store.folder / iris().manifest.rows_root.hex() / "rows.bin"
    rows.write_bytes(b"\x01" + rows.read_bytes()[1:])
    with pytest.raises(MinerStopped, match="damaged"):
        check_dataset(DatasetStore(rig.store.folder), rig.model())


def test_contract_that_counts_its_rows_wrongly_is_not_worked_for(rig: Rig) -> None:
    model = rig.model()
    model.spec.dataset.train_rows += 1
    with pytest.raises(MinerStopped, match="151 rows of 6 bytes"):
        check_dataset(rig.store, model)


def test_miner_without_coins_or_model_does_not_start(rig: Rig) -> None:
    with pytest.raises(MinerStopped) as caught:
        check_funds(rig.client, new_test_key("nobody").bech32, 5)
    assert "has 0 ugrad; the bond takes 5" in caught.value.text and "gradus tx bank send" in caught.value.hint
    with pytest.raises(ModelMissing, match="no model 7"):
        check_model(rig.client, 7)
    poor = rig.miner("nobody")
    with pytest.raises(MinerStopped, match="the bond takes 12000000"):
        poor.check()


def test_model_that_trains_no_longer_is_refused(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    served = rig.model()
    served.status = MODEL_STATUS_SERVING
    monkeypatch.setattr(rig.client, "find_model", lambda model_id: served)
    with pytest.raises(MinerStopped, match="trains no longer"):
        check_model(rig.client, 1)
    served.spec.numerics = "gin2"
    with pytest.raises(MinerStopped, match="'gin2'"):
        check_model(rig.client, 1)
