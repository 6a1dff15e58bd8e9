"""Targets: how a numeric column becomes what a regressor learns, and how an answer is read back.

    q = clip(round_half_even(2^16 * (x - offset) / scale), -2^26, 2^26)      of value q * 2^-16

offset and scale are fitted to the rows to train on as those of a numeric feature (columns.py): the median, and twice
the mean distance from it. So most targets lie within 1 of zero.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from abci_app.data.columns import fit_numeric, get_numbers
from abci_app.data.decimals import Decimal, divide_half_even, find_decimal, to_units, write_decimal
from abci_app.data.errors import DataError
from abci_app.wire.row import TARGET_EXPONENT, TARGET_MAX

ONE = 1 << TARGET_EXPONENT
READ_DIGITS = 4  # more than the scale has, of an answer that is read back


@dataclass(frozen=True, slots=True)
class Target:
    """offset and scale (positive) are decimal text."""

    name: str
    offset: str
    scale: str


def fit_target(name: str, cells: Sequence[str], train_cells: Sequence[str], lines: Sequence[int]) -> Target:
    """The quantisation of a column. Raises DataError where a cell is missing or no number, or nothing varies."""
    if "" in cells:
        raise DataError("the target is missing", row=lines[cells.index("")], column=name,
                        hint="remove the row, or fill its target in")
    numbers = get_numbers(name, cells, lines, "mend the cell; a target is a number")
    fitted = fit_numeric(numbers, cells, train_cells, None)
    if fitted is None:
        raise DataError("the target is the same in all rows to train on: there is nothing to learn", column=name)
    return Target(name, fitted.offset, fitted.scale)


def encode_target(target: Target, cells: Sequence[str], lines: Sequence[int]) -> list[int]:
    """The targets at exponent 16. Raises DataError for a cell that is no number."""
    offset, scale = _get_decimal(target.offset), _get_decimal(target.scale)
    encoded: dict[str, int] = {}
    for cell, line in zip(cells, lines):
        if cell not in encoded:
            value = find_decimal(cell)
            if value is None:
                raise DataError(f"{cell[:40]!r} is not a number", row=line, column=target.name)
            encoded[cell] = _quantise(value, offset, scale)
    return [encoded[cell] for cell in cells]


def decode_target(target: Target, value_q16: int) -> str:
    """What a regressor's output (int32 at exponent 16) says of the column, as decimal text; rounded half to even."""
    (offset, offset_digits), (scale, scale_digits) = _get_decimal(target.offset), _get_decimal(target.scale)
    digits = max(offset_digits, scale_digits + READ_DIGITS)
    distance = divide_half_even(value_q16 * scale * 10**(digits - scale_digits), ONE)
    return write_decimal(to_units((offset, offset_digits), digits) + distance, digits)


def _quantise(value: Decimal, offset: Decimal, scale: Decimal) -> int:
    digits = max(value[1], offset[1])
    distance = to_units(value, digits) - to_units(offset, digits)
    quotient = divide_half_even(ONE * distance * 10**scale[1], scale[0] * 10**digits)
    return max(-TARGET_MAX, min(TARGET_MAX, quotient))


def _get_decimal(text: str) -> Decimal:
    value = find_decimal(text)
    if value is None:
        raise DataError(f"{text[:40]!r} is not a number")
    return value
