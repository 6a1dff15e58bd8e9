"""Cases of the payload codec: every magnitude, and the ends of the range."""

from __future__ import annotations

from kernels import payload
from kernels.samples import CODEC, SEED, Case, pack, sample_ints


def _payload_case(label: str, count: int, bits: int) -> Case:
    def run() -> bytes:
        encoded = payload.encode(sample_ints(label, count, 8, bits), count, SEED, CODEC)
        return encoded + payload.decode(encoded, count, CODEC)
    return run


def _payload_ends() -> bytes:
    ends = [0, 1, -1, 127, -127, 128, -128, 2**32 - 1, 1 - 2**32]
    return b"".join(payload.encode(pack([value], 8), 1, SEED, CODEC) for value in ends)


CASES: dict[str, Case] = {
    "payload/every_size": _payload_case("every", 1000, 32),
    "payload/small": _payload_case("small", 257, 8),
    "payload/ends": _payload_ends,
}
