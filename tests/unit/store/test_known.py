"""What a version remembers of earlier reads, its own and those of the version before, is what its tree says."""

import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from abci_app.store.branch import Branch
from abci_app.store.disk import Database
from abci_app.store.version import MAX_KNOWN, MAX_KNOWN_VALUE_BYTES, StoreReader

KEYS = st.sampled_from([b"a", b"b", b"c", b"d"])
VALUES = st.sampled_from([b"1", b"2", bytes(MAX_KNOWN_VALUE_BYTES), None])
BLOCKS = st.lists(st.tuples(st.dictionaries(KEYS, VALUES, max_size=3), st.lists(KEYS, max_size=3)), max_size=8)


@settings(max_examples=60, deadline=None)
@given(BLOCKS)
def test_version_that_remembers_answers_like_a_dict(
        blocks: list[tuple[dict[bytes, bytes | None], list[bytes]]]) -> None:
    with tempfile.TemporaryDirectory() as folder, Database.open(Path(folder), ("bank",), fsync=False) as database:
        models: list[dict[bytes, bytes | None]] = [{}]
        versions = [database.latest()]
        for height, (writes, reads) in enumerate(blocks, start=1):
            for key in reads:
                assert versions[-1].store("bank").get(key) == models[-1].get(key)
            branch = Branch(versions[-1])
            for key, value in writes.items():
                if value is None:
                    branch.store("bank").delete(key)
                else:
                    branch.store("bank").set(key, value)
            versions.append(database.commit(database.stage(branch, height)))
            models.append({**models[-1], **writes})
        for version, model in zip(versions, models, strict=True):
            assert [version.store("bank").get(key) for key in (b"a", b"b", b"c", b"d")] == [
                model.get(key) for key in (b"a", b"b", b"c", b"d")]


def test_version_begins_with_what_the_one_before_knew_and_the_block_wrote(tmp_path: Path) -> None:
    with Database.open(tmp_path, ("bank",), fsync=False) as database:
        branch = Branch(database.latest())
        branch.store("bank").set(b"k", b"v")
        assert database.latest().store("bank").get(b"other") is None
        reader = database.commit(database.stage(branch, 1)).store("bank")
        assert isinstance(reader, StoreReader)
        assert {key: reader._known[key] for key in (b"k", b"other")} == {b"k": b"v", b"other": None}


def test_inherited_memory_stays_within_its_bound(tmp_path: Path) -> None:
    with Database.open(tmp_path, ("bank",), fsync=False) as database:
        branch = Branch(database.latest())
        for number in range(MAX_KNOWN + 1):
            branch.store("bank").set(b"%d" % number, b"v")
        reader = database.commit(database.stage(branch, 1)).store("bank")
        assert isinstance(reader, StoreReader) and len(reader._known) <= MAX_KNOWN
        assert reader.get(b"7") == b"v"
