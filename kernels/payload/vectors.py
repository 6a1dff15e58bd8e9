"""Explicit vectors of the payload codecs: stored values to bytes, alignment to a grid, indices, codes.

Reads/Writes: memory at the addresses that they are given, of any alignment. LLVM's own vectors of 64 lanes, so that
they are compiled for every processor; those without wide registers take several steps. All arguments are int64.
Source: kernels/README.md sections 8 and 9.1.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import llvmlite.ir

from kernels.jit import Scalar, intrinsic, types

VALUES = 64  # that a call of `align8`, `align4` or `spread_codes` handles
INDICES = 32  # that a call of `spread_indices` handles
IS_LEADING, IS_LOWEST = 1, 2
ir: Any = llvmlite.ir
_I8, _I16, _I32, _I64 = (ir.IntType(bits) for bits in (8, 16, 32, 64))
_BYTES = ir.VectorType(_I8, VALUES)
_WORDS = ir.VectorType(_I16, VALUES)
_ALIGNED_MAX = 127


def _new(count: int, emit: Callable[..., Any], has_result: bool = True) -> Callable[..., Scalar]:
    """An intrinsic of `count` int64 arguments; emit(builder, *arguments) returns an i64, or anything for none."""
    result = types.int64 if has_result else types.none

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        emitted = emit(builder, *arguments)
        return emitted if has_result else context.get_dummy_value()

    texts = {  # an intrinsic states its arguments one by one
        0: lambda typing: (result(), generate),
        1: lambda typing, a: (result(types.int64), generate),
        2: lambda typing, a, b: (result(*[types.int64] * 2), generate),
        3: lambda typing, a, b, c: (result(*[types.int64] * 3), generate),
        6: lambda typing, a, b, c, d, e, f: (result(*[types.int64] * 6), generate),
    }
    return cast(Callable[..., Scalar], intrinsic(texts[count]))


def _load(builder: Any, address: Any, kind: Any) -> Any:
    return builder.load(builder.inttoptr(address, kind.as_pointer()), align=1)


def _store(builder: Any, values: Any, address: Any) -> None:
    builder.store(values, builder.inttoptr(address, values.type.as_pointer()), align=1)


def _fill(kind: Any, value: int) -> Any:
    return ir.Constant(kind, [value] * kind.count)


def _splat(builder: Any, value: Any, kind: Any) -> Any:
    """The low bits of an i64 in every lane."""
    anything = ir.Constant(kind, ir.Undefined)
    single = builder.insert_element(anything, builder.trunc(value, kind.element), ir.Constant(_I32, 0))
    return builder.shuffle_vector(single, anything, ir.Constant(ir.VectorType(_I32, kind.count), [0] * kind.count))


def _pick(builder: Any, test: str, left: Any, right: Any) -> Any:
    """left where `left test right`, else right."""
    return builder.select(builder.icmp_signed(test, left, right), left, right)


def _spread(builder: Any, address: Any, bits: int) -> Any:
    """64 numbers of `bits` bits, lowest bits first, as bytes."""
    if bits == 8:
        return _load(builder, address, _BYTES)
    parts = 8 // bits
    lanes = ir.VectorType(ir.IntType(8 * parts), VALUES // parts)
    joined = builder.zext(_load(builder, address, ir.VectorType(_I8, VALUES // parts)), lanes)
    spread = joined
    for part in range(1, parts):  # number j of a byte to the low bits of byte j; what it drags along is masked
        spread = builder.or_(spread, builder.shl(joined, _fill(lanes, (8 - bits) * part)))
    mask = sum((2**bits - 1) << 8 * part for part in range(parts))
    return builder.bitcast(builder.and_(spread, _fill(lanes, mask)), _BYTES)


def _align(bits: int) -> Callable[..., Any]:
    """(source, target, left, right, half, odd) -> flags."""
    def emit(builder: Any, source: Any, target: Any, left: Any, right: Any, half: Any, odd: Any) -> Any:
        values = _spread(builder, source, bits)
        if bits == 4:
            sign = _fill(_BYTES, 8)
            values = builder.sub(builder.xor(values, sign), sign)
        _store(builder, _align_values(builder, values, left, right, half, odd), target)
        return _find_flags(builder, values, 2 ** (bits - 2), 2 ** (bits - 1))
    return emit


def _align_values(builder: Any, values: Any, left: Any, right: Any, half: Any, odd: Any) -> Any:
    left, right, half, odd = (_splat(builder, value, _WORDS) for value in (left, right, half, odd))
    wide = builder.shl(builder.sext(values, _WORDS), left)
    wide = _pick(builder, "<", wide, _fill(_WORDS, _ALIGNED_MAX))
    wide = _pick(builder, ">", wide, _fill(_WORDS, -_ALIGNED_MAX))
    evened = builder.and_(builder.lshr(wide, right), odd)
    rounded = builder.ashr(builder.add(builder.add(wide, half), evened), right)
    return builder.trunc(rounded, _BYTES)


def _find_flags(builder: Any, values: Any, leading: int, lowest: int) -> Any:
    """IS_LEADING where a magnitude reaches `leading`, IS_LOWEST where one reaches `lowest`; bytes."""
    negated = builder.sub(_fill(_BYTES, 0), values)
    sizes = builder.select(builder.icmp_signed("<", values, _fill(_BYTES, 0)), negated, values)
    flags = ir.Constant(_I64, 0)
    for flag, limit in ((IS_LEADING, leading), (IS_LOWEST, lowest)):
        reached = builder.bitcast(builder.icmp_unsigned(">=", sizes, _fill(_BYTES, limit)), _I64)
        found = builder.icmp_unsigned("!=", reached, ir.Constant(_I64, 0))
        flags = builder.or_(flags, builder.select(found, ir.Constant(_I64, flag), ir.Constant(_I64, 0)))
    return flags


def _emit_codes(builder: Any, source: Any, target: Any, table: Any) -> None:
    """Bytes i of `table` for codes i."""
    codes = _spread(builder, source, 2)
    entries = [_splat(builder, builder.lshr(table, ir.Constant(_I64, 8 * code)), _BYTES) for code in range(4)]
    low, high = (
        builder.icmp_unsigned("!=", builder.and_(codes, _fill(_BYTES, bit)), _fill(_BYTES, 0)) for bit in (1, 2)
    )
    upper = builder.select(low, entries[3], entries[2])
    lower = builder.select(low, entries[1], entries[0])
    _store(builder, builder.select(high, upper, lower), target)


def _emit_indices(builder: Any, source: Any, target: Any) -> None:
    """32 uint16 of 12 bits each: byte pairs by a shuffle, the odd ones four bits further on."""
    stored = _load(builder, source, ir.VectorType(_I8, INDICES * 3 // 2))
    picks = [place for pair in range(INDICES // 2) for place in (3 * pair, 3 * pair + 1, 3 * pair + 1, 3 * pair + 2)]
    order = ir.Constant(ir.VectorType(_I32, 2 * INDICES), picks)
    words = ir.VectorType(_I16, INDICES)
    pairs = builder.bitcast(builder.shuffle_vector(stored, ir.Constant(stored.type, ir.Undefined), order), words)
    moved = builder.lshr(pairs, ir.Constant(words, [0, 4] * (INDICES // 2)))
    _store(builder, builder.and_(moved, _fill(words, 4095)), target)


def _emit_reaching(builder: Any, source: Any, limit: Any) -> Any:
    kind = ir.VectorType(_I32, VALUES)
    reached = builder.icmp_unsigned(">=", _load(builder, source, kind), _splat(builder, limit, kind))
    return builder.bitcast(reached, _I64)


def _emit_stream(builder: Any, source: Any, target: Any) -> None:
    """A line of 64 bytes to an address that divides by 64, past the caches: nobody reads it soon."""
    line = _load(builder, source, ir.VectorType(_I32, 16))
    mark = builder.module.add_metadata([ir.Constant(_I32, 1)])
    stored = builder.store(line, builder.inttoptr(target, line.type.as_pointer()), align=64)
    stored.set_metadata("nontemporal", mark)


def _emit_fetch(builder: Any, address: Any) -> None:
    """Have the line at an address in the caches by the time it is read."""
    name, pointer = "llvm.prefetch.p0", _I8.as_pointer()
    kind = ir.FunctionType(ir.VoidType(), [pointer, _I32, _I32, _I32])
    fetch = builder.module.globals.get(name) or ir.Function(builder.module, kind, name)
    hints = [ir.Constant(_I32, hint) for hint in (0, 3, 1)]  # to read, to the first cache, data
    builder.call(fetch, [builder.inttoptr(address, pointer), *hints])


# (source, target, left, right, half, odd) -> flags: 64 signed values of 8 or 4 bits to aligned bytes; flags of the
# values as they are stored. x = clip(q << left, 127); then (x + half + ((x >> right) & odd)) >> right.
align8, align4 = _new(6, _align(8)), _new(6, _align(4))
spread_codes = _new(3, _emit_codes, False)  # (source, target, table): 64 codes in 16 bytes to bytes of the table
spread_indices = _new(2, _emit_indices, False)  # (source, target): 32 indices in 48 bytes to uint16
find_reaching = _new(2, _emit_reaching)  # (source, limit): bit i is set where uint32 i of 64 is limit or more
find_lowest = _new(1, lambda builder, bits: builder.cttz(bits, ir.Constant(ir.IntType(1), 1)))  # of bits not all zero
stream_line = _new(2, _emit_stream, False)  # (source, target)
fetch_line = _new(1, _emit_fetch, False)  # (address)
# (): what was streamed is seen by whoever learns that the work is done
finish_lines = _new(0, lambda builder: builder.fence("seq_cst"), False)
