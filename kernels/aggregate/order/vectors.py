"""Vectors of int8 for compiled loops: what the pieces of this folder are written with.

LANES bytes are what one register holds; LLVM takes the vectors apart where registers are smaller, so that every
processor runs all of it. Memory is given by addresses, whose distances are constants or int64.
Source: README.md of the folder above.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba.core import cgutils as _cgutils

from kernels.jit import find_features, intrinsic, types

cgutils: Any = _cgutils  # untyped

BLOCK = 256
LINE = 64
LANES = 64 if "avx512bw" in find_features() else 32 if "avx2" in find_features() else 16
I8, I16, I32, I64 = (ir.IntType(bits) for bits in (8, 16, 32, 64))
DOUBLE = ir.DoubleType()
BYTES, WORDS, WIDE = ir.VectorType(I8, LANES), ir.VectorType(I16, LANES // 2), ir.VectorType(I16, LANES)
ZERO, ONE = ir.Constant(I64, 0), ir.Constant(I64, 1)
_INTERLEAVED = ir.Constant(ir.VectorType(I32, LANES), [lane // 2 + lane % 2 * (LANES // 2) for lane in range(LANES)])


def define(emit: Callable[..., None]) -> Any:
    """An intrinsic of a tuple of int64, without a result; emit(builder, *integers) writes its instructions."""
    def piece(context: Any, integers: Any) -> Any:
        def generate(target: Any, builder: Any, signature: Any, values: Any) -> Any:
            emit(builder, *cgutils.unpack_tuple(builder, values[0]))
            return target.get_dummy_value()

        return types.none(integers), generate

    return intrinsic(piece)


def declare(builder: Any, name: str, kind: Any) -> Any:
    """One of LLVM's own functions."""
    return cgutils.get_or_insert_function(builder.module, kind, name)


def place(builder: Any, base: Any, index: Any, distance: int) -> Any:
    """The address base + index * distance."""
    return builder.add(base, builder.mul(index, ir.Constant(I64, distance)))


def load(builder: Any, address: Any, kind: Any, align: int = 1) -> Any:
    """What stands at an address."""
    value = builder.load(builder.inttoptr(address, kind.as_pointer()))
    value.align = align
    return value


def store(builder: Any, value: Any, address: Any, align: int = 1) -> Any:
    """Write a value to an address."""
    made = builder.store(value, builder.inttoptr(address, value.type.as_pointer()))
    made.align = align
    return made


def stream(builder: Any, value: Any, address: Any, streams: Any) -> None:
    """Write a vector past the caches if the int64 `streams` is not 0.

    The address is then a multiple of the vector's size, and of LINE where that is less.

    What is written past the caches is not read from memory first, which saves a third of a result's traffic.
    """
    with builder.if_else(builder.icmp_signed("!=", streams, ZERO)) as (yes, no):
        with yes:
            mark = builder.module.add_metadata([ir.Constant(I32, 1)])
            size = value.type.count * getattr(value.type.element, "width", 64) // 8
            store(builder, value, address, min(size, LINE)).set_metadata("nontemporal", mark)
        with no:
            store(builder, value, address)


def minimum(builder: Any, left: Any, right: Any) -> Any:
    """The lower of two signed integers in every lane."""
    return builder.select(builder.icmp_signed("<", left, right), left, right)


def maximum(builder: Any, left: Any, right: Any) -> Any:
    """The higher of two signed integers in every lane."""
    return builder.select(builder.icmp_signed("<", left, right), right, left)


def fill(kind: Any, value: int | float) -> Any:
    """A constant in every lane."""
    return ir.Constant(kind, [value] * kind.count)


def spread(builder: Any, value: Any, count: int) -> Any:
    """A scalar in every one of `count` lanes."""
    kind = ir.VectorType(value.type, count)
    single = builder.insert_element(ir.Constant(kind, ir.Undefined), value, ir.Constant(I32, 0))
    return builder.shuffle_vector(single, single, ir.Constant(ir.VectorType(I32, count), [0] * count))


def iterate(builder: Any, begin: Any, end: Any) -> Any:
    """A context: the loop's body, given its int64 index."""
    return cgutils.for_range_slice(builder, begin, end, ONE)


class Held:
    """A variable of a piece, in a register while its loops run."""

    def __init__(self, builder: Any, first: Any) -> None:
        self.builder = builder
        self.memory = cgutils.alloca_once(builder, first.type)
        builder.store(first, self.memory)

    def get(self) -> Any:
        """What it holds."""
        return self.builder.load(self.memory)

    def set(self, value: Any) -> None:
        """Let it hold another."""
        self.builder.store(value, self.memory)


class WideSum:
    """Sums of vectors of int8 in int16 lanes.

    A vector of bytes is read as int16 words, whose low bytes are turned to the unsigned value + 128. One sum is of the
    words, one of their high bytes; the sum of the low ones is the first less 256 times the second, modulo 2**16.
    """

    def __init__(self, builder: Any) -> None:
        self.builder = builder
        self.words, self.highs = Held(builder, fill(WORDS, 0)), Held(builder, fill(WORDS, 0))

    def add(self, vector: Any) -> None:
        """Add int8 lanes."""
        word = self._read(vector)
        self.words.set(self.builder.add(self.words.get(), word))
        self.highs.set(self.builder.add(self.highs.get(), self.builder.ashr(word, fill(WORDS, 8))))

    def subtract(self, vector: Any) -> None:
        """Take away int8 lanes."""
        word = self._read(vector)
        self.words.set(self.builder.sub(self.words.get(), word))
        self.highs.set(self.builder.sub(self.highs.get(), self.builder.ashr(word, fill(WORDS, 8))))

    def finish(self, count: Any) -> Any:
        """The sums of LANES coordinates; count: how many vectors were added, less those taken away, an int64."""
        builder, words, highs = self.builder, self.words.get(), self.highs.get()
        turned = spread(builder, builder.trunc(builder.shl(count, ir.Constant(I64, 7)), I16), WORDS.count)
        lows = builder.sub(builder.sub(words, builder.shl(highs, fill(WORDS, 8))), turned)
        return builder.shuffle_vector(lows, highs, _INTERLEAVED)

    def _read(self, vector: Any) -> Any:
        return self.builder.xor(self.builder.bitcast(vector, WORDS), fill(WORDS, 128))


def _prefetch(builder: Any, address: Any, lines: Any) -> None:
    pointer = I8.as_pointer()
    kind = ir.FunctionType(ir.VoidType(), [pointer, I32, I32, I32])
    fetch = declare(builder, "llvm.prefetch.p0", kind)
    hints = [ir.Constant(I32, hint) for hint in (0, 2, 1)]  # to be read; kept in the second cache; data
    with iterate(builder, ZERO, lines) as (index, _):
        builder.call(fetch, [builder.inttoptr(place(builder, address, index, LINE), pointer), *hints])


prefetch = define(_prefetch)  # (address, lines): have memory brought near; any address will do


def _fence(builder: Any) -> None:
    builder.fence("seq_cst")


finish_stores = define(_fence)  # (): what was streamed is seen by whoever learns that the work is done
