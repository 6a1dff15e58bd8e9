"""The payload codecs: exact sizes and bytes, one encoding for one value, refusal of everything else."""

from __future__ import annotations

import struct
from functools import lru_cache

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kernels import chunks, dispatch, gin1, payload, samples, threads
from kernels.errors import KernelInputError
from kernels.payload import cpu, ref, types

CODECS = payload.CODECS
SIGNED = ("int8/256", "int4/256")
POISON = settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
COUNTS = (1, 2, 3, 63, 64, 65, 255, 256, 257, 4095, 4096, 4097, 65535, 65536, 65537, 131073)

codecs = st.sampled_from(CODECS)
values_drawn = st.one_of(st.integers(1 - 2**32, 2**32 - 1), st.integers(-300, 300), st.integers(-1, 1))
deltas = st.lists(values_drawn, min_size=1, max_size=520)
keys = st.binary(min_size=32, max_size=32)
counts = st.one_of(st.integers(1, 700), st.integers(4090, 4170), st.sampled_from(COUNTS))


def unpack(data: bytes) -> list[int]:
    return [value for (value,) in struct.iter_unpack("<q", data)]


@lru_cache(maxsize=64)
def draw(label: str, count: int, bits: int) -> bytes:
    return samples.sample_ints(label, count, 8, bits)


def steps_of(sent: bytes, count: int, codec: str) -> list[int]:
    """The exponent of every coordinate."""
    exponents = ref.read_exponents(np.frombuffer(sent, np.uint8), count, codec)
    return [int(exponents[index // 256]) for index in range(count)]


@pytest.mark.parametrize("codec, region, of_one, of_more", [
    ("int8/256", 256 + 65536, 2, (256 + 65536) + 2), ("int4/256", 256 + 32768, 2, 256 + 32768 + 2),
    ("int2/256", 256 + 16384, 2, 256 + 16384 + 2), ("top64/4096", 16 + 16 * (96 + 16), 4, 1808 + 4),
])
def test_payload_has_the_size_of_its_regions(codec: str, region: int, of_one: int, of_more: int) -> None:
    assert payload.region_bytes(codec) == payload.payload_bytes(65536, codec) == region
    assert payload.payload_bytes(1, codec) == of_one and payload.payload_bytes(65537, codec) == of_more


VECTORS = [  # codec, count, payload in hexadecimal, delta; by hand from section 8
    ("int8/256", 3, "00 7f 81 05", [127, -127, 5]),
    ("int8/256", 2, "03 40 ff", [512, -8]),
    ("int8/256", 257, "00 01" + " 00" * 256 + " 40", [0] * 256 + [128]),
    ("int4/256", 3, "00 97 01", [7, -7, 1]),
    ("int4/256", 2, "1d c7", [7 * 2**29, -4 * 2**29]),
    ("int4/256", 1, "01 0c", [-8]),
    ("int2/256", 4, "00 e4", [-3, -1, 1, 3]),
    ("int2/256", 5, "1e 1b 02", [3 * 2**30, 2**30, -(2**30), -3 * 2**30, 2**30]),
    ("top64/4096", 1, "02 00 00 03", [12]),
    ("top64/4096", 3, "00 00 10 00 02 00 24", [-3, -1, 1]),
]


@pytest.mark.parametrize("codec, count, sent, delta", VECTORS)
def test_payload_decodes_as_worked_out_by_hand(
    codec: str, count: int, sent: str, delta: list[int], backend: str
) -> None:
    assert unpack(payload.decode(bytes.fromhex(sent), count, codec)) == delta


def test_entries_of_a_chunk_are_its_largest_and_of_equal_ones_the_first(backend: str) -> None:
    """Seventy equal coordinates behind 63 zeros, and one larger: indices 63..125 and 4000."""
    delta = [0] * 63 + [-5] * 70 + [0] * 3867 + [6] + [0] * 95
    sent = payload.encode(samples.pack(delta, 8), 4096, samples.SEED, "top64/4096")
    decoded = unpack(payload.decode(sent, 4096, "top64/4096"))
    assert [index for index, value in enumerate(decoded) if value] == [*range(63, 126), 4000]
    assert sent[0] == 2 and {abs(value) for value in decoded} <= {0, 4, 12}  # (63 * 5 + 6) // 64 = 5 has three bits
    assert sent[1:4] == bytes([63, 64 % 16 * 16, 64 // 16])


def test_exponent_of_two_bits_follows_the_mean_magnitude(backend: str) -> None:
    """The mean of 8, 0, 0, 7 is 3, of two bits: exponent 1, so the steps are 4 and 8 is drawn to its bound 6."""
    sent = payload.encode(samples.pack([8, 0, 0, 7], 8), 4, samples.SEED, "int2/256")
    assert sent[0] == 1 and unpack(payload.decode(sent, 4, "int2/256"))[0] == 6


@POISON
@given(codec=codecs, delta=deltas, key=keys, other=keys)
def test_valid_payload_stands_for_its_delta_alone(
    poisoned: None, codec: str, delta: list[int], key: bytes, other: bytes
) -> None:
    sent = payload.encode(samples.pack(delta, 8), len(delta), key, codec)
    payload.check(sent, len(delta), codec)
    assert len(sent) == payload.payload_bytes(len(delta), codec)
    if codec in SIGNED:
        assert payload.encode(payload.decode(sent, len(delta), codec), len(delta), other, codec) == sent


@POISON
@given(codec=codecs, delta=deltas, key=keys)
def test_rounding_error_is_below_one_step(codec: str, delta: list[int], key: bytes) -> None:
    """A step is 2**exponent, of two bits twice that; values beyond three go to the bound, a chunk's others to zero."""
    sent = payload.encode(samples.pack(delta, 8), len(delta), key, codec)
    decoded = unpack(payload.decode(sent, len(delta), codec))
    for before, after, exponent in zip(delta, decoded, steps_of(sent, len(delta), codec)):
        if codec in SIGNED:
            assert abs(before - after) <= (1 << exponent) - (exponent == 0)
        elif after:
            inside = min(max(before, -3 << exponent), 3 << exponent)
            assert abs(inside - after) < 2 << exponent


@POISON
@given(codec=codecs, delta=deltas, key=keys, place=st.integers(0, 10**6), byte=st.integers(0, 255))
def test_changed_payload_is_refused_or_stands_for_another_delta(
    codec: str, delta: list[int], key: bytes, place: int, byte: int
) -> None:
    count = len(delta)
    sent = payload.encode(samples.pack(delta, 8), count, key, codec)
    place %= len(sent)
    changed = sent[:place] + bytes([byte]) + sent[place + 1:]
    try:
        payload.check(changed, count, codec)
    except KernelInputError:
        assert changed != sent
        return
    value = payload.decode(changed, count, codec)
    assert (value == payload.decode(sent, count, codec)) == (changed == sent)
    if codec in SIGNED:
        assert payload.encode(value, count, key, codec) == changed


@POISON
@given(codec=codecs, data=st.binary(min_size=0, max_size=600), count=st.integers(1, 600))
def test_arbitrary_bytes_are_refused_or_canonical(codec: str, data: bytes, count: int) -> None:
    sized = data[:payload.payload_bytes(count, codec)]
    try:
        value = payload.decode(sized, count, codec)
    except KernelInputError:
        return
    if codec in SIGNED:
        assert payload.encode(value, count, bytes(32), codec) == sized
    else:
        assert rebuild(unpack(value), codec) == sized


def rebuild(values: list[int], codec: str) -> bytes:
    """The payload of decoded values in two bits: the exponent is that of their only power of two; one region."""
    size = types.FORMATS[codec].exponent_values
    exponents, held = b"", b""
    for start in range(0, len(values), size):
        part = values[start:start + size]
        places = [place for place, value in enumerate(part) if value]
        exponent = (part[places[0]] & -part[places[0]]).bit_length() - 1
        exponents += bytes([exponent])
        if codec == "top64/4096":
            held += join([(place, 12) for place in places])
        held += join([(((part[place] >> exponent) + 3) // 2, 2) for place in places])
    return exponents + held


def join(numbers: list[tuple[int, int]]) -> bytes:
    joined, at = 0, 0
    for number, bits in numbers:
        joined, at = joined | number << at, at + bits
    return joined.to_bytes((at + 7) // 8, "little")


FAULTS = [  # codec, count, payload in hexadecimal, what the text says and where
    ("int8/256", 1, "00", "must have 2 bytes and has 1"), ("int8/256", 1, "00 01 01", "must have 2 bytes and has 3"),
    ("int8/256", 2, "00 01 80", "holds -128 at coordinate 1: values are -127..127"),
    ("int8/256", 1, "1a 40", "exponent above 25 in block 0: int8/256 has 0..25"),
    ("int8/256", 1, "01 3f", "scaled block without a value of magnitude 64..127, block 0"),
    ("int8/256", 1, "01 c1", "block 0"), ("int8/256", 1, "05 00", "lowest exponent that holds its values"),
    ("int8/256", 257, "00 01" + " 00" * 257, "magnitude 64..127, block 1"),
    ("int4/256", 2, "00 81", "holds -8 at coordinate 1: values are -7..7"),
    ("int4/256", 1, "00 08", "holds -8 at coordinate 0"), ("int4/256", 1, "1e 04", "exponent above 29 in block 0"),
    ("int4/256", 2, "01 33", "magnitude 4..7, block 0"), ("int4/256", 1, "00 11", "behind the last value of block 0"),
    ("int2/256", 1, "1f 00", "exponent above 30 in block 0"), ("int2/256", 3, "00 40", "behind the last value"),
    ("top64/4096", 1, "1f 00 00 00", "exponent above 30 in chunk 0"),
    ("top64/4096", 1, "00 01 00 00", "outside its chunk, entry 0 of chunk 0"),
    ("top64/4096", 1, "00 00 10 00", "behind the last value of chunk 0"),
    ("top64/4096", 1, "00 00 00 04", "behind the last value of chunk 0"),
    ("top64/4096", 2, "00 01 00 00 00", "not above the one before it, entry 1 of chunk 0"),
    ("top64/4096", 2, "00 01 10 00 00", "not above the one before it, entry 1 of chunk 0"),
]


@pytest.mark.parametrize("codec, count, sent, reason", FAULTS)
def test_malformed_payload_is_refused_with_what_and_where(
    codec: str, count: int, sent: str, reason: str, backend: str
) -> None:
    with pytest.raises(KernelInputError, match=reason.replace(".", r"\.")):
        payload.check(bytes.fromhex(sent), count, codec)


def test_smallest_scaled_values_and_the_largest_exponents_are_accepted(backend: str) -> None:
    assert unpack(payload.decode(b"\x01\x40", 1, "int8/256")) == [128]
    assert unpack(payload.decode(b"\x01\xc0", 1, "int8/256")) == [-128]
    assert unpack(payload.decode(b"\x19\x81", 1, "int8/256")) == [-127 * 2**25]
    assert unpack(payload.decode(b"\x1d\x09", 1, "int4/256")) == [-7 * 2**29]


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("value", [2**32, -2**32, 2**63 - 1, -2**63])
def test_delta_beyond_its_range_is_refused(codec: str, value: int, backend: str) -> None:
    delta = samples.pack([0] * 4999 + [value], 8)
    with pytest.raises(KernelInputError, match="delta holds a value outside"):
        payload.encode(delta, 5000, samples.SEED, codec)


@pytest.mark.parametrize("codec", CODECS)
def test_rounding_is_unbiased_over_words(codec: str, backend: str) -> None:
    """801 in a block: the mean of what 4096 words make of it lies within three standard errors."""
    for value in (801, -801):
        sent = payload.encode(samples.pack([value] * 4096, 8), 4096, samples.SEED, codec)
        decoded = [found for found in unpack(payload.decode(sent, 4096, codec)) if found]
        step = 2 ** max(steps_of(sent, 4096, codec)) * (1 if codec in SIGNED else 2)
        assert (sum(decoded) - value * len(decoded)) ** 2 < 9 * step * step * len(decoded)


@pytest.fixture(params=(1, 3))
def cut(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """The work on one thread, and in as many spans as three threads take, with sums written past the caches."""
    monkeypatch.setenv("GRADUS_KERNELS_THREADS", str(request.param))
    monkeypatch.setattr(threads, "SPAN_COST_MIN", 1)
    if request.param > 1:
        monkeypatch.setattr(cpu, "_STREAMED_BYTES_MIN", 1)


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("count", COUNTS)
def test_every_function_of_the_cpu_gives_the_references_bytes(
    codec: str, count: int, cut: None, poisoned: None
) -> None:
    compare_backends(codec, count, 32, "sizes")
    compare_backends(codec, count, 3, "small")


@POISON
@given(codec=codecs, count=counts, bits=st.integers(1, 32), label=st.text("ab", max_size=2))
def test_payload_of_any_shape_is_the_references(
    poisoned: None, codec: str, count: int, bits: int, label: str
) -> None:
    compare_backends(codec, count, bits, label)


def compare_backends(codec: str, count: int, bits: int, label: str) -> None:
    words = gin1.derive_keys("payload", samples.SEED, 0, 0)
    values = np.frombuffer(draw(label, count, bits), "<i8")
    data = ref.encode(values, words, codec)
    assert cpu.encode(values, words, codec).tobytes() == data.tobytes()
    assert cpu.find_fault(data, count, codec) == ref.find_fault(data, count, codec) == 0
    assert cpu.decode(data, count, codec).tobytes() == ref.decode(data, count, codec).tobytes()
    exponents = ref.read_exponents(data, count, codec)
    for grid in (np.maximum(exponents, 2) - 2, exponents + samples.sample(label, exponents.size)[0] % 11):
        grid = grid.astype(np.uint8)
        grid[::3] += 1
        rows = [np.full((grid.size, 2, 256), 5, np.int8) for _ in range(2)]
        for row, module in zip(rows, (ref, cpu)):
            assert module.fill_row(data, count, codec, grid, row, 1) == 0
        assert (rows[0] == rows[1]).all() and (rows[1][:, 0] == 5).all()
        if codec == "top64/4096":
            others = [data, ref.encode(-values, words, codec)]
            for level in (grid, np.repeat(grid[::16], 16)[:grid.size]):
                sums = [module.accumulate(others, count, level, [16384, 3]).tobytes() for module in (ref, cpu)]
                assert sums[0] == sums[1]
                assert ref.squares(data, count, level) == cpu.squares(data, count, level)


@POISON
@given(codec=codecs, count=st.sampled_from((5, 300, 4100, 65600)), place=st.integers(0, 10**6),
       byte=st.integers(0, 255))
def test_cpu_finds_the_references_fault(codec: str, count: int, place: int, byte: int) -> None:
    data = bytearray(payload.encode(draw("fault", count, 20), count, samples.SEED, codec))
    data[place % len(data)] = byte
    data[-place % len(data)] = 255 - byte
    changed = np.frombuffer(bytes(data), np.uint8)
    fault = ref.find_fault(changed, count, codec)
    rows = np.zeros((types.count_parts(count, 256), 1, 256), np.int8)
    assert cpu.find_fault(changed, count, codec) == fault
    assert cpu.fill_row(changed, count, codec, np.zeros(len(rows), np.uint8), rows, 0) == fault


def test_one_chunk_of_a_tree_is_one_region_with_its_exponents() -> None:
    """The second region of a payload, cut out by a proof, decodes to coordinates 65536 and on."""
    for codec in CODECS:
        count, size = 65536 + 300, payload.region_bytes(codec)
        sent = payload.encode(draw("regions", count, 20), count, samples.SEED, codec)
        root, proof = chunks.chunk_root(sent, size), chunks.chunk_proof(sent, 1, size)
        part = chunks.split(sent, size)[1]
        assert chunks.verify_chunk(root, part, 1, 2, proof)
        assert payload.decode(part, 300, codec) == payload.decode(sent, count, codec)[8 * 65536:]


@POISON
@given(codec=codecs, count=st.sampled_from((1, 257, 4100)), decay=st.integers(0, 65536),
       label=st.text("ab", max_size=2))
def test_feedback_keeps_what_the_payload_leaves_out(codec: str, count: int, decay: int, label: str) -> None:
    delta, before = draw(label, count, 32), draw(label + "r", count, 33)
    fed = payload.encode_with_feedback(delta, before, count, samples.SEED, codec, decay)
    aimed = [min(max(d + (r * decay + 2**15 >> 16), 1 - 2**32), 2**32 - 1)
             for d, r in zip(unpack(delta), unpack(before))]
    assert fed.payload == payload.encode(samples.pack(aimed, 8), count, samples.SEED, codec)
    decoded = unpack(payload.decode(fed.payload, count, codec))
    assert unpack(fed.residual) == [a - d for a, d in zip(aimed, decoded)]
    with dispatch.forced("ref"):
        assert payload.encode_with_feedback(delta, before, count, samples.SEED, codec, decay) == fed


def test_with_feedback_every_coordinate_of_a_sparse_payload_is_sent_in_time() -> None:
    """A constant delta of 1000 over 4096 coordinates: what rounds send adds up to it, whatever one can hold."""
    delta, residual, sent = samples.pack([1000] * 4096, 8), bytes(8 * 4096), [0] * 4096
    for number in range(256):
        fed = payload.encode_with_feedback(delta, residual, 4096, bytes([number]) * 32, "top64/4096", 65536)
        residual = fed.residual
        sent = [total + value for total, value in zip(sent, unpack(payload.decode(fed.payload, 4096, "top64/4096")))]
    assert [total + left for total, left in zip(sent, unpack(residual))] == [256_000] * 4096
    assert min(sent) > 0


@pytest.mark.parametrize("change", [
    {"delta": bytes(7)}, {"residual": bytes(16)}, {"residual": samples.pack([2**33 + 1], 8)},
    {"residual": samples.pack([-2**63], 8)}, {"decay_q16": -1}, {"decay_q16": 65537}, {"key": bytes(31)},
    {"codec": "int3/256"}, {"param_count": 0},
], ids=str)
def test_feedback_with_a_bad_argument_is_refused(change: dict[str, object], backend: str) -> None:
    good = {"delta": bytes(8), "residual": samples.pack([2**33], 8), "param_count": 1, "key": bytes(32),
            "codec": "int8/256", "decay_q16": 65536}
    payload.encode_with_feedback(**good)  # type: ignore[arg-type]
    with pytest.raises(KernelInputError):
        payload.encode_with_feedback(**{**good, **change})  # type: ignore[arg-type]
