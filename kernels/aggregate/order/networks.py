"""Sorting networks: which rows of a coordinate to compare and exchange, in which order.

Reads/Writes: nothing. Of 16 rows it is M. W. Green's network of 60 comparators, the smallest one known; two of them and
K. E. Batcher's odd-even merge sort 32 by 185, the smallest number known. Fewer rows drop the comparators of the rows
that are not there: the largest values would stand in them from the start.
Source: D. E. Knuth, The Art of Computer Programming, volume 3, section 5.3.4.
"""

from __future__ import annotations

SIZES = (2, 4, 6, 8, 12, 16, 24, 32)
Network = list[tuple[int, int]]
_EIGHT: Network = [
    (0, 1), (2, 3), (4, 5), (6, 7), (0, 2), (1, 3), (4, 6), (5, 7), (1, 2), (5, 6), (0, 4), (3, 7), (1, 5), (2, 6),
    (1, 4), (3, 6), (2, 4), (3, 5), (3, 4),
]
_SIXTEEN: Network = [
    (0, 1), (2, 3), (4, 5), (6, 7), (8, 9), (10, 11), (12, 13), (14, 15),
    (0, 2), (1, 3), (4, 6), (5, 7), (8, 10), (9, 11), (12, 14), (13, 15),
    (0, 4), (1, 5), (2, 6), (3, 7), (8, 12), (9, 13), (10, 14), (11, 15),
    (0, 8), (1, 9), (2, 10), (3, 11), (4, 12), (5, 13), (6, 14), (7, 15),
    (5, 10), (6, 9), (3, 12), (13, 14), (4, 8), (7, 11), (1, 2), (1, 4), (7, 13), (2, 8), (11, 14),
    (2, 4), (5, 6), (9, 10), (11, 13), (3, 8), (7, 12), (6, 8), (10, 12), (3, 5), (7, 9),
    (3, 4), (5, 6), (7, 8), (9, 10), (11, 12), (6, 7), (8, 9),
]


def compute_network(size: int) -> Network:
    """Comparators (i, j), i < j, that sort 1..32 rows: each leaves the lower value in i and the higher one in j."""
    if size <= 8:
        whole = _EIGHT
    elif size <= 16:
        whole = _SIXTEEN
    else:
        whole = _SIXTEEN + [(i + 16, j + 16) for i, j in _SIXTEEN] + _merge(list(range(32)))
    return [(i, j) for i, j in whole if j < size]


def find_size(rows: int) -> int:
    """The smallest of SIZES that holds that many rows, of 0..32."""
    return next(size for size in SIZES if size >= rows)


def _merge(places: list[int]) -> Network:
    """Merges the sorted halves of a power of two of places."""
    if len(places) == 2:
        return [(places[0], places[1])]
    inner = [(places[i], places[i + 1]) for i in range(1, len(places) - 1, 2)]
    return _merge(places[0::2]) + _merge(places[1::2]) + inner
