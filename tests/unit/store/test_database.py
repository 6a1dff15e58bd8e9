"""The database: what is committed, what survives, what is refused."""

import random
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

import pytest

from abci_app.store.branch import Branch
from abci_app.store.cache import NodeCache
from abci_app.store.check import check_database
from abci_app.store.disk import Database
from abci_app.store.errors import (
    BlobUnavailable,
    DatabaseDamaged,
    DatabaseLocked,
    HeightUnavailable,
    InvalidEntry,
    StaleBranch,
    StoreError,
    WrongDatabase,
)
from abci_app.store.kv import BLOBS_STORE
from abci_app.store.version import MAX_KNOWN, StoreReader
from abci_app.wire.proof import check_proof

STORES = ["auth", "bank", "work"]


def open_database(path: Path, keep_versions: int = 0, cache_nodes: int = 1 << 10) -> Database:
    return Database.open(path, STORES, keep_versions, cache_nodes, fsync=False)


def write_block(database: Database, height: int, rng: random.Random, model: dict[bytes, bytes]) -> bytes:
    """Commit 20 random writes to `bank` and `model`; returns the app hash."""
    branch = Branch(database.latest())
    for _ in range(20):
        key = b"k" + rng.randbytes(1)
        if rng.random() < 0.3:
            branch.store("bank").delete(key)
            model.pop(key, None)
        else:
            model[key] = rng.randbytes(4)
            branch.store("bank").set(key, model[key])
    branch.blobs.set(b"height", str(height).encode())
    return database.commit(database.stage(branch, height)).app_hash


def test_fresh_database_is_empty_at_height_zero_and_has_a_hash(tmp_path: Path) -> None:
    with open_database(tmp_path / "deep" / "er") as database:
        version = database.latest()
        assert (database.height, version.height, len(version.app_hash)) == (0, 0, 32)
        assert list(version.store("bank").iter(b"")) == [] and list(version.blobs.iter(b"")) == []
        proof = version.prove("bank", b"k")
        check_proof(proof, version.app_hash, "bank", b"k")
        assert proof.value is None
        assert check_database(database) == (0, 0, 0)


def test_app_hash_of_known_state_never_changes(tmp_path: Path) -> None:
    """Golden: a change here is a change of consensus."""
    with open_database(tmp_path) as database:
        assert database.latest().app_hash.hex() == EMPTY_APP_HASH
        model: dict[bytes, bytes] = {}
        branch = Branch(database.latest())
        for number in range(100):
            branch.store("bank").set(b"key%d" % number, b"value%d" % (number * number))
        assert database.commit(database.stage(branch, 1)).app_hash.hex() == FIRST_APP_HASH
        for height in range(2, 6):
            write_block(database, height, random.Random(height), model)
        assert database.latest().app_hash.hex() == FIFTH_APP_HASH


def test_staging_writes_nothing_and_repeats_itself(tmp_path: Path) -> None:
    with open_database(tmp_path) as database:
        write_block(database, 1, random.Random(1), {})
        first, second = Branch(database.latest()), Branch(database.latest())
        first.store("bank").set(b"k", b"1")
        second.store("work").set(b"k", b"2")
        staged = [database.stage(branch, 2) for branch in (first, second, first)]
        assert staged[0].app_hash == staged[2].app_hash != staged[1].app_hash
        assert staged[0].nodes == staged[2].nodes
        assert database.height == 1 and not database.latest().store("bank").has(b"k")
        assert database.commit(staged[0]).app_hash == staged[0].app_hash
        assert database.latest().store("bank").get(b"k") == b"1"
        assert not database.latest().store("work").has(b"k")
        with pytest.raises(StaleBranch):
            database.commit(staged[2])


def test_writes_made_before_the_first_commit_belong_to_the_first_block(tmp_path: Path) -> None:
    """Genesis is a branch that stays; the first block is its child, staged as often as need be."""
    with open_database(tmp_path) as database:
        genesis = Branch(database.latest())
        genesis.store("auth").set(b"genesis", b"1")
        genesis.blobs.set(b"genesis", b"")
        genesis_hash = database.stage(genesis, 7).app_hash
        blocks = []
        for _ in range(2):
            block = genesis.branch()
            block.store("bank").set(b"block", b"1")
            blocks.append(database.stage(block, 7))
        assert blocks[0].app_hash == blocks[1].app_hash != genesis_hash
        assert database.stage(genesis, 7).app_hash == genesis_hash and database.height == 0
        version = database.commit(blocks[1])
        assert version.height == 7 and version.store("auth").has(b"genesis") and version.store("bank").has(b"block")
        assert version.blobs.get(b"genesis") == b""


def test_reopened_database_is_the_last_committed_version(tmp_path: Path) -> None:
    rng, model, hashes = random.Random(3), {}, {}
    for height in range(100, 110):
        with open_database(tmp_path, keep_versions=4) as database:
            hashes[height] = write_block(database, height, rng, model)
    with open_database(tmp_path, keep_versions=4) as database:
        assert (database.height, database.oldest) == (109, 106)
        assert list(database.latest().store("bank").iter(b"")) == sorted(model.items())
        assert database.blobs.get(b"height") == b"109"
        assert [database.version(height).app_hash for height in range(106, 110)] == [
            hashes[height] for height in range(106, 110)
        ]
        assert check_database(database).pruning_backlog == 0


def test_heights_outside_the_kept_ones_are_refused(tmp_path: Path) -> None:
    with open_database(tmp_path, keep_versions=2) as database:
        assert database.version(0) is database.latest()
        for height in range(5, 10):
            write_block(database, height, random.Random(height), {})
        assert database.version(9) is database.latest() and database.version(8).height == 8
        for height in (-1, 0, 1, 7, 10):
            with pytest.raises(HeightUnavailable, match="8 to 9") as caught:
                database.version(height)
            assert (caught.value.height, caught.value.oldest, caught.value.latest) == (height, 8, 9)


@pytest.mark.parametrize("height", [3, 5, 6, 8, -1, 0])
def test_height_that_does_not_follow_is_refused(tmp_path: Path, height: int) -> None:
    with open_database(tmp_path) as database:
        for number in (5, 6):
            write_block(database, number, random.Random(1), {})
        with pytest.raises(StaleBranch):
            database.stage(Branch(database.latest()), height)
        assert database.stage(Branch(database.latest()), 7).height == 7


@pytest.mark.parametrize("height", [-1, 0, 1 << 63])
def test_first_height_must_be_a_height(tmp_path: Path, height: int) -> None:
    with open_database(tmp_path) as database, pytest.raises(StaleBranch):
        database.stage(Branch(database.latest()), height)


def test_branch_of_an_older_version_cannot_be_staged(tmp_path: Path) -> None:
    with open_database(tmp_path) as database:
        old = Branch(database.latest())
        write_block(database, 1, random.Random(1), {})
        with pytest.raises(StaleBranch):
            database.stage(old, 2)
        with pytest.raises(StaleBranch):
            database.stage(Branch(database.version(1)).branch(), 1)


def test_blobs_are_under_the_root_by_their_hashes(tmp_path: Path) -> None:
    with open_database(tmp_path) as database:
        branch = Branch(database.latest())
        branch.blobs.set(b"chunk/1", bytes(100_000))
        branch.blobs.set(b"chunk/2", b"")
        first = database.commit(database.stage(branch, 1))
        expected = {b"chunk/1": sha256(bytes(100_000)).digest(), b"chunk/2": sha256(b"").digest()}
        assert dict(first.store(BLOBS_STORE).iter(b"")) == expected
        for key in (*expected, b"chunk/3"):
            proof = first.prove(BLOBS_STORE, key)
            check_proof(proof, first.app_hash, BLOBS_STORE, key)
            assert proof.value == expected.get(key)
        branch = Branch(first)
        branch.blobs.set(b"chunk/1", bytes(100_000))
        assert database.stage(branch, 2).app_hash == first.app_hash
        branch.blobs.set(b"chunk/1", bytes(99_999))
        changed = database.commit(database.stage(branch, 2))
        assert changed.app_hash != first.app_hash
        branch = Branch(changed)
        branch.blobs.set(b"chunk/1", bytes(100_000))
        assert database.commit(database.stage(branch, 3)).app_hash == first.app_hash
        assert check_database(database).versions == 3


def test_blobs_of_an_older_height_are_exact_or_unavailable(tmp_path: Path) -> None:
    with open_database(tmp_path) as database:
        branch = Branch(database.latest())
        for key in (b"chunk/1", b"chunk/2", b"chunk/4"):
            branch.blobs.set(key, key * 1000)
        branch.blobs.set(b"chunk/2", b"")
        first = database.commit(database.stage(branch, 1))
        branch = Branch(first)
        branch.blobs.delete(b"chunk/1")
        branch.blobs.set(b"chunk/3", b"3")
        branch.blobs.set(b"chunk/4", b"4")
        assert list(branch.blobs.iter(b"chunk/")) == [(b"chunk/2", b""), (b"chunk/3", b"3"), (b"chunk/4", b"4")]
        walk = first.blobs.iter(b"chunk/", reverse=True)
        second = database.commit(database.stage(branch, 2))
        for old in (first, database.version(1)):
            assert old.blobs.get(b"chunk/2") == b"" and old.blobs.get(b"chunk/3") is None
            assert [old.blobs.has(b"chunk/%d" % number) for number in range(5)] == [False, True, True, False, True]
            for key in (b"chunk/1", b"chunk/4"):
                with pytest.raises(BlobUnavailable, match="of height 1 was replaced or deleted"):
                    old.blobs.get(key)
            with pytest.raises(HeightUnavailable):
                list(old.blobs.iter(b"chunk/"))
            assert list(old.blobs.iter(b"chunk/", b"chunk/2", limit=1)) == [(b"chunk/2", b"")]
        with pytest.raises(BlobUnavailable):
            next(walk)
        assert list(second.blobs.iter(b"", reverse=True, limit=2)) == [(b"chunk/4", b"4"), (b"chunk/3", b"3")]
        assert list(second.blobs.iter(b"chunk/", b"chunk/2", reverse=True)) == [(b"chunk/2", b"")]


def test_blob_that_is_not_that_of_its_hash_is_damage(tmp_path: Path) -> None:
    with open_database(tmp_path) as database:
        branch = Branch(database.latest())
        branch.blobs.set(b"chunk/1", b"1")
        version = database.commit(database.stage(branch, 1))
        for record in (b"2", None):
            if record is None:
                database._rocks.delete(b"bchunk/1")
            else:
                database._rocks.put(b"bchunk/1", record)
            with pytest.raises(DatabaseDamaged, match="chunk/1"):
                list(version.blobs.iter(b""))
            with pytest.raises(DatabaseDamaged, match="chunk/1"):
                check_database(database)
        database._rocks.put(b"bchunk/1", b"1")
        database._rocks.put(b"bchunk/2", b"2")
        with pytest.raises(DatabaseDamaged, match="chunk/2"):
            check_database(database)


def test_reserved_and_empty_keys_have_no_proof(tmp_path: Path) -> None:
    with open_database(tmp_path) as database:
        for key in (b"", b"\x00"):
            with pytest.raises(InvalidEntry):
                database.latest().prove("bank", key)


def test_other_stores_and_other_formats_are_refused(tmp_path: Path) -> None:
    with open_database(tmp_path) as database:
        write_block(database, 1, random.Random(1), {})
    for names in (["auth", "bank"], [*STORES, "data"], ["auth", "bank", "werk"]):
        with pytest.raises(WrongDatabase, match="run the version that wrote it"):
            Database.open(tmp_path, names)
    with Database.open(tmp_path, STORES[::-1]) as database:
        assert database.height == 1


def test_foreign_rocksdb_is_refused(tmp_path: Path) -> None:
    from rocksdict import Options, Rdict

    foreign = Rdict(str(tmp_path), Options(raw_mode=True))
    foreign.put(b"some", b"thing")
    foreign.close()
    with pytest.raises(WrongDatabase, match="another kind"):
        open_database(tmp_path)


def test_database_in_use_is_named_with_a_hint(tmp_path: Path) -> None:
    with open_database(tmp_path):
        with pytest.raises(DatabaseLocked, match="stop the other node"):
            open_database(tmp_path)
        code = (
            "import sys; from abci_app.store.disk import Database; from abci_app.store.errors import DatabaseLocked\n"
            f"try: Database.open({str(tmp_path)!r}, {STORES!r})\n"
            "except DatabaseLocked as error: print(error)"
        )
        other = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
        assert str(tmp_path) in other.stdout and "in use" in other.stdout
    open_database(tmp_path).close()


def test_path_that_cannot_be_a_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DatabaseDamaged, match="file"):
        open_database(tmp_path / "file")


@pytest.mark.parametrize(
    "names, keep",
    [([], 2), (["a", "a"], 2), (["A"], 2), (["a b"], 2), (["x:a"], 2), ([""], 2), (["a"], 1), (["a"], -1)],
)
def test_bad_arguments_are_refused(tmp_path: Path, names: list[str], keep: int) -> None:
    with pytest.raises(ValueError):
        Database.open(tmp_path, names, keep)


def test_closed_database_says_so(tmp_path: Path) -> None:
    database = open_database(tmp_path, cache_nodes=0)
    write_block(database, 1, random.Random(1), {})
    version = database.version(1)
    staged = database.stage(Branch(version), 2)
    database.close()
    database.close()
    with pytest.raises(StoreError, match="closed"):
        version.blobs.get(b"k")
    with pytest.raises(StoreError, match="closed"):
        database.commit(staged)


def test_damage_is_an_os_error_and_never_a_wrong_answer(tmp_path: Path) -> None:
    from rocksdict import Options, Rdict

    model: dict[bytes, bytes] = {}
    with open_database(tmp_path) as database:
        write_block(database, 1, random.Random(1), model)
        root = database.latest().roots[1].id
    raw = Rdict(str(tmp_path), Options(raw_mode=True))
    del raw[b"n" + root]
    raw.close()
    with open_database(tmp_path) as database:
        for act in (
            lambda: database.latest().store("bank").get(b"k"),
            lambda: list(database.latest().store("bank").iter(b"")),
            lambda: database.latest().prove("bank", b"k"),
            lambda: check_database(database),
            lambda: write_block(database, 2, random.Random(1), model),
        ):
            with pytest.raises(OSError, match="missing"):
                act()
        assert database.height == 1
    raw = Rdict(str(tmp_path), Options(raw_mode=True))
    raw[b"n" + root] = b"\x07garbage"
    raw.close()
    with open_database(tmp_path) as database, pytest.raises(OSError, match="malformed"):
        database.latest().store("bank").get(b"k")


def test_results_do_not_depend_on_the_cache(tmp_path: Path) -> None:
    hashes = []
    for cache_nodes in (0, 7, 1 << 16):
        model: dict[bytes, bytes] = {}
        with open_database(tmp_path / str(cache_nodes), cache_nodes=cache_nodes) as database:
            rng = random.Random(5)
            for height in range(1, 8):
                write_block(database, height, rng, model)
            hashes.append(database.latest().app_hash)
            assert list(database.latest().store("bank").iter(b"")) == sorted(model.items())
    assert hashes[0] == hashes[1] == hashes[2]


def test_version_remembers_a_bounded_number_of_answers(tmp_path: Path) -> None:
    with open_database(tmp_path) as database:
        branch = Branch(database.latest())
        branch.store("bank").set(b"k", b"v")
        branch.store("bank").set(b"large", bytes(5000))
        old = database.commit(database.stage(branch, 1))
        reader = old.store("bank")
        assert (reader.get(b"k"), reader.get(b"none"), reader.get(b"large")) == (b"v", None, bytes(5000))
        branch = Branch(old)
        branch.store("bank").set(b"k", b"w")
        branch.store("bank").set(b"none", b"now")
        new = database.commit(database.stage(branch, 2)).store("bank")
        assert (reader.get(b"k"), reader.get(b"none"), reader.get(b"large")) == (b"v", None, bytes(5000))
        assert (new.get(b"k"), new.get(b"none")) == (b"w", b"now")
        for number in range(10_000):
            assert reader.get(b"absent%d" % number) is None
        assert isinstance(reader, StoreReader) and len(reader._known) <= MAX_KNOWN and reader.get(b"k") == b"v"


def test_cache_keeps_what_is_used_and_never_more_than_its_capacity() -> None:
    reads = []

    def read(node_id: bytes) -> bytes:
        reads.append(node_id)
        return bytes(3000) if node_id == b"large" else node_id

    cache = NodeCache(100, read)
    for number in range(1000):
        cache.load(number.to_bytes(2, "big"))
        cache.load(b"hot")
        assert len(cache) <= 102
    assert reads.count(b"hot") == 1
    cache.load(b"large")
    cache.load(b"large")
    assert reads.count(b"large") == 2


EMPTY_APP_HASH = "2b7587946ac9afeb0022c6ca6c2f78435e64a2335c8057d0ccd8d810a7254bee"
FIRST_APP_HASH = "0f737433931ff059bb13181f771cf318f7738979771a19290a371c28ed4d5f70"
FIFTH_APP_HASH = "c81fd04db2772d59f2c38e5f8f1baa11c53c47d9c2200e5a27e84c8b5d37306c"


def test_folder_that_lost_its_current_file_is_refused_each_time_and_not_begun_anew(tmp_path: Path) -> None:
    with open_database(tmp_path / "db") as database:
        write_block(database, 1, random.Random(1), {})
    (tmp_path / "db" / "CURRENT").unlink()
    for _ in range(2):
        with pytest.raises(DatabaseDamaged, match="has lost its file CURRENT"):
            open_database(tmp_path / "db")


def test_first_start_that_was_cut_short_before_its_current_file_begins_again(tmp_path: Path) -> None:
    (tmp_path / "db").mkdir()
    (tmp_path / "db" / "MANIFEST-000001").write_bytes(b"")
    (tmp_path / "db" / "IDENTITY").write_bytes(b"")
    with open_database(tmp_path / "db") as database:
        assert database.height == 0


def test_damage_in_a_folder_named_block_is_not_taken_for_a_lock(tmp_path: Path) -> None:
    with open_database(tmp_path / "blocks") as database:
        write_block(database, 1, random.Random(1), {})
    (tmp_path / "blocks" / "CURRENT").write_text("MANIFEST-999999\n")
    with pytest.raises(DatabaseDamaged):
        open_database(tmp_path / "blocks")
