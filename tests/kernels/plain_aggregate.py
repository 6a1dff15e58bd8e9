"""Aggregation as section 9 of kernels/README.md words it, in plain Python: exact fractions, coordinate by coordinate.

No Gram matrix, no blocks of all workers: distances are sums over coordinates, values are decoded deltas.
"""

from __future__ import annotations

from fractions import Fraction
from math import floor, isqrt

Row = list[Fraction]
HEADROOM = {"int8/256": 0, "int4/256": 4, "int2/256": 5, "top64/4096": 5}


def half_away(value: Fraction) -> int:
    size = floor(abs(value) + Fraction(1, 2))
    return size if value >= 0 else -size


def compute_dropped(rule: str, n: int, trim: int) -> int:
    if rule == "mean":
        return 0
    return trim if 2 * trim < n else (n - 1) // 2


def compute_grid(exponents: list[list[int]], dropped: int, headroom: int) -> list[int]:
    return [max(0, sorted(block)[len(block) - 1 - dropped] - headroom) for block in zip(*exponents)]


def align(delta: list[int], grid: list[int]) -> list[int]:
    """Round half to even is what Python's round does of a fraction."""
    return [max(-127, min(127, round(Fraction(value, 2**grid[i // 256])))) for i, value in enumerate(delta)]


def middle(values: list[int]) -> int:
    return sorted(values)[(len(values) - 1) // 2]


def squared(row: list[Fraction]) -> Fraction:
    return sum((value * value for value in row), Fraction(0))


def differ(left: list[Fraction], right: list[Fraction]) -> Fraction:
    return squared([a - b for a, b in zip(left, right)])


def blend(rows: list[Row], weights: list[int]) -> Row:
    return [sum((w * value for w, value in zip(weights, column)), Fraction(0)) for column in zip(*rows)]


def krum_order(rows: list[Row], dropped: int) -> list[int]:
    nearest = max(1, len(rows) - dropped - 2)
    scores = [sum(sorted(differ(row, other) for j, other in enumerate(rows) if j != i)[:nearest], Fraction(0))
              for i, row in enumerate(rows)]
    return sorted(range(len(rows)), key=lambda i: (scores[i], i))


def mix(aligned: list[list[int]], rows: list[Row], dropped: int) -> list[list[int]]:
    mixed, kept = [], len(rows) - dropped
    for row in rows:
        near = sorted(range(len(rows)), key=lambda j: (differ(row, rows[j]), j))[:kept]
        mixed.append([half_away(Fraction(sum(column), kept)) for column in zip(*(aligned[j] for j in near))])
    return mixed


def clip_weight(square: Fraction, limit: Fraction, one: int) -> int:
    """floor(one * min(1, sqrt(limit / square)))."""
    return one if square <= limit else isqrt(floor(limit * one * one / square))


def geometric_weights(rows: list[Row]) -> list[int]:
    weights = [2**14] * len(rows)
    for _ in range(8):
        total, centre = sum(weights), blend(rows, weights)
        roots = [isqrt(floor(differ([total * value for value in row], centre))) for row in rows]
        smoothing = (middle(roots) >> 6) + 1
        roots = [root + smoothing for root in roots]
        weights = [2**14 * min(roots) // root for root in roots]
    return weights


def clipped_weights(rows: list[Row]) -> list[int]:
    squares = [squared(row) for row in rows]
    return [clip_weight(square, sorted(squares)[(len(rows) - 1) // 2], 2**14) for square in squares]


def centred_weights(rows: list[Row]) -> list[int]:
    n, centre = len(rows), [0] * len(rows)
    for _ in range(3):
        point = blend(rows, centre)
        squares = [differ([2**20 * value for value in row], point) for row in rows]
        factors = [clip_weight(square, sorted(squares)[(n - 1) // 2], 2**20) for square in squares]
        left = n * 2**20 - sum(factors)
        centre = [(c * left + factor * 2**20) // (n * 2**20) for c, factor in zip(centre, factors)]
    return [c >> 6 for c in centre]


def vote(aligned: list[list[int]], grid: list[int]) -> list[int]:
    columns, answer = list(zip(*aligned)), []
    for i, column in enumerate(columns):
        block = range(i - i % 256, min(i - i % 256 + 256, len(columns)))
        scale = middle([sum(abs(row[j]) for j in block) for row in aligned]) // len(block)
        balance = sum((value > 0) - (value < 0) for value in column)
        answer.append(((balance > 0) - (balance < 0)) * scale * 2**grid[i // 256])
    return answer


def aggregate(rule: str, sent: list[tuple[bytes, list[int], list[int]]], codec: str, trim: int) -> list[int]:
    """`sent`: (payload, exponents of its blocks of 256, decoded delta) of each worker, in any order."""
    sent = sorted(sent, key=lambda item: item[0])
    dropped = compute_dropped(rule, len(sent), trim)
    grid = compute_grid([item[1] for item in sent], dropped, HEADROOM[codec])
    aligned = [align(item[2], grid) for item in sent]
    if rule.startswith("nnm+"):
        rule, aligned = rule[4:], mix(aligned, scale_rows(aligned, grid), dropped)
    if rule == "sign_vote":
        return vote(aligned, grid)
    rows = scale_rows(aligned, grid)
    return [half_away(value) for value in reduce_rows(rule, rows, dropped)]


def scale_rows(aligned: list[list[int]], grid: list[int]) -> list[Row]:
    return [[Fraction(value * 2**grid[i // 256]) for i, value in enumerate(row)] for row in aligned]


def reduce_rows(rule: str, rows: list[Row], dropped: int) -> Row:
    n = len(rows)
    columns = [sorted(column) for column in zip(*rows)]
    if rule == "mean":
        return mean(columns)
    if rule == "trimmed_mean":
        return mean([column[dropped:n - dropped] for column in columns])
    if rule == "median":
        return mean([column[(n - 1) // 2:n // 2 + 1] for column in columns])
    if rule in ("krum", "multi_krum"):
        best = krum_order(rows, dropped)[:1 if rule == "krum" else n - dropped]
        return mean(list(zip(*(rows[i] for i in best))))
    if rule == "geometric_median":
        weights = geometric_weights(rows)
        return [value / sum(weights) for value in blend(rows, weights)]
    if rule == "clipped_mean":
        return [value / (n * 2**14) for value in blend(rows, clipped_weights(rows))]
    assert rule == "centered_clip"
    return [value / 2**14 for value in blend(rows, centred_weights(rows))]


def mean(columns: list[list[Fraction]] | list[tuple[Fraction, ...]]) -> Row:
    return [sum(column, Fraction(0)) / len(column) for column in columns]
