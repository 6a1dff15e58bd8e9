"""Protobuf fields, read and written one by one.

For the few messages whose exact bytes are the point (proofs): written in field order without defaults, and read
strictly, so that what verifies is what was written. Everything else uses the generated classes in `wire/pb`.
Source: protobuf encoding guide. Only wire types 0 (varint) and 2 (length-delimited) are read; validators also sign
type 1 (fixed 64 bits).
"""

from abci_app.wire.varint import decode_uvarint, encode_uvarint

VARINT = 0
FIXED64 = 1
BYTES = 2


class FieldsInvalid(ValueError):
    """The bytes are no well-formed protobuf message of the expected fields."""


def encode_bytes(number: int, value: bytes) -> bytes:
    """One length-delimited field; written even when empty, because presence carries meaning in proofs."""
    return encode_uvarint(number << 3 | BYTES) + encode_uvarint(len(value)) + value


def encode_uint(number: int, value: int) -> bytes:
    """One varint field; nothing for 0, which is the default."""
    return encode_uvarint(number << 3 | VARINT) + encode_uvarint(value) if value else b""


def encode_fixed64(number: int, value: int) -> bytes:
    """One sfixed64 field; nothing for 0, which is the default."""
    return encode_uvarint(number << 3 | FIXED64) + value.to_bytes(8, "little", signed=True) if value else b""


class Fields:
    """The fields of one message, taken out one by one; `done` refuses whatever was not asked for."""

    __slots__ = ("_bytes", "_uints")

    def __init__(self, data: bytes, max_fields: int) -> None:
        """Raises FieldsInvalid or VarintInvalid (both ValueError) when `data` is malformed or has too many fields."""
        self._bytes: dict[int, list[bytes]] = {}
        self._uints: dict[int, list[int]] = {}
        offset = count = 0
        while offset < len(data):
            count += 1
            if count > max_fields:
                raise FieldsInvalid(f"message has more than {max_fields} fields")
            tag, offset = decode_uvarint(data, offset, 32)
            value, offset = decode_uvarint(data, offset, 64)
            number, wire_type = tag >> 3, tag & 7
            if wire_type == VARINT:
                self._uints.setdefault(number, []).append(value)
            elif wire_type == BYTES and value <= len(data) - offset:
                self._bytes.setdefault(number, []).append(data[offset : offset + value])
                offset += value
            else:
                raise FieldsInvalid(f"field {number} has wire type {wire_type} or is cut short")

    def many(self, number: int) -> list[bytes]:
        """All values of a repeated length-delimited field, in order."""
        return self._bytes.pop(number, [])

    def find(self, number: int) -> bytes | None:
        """The value of an optional length-delimited field; FieldsInvalid when it stands there twice."""
        values = self.many(number)
        if len(values) > 1:
            raise FieldsInvalid(f"field {number} occurs {len(values)} times")
        return values[0] if values else None

    def one(self, number: int) -> bytes:
        """The value of a required length-delimited field; FieldsInvalid when it is absent or stands there twice."""
        value = self.find(number)
        if value is None:
            raise FieldsInvalid(f"field {number} is missing")
        return value

    def uint(self, number: int) -> int:
        """The value of a varint field, 0 when absent; FieldsInvalid when it stands there twice."""
        values = self._uints.pop(number, [0])
        if len(values) > 1:
            raise FieldsInvalid(f"field {number} occurs {len(values)} times")
        return values[0]

    def done(self) -> None:
        """Raises FieldsInvalid when any field was not taken."""
        unknown = sorted([*self._bytes, *self._uints])
        if unknown:
            raise FieldsInvalid(f"unexpected fields {unknown}")
