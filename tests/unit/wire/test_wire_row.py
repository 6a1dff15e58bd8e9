"""What a dataset's rows mean to the numerics: all bytes mean something, and the rows of a proper dataset themselves."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from abci_app.wire.row import (
    CLASSES, TARGET_EXPONENT, TARGET_MAX, TOKENS, VALUES, RowForm, new_row, new_tokens_row, new_values_row, split_rows,
)
from kernels import loss


def test_rows_of_a_proper_dataset_are_taken_as_they_are() -> None:
    form = RowForm(CLASSES, 3, 3)
    rows = [new_row(bytes([0x81, 0, 0x7F]), 2), new_row(bytes([1, 0xFF, 2]), 0)]
    assert form.join_columns(rows) == (bytes([0x81, 0, 0x7F, 1, 0xFF, 2]), bytes([2, 0, 0, 0]))
    assert form.join_columns([]) == (b"", b"")


@pytest.mark.parametrize(("label", "classes", "taken"), (
    (3, 3, 0), (4, 3, 1), (65_535, 3, 0), (65_535, 2, 1), (65_535, 65_535, 0), (300, 256, 44), (255, 256, 255)))
def test_label_that_is_no_class_counts_as_its_remainder(label: int, classes: int, taken: int) -> None:
    assert RowForm(CLASSES, 1, classes).join_columns([new_row(b"\x05", label)]) == (b"\x05", struct.pack("<H", taken))
    assert RowForm(TOKENS, 1, classes).join_columns([new_tokens_row((0, label))]) == (struct.pack("<HH", 0, taken), b"")


def test_feature_of_minus_128_counts_as_minus_127_and_touches_no_target() -> None:
    assert RowForm(CLASSES, 2, 65_535).join_columns([new_row(b"\x80\x7f", 0x8080)]) == (b"\x81\x7f", b"\x80\x80")
    row = new_values_row(b"\x80\x7f", (0x80_8080,))
    assert RowForm(VALUES, 2, 1).join_columns([row]) == (b"\x81\x7f", b"\x80\x80\x80\x00")


def test_target_beyond_what_the_numerics_take_counts_as_the_nearest() -> None:
    assert (TARGET_EXPONENT, TARGET_MAX) == (loss.TARGET_EXPONENT, loss.TARGET_MAX)
    row = new_values_row(b"\x01", (-2**31, -TARGET_MAX, -1, 0, TARGET_MAX, TARGET_MAX + 1, 2**31 - 1))
    taken = struct.pack("<7i", -TARGET_MAX, -TARGET_MAX, -1, 0, TARGET_MAX, TARGET_MAX, TARGET_MAX)
    assert RowForm(VALUES, 1, 7).join_columns([row]) == (b"\x01", taken)


def test_tokens_of_all_rows_follow_each_other_and_have_no_targets() -> None:
    form = RowForm(TOKENS, 2, 300)
    assert form.row_bytes == 6
    assert form.join_columns([new_tokens_row((1, 2, 299)), new_tokens_row((3, 0, 300))]) == (
        struct.pack("<6H", 1, 2, 299, 3, 0, 0), b"")


def test_bytes_that_are_no_whole_number_of_rows_are_refused() -> None:
    with pytest.raises(ValueError):
        split_rows(bytes(7), 3)


@given(data=st.data(), kind=st.sampled_from((CLASSES, VALUES, TOKENS)), features=st.integers(1, 9),
       classes=st.integers(2, 65_535), targets=st.integers(1, 5), count=st.integers(0, 9))
def test_any_bytes_give_what_the_numerics_take_one_by_one_as_together(
        data: st.DataObject, kind: str, features: int, classes: int, targets: int, count: int) -> None:
    form = RowForm(kind, features, targets if kind == VALUES else classes)
    size = form.row_bytes
    rows = split_rows(data.draw(st.binary(min_size=count * size, max_size=count * size)), size)
    found, wanted = form.join_columns(rows)
    if kind == TOKENS:
        assert len(found) == count * size and wanted == b""
        assert all(token < classes for (token,) in struct.iter_unpack("<H", found))
    else:
        assert len(found) == count * features and b"\x80" not in found and len(wanted) == count * (size - features)
    if kind == CLASSES:
        assert all(label < classes for (label,) in struct.iter_unpack("<H", wanted))
    if kind == VALUES:
        assert all(abs(target) <= TARGET_MAX for (target,) in struct.iter_unpack("<i", wanted))
    alone = [form.join_columns([row]) for row in rows]
    assert (found, wanted) == (b"".join(one for one, _ in alone), b"".join(other for _, other in alone))
