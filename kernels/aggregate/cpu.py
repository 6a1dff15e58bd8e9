"""Aggregation on the CPU.  Same functions as ref.py."""

from __future__ import annotations

from kernels.aggregate.gram.matrix import gram
from kernels.aggregate.gram.mix import mix
from kernels.aggregate.gram.squares import squares
from kernels.aggregate.gram.weighted import sum_weighted
from kernels.aggregate.order.expand import expand, expand_votes
from kernels.aggregate.order.ranks import sum_ranks
from kernels.aggregate.order.sums import sum_chosen, sum_magnitudes, sum_signs

__all__ = (
    "expand", "expand_votes", "gram", "mix", "squares", "sum_chosen", "sum_magnitudes", "sum_ranks", "sum_signs",
    "sum_weighted",
)
