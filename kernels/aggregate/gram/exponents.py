"""Sums over blocks of different exponents: int64 totals of each exponent, and how they become one exact number.

Reads/Writes: nothing. Source: README.md of the folder above.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_BLOCK_SUM_BITS = 22  # of a product of two rows of a block: 256 * 128 * 128
_TOTAL_BITS = 62
Limb = tuple[int, NDArray[np.int64]]


def number_exponents(exponents: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], list[int], list[int]]:
    """(the number of each block's exponent among those there are, these in rising order, how many blocks have each)."""
    counts = np.bincount(exponents)
    kinds = np.flatnonzero(counts)
    numbers = np.zeros(counts.size, np.uint8)
    numbers[kinds] = np.arange(kinds.size)
    return numbers[exponents], kinds.tolist(), counts[kinds].tolist()


def join_exponents(kinds: list[int], counts: list[int], totals: NDArray[np.int64]) -> list[Limb]:
    """(shift, sums) whose sums << shift add up to the totals << 2 * exponent.

    They are few: totals of several exponents are in one wherever int64 holds them. totals: one for each of `kinds`, the
    exponents in rising order, of `counts` blocks.
    """
    limbs: list[Limb] = []
    bound = 0
    for kind, count, total in zip(kinds, counts, totals):
        shift = 2 * kind - limbs[-1][0] if limbs else 0
        grown = bound + (count << (_BLOCK_SUM_BITS + shift))
        if limbs and grown <= 1 << _TOTAL_BITS:
            limbs[-1][1][...] += total << shift
            bound = grown
        else:
            limbs.append((2 * kind, total))
            bound = count << _BLOCK_SUM_BITS
    return limbs
