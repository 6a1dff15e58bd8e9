"""What watchers and players keep on disk, and how moves are put together."""

import os
from pathlib import Path

import pytest

from abci_app.watch.journal import FILE, Journal, JournalBusy
from abci_app.watch.kept import KeptRounds
from abci_app.watch.memory import Memory
from abci_app.watch.player import BATCH_BYTES_MAX, Move, split_batches
from abci_app.wire.merkle import merkle_root
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


def test_two_watchers_of_a_key_do_not_share_a_journal(tmp_path: Path) -> None:
    with Journal(tmp_path, "test", "ann"), pytest.raises(JournalBusy), Journal(tmp_path, "test", "ann"):
        pass
    with Journal(tmp_path, "test", "ann"), Journal(tmp_path, "test", "ben"):
        pass
    with Journal(tmp_path, "test", "ann"):
        pass


def test_watchers_without_a_key_share_what_the_first_of_them_has_found(tmp_path: Path) -> None:
    with Journal(tmp_path, "test") as first:
        first.put(round_of(1), unit_of(0), False)
        with Journal(tmp_path, "test") as second, Journal(tmp_path, "test", "ann"):
            assert second.find(round_of(1), unit_of(0)) is False
            second.put(round_of(1), unit_of(1), True)
            assert second.find(round_of(1), unit_of(1)) is True
            second.drop_before(1, 2)
        first.put(round_of(1), unit_of(2), True)
    with Journal(tmp_path, "test") as again:
        assert [again.find(round_of(1), unit_of(index)) for index in range(3)] == [False, None, True]


def test_kept_weights_are_found_whole_or_not_at_all(tmp_path: Path) -> None:
    kept, data = KeptRounds(tmp_path / "weights"), bytes(range(256)) * 300
    owner = Round(model_id=7, number=3, weights_root=chunk_root(data))
    assert kept.find_weights(owner) is None
    kept.put_weights(owner, data)
    kept.put_weights(owner, data)
    assert kept.find_weights(owner) == data
    os.truncate(tmp_path / "weights" / f"7-3-{owner.weights_root.hex()}.weights", 100)
    assert kept.find_weights(owner) is None
    kept.put_weights(owner, data)
    assert kept.find_weights(owner) == data


def test_kept_weights_go_round_by_round(tmp_path: Path) -> None:
    kept = KeptRounds(tmp_path / "weights")
    assert kept.list_rounds() == []
    owners = []
    for model_id, number, data in ((1, 1, b"one"), (1, 11, b"two"), (11, 1, b"three")):
        owners.append(Round(model_id=model_id, number=number, weights_root=chunk_root(data)))
        kept.put_weights(owners[-1], data)
    assert kept.list_rounds() == [(1, 1), (1, 11), (11, 1)]
    kept.drop(1, 1)
    assert [kept.find_weights(owner) for owner in owners] == [None, b"two", b"three"]


def test_kept_traces_are_found_whole_by_their_root_or_not_at_all(tmp_path: Path) -> None:
    kept, trace = KeptRounds(tmp_path / "kept"), tuple(bytes([at]) * 32 for at in range(5))
    owner, root = Round(model_id=7, number=3), merkle_root(trace)
    assert kept.find_trace(owner, root) == ()
    kept.put_trace(owner, trace)
    kept.put_trace(owner, trace)
    assert kept.find_trace(owner, root) == trace
    assert kept.find_trace(Round(model_id=7, number=4), root) == ()
    for size in (130, 128, 0):
        os.truncate(tmp_path / "kept" / f"7-3-{root.hex()}.trace", size)
        assert kept.find_trace(owner, root) == ()
    kept.put_trace(owner, trace)
    assert kept.list_rounds() == [(7, 3)]
    kept.drop(7, 3)
    assert kept.find_trace(owner, root) == () and kept.list_rounds() == []


def test_memory_forgets_the_least_recently_used_and_stays_below_its_bound() -> None:
    memory, made = Memory(100), list[str]()

    def get(name: str, size: int) -> bytes:
        def make() -> bytes:
            made.append(name)
            return bytes(size)

        return memory.get((name,), make, len)

    for name, size in (("one", 40), ("two", 40), ("one", 40), ("three", 40), ("one", 40), ("two", 40)):
        assert len(get(name, size)) == size and memory.bytes_held <= 100
    assert made == ["one", "two", "three", "two"]
    assert len(get("huge", 1000)) == 1000 and memory.bytes_held == 1000
    get("huge", 1000)
    get("one", 40)
    assert memory.bytes_held == 40 and made[4:] == ["huge", "one"]


def test_memory_whose_makers_ask_it_for_more_counts_each_value_once() -> None:
    memory = Memory(10)

    def make_sum() -> bytes:
        return memory.get(("part",), lambda: bytes(4), len) + memory.get(("other",), lambda: bytes(5), len)

    assert len(memory.get(("sum",), make_sum, len)) == 9
    assert memory.bytes_held == 9


def test_moves_fill_transactions_in_order_and_none_is_too_large() -> None:
    sizes = [BATCH_BYTES_MAX // 2, BATCH_BYTES_MAX // 3, BATCH_BYTES_MAX // 3, BATCH_BYTES_MAX, *([20] * 20)]
    moves = [Move(Dispute(unit=index), MsgProveOperation(unit=index, rows=bytes(size - 10)))
             for index, size in enumerate(sizes)]
    batches = split_batches(moves)
    assert [move for batch in batches for move in batch] == moves
    assert [len(batch) for batch in batches] == [2, 1, 1, MESSAGES_MAX, 4]
    assert split_batches([]) == []
