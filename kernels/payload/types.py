"""The four codecs in numbers: regions, blocks, chunks, sizes; faults of a payload as numbers.

Reads/Writes: nothing; plain integers.  Source: kernels/README.md section 8.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

REGION_VALUES = 65536
BLOCK_VALUES = 256
CHUNK_VALUES = 4096
CHUNK_ENTRIES = 64
INDEX_BITS = 12
CODE_BITS = 2

# kinds of faults; the number of a fault is FAULT_KINDS * (coordinate) + kind, and the lowest of a payload is told
FAULT_KINDS = 8
EXPONENT_HIGH, SCALE_IDLE, VALUE_LOWEST, PADDING_USED, INDEX_ORDER, INDEX_HIGH = range(1, 7)


@dataclass(frozen=True)
class Format:
    """One codec.

    bits: of a stored value. exponent_max: the highest exponent. exponent_values: coordinates that share an exponent.
    is_coded: a value v is stored as the code (v + 3) / 2, so that every code is valid; else it is signed, and the
    lowest one is not used. is_sparse: of a chunk, the entries of CHUNK_ENTRIES coordinates alone are stored.
    """

    name: str
    bits: int
    exponent_max: int
    exponent_values: int = BLOCK_VALUES
    is_coded: bool = False
    is_sparse: bool = False

    @property
    def value_max(self) -> int:
        """The largest stored value."""
        return 3 if self.is_coded else 2 ** (self.bits - 1) - 1

    @property
    def leading_min(self) -> int:
        """What the largest value of a block with an exponent above 0 must reach; 0 where any will do."""
        return 0 if self.is_coded else 2 ** (self.bits - 2)

    @property
    def headroom(self) -> int:
        """How far below the highest exponent the grid of an aggregation lies: section 9."""
        return {8: 0, 4: 4, 2: 5}[self.bits]


FORMATS: dict[str, Format] = {
    "int8/256": Format("int8/256", 8, 25),
    "int4/256": Format("int4/256", 4, 29),
    "int2/256": Format("int2/256", CODE_BITS, 30, is_coded=True),
    "top64/4096": Format("top64/4096", CODE_BITS, 30, CHUNK_VALUES, is_coded=True, is_sparse=True),
}
INT8, INT4, INT2, TOP64 = FORMATS.values()


class Region(NamedTuple):
    """Where a region is: `size` coordinates from `first`, bytes `begin` to `end`, `exponents` exponents."""

    first: int
    size: int
    begin: int
    end: int
    exponents: int


def count_parts(count: int, size: int) -> int:
    """How many parts of `size` hold `count`."""
    return (count + size - 1) // size


def compute_entries(count: int) -> int:
    """The entries of a chunk of `count` coordinates."""
    return min(CHUNK_ENTRIES, count)


def compute_index_bytes(entries: int) -> int:
    """Bytes of the indices of a chunk."""
    return count_parts(INDEX_BITS * entries, 8)


def compute_chunk_bytes(count: int) -> int:
    """Bytes of indices and codes of a chunk of `count` coordinates."""
    entries = compute_entries(count)
    return compute_index_bytes(entries) + count_parts(CODE_BITS * entries, 8)


def compute_bytes(count: int, form: Format) -> int:
    """Bytes of a payload of `count` >= 0 coordinates."""
    whole, rest = divmod(count, REGION_VALUES)
    return whole * _region_bytes(REGION_VALUES, form) + (_region_bytes(rest, form) if rest else 0)


def iter_regions(count: int, form: Format) -> Iterator[Region]:
    """The regions of a payload in order."""
    begin = 0
    for first in range(0, count, REGION_VALUES):
        size = min(REGION_VALUES, count - first)
        end = begin + _region_bytes(size, form)
        yield Region(first, size, begin, end, count_parts(size, form.exponent_values))
        begin = end


def _region_bytes(count: int, form: Format) -> int:
    exponents = count_parts(count, form.exponent_values)
    if not form.is_sparse:
        return exponents + count_parts(form.bits * count, 8)
    whole, rest = divmod(count, CHUNK_VALUES)
    return exponents + whole * compute_chunk_bytes(CHUNK_VALUES) + (compute_chunk_bytes(rest) if rest else 0)
