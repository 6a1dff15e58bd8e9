"""Columns: how a table's column becomes int8 features, and how that is fitted to the rows to train on.

Numeric: q = clip(round_half_even(64 * (x - offset) / scale), -127, 127), so that a feature's value is q * 2^-6; a
missing number takes the column's median, and a column that misses any has a second feature, 64 where it is missing.
Categorical: one feature for each value, 64 for the row's own and 0 for the others; missing is a value like any other.

Fitting, on the rows to train on alone (lists of values: on all rows):
  column scaling: offset = median (the lower of two), scale = twice the mean distance from it, rounded up.
  table scaling: one offset, the lowest number, and one scale, the smallest power of two that spans all numbers.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from abci_app.data.decimals import Decimal, divide_half_even, find_decimal, to_units, write_decimal
from abci_app.data.errors import DataError
from abci_app.wire.ints import mul_div_ceil

ONE = 64
FEATURE_MAX = 127
VALUES_MAX = 256
SCALE_DIGITS = 3
SHARED_COLUMNS_MIN = 8


@dataclass(frozen=True, slots=True)
class NumericColumn:
    """offset, scale (positive) and fill (for a missing number) are decimal text."""

    name: str
    offset: str
    scale: str
    fill: str
    has_indicator: bool

    @property
    def feature_count(self) -> int:
        """Features that the column becomes."""
        return 2 if self.has_indicator else 1


@dataclass(frozen=True, slots=True)
class CategoricalColumn:
    """values: sorted; "" is missing."""

    name: str
    values: tuple[str, ...]

    @property
    def feature_count(self) -> int:
        """Features that the column becomes."""
        return len(self.values)


Column = NumericColumn | CategoricalColumn


@dataclass(frozen=True, slots=True)
class Numbers:
    """A numeric column read: each text's integer in units of 10^-digits."""

    name: str
    digits: int
    units: dict[str, int]

    def of(self, cells: Iterable[str]) -> list[int]:
        """The integers of those cells that are not missing."""
        return [self.units[cell] for cell in cells if cell]


def find_numbers(name: str, cells: Sequence[str]) -> Numbers | None:
    """The column read as numbers; None when a cell is neither a number nor missing, or when there is nothing to scale:
    one number and missing cells are two categories instead."""
    found: dict[str, Decimal] = {}
    has_missing = False
    for cell in cells:
        if not cell:
            has_missing = True
        elif cell not in found:
            value = find_decimal(cell)
            if value is None:
                return None
            found[cell] = value
    if not found or (has_missing and len({value: None for value in found.values()}) == 1):
        return None
    return _new_numbers(name, found)


def get_numbers(name: str, cells: Sequence[str], lines: Sequence[int],
                hint: str = "mend the cell, or leave --numeric out") -> Numbers:
    """The column read as numbers, whatever they are. Raises DataError with the hint at the first that is none."""
    found: dict[str, Decimal] = {}
    for cell, line in zip(cells, lines):
        if cell and cell not in found:
            found[cell] = _get_decimal(cell, line, name, hint)
    return _new_numbers(name, found)


def _new_numbers(name: str, found: dict[str, Decimal]) -> Numbers:
    digits = max((value[1] for value in found.values()), default=0)
    return Numbers(name, digits, {cell: to_units(value, digits) for cell, value in found.items()})


def _get_decimal(cell: str, line: int, column: str, hint: str = "") -> Decimal:
    value = find_decimal(cell)
    if value is None:
        raise DataError(f"{_short(cell)} is not a number", row=line, column=column, hint=hint)
    return value


def fit_numeric(numbers: Numbers, cells: Sequence[str], train_cells: Sequence[str],
                shared: tuple[int, int] | None) -> NumericColumn | None:
    """The column's quantisation, or None when it is constant in the rows to train on.

    shared: (offset, scale) of a table in one unit, else None.
    """
    units = sorted(numbers.of(train_cells))
    if not units or units[0] == units[-1]:
        return None
    median = units[(len(units) - 1) // 2]
    fill = write_decimal(median, numbers.digits)
    has_indicator = "" in cells
    if shared is not None:
        return NumericColumn(numbers.name, str(shared[0]), str(shared[1]), fill, has_indicator)
    spread = sum(abs(value - median) for value in units)
    scale = mul_div_ceil(2 * 10**SCALE_DIGITS, spread, len(units))
    return NumericColumn(numbers.name, fill, write_decimal(scale, numbers.digits + SCALE_DIGITS), fill, has_indicator)


def find_shared_range(columns: Iterable[tuple[Numbers, Sequence[str]]], is_asked: bool) -> tuple[int, int] | None:
    """(offset, scale) when the numeric columns (each with its cells to train on) are one quantity in one unit.

    That is so when there are at least SHARED_COLUMNS_MIN that vary, all whole numbers, and at least half of them reach
    both the lowest and the highest number of all. `is_asked` takes it for granted, whole numbers excepted.
    """
    ranges, is_whole = [], True
    for numbers, cells in columns:
        units = numbers.of(cells)
        if units and min(units) < max(units):
            ranges.append((min(units), max(units)))
            is_whole = is_whole and numbers.digits == 0
    if not ranges or not is_whole:
        return None
    widest = min(low for low, _ in ranges), max(high for _, high in ranges)
    if not is_asked and (len(ranges) < SHARED_COLUMNS_MIN or 2 * ranges.count(widest) < len(ranges)):
        return None
    return widest[0], 1 << (widest[1] - widest[0] - 1).bit_length()


def fit_categorical(name: str, cells: Sequence[str], lines: Sequence[int]) -> CategoricalColumn | None:
    """The column's values, or None when it has only one. Raises DataError for more than VALUES_MAX."""
    values = sorted({cell: None for cell in cells})
    if len(values) <= VALUES_MAX:
        return CategoricalColumn(name, tuple(values)) if len(values) > 1 else None
    strays = [value for value in values if value and find_decimal(value) is None]
    if 0 < 2 * len(strays) < len(values):  # most are numbers: the few that are not are more likely the mistake
        raise DataError(f"{_short(strays[0])} is not a number, while most of the column is",
                        row=lines[cells.index(strays[0])], column=name,
                        hint="mend the cell, or leave the column out with --drop")
    raise DataError(f"{len(values)} different values; a categorical column has at most {VALUES_MAX}", column=name,
                    hint=f"identifiers and free text teach nothing: leave it out with --drop {name!r}")


def encode_column(column: Column, cells: Sequence[str], lines: Sequence[int]) -> list[bytes]:
    """The column's features, each as one byte per row. Raises DataError for a cell that the column cannot hold."""
    if isinstance(column, NumericColumn):
        return _encode_numeric(column, cells, lines)
    places = {value: place for place, value in enumerate(column.values)}
    features = [bytearray(len(cells)) for _ in column.values]
    for row, cell in enumerate(cells):
        place = places.get(cell)
        if place is None:
            raise DataError(f"{_short(cell)} is not a value of this column", row=lines[row], column=column.name,
                            hint=f"it takes: {', '.join(map(_short, column.values[:10]))}")
        features[place][row] = ONE
    return [bytes(feature) for feature in features]


def _encode_numeric(column: NumericColumn, cells: Sequence[str], lines: Sequence[int]) -> list[bytes]:
    offset, scale, fill = (_get_decimal(text, 0, column.name) for text in (column.offset, column.scale, column.fill))
    encoded = {"": quantise(fill, offset, scale) & 0xFF}
    feature = bytearray(len(cells))
    for row, cell in enumerate(cells):
        byte = encoded.get(cell)
        if byte is None:
            value = _get_decimal(cell, lines[row], column.name)
            byte = encoded[cell] = quantise(value, offset, scale) & 0xFF
        feature[row] = byte
    if not column.has_indicator:
        return [bytes(feature)]
    return [bytes(feature), bytes(0 if cell else ONE for cell in cells)]


def quantise(value: Decimal, offset: Decimal, scale: Decimal) -> int:
    """The int8 feature of a number: nearest, a half to even, clipped to +-127. scale: positive."""
    digits = max(value[1], offset[1])
    distance = to_units(value, digits) - to_units(offset, digits)
    quotient = divide_half_even(ONE * distance * 10**scale[1], scale[0] * 10**digits)
    return max(-FEATURE_MAX, min(FEATURE_MAX, quotient))


def _short(text: str) -> str:
    """`text` in quotes, cut where it is long."""
    return repr(text if len(text) <= 40 else text[:37] + "...")
