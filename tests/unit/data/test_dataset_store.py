"""The folder of datasets: whole or not at all, checked on opening and on every read, silent to proposers."""

import os
from pathlib import Path

import pytest

from abci_app.data.dataset import Dataset, Options, new_dataset
from abci_app.data.errors import DataError, DatasetCorrupt, DatasetMissing
from abci_app.data.manifest import decode_manifest
from abci_app.data.store import OPEN_MAX, DatasetStore, StoredDataset
from abci_app.data.table import Table
from abci_app.wire.merkle import verify_leaves
from abci_app.wire.row import CLASSES, RowForm, split_rows


def new_table(rows: int, shift: int = 0) -> Table:
    cells = [str(row * 7 % 23 + shift) for row in range(rows)]
    return Table("made here", ("a", "y"), (cells, [str(row % 3) for row in range(rows)]), range(2, rows + 2))


def new_small(rows: int = 37, shift: int = 0) -> Dataset:
    return new_dataset(new_table(rows, shift), Options(label="y", name="small"))


def new_split(held_out_ppm: int) -> Dataset:
    """A table whose quantisation does not depend on which rows are trained on."""
    cells = ["ab"[row % 2] for row in range(37)], [str(row % 3) for row in range(37)]
    table = Table("made here", ("a", "y"), cells, range(2, 39))
    return new_dataset(table, Options(label="y", name="small", held_out_ppm=held_out_ppm))


@pytest.fixture
def store(tmp_path: Path) -> DatasetStore:
    return DatasetStore(tmp_path / "datasets")


def test_added_dataset_is_found_listed_and_gives_its_rows(store: DatasetStore) -> None:
    dataset = new_small()
    assert store.read_manifests() == [] and store.find(dataset.manifest.rows_root) is None
    assert store.add(dataset) is True
    assert store.read_manifests() == [dataset.manifest] == [store.find(dataset.manifest.rows_root)]
    rows = split_rows(dataset.rows, 3)
    stored = store.open(dataset.manifest.rows_root)
    assert stored.read_rows([5, 0, 5, 36]) == [rows[5], rows[0], rows[5], rows[36]]
    held_out = rows[dataset.manifest.train_rows:]
    assert stored.read_held_out(RowForm(CLASSES, 1, 2)) == RowForm(CLASSES, 1, 2).join_columns(held_out)
    taken = b"".join(row[:1] for row in held_out), b"".join(row[1:] for row in held_out)
    assert stored.read_held_out(RowForm(CLASSES, 1, 3)) == taken


def test_adding_again_changes_nothing(store: DatasetStore) -> None:
    assert (store.add(new_small()), store.add(new_small())) == (True, False)
    assert [path.name for path in store.folder.iterdir()] == [new_small().manifest.rows_root.hex()]


def test_same_rows_split_otherwise_are_refused_with_a_hint_and_change_nothing(store: DatasetStore) -> None:
    first, other = new_split(200_000), new_split(500_000)
    assert other.manifest.rows_root == first.manifest.rows_root and other.manifest.test_rows == 18
    store.add(first)
    with pytest.raises(DataError, match="with 30 rows to train on and 7 held out; this one has 19 and 18") as caught:
        store.add(other)
    assert "--dir" in caught.value.hint and str(store.folder / first.manifest.rows_root.hex()) in caught.value.hint
    assert store.read_manifests() == [first.manifest] and len(list(store.folder.iterdir())) == 1


def test_same_rows_split_otherwise_by_another_process_at_the_same_time_are_refused(
        store: DatasetStore, monkeypatch: pytest.MonkeyPatch) -> None:
    first, other = new_split(200_000), new_split(500_000)
    DatasetStore(store.folder).add(first)
    monkeypatch.setattr(Path, "exists", lambda path: False)
    with pytest.raises(DataError, match="held out"):
        store.add(other)
    assert store.read_manifests() == [first.manifest] and len(list(store.folder.iterdir())) == 1


def test_damaged_dataset_is_replaced_by_the_same_rows_split_otherwise(store: DatasetStore) -> None:
    first, other = new_split(200_000), new_split(500_000)
    store.add(first)
    damage_rows(store.folder / first.manifest.rows_root.hex())
    assert store.add(other) is True
    assert store.read_manifests() == [other.manifest]


@pytest.mark.parametrize("indices", [[0], [36], [0, 1, 2], [3, 17, 30, 35, 36], list(range(37))])
def test_found_rows_verify_against_the_root(store: DatasetStore, indices: list[int]) -> None:
    dataset = new_small()
    store.add(dataset)
    stored = store.open(dataset.manifest.rows_root)
    assert verify_leaves(dataset.manifest.rows_root, 37, indices, stored.read_rows(indices), stored.prove(indices))


def test_manifest_survives_writing_and_reading_and_only_in_canonical_form() -> None:
    data = new_small().manifest.encode()
    assert decode_manifest(data).encode() == data
    for bad in (b"", b"{}", b"[]", b"\xff", data + b" ", data.replace(b"gradus-dataset/1", b"gradus-dataset/2"),
                data.replace(b'"train_rows":30', b'"train_rows":-1'), data.replace(b'"scale":"', b'"scale":"-'),
                data.replace(b'"numeric"', b'"other"'), b"[" * 100_000):
        with pytest.raises(DatasetCorrupt):
            decode_manifest(bad)


def test_missing_dataset_is_an_error_with_a_hint(store: DatasetStore) -> None:
    with pytest.raises(DatasetMissing) as caught:
        store.open(bytes(32))
    assert "gradus data add" in caught.value.hint


def damage_rows(folder: Path) -> None:
    data = bytearray((folder / "rows.bin").read_bytes())
    data[10] ^= 1
    (folder / "rows.bin").write_bytes(data)


def cut_rows(folder: Path) -> None:
    os.truncate(folder / "rows.bin", 20)


def damage_manifest(folder: Path) -> None:
    (folder / "manifest.json").write_bytes(b"{")


def replace_rows_by_folder(folder: Path) -> None:
    (folder / "rows.bin").unlink()
    (folder / "rows.bin").mkdir()


DAMAGES = [damage_rows, cut_rows, damage_manifest, replace_rows_by_folder]


@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_dataset_is_refused_and_mended_by_adding_again(store: DatasetStore, damage: object) -> None:
    dataset = new_small()
    root = dataset.manifest.rows_root
    store.add(dataset)
    damage(store.folder / root.hex())  # type: ignore[operator]
    with pytest.raises(DatasetCorrupt):
        store.verify(root)
    with pytest.raises(DatasetCorrupt):
        store.open(root)
    assert store.add(dataset) is True
    assert store.open(root).read_rows([0]) == split_rows(dataset.rows, 3)[:1]


def test_manifest_of_another_root_is_refused(store: DatasetStore) -> None:
    dataset, other = new_small(), new_small(rows=40)
    store.add(dataset)
    (store.folder / dataset.manifest.rows_root.hex() / "manifest.json").write_bytes(other.manifest.encode())
    with pytest.raises(DatasetCorrupt, match="names the root"):
        store.open(dataset.manifest.rows_root)


def test_damage_after_opening_is_found_when_the_row_is_read(store: DatasetStore) -> None:
    dataset = new_small()
    store.add(dataset)
    root = dataset.manifest.rows_root
    stored = store.open(root)
    with (store.folder / root.hex() / "rows.bin").open("r+b") as file:
        file.write(b"\x7f\x7f\x7f")
    assert stored.read_rows([1]) == [split_rows(dataset.rows, 3)[1]]
    with pytest.raises(DatasetCorrupt):
        stored.read_rows([0])
    with (store.folder / root.hex() / "rows.bin").open("r+b") as file:
        file.truncate(5)
    with pytest.raises(DatasetCorrupt):
        stored.read_rows([30])


@pytest.mark.parametrize("indices", [[37], [-1], [1, 0], [0, 0], []])
def test_indices_that_do_not_rise_or_do_not_exist_are_not_proved(store: DatasetStore, indices: list[int]) -> None:
    dataset = new_small()
    store.add(dataset)
    with pytest.raises((ValueError, IndexError)):
        store.open(dataset.manifest.rows_root).prove(indices)


def test_at_most_open_max_datasets_stay_open(store: DatasetStore) -> None:
    datasets = [new_small(rows=20 + count) for count in range(OPEN_MAX + 2)]
    for dataset in datasets:
        store.add(dataset)
    opened = [store.open(dataset.manifest.rows_root) for dataset in datasets]
    assert store.open(datasets[-1].manifest.rows_root) is opened[-1]
    assert store.open(datasets[0].manifest.rows_root) is not opened[0]
    assert opened[0].read_rows([0]) == [split_rows(datasets[0].rows, 3)[0]]


def test_what_is_left_of_an_interrupted_add_is_not_a_dataset(store: DatasetStore) -> None:
    store.add(new_small())
    (store.folder / ".adding-x").mkdir()
    (store.folder / "notes.txt").write_text("mine")
    assert len(store.read_manifests()) == 1


def test_folder_that_cannot_be_written_is_an_error_with_a_hint(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError) as caught:
        DatasetStore(tmp_path / "file").add(new_small())
    assert "--dir" in caught.value.hint


def test_dataset_that_is_let_go_closes_its_file_and_runs_nothing_of_its_own(store: DatasetStore) -> None:
    """A __del__ could be interrupted by a signal, whose exception would then be lost in a message."""
    root = new_small().manifest.rows_root
    store.add(new_small())
    opened = store.open(root)
    path = str(store.folder / root.hex() / "rows.bin")
    assert path in open_files()
    store.forget(root)
    del opened
    assert path not in open_files() and not hasattr(StoredDataset, "__del__")


def open_files() -> list[str]:
    return [str(link.readlink()) for link in Path("/proc/self/fd").iterdir() if link.is_symlink()]
