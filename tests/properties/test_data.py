"""Properties of datasets: whatever comes in, exact rows under the right root come out, or a DataError."""

import csv as stdlib_csv
import io
import tempfile
from fractions import Fraction
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from abci_app.data.columns import NumericColumn, quantise
from abci_app.data.csv import DELIMITERS, read_table
from abci_app.data.dataset import Options, new_dataset
from abci_app.data.decimals import Decimal, divide_half_even, find_decimal, to_units, write_decimal
from abci_app.data.errors import DataError
from abci_app.data.manifest import decode_manifest
from abci_app.data.table import Table
from abci_app.data.tree import RowTree
from abci_app.wire.merkle import MerkleTree, verify_leaves
from abci_app.wire.row import split_rows

CELLS = st.one_of(st.sampled_from(["", "0", "1", "2.50", "-7", "1e3", "red", "blue", "NA "]),
                  st.decimals(allow_nan=False, allow_infinity=False, places=3, min_value=-10**6,
                              max_value=10**6).map(str), st.text(max_size=6))


@st.composite
def tables(draw: st.DrawFn) -> Table:
    """1 to 4 columns of cells beside a label column, 2 to 40 rows."""
    rows = draw(st.integers(2, 40))
    columns = draw(st.lists(st.lists(CELLS, min_size=rows, max_size=rows), min_size=1, max_size=4))
    columns.append(draw(st.lists(st.sampled_from(["k", "l", "m", "10", "9"]), min_size=rows, max_size=rows)))
    names = (*(f"c{index}" for index in range(len(columns) - 1)), "y")
    return Table("drawn", names, tuple(columns), range(2, rows + 2))


@settings(deadline=None)
@given(tables(), st.integers(0, 600_000), st.integers(0, 2**64 - 1), st.sampled_from(["auto", "column"]))
def test_rows_hold_what_the_manifest_says_of_every_cell(table: Table, held_out_ppm: int, seed: int,
                                                        scaling: str) -> None:
    options = Options(label="y", name="drawn", held_out_ppm=held_out_ppm, split_seed=seed, scaling=scaling)
    try:
        dataset = new_dataset(table, options)
    except DataError:
        return
    manifest = dataset.manifest
    rows = split_rows(dataset.rows, manifest.row_bytes)
    assert manifest.rows_root == MerkleTree(rows).root and decode_manifest(manifest.encode()) == manifest
    assert new_dataset(table, options) == dataset
    expected = sorted(expected_row(table, dataset, row) for row in range(table.row_count))
    assert sorted(rows) == expected and all(128 not in row[:manifest.feature_count] for row in rows)


def expected_row(table: Table, dataset: object, row: int) -> bytes:
    """One row by the words of the README, a cell at a time."""
    manifest = dataset.manifest  # type: ignore[attr-defined]
    features = bytearray()
    for column in manifest.columns:
        cell = table.columns[table.names.index(column.name)][row]
        if not isinstance(column, NumericColumn):
            features += bytes(64 if value == cell else 0 for value in column.values)
            continue
        exact = 64 * (Fraction(cell or column.fill) - Fraction(column.offset)) / Fraction(column.scale)
        features.append(max(-127, min(127, round(exact))) % 256)
        features += bytes([0 if cell else 64] if column.has_indicator else [])
    label = manifest.classes.index(table.columns[-1][row])
    return bytes(features) + label.to_bytes(2, "little")


@settings(deadline=None)
@given(st.binary(max_size=300), st.sampled_from([None, ",", ";"]))
def test_any_bytes_are_a_table_or_a_data_error(data: bytes, delimiter: str | None) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "any.csv"
        path.write_bytes(data)
        try:
            table = read_table(path, delimiter)
            new_dataset(table, Options(label=table.names[-1], name="any"))
        except DataError:
            pass


@settings(deadline=None)
@given(st.lists(st.lists(st.text(st.characters(exclude_characters="\x00", codec="utf-8"), max_size=5),
                         min_size=2, max_size=2), min_size=1, max_size=20), st.sampled_from(DELIMITERS))
def test_written_text_reads_back_as_the_same_cells(rows: list[list[str]], delimiter: str) -> None:
    written = io.StringIO(newline="")
    stdlib_csv.writer(written, delimiter=delimiter, quoting=stdlib_csv.QUOTE_ALL).writerows([["a", "b"], *rows])
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "written.csv"
        path.write_text(written.getvalue(), encoding="utf-8", newline="")
        table = read_table(path, delimiter)
    missing = ("", "?", "na", "n/a", "nan", "null")
    clean = [["" if cell.strip().lower() in missing else cell.strip() for cell in row] for row in rows]
    assert [list(row) for row in zip(*table.columns)] == clean


@settings(deadline=None)
@given(st.integers(-10**30, 10**30), st.integers(0, 30))
def test_decimal_text_reads_back_as_the_same_number(units: int, digits: int) -> None:
    value = find_decimal(write_decimal(units, digits))
    assert value is not None and Fraction(value[0], 10**value[1]) == Fraction(units, 10**digits)
    assert value[1] <= digits and to_units(value, digits) == units


@settings(deadline=None)
@given(st.integers(), st.integers(min_value=1))
def test_division_rounds_half_to_even(dividend: int, divisor: int) -> None:
    assert divide_half_even(dividend, divisor) == round(Fraction(dividend, divisor))


@settings(deadline=None)
@given(st.one_of(st.text(max_size=70), st.from_regex(r"[+-]?[0-9]*\.?[0-9]*([eE][+-]?[0-9]{1,3})?", fullmatch=True)))
def test_any_text_is_an_exact_decimal_or_nothing(text: str) -> None:
    value = find_decimal(text)
    if value is not None:
        assert Fraction(value[0], 10**value[1]) == Fraction(text)
        assert value[1] == 0 or value[0] % 10 != 0


DECIMALS = st.tuples(st.integers(-10**12, 10**12), st.integers(0, 9))


@settings(deadline=None)
@given(DECIMALS, DECIMALS, st.tuples(st.integers(1, 10**12), st.integers(0, 9)))
def test_features_are_the_nearest_in_range(value: Decimal, offset: Decimal, scale: Decimal) -> None:
    exact = 64 * (Fraction(value[0], 10**value[1]) - Fraction(offset[0], 10**offset[1]))
    exact /= Fraction(scale[0], 10**scale[1])
    assert quantise(value, offset, scale) == max(-127, min(127, round(exact)))


@settings(deadline=None)
@given(st.lists(st.binary(min_size=5, max_size=5), min_size=1, max_size=70), st.data())
def test_packed_tree_is_the_wire_tree(rows: list[bytes], data: st.DataObject) -> None:
    step = data.draw(st.integers(1, len(rows)))
    chunks = [b"".join(rows[at:at + step]) for at in range(0, len(rows), step)]
    packed, plain = RowTree(chunks, 5, len(rows), lambda what, done, total: None), MerkleTree(rows)
    indices = sorted(data.draw(st.sets(st.integers(0, len(rows) - 1), min_size=1)))
    assert packed.root == plain.root and packed.prove(indices) == plain.prove(indices)
    leaves = [rows[index] for index in indices]
    assert verify_leaves(packed.root, len(rows), indices, leaves, packed.prove(indices))
