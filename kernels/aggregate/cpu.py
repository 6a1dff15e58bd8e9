"""Aggregation on the CPU.  Same functions as ref.py."""

from __future__ import annotations

from kernels.aggregate.ref import (
    expand, expand_votes, gram, mix, squares, sum_chosen, sum_magnitudes, sum_ranks, sum_signs, sum_weighted,
)

__all__ = (
    "expand", "expand_votes", "gram", "mix", "squares", "sum_chosen", "sum_magnitudes", "sum_ranks", "sum_signs",
    "sum_weighted",
)
