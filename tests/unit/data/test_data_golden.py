"""Golden roots: the same source gives the same rows on every machine. A changed root is another dataset to a chain."""

from pathlib import Path

import pytest

from abci_app.data.columns import CategoricalColumn, NumericColumn
from abci_app.data.csv import read_table
from abci_app.data.dataset import Dataset, Options, new_dataset
from abci_app.data.named import LABEL, NAMES, load_named
from abci_app.wire.merkle import merkle_root
from abci_app.wire.row import split_rows

LOANS = b"""income;city;owns_home;years;defaulted
41.5;Graz;yes;3;no
39;Linz;no;;no
12.25;Wien;?;1;yes
;Graz;no;7;no
55.125;Wien;yes;12;no
9e0;Linz;no;0;yes
18.5;Wien;no;2;yes
61;Graz;yes;20;no
14;Linz;no;1;yes
47;Wien;yes;NA;no
"""
LOANS_ROOT = "d166cc1bcecc80243b95099a9f3d1a4f46da2c1d512dd533ffacaca959d65c4a"
NAMED = {
    "breast_cancer": ("07132ed9b63c6c626cdd987b387f686f0a9b8853cc5b1984f09c83efbc444a9f", 456, 113, 30, 2),
    "digits": ("65dc702c19be66ea7320a5eff0e98c2ad17ee1867b83ccdf35b4b46bedfa0940", 1438, 359, 61, 10),
    "iris": ("55a2a9016d542886bdd9e454392b541a2e9c8b2731db5b49e266a16f7ef881eb", 120, 30, 4, 3),
    "wine": ("9d0aa518e444f51a88ccd536630a3a3b55111d4b3d0d164902803ad711e3d9fb", 143, 35, 13, 3),
}


def loans(tmp_path: Path) -> Dataset:
    path = tmp_path / "loans.csv"
    path.write_bytes(LOANS)
    return new_dataset(read_table(path), Options(label="defaulted", name="loans"))


@pytest.mark.parametrize("name", NAMES)
def test_named_dataset_has_its_golden_root_and_shape(name: str) -> None:
    manifest = new_dataset(load_named(name), Options(label=LABEL, name=name)).manifest
    shape = (manifest.train_rows, manifest.test_rows, manifest.feature_count, len(manifest.classes))
    assert (manifest.rows_root.hex(), *shape) == NAMED[name]


def test_root_is_the_wire_root_over_the_rows(tmp_path: Path) -> None:
    dataset = loans(tmp_path)
    assert dataset.manifest.rows_root == merkle_root(split_rows(dataset.rows, dataset.manifest.row_bytes))


def test_file_has_its_golden_root_and_columns(tmp_path: Path) -> None:
    manifest = loans(tmp_path).manifest
    assert manifest.columns == (
        NumericColumn("income", "39", "34.964286", "39", True),
        CategoricalColumn("city", ("Graz", "Linz", "Wien")),
        CategoricalColumn("owns_home", ("", "no", "yes")),
        NumericColumn("years", "3", "10.572", "3", True),
    )
    assert manifest.classes == ("no", "yes") and (manifest.train_rows, manifest.test_rows) == (8, 2)
    assert manifest.rows_root.hex() == LOANS_ROOT


def test_pixels_in_one_unit_keep_one_scale_for_the_whole_table() -> None:
    """0..16 becomes q = 4 * pixel by the general rule, with no word about images anywhere."""
    table = load_named("digits")
    dataset = new_dataset(table, Options(label=LABEL, name="digits"))
    numeric = [column for column in dataset.manifest.columns if isinstance(column, NumericColumn)]
    assert len(numeric) == len(dataset.manifest.columns)
    assert {(column.offset, column.scale) for column in numeric} == {("0", "16")}
    features = {byte for row in split_rows(dataset.rows, 63) for byte in row[:61]}
    assert features == {4 * pixel for pixel in range(17)}
    assert [column.reason for column in dataset.manifest.dropped] == ["constant in the rows to train on"] * 3


def test_split_seed_and_share_change_the_rows_order_alone() -> None:
    table = load_named("iris")
    first = new_dataset(table, Options(label=LABEL, name="iris", scaling="column", held_out_ppm=0))
    second = new_dataset(table, Options(label=LABEL, name="iris", scaling="column", held_out_ppm=0, split_seed=1))
    assert first.manifest.rows_root != second.manifest.rows_root
    assert sorted(split_rows(first.rows, 6)) == sorted(split_rows(second.rows, 6))
    assert second.manifest.test_rows == 0


def test_name_and_source_do_not_change_the_root() -> None:
    table = load_named("wine")
    renamed = new_dataset(table, Options(label=LABEL, name="another")).manifest
    assert renamed.rows_root.hex() == NAMED["wine"][0] and renamed.name == "another"
