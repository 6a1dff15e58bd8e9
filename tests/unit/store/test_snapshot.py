"""Snapshots: a whole state as bytes and back, and every stream and metadata that is not one."""

import random
import tempfile
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from abci_app.store.branch import Branch
from abci_app.store.check import check_database
from abci_app.store.disk import Database
from abci_app.store.errors import SnapshotInvalid, StaleBranch, WrongDatabase
from abci_app.store.kv import MAX_BLOB_BYTES, MAX_KEY_BYTES, MAX_VALUE_BYTES, SENTINEL_KEY, SENTINEL_VALUE
from abci_app.store.restore import Restore
from abci_app.store.shape import Grower, Leaf
from abci_app.store.snapshot import (
    BLOB_HEAD_BYTES,
    FORMAT,
    LEAF_HEAD_BYTES,
    MAX_CHUNKS,
    STORE_END,
    Metadata,
    cut,
    decode_metadata,
    encode_leaf_head,
    encode_metadata,
    iter_stream,
)
from abci_app.store.version import Version

STORES = ["auth", "bank"]
NAMES = ("auth", "bank", "blobs")
CHUNK = 1 << 10


def open_database(path: Path, keep_versions: int = 0) -> Database:
    return Database.open(path, STORES, keep_versions, 1 << 10, fsync=False)


def write_blocks(database: Database, rng: random.Random, blocks: int, size: int) -> None:
    """Blocks of random writes and deletions in every store, and of blobs."""
    for height in range(database.height + 1, database.height + 1 + blocks):
        branch = Branch(database.latest())
        for name in STORES:
            for _ in range(rng.randrange(size + 1)):
                key = b"k" + rng.randbytes(rng.randrange(3))
                branch.store(name).set(key, rng.randbytes(1 + rng.randrange(40)))
                if rng.random() < 0.4:
                    branch.store(name).delete(b"k" + rng.randbytes(1))
        for _ in range(rng.randrange(3)):
            branch.blobs.set(b"b%d" % rng.randrange(9), rng.randbytes(rng.choice([0, 1, 100, 3000])))
            branch.blobs.delete(b"b%d" % rng.randrange(9))
        database.commit(database.stage(branch, height))


def stream_of(version: Version) -> bytes:
    return b"".join(iter_stream(version))


def metadata_of(version: Version, stream: bytes, chunk_bytes: int = CHUNK) -> tuple[Metadata, list[bytes]]:
    """Metadata that promise the version and the stream, whether they belong together or not; and the chunks."""
    chunks = [b"".join(pieces) for pieces in cut([stream], chunk_bytes)]
    return Metadata(version.height, tuple(version.store_roots()), tuple(sha256(one).digest() for one in chunks)), chunks


def restore(database: Database, metadata: Metadata, chunks: list[bytes], chunk_bytes: int = CHUNK) -> Version:
    database.begin_restore()
    one = Restore(database, metadata, chunk_bytes)
    for chunk in chunks:
        one.add_chunk(chunk)
    return one.finish()


@settings(max_examples=60)
@given(st.integers(0, 2**32), st.integers(1, 6), st.sampled_from([0, 1, 5, 40]), st.sampled_from([1, 7, 1024, 1 << 20]))
def test_restored_state_is_the_same_to_the_byte_and_goes_on_the_same(
        seed: int, blocks: int, size: int, chunk_bytes: int) -> None:
    rng = random.Random(seed)
    with tempfile.TemporaryDirectory() as folder:
        with open_database(Path(folder) / "a", rng.choice([0, 2])) as donor, open_database(Path(folder) / "b") as other:
            write_blocks(donor, rng, blocks, size)
            stream = stream_of(donor.latest())
            metadata, chunks = metadata_of(donor.latest(), stream, chunk_bytes)
            assert decode_metadata(encode_metadata(metadata)) == metadata
            assert metadata.app_hash == donor.latest().app_hash
            restored = restore(other, metadata, chunks, chunk_bytes)
            assert (restored.height, restored.app_hash) == (donor.height, donor.latest().app_hash)
            assert stream_of(other.latest()) == stream
            for name in NAMES:
                assert list(restored.store(name).iter(b"")) == list(donor.latest().store(name).iter(b""))
            assert list(restored.blobs.iter(b"")) == list(donor.latest().blobs.iter(b""))
            assert check_database(other).versions == 1
            for database in (donor, other):
                write_blocks(database, random.Random(seed + 1), 3, 20)
            assert donor.latest().app_hash == other.latest().app_hash
            assert stream_of(donor.latest()) == stream_of(other.latest())
            check_database(other)


def small_donor(folder: Path) -> Database:
    donor = open_database(folder)
    write_blocks(donor, random.Random(5), 6, 30)
    return donor


@settings(max_examples=300)
@given(st.data())
def test_changed_stream_is_refused_and_leaves_an_empty_state(data: st.DataObject) -> None:
    """Chunks and metadata agree with each other; what they hold is not the state of the roots."""
    with tempfile.TemporaryDirectory() as folder, small_donor(Path(folder) / "a") as donor:
        stream = bytearray(stream_of(donor.latest()))
        at = data.draw(st.integers(0, len(stream) - 1))
        length = data.draw(st.integers(0, 12))
        patch = data.draw(st.binary(max_size=12))
        changed = bytes(stream[:at]) + patch + bytes(stream[at + length:])
        if changed == bytes(stream):
            return
        with open_database(Path(folder) / "b") as database:
            metadata, chunks = metadata_of(donor.latest(), changed)
            if not chunks:
                return
            with pytest.raises(SnapshotInvalid):
                restore(database, metadata, chunks)
            database.drop_restore()
            assert database.height == 0 and list(database.iter_records(b"a", b"e")) == []
            assert list(database.iter_records(b"g", b"z")) == [] and list(database.latest().blobs.iter(b"")) == []
            restore(database, *metadata_of(donor.latest(), bytes(stream)))
            assert database.latest().app_hash == donor.latest().app_hash


def leaf(level: int, key: bytes, value: bytes) -> bytes:
    return encode_leaf_head(Leaf(level, key, value)) + key + value


def stores(*rows: bytes) -> bytes:
    return b"".join(row + STORE_END for row in rows)


EMPTY = leaf(0, SENTINEL_KEY, SENTINEL_VALUE)
FIRST = leaf(1, SENTINEL_KEY, SENTINEL_VALUE)
HOSTILE: dict[str, tuple[bytes, str]] = {
    "nothing of the promised store": (stores(b"", EMPTY, EMPTY), "before the tree is whole"),
    "no reserved leaf": (stores(leaf(0, b"k", b"v")), "not the reserved one"),
    "reserved leaf with another value": (stores(leaf(0, b"\0", b"\2")), "not the reserved one"),
    "reserved leaf twice": (stores(FIRST + leaf(1, b"\0", b"\1")), "does not follow"),
    "keys that fall": (leaf(2, b"\0", b"\1") + leaf(2, b"k2", b"v") + leaf(1, b"k1", b"v"), "does not follow"),
    "same key twice": (leaf(2, b"\0", b"\1") + leaf(2, b"k", b"v") + leaf(1, b"k", b"v"), "does not follow"),
    "key that no store takes": (FIRST + leaf(1, b"x:1", b"v"), "reserved or begins with x:"),
    "empty key": (FIRST + leaf(1, b"", b"v"), "a key of 0 bytes"),
    "empty value": (FIRST + leaf(1, b"k", b""), "0 of value"),
    "long key": (FIRST + encode_leaf_head(Leaf(1, bytes(MAX_KEY_BYTES + 1), b"v")), "a key of 1025 bytes"),
    "long value": (FIRST + encode_leaf_head(Leaf(1, b"k", bytes(MAX_VALUE_BYTES + 1))), "1048577 of value"),
    "lengths without end": (FIRST + b"\x01" + b"\xff" * 5, "a key of 65535 bytes"),
    "second root": (stores(EMPTY + leaf(0, b"k", b"v")), "no leaf of level 0 fits"),
    "leaf above its place": (leaf(2, b"\0", b"\1") + leaf(1, b"k", b"v"), "no leaf of level 1 fits"),
    "tree that is not whole": (stores(FIRST), "before the tree is whole"),
    "tree that leans": (stores(FIRST + leaf(2, b"a", b"v") + leaf(3, b"b", b"v") + leaf(3, b"c", b"v")), "leans"),
    "bottomless tree": (leaf(63, SENTINEL_KEY, SENTINEL_VALUE), "a leaf of level 63"),
    "level of the end with lengths": (FIRST + b"\xff" + leaf(1, b"k", b"v")[1:], "level 255"),
    "other entries than the root's": (stores(FIRST + leaf(1, b"k", b"w")), "do not give its root"),
    "stream that stops": (stores(EMPTY)[:-1], "does not end where"),
}


@pytest.fixture
def empty(tmp_path: Path) -> Iterator[Database]:
    with open_database(tmp_path / "empty") as database:
        yield database


@pytest.mark.parametrize("what", sorted(HOSTILE))
def test_hostile_stream_is_refused_by_what_is_wrong_with_it(empty: Database, tmp_path: Path, what: str) -> None:
    stream, problem = HOSTILE[what]
    with open_database(tmp_path / "donor") as donor:
        branch = Branch(donor.latest())
        branch.store("auth").set(b"k", b"v")
        version = donor.commit(donor.stage(branch, 1))
        with pytest.raises(SnapshotInvalid, match=problem):
            restore(empty, *metadata_of(version, stream, 1 << 20), 1 << 20)


def blobs_version(folder: Path) -> tuple[Database, bytes, bytes]:
    """A database with two blobs; its stream up to the blobs, and the blobs."""
    donor = open_database(folder)
    branch = Branch(donor.latest())
    branch.blobs.set(b"a", b"first")
    branch.blobs.set(b"b", b"second")
    version = donor.commit(donor.stage(branch, 1))
    stream = stream_of(version)
    tail = sized(b"first") + sized(b"second")
    assert stream.endswith(tail)
    return donor, stream[:-len(tail)], tail


def sized(blob: bytes) -> bytes:
    return len(blob).to_bytes(BLOB_HEAD_BYTES, "big") + blob


@pytest.mark.parametrize(("tail", "problem"), [
    (b"", "does not end where"), (sized(b"first"), "does not end where"),
    (sized(b"first") + sized(b"second") + sized(b""), "does not end where"),
    (sized(b"second") + sized(b"first"), "not that of its hash"),
    (sized(b"first") + sized(b"secone"), "not that of its hash"),
    (sized(b"") + sized(b"second"), "not that of its hash"),
    ((MAX_BLOB_BYTES + 1).to_bytes(4, "big"), f"{MAX_BLOB_BYTES + 1} bytes"), (b"\xff" * 4, "4294967295 bytes"),
])
def test_blobs_that_are_not_those_of_the_hashes_are_refused(
        empty: Database, tmp_path: Path, tail: bytes, problem: str) -> None:
    donor, head, honest = blobs_version(tmp_path / "donor")
    with donor:
        with pytest.raises(SnapshotInvalid, match=problem):
            restore(empty, *metadata_of(donor.latest(), head + tail, 1 << 20), 1 << 20)
        restore(empty, *metadata_of(donor.latest(), head + honest))
        assert list(empty.blobs.iter(b"")) == [(b"a", b"first"), (b"b", b"second")]


@pytest.mark.parametrize("change", [
    lambda chunks: [chunks[0][:-1], *chunks[1:]], lambda chunks: [chunks[0] + b"\0", *chunks[1:]],
    lambda chunks: [b"", *chunks], lambda chunks: [*chunks, b""], lambda chunks: [*chunks, b"\0"]])
def test_chunks_of_another_size_are_refused(
        empty: Database, tmp_path: Path, change: Callable[[list[bytes]], list[bytes]]) -> None:
    with small_donor(tmp_path / "donor") as donor:
        metadata, chunks = metadata_of(donor.latest(), stream_of(donor.latest()))
        changed = change(chunks)
        lying = metadata._replace(chunk_hashes=tuple(sha256(chunk).digest() for chunk in changed))
        with pytest.raises(SnapshotInvalid):
            restore(empty, lying, changed)


def test_restoration_needs_every_chunk(empty: Database, tmp_path: Path) -> None:
    with small_donor(tmp_path / "donor") as donor:
        metadata, chunks = metadata_of(donor.latest(), stream_of(donor.latest()))
        empty.begin_restore()
        one = Restore(empty, metadata, CHUNK)
        for chunk in chunks[:-1]:
            one.add_chunk(chunk)
            with pytest.raises(SnapshotInvalid, match="chunks are here"):
                one.finish()
        one.add_chunk(chunks[-1])
        assert empty.height == 0 and one.version().app_hash == donor.latest().app_hash
        one.finish()
        assert empty.is_replaceable and empty.latest().app_hash == donor.latest().app_hash
        write_blocks(empty, random.Random(1), 1, 3)
        after = empty.latest().app_hash
        assert not empty.is_replaceable
        with pytest.raises(StaleBranch, match="only an empty state"):
            empty.begin_restore()
        empty.drop_restore()
        assert empty.latest().app_hash == after


def test_blob_of_the_largest_size_spans_chunks(empty: Database, tmp_path: Path) -> None:
    with open_database(tmp_path / "donor") as donor:
        branch = Branch(donor.latest())
        branch.blobs.set(b"large", random.Random(1).randbytes(MAX_BLOB_BYTES))
        version = donor.commit(donor.stage(branch, 1))
        chunks = [b"".join(pieces) for pieces in cut(iter_stream(version), 8 << 20)]
        hashes = tuple(sha256(chunk).digest() for chunk in chunks)
        restore(empty, Metadata(1, tuple(version.store_roots()), hashes), chunks, 8 << 20)
        assert empty.latest().app_hash == version.app_hash and len(chunks) == 9


METADATA = Metadata(7, tuple((name, sha256(name.encode()).digest()) for name in NAMES), (bytes(32), b"\1" * 32))


@given(st.integers(0, len(encode_metadata(METADATA)) - 1), st.integers(0, 8), st.binary(max_size=8))
def test_metadata_have_one_form(at: int, length: int, patch: bytes) -> None:
    data = encode_metadata(METADATA)
    changed = data[:at] + patch + data[at + length:]
    try:
        decoded = decode_metadata(changed)
    except SnapshotInvalid:
        return
    assert encode_metadata(decoded) == changed and (decoded == METADATA) == (changed == data)


@given(st.binary(max_size=300))
def test_bytes_that_are_no_metadata_are_refused(data: bytes) -> None:
    for candidate in (data, FORMAT.to_bytes(4, "big") + data, encode_metadata(METADATA)[:20] + data):
        try:
            assert encode_metadata(decode_metadata(candidate)) == candidate
        except SnapshotInvalid:
            continue


@pytest.mark.parametrize("metadata", [
    METADATA._replace(height=0), METADATA._replace(height=1 << 63), METADATA._replace(roots=METADATA.roots[::-1]),
    METADATA._replace(roots=METADATA.roots[:2]), METADATA._replace(roots=()),
    METADATA._replace(roots=(METADATA.roots[0], *METADATA.roots)), METADATA._replace(chunk_hashes=(b"\0" * 31,))])
def test_metadata_that_cannot_be_are_refused(metadata: Metadata) -> None:
    with pytest.raises(SnapshotInvalid):
        decode_metadata(encode_metadata(metadata))


@pytest.mark.parametrize("count", [0, MAX_CHUNKS + 1])
def test_number_of_chunks_is_bounded_by_the_engines_message(count: int) -> None:
    assert len(encode_metadata(METADATA._replace(chunk_hashes=(bytes(32),) * MAX_CHUNKS))) < 4_000_000
    with pytest.raises(SnapshotInvalid, match="chunks; the most is"):
        encode_metadata(METADATA._replace(chunk_hashes=(bytes(32),) * count))


@given(st.lists(st.binary(max_size=20)), st.integers(1, 9))
def test_cutting_keeps_the_bytes_and_fills_every_chunk_but_the_last(pieces: list[bytes], chunk_bytes: int) -> None:
    chunks = [b"".join(chunk) for chunk in cut(pieces, chunk_bytes)]
    assert b"".join(chunks) == b"".join(pieces)
    assert all(len(chunk) == chunk_bytes for chunk in chunks[:-1]) and all(chunks)


@given(st.lists(st.integers(0, 6), min_size=1, max_size=20))
def test_row_of_levels_grows_into_a_tree_or_is_refused(levels: list[int]) -> None:
    """A row is taken exactly when its levels are those of a balanced binary tree."""
    def read(at: int, level: int) -> tuple[int, int]:
        """(next leaf, depth) of the subtree at `level` that begins with leaf `at`; ValueError when there is none."""
        if at >= len(levels) or levels[at] < level:
            raise ValueError
        if levels[at] == level:
            return at + 1, 0
        middle, left = read(at, level + 1)
        end, right = read(middle, level + 1)
        if abs(left - right) > 1:
            raise ValueError
        return end, max(left, right) + 1

    try:
        end, depth = read(0, 0)
        expected = depth if end == len(levels) else None
    except ValueError:
        expected = None
    grower = Grower(lambda node: bytes(12))
    try:
        for number, level in enumerate(levels):
            grower.add(Leaf(level, b"%03d" % number, b"v") if number else Leaf(level, SENTINEL_KEY, SENTINEL_VALUE))
        found = grower.finish().depth
    except SnapshotInvalid:
        found = None
    assert found == expected


def test_checkpoint_is_the_state_as_it_was(tmp_path: Path) -> None:
    with small_donor(tmp_path / "a") as database:
        before, height = stream_of(database.latest()), database.height
        database.checkpoint(tmp_path / "checkpoint")
        write_blocks(database, random.Random(6), 5, 30)
        with Database.open_checkpoint(tmp_path / "checkpoint", list(NAMES)) as copy:
            assert copy.height == height and stream_of(copy.latest()) == before != stream_of(database.latest())
            check_database(copy)
        with pytest.raises(WrongDatabase):
            Database.open_checkpoint(tmp_path / "checkpoint", ["auth", "blobs"])


def test_leaf_heads_have_room_for_every_entry() -> None:
    for entry in (Leaf(62, bytes(MAX_KEY_BYTES), bytes(MAX_VALUE_BYTES)), Leaf(0, b"k", b"v")):
        head = encode_leaf_head(entry)
        assert len(head) == LEAF_HEAD_BYTES and head != STORE_END
