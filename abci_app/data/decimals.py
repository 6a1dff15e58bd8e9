"""Decimal text as exact integers: the reason why one table gives the same rows on every machine.

A decimal is (units, digits): units * 10^-digits, with no more digits than it needs, so that equal numbers are equal
pairs. No float is ever made.
"""

import re

DECIMAL_CHARS_MAX = 64
EXPONENT_MAX = 30
_DECIMAL = re.compile(r"([+-]?)(?:([0-9]+)(?:\.([0-9]*))?|\.([0-9]+))(?:[eE]([+-]?[0-9]{1,3}))?", re.ASCII)

Decimal = tuple[int, int]


def find_decimal(text: str) -> Decimal | None:
    """The number that `text` writes (sign, digits, point, exponent of at most 10^30), or None."""
    match = _DECIMAL.fullmatch(text)
    if match is None or len(text) > DECIMAL_CHARS_MAX:
        return None
    sign, whole, part, bare_part, exponent = match.groups()
    part = bare_part or part or ""
    units, digits = int((whole or "") + part), len(part)
    if exponent:
        if abs(int(exponent)) > EXPONENT_MAX:
            return None
        digits -= int(exponent)
    if digits < 0:
        units, digits = units * 10**-digits, 0
    while digits and units % 10 == 0:
        units, digits = units // 10, digits - 1
    return (-units if sign == "-" else units), digits


def to_units(value: Decimal, digits: int) -> int:
    """`value` in units of 10^-digits; ValueError when it has more digits."""
    units, own_digits = value
    if own_digits > digits:
        raise ValueError(f"{write_decimal(units, own_digits)} has more than {digits} digits")
    return int(units * 10**(digits - own_digits))


def write_decimal(units: int, digits: int) -> str:
    """The shortest text of units * 10^-digits, without an exponent."""
    sign, text = "-" if units < 0 else "", str(abs(units)).rjust(digits + 1, "0")
    whole, part = (text[:-digits], text[-digits:].rstrip("0")) if digits else (text, "")
    return f"{sign}{whole}.{part}" if part else f"{sign}{whole}"


def divide_half_even(dividend: int, divisor: int) -> int:
    """dividend / divisor (positive), rounded to the nearest integer, a half to the even one."""
    quotient, rest = divmod(dividend, divisor)
    if 2 * rest > divisor or (2 * rest == divisor and quotient % 2 == 1):
        quotient += 1
    return quotient
