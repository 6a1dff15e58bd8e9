"""Decimal text as exact integers: the reason why one table gives the same rows on every machine.

A column of decimals is read as integers in units of 10^-digits; no float is ever made.
"""

import re
from fractions import Fraction

DECIMAL_CHARS_MAX = 64
EXPONENT_MAX = 30
_DECIMAL = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE]([+-]?[0-9]{1,3}))?", re.ASCII)


def find_decimal(text: str) -> Fraction | None:
    """The number that `text` writes (digits, sign, point, exponent of at most 10^30), or None."""
    match = _DECIMAL.fullmatch(text)
    if match is None or len(text) > DECIMAL_CHARS_MAX or abs(int(match[1] or 0)) > EXPONENT_MAX:
        return None
    return Fraction(text)


def count_digits(value: Fraction) -> int:
    """Digits behind the point of a decimal; ValueError when it has no end."""
    digits, rest = 0, value.denominator
    while rest % 10 == 0:
        digits, rest = digits + 1, rest // 10
    for prime in (2, 5):
        while rest % prime == 0:
            digits, rest = digits + 1, rest // prime
    if rest != 1:
        raise ValueError(f"{value} is not a decimal")
    return digits


def to_units(value: Fraction, digits: int) -> int:
    """`value` in units of 10^-digits, of which it must be a whole number."""
    units, rest = divmod(value.numerator * 10**digits, value.denominator)
    if rest:
        raise ValueError(f"{value} has more than {digits} digits")
    return int(units)


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
