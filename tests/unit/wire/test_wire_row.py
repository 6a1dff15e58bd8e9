"""What a dataset's rows mean to the numerics: all bytes mean something, and the rows of a proper dataset themselves."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from abci_app.wire.row import join_columns, new_row, row_bytes, split_rows


def test_rows_of_a_proper_dataset_are_taken_as_they_are() -> None:
    rows = [new_row(bytes([0x81, 0, 0x7F]), 2), new_row(bytes([1, 0xFF, 2]), 0)]
    assert join_columns(rows, 3, 3) == (bytes([0x81, 0, 0x7F, 1, 0xFF, 2]), bytes([2, 0, 0, 0]))
    assert join_columns([], 3, 3) == (b"", b"")


@pytest.mark.parametrize(("label", "classes", "taken"), (
    (3, 3, 0), (4, 3, 1), (65_535, 3, 0), (65_535, 2, 1), (65_535, 65_535, 0), (300, 256, 44), (255, 256, 255)))
def test_label_that_is_no_class_counts_as_its_remainder(label: int, classes: int, taken: int) -> None:
    assert join_columns([new_row(b"\x05", label)], 1, classes) == (b"\x05", taken.to_bytes(2, "little"))


def test_feature_of_minus_128_counts_as_minus_127_and_touches_no_label() -> None:
    assert join_columns([new_row(b"\x80\x7f", 0x8080)], 2, 65_535) == (b"\x81\x7f", b"\x80\x80")


@given(data=st.data(), features=st.integers(1, 9), classes=st.integers(2, 65_535), count=st.integers(0, 9))
def test_any_bytes_give_features_and_classes_within_range_one_by_one_as_together(
        data: st.DataObject, features: int, classes: int, count: int) -> None:
    size = row_bytes(features)
    rows = split_rows(data.draw(st.binary(min_size=count * size, max_size=count * size)), features)
    values, labels = join_columns(rows, features, classes)
    assert len(values) == count * features and b"\x80" not in values
    assert all(int.from_bytes(labels[at:at + 2], "little") < classes for at in range(0, 2 * count, 2))
    alone = [join_columns([row], features, classes) for row in rows]
    assert (values, labels) == (b"".join(one for one, _ in alone), b"".join(other for _, other in alone))
