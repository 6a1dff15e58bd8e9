"""The chunk tree: every chunk proves itself and nothing else does."""

from __future__ import annotations

import numpy as np
import pytest
from blake3 import blake3
from hypothesis import given, settings
from hypothesis import strategies as st

from kernels import aggregate, chunks, payload, threads
from kernels.errors import KernelInputError
from kernels.samples import sample_ints


@settings(deadline=None)
@given(data=st.binary(max_size=300), size=st.integers(1, 40))
def test_every_chunk_verifies_and_the_chunks_make_the_data(data: bytes, size: int) -> None:
    root, parts = chunks.chunk_root(data, size), chunks.split(data, size)
    assert b"".join(parts) == data
    assert len(parts) == chunks.chunk_count(len(data), size)
    for index, part in enumerate(parts):
        assert chunks.verify_chunk(root, part, index, len(parts), chunks.chunk_proof(data, index, size))


@settings(deadline=None, max_examples=40)
@given(sizes=st.lists(st.sampled_from([0, 1, 7, 65_535, 65_536, 65_537, 140_000]), max_size=4))
def test_root_of_parts_is_the_root_of_the_joined_parts(sizes: list[int]) -> None:
    parts = [(b"%d." % size * size)[:size] for size in sizes]
    assert chunks.join_root([memoryview(part) for part in parts]) == chunks.chunk_root(b"".join(parts))


@pytest.mark.parametrize("count", ["1", "2", "3"])
@pytest.mark.parametrize("size", [1, 1000, 65_536, 100_001])
def test_root_does_not_depend_on_threads_or_parts(monkeypatch: pytest.MonkeyPatch, size: int, count: str) -> None:
    monkeypatch.setenv("GRADUS_KERNELS_THREADS", count)
    monkeypatch.setattr(threads, "SPAN_COST_MIN", 64)
    monkeypatch.setattr(chunks, "THREADED_CHUNK_BYTES", 1)
    data = b"".join(index.to_bytes(4, "little") for index in range(40 * size // 4 if size > 1 else 70)) + b"end"
    level = [blake3(b"\0" + data[start:start + size]).digest() for start in range(0, len(data), size)]
    leaves = list(level)
    while len(level) > 1:
        pairs = [blake3(b"\1" + left + right).digest() for left, right in zip(level[::2], level[1::2])]
        level = pairs + level[len(level) & ~1:]
    root = blake3(b"\2" + len(data).to_bytes(8, "little") + size.to_bytes(4, "little") + level[0]).digest()
    view = memoryview(data)
    cuts = [0, 0, 1, size, size + 1, len(data) // 2, len(data)]
    assert chunks.chunk_root(data, size) == root
    assert chunks.join_root([view[start:end] for start, end in zip(sorted(cuts), sorted(cuts)[1:])], size) == root
    assert chunks.verify_chunk(root, data[-(len(data) % size or size):], len(leaves) - 1, len(leaves),
                               chunks.chunk_proof(data, len(leaves) - 1, size))


@settings(deadline=None)
@given(data=st.binary(min_size=1, max_size=200), size=st.integers(1, 40), draw=st.data())
def test_changed_chunk_index_count_or_proof_does_not_verify(data: bytes, size: int, draw: st.DataObject) -> None:
    root, parts = chunks.chunk_root(data, size), chunks.split(data, size)
    index = draw.draw(st.integers(0, len(parts) - 1))
    proof, part, count = chunks.chunk_proof(data, index, size), parts[index], len(parts)
    place = draw.draw(st.integers(0, len(part) - 1))
    flipped = part[:place] + bytes([part[place] ^ 1]) + part[place + 1:]
    assert not chunks.verify_chunk(root, flipped, index, count, proof)
    assert not chunks.verify_chunk(root, part, index, count + 1, proof)
    assert not chunks.verify_chunk(root, part, index, count, proof + [bytes(32)])
    assert not chunks.verify_chunk(root, part, index, count, proof[:-1])
    assert not chunks.verify_chunk(root, part + b"\x00", index, count, proof)
    which = draw.draw(st.integers(0, len(proof) - 1))
    bent = proof[:which] + [bytes([proof[which][0] ^ 1]) + proof[which][1:]] + proof[which + 1:]
    assert not chunks.verify_chunk(root, part, index, count, bent)
    other = draw.draw(st.integers(0, count - 1))
    assert not chunks.verify_chunk(root, part, other, count, proof) or parts[other] == part
    assert not chunks.verify_chunk(root[:-1] + bytes([root[-1] ^ 1]), part, index, count, proof)


@pytest.mark.parametrize("codec", payload.CODECS)
@pytest.mark.parametrize("rule", ["mean", "trimmed_mean", "median", "sign_vote"])
def test_a_region_of_an_aggregate_follows_from_one_proved_chunk_of_each_payload(codec: str, rule: str) -> None:
    """The aggregate's own bytes, so that a challenge needs no other part of any payload."""
    count, size = 2 * payload.REGION_VALUES + 1000, payload.region_bytes(codec)
    values = np.frombuffer(sample_ints("regions", 5 * count, 8, 20), "<i8").reshape(5, count)
    payloads = [payload.encode(row.tobytes(), count, bytes([index] * 32), codec) for index, row in enumerate(values)]
    roots = [chunks.chunk_root(sent, size) for sent in payloads]
    whole = aggregate.aggregate(rule, payloads, count, 1, codec)
    for region in range(3):
        proved = [chunks.split(sent, size)[region] for sent in payloads]
        for root, sent, chunk in zip(roots, payloads, proved):
            proof = chunks.chunk_proof(sent, region, size)
            assert chunks.verify_chunk(root, chunk, region, chunks.chunk_count(len(sent), size), proof)
        first = region * payload.REGION_VALUES
        last = min(first + payload.REGION_VALUES, count)
        assert aggregate.aggregate(rule, proved, last - first, 1, codec) == whole[8 * first:8 * last]


def test_a_chunk_of_weights_is_64_whole_blocks_of_aggregation_and_four_are_a_region() -> None:
    coordinates, odd = divmod(chunks.CHUNK_BYTES, 4)
    assert odd == 0 and coordinates == 64 * payload.BLOCK_VALUES and 4 * coordinates == payload.REGION_VALUES


def test_root_is_what_the_text_says() -> None:
    def h(data: bytes) -> bytes:
        return blake3(data).digest()

    leaves = [h(b"\x00" + part) for part in (b"abcd", b"efgh", b"ij")]
    top = h(b"\x01" + h(b"\x01" + leaves[0] + leaves[1]) + leaves[2])
    header = (10).to_bytes(8, "little") + (4).to_bytes(4, "little")
    assert chunks.chunk_root(b"abcdefghij", 4) == h(b"\x02" + header + top)
    assert chunks.chunk_proof(b"abcdefghij", 2, 4) == [header, h(b"\x01" + leaves[0] + leaves[1])]


def test_chunk_whose_length_is_not_the_headers_does_not_verify() -> None:
    """Even under a root whose maker hashed chunks of other lengths than the header says."""
    def h(data: bytes) -> bytes:
        return blake3(data).digest()

    header = (8).to_bytes(8, "little") + (4).to_bytes(4, "little")
    for first in (b"abc", b"abcde", b""):
        last = h(b"\x00efgh")
        root = h(b"\x02" + header + h(b"\x01" + h(b"\x00" + first) + last))
        assert not chunks.verify_chunk(root, first, 0, 2, [header, last])


def test_root_commits_to_length_and_chunk_size() -> None:
    roots = {chunks.chunk_root(data, size) for data, size in ((b"", 1), (b"\x00", 1), (b"\x00", 2), (b"\x00\x00", 2))}
    assert len(roots) == 4


def test_blake3_is_the_published_function() -> None:
    assert blake3(b"").hexdigest() == "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262"


@pytest.mark.parametrize("arguments", [
    (b"", b"", 0, 1, []), (bytes(32), b"", 0, 1, [bytes(12)]), (bytes(31), b"a", 0, 1, [bytes(8) + b"\x01\0\0\0"]),
    (None, b"", 0, 1, [bytes(12)]), (bytes(32), "a", 0, 1, [bytes(12)]), (bytes(32), b"", 0, 1, None),
    (bytes(32), b"", 0, 1, [None]), (bytes(32), b"", -1, 1, [bytes(12)]), (bytes(32), b"", 0, 2**80, [b"\xff" * 12]),
    (bytes(32), b"", "0", 1, [bytes(8) + b"\x01\0\0\0"]),
])
def test_malformed_proof_is_false_not_an_exception(arguments: tuple[object, ...]) -> None:
    assert chunks.verify_chunk(*arguments) is False  # type: ignore[arg-type]


@pytest.mark.parametrize("size", [0, -1, 2**24 + 1, True, 1.5])
def test_bad_chunk_size_is_refused(size: int) -> None:
    with pytest.raises(KernelInputError):
        chunks.chunk_root(b"abc", size)


def test_proof_of_a_chunk_that_is_not_there_is_refused() -> None:
    with pytest.raises(KernelInputError):
        chunks.chunk_proof(b"abc", 1, 4)
