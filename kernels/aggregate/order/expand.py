"""From sums to the delta: shifted to their block's exponent, divided and rounded, at the speed of memory.

A quotient is taken in double precision and is exact. With t = |sum| * 2**exponent and a divisor k it is the floor of
N / D, N = 2 * t + k and D = 2 * k. Sums of a stack are at most 64 * 2**14 * 127 and exponents at most 25, so that
N + D < 2**53: both are doubles, and so is every integer up to their quotient. Let q be the floor. If N / D is not an
integer it is at most q + 1 - 1/D, and it could be rounded to q + 1 only if half the distance u of the doubles below
q + 1 were 1/D or more. But u <= (q + 1) * 2**-52, and (q + 1) * D <= N + D < 2**53, so u / 2 < 1/D.
So it is with doubles rounded to the nearest, as every process has it from its start, and with those cut off; the
product and the sums have nothing to round.
Source: README.md of the folder above.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numpy.typing import NDArray

from kernels import arrays, threads
from kernels.aggregate.order.sums import is_streamed
from kernels.aggregate.order.vectors import (
    BLOCK, DOUBLE, I8, I16, I32, I64, LANES, ZERO, define, fill, finish_stores, iterate, load, place, spread, stream,
)
from kernels.jit import entry, types

_COUNT = LANES // 8
_DOUBLES, _LONGS, _INTS = (ir.VectorType(kind, _COUNT) for kind in (DOUBLE, I64, I32))
_BIAS, _MANTISSA = 1023, 52


def _divide(element: Any) -> Any:
    source_kind = ir.VectorType(element, _COUNT)

    def emit(builder: Any, source: Any, exponent: Any, divisor: Any, out: Any, streams: Any) -> None:
        """A block: sign(sum) * floor((2 * (|sum| << exponent) + divisor) / (2 * divisor))."""
        power = builder.add(exponent, ir.Constant(I64, _BIAS + 1))
        scale = builder.bitcast(builder.shl(power, ir.Constant(I64, _MANTISSA)), DOUBLE)
        half = builder.sitofp(divisor, DOUBLE)
        scales, halves, wholes = (spread(builder, value, _COUNT) for value in (scale, half, builder.fadd(half, half)))
        with iterate(builder, ZERO, ir.Constant(I64, BLOCK // _COUNT)) as (index, _):
            sums = load(builder, place(builder, source, index, _COUNT * element.width // 8), source_kind)
            sums = sums if element is I32 else builder.sext(sums, _INTS)
            signs = builder.ashr(sums, fill(_INTS, 31))
            sizes = builder.sitofp(builder.sub(builder.xor(sums, signs), signs), _DOUBLES)
            grown = builder.fadd(builder.fmul(sizes, scales), halves)
            quotients = builder.fptosi(builder.fdiv(grown, wholes), _LONGS)
            masks = builder.sext(signs, _LONGS)
            result = builder.sub(builder.xor(quotients, masks), masks)
            stream(builder, result, place(builder, out, index, 8 * _COUNT), streams)

    return define(emit)


def _store_votes(builder: Any, source: Any, size: Any, out: Any, streams: Any) -> None:
    """A block: sign(vote) * size."""
    kind = ir.VectorType(I8, _COUNT)
    nothing, ups = fill(_LONGS, 0), spread(builder, size, _COUNT)
    downs = builder.sub(nothing, ups)
    with iterate(builder, ZERO, ir.Constant(I64, BLOCK // _COUNT)) as (index, _):
        votes = builder.sext(load(builder, place(builder, source, index, _COUNT), kind), _LONGS)
        result = builder.select(builder.icmp_signed("<", votes, nothing), downs, nothing)
        result = builder.select(builder.icmp_signed(">", votes, nothing), ups, result)
        stream(builder, result, place(builder, out, index, 8 * _COUNT), streams)


_divide16, _divide32, _expand_block = _divide(I16), _divide(I32), define(_store_votes)
_EXPONENTS = types.Array(types.uint8, 1, "C", readonly=True)
_SCALES = types.Array(types.int32, 1, "C", readonly=True)


@entry(types.void, types.int64, types.int64, _EXPONENTS, types.int64, types.int64, types.int64, types.int64,
       types.int64)
def divide_span(
    sums: int, size: int, exponents: NDArray[np.uint8], divisor: int, begin: int, end: int, out: int, streams: int
) -> None:
    """Blocks begin..end-1; sums and out: addresses of integers of `size` and of 8 bytes."""
    for block in range(begin, end):
        exponent = np.int64(exponents[block])
        if size == 2:
            _divide16((sums + 2 * block * BLOCK, exponent, divisor, out + 8 * block * BLOCK, streams))
        else:
            _divide32((sums + 4 * block * BLOCK, exponent, divisor, out + 8 * block * BLOCK, streams))
    if streams != 0:
        finish_stores(())


@entry(types.void, types.int64, _SCALES, _EXPONENTS, types.int64, types.int64, types.int64, types.int64)
def expand_votes_span(
    signs: int, scales: NDArray[np.int32], exponents: NDArray[np.uint8], begin: int, end: int, out: int, streams: int
) -> None:
    """Blocks begin..end-1; signs and out: addresses of int8 and int64."""
    for block in range(begin, end):
        size = np.int64(scales[block]) << np.int64(exponents[block])
        _expand_block((signs + block * BLOCK, size, out + 8 * block * BLOCK, streams))
    if streams != 0:
        finish_stores(())


def expand(
    sums: NDArray[np.int16] | NDArray[np.int32], divisor: int, exponents: NDArray[np.uint8], count: int
) -> NDArray[np.int64]:
    """(sums << exponent of their block) / divisor, rounded half away from zero: int64 [count].

    |sums| <= 127 * 2**20, divisor in 1..2**20, exponents in 0..25.
    """
    blocks = exponents.size
    out = arrays.new_array(blocks * BLOCK, np.int64)

    def work(begin: int, end: int) -> None:
        divide_span(sums.ctypes.data, sums.itemsize, exponents, divisor, begin, end, out.ctypes.data, is_streamed(out))

    threads.run_spans(blocks, 1, out.nbytes, work)
    return out[:count]


def expand_votes(
    signs: NDArray[np.int8], scales: NDArray[np.int32], exponents: NDArray[np.uint8], count: int
) -> NDArray[np.int64]:
    """Sign of each vote times (scale << exponent) of its block: int64 [count]."""
    blocks = exponents.size
    out = arrays.new_array(blocks * BLOCK, np.int64)

    def work(begin: int, end: int) -> None:
        expand_votes_span(signs.ctypes.data, scales, exponents, begin, end, out.ctypes.data, is_streamed(out))

    threads.run_spans(blocks, 1, out.nbytes, work)
    return out[:count]
