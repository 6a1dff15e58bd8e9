"""Framing of the ABCI socket: uvarint(length) ‖ protobuf, in both directions, without ids and without handshake.

Source: CometBFT v0.38 abci/types/messages.go, libs/protoio/{reader,writer}.go.
"""

from collections.abc import Generator

from abci_app.abci.errors import FrameInvalid
from abci_app.wire.varint import VarintInvalid, VarintTruncated, decode_uvarint, encode_uvarint

FRAME_BYTES_MAX = 1 << 27  # above the engine's largest block (100 MiB) and any snapshot chunk (16 MB)
LENGTH_BITS = 31  # lengths are int32 in the engine


class FrameReader:
    """Bytes as they arrive, in any pieces; whole frames come out. Holds at most one frame and what follows it."""

    def __init__(self, frame_bytes_max: int = FRAME_BYTES_MAX) -> None:
        self._buffer = bytearray()
        self._max = frame_bytes_max

    def __len__(self) -> int:
        return len(self._buffer)

    def feed(self, data: bytes) -> None:
        """Take bytes from the wire."""
        self._buffer += data

    def iter_frames(self) -> Generator[bytes, None, None]:
        """The complete frames so far, in order. Raises FrameInvalid for a length that is malformed or too large.

        What was handed out is forgotten when the iterator ends or is closed.
        """
        offset = 0
        try:
            while True:
                try:
                    size, begin = decode_uvarint(self._buffer, offset, LENGTH_BITS)
                except VarintTruncated:
                    return
                except VarintInvalid as error:
                    raise FrameInvalid(f"malformed length: {error}") from error
                if size > self._max:
                    raise FrameInvalid(f"a frame of {size} bytes; the most is {self._max}")
                end = begin + size
                if end > len(self._buffer):
                    return
                offset = end  # before the yield, so that a closed iterator does not hand it out again
                yield bytes(memoryview(self._buffer)[begin:end])
        finally:
            del self._buffer[:offset]


def encode_frame(message: bytes) -> bytes:
    """One message with its length."""
    return encode_uvarint(len(message)) + message
