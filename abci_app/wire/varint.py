"""Unsigned LEB128, the varint of protobuf, of ABCI framing and of the tree's leaf hashes.

Encoding is minimal and decoding accepts only the minimal form, so a number has one encoding.
Source: protobuf encoding guide, "Base 128 varints"; CometBFT libs/protoio.
"""


class VarintInvalid(ValueError):
    """The bytes are no minimal varint within the limit."""


class VarintTruncated(VarintInvalid):
    """The bytes end inside the varint: more may follow on a stream."""


def encode_uvarint(value: int) -> bytes:
    """The minimal encoding of a number >= 0; ValueError below 0."""
    if 0 <= value < 0x80:
        return value.to_bytes(1, "big")
    if value < 0:
        raise ValueError(f"uvarint of negative number {value}")
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def decode_uvarint(data: bytes | bytearray | memoryview, offset: int = 0, max_bits: int = 64) -> tuple[int, int]:
    """Read one varint at `offset`; returns (value, offset after it).

    Raises VarintTruncated when the data end inside it, VarintInvalid when the value needs more than `max_bits`
    bits or a shorter encoding of it exists.
    """
    value = shift = 0
    for position in range(offset, len(data)):
        byte = data[position]
        value |= (byte & 0x7F) << shift
        if value >> max_bits:
            raise VarintInvalid(f"varint above {max_bits} bits")
        if byte < 0x80:
            if byte == 0 and shift:
                raise VarintInvalid("varint is not minimal")
            return value, position + 1
        shift += 7
        if shift >= max_bits:
            raise VarintInvalid(f"varint above {max_bits} bits")
    raise VarintTruncated("varint is cut short")
