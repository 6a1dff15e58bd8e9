"""Means of chosen rows of blocks, for one thread.

Reads/Writes: memory at the addresses that it is given, and the caller's arrays. Rows are taken four by four: all 16
sums of a group's rows stand in a table of int16 vectors, so that each chosen row's part of a group is one addition.
The division is a multiplication by a reciprocal of 16 bits and a shift. Source: README.md beside this file.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numpy.typing import NDArray

from kernels.aggregate.gram_tiles import ROW_BYTES, load, splat
from kernels.jit import Scalar, entry, intrinsic, types

STRIP = 32  # columns of a vector
GROUP_ROWS = 4
ENTRY_BYTES = 2 * STRIP
GROUP_BYTES = ENTRY_BYTES << GROUP_ROWS
_I32, _I64 = ir.IntType(32), ir.IntType(64)
_BYTES = ir.VectorType(ir.IntType(8), STRIP)
_HALVES = ir.VectorType(ir.IntType(16), STRIP)
_WIDE = ir.VectorType(_I32, STRIP)


def _store(builder: Any, value: Any, address: Any) -> None:
    builder.store(value, builder.inttoptr(address, value.type.as_pointer())).align = 1


def _spread(builder: Any, value: Any) -> Any:
    """An int64 in every lane, as int16."""
    single = builder.insert_element(ir.Constant(_HALVES, ir.Undefined), builder.trunc(value, ir.IntType(16)),
                                    ir.Constant(_I32, 0))
    picks = ir.Constant(ir.VectorType(_I32, STRIP), [0] * STRIP)
    return builder.shuffle_vector(single, ir.Constant(_HALVES, ir.Undefined), picks)


@intrinsic  # type: ignore[untyped-decorator]
def write_group(typing: Any, first: Any, second: Any, third: Any, fourth: Any, sign: Any, table: Any) -> Any:
    """Entries 1..15 of a group: the sums of the rows at the addresses of the bits set; of their negatives if sign = -1.

    sign: 0 or -1.
    """
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        *rows, sign, table = arguments
        flip = _spread(builder, sign)
        sums = [ir.Constant(_HALVES, None)]
        for row in rows:
            values = builder.sext(load(builder, row, 0, _BYTES), _HALVES)
            values = builder.sub(builder.xor(values, flip), flip)
            sums += [values if index == 0 else builder.add(former, values) for index, former in enumerate(sums)]
        for index, value in enumerate(sums[1:], 1):
            _store(builder, value, builder.add(table, ir.Constant(_I64, ENTRY_BYTES * index)))
        return context.get_dummy_value()

    return types.none(*[types.int64] * 6), generate


@intrinsic  # type: ignore[untyped-decorator]
def write_base(typing: Any, table: Any, groups: Any, start: Any, base: Any) -> Any:
    """The vector at `base` = start - the last entries of all groups; start in int16."""
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        table, groups, start, base = arguments
        last = builder.add(table, ir.Constant(_I64, GROUP_BYTES - ENTRY_BYTES))
        step = ir.Constant(_I64, GROUP_BYTES)
        _store(builder, _fold(builder, _spread(builder, start), groups,
                              lambda place: (load(builder, place, 0, _HALVES), builder.add(place, step)), last,
                              builder.sub), base)
        return context.get_dummy_value()

    return types.none(*[types.int64] * 4), generate


def _fold(builder: Any, start: Any, count: Any, read: Any, place: Any, join: Any) -> Any:
    """start joined with `count` >= 0 vectors, each read from a place that `read` gives on with it."""
    zero, one = ir.Constant(_I64, 0), ir.Constant(_I64, 1)
    before, body, end = builder.block, builder.append_basic_block("fold"), builder.append_basic_block("fold.end")
    builder.cbranch(builder.icmp_signed(">", count, zero), body, end)
    builder.position_at_end(body)
    rest, at, held = builder.phi(_I64), builder.phi(_I64), builder.phi(_HALVES)
    value, following = read(at)
    grown, left = join(held, value), builder.sub(rest, one)
    for phi, first, later in ((rest, count, left), (at, place, following), (held, start, grown)):
        phi.add_incoming(first, before)
        phi.add_incoming(later, body)
    builder.cbranch(builder.icmp_signed(">", left, zero), body, end)
    builder.position_at_end(end)
    result = builder.phi(_HALVES)
    result.add_incoming(start, before)
    result.add_incoming(grown, body)
    return result


@intrinsic  # type: ignore[untyped-decorator]
def write_mean(
    typing: Any, base: Any, table: Any, picks: Any, count: Any, half: Any, factor: Any, shift: Any, out: Any
) -> Any:
    """The bytes at `out` = ((u - (1 if u < half else 0)) * factor >> 16 >> shift) - 128, of unsigned int16 u.

    u: base + the entries of the table at the `count` >= 0 offsets at `picks`, int64.
    """
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        base, table, picks, count, half, factor, shift, out = arguments

        def read(place: Any) -> Any:
            entry = builder.add(table, load(builder, place, 0, _I64))
            return load(builder, entry, 0, _HALVES), builder.add(place, ir.Constant(_I64, 8))

        total = _fold(builder, load(builder, base, 0, _HALVES), count, read, picks, builder.add)
        below = builder.sext(builder.icmp_unsigned("<", total, _spread(builder, half)), _HALVES)
        total = builder.add(total, below)
        product = builder.mul(builder.zext(total, _WIDE), builder.zext(_spread(builder, factor), _WIDE))
        high = builder.trunc(builder.lshr(product, splat(_WIDE, 16)), _HALVES)
        mean = builder.trunc(builder.lshr(high, _spread(builder, shift)), _BYTES)
        _store(builder, builder.xor(mean, splat(_BYTES, -128)), out)
        return context.get_dummy_value()

    return types.none(*[types.int64] * 8), generate


@entry(
    types.void, types.Array(types.int8, 3, "C", readonly=True), types.Array(types.int64, 1, "C"),
    types.Array(types.int64, 1, "C"), types.Array(types.int64, 1, "C"), types.Array(types.uint8, 1, "C"),
    types.Array(types.int8, 3, "C"),
)
def run(
    values: NDArray[np.int8], picks: NDArray[np.int64], ends: NDArray[np.int64], constants: NDArray[np.int64],
    work: NDArray[np.uint8], out: NDArray[np.int8],
) -> None:
    """out[:, i] = the means of rows whose sums are the table's entries picks[ends[i - 1]:ends[i]].

    constants: sign, start, half, factor, shift as divide.find_constants has them; a sign of -1 takes the entries away
    from the sum of all rows. work: count_work(rows) bytes, the first vector zero.
    """
    blocks, rows, _ = values.shape
    sign, start, half, factor, shift = constants
    groups = (rows + GROUP_ROWS - 1) // GROUP_ROWS
    zeros: Scalar = work.ctypes.data
    base, table = zeros + ENTRY_BYTES, zeros + 2 * ENTRY_BYTES
    for block in range(blocks):
        for column in range(0, ROW_BYTES, STRIP):
            place = values.ctypes.data + block * rows * ROW_BYTES + column
            target = out.ctypes.data + block * rows * ROW_BYTES + column
            for group in range(groups):
                row = GROUP_ROWS * group
                first = place + ROW_BYTES * row
                write_group(first, first + ROW_BYTES if row + 1 < rows else zeros,
                            first + 2 * ROW_BYTES if row + 2 < rows else zeros,
                            first + 3 * ROW_BYTES if row + 3 < rows else zeros, sign, table + GROUP_BYTES * group)
            write_base(table, -sign * groups, start, base)
            begin = 0
            for row in range(rows):
                write_mean(base, table, picks.ctypes.data + 8 * begin, ends[row] - begin, half, factor, shift,
                           target + ROW_BYTES * row)
                begin = ends[row]


def count_work(rows: int) -> int:
    """Bytes of working memory of `run`."""
    return 2 * ENTRY_BYTES + (rows + GROUP_ROWS - 1) // GROUP_ROWS * GROUP_BYTES
