"""From exact inner products of payloads to the rows, or the weights of rows, that a rule of aggregation takes.

Reads/Writes: nothing. Plain Python integers, shared by all back ends; n = 1..64 rows, of which `dropped` may lie.
gram[i][j]: the inner product of rows i and j. Every tie is broken by the row's place. Source: kernels/README.md
section 9, which names the papers.
"""

from __future__ import annotations

from math import isqrt
from operator import mul

from kernels.aggregate.types import WEIGHT_ONE

Gram = list[list[int]]

WEISZFELD_ROUNDS = 8
SMOOTHING_BITS = 6
CLIP_ROUNDS = 3
CLIP_BITS = 20  # centres are kept in units of 2**-20
_CLIP_ONE = 2**CLIP_BITS


def lower_median(values: list[int]) -> int:
    """The value of rank (n - 1) // 2."""
    return sorted(values)[(len(values) - 1) // 2]


def compute_distances(gram: Gram) -> Gram:
    """Exact squared distances of all pairs: G_ii + G_jj - 2 * G_ij."""
    squares = [row[index] for index, row in enumerate(gram)]
    return [[own + other - 2 * product for other, product in zip(squares, row)] for own, row in zip(squares, gram)]


def rank_by_score(gram: Gram, dropped: int) -> list[int]:
    """Rows by Krum's score, the best first.

    The score is the sum of the max(1, n - dropped - 2) smallest squared distances to other rows (0 for a single row).
    """
    nearest = max(1, len(gram) - dropped - 2)
    scores = []
    for index, distances in enumerate(compute_distances(gram)):
        others = sorted(distances[:index] + distances[index + 1:])
        scores.append((sum(others[:nearest]), index))
    return [index for _, index in sorted(scores)]


def choose_neighbours(gram: Gram, dropped: int) -> list[list[int]]:
    """For each row the n - dropped nearest rows, itself among them or a copy of it, as 0 and 1."""
    kept = len(gram) - dropped
    chosen = []
    for distances in compute_distances(gram):
        nearest = sorted(range(len(gram)), key=distances.__getitem__)[:kept]  # a stable sort: ties to the lower place
        chosen.append([int(index in nearest) for index in range(len(gram))])
    return chosen


def weigh_by_distance(gram: Gram) -> list[int]:
    """Weights of the smoothed geometric median, each 1..2**14 with one of 2**14: eight rounds of Weiszfeld's.

    Each round: r_i = floor of the distance of A * x_i to sum a_j * x_j, A = sum a; r_i grows by a 64th of the lower
    median (floor) and 1, so that no row is divided by nothing and none has all the weight; a_i = 2**14 * min r / r_i,
    rounded down.
    """
    weights = [WEIGHT_ONE] * len(gram)
    for _ in range(WEISZFELD_ROUNDS):
        roots = [isqrt(square) for square in measure_from(gram, weights, sum(weights))]
        smoothing = (lower_median(roots) >> SMOOTHING_BITS) + 1
        least = WEIGHT_ONE * (min(roots) + smoothing)
        weights = [least // (root + smoothing) for root in roots]
    return weights


def weigh_by_length(squares: list[int]) -> list[int]:
    """Weights that clip rows to the lower median of their lengths: 2**14 up to it, floor of 2**14 * median / length."""
    middle = lower_median(squares)
    return [clip_weight(square, middle, WEIGHT_ONE) for square in squares]


def weigh_by_clipping(gram: Gram) -> list[int]:
    """Weights of centred clipping, in 2**14ths, their sum at most 2**14: three rounds from the centre 0.

    Each round moves the centre by the mean of the differences to it, each clipped to the lower median of their lengths;
    the centre's coefficients are kept in 2**-20, rounded down.
    """
    rows = len(gram)
    centre = [0] * rows
    for _ in range(CLIP_ROUNDS):
        squares = measure_from(gram, centre, _CLIP_ONE)
        middle = lower_median(squares)
        factors = [clip_weight(square, middle, _CLIP_ONE) for square in squares]
        left = rows * _CLIP_ONE - sum(factors)
        centre = [(part * left + factor * _CLIP_ONE) // (rows * _CLIP_ONE) for part, factor in zip(centre, factors)]
    return [part >> (CLIP_BITS - 14) for part in centre]


def measure_from(gram: Gram, weights: list[int], scale: int) -> list[int]:
    """Exact squared lengths of scale * x_i - sum_j weights[j] * x_j, for every i."""
    products = [sum(map(mul, row, weights)) for row in gram]
    own = sum(map(mul, products, weights))
    return [scale * (scale * row[index] - 2 * product) + own
            for index, (row, product) in enumerate(zip(gram, products))]


def clip_weight(square: int, limit: int, one: int) -> int:
    """one * min(1, sqrt(limit / square)), rounded down."""
    return one if square <= limit else isqrt(limit * one * one // square)
