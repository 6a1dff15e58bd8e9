"""Means of chosen rows of blocks, for one thread.

Reads/Writes: memory at the addresses that it is given, and the caller's arrays. Rows are taken two by two:
both and their sum stand in a table of int16 vectors, so that what is chosen of a group is at most one addition.
The division is a multiplication by a reciprocal of 16 bits and a shift. Source: README.md of the folder above.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numpy.typing import NDArray

from kernels.aggregate.gram.tiles import ROW_BYTES, fetch_row, splat
from kernels.gemm.instructions import load
from kernels.jit import Scalar, entry, find_features, intrinsic, types

STRIP = 32  # columns of a vector
GROUP_ROWS = 2
PICKS_STEP = 4  # entries that are added at a time; as many times 0 bytes, the empty entry, fill them up
ENTRY_BYTES = 2 * STRIP
GROUP_BYTES = ENTRY_BYTES << GROUP_ROWS
_I32, _I64 = ir.IntType(32), ir.IntType(64)
_BYTES = ir.VectorType(ir.IntType(8), STRIP)
_HALVES = ir.VectorType(ir.IntType(16), STRIP)
_WIDE = ir.VectorType(_I32, STRIP)
_MULTIPLY_HIGH = (
    ("avx512bw", "llvm.x86.avx512.pmulhu.w.512", 32), ("avx2", "llvm.x86.avx2.pmulhu.w", 16),
    ("sse2", "llvm.x86.sse2.pmulhu.w", 8),
)


def _store(builder: Any, value: Any, address: Any) -> None:
    builder.store(value, builder.inttoptr(address, value.type.as_pointer())).align = 1


def _spread(builder: Any, value: Any) -> Any:
    """An int64 in every lane, as int16."""
    single = builder.insert_element(ir.Constant(_HALVES, ir.Undefined), builder.trunc(value, ir.IntType(16)),
                                    ir.Constant(_I32, 0))
    picks = ir.Constant(ir.VectorType(_I32, STRIP), [0] * STRIP)
    return builder.shuffle_vector(single, ir.Constant(_HALVES, ir.Undefined), picks)


@intrinsic  # type: ignore[untyped-decorator]
def write_group(typing: Any, first: Any, second: Any, sign: Any, table: Any) -> Any:
    """Entries 1..3 of a group: the rows at two addresses and their sum; of their negatives if sign is -1, not 0."""
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

    return types.none(*[types.int64] * 4), generate


@intrinsic  # type: ignore[untyped-decorator]
def write_base(typing: Any, table: Any, groups: Any, start: Any, base: Any) -> Any:
    """The vector at `base` = start - the last entries of all groups; start in int16."""
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        table, groups, start, base = arguments
        last = builder.add(table, ir.Constant(_I64, GROUP_BYTES - ENTRY_BYTES))
        step = ir.Constant(_I64, GROUP_BYTES)

        def read(place: Any) -> Any:
            return load(builder, place, 0, _HALVES), builder.add(place, step)

        total = _fold(builder, ir.Constant(_HALVES, None), groups, read, last)
        _store(builder, builder.sub(_spread(builder, start), total), base)
        return context.get_dummy_value()

    return types.none(*[types.int64] * 4), generate


def _fold(builder: Any, start: Any, count: Any, read: Any, place: Any) -> Any:
    """start + `count` >= 0 vectors, each read from a place that `read` gives on with it."""
    zero, one = ir.Constant(_I64, 0), ir.Constant(_I64, 1)
    before, body, end = builder.block, builder.append_basic_block("fold"), builder.append_basic_block("fold.end")
    builder.cbranch(builder.icmp_signed(">", count, zero), body, end)
    builder.position_at_end(body)
    rest, at, held = builder.phi(_I64), builder.phi(_I64), builder.phi(_HALVES)
    value, following = read(at)
    grown, left = builder.add(held, value), builder.sub(rest, one)
    for phi, first, later in ((rest, count, left), (at, place, following), (held, start, grown)):
        phi.add_incoming(first, before)
        phi.add_incoming(later, body)
    builder.cbranch(builder.icmp_signed(">", left, zero), body, end)
    builder.position_at_end(end)
    result = builder.phi(_HALVES)
    result.add_incoming(start, before)
    result.add_incoming(grown, body)
    return result


def _multiply_high(builder: Any, left: Any, right: Any) -> Any:
    """left * right >> 16 of unsigned int16. LLVM does not see the instruction where `right` is made outside a loop."""
    for feature, name, lanes in _MULTIPLY_HIGH:
        if feature in find_features():
            kind = ir.VectorType(left.type.element, lanes)
            call = builder.module.globals.get(name) or ir.Function(
                builder.module, ir.FunctionType(kind, [kind, kind]), name)
            parts = [
                builder.call(call, [_slice(builder, side, start, lanes) for side in (left, right)])
                for start in range(0, STRIP, lanes)
            ]
            while len(parts) > 1:
                parts = [_join(builder, *parts[index:index + 2]) for index in range(0, len(parts), 2)]
            return parts[0]
    product = builder.mul(builder.zext(left, _WIDE), builder.zext(right, _WIDE))
    return builder.trunc(builder.lshr(product, splat(_WIDE, 16)), _HALVES)


def _slice(builder: Any, values: Any, start: int, lanes: int) -> Any:
    picks = ir.Constant(ir.VectorType(_I32, lanes), list(range(start, start + lanes)))
    return builder.shuffle_vector(values, ir.Constant(values.type, ir.Undefined), picks)


def _join(builder: Any, low: Any, high: Any) -> Any:
    lanes = 2 * low.type.count
    return builder.shuffle_vector(low, high, ir.Constant(ir.VectorType(_I32, lanes), list(range(lanes))))


@intrinsic  # type: ignore[untyped-decorator]
def write_mean(
    typing: Any, base: Any, table: Any, picks: Any, count: Any, half: Any, factor: Any, shift: Any, out: Any
) -> Any:
    """The bytes at `out` = ((u - (1 if u < half else 0)) * factor >> 16 >> shift) - 128, of unsigned int16 u.

    u: base + the entries of the table at the offsets at `picks`, int64: `count` >= 0 times PICKS_STEP.
    """
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        base, table, picks, count, half, factor, shift, out = arguments

        def read(place: Any) -> Any:
            entries = [
                load(builder, builder.add(table, load(builder, place, 8 * index, _I64)), 0, _HALVES)
                for index in range(PICKS_STEP)
            ]
            while len(entries) > 1:
                entries = [builder.add(*entries[index:index + 2]) for index in range(0, len(entries), 2)]
            return entries[0], builder.add(place, ir.Constant(_I64, 8 * PICKS_STEP))

        total = _fold(builder, load(builder, base, 0, _HALVES), count, read, picks)
        below = builder.sext(builder.icmp_unsigned("<", total, _spread(builder, half)), _HALVES)
        high = _multiply_high(builder, builder.add(total, below), _spread(builder, factor))
        mean = builder.trunc(builder.lshr(high, _spread(builder, shift)), _BYTES)
        _store(builder, builder.xor(mean, splat(_BYTES, -128)), out)
        return context.get_dummy_value()

    return types.none(*[types.int64] * 8), generate


@entry(
    types.void, types.Array(types.int8, 3, "C", readonly=True), types.Array(types.int64, 1, "C"),
    types.Array(types.int64, 1, "C"), types.Array(types.int64, 1, "C"), types.Array(types.int64, 1, "C"),
    types.Array(types.uint8, 1, "C"),
    types.Array(types.int8, 3, "C"),
)
def run(
    values: NDArray[np.int8], order: NDArray[np.int64], picks: NDArray[np.int64], ends: NDArray[np.int64],
    constants: NDArray[np.int64], work: NDArray[np.uint8], out: NDArray[np.int8],
) -> None:
    """out[:, order[i]] = the means of rows whose sums are the table's entries picks[ends[i - 1]:ends[i]].

    constants: sign, start, half, factor, shift as mix.find_constants has them; a sign of -1 takes the entries away
    from the sum of all rows. work: new_work(rows).
    """
    blocks, rows, _ = values.shape
    sign, start, half, factor, shift = constants
    groups = (rows + GROUP_ROWS - 1) // GROUP_ROWS
    zeros: Scalar = np.int64(work.ctypes.data)
    offsets: Scalar = np.int64(picks.ctypes.data)
    base, table = zeros + ENTRY_BYTES, zeros + 2 * ENTRY_BYTES
    for block in range(blocks):
        following = np.int64(values.ctypes.data) + min(block + 1, blocks - 1) * rows * ROW_BYTES
        for column in range(0, ROW_BYTES, STRIP):
            place = np.int64(values.ctypes.data) + block * rows * ROW_BYTES + column
            target = np.int64(out.ctypes.data) + block * rows * ROW_BYTES + column
            for row in range(column * rows // ROW_BYTES, (column + STRIP) * rows // ROW_BYTES):
                fetch_row(following + ROW_BYTES * row)
            for group in range(groups):
                row = GROUP_ROWS * group
                first = place + ROW_BYTES * row
                write_group(first, first + ROW_BYTES if row + 1 < rows else zeros, sign, table + GROUP_BYTES * group)
            write_base(table, -sign * groups, start, base)
            begin = 0
            for index in range(rows):
                write_mean(base, table, offsets + 8 * PICKS_STEP * begin, ends[index] - begin, half, factor, shift,
                           target + ROW_BYTES * order[index])
                begin = ends[index]


def new_work(rows: int) -> NDArray[np.uint8]:
    """Working memory of `run`. Its vectors begin where a line of a cache does: half as fast again."""
    groups = (rows + GROUP_ROWS - 1) // GROUP_ROWS
    whole = np.zeros((groups << GROUP_ROWS) * ENTRY_BYTES + 3 * ENTRY_BYTES, np.uint8)
    return whole[(ENTRY_BYTES - whole.ctypes.data % ENTRY_BYTES) % ENTRY_BYTES:]
