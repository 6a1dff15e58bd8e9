"""What `gradus data add FILE` reads, what it refuses, and the place it names."""

from pathlib import Path

import pytest

from abci_app.data import csv as csv_module
from abci_app.data.columns import CategoricalColumn, NumericColumn
from abci_app.data.csv import find_delimiter, read_table
from abci_app.data.dataset import Dataset, Options, new_dataset
from abci_app.data.errors import DataError
from abci_app.wire.row import split_rows


def write(tmp_path: Path, text: str | bytes) -> Path:
    path = tmp_path / "table.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def build(tmp_path: Path, text: str, **options: object) -> Dataset:
    choices = {"label": "y", "name": "t", "held_out_ppm": 0} | options
    return new_dataset(read_table(write(tmp_path, text)), Options(**choices))  # type: ignore[arg-type]


def refuse(tmp_path: Path, text: str | bytes, **options: object) -> DataError:
    with pytest.raises(DataError) as caught:
        path = write(tmp_path, text)
        choices = {"label": "y", "name": "t"} | options
        new_dataset(read_table(path), Options(**choices))  # type: ignore[arg-type]
    return caught.value


def features(dataset: Dataset) -> list[tuple[int, ...]]:
    """The rows' features as signed numbers, in the rows' order."""
    count = dataset.manifest.feature_count
    return [tuple(byte - 256 if byte > 127 else byte for byte in row[:count])
            for row in split_rows(dataset.rows, dataset.manifest.row_bytes)]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_delimiter_is_found_in_the_text(delimiter: str) -> None:
    assert find_delimiter(delimiter.join(["a", "b c", "y"]) + "\n" + delimiter.join(["1.5", "2 3", "k"])) == delimiter


def test_delimiter_that_cuts_unevenly_is_not_taken() -> None:
    assert find_delimiter("a;b;y\n1,5;2;k\n3;4,5;l\n") == ";"


def test_quotes_byte_order_mark_blank_lines_and_crlf_are_read(tmp_path: Path) -> None:
    table = read_table(write(tmp_path, b'\xef\xbb\xbfa,"b ""x""",y\r\n1,"u,v",k\r\n\r\n2,"two\nlines",l\r\n'))
    assert table.names == ("a", 'b "x"', "y")
    assert table.columns == (["1", "2"], ["u,v", "two\nlines"], ["k", "l"])
    assert list(table.lines) == [2, 5]


def test_every_way_to_write_missing_is_missing(tmp_path: Path) -> None:
    table = read_table(write(tmp_path, "a,y\n?,k\nNA,k\nnan,k\nn/a,k\nNULL,k\n ,k\n0,l\n"))
    assert table.columns[0] == ["", "", "", "", "", "", "0"]


def test_missing_number_takes_the_median_and_is_marked(tmp_path: Path) -> None:
    dataset = build(tmp_path, "a,y\n1,k\n2,l\n3,k\n,l\n5,k\n")
    column = dataset.manifest.columns[0]
    assert column == NumericColumn("a", "2", "2.5", "2", True)
    assert sorted(features(dataset)) == [(-26, 0), (0, 0), (0, 64), (26, 0), (77, 0)]


def test_column_without_missing_numbers_has_one_feature(tmp_path: Path) -> None:
    assert build(tmp_path, "a,y\n1,k\n2,l\n4,k\n").manifest.feature_count == 1


def test_categories_are_one_hot_and_missing_is_one_of_them(tmp_path: Path) -> None:
    dataset = build(tmp_path, "c,y\nred,k\n,l\nblue,k\n")
    assert dataset.manifest.columns == (CategoricalColumn("c", ("", "blue", "red")),)
    assert sorted(features(dataset)) == [(0, 0, 64), (0, 64, 0), (64, 0, 0)]


def test_number_far_out_is_clipped_and_never_minus_128(tmp_path: Path) -> None:
    rows = "".join(f"{value},k\n" for value in range(100))
    dataset = build(tmp_path, f"a,y\n{rows}-1e20,l\n1e20,l\n", numeric=("a",))
    values = [row[0] for row in features(dataset)]
    assert min(values) == -127 and max(values) == 127


def test_equal_numbers_written_apart_are_one_number(tmp_path: Path) -> None:
    dataset = build(tmp_path, "a,b,y\n0.30,1,k\n3e-1,2,l\n.3,3,k\n+00.3,4,l\n")
    assert [column.name for column in dataset.manifest.columns] == ["b"]


def test_halves_round_to_the_even_feature(tmp_path: Path) -> None:
    """Two features per unit: 0.25, 0.75 and 1.25 are halves, and no float decides them."""
    dataset = build(tmp_path, "a,b,y\n0,0,k\n1,32,l\n3,2,k\n5,1,k\n", scaling="table")
    assert sorted(row[0] for row in features(dataset)) == [0, 2, 6, 10]
    dataset = build(tmp_path, "a,b,y\n0,0,k\n1,128,l\n3,2,k\n5,1,k\n", scaling="table")
    assert sorted(row[0] for row in features(dataset)) == [0, 0, 2, 2]


def test_constant_and_dropped_columns_are_told(tmp_path: Path) -> None:
    dataset = build(tmp_path, "id,a,one,y\nx1,1,5,k\nx2,2,5,l\nx3,3,5,k\n", drop=("id",))
    assert [(column.name, column.reason) for column in dataset.manifest.dropped] == [
        ("id", "left out by option"), ("one", "constant in the rows to train on")]


def test_number_that_is_often_missing_and_else_constant_becomes_categories(tmp_path: Path) -> None:
    assert build(tmp_path, "a,y\n7,k\n,l\n7,k\n").manifest.columns == (CategoricalColumn("a", ("", "7")),)


def test_kinds_can_be_forced(tmp_path: Path) -> None:
    text = "zip,y\n1010,k\n8010,l\n1010,k\n"
    assert build(tmp_path, text, categorical=("zip",)).manifest.columns == (CategoricalColumn("zip", ("1010", "8010")),)
    error = refuse(tmp_path, "a,y\n1,k\nfew,l\n3,k\n", numeric=("a",))
    assert (error.row, error.column) == (3, "a") and "'few' is not a number" in error.problem


def test_whole_number_classes_are_in_numeric_order(tmp_path: Path) -> None:
    assert build(tmp_path, "a,y\n1,10\n2,9\n3,-1\n").manifest.classes == ("-1", "9", "10")


@pytest.mark.parametrize("text, row, column, problem", [
    (b"", None, None, "no lines"),
    (b"\n\n", None, None, "no lines"),
    (b"a,y\n", None, None, "a header and no rows"),
    (b"a,,y\n1,2,k\n", 1, None, "column 2 has no name"),
    (b"a,b,a,y\n1,2,3,k\n", 1, None, "names 'a' twice, as columns 1 and 3"),
    (b"a,b,y\n1,2,k\n1,k\n", 3, None, "2 cells where the header names 3 columns, the first without one is 'y'"),
    (b"a,b,y\n1,2,k\n1,2,3,k\n", 3, None, "4 cells where the header names 3 columns"),
    (b"a,y\n1,k\n2,\xe9\n", 3, None, "not UTF-8"),
    (b"a,y\n1,k\n2,l\x00\n", 3, None, "zero bytes"),
    (b'a,y\n1,k\n"2,l\n', 3, None, "not delimited text"),
    (b"a,y\n1,k\n2,?\n", 3, "y", "the label is missing"),
    (b"a,y\n1,k\n2,k\n", None, "y", "all rows have the label 'k'"),
    (b"a,b\n1,2\n", None, None, "no column 'y'"),
    (b"a,y\n1,k\n", None, None, "1 rows leave too few to train on"),
    (b"a,y\n5,k\n5,l\n5,k\n", None, None, "no column is left"),
])
def test_bad_table_is_refused_with_its_place(tmp_path: Path, text: bytes, row: int | None, column: str | None,
                                             problem: str) -> None:
    error = refuse(tmp_path, text)
    assert (error.row, error.column) == (row, column)
    assert problem in error.problem


def test_too_many_categories_are_refused_with_a_way_out(tmp_path: Path) -> None:
    rows = "".join(f"name-{number},{number % 2}\n" for number in range(300))
    error = refuse(tmp_path, f"who,y\n{rows}")
    assert error.column == "who" and "300 different values" in error.problem and "--drop 'who'" in error.hint


def test_stray_text_in_a_column_of_numbers_is_named(tmp_path: Path) -> None:
    rows = "".join(f"{number},{number % 2}\n" for number in range(300))
    error = refuse(tmp_path, f"a,y\n{rows}12 kg,1\n")
    assert (error.row, error.column) == (302, "a") and "'12 kg' is not a number" in error.problem


def test_too_many_classes_are_refused(tmp_path: Path) -> None:
    error = refuse(tmp_path, "a,y\n" + "".join(f"1.{number},{number}\n" for number in range(4097)))
    assert error.column == "y" and "4097 classes" in error.problem


def test_too_many_features_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("abci_app.data.dataset.FEATURES_MAX", 3)
    assert "4 features; the most is 3" in refuse(tmp_path, "c,y\np,k\nq,l\nr,k\ns,l\n").problem


def test_too_many_cells_or_bytes_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(csv_module, "ROWS_MAX", 2)
    assert refuse(tmp_path, "a,y\n1,k\n2,l\n3,k\n").row == 4
    monkeypatch.setattr(csv_module, "FILE_BYTES_MAX", 5)
    assert "the most is 5" in refuse(tmp_path, "a,y\n1,k\n").problem


@pytest.mark.parametrize("options, problem", [
    ({"label": "z"}, "no column 'z'"),
    ({"drop": ("z",)}, "no column 'z'"),
    ({"drop": ("y",)}, "the label is not a feature"),
    ({"numeric": ("a",), "categorical": ("a",)}, "cannot be numeric and categorical"),
    ({"name": ""}, "a dataset's name"),
    ({"name": "x" * 65}, "a dataset's name"),
    ({"held_out_ppm": 1_000_000}, "held-out share"),
    ({"held_out_ppm": 900_000}, "too few to train on"),
    ({"split_seed": 1 << 64}, "below 2^64"),
    ({"scaling": "other"}, "scaling must be"),
    ({"scaling": "table"}, "whole numbers"),
])
def test_options_that_do_not_fit_are_refused(tmp_path: Path, options: dict[str, object], problem: str) -> None:
    assert problem in refuse(tmp_path, "a,y\n1.5,k\n2,l\n3,k\n", **options).problem


def test_missing_file_and_folder_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot read"):
        read_table(tmp_path / "absent.csv")
    with pytest.raises(DataError, match="cannot read"):
        read_table(tmp_path)


def test_table_scaling_spans_all_columns_by_a_power_of_two(tmp_path: Path) -> None:
    dataset = build(tmp_path, "a,b,y\n-3,0,k\n1,9,l\n2,1,k\n", scaling="table")
    assert dataset.manifest.columns == (NumericColumn("a", "-3", "16", "1", False),
                                        NumericColumn("b", "-3", "16", "1", False))
    assert sorted(features(dataset)) == [(0, 12), (16, 48), (20, 16)]
