"""The payload codecs, written a second time from section 8 of kernels/README.md in plain integers.

A reader refuses by None. Python's integers do not overflow.
"""

from __future__ import annotations

import struct

from plain import bits, clip, keys, rs, within, word

Entry = tuple[int, int]
WIDTHS = {"int8/256": 8, "int4/256": 4, "int2/256": 2, "top64/4096": 2}
EXPONENT_MAX = {"int8/256": 25, "int4/256": 29, "int2/256": 30, "top64/4096": 30}


class Stream:
    """Bits in the order in which they stand: of each byte the lowest first."""

    def __init__(self, data: bytes = b"") -> None:
        self.number, self.length = int.from_bytes(data, "little"), 0

    def put(self, value: int, width: int) -> None:
        self.number |= value % 2**width << self.length
        self.length += width

    def take(self, width: int) -> int:
        self.length += width
        return self.number >> self.length - width & 2**width - 1

    def bytes(self) -> bytes:
        return self.number.to_bytes((self.length + 7) // 8, "little")

    def is_empty(self) -> bool:
        return self.number >> self.length == 0


def encode(delta: list[int], key: bytes, codec: str) -> bytes:
    k, out = keys("payload", key, 0, 0), b""
    for start in range(0, len(delta), 65536):
        region = [(start + i, within(d, 2**32 - 1)) for i, d in enumerate(delta[start:start + 65536])]
        size = 4096 if codec == "top64/4096" else 256
        parts = [region[i:i + size] for i in range(0, len(region), size)]
        done = [encode_chunk(part, k) if size == 4096 else encode_block(part, k, WIDTHS[codec]) for part in parts]
        out += bytes(exponent for exponent, _ in done) + b"".join(held for _, held in done)
    return out


def encode_block(part: list[Entry], k: tuple[int, int], width: int) -> tuple[int, bytes]:
    stream = Stream()
    if width == 2:
        e = code_exponent(part)
        for i, d in part:
            stream.put(draw_code(i, d, e, k), 2)
        return e, stream.bytes()
    s = max(0, bits(max(abs(d) for _, d in part)) - (width - 1))
    for i, d in part:
        stream.put(clip((d + (word(i, k) & (2**s - 1))) >> s, 2**(width - 1) - 1), width)
    return s, stream.bytes()


def encode_chunk(part: list[Entry], k: tuple[int, int]) -> tuple[int, bytes]:
    chosen = sorted(sorted(part, key=lambda entry: (-abs(entry[1]), entry[0]))[:64])
    e, indices, codes = code_exponent(chosen), Stream(), Stream()
    for i, d in chosen:
        indices.put(i % 4096, 12)
        codes.put(draw_code(i, d, e, k), 2)
    return e, indices.bytes() + codes.bytes()


def code_exponent(part: list[Entry]) -> int:
    return min(30, max(0, bits(sum(abs(d) for _, d in part) // len(part)) - 1))


def draw_code(i: int, d: int, e: int, k: tuple[int, int]) -> int:
    return min(max((d + 3 * 2**e + (word(i, k) & (2**(e + 1) - 1))) >> (e + 1), 0), 3)


def decode(data: bytes, count: int, codec: str) -> list[int] | None:
    """The delta, or None if the payload is to be refused."""
    found: list[int] = []
    while count > len(found):
        size = min(65536, count - len(found))
        values, used = decode_region(data, size, codec)
        if values is None:
            return None
        found, data = found + values, data[used:]
    return None if data else found


def decode_region(data: bytes, count: int, codec: str) -> tuple[list[int] | None, int]:
    """(values, bytes used); no values if they are to be refused."""
    size = 4096 if codec == "top64/4096" else 256
    lengths = [min(size, count - start) for start in range(0, count, size)]
    exponents, at, found = data[:len(lengths)], len(lengths), []
    if len(exponents) < len(lengths) or max(exponents) > EXPONENT_MAX[codec]:
        return None, 0
    for exponent, length in zip(exponents, lengths):
        if size == 4096:
            k = min(64, length)
            used = (12 * k + 7) // 8 + (2 * k + 7) // 8
            values = decode_chunk(data[at:at + used], length, k)
        else:
            used = (length * WIDTHS[codec] + 7) // 8
            values = decode_block(data[at:at + used], length, WIDTHS[codec], exponent)
        if values is None:
            return None, 0
        found += [value << exponent for value in values]
        at += used
    return found, at


def decode_block(data: bytes, length: int, width: int, exponent: int) -> list[int] | None:
    stream, m = Stream(data), 2**(width - 1)
    stored = [stream.take(width) for _ in range(length)]
    if len(data) < (length * width + 7) // 8 or not stream.is_empty():
        return None
    if width == 2:
        return [2 * c - 3 for c in stored]
    values = [v - 2 * m if v >= m else v for v in stored]
    if -m in values or exponent > 0 and max(abs(v) for v in values) < m // 2:
        return None
    return values


def decode_chunk(data: bytes, length: int, k: int) -> list[int] | None:
    middle = (12 * k + 7) // 8
    indices, codes = Stream(data[:middle]), Stream(data[middle:])
    places = [indices.take(12) for _ in range(k)]
    stored = [codes.take(2) for _ in range(k)]
    if len(data) < middle + (2 * k + 7) // 8 or not indices.is_empty() or not codes.is_empty():
        return None
    if any(after <= before for before, after in zip(places, places[1:])) or places[-1] >= length:
        return None
    values = [0] * length
    for place, code in zip(places, stored):
        values[place] = 2 * code - 3
    return values


def encode_fed(
    delta: list[int], residual: list[int], key: bytes, codec: str, decay: int
) -> tuple[bytes, list[int]]:
    aimed = [clip(d + rs(within(r, 2**33) * decay, 16), 2**32 - 1) for d, r in zip(delta, residual, strict=True)]
    sent = encode(aimed, key, codec)
    decoded = decode(sent, len(delta), codec)
    assert decoded is not None
    return sent, [within(a - d, 2**33) for a, d in zip(aimed, decoded, strict=True)]


def pack(values: list[int]) -> bytes:
    return struct.pack(f"<{len(values)}q", *values)
