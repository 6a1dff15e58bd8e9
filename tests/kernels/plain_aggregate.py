"""Aggregation as section 9 of kernels/README.md words it, in plain Python: exact fractions, coordinate by coordinate.

No Gram matrix, no blocks of all workers: distances are sums over coordinates, values are decoded deltas.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from math import floor, isqrt

Row = list[int]
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


def align(delta: Row, grid: list[int]) -> Row:
    """Round half to even is what Python's round does of a fraction."""
    return [max(-127, min(127, round(Fraction(value, 2**grid[i // 256])))) for i, value in enumerate(delta)]


def middle(values: list[int]) -> int:
    return sorted(values)[(len(values) - 1) // 2]


def squared(row: Row) -> int:
    return sum(value * value for value in row)


def differ(left: Row, right: Row) -> int:
    return sum((a - b) ** 2 for a, b in zip(left, right))


def blend(rows: list[Row], weights: list[int]) -> Row:
    return [sum(w * value for w, value in zip(weights, column)) for column in zip(*rows)]


def krum_order(rows: list[Row], dropped: int) -> list[int]:
    nearest = max(1, len(rows) - dropped - 2)
    scores = [sum(sorted(differ(row, other) for j, other in enumerate(rows) if j != i)[:nearest])
              for i, row in enumerate(rows)]
    return sorted(range(len(rows)), key=lambda i: (scores[i], i))


def mix(aligned: list[Row], rows: list[Row], dropped: int) -> list[Row]:
    mixed, kept = [], len(rows) - dropped
    for row in rows:
        distances = [differ(row, other) for other in rows]
        near = sorted(range(len(rows)), key=lambda j: (distances[j], j))[:kept]
        mixed.append([half_away(Fraction(sum(column), kept)) for column in zip(*(aligned[j] for j in near))])
    return mixed


def clip_weight(square: int, limit: int, one: int) -> int:
    """floor(one * min(1, sqrt(limit / square)))."""
    return one if square <= limit else isqrt(floor(Fraction(limit, square) * one * one))


def geometric_weights(rows: list[Row]) -> list[int]:
    weights = [2**14] * len(rows)
    for _ in range(8):
        total, centre = sum(weights), blend(rows, weights)
        roots = [isqrt(differ([total * value for value in row], centre)) for row in rows]
        smoothing = (middle(roots) >> 6) + 1
        roots = [root + smoothing for root in roots]
        weights = [2**14 * min(roots) // root for root in roots]
    return weights


def clipped_weights(rows: list[Row]) -> list[int]:
    squares = [squared(row) for row in rows]
    return [clip_weight(square, middle(squares), 2**14) for square in squares]


def centred_weights(rows: list[Row]) -> list[int]:
    n, centre = len(rows), [0] * len(rows)
    for _ in range(3):
        point = blend(rows, centre)
        squares = [differ([2**20 * value for value in row], point) for row in rows]
        factors = [clip_weight(square, middle(squares), 2**20) for square in squares]
        left = n * 2**20 - sum(factors)
        centre = [(c * left + factor * 2**20) // (n * 2**20) for c, factor in zip(centre, factors)]
    return [c >> 6 for c in centre]


def vote(aligned: list[Row], grid: list[int]) -> Row:
    columns, answer = list(zip(*aligned)), []
    for start in range(0, len(columns), 256):
        block = columns[start:start + 256]
        scale = middle([sum(abs(value) for value in part) for part in zip(*block)]) // len(block)
        for column in block:
            balance = sum((value > 0) - (value < 0) for value in column)
            answer.append(((balance > 0) - (balance < 0)) * scale * 2**grid[start // 256])
    return answer


def aggregate(rule: str, sent: list[tuple[bytes, list[int], list[int]]], codec: str, trim: int) -> Row:
    """`sent`: (payload, exponents of its blocks of 256, decoded delta) of each worker, in any order."""
    sent = sorted(sent, key=lambda item: item[0])
    dropped = compute_dropped(rule, len(sent), trim)
    grid = compute_grid([item[1] for item in sent], dropped, HEADROOM[codec])
    aligned = [align(item[2], grid) for item in sent]
    if rule.startswith("nnm+"):
        rule, aligned = rule[4:], mix(aligned, scale_rows(aligned, grid), dropped)
    if rule == "sign_vote":
        return vote(aligned, grid)
    return [half_away(value) for value in reduce_rows(rule, scale_rows(aligned, grid), dropped)]


def scale_rows(aligned: list[Row], grid: list[int]) -> list[Row]:
    return [[value << grid[i // 256] for i, value in enumerate(row)] for row in aligned]


def reduce_rows(rule: str, rows: list[Row], dropped: int) -> list[Fraction]:
    n = len(rows)
    if rule in ("krum", "multi_krum"):
        best = krum_order(rows, dropped)[:1 if rule == "krum" else n - dropped]
        return [mean(column) for column in zip(*(rows[i] for i in best))]
    if rule == "geometric_median":
        weights = geometric_weights(rows)
        return [Fraction(value, sum(weights)) for value in blend(rows, weights)]
    if rule == "clipped_mean":
        return [Fraction(value, n * 2**14) for value in blend(rows, clipped_weights(rows))]
    if rule == "centered_clip":
        return [Fraction(value, 2**14) for value in blend(rows, centred_weights(rows))]
    kept = {"mean": slice(0, n), "trimmed_mean": slice(dropped, n - dropped), "median": slice((n - 1) // 2, n // 2 + 1)}
    return [mean(sorted(column)[kept[rule]]) for column in zip(*rows)]


def mean(values: Sequence[int]) -> Fraction:
    return Fraction(sum(values), len(values))
