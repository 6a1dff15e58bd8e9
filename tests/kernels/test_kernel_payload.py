"""The payload codec: exact sizes, one encoding for one value, refusal of everything else."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kernels import payload, samples
from kernels.errors import KernelInputError

CODEC = "int8/256"
deltas = st.lists(st.one_of(st.integers(1 - 2**32, 2**32 - 1), st.integers(-300, 300)), min_size=1, max_size=520)
keys = st.binary(min_size=32, max_size=32)


def unpack(data: bytes) -> list[int]:
    return [value for (value,) in struct.iter_unpack("<q", data)]


@settings(deadline=None)
@given(delta=deltas, key=keys, other=keys)
def test_decoded_payload_encodes_to_itself_under_any_key(delta: list[int], key: bytes, other: bytes) -> None:
    sent = payload.encode(samples.pack(delta, 8), len(delta), key, CODEC)
    payload.check(sent, len(delta), CODEC)
    assert len(sent) == payload.payload_bytes(len(delta), CODEC)
    assert payload.encode(payload.decode(sent, len(delta), CODEC), len(delta), other, CODEC) == sent


@settings(deadline=None)
@given(delta=deltas, key=keys)
def test_rounding_error_is_below_one_step_of_the_block(delta: list[int], key: bytes) -> None:
    sent = payload.encode(samples.pack(delta, 8), len(delta), key, CODEC)
    decoded = unpack(payload.decode(sent, len(delta), CODEC))
    for index, (before, after) in enumerate(zip(delta, decoded)):
        assert abs(before - after) <= (1 << sent[index // 256]) - (sent[index // 256] == 0)


@settings(deadline=None)
@given(delta=deltas, key=keys, place=st.integers(0, 10**6), byte=st.integers(0, 255))
def test_changed_payload_is_refused_or_stands_for_another_delta(
    delta: list[int], key: bytes, place: int, byte: int
) -> None:
    sent = payload.encode(samples.pack(delta, 8), len(delta), key, CODEC)
    place %= len(sent)
    changed = sent[:place] + bytes([byte]) + sent[place + 1:]
    try:
        payload.check(changed, len(delta), CODEC)
    except KernelInputError:
        return
    value = payload.decode(changed, len(delta), CODEC)
    assert (value == payload.decode(sent, len(delta), CODEC)) == (changed == sent)
    assert payload.encode(value, len(delta), key, CODEC) == changed


@settings(deadline=None)
@given(data=st.binary(min_size=0, max_size=600), count=st.integers(1, 600))
def test_arbitrary_bytes_are_refused_or_canonical(data: bytes, count: int) -> None:
    try:
        value = payload.decode(data, count, CODEC)
    except KernelInputError:
        return
    assert payload.encode(value, count, bytes(32), CODEC) == data


@pytest.mark.parametrize("sent, reason", [
    (b"\x00", "bytes"),
    (b"\x00\x01\x01", "bytes"),
    (b"\x00\x80", "-128"),
    (b"\x1a\x40", "exponent above"),
    (b"\x01\x3f", "scaled block"),
    (b"\x01\xc1", "scaled block"),
    (b"\x05\x00", "scaled block"),
])
def test_payload_of_one_value_is_refused_with_a_reason(sent: bytes, reason: str) -> None:
    with pytest.raises(KernelInputError, match=reason):
        payload.check(sent, 1, CODEC)


def test_smallest_scaled_values_and_the_largest_exponent_are_accepted() -> None:
    assert unpack(payload.decode(b"\x01\x40", 1, CODEC)) == [128]
    assert unpack(payload.decode(b"\x01\xc0", 1, CODEC)) == [-128]
    assert unpack(payload.decode(b"\x19\x81", 1, CODEC)) == [-127 * 2**25]


def test_rounding_is_unbiased_over_keys(backend: str) -> None:
    """1000 between steps of 8: the mean over 256 elements with one key lies within one from 1000.5."""
    sent = payload.encode(samples.pack([1001] * 256, 8), 256, samples.SEED, CODEC)
    total = sum(unpack(payload.decode(sent, 256, CODEC)))
    assert abs(total - 1001 * 256) < 256
