"""What the reference back end makes of a cell, to compare with before anything is timed.

Inner products are the reference's of the whole stack, slice by slice of its blocks. Everything else goes coordinate by
coordinate: up to 2**24 values the whole stack is compared, above it as many blocks of it, the first and last ones among
them.
"""

from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kernels import aggregate
from kernels.aggregate import ref
from kernels.aggregate.types import Stack
from kernels.payload.types import BLOCK_VALUES
from tests.bench.aggregation.inputs import SEED, Inputs, take_blocks

COMPARED_VALUES = 2**24
END_BLOCKS = 16
SLICE_VALUES = 2**22
THREADS = 2
Gram = list[list[int]]


class Reference:
    """Results of the reference for the blocks `places` of a cell."""

    def __init__(self, inputs: Inputs) -> None:
        self.inputs = inputs
        self.places = choose_places(*inputs.stack.values.shape[:2])
        self.sample = take_blocks(inputs.stack, self.places)

    @cached_property
    def gram(self) -> Gram:
        """Inner products of the whole rows."""
        values, exponents, _ = self.inputs.stack
        step = max(1, SLICE_VALUES // (values.shape[1] * BLOCK_VALUES))

        def add(first: int) -> Any:
            part = slice(first, first + step)
            return np.array(ref.gram(Stack(values[part], exponents[part], BLOCK_VALUES)), dtype=object)

        with ThreadPoolExecutor(THREADS) as pool:
            total: Gram = sum(pool.map(add, range(0, len(values), step))).tolist()
        return total

    @property
    def squares(self) -> list[int]:
        """Its diagonal."""
        return [row[index] for index, row in enumerate(self.gram)]

    def sum_rows(self, rule: str) -> tuple[NDArray[Any], Any]:
        """(sums of the sample's coordinates, divisor)."""
        return aggregate.sum_rows(WholeProducts(self), rule, self.sample, self.inputs.dropped)


class WholeProducts:
    """The reference's functions, but inner products of the sample are those of the whole stack."""

    def __init__(self, reference: Reference) -> None:
        self.reference = reference

    def __getattr__(self, name: str) -> Any:
        return getattr(ref, name)

    def gram(self, stack: Stack) -> Gram:
        """Of the whole stack; the sample alone may be asked for."""
        self._check(stack)
        return self.reference.gram

    def squares(self, stack: Stack) -> list[int]:
        """Its diagonal."""
        self._check(stack)
        return self.reference.squares

    def _check(self, stack: Stack) -> None:
        if stack is not self.reference.sample:
            raise ValueError("a mixed sample has no inner products of the whole stack")


def choose_places(blocks: int, rows: int) -> NDArray[np.int64]:
    """The blocks that are compared, in order."""
    most = max(2 * END_BLOCKS, COMPARED_VALUES // (rows * BLOCK_VALUES))
    if blocks <= most:
        return np.arange(blocks)
    inner = np.random.default_rng(SEED).choice(blocks - 2 * END_BLOCKS, most - 2 * END_BLOCKS, replace=False)
    ends = [*range(END_BLOCKS), *range(blocks - END_BLOCKS, blocks)]
    return np.sort(np.concatenate([inner + END_BLOCKS, ends])).astype(np.int64)
