"""Compiled pieces that numba has no words for: memory at an address, and tiles of int8 dot products.

Reads/Writes: memory at the addresses that they are given. A tile emits vpdpbusd, which adds to each int32 lane the sum
of four products of an unsigned and a signed byte, modulo 2**32 and without saturation. Compiling it for a processor
without the instruction ends the process: ask find_lanes first.

Compiled functions know the vector width by the type of their first argument, a marker: int16 for 16 lanes of int32 and
int8 for 8, so that one text serves both and each is compiled only where it can run.
Source: README.md beside this file; Intel 64 and IA-32 architectures software developer's manual, VPDPBUSD.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir

from kernels.jit import find_features, intrinsic, types

LANES = (16, 8)
_LANES_OF = {types.int16: 16, types.int8: 8}
_ROWS_OF = {16: 8, 8: 4}  # rows of a tile, so that its sums stay in registers: 16 of 32, and 8 of 16
_I8, _I32, _I64 = ir.IntType(8), ir.IntType(32), ir.IntType(64)
_ZERO, _ONE = ir.Constant(_I64, 0), ir.Constant(_I64, 1)


def find_lanes() -> tuple[int, ...]:
    """The vector widths, in int32 lanes, for which compiled code has vpdpbusd; widest first."""
    features = find_features()
    has_512 = "avx512vnni" in features
    has_256 = "avxvnni" in features or (has_512 and "avx512vl" in features)
    return tuple(lanes for lanes, has in zip(LANES, (has_512, has_256)) if has)


def _new_pointer(element: Any) -> Any:
    def pointer(typing: Any, address: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            return builder.inttoptr(arguments[0], context.get_value_type(signature.return_type))

        return types.CPointer(element)(types.int64), generate

    return intrinsic(pointer)


# int64 address -> pointer, for numba.carray
bytes_at = _new_pointer(types.uint8)
words_at = _new_pointer(types.int32)


def _new_constant(count: Callable[[int], int]) -> Any:
    def constant(typing: Any, marker: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            return ir.Constant(_I64, count(_LANES_OF[marker]))

        return types.int64(marker), generate

    return intrinsic(constant)


count_lanes = _new_constant(lambda lanes: lanes)
count_rows = _new_constant(lambda lanes: _ROWS_OF[lanes])


def _load_word(typing: Any, address: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return load(builder, arguments[0], 0, _I32)

    return types.int32(types.int64), generate


load_word = intrinsic(_load_word)  # the int32 at an address of any alignment


def _new_weave(vectors: int) -> Any:
    def weave(typing: Any, marker: Any, source: Any, distance: Any, target: Any) -> Any:
        width = vectors * _LANES_OF[marker]

        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            _, first, step, place = arguments
            kind = ir.VectorType(_I8, width)
            rows = []
            for _ in range(4):
                rows.append(load(builder, first, 0, kind))
                first = builder.add(first, step)
            both = ir.Constant(ir.VectorType(_I32, 2 * width), list(range(2 * width)))
            joined = builder.shuffle_vector(*rows[:2], both), builder.shuffle_vector(*rows[2:], both)
            order = [row * width + column for column in range(width) for row in range(4)]
            woven = builder.shuffle_vector(*joined, ir.Constant(ir.VectorType(_I32, 4 * width), order))
            builder.store(woven, builder.inttoptr(place, woven.type.as_pointer())).align = 1
            return context.get_dummy_value()

        return types.none(marker, types.int64, types.int64, types.int64), generate

    return intrinsic(weave)


# (marker, source, distance, target): words of bytes 0..3 = rows 0..3 of one or two vectors of columns
weave_one = _new_weave(1)
weave_two = _new_weave(2)


def _new_tile(rows: int | None, vectors: int) -> Any:
    def tile(
        typing: Any, marker: Any, a: Any, a_row: Any, a_group: Any, b: Any, groups: Any, terms: Any, c: Any,
        c_row: Any, adds: Any,
    ) -> Any:
        lanes = _LANES_OF[marker]

        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            _Tile(builder, rows or _ROWS_OF[lanes], vectors, lanes, arguments[1:]).generate()
            return context.get_dummy_value()

        return types.none(marker, *[types.int64] * 9), generate

    return intrinsic(tile)


# (marker, a, a_row, a_group, b, groups, terms, c, c_row, adds), int64 but for the marker. For every row i and column j
# of the tile, c[i, j] gains (adds != 0) or becomes (adds = 0) terms[j] + the sum over g < groups of A . B: A the four
# unsigned bytes at a + i*a_row + g*a_group, B the four signed ones at b + 4*(g*width + j), `.` the inner product. c and
# terms are int32; a_row, a_group and c_row are distances in bytes. tile_two has two vectors of columns, tile_one has
# one, both count_rows rows; line_two and line_one have one row.
tile_two, tile_one = _new_tile(None, 2), _new_tile(None, 1)
line_two, line_one = _new_tile(1, 2), _new_tile(1, 1)


def load(builder: Any, address: Any, offset: int, kind: Any) -> Any:
    """What stands at an address of any alignment."""
    place = builder.add(address, ir.Constant(_I64, offset)) if offset else address
    loaded = builder.load(builder.inttoptr(place, kind.as_pointer()))
    loaded.align = 1
    return loaded


def declare_dot(module: Any, kind: Any) -> Any:
    """vpdpbusd on vectors `kind` of int32 lanes: (sums, unsigned bytes, signed bytes) -> sums."""
    name = f"llvm.x86.avx512.vpdpbusd.{32 * kind.count}"
    return module.globals.get(name) or ir.Function(module, ir.FunctionType(kind, [kind] * 3), name)


class _Tile:
    """Writes the instructions of one tile."""

    def __init__(self, builder: Any, rows: int, vectors: int, lanes: int, arguments: Any) -> None:
        self.builder, self.rows, self.vectors, self.lanes = builder, rows, vectors, lanes
        self.kind = ir.VectorType(_I32, lanes)
        self.a, self.a_row, self.a_group, self.b, self.groups, self.terms, self.c, self.c_row, self.adds = arguments
        self.places = [(row, index) for row in range(rows) for index in range(vectors)]

    def generate(self) -> None:
        """Start from the terms, run over the groups, store."""
        builder = self.builder
        offsets = [builder.mul(self.a_row, ir.Constant(_I64, row)) for row in range(self.rows)]
        first = self.load_sums()
        start, body, end = builder.block, builder.append_basic_block("group"), builder.append_basic_block("store")
        builder.cbranch(builder.icmp_signed(">", self.groups, _ZERO), body, end)
        builder.position_at_end(body)
        cursors = [self.new_phi(_I64, start, value) for value in (self.a, self.b, self.groups)]
        inside = [self.new_phi(self.kind, start, value) for value in first]
        grown = self.add_group(cursors[0], cursors[1], offsets, inside)
        width = ir.Constant(_I64, 4 * self.lanes * self.vectors)
        moved = [builder.add(cursors[0], self.a_group), builder.add(cursors[1], width), builder.sub(cursors[2], _ONE)]
        for phi, value in zip(cursors + inside, moved + grown):
            phi.add_incoming(value, body)
        builder.cbranch(builder.icmp_signed(">", moved[2], _ZERO), body, end)
        builder.position_at_end(end)
        final = [self.new_phi(self.kind, start, value) for value in first]
        for phi, value in zip(final, grown):
            phi.add_incoming(value, body)
        for (row, index), value in zip(self.places, final):
            builder.store(value, self.point_sums(row, index)).align = 4

    def load_sums(self) -> list[Any]:
        """Each column's term, plus what c holds if the tile adds to it."""
        builder = self.builder
        terms = [load(builder, self.terms, 4 * self.lanes * index, self.kind) for index in range(self.vectors)]
        start, add, ready = builder.block, builder.append_basic_block("add"), builder.append_basic_block("ready")
        builder.cbranch(builder.icmp_signed("!=", self.adds, _ZERO), add, ready)
        builder.position_at_end(add)
        added = []
        for row, index in self.places:
            held = builder.load(self.point_sums(row, index))
            held.align = 4
            added.append(builder.add(terms[index], held))
        builder.branch(ready)
        builder.position_at_end(ready)
        sums = [self.new_phi(self.kind, start, terms[index]) for _, index in self.places]
        for phi, value in zip(sums, added):
            phi.add_incoming(value, add)
        return sums

    def add_group(self, a: Any, b: Any, offsets: list[Any], sums: list[Any]) -> list[Any]:
        """The sums after one more word of every row and column."""
        builder, dot = self.builder, declare_dot(self.builder.module, self.kind)
        columns = [load(builder, b, 4 * self.lanes * index, self.kind) for index in range(self.vectors)]
        words = [self.spread(load(builder, builder.add(a, offset), 0, _I32)) for offset in offsets]
        return [builder.call(dot, [held, words[row], columns[index]]) for (row, index), held in zip(self.places, sums)]

    def point_sums(self, row: int, index: int) -> Any:
        """A pointer to one vector of c."""
        builder = self.builder
        across = ir.Constant(_I64, 4 * self.lanes * index)
        offset = builder.add(builder.mul(self.c_row, ir.Constant(_I64, row)), across)
        return builder.inttoptr(builder.add(self.c, offset), self.kind.as_pointer())

    def spread(self, word: Any) -> Any:
        """The word in every lane."""
        anything = ir.Constant(self.kind, ir.Undefined)
        single = self.builder.insert_element(anything, word, ir.Constant(_I32, 0))
        return self.builder.shuffle_vector(single, anything, ir.Constant(self.kind, [0] * self.lanes))

    def new_phi(self, kind: Any, block: Any, value: Any) -> Any:
        """A phi with its first source."""
        phi = self.builder.phi(kind)
        phi.add_incoming(value, block)
        return phi
