"""Cases of the payload codecs: every magnitude, the ends of the range, sizes around blocks, chunks and regions."""

from __future__ import annotations

from kernels import payload
from kernels.samples import CODEC, SEED, Case, pack, sample_ints


def _payload_case(label: str, count: int, bits: int, codec: str = CODEC) -> Case:
    def run() -> bytes:
        encoded = payload.encode(sample_ints(label, count, 8, bits), count, SEED, codec)
        return encoded + payload.decode(encoded, count, codec)
    return run


def _ends_case(codec: str = CODEC) -> Case:
    ends = [0, 1, -1, 127, -127, 128, -128, 2**32 - 1, 1 - 2**32]
    return lambda: b"".join(payload.encode(pack([value], 8), 1, SEED, codec) for value in ends)


def _ties_case() -> bytes:
    """Chunks in which more coordinates than are chosen have the same magnitude, zero among them."""
    delta = [0] * 4096 + [5, -5] * 2048 + [0, 0, 9] * 30 + [1]
    return payload.encode(pack(delta, 8), len(delta), SEED, "top64/4096")


def _feedback_case(codec: str) -> Case:
    """Three rounds at half: what is left over after each."""
    def run() -> bytes:
        count, residual, told = 4300, bytes(8 * 4300), b""
        for number in range(3):
            delta = sample_ints(f"feedback {number}", count, 8, 32)
            fed = payload.encode_with_feedback(delta, residual, count, SEED, codec, 32768)
            residual, told = fed.residual, told + fed.payload + fed.residual
        return told
    return run


CASES: dict[str, Case] = {
    "payload/every_size": _payload_case("every", 1000, 32),
    "payload/small": _payload_case("small", 257, 8),
    "payload/ends": _ends_case(),
    "payload/regions": _payload_case("regions", 65536 + 257, 20),
    "payload/ties": _ties_case,
}
for _codec in payload.CODECS[1:]:
    _name = _codec.split("/")[0]
    CASES[f"payload/{_name}_every_size"] = _payload_case("every", 1000, 32, _codec)
    CASES[f"payload/{_name}_small"] = _payload_case("small", 4099, 5, _codec)
    CASES[f"payload/{_name}_ends"] = _ends_case(_codec)
    CASES[f"payload/{_name}_regions"] = _payload_case("regions", 65536 + 4097, 20, _codec)
    CASES[f"payload/{_name}_feedback"] = _feedback_case(_codec)
