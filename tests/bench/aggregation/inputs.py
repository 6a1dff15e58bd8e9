"""What a cell of the table is measured on: payloads of n workers, their stack, and the same values for other libraries.

Values are normal ones in int8, drawn by numpy's PCG64 from a fixed seed; exponents of a block differ by one between
workers. Others get the very values that our rules see, decoded and aligned: float32 [n, d], and int8 [n, d].
"""

from functools import lru_cache
from statistics import NormalDist
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from kernels import aggregate, dispatch, payload
from kernels.aggregate.types import Stack
from kernels.payload.types import BLOCK_VALUES

DENSE, SPARSE = "int8/256", "top64/4096"
OTHERS = ("int4/256", "int2/256", SPARSE)
SEED = 6
SPREAD = 30.0  # of the normal distribution: a block's largest value of 256 is near 85
TABLE_VALUES = 2**16
EXPONENTS = (3, 6)  # of blocks, before workers differ
DISTINCT_MAX = 8  # payloads in other codecs that are encoded; more workers send copies in memory of their own


class Inputs(NamedTuple):
    """One cell: `stack` is of `payloads` in their canonical order; `dropped` = n // 4 of them may lie."""

    payloads: list[bytes]
    stack: Stack
    dropped: int

    @property
    def workers(self) -> int:
        """n."""
        return len(self.payloads)

    @property
    def count(self) -> int:
        """d, or P: coordinates of a delta."""
        return self.stack.count


class Matrices(NamedTuple):
    """The stack's values as other libraries take them, [n, d]."""

    floats: NDArray[np.float32]
    bytes: NDArray[np.int8]


def draw_inputs(workers: int, count: int) -> Inputs:
    """Payloads in int8/256 and their stack, on the cpu back end."""
    payloads = [encode_delta(draw_delta(worker, count), worker, DENSE) for worker in range(workers)]
    dropped = aggregate.compute_trim(workers, workers // 4)
    with dispatch.forced("cpu"):
        stack = aggregate.build_stack(payloads, count, DENSE, dropped)
    return Inputs(payloads, stack, dropped)


def draw_others(workers: int, count: int) -> dict[str, list[bytes]]:
    """Payloads in the other codecs, by codec."""
    deltas = [draw_delta(worker, count) for worker in range(min(workers, DISTINCT_MAX))]
    found = {}
    for codec in OTHERS:
        distinct = [encode_delta(delta, worker, codec) for worker, delta in enumerate(deltas)]
        found[codec] = [bytes(bytearray(distinct[worker % len(distinct)])) for worker in range(workers)]
    return found


def encode_delta(delta: NDArray[np.int64], worker: int, codec: str) -> bytes:
    """The payload of a worker."""
    with dispatch.forced("cpu"):
        return payload.encode(delta.astype("<i8").tobytes(), delta.size, worker.to_bytes(32, "little"), codec)


def draw_delta(worker: int, count: int) -> NDArray[np.int64]:
    """A worker's delta: normal int8 values times powers of two, one for each block of 256."""
    blocks = -(-count // BLOCK_VALUES)
    chosen = np.random.default_rng((SEED, worker)).integers(0, TABLE_VALUES, blocks * BLOCK_VALUES, dtype=np.uint16)
    values = find_quantiles()[chosen].astype(np.int64).reshape(blocks, BLOCK_VALUES)
    shared = np.random.default_rng(SEED).integers(*EXPONENTS, blocks, endpoint=True)
    own = np.random.default_rng((SEED, worker, 1)).integers(0, 4, blocks) == 0
    return (values << (shared + own)[:, None]).reshape(-1)[:count]


@lru_cache
def find_quantiles() -> NDArray[np.int8]:
    """The normal distribution at TABLE_VALUES even steps, rounded, at most 127 in size."""
    normal = NormalDist(0.0, SPREAD)
    steps = ((index + 0.5) / TABLE_VALUES for index in range(TABLE_VALUES))
    return np.array([max(-127, min(127, round(normal.inv_cdf(step)))) for step in steps], dtype=np.int8)


def unpack_stack(stack: Stack) -> Matrices:
    """Rows of the stack without its padding."""
    blocks, rows, _ = stack.values.shape
    flat = np.empty((rows, stack.count), dtype=np.int8)
    floats = np.empty((rows, stack.count), dtype=np.float32)
    scales = np.ldexp(np.float32(1), stack.exponents.astype(np.int32)).astype(np.float32)
    for row in range(rows):
        values = np.ascontiguousarray(stack.values[:, row])
        flat[row] = values.reshape(-1)[:stack.count]
        floats[row] = (values * scales[:, None]).reshape(-1)[:stack.count]
    return Matrices(floats, flat)


def take_blocks(stack: Stack, places: NDArray[np.int64]) -> Stack:
    """A stack of some of the blocks, the last one among them."""
    padding = BLOCK_VALUES * len(stack.values) - stack.count
    return Stack(np.ascontiguousarray(stack.values[places]), stack.exponents[places],
                 BLOCK_VALUES * len(places) - padding)
