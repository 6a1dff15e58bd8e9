"""Order statistics of LANES coordinates: the rows are sorted in two lists, and ranks of the whole are read off both.

With lists A of a and B of b sorted values (a - b is 0 or 1), for every k of 0..a + b:
the k lowest values of both are A[i] for i < k - b, B[j] for j < k - a, and min(A[i], B[k-1-i]) for the other i < k.
Each sort is a network (networks.py), which costs less than half of one for all rows.
Source: README.md of the folder above.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir

from kernels.aggregate.order.networks import SIZES, compute_network
from kernels.aggregate.order.vectors import (
    BLOCK, BYTES, I64, LANES, ONE, WIDE, ZERO, Held, WideSum, define, fill, iterate, load, maximum, minimum, place,
    store, stream,
)

LIST_BYTES = (SIZES[-1] + 1) * LANES  # a list, and a row of 127 behind it
SCRATCH_BYTES = 2 * LIST_BYTES + LANES  # two lists and a row that stands for the absent ones; filled with 127


def _sort(builder: Any, size: Any, source: Any, rows: Any, absent: Any, target: Any) -> None:
    """target: `rows` rows of LANES coordinates, BLOCK bytes apart from `source` on, in order, then 127 up to `size`."""
    done = builder.append_basic_block("sorted")
    chosen = builder.switch(size, done)
    for index, number in enumerate(SIZES):
        block = builder.append_basic_block(f"sort{number}")
        chosen.add_case(ir.Constant(I64, number), block)
        builder.position_at_end(block)
        _sort_by_network(builder, number, SIZES[index - 1] if index else 0, source, rows, absent, target)
        builder.branch(done)
    builder.position_at_end(done)


def _sort_by_network(
    builder: Any, size: int, present: int, source: Any, rows: Any, absent: Any, target: Any
) -> None:
    values = []
    for row in range(size):
        address = place(builder, source, ir.Constant(I64, row), BLOCK)
        if row >= present:
            address = builder.select(builder.icmp_signed("<", ir.Constant(I64, row), rows), address, absent)
        values.append(load(builder, address, BYTES))
    for low, high in compute_network(size):
        pair = values[low], values[high]
        values[low], values[high] = minimum(builder, *pair), maximum(builder, *pair)
    for row in range(size):
        store(builder, values[row], place(builder, target, ir.Constant(I64, row), LANES), LANES)


def _row(builder: Any, rows: Any, index: Any) -> Any:
    return load(builder, place(builder, rows, index, LANES), BYTES, LANES)


def _mirror(builder: Any, last: Any, index: Any) -> Any:
    """The row at last - 1 - index."""
    return builder.sub(builder.sub(last, ONE), index)


def _store_middles(builder: Any, a: Any, b: Any, lower: Any, is_even: Any, out: Any, streams: Any) -> None:
    """Rank `lower` of both lists, plus rank `lower` + 1 if there are as many values above as below these two.

    The first is the highest of min(A[i], B[lower-i]), the second the lowest of max(A[i], B[lower-i]), i in 0..lower;
    B must be 127 where it ends.
    """
    highest, lowest = Held(builder, fill(BYTES, -128)), Held(builder, fill(BYTES, 127))
    with iterate(builder, ZERO, builder.add(lower, ONE)) as (index, _):
        pair = _row(builder, a, index), _row(builder, b, builder.sub(lower, index))
        highest.set(maximum(builder, highest.get(), minimum(builder, *pair)))
        lowest.set(minimum(builder, lowest.get(), maximum(builder, *pair)))
    first, second = builder.sext(highest.get(), WIDE), builder.sext(lowest.get(), WIDE)
    is_both = builder.icmp_signed("!=", is_even, ZERO)
    stream(builder, builder.add(first, builder.select(is_both, second, fill(WIDE, 0))), out, streams)


def _store_inner(
    builder: Any, a: Any, b: Any, a_rows: Any, b_rows: Any, low: Any, top: Any, out: Any, streams: Any
) -> None:
    """The sum of all values but the `low` lowest and the `top` highest; low + top <= b_rows.

    The first and last of the lists are compared in pairs, each of which gives one value up and one that is kept.
    """
    total = WideSum(builder)
    with iterate(builder, ZERO, low) as (index, _):
        total.add(maximum(builder, _row(builder, a, index), _row(builder, b, _mirror(builder, low, index))))
    a_end, b_end = builder.sub(a_rows, top), builder.sub(b_rows, top)
    with iterate(builder, ZERO, top) as (index, _):
        pair = _row(builder, a, builder.add(a_end, index)), _row(builder, b, _mirror(builder, b_rows, index))
        total.add(minimum(builder, *pair))
    with iterate(builder, low, a_end) as (index, _):
        total.add(_row(builder, a, index))
    with iterate(builder, low, b_end) as (index, _):
        total.add(_row(builder, b, index))
    count = builder.sub(builder.add(a_end, b_rows), low)
    stream(builder, total.finish(count), out, streams)


def _store_between(
    builder: Any, a: Any, b: Any, a_rows: Any, b_rows: Any, low: Any, high: Any, out: Any, streams: Any
) -> None:
    """The sum of the `high` lowest values less that of the `low` lowest: any ranks at all."""
    total = WideSum(builder)
    for count, change in ((high, total.add), (low, total.subtract)):
        behind_a = maximum(builder, builder.sub(count, a_rows), ZERO)
        behind_b = maximum(builder, builder.sub(count, b_rows), ZERO)
        with iterate(builder, ZERO, behind_b) as (index, _):
            change(_row(builder, a, index))
        with iterate(builder, ZERO, behind_a) as (index, _):
            change(_row(builder, b, index))
        with iterate(builder, behind_b, minimum(builder, count, a_rows)) as (index, _):
            pair = _row(builder, a, index), _row(builder, b, _mirror(builder, count, index))
            change(minimum(builder, *pair))
    stream(builder, total.finish(builder.sub(high, low)), out, streams)


sort_rows = define(_sort)
store_middles = define(_store_middles)
store_inner = define(_store_inner)
store_between = define(_store_between)
