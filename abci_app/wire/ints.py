"""Checked integers: bounds and divisions that name their rounding.

Amounts of coins are u64-bounded in messages of our own rooms and u128-bounded in balances; Python integers do not
wrap, so the only danger is a value that no longer fits where it is stored. Every writer checks.
"""

U32_MAX = 2**32 - 1
U64_MAX = 2**64 - 1
U128_MAX = 2**128 - 1
I64_MAX = 2**63 - 1
PPM = 1_000_000


def mul_div_floor(a: int, b: int, divisor: int) -> int:
    """floor(a * b / divisor) for non-negative a, b and positive divisor; anything else is a ValueError."""
    if a < 0 or b < 0 or divisor <= 0:
        raise ValueError(f"mul_div_floor of {a}, {b}, {divisor}")
    return a * b // divisor


def mul_div_ceil(a: int, b: int, divisor: int) -> int:
    """ceil(a * b / divisor) for non-negative a, b and positive divisor; anything else is a ValueError."""
    if a < 0 or b < 0 or divisor <= 0:
        raise ValueError(f"mul_div_ceil of {a}, {b}, {divisor}")
    return (a * b + divisor - 1) // divisor


def ppm_floor(amount: int, rate_ppm: int) -> int:
    """The part `rate_ppm` of `amount`, rounded down."""
    return mul_div_floor(amount, rate_ppm, PPM)


def u32_bytes(value: int) -> bytes:
    """4 bytes big-endian, so that key order is number order; OverflowError outside u32."""
    return value.to_bytes(4, "big")


def u64_bytes(value: int) -> bytes:
    """8 bytes big-endian, so that key order is number order; OverflowError outside u64."""
    return value.to_bytes(8, "big")
