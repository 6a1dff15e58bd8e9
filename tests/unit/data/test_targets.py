"""Targets of regressors: exact quantisation, rows, manifests, what is refused, and answers read back."""

import struct
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from abci_app.data.csv import read_table
from abci_app.data.dataset import Dataset, Options, new_dataset
from abci_app.data.errors import DataError
from abci_app.data.manifest import decode_manifest
from abci_app.data.targets import Target, decode_target, encode_target
from abci_app.wire.row import TARGET_MAX, VALUES, RowForm, split_rows

LINES = ["size,rooms,price,rent"] + [f"{40 + 3 * row},{1 + row % 4},{100_000 + 2_500 * row}.5,{row * row % 17 - 8}"
                                     for row in range(40)]


def build(folder: Path, lines: list[str] = LINES, targets: tuple[str, ...] = ("price",), **options: object) -> Dataset:
    path = folder / "houses.csv"
    path.write_text("\n".join(lines) + "\n")
    return new_dataset(read_table(path), Options(name="houses", targets=targets, **options))  # type: ignore[arg-type]


def test_rows_hold_features_and_then_the_targets_in_the_order_that_was_asked(tmp_path: Path) -> None:
    dataset = build(tmp_path, targets=("rent", "price"))
    manifest = dataset.manifest
    assert manifest.form == RowForm(VALUES, 2, 2) and manifest.row_bytes == 10
    assert [target.name for target in manifest.targets] == ["rent", "price"] and manifest.classes == ()
    assert [column.name for column in manifest.columns] == ["size", "rooms"]
    assert decode_manifest(manifest.encode()) == manifest
    found = [struct.unpack("<2i", row[2:]) for row in split_rows(dataset.rows, 10)]
    told = sorted(Fraction(decode_target(manifest.targets[1], price)) for _, price in found)
    assert all(abs(price - 100_000 - 2_500 * row - Fraction(1, 2)) < 1 for row, price in enumerate(told))
    assert max(abs(price) for _, price in found) < 3 << 16


def test_missing_constant_or_textual_target_is_refused_with_its_place(tmp_path: Path) -> None:
    for line, problem in (("40,1,,3", "the target is missing"), ("40,1,dear,3", "'dear' is not a number")):
        with pytest.raises(DataError, match=f"row 6, column 'price': {problem}"):
            build(tmp_path, [*LINES[:5], line, *LINES[5:]])
    flat = [LINES[0], *(f"{row},1,7,{row}" for row in range(9))]
    with pytest.raises(DataError, match="the same in all rows"):
        build(tmp_path, flat)


@pytest.mark.parametrize(("options", "problem"), (
    ({"targets": ("price", "price")}, "twice"), ({"label": "rooms"}, "a label is for a classifier"),
    ({"drop": ("price",)}, "the target is not a feature"), ({"targets": ("cost",)}, "no column 'cost'")))
def test_targets_that_do_not_fit_are_refused(tmp_path: Path, options: dict[str, object], problem: str) -> None:
    with pytest.raises(DataError, match=problem):
        build(tmp_path, **options)  # type: ignore[arg-type]


def test_target_is_the_nearest_half_to_even_and_clipped() -> None:
    target = Target("x", "1.5", "0.5")
    cells = ["1.5", "2", "1.0", "1e9", "-1e9", "1.50000381469726562500", "1.50001144409179687500"]
    assert encode_target(target, cells, range(9)) == [0, 65_536, -65_536, TARGET_MAX, -TARGET_MAX, 0, 2]


@given(units=st.integers(-10**9, 10**9), offset=st.integers(-10**6, 10**6), scale=st.integers(1, 10**6))
def test_answer_reads_back_as_the_number_within_half_a_step(units: int, offset: int, scale: int) -> None:
    target = Target("x", f"{offset}", f"{scale}")
    (encoded,) = encode_target(target, [str(units)], [1])
    if abs(encoded) < TARGET_MAX:
        step = Fraction(scale, 2**16)
        assert abs(Fraction(decode_target(target, encoded)) - units) <= step / 2 + Fraction(1, 10**4)
