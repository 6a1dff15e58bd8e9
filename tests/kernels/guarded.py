"""`python -m tests.kernels.guarded aggregate|payload`: the CPU's loops on memory with a forbidden page at either end.

Inputs, results and working memory end where a page begins that nobody may touch, or begin where one ends: a loop that
reads or writes one byte too many ends the process. Each case is printed before it runs. Results are the reference's.
"""

from __future__ import annotations

import ctypes
import math
import mmap
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from kernels import arrays, threads
from kernels.aggregate import cpu as aggregate_cpu
from kernels.aggregate import ref as aggregate_ref
from kernels.aggregate.order import sums as order_sums
from kernels.aggregate.types import WEIGHT_ONE, Stack
from kernels.gemm import engine
from kernels.payload import CODECS, types
from kernels.payload import cpu as payload_cpu
from kernels.payload import ref as payload_ref

PAGE = mmap.PAGESIZE
FORBIDDEN = 0  # PROT_NONE
ROWS = (1, 2, 3, 4, 5, 6, 7, 8, 9, 15, 16, 17, 31, 33, 47, 63, 64)
BLOCKS = (1, 2, 3, 4, 7)
COUNTS = (1, 2, 3, 4, 5, 7, 63, 64, 65, 255, 256, 257, 511, 4095, 4096, 4097, 4159, 4353, 65535, 65536, 65537, 69889)
KEYS = (0x12345678, 0x9ABCDEF0)
_mprotect: Any = ctypes.CDLL(None, use_errno=True).mprotect
_mprotect.argtypes = ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int


class Memory:
    """New arrays with a forbidden page behind them, or before them."""

    def __init__(self) -> None:
        self.is_behind = True

    def new(self, shape: int | tuple[int, ...], dtype: DTypeLike) -> NDArray[Any]:
        """As arrays.new_array."""
        size = math.prod(shape if isinstance(shape, tuple) else (shape,)) * np.dtype(dtype).itemsize
        room = -(-size // PAGE) * PAGE
        whole = np.frombuffer(mmap.mmap(-1, room + 2 * PAGE), np.uint8)
        for page in (0, PAGE + room):
            if _mprotect(whole.ctypes.data + page, PAGE, FORBIDDEN):
                raise OSError(ctypes.get_errno(), "mprotect")
        first = PAGE + (room - size if self.is_behind else 0)
        inside = whole[first:first + size]
        inside[:] = 0xA5
        return inside.view(dtype).reshape(shape)

    def copy(self, array: NDArray[Any]) -> NDArray[Any]:
        """An array that may only be read."""
        held = self.new(array.shape, array.dtype)
        held[...] = array
        held.flags.writeable = False
        return held


def main(what: str) -> int:
    """Run all cases; returns 1 for a result that is not the reference's."""
    memory = Memory()
    setattr(arrays, "new_array", memory.new)
    setattr(threads, "SPAN_COST_MIN", 1)
    for is_behind in (True, False):
        memory.is_behind = is_behind
        if not is_behind:  # memory that begins with a page may be written past the caches
            setattr(order_sums, "STREAM_BYTES_MIN", 1)
            setattr(payload_cpu, "_STREAMED_BYTES_MIN", 1)
        cases = iter_aggregate(memory) if what == "aggregate" else iter_payload(memory)
        for name, found, expected in cases:
            if not np.array_equal(found, expected):
                print(f"{name}: not the reference's", flush=True)
                return 1
    return 0


def iter_aggregate(memory: Memory) -> Iterator[tuple[str, Any, Any]]:
    """Every function of a stack."""
    draw = np.random.default_rng(6)
    for rows in ROWS:
        for blocks in BLOCKS:
            values = draw.integers(-127, 128, (blocks, rows, 256)).astype(np.int8)
            exponents = memory.copy(draw.integers(0, 3, blocks).astype(np.uint8))
            stack = Stack(memory.copy(values), exponents, 256 * blocks)
            for name, arguments in list_calls(stack, draw):
                print(f"{name} of {rows} rows, {blocks} blocks", flush=True)
                yield name, *(getattr(module, name)(stack, *arguments) for module in (aggregate_cpu, aggregate_ref))
            neighbours = (draw.permuted(np.tile(np.arange(rows), (rows, 1)), axis=1) < rows // 2 + 1).astype(np.uint8)
            print(f"mix of {rows} rows, {blocks} blocks", flush=True)
            mixed = (module.mix(stack, neighbours).values for module in (aggregate_cpu, aggregate_ref))
            yield "mix", *mixed
            expected = aggregate_ref.gram(stack)
            for way in engine.list_engines():
                print(f"gram by {way} of {rows} rows, {blocks} blocks", flush=True)
                with engine.forced(way):
                    yield "gram", aggregate_cpu.gram(stack), expected
            yield from iter_expansions(memory, stack)


def list_calls(stack: Stack, draw: np.random.Generator) -> list[tuple[str, tuple[Any, ...]]]:
    """(function, arguments) of functions from a stack to sums."""
    rows = stack.values.shape[1]
    return [
        ("sum_chosen", ([rows - 1],)), ("sum_chosen", (list(range(rows)),)),
        ("sum_ranks", ((rows - 1) // 2, rows // 2 + 1)), ("sum_ranks", (rows // 3, rows - rows // 3)),
        ("sum_ranks", (rows - 1, rows)), ("sum_signs", ()), ("sum_magnitudes", ()), ("squares", ()),
        ("sum_weighted", (draw.integers(0, WEIGHT_ONE + 1, rows).tolist(),)),
    ]


def iter_expansions(memory: Memory, stack: Stack) -> Iterator[tuple[str, Any, Any]]:
    """From sums to deltas, of a last block that is not whole."""
    count, rows = stack.count - 255, stack.values.shape[1]
    signs, scales = aggregate_ref.sum_signs(stack), aggregate_ref.sum_magnitudes(stack)[:, 0]
    for kind in (np.int16, np.int32):
        sums = memory.copy(aggregate_ref.sum_chosen(stack, list(range(rows))).astype(kind))
        calls = (module.expand(sums, rows, stack.exponents, count) for module in (aggregate_cpu, aggregate_ref))
        yield "expand", *calls
    held = memory.copy(signs), memory.copy(np.ascontiguousarray(scales)), stack.exponents, count
    yield "expand_votes", *(module.expand_votes(*held) for module in (aggregate_cpu, aggregate_ref))


def iter_payload(memory: Memory) -> Iterator[tuple[str, Any, Any]]:
    """Every function of a payload, on right ones and on bytes that somebody made up."""
    draw = np.random.default_rng(8)
    for codec in CODECS:
        for count in COUNTS:
            print(f"{codec} of {count}", flush=True)
            delta = memory.copy(draw.integers(-2**32 + 1, 2**32, count) >> draw.integers(0, 34, count))
            data = payload_ref.encode(delta, KEYS, codec)
            grid = memory.copy(draw.integers(0, 31, types.count_parts(count, 256)).astype(np.uint8))
            yield "encode", payload_cpu.encode(delta, KEYS, codec), data
            held = memory.copy(data)
            yield "decode", payload_cpu.decode(held, count, codec), payload_ref.decode(data, count, codec)
            yield "fill_row", *(fill(module, held, count, codec, grid, memory) for module in (payload_cpu, payload_ref))
            if codec == types.TOP64.name:
                both = [held, memory.copy(payload_ref.encode(-delta, KEYS, codec))]
                sums = (module.accumulate(both, count, grid, [3, 2]) for module in (payload_cpu, payload_ref))
                yield "accumulate", *sums
                yield "squares", *(module.squares(held, count, grid) for module in (payload_cpu, payload_ref))
            for made in (draw.integers(0, 256, data.size), np.full(data.size, 255), np.zeros(data.size)):
                hostile = memory.copy(made.astype(np.uint8))
                expected = payload_ref.find_fault(hostile, count, codec)
                yield "find_fault", payload_cpu.find_fault(hostile, count, codec), expected
                row = memory.new((grid.size, 3, 256), np.int8)
                yield "fault", payload_cpu.fill_row(hostile, count, codec, grid, row, 1), expected


def fill(module: Any, data: NDArray[Any], count: int, codec: str, grid: NDArray[Any], memory: Memory) -> NDArray[Any]:
    """A stack of three rows, of which the middle one is written."""
    values = memory.new((grid.size, 3, 256), np.int8)
    module.fill_row(data, count, codec, grid, values, 1)
    return values


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
