"""Compiled tiles of a Gram matrix: products of a few rows of blocks with a few others, without packing.

Reads/Writes: memory at the addresses that they are given. A block is rows of 256 int8 that follow each other. A tile
keeps a vector of int32 lanes for each pair of rows and adds the lanes up at its end, so it needs no transposition.
The type of the first argument, a marker, says how pairs of vectors are multiplied: int16 for 512-bit and int8 for
256-bit vpdpbusd, int32 for products of int16 pairs, which compile for every processor. Compiling the first two for a
processor without the instruction ends the process: ask kernels.gemm.instructions.find_lanes first.
Source: README.md of the folder above; kernels/gemm/instructions.py.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir

from kernels import pairs
from kernels.gemm.instructions import declare_dot, load
from kernels.jit import intrinsic, types

ROW_BYTES = 256
BLOCKS_MAX = 256  # whose sums fit int32: 256 * 256 * 255 * 128 < 2**31
COLUMNS = 4
_ROWS_OF = {types.int16: 4, types.int8: 2, types.int32: 2}
_BIAS_OF = {types.int16: 128, types.int8: 128, types.int32: 0}
_LANES_OF = {types.int16: 16, types.int8: 8, types.int32: 16}
_I8, _I16, _I32, _I64 = ir.IntType(8), ir.IntType(16), ir.IntType(32), ir.IntType(64)


def _new_constant(values: dict[Any, int]) -> Any:
    def constant(typing: Any, marker: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            return ir.Constant(_I64, values[marker])

        return types.int64(marker), generate

    return intrinsic(constant)


count_rows = _new_constant(_ROWS_OF)  # of a tile
find_bias = _new_constant(_BIAS_OF)  # what is added to the elements of a tile's rows


def splat(kind: Any, value: int) -> Any:
    return ir.Constant(kind, [value] * kind.count)


class _Products:
    """How one processor multiplies: operands of `bytes` elements of a row, and sums of `lanes` int32."""

    def __init__(self, builder: Any, marker: Any) -> None:
        self.builder, self.is_dot = builder, marker != types.int32
        self.lanes = _LANES_OF[marker]
        self.kind = ir.VectorType(_I32, self.lanes)
        self.bytes = self.lanes * (4 if self.is_dot else 2)
        self.row = ir.VectorType(_I8, self.bytes)

    def read(self, address: Any, offset: int) -> Any:
        """A signed operand."""
        values = load(self.builder, address, offset, self.row)
        return values if self.is_dot else self.builder.sext(values, ir.VectorType(_I16, self.bytes))

    def read_left(self, address: Any, offset: int) -> Any:
        """The other operand: plus 128, unsigned, for vpdpbusd."""
        values = self.read(address, offset)
        return self.builder.xor(values, splat(self.row, -128)) if self.is_dot else values

    def add(self, sums: Any, left: Any, right: Any) -> Any:
        """sums + the products, each lane those of its own elements."""
        if not self.is_dot:
            return pairs.add_pairs(self.builder, sums, left, right)
        words = [self.builder.bitcast(side, self.kind) for side in (left, right)]
        return self.builder.call(declare_dot(self.builder.module, self.kind), [sums, *words])

    def fold(self, vectors: list[Any]) -> Any:
        """The sums of the lanes of each vector, as one vector; a power of two of vectors, at most `lanes`."""
        count = len(vectors)
        while len(vectors) > 1:
            vectors = [self._add_neighbours(*vectors[index:index + 2]) for index in range(0, len(vectors), 2)]
        whole = vectors[0]
        while whole.type.count > count:
            whole = self._add_neighbours(whole, None)
        return whole

    def _add_neighbours(self, first: Any, second: Any) -> Any:
        """Sums of lanes 0 and 1, 2 and 3, ... of the first, then of the second."""
        count = first.type.count
        nothing = ir.Constant(first.type, ir.Undefined)
        length = count if second is not None else count // 2
        halves = []
        for start in (0, 1):
            picks = ir.Constant(ir.VectorType(_I32, length), [2 * lane + start for lane in range(length)])
            halves.append(self.builder.shuffle_vector(first, nothing if second is None else second, picks))
        return self.builder.add(*halves)


@intrinsic  # type: ignore[untyped-decorator]
def add_tile(typing: Any, marker: Any, places: Any, count: Any, left: Any, right: Any, out: Any) -> Any:
    """out[r, c] += the product of rows r of one kind and c of the other over all blocks; int32, without gaps.

    places: address of `count` >= 1 addresses of blocks; left, right: bytes from there to the first of count_rows and
    of COLUMNS rows. For vpdpbusd the left rows count as row + 128.
    """
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        _, places, count, left, right, out = arguments
        products, rows = _Products(builder, marker), _ROWS_OF[marker]
        one, eight = ir.Constant(_I64, 1), ir.Constant(_I64, 8)
        before, body, end = builder.block, builder.append_basic_block("block"), builder.append_basic_block("fold")
        builder.branch(body)
        builder.position_at_end(body)
        rest, place = builder.phi(_I64), builder.phi(_I64)
        held = [builder.phi(products.kind) for _ in range(rows * COLUMNS)]
        block = load(builder, place, 0, _I64)
        sums = _add_block(products, rows, builder.add(block, left), builder.add(block, right), held)
        following = builder.sub(rest, one), builder.add(place, eight)
        for phi, start, value in zip((rest, place), (count, places), following):
            phi.add_incoming(start, before)
            phi.add_incoming(value, body)
        for phi, value in zip(held, sums):
            phi.add_incoming(ir.Constant(products.kind, None), before)
            phi.add_incoming(value, body)
        builder.cbranch(builder.icmp_signed(">", following[0], ir.Constant(_I64, 0)), body, end)
        builder.position_at_end(end)
        whole = products.fold(sums)
        target = builder.inttoptr(out, whole.type.as_pointer())
        former = builder.load(target)
        former.align = 4
        builder.store(builder.add(former, whole), target).align = 4
        return context.get_dummy_value()

    return types.none(marker, *[types.int64] * 5), generate


def _add_block(products: _Products, rows: int, left: Any, right: Any, sums: list[Any]) -> list[Any]:
    """The sums after the columns of one block."""
    for start in range(0, ROW_BYTES, products.bytes):
        tops = [products.read_left(left, ROW_BYTES * row + start) for row in range(rows)]
        grown = []
        for column in range(COLUMNS):
            side = products.read(right, ROW_BYTES * column + start)
            grown.append([products.add(sums[row * COLUMNS + column], tops[row], side) for row in range(rows)])
        sums = [grown[column][row] for row in range(rows) for column in range(COLUMNS)]
    return sums


@intrinsic  # type: ignore[untyped-decorator]
def fetch_row(typing: Any, row: Any) -> Any:
    """Have a row brought into the second-level cache: the processor does not foresee where blocks of one exponent lie.
    """
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        kind = ir.FunctionType(ir.VoidType(), [_I8.as_pointer(), _I32, _I32, _I32])
        fetch = builder.module.declare_intrinsic("llvm.prefetch", [_I8.as_pointer()], kind)
        how = [ir.Constant(_I32, number) for number in (0, 2, 1)]  # to read, not into the first cache, data
        for start in range(0, ROW_BYTES, 64):
            place = builder.add(arguments[0], ir.Constant(_I64, start))
            builder.call(fetch, [builder.inttoptr(place, _I8.as_pointer()), *how])
        return context.get_dummy_value()

    return types.none(types.int64), generate


@intrinsic  # type: ignore[untyped-decorator]
def add_row(typing: Any, marker: Any, row: Any, out: Any) -> Any:
    """out[lane] += sums of a row's elements by lanes, int32; both are addresses. For vpdpbusd alone, else nothing."""
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        _, row, out = arguments
        products = _Products(builder, marker)
        if products.is_dot:
            sums = load(builder, out, 0, products.kind)
            for start in range(0, ROW_BYTES, products.bytes):
                sums = products.add(sums, splat(products.row, 1), products.read(row, start))
            builder.store(sums, builder.inttoptr(out, products.kind.as_pointer())).align = 4
        return context.get_dummy_value()

    return types.none(marker, types.int64, types.int64), generate


@intrinsic  # type: ignore[untyped-decorator]
def add_squares(typing: Any, row: Any, out: Any) -> Any:
    """out[lane] += sums of the squares of a row's elements by 16 lanes, int32; both are addresses."""
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        row, out = arguments
        products = _Products(builder, types.int32)
        sums = load(builder, out, 0, products.kind)
        for start in range(0, ROW_BYTES, products.bytes):
            side = products.read(row, start)
            sums = products.add(sums, side, side)
        builder.store(sums, builder.inttoptr(out, products.kind.as_pointer())).align = 4
        return context.get_dummy_value()

    return types.none(types.int64, types.int64), generate
