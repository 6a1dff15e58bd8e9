"""Branches: layered writes and merged iteration."""

from pathlib import Path
from typing import Any, Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from abci_app.store.branch import Branch
from abci_app.store.disk import Database
from abci_app.store.errors import InvalidEntry, StoreError, UnknownStore
from abci_app.store.kv import BLOBS_STORE, MAX_BLOB_BYTES, MAX_KEY_BYTES, MAX_VALUE_BYTES, KV, compute_prefix_end

ROWS = [(b"a1", b"1"), (b"b1", b"2"), (b"b2", b"3"), (b"b3", b"4"), (b"c", b"5")]


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    with Database.open(tmp_path, ["bank", "auth"], fsync=False) as database:
        branch = Branch(database.latest())
        for key, value in ROWS:
            branch.store("bank").set(key, value)
            branch.blobs.set(key, value)
        database.commit(database.stage(branch, 1))
        yield database


def test_child_sees_parent_writes_and_parent_sees_the_childs_only_after_write(database: Database) -> None:
    block = Branch(database.latest())
    block.store("bank").set(b"k", b"block")
    tx = block.branch()
    assert tx.store("bank").get(b"k") == b"block"
    tx.store("bank").set(b"k", b"tx")
    tx.store("bank").delete(b"a1")
    tx.blobs.set(b"blob", b"")
    assert block.store("bank").get(b"k") == b"block"
    assert block.store("bank").has(b"a1") and not block.blobs.has(b"blob")
    tx.write()
    assert block.store("bank").get(b"k") == b"tx"
    assert not block.store("bank").has(b"a1") and block.blobs.get(b"blob") == b""
    assert tx.changes() == [] and tx.blob_changes() == []
    assert block.changes() == [("bank", b"a1", None), ("bank", b"k", b"tx")]
    assert block.blob_changes() == [(b"blob", b"")]


def test_dropped_child_changes_nothing(database: Database) -> None:
    block = Branch(database.latest())
    before = database.stage(block, 2).app_hash
    tx = block.branch()
    tx.store("bank").set(b"k", b"v")
    tx.store("bank").delete(b"c")
    tx.blobs.delete(b"c")
    del tx
    assert block.changes() == [] and block.blob_changes() == []
    assert database.stage(block, 2).app_hash == before == database.latest().app_hash


def test_deleted_key_can_be_set_again(database: Database) -> None:
    bank = Branch(database.latest()).store("bank")
    bank.delete(b"c")
    assert bank.get(b"c") is None
    bank.set(b"c", b"again")
    assert bank.get(b"c") == b"again"


@pytest.mark.parametrize("space", ["store", "blobs"])
def test_iteration_merges_writes_deletions_and_base(database: Database, space: str) -> None:
    block = Branch(database.latest())
    tx = block.branch()

    def kv(branch: Branch) -> KV:
        return branch.blobs if space == "blobs" else branch.store("bank")

    kv(block).set(b"b0", b"new")
    kv(block).delete(b"b2")
    kv(tx).set(b"b3", b"changed")
    kv(tx).set(b"b9", b"last")
    expected = [(b"b0", b"new"), (b"b1", b"2"), (b"b3", b"changed"), (b"b9", b"last")]
    assert list(kv(tx).iter(b"b")) == expected
    assert list(kv(tx).iter(b"b", reverse=True)) == expected[::-1]
    assert list(kv(tx).iter(b"b", start=b"b1")) == expected[1:]
    assert list(kv(tx).iter(b"b", start=b"b2")) == expected[2:]
    assert list(kv(tx).iter(b"b", start=b"b3", reverse=True)) == expected[2::-1]
    assert list(kv(tx).iter(b"b", start=b"a", limit=2)) == expected[:2]
    assert list(kv(tx).iter(b"b", start=b"zz")) == []
    assert list(kv(tx).iter(b"b", limit=0)) == []
    assert list(kv(tx).iter(b"")) == [(b"a1", b"1"), *expected, (b"c", b"5")]


def test_writes_during_iteration_do_not_show_in_it(database: Database) -> None:
    bank = Branch(database.latest()).store("bank")
    seen = []
    for key, value in bank.iter(b"b"):
        seen.append((key, value))
        bank.delete(b"b3")
        bank.set(key + b"x", b"new")
    assert seen == [(b"b1", b"2"), (b"b2", b"3"), (b"b3", b"4")]
    assert [key for key, _ in bank.iter(b"b")] == [b"b1", b"b1x", b"b2", b"b2x", b"b3x"]


def test_childs_write_during_the_parents_iteration_does_not_show_in_it(database: Database) -> None:
    block = Branch(database.latest())
    walk = block.store("bank").iter(b"b")
    tx = block.branch()
    tx.store("bank").delete(b"b2")
    tx.write()
    assert [key for key, _ in walk] == [b"b1", b"b2", b"b3"]


@pytest.mark.parametrize(
    "key, value",
    [
        (b"", b"v"),
        (b"k", b""),
        (b"x:k", b"v"),
        (b"\x00", b"v"),
        (bytearray(b"k"), b"v"),
        (b"k", "v"),
        (bytes(MAX_KEY_BYTES + 1), b"v"),
        (b"k", bytes(MAX_VALUE_BYTES + 1)),
    ],
)
def test_entries_that_stock_clients_could_not_verify_are_refused(
    database: Database, key: bytes, value: bytes
) -> None:
    branch = Branch(database.latest())
    with pytest.raises(InvalidEntry):
        branch.store("bank").set(key, value)
    assert branch.changes() == []


def test_the_reserved_leaf_is_invisible_and_cannot_be_deleted(database: Database) -> None:
    bank = Branch(database.latest()).store("bank")
    with pytest.raises(InvalidEntry):
        bank.delete(b"\x00")
    assert bank.get(b"\x00") is None and not bank.has(b"\x00")
    assert list(bank.iter(b"\x00")) == [] and next(bank.iter(b"")) == ROWS[0]
    assert list(bank.iter(b"", start=b"\x00", limit=1)) == ROWS[:1]


def test_largest_entries_and_odd_keys_are_taken(database: Database) -> None:
    branch = Branch(database.latest())
    branch.store("bank").set(bytes(MAX_KEY_BYTES), bytes(MAX_VALUE_BYTES))
    branch.store("bank").set(b"\x00\x00", b"v")
    branch.store("bank").set(b"x", b"v")
    branch.blobs.set(bytes(MAX_KEY_BYTES), b"")
    database.commit(database.stage(branch, 2))
    assert database.latest().store("bank").get(bytes(MAX_KEY_BYTES)) == bytes(MAX_VALUE_BYTES)
    assert [key for key, _ in database.latest().store("bank").iter(b"\x00")] == [b"\x00\x00", bytes(MAX_KEY_BYTES)]
    assert database.latest().blobs.get(bytes(MAX_KEY_BYTES)) == b""


@pytest.mark.parametrize(("key", "blob"), [
    (b"k", bytes(MAX_BLOB_BYTES + 1)), (b"", b"v"), (b"\x00", b"v"), (b"x:ff", b"v"), (bytes(MAX_KEY_BYTES + 1), b"v")])
def test_blob_that_cannot_stand_under_the_root_is_refused(database: Database, key: bytes, blob: bytes) -> None:
    branch = Branch(database.latest())
    with pytest.raises(InvalidEntry):
        branch.blobs.set(key, blob)
    assert branch.blob_changes() == []


def test_store_of_the_blobs_hashes_cannot_be_written(database: Database) -> None:
    branch = Branch(database.latest())
    assert BLOBS_STORE in branch.store_names
    for writer in (branch, branch.branch()):
        with pytest.raises(UnknownStore, match="kept by the database.*write blobs"):
            writer.store(BLOBS_STORE)


def test_unknown_store_is_named_with_the_known_ones(database: Database) -> None:
    with pytest.raises(UnknownStore, match="'bnak'.*auth, bank"):
        Branch(database.latest()).store("bnak")
    with pytest.raises(UnknownStore):
        database.latest().store("bnak")
    with pytest.raises(UnknownStore):
        database.latest().prove("bnak", b"k")


def test_branch_of_a_version_has_nothing_to_write_into(database: Database) -> None:
    branch = Branch(database.latest())
    branch.store("bank").set(b"k", b"v")
    with pytest.raises(StoreError, match="stage it instead"):
        branch.write()
    assert branch.changes() == [("bank", b"k", b"v")]


@pytest.mark.parametrize(
    "prefix, end", [(b"", None), (b"\xff", None), (b"a", b"b"), (b"a\xff\xff", b"b"), (b"a\xffb", b"a\xffc")]
)
def test_prefix_end_is_the_first_key_past_the_prefix(prefix: bytes, end: bytes | None) -> None:
    assert compute_prefix_end(prefix) == end


KEYS = st.binary(min_size=1, max_size=2).filter(lambda key: key not in (b"\x00", b"x:"))
ACTIONS = st.lists(
    st.one_of(
        st.tuples(st.just("set"), KEYS, st.binary(min_size=1, max_size=2)),
        st.tuples(st.just("delete"), KEYS),
        st.tuples(st.sampled_from(["branch", "write", "drop", "iterate"])),
    ),
    max_size=40,
)


@given(ACTIONS, ACTIONS)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_root_depends_on_the_net_writes_alone(
    tmp_path_factory: pytest.TempPathFactory, first: list[tuple[Any, ...]], second: list[tuple[Any, ...]]
) -> None:
    """The same two blocks, once through nested branches and once as plain net writes, give the same roots."""
    folder = tmp_path_factory.mktemp("store")
    with (
        Database.open(folder / "a", ["s"], fsync=False) as nested,
        Database.open(folder / "b", ["s"], fsync=False) as plain,
    ):
        model: dict[bytes, bytes] = {}
        for height, actions in ((3, first), (4, second)):
            block = Branch(nested.latest())
            layers, models = [block], [model]
            for action, *arguments in actions:
                store = layers[-1].store("s")
                if action == "set":
                    store.set(*arguments)
                    models[-1][arguments[0]] = arguments[1]
                elif action == "delete":
                    store.delete(*arguments)
                    models[-1].pop(arguments[0], None)
                elif action == "branch":
                    layers.append(layers[-1].branch())
                    models.append(dict(models[-1]))
                elif action == "iterate":
                    assert list(store.iter(b"")) == sorted(models[-1].items())
                    assert list(store.iter(b"", reverse=True)) == sorted(models[-1].items(), reverse=True)
                elif len(layers) > 1:
                    child, written = layers.pop(), models.pop()
                    if action == "write":
                        child.write()
                        models[-1].clear()
                        models[-1].update(written)
            staged = nested.stage(block, height)
            flat = Branch(plain.latest())
            for key in sorted({key for key, _ in plain.latest().store("s").iter(b"")} - set(models[0])):
                flat.store("s").delete(key)
            for key, value in models[0].items():
                flat.store("s").set(key, value)
            model = models[0]
            assert nested.commit(staged).app_hash == plain.commit(plain.stage(flat, height)).app_hash
            assert list(nested.latest().store("s").iter(b"")) == sorted(model.items())
