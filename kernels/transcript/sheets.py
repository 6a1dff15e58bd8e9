"""Sheets: matrices of integers cut into parts, of which each is the output or the input of an operation.

Reads/Writes: nothing. Needs neither numpy nor numba. Source: README.md beside this file, section 22.2.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

ITEM_BYTES = {"u1": 1, "i1": 1, "u2": 2, "i2": 2, "i4": 4, "i8": 8}
TILE = 128
STRIP_COLUMNS_MAX = 8192
STRIP_VALUES = 16384
STATE_VALUES = 8192
CHUNK_BYTES = 65536
FAN = 8  # parts that an operation joins
INT32_MAX = 2**31 - 1


@dataclass(frozen=True)
class Sheet:
    """A matrix [rows, columns] of little-endian integers in low..high, cut every row_step rows and column_step columns.

    Parts are numbered row-major, and each is stored row-major. item: numpy's name of the type, u1 to i8.
    """

    rows: int
    columns: int
    item: str
    row_step: int
    column_step: int
    low: int
    high: int

    @property
    def down(self) -> int:
        """How many parts stand above one another."""
        return divide_up(self.rows, self.row_step)

    @property
    def across(self) -> int:
        """How many parts stand side by side."""
        return divide_up(self.columns, self.column_step)

    @property
    def parts(self) -> int:
        """How many parts there are."""
        return self.down * self.across

    def bounds(self, part: int) -> Box:
        """Where a part is."""
        top, left = part // self.across * self.row_step, part % self.across * self.column_step
        return Box(top, min(top + self.row_step, self.rows), left, min(left + self.column_step, self.columns))

    def part_bytes(self, part: int) -> int:
        """Bytes of a part."""
        return self.bounds(part).values * ITEM_BYTES[self.item]

    def cover(self, box: Box) -> Iterator[int]:
        """The parts that a box touches, rising."""
        first, last = box.left // self.column_step, (box.right - 1) // self.column_step
        for row in range(box.top // self.row_step, (box.bottom - 1) // self.row_step + 1):
            yield from range(row * self.across + first, row * self.across + last + 1)


class Box(NamedTuple):
    """Rows top..bottom-1 and columns left..right-1 of a sheet."""

    top: int
    bottom: int
    left: int
    right: int

    @property
    def height(self) -> int:
        """Rows."""
        return self.bottom - self.top

    @property
    def width(self) -> int:
        """Columns."""
        return self.right - self.left

    @property
    def values(self) -> int:
        """Elements."""
        return self.height * self.width


class Area(NamedTuple):
    """What an operation reads: a box of the sheet of `origin`, which is a stage, a state held or a source."""

    origin: Any
    box: Box


def divide_up(value: int, size: int) -> int:
    """value / size, rounded up; value >= 0, size > 0."""
    return (value + size - 1) // size


def read_box(origin: Any, top: int, bottom: int, left: int, right: int) -> Area:
    """A box of an origin's sheet, cut at the sheet's edges."""
    sheet = origin.sheet
    return Area(origin, Box(top, min(bottom, sheet.rows), left, min(right, sheet.columns)))


def read_part(origin: Any, part: int = 0) -> Area:
    """One part of an origin's sheet."""
    return Area(origin, origin.sheet.bounds(part))


def read_flat(origin: Any, begin: int, end: int) -> Area:
    """Elements begin..end-1 of an origin whose sheet has a single row."""
    return Area(origin, Box(0, 1, begin, end))


def list_boxes(columns: int, begin: int, end: int) -> list[Box]:
    """The boxes, three at most, that elements begin..end-1 of a row-major matrix fill, in order."""
    first, last = begin // columns, (end - 1) // columns
    if first == last:
        return [Box(first, first + 1, begin - first * columns, end - first * columns)]
    boxes = []
    if begin > first * columns:
        boxes.append(Box(first, first + 1, begin - first * columns, columns))
        first += 1
    whole = end // columns
    if whole > first:
        boxes.append(Box(first, whole, 0, columns))
    if end > whole * columns:
        boxes.append(Box(whole, whole + 1, 0, end - whole * columns))
    return boxes


def new_tiles(rows: int, columns: int, item: str, limit: int, low: int | None = None) -> Sheet:
    """Parts of 128 x 128, of int64 64 x 128; values in low..limit, by default -limit..limit."""
    height = TILE // 2 if item == "i8" else TILE
    return Sheet(rows, columns, item, height, TILE, -limit if low is None else low, limit)


def new_strips(rows: int, columns: int, item: str, limit: int) -> Sheet:
    """Parts of 16384 values (int64 8192) in as few rows as 128..8192 columns, a power of two, allow."""
    return _new_grid(rows, columns, item, limit, find_strip_columns(columns))


def new_load(rows: int, columns: int, item: str, low: int, high: int, example_bytes: int) -> Sheet:
    """Strips of as few rows that their examples take 64 KiB; of one example where it is larger."""
    step = find_strip_columns(columns)
    most = max(1, CHUNK_BYTES // example_bytes)
    return Sheet(rows, columns, item, min(STRIP_VALUES // step, 1 << (most.bit_length() - 1)), step, low, high)


def find_strip_columns(columns: int) -> int:
    """The column step of strips: the lowest power of two that is not below `columns`, bounded to 128..8192."""
    return min(max(TILE, 1 << (columns - 1).bit_length()), STRIP_COLUMNS_MAX)


def list_narrower(sheet: Sheet) -> list[Sheet]:
    """The sheets on the way from strips to tiles: columns are divided by 8, to 128 at least."""
    sheets, step, height = list[Sheet](), sheet.column_step, sheet.row_step
    while (height, step) != (TILE, TILE):
        step = max(TILE, step // FAN)
        height = STRIP_VALUES // step
        sheets.append(_new_grid(sheet.rows, sheet.columns, sheet.item, sheet.high, step))
    return sheets


def list_wider(sheet: Sheet) -> list[Sheet]:
    """The sheets on the way from tiles to strips: columns are multiplied by 8, up to those of strips."""
    sheets, step = [], sheet.column_step
    while step < find_strip_columns(sheet.columns):
        step = min(find_strip_columns(sheet.columns), step * FAN)
        sheets.append(_new_grid(sheet.rows, sheet.columns, sheet.item, sheet.high, step))
    return sheets


def new_column(rows: int, limit: int, low: int) -> Sheet:
    """One int64 for each row, 128 rows a part."""
    return Sheet(rows, 1, "i8", TILE, 1, low, limit)


def new_line(columns: int, item: str, step: int, low: int, high: int) -> Sheet:
    """One row, cut every `step` columns."""
    return Sheet(1, columns, item, 1, step, low, high)


def _new_grid(rows: int, columns: int, item: str, limit: int, step: int) -> Sheet:
    values = STATE_VALUES if item == "i8" else STRIP_VALUES
    return Sheet(rows, columns, item, values // step, step, -limit, limit)
