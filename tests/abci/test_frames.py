"""Framing: any split of the bytes gives the same frames, and no length is taken on trust."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from abci_app.abci.errors import FrameInvalid
from abci_app.abci.frames import FRAME_BYTES_MAX, FrameReader, encode_frame
from abci_app.wire.pb.tendermint.abci import types_pb2 as abci
from abci_app.wire.varint import encode_uvarint
from tests.abci.engine import split


def read_all(pieces: list[bytes]) -> list[bytes]:
    reader, frames = FrameReader(), []
    for piece in pieces:
        reader.feed(piece)
        frames += reader.iter_frames()
    return frames


def test_flush_has_the_bytes_of_the_engine() -> None:
    assert encode_frame(abci.Request(flush=abci.RequestFlush()).SerializeToString()).hex() == "021200"
    assert encode_frame(abci.Response(flush=abci.ResponseFlush()).SerializeToString()).hex() == "021a00"


@given(st.lists(st.binary(max_size=300), max_size=8), st.lists(st.integers(1, 200), min_size=1, max_size=5))
def test_frames_do_not_depend_on_how_the_bytes_arrive(messages: list[bytes], sizes: list[int]) -> None:
    data = b"".join(encode_frame(message) for message in messages)
    assert read_all(list(split(data, sizes))) == messages


@given(st.lists(st.binary(max_size=50), min_size=1, max_size=5), st.integers(1, 60))
def test_incomplete_last_frame_is_kept_back(messages: list[bytes], cut: int) -> None:
    data = b"".join(encode_frame(message) for message in messages)
    cut = min(cut, len(encode_frame(messages[-1])))
    reader = FrameReader()
    reader.feed(data[:-cut])
    assert list(reader.iter_frames()) == messages[:-1]
    reader.feed(data[-cut:])
    assert list(reader.iter_frames()) == messages[-1:]
    assert len(reader) == 0


@given(st.binary(max_size=64))
def test_arbitrary_bytes_give_frames_or_one_error(data: bytes) -> None:
    reader = FrameReader()
    reader.feed(data)
    try:
        frames = list(reader.iter_frames())
    except FrameInvalid:
        return
    assert sum(len(encode_frame(frame)) for frame in frames) + len(reader) == len(data)


def test_closed_iterator_keeps_what_it_did_not_hand_out() -> None:
    reader = FrameReader()
    reader.feed(encode_frame(b"a") + encode_frame(b"b"))
    frames = reader.iter_frames()
    assert next(frames) == b"a"
    frames.close()
    assert list(reader.iter_frames()) == [b"b"]


@pytest.mark.parametrize("length", [encode_uvarint(FRAME_BYTES_MAX + 1), encode_uvarint(1 << 31), b"\xff" * 9,
                                    b"\x80\x00", b"\x81\x80\x00"])
def test_length_that_is_too_large_or_not_minimal_is_refused(length: bytes) -> None:
    reader = FrameReader()
    reader.feed(length)
    with pytest.raises(FrameInvalid):
        list(reader.iter_frames())


def test_largest_length_is_awaited_and_not_allocated() -> None:
    reader = FrameReader()
    reader.feed(encode_uvarint(FRAME_BYTES_MAX) + b"x")
    assert list(reader.iter_frames()) == []
    assert len(reader) == len(encode_uvarint(FRAME_BYTES_MAX)) + 1
