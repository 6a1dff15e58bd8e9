"""What watchers and players keep on disk, and how moves are put together."""

import os
from pathlib import Path

import pytest

from abci_app.watch.journal import FILE, Journal, JournalBusy
from abci_app.watch.player import BATCH_BYTES_MAX, Move, split_batches
from abci_app.watch.weights import KeptWeights
from abci_app.wire.pb.gradus.disputes.v1.disputes_pb2 import Dispute
from abci_app.wire.pb.gradus.disputes.v1.tx_pb2 import MsgProveOperation
from abci_app.wire.pb.gradus.work.v1.work_pb2 import Round, Unit
from abci_app.wire.tx import MESSAGES_MAX
from kernels.chunks import chunk_root


def round_of(number: int, model_id: int = 1, attempt: int = 0) -> Round:
    return Round(model_id=model_id, number=number, attempt=attempt)


def unit_of(index: int, root: bytes = bytes(32)) -> Unit:
    return Unit(index=index, payload_root=root, trace_root=bytes(32))


def test_journal_remembers_over_a_restart_what_each_claim_was(tmp_path: Path) -> None:
    with Journal(tmp_path, "chain/1") as journal:
        journal.put(round_of(3), unit_of(0), True)
        journal.put(round_of(3), unit_of(1), False)
    with Journal(tmp_path, "chain/1") as journal:
        assert [journal.find(round_of(3), unit_of(index)) for index in range(3)] == [True, False, None]
        assert journal.find(round_of(3, attempt=1), unit_of(0)) is None
        assert journal.find(round_of(3), unit_of(0, bytes([1]) * 32)) is None
    with Journal(tmp_path, "chain/2") as journal:
        assert journal.find(round_of(3), unit_of(0)) is None


def test_journal_forgets_a_models_settled_rounds_and_no_others(tmp_path: Path) -> None:
    with Journal(tmp_path, "test") as journal:
        for number, model_id in ((2, 1), (3, 1), (10, 1), (2, 2)):
            journal.put(round_of(number, model_id), unit_of(0), True)
        journal.drop_before(1, 3)
    with Journal(tmp_path, "test") as journal:
        found = [journal.find(round_of(number, model_id), unit_of(0))
                 for number, model_id in ((2, 1), (3, 1), (10, 1), (2, 2))]
    assert found == [None, True, True, True]


@pytest.mark.parametrize("cut", (1, 20, 140))
def test_torn_line_of_the_journal_is_passed_over(tmp_path: Path, cut: int) -> None:
    with Journal(tmp_path, "test") as journal:
        journal.put(round_of(1), unit_of(0), False)
        journal.put(round_of(1), unit_of(1), False)
        path = journal.folder / FILE
        os.truncate(path, path.stat().st_size - cut)
    with Journal(tmp_path, "test") as journal:
        journal.put(round_of(1), unit_of(2), True)
    with Journal(tmp_path, "test") as journal:
        found = [journal.find(round_of(1), unit_of(index)) for index in range(3)]
    assert found == [False, False if cut == 1 else None, True]


def test_two_watchers_do_not_share_a_journal(tmp_path: Path) -> None:
    with Journal(tmp_path, "test"), pytest.raises(JournalBusy), Journal(tmp_path, "test"):
        pass
    with Journal(tmp_path, "test"):
        pass


def test_kept_weights_are_found_whole_or_not_at_all(tmp_path: Path) -> None:
    kept, data = KeptWeights(tmp_path / "weights"), bytes(range(256)) * 300
    owner = Round(model_id=7, number=3, weights_root=chunk_root(data))
    assert kept.find(owner) is None
    kept.put(owner, data)
    kept.put(owner, data)
    assert kept.find(owner) == data
    os.truncate(tmp_path / "weights" / f"7-3-{owner.weights_root.hex()}.weights", 100)
    assert kept.find(owner) is None
    kept.put(owner, data)
    assert kept.find(owner) == data


def test_kept_weights_go_round_by_round(tmp_path: Path) -> None:
    kept = KeptWeights(tmp_path / "weights")
    assert kept.list_rounds() == []
    owners = []
    for model_id, number, data in ((1, 1, b"one"), (1, 11, b"two"), (11, 1, b"three")):
        owners.append(Round(model_id=model_id, number=number, weights_root=chunk_root(data)))
        kept.put(owners[-1], data)
    assert kept.list_rounds() == [(1, 1), (1, 11), (11, 1)]
    kept.drop(1, 1)
    assert [kept.find(owner) for owner in owners] == [None, b"two", b"three"]


def test_moves_fill_transactions_in_order_and_none_is_too_large() -> None:
    sizes = [BATCH_BYTES_MAX // 2, BATCH_BYTES_MAX // 3, BATCH_BYTES_MAX // 3, BATCH_BYTES_MAX, *([20] * 20)]
    moves = [Move(Dispute(unit=index), MsgProveOperation(unit=index, rows=bytes(size - 10)))
             for index, size in enumerate(sizes)]
    batches = split_batches(moves)
    assert [move for batch in batches for move in batch] == moves
    assert [len(batch) for batch in batches] == [2, 1, 1, MESSAGES_MAX, 4]
    assert split_batches([]) == []
