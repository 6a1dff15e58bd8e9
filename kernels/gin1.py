"""Constants and scalar rules of the numerics version `gin1`, in plain Python integers.

Reads/Writes: nothing. Needs neither numpy nor numba. Source: kernels/README.md, sections 2 to 4.
"""

from __future__ import annotations

import hashlib
import struct
from functools import lru_cache
from math import isqrt

FEATURE_EXPONENT = 6
WEIGHT_EXPONENT = 24
LOSS_EXPONENT = 20
LOGIT_EXPONENT = 16

OPERAND_BITS = 7
OPERAND_MAX = 127
OPERAND_EXPONENT_MAX = 24
OPERAND_EXPONENT_MIN = -24
WEIGHT_MAX = 2**31 - 1
BIAS_TERM_MAX = 2**30
SCALE_BITS = 40
SCALE_MAX = 2**SCALE_BITS
MOMENTUM_MAX = 2**40
DELTA_MAX = 2**32 - 1
RESIDUAL_MAX = 2**33

RATE_ONE = 65536
RATE_MAX = 2**20
DECAY_MAX = RATE_ONE - 1

LOG2_E_Q14 = 23637
POWER_FRACTION_BITS = 10
POWER_MAX = 2**15 - 1
POWER_TABLE_SIZE = 1024

SEED_BYTES = 32
_MASK64 = 2**64 - 1
_TWO_WORDS = struct.Struct("<II")


def compute_shift(magnitude: int, exponent: int) -> int:
    """Right shift that brings integers up to `magnitude` at `exponent` into int8 operands.

    The result leaves the operand's exponent in [-24, 24]. exponent in [-24, 48], magnitude < 2**31;
    then the shift is in [0, 24].  Source: README section 3.
    """
    return compute_operand_shift(magnitude, exponent, OPERAND_BITS, OPERAND_EXPONENT_MIN)


def compute_operand_shift(magnitude: int, exponent: int, bits: int, lowest: int | None = None) -> int:
    """Right shift that brings integers up to `magnitude` at `exponent` into operands of `bits` bits (7 or 15).

    The result leaves the operand's exponent at most 24, and at least `lowest` where one is given (the classifier's
    is -24; exponent >= lowest, so the shift is not negative).  Source: quantise/README.md.
    """
    shift = max(0, magnitude.bit_length() - bits, exponent - OPERAND_EXPONENT_MAX)
    return shift if lowest is None else min(shift, exponent - lowest)


def derive_keys(domain: str, seed: bytes, step: int, site: int) -> tuple[int, int]:
    """Two uint32 keys of the counter-based generator, from SHA-256.  Source: README section 4."""
    text = b"gradus/gin1/" + domain.encode("ascii") + seed + _TWO_WORDS.pack(step, site)
    first, second = _TWO_WORDS.unpack_from(hashlib.sha256(text).digest())
    return first, second


def derive_stream(domain: str, seed: bytes, site: int) -> int:
    """The uint64 starting state of a splitmix64 stream.  Source: README section 4."""
    low, high = derive_keys(domain, seed, 0, site)
    return (high << 32 | low) & _MASK64


@lru_cache(maxsize=1)
def power_table() -> tuple[int, ...]:
    """round(2**(16 - f/1024)) for f in 0..1023, by integer roots alone.

    isqrt applied ten times is the floor of the 1024th root; one more bit makes it round to nearest.
    """
    table = []
    for fraction in range(POWER_TABLE_SIZE):
        root = 1 << (17 * POWER_TABLE_SIZE - fraction)
        for _ in range(POWER_FRACTION_BITS):
            root = isqrt(root)
        table.append((root + 1) >> 1)
    return tuple(table)


def compute_step_rate(learning_rate_q16: int, terms: int) -> tuple[int, int]:
    """Learning rate divided by the number of summed losses: (rate, shift), rate * 2**-shift = learning rate / terms.

    rate is rounded down, at most 2 * learning_rate_q16; shift is in [16, 32], for terms in 1..65536.
    Source: README section 7.
    """
    bits = (terms - 1).bit_length()
    return (learning_rate_q16 << bits) // terms, 16 + bits


def compute_init_scale(fan_in: int) -> int:
    """floor(sqrt(2 / fan_in) * 2**24): He's standard deviation at the weights' exponent."""
    return isqrt((2 << (2 * WEIGHT_EXPONENT)) // fan_in)
