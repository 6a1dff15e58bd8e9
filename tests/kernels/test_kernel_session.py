"""Sessions of inference: what is read once, forgotten, refused or stopped, and the cache that holds it."""

from __future__ import annotations

from typing import Any

import pytest

from kernels import decoder, dispatch, generate
from kernels.decoder import Decoder
from kernels.errors import KernelInputError
from kernels.samples import SEED

SMALL = Decoder(vocab=11, context=16, width=16, heads=2, hidden=12, layers=2)


def test_session_keeps_what_two_prompts_share(backend: str) -> None:
    weights = decoder.init_weights(SMALL, SEED)
    session = generate.Session(SMALL, weights)
    for prompt, count in ((b"\x01\0\x02\0\x03\0", 6), (b"\x01\0\x02\0\x03\0", 6), (b"\x01\0\x02\0\x05\0\x06\0", 3),
                          (b"\x01\0", 9), (b"\x07\0\x01\0", 2)):
        fresh = generate.generate(SMALL, weights, prompt, count, SEED)
        assert session.generate(prompt, count, SEED) == fresh
        assert session.tokens == prompt + fresh.tokens[:-2]


def test_session_reads_a_shared_prefix_once(backend: str, monkeypatch: pytest.MonkeyPatch) -> None:
    session = generate.Session(SMALL, decoder.init_weights(SMALL, SEED))
    session.feed(b"\x01\0\x02\0\x03\0\x04\0")
    read: list[bytes] = []
    feed = session.feed

    def note(tokens: bytes) -> bytes:
        read.append(tokens)
        return feed(tokens)

    monkeypatch.setattr(session, "feed", note)
    session.generate(b"\x01\0\x02\0\x03\0\x04\0", 1, SEED)
    assert read == []
    session.generate(b"\x01\0\x02\0\x05\0", 1, SEED)
    session.generate(b"\x01\0\x02\0", 1, SEED)
    assert read == [b"\x05\0", b"\x02\0"]


def test_session_after_a_refusal_is_as_before(backend: str) -> None:
    weights = decoder.init_weights(SMALL, SEED)
    session = generate.Session(SMALL, weights)
    session.feed(b"\x01\0\x02\0")
    for refused in (b"", b"\x01", b"\x0b\0", b"\x01\0" * 15):
        with pytest.raises(KernelInputError):
            session.feed(refused)
    with pytest.raises(KernelInputError):
        session.rewind(3)
    assert session.tokens == b"\x01\0\x02\0"
    assert session.feed(b"\x03\0") == generate.logits(SMALL, weights, b"\x01\0\x02\0\x03\0")[0][-44:]


def test_session_after_a_stop_in_the_middle_is_as_before(backend: str, monkeypatch: pytest.MonkeyPatch) -> None:
    weights = decoder.init_weights(SMALL, SEED)
    session = generate.Session(SMALL, weights)
    session.feed(b"\x01\0\x02\0")
    ops = dispatch.implementation("generate")
    read = ops.feed

    def stop(views: Any, cache: Any, tokens: Any, scored: int) -> Any:
        read(views, cache, tokens, scored)
        raise KeyboardInterrupt

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(ops, "feed", stop)
        session.feed(b"\x05\0")
    assert session.tokens == b"\x01\0\x02\0"
    assert session.feed(b"\x03\0") == generate.logits(SMALL, weights, b"\x01\0\x02\0\x03\0")[0][-44:]


def test_cache_grows_with_the_text_and_never_past_the_context() -> None:
    model = Decoder(vocab=5, context=1000, width=8, heads=1, hidden=1, layers=1)
    with dispatch.forced("cpu"):
        session = generate.Session(model, decoder.init_weights(model, SEED))
        for count, capacity in ((3, 64), (61, 64), (1, 128), (135, 256), (700, 900), (100, 1000)):
            session.feed(bytes(2 * count))
            assert session._cache.values.shape[2] == capacity == session._cache.keys.shape[3]


def test_fork_reads_for_itself_over_the_same_weights(backend: str) -> None:
    weights = decoder.init_weights(SMALL, SEED)
    session = generate.Session(SMALL, weights)
    session.feed(b"\x01\0\x02\0")
    other = session.fork()
    assert other.tokens == b"" and session.tokens == b"\x01\0\x02\0"
    assert other.generate(b"\x03\0", 4, SEED) == generate.generate(SMALL, weights, b"\x03\0", 4, SEED)
    assert session.feed(b"\x03\0") == generate.logits(SMALL, weights, b"\x01\0\x02\0\x03\0")[0][-44:]


def test_stream_gives_what_generate_gives_and_may_be_left(backend: str) -> None:
    weights = decoder.init_weights(SMALL, SEED)
    session, whole = generate.Session(SMALL, weights), generate.generate(SMALL, weights, b"\x01\0", 6, SEED)
    steps = list(session.stream(b"\x01\0", 6, SEED))
    assert b"".join(token for token, _ in steps) == whole.tokens
    assert tuple(digest for _, digest in steps) == whole.digests
    assert generate.compute_root(whole.digests) == whole.root
    left = session.stream(b"\x01\0", 6, SEED)
    assert [next(left), next(left)] == steps[:2]
    assert session.generate(b"\x01\0", 6, SEED) == whole
